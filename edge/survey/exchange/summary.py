"""A survey in a few lines: per ground the means and their spread, and over all grounds the CV that is judged against 20 %.

Only stations that people counted, with an adjusted density; grounds without a stated area have means but no abundance. Stations
counted under different versions of the protocol are never put into one figure.
"""

from __future__ import annotations

import math

from edge.cells import Cell
from edge.survey.estimate import CV_LIMIT, GroundEstimate, ground_estimate, survey_estimate
from edge.survey.exchange.gather import Gathered, GatheredStation

COLUMNS = (
    "ground",
    "protocol_version",
    "stations",
    "zero_stations",
    "systems",
    "mean_distance_m",
    "mean_raw_per_m2",
    "mean_adjusted_per_m2",
    "sd_adjusted_per_m2",
    "cv_of_mean",
    "area_km2",
    "abundance_millions",
    "ci95_millions",
    "remark",
)


def summary_rows(gathered: Gathered) -> list[tuple[Cell, ...]]:
    """A row for each ground and protocol version, and one for the survey where its stations go together."""
    groups: dict[tuple[int, str], list[GatheredStation]] = {}
    for one in gathered.stations:
        if not one.absence and one.result.density_raw_per_m2 is not None:
            groups.setdefault((_version(one), one.station.ground or ""), []).append(one)
    rows: list[tuple[Cell, ...]] = []
    estimates: list[GroundEstimate | None] = []
    for (version, ground), stations in sorted(groups.items()):
        area = gathered.grounds[ground].area_km2 if ground in gathered.grounds else None
        row, estimate = _ground(ground, version, stations, area)
        rows.append(row)
        estimates.append(estimate)
    if rows:
        rows.append(_whole({version for version, _ in groups}, estimates))
    return rows


def _version(one: GatheredStation) -> int:
    protocol = one.result.sources.get("protocol") or {}
    return int(protocol.get("version") or 0)


def _ground(
    name: str, version: int, stations: list[GatheredStation], area_km2: float | None
) -> tuple[tuple[Cell, ...], GroundEstimate | None]:
    adjusted = [one.result.density_adjusted_per_m2 for one in stations if one.result.density_adjusted_per_m2 is not None]
    raw = [one.result.density_raw_per_m2 for one in stations if one.result.density_raw_per_m2 is not None]
    distances = [one.result.distance_m for one in stations if one.result.distance_m is not None]
    systems = [one.result.systems for one in stations if one.result.systems is not None]
    is_whole = len(adjusted) == len(stations)
    estimate = ground_estimate(name, adjusted, area_km2 or 1.0) if is_whole else None
    has_abundance = estimate is not None and area_km2 is not None
    cv = None if estimate is None or estimate.se_per_m2 is None or not estimate.mean_per_m2 else estimate.se_per_m2 / estimate.mean_per_m2
    remark = "" if is_whole else "no adjusted density: the protocol names no correction factor"
    if is_whole and area_km2 is None:
        remark = "no abundance: the ground has no stated area"
    row: tuple[Cell, ...] = (
        name or "(no ground)",
        version,
        len(stations),
        sum(one == 0 for one in systems),
        math.fsum(systems),
        math.fsum(distances) / len(distances) if distances else None,
        math.fsum(raw) / len(raw),
        None if estimate is None else estimate.mean_per_m2,
        None if estimate is None else estimate.sd_per_m2,
        cv,
        area_km2,
        estimate.abundance_millions if estimate is not None and has_abundance else None,
        estimate.ci_millions if estimate is not None and has_abundance else None,
        remark,
    )
    return row, estimate if has_abundance else None


def _whole(versions: set[int], estimates: list[GroundEstimate | None]) -> tuple[Cell, ...]:
    known = [one for one in estimates if one is not None]
    empty: tuple[Cell, ...] = (None,) * 8
    if len(versions) > 1:
        why = "no estimate of the survey: its stations were counted under different versions of the protocol"
        return ("survey", None, *empty, None, None, None, why)
    if len(known) < len(estimates):
        return ("survey", None, *empty, None, None, None, "no estimate of the survey: not every ground has an area and a factor")
    found = survey_estimate(known)
    area = math.fsum(one.area_km2 for one in known)
    if found.cv is None:
        remark = "no CV: a ground has fewer than two stations, or nothing was counted"
    else:
        remark = f"CV below {CV_LIMIT:.0%}" if found.is_precise_enough else f"CV not below {CV_LIMIT:.0%}"
    stations = sum(one.stations for one in known)
    cells: tuple[Cell, ...] = (
        "survey",
        next(iter(versions)),
        stations,
        None,
        None,
        None,
        None,
        None,
        None,
        found.cv,
        area,
        found.abundance_millions,
        found.ci_linear_millions,
        f"{remark}; the interval adds up those of the grounds",
    )
    return cells
