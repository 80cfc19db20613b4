"""Formulas (1) to (8) once more, by a script that shares no line with the appliance, on whatever numbers there may be.

The script works in fractions where the formula is rational, and in numpy where it is not. It is written from the field's notes:
counts and distances by minute, area, densities, the width's part in them, Lin's coefficient, grounds, survey and running CV.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.reads.surveys import GroundRow, ProtocolRow, StationRow
from edge.store.reads.tracks import DistanceRow, WidthRow
from edge.survey.agreement import lin_ccc
from edge.survey.density import MINUTE_S, MinuteCount, MinuteRule, station_count
from edge.survey.method import Method
from edge.survey.navigation.distance import MinuteProfile
from edge.survey.overview import PlacedStation, method_estimates
from edge.survey.reckoning import Counted, reckon_distance, reckon_figures
from edge.survey.result import ResultState, StationResult

RULES = [MinuteRule.DROP_MINUTE, MinuteRule.SCALE]


def protocol(rule: MinuteRule, factor: float) -> ProtocolRow:
    values: dict[str, Any] = {
        "id": 1, "uuid": "u", "survey_id": 1, "version": 1, "first_minute": 1, "last_minute": 6, "minute_rule": rule.value,
        "line_height": 0.83, "edge_rule": "any_opening_inside", "counters": 2, "min_mean_per_minute": None, "ccc_limit": 0.5,
        "correction_factor": factor, "correction_source": "a table", "reason": "", "made_by": "", "made_utc": "", "locked_utc": None,
    }  # fmt: skip
    return ProtocolRow(**values)


def width(width_m: float, sd_m: float | None) -> WidthRow:
    return WidthRow(
        id=1, tow_id=1, method="fixed", width_m=width_m, uncertainty_m=sd_m, row_height=0.83, source="x", detail_json="{}", entered_by="x",
        entered_utc="x", withdrawn_utc=None,
    )  # fmt: skip


TRACK = DistanceRow(
    id=1, tow_id=1, source="usbl", distance_m=1.0, covers="tow", track_id=1, note="", entered_by="x", entered_utc="x", withdrawn_utc=None
)


@dataclass(frozen=True)
class Told:
    """What the script makes of a station; None where it has no figure."""

    systems: float | None
    distance_m: float | None


def script(cells: Mapping[tuple[str, int], tuple[int, int]], way_m: Mapping[int, int], rule: MinuteRule) -> Told:
    """`cells`: (counter, minute) -> systems and whole seconds lost; `way_m`: minute -> metres, whole."""
    minutes = sorted({minute for _, minute in cells})
    taken: dict[int, tuple[Fraction, Fraction]] = {}  # minute -> mean of its counters, part of it that counts
    for minute in minutes:
        here = [one for (_, at), one in cells.items() if at == minute]
        if rule is MinuteRule.DROP_MINUTE:
            if any(lost >= 30 for _, lost in here):
                continue
            part = 1 - sum((Fraction(lost, 60) for _, lost in here), Fraction(0)) / len(here)
            taken[minute] = sum((Fraction(systems) for systems, _ in here), Fraction(0)) / len(here), part
        else:
            seen = [Fraction(systems) * 60 / (60 - lost) for systems, lost in here if lost < 60]
            if seen:
                taken[minute] = sum(seen, Fraction(0)) / len(seen), Fraction(1)
    if not taken:
        return Told(None, None)
    systems = float(sum((mean for mean, _ in taken.values()), Fraction(0)))
    known = {minute: Fraction(way_m[minute]) for minute in taken if minute in way_m}
    if rule is MinuteRule.SCALE:
        known = {minute: metres for minute, metres in known.items() if 0 < metres <= 50}
    if not known or (rule is MinuteRule.DROP_MINUTE and (len(known) < len(taken) or min(known.values()) <= 0)):
        return Told(systems, None)
    if rule is MinuteRule.SCALE and not any(minute in way_m for minute in taken):
        return Told(systems, None)
    mean = sum(known.values(), Fraction(0)) / len(known)
    return Told(systems, float(sum((known.get(minute, mean) * part for minute, (_, part) in taken.items()), Fraction(0))))


CELLS = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 6)), st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=1, max_size=18
)
WAY = st.dictionaries(st.integers(1, 6), st.integers(-2, 70), max_size=6)


@settings(max_examples=300)
@given(CELLS, WAY, st.sampled_from(RULES), st.floats(0.3, 2.0), st.floats(1e-4, 0.2) | st.sampled_from([None, 0.0]), st.floats(1.0, 1.6))
def test_a_station_is_what_the_script_makes_of_it(
    cells: dict[tuple[str, int], tuple[int, int]],
    way_m: dict[int, int],
    rule: MinuteRule,
    width_m: float,
    sd_m: float | None,
    factor: float,
) -> None:
    expected = script(cells, way_m, rule)
    counts = [
        MinuteCount(counter=who, minute=minute, systems=float(systems), lost_s=float(lost))
        for (who, minute), (systems, lost) in cells.items()
    ]
    count = station_count(counts, rule)
    if expected.systems is None:
        assert count.systems is None
        return
    assert count.systems == pytest.approx(expected.systems)
    profiles = [
        MinuteProfile(minute=minute, distance_m=float(metres), speed_m_per_s=metres / MINUTE_S, depth_m=None, bridged_s=0)
        for minute, metres in way_m.items()
    ]
    distance = reckon_distance(TRACK, profiles, count, rule, 600.0)
    if expected.distance_m is None:
        assert distance.distance_m is None
        assert distance.reasons
        return
    assert distance.distance_m == pytest.approx(expected.distance_m)
    counted = Counted(count=count, used=(), agreement=None, needs_third=False, left_out={}, reasons=(), flags=())
    found = reckon_figures(counted, distance, width(width_m, sd_m), protocol(rule, factor))
    if expected.distance_m == 0:
        return
    area_m2 = expected.distance_m * width_m
    raw = expected.systems / area_m2
    for figure, value in ((found.area_m2, area_m2), (found.raw_per_m2, raw), (found.adjusted_per_m2, raw / factor)):
        assert figure == pytest.approx(value)
        if sd_m is None:
            assert found.sd_of(figure) is None
        else:  # to first order: half of what one standard deviation up and down makes
            steps = [value * (width_m + sign * sd_m * 1e-4) / width_m for sign in (-1, 1)]
            assert found.sd_of(figure) == pytest.approx((steps[1] - steps[0]) / 2 * 1e4, rel=1e-6, abs=1e-12)


PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=12)


@given(PAIRS)
def test_lins_coefficient_is_that_of_a_covariance_matrix(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(values, float) for values in zip(*pairs, strict=True))
    (s_xx, s_xy), (_, s_yy) = np.cov(x, y, bias=True)
    scale = s_xx + s_yy + (x.mean() - y.mean()) ** 2
    found = lin_ccc(tuple(x.tolist()), tuple(y.tolist()))
    assert found is None if scale == 0 else found == pytest.approx(2 * s_xy / scale)


def ground(name: str, area_km2: float | None, planned: int | None) -> GroundRow:
    return GroundRow(id=1, survey_id=1, name=name, area_km2=area_km2, area_source="x", stations_planned=planned)


def placed(number: int, of_ground: str, raw: float, factor: float) -> PlacedStation:
    row: dict[str, Any] = dict.fromkeys(StationRow._fields)
    row |= {"id": number, "name": f"S{number}", "ground": of_ground, "is_draft": False}
    result = StationResult(
        station=f"S{number}", survey="T", station_id=number, tow_id=number, state=ResultState.COUNTED, systems=raw * 100,
        density_raw_per_m2=raw, density_adjusted_per_m2=raw / factor, sources={"protocol": {"version": 1}, "counts": []},
    )  # fmt: skip
    return PlacedStation(
        station=StationRow(**row), tow=None, result=result, latitude_deg=None, longitude_deg=None, is_planned_place=True, estimated=True,
        method=Method("own", 1),
        why_not="", order_utc=f"2026-07-14T{number:05d}",
    )  # fmt: skip


def standard_error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def within(t: float, freedom: int) -> float:
    """Probability of Student's |T| < t: the density, integrated."""
    x = np.linspace(-t, t, 4001)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    return float(np.trapezoid(scale * (1 + x**2 / freedom) ** (-(freedom + 1) / 2), x))


def survey_cv(densities: Mapping[str, Sequence[float]], areas: Mapping[str, float]) -> float | None:
    if any(len(densities.get(name, ())) < 2 for name in areas):
        return None
    total = sum(float(np.mean(densities[name])) * area for name, area in areas.items())
    error = math.sqrt(sum((standard_error(densities[name]) * area) ** 2 for name, area in areas.items()))
    return error / total if total > 0 else None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300)), min_size=1, max_size=20),
    st.tuples(*[st.tuples(st.integers(10, 3000) | st.none(), st.sampled_from([None, 0, 4])) for _ in range(3)]),
)
def test_a_survey_is_what_the_script_makes_of_its_grounds(
    series: list[tuple[str, int]], given_grounds: tuple[tuple[int | None, int | None], ...]
) -> None:
    """A ground without a station or an area takes total and CV away, unless nothing is planned there; then the sum is a partial one."""
    plans = dict(zip("abc", given_grounds, strict=True))
    stations = [placed(number, name, value / 100, 1.3) for number, (name, value) in enumerate(series)]
    (found,) = method_estimates([ground(name, area, planned) for name, (area, planned) in plans.items()], stations)
    by_ground = {name: [value / 100 for at, value in series if at == name] for name in plans}
    asked = [name for name, (_, planned) in plans.items() if planned != 0 or by_ground[name]]
    known = {name: float(area) for name, (area, _) in plans.items() if area is not None and by_ground[name]}
    for figures in found.grounds:
        values = by_ground[figures.name]
        if not values:
            assert figures.raw is None
            continue
        assert figures.raw is not None
        assert figures.raw.mean_per_m2 == pytest.approx(np.mean(values))
        if len(values) > 1:
            assert figures.raw.se_per_m2 == pytest.approx(standard_error(values), abs=1e-12)
            if figures.raw.se_per_m2 and figures.raw.ci_per_m2 and figures.raw.se_per_m2 > 1e-9:
                assert within(figures.raw.ci_per_m2 / figures.raw.se_per_m2, len(values) - 1) == pytest.approx(0.95, abs=1e-4)
    total = sum(float(np.mean(by_ground[name])) * area for name, area in known.items())
    if set(asked) == set(known):
        assert (found.partial, found.raw is not None) == (None, True)
        assert found.raw is not None
        assert found.raw.abundance_millions == pytest.approx(total)
        assert found.raw.cv == pytest.approx(survey_cv(by_ground, known), abs=1e-12)
        assert found.adjusted is not None
        assert found.adjusted.abundance_millions == pytest.approx(total / 1.3)
    else:
        assert (found.raw, found.adjusted) == (None, None)
        assert (found.partial is None) == (not known)
        if found.partial is not None:
            assert set(found.partial.grounds) == set(known)
            assert found.partial.raw_millions == pytest.approx(total)
    for place, point in enumerate(found.running, start=1):
        before = {name: [value / 100 for at, value in series[:place] if at == name] for name in plans}
        expected = survey_cv(before, known) if set(asked) == set(known) else None
        assert point.cv == pytest.approx(expected, abs=1e-12)
