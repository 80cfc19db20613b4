"""A survey in a few lines: per ground the means and their spread, and over all grounds the CV that is judged against 20 %.

The figures are those of `edge.survey.overview`; stations that were counted by different methods are never put together.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.cells import Cell
from edge.survey.estimate import CV_LIMIT, SurveyEstimate
from edge.survey.overview import GroundFigures, MethodEstimate, PartialSum, PlacedStation, SurveyOverview

COLUMNS = (
    "protocol_version",
    "origin",
    "ground",
    "stations",
    "zero_stations",
    "systems",
    "mean_distance_m",
    "mean_raw_per_m2",
    "mean_adjusted_per_m2",
    "sd_adjusted_per_m2",
    "se_adjusted_per_m2",
    "cv",
    "area_km2",
    "abundance_adjusted_millions",
    "ci95_millions",
    "remark",
)


def summary_rows(overview: SurveyOverview) -> list[Sequence[Cell]]:
    """For each method a row per ground and one for the survey, and one for the partial sum where the survey has no total.

    None is what cannot be given.
    """
    results = {one.station.name: one for one in overview.stations}
    rows: list[Sequence[Cell]] = []
    for one in overview.estimates:
        of_method = [_ground(ground, [results[name] for name in ground.stations]) for ground in one.grounds]
        of_method.append(_survey(one, results))
        if one.partial is not None:
            of_method.append(_partial(one.partial))
        rows += [(one.version, one.origin, *row) for row in of_method]
    return rows


def _ground(ground: GroundFigures, stations: Sequence[PlacedStation]) -> Sequence[Cell]:
    raw, adjusted = ground.raw, ground.adjusted
    systems = [one.result.systems for one in stations if one.result.systems is not None]
    distances = [one.result.distance_m for one in stations if one.result.distance_m is not None]
    cv = None
    if adjusted is not None and adjusted.se_per_m2 is not None and adjusted.mean_per_m2 > 0:
        cv = adjusted.se_per_m2 / adjusted.mean_per_m2
    has_area = adjusted is not None and ground.area_km2 is not None
    return (
        ground.name,
        len(stations),
        sum(one == 0 for one in systems),
        sum(systems),
        sum(distances) / len(distances) if distances else None,
        raw.mean_per_m2 if raw else None,
        adjusted.mean_per_m2 if adjusted else None,
        adjusted.sd_per_m2 if adjusted else None,
        adjusted.se_per_m2 if adjusted else None,
        cv,
        ground.area_km2,
        adjusted.abundance_millions if adjusted and has_area else None,
        adjusted.ci_millions if adjusted and has_area else None,
        "" if ground.area_km2 is not None else "no abundance: nobody stated the area of this ground",
    )


def _survey(estimate: MethodEstimate, results: dict[str, PlacedStation]) -> Sequence[Cell]:
    names = [name for ground in estimate.grounds for name in ground.stations]
    systems = [value for name in names if (value := results[name].result.systems) is not None]
    found: SurveyEstimate | None = estimate.adjusted
    remarks = list(estimate.reasons)
    if found is not None and found.cv is not None:
        remarks.insert(
            0, f"CV {'below' if found.is_precise_enough else 'not below'} {CV_LIMIT:.0%}; the interval adds up those of the grounds"
        )
    return (
        "survey",
        len(names),
        sum(one == 0 for one in systems),
        sum(systems),
        *(None,) * 5,
        found.cv if found else None,
        None,
        found.abundance_millions if found else None,
        found.ci_linear_millions if found else None,
        "; ".join(remarks),
    )


def _partial(partial: PartialSum) -> Sequence[Cell]:
    """No total of the survey and no CV: it is named here as the page names it."""
    return ("partial sum", *(None,) * 10, partial.adjusted_millions, None, partial.words)
