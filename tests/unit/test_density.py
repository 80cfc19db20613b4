"""Counts to densities to estimates, against an independent script and against real survey tables."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.survey.density import CorrectionFactor, MinuteCount, MinuteRule, counted_distance, density, station_count, viewed_area_m2
from edge.survey.estimate import ground_estimate, survey_estimate, t_quantile

DROP, SCALE = MinuteRule.DROP_MINUTE, MinuteRule.SCALE


def count(counter: str, minute: int, systems: float, lost_s: float = 0.0) -> MinuteCount:
    return MinuteCount(counter=counter, minute=minute, systems=systems, lost_s=lost_s)


counts_of_a_station = st.dictionaries(
    st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(1, 10)), st.tuples(st.integers(0, 43), st.integers(0, 60)), max_size=30
).map(lambda cells: [count(counter, minute, float(n), float(lost)) for (counter, minute), (n, lost) in cells.items()])


@given(counts_of_a_station, st.sampled_from([DROP, SCALE]))
def test_a_station_counts_as_the_formula_says(counts: list[MinuteCount], rule: MinuteRule) -> None:
    total, minutes = 0.0, 0
    for minute in {one.minute for one in counts}:
        here = [one for one in counts if one.minute == minute]
        if rule is DROP:
            values = [] if any(one.lost_s >= 30 for one in here) else [one.systems for one in here]
        else:
            values = [one.systems * 60 / (60 - one.lost_s) for one in here if one.lost_s < 60]
        if values:
            total, minutes = total + statistics.fmean(values), minutes + 1
    found = station_count(counts, rule)
    assert (found.systems is None) is (minutes == 0)
    assert found.systems is None or found.systems == pytest.approx(total)
    assert len(found.per_minute) == minutes
    assert set(found.per_minute) | set(found.left_out) == {one.minute for one in counts}


def test_no_minute_left_is_no_zero() -> None:
    assert station_count([count("A", 2, 0.0, 30.0)], DROP).systems is None
    assert station_count([count("A", 2, 0.0)], DROP).systems == 0.0


def test_the_mean_of_three_counters_may_be_a_fraction() -> None:
    assert station_count([count("A", 2, 4), count("B", 2, 5), count("C", 2, 4)], DROP).systems == pytest.approx(13 / 3)


def test_a_counter_has_a_minute_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        station_count([count("A", 2, 4), count("A", 2, 4)], DROP)


def test_the_two_protocols_treat_distances_their_own_way() -> None:
    counted = station_count([count("A", minute, 3) for minute in (2, 3, 4)], SCALE)
    scaled = counted_distance({2: 20.0, 3: -1.0, 4: 30.0}, counted, SCALE)
    assert (scaled.distance_m, scaled.replaced) == (75.0, (3,))
    assert counted_distance({2: 20.0, 3: None, 4: 30.0}, counted, SCALE).distance_m == 75.0
    with pytest.raises(ValueError, match="minute 3"):
        counted_distance({2: 20.0, 3: -1.0, 4: 30.0}, counted, DROP)
    with pytest.raises(ValueError, match="minute 2"):
        counted_distance({}, counted, SCALE)


def test_a_dropped_minute_takes_its_distance_along() -> None:
    counted = station_count([count("A", 2, 3), count("A", 3, 3, 45.0)], DROP)
    assert counted_distance({2: 20.0, 3: 24.0}, counted, DROP).distance_m == 20.0


def test_seconds_that_nobody_counted_in_are_no_counted_distance() -> None:
    """Formula (2): counted and countable time. Where the counters lost different seconds it is their mean, as for the count."""
    counted = station_count([count("A", 2, 3, 12.0), count("B", 2, 3), count("A", 3, 3), count("B", 3, 3)], DROP)
    assert counted.counted_s == {2: 54.0, 3: 60.0}
    assert counted_distance({2: 20.0, 3: 24.0}, counted, DROP).distance_m == 18.0 + 24.0
    scaled = station_count([count("A", 2, 3, 12.0), count("B", 2, 3)], SCALE)
    assert counted_distance({2: 20.0}, scaled, SCALE).distance_m == 20.0


def test_legs_of_their_own_width() -> None:
    assert viewed_area_m2([(10.0, 0.75), (20.0, 1.01)]) == pytest.approx(27.7)
    for legs in ([], [(1.0, 0.0)], [(-1.0, 0.7)], [(math.nan, 0.7)]):
        with pytest.raises(ValueError, match="area"):
            viewed_area_m2(legs)


def test_no_area_is_no_density() -> None:
    with pytest.raises(ValueError, match="no density"):
        density(0.0, 0.0)


def test_a_factor_needs_a_source() -> None:
    with pytest.raises(ValueError, match="source"):
        CorrectionFactor(value=1.3, source=" ")


def test_rows_of_fu20_21_come_out_again(shared_data: Path) -> None:
    path = shared_data / "uwtv_station_data" / "fu2021_tv_2013_2018.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    factor = CorrectionFactor(value=1.30, source="FU20-21 table, 2013 to 2018")
    wide = 0
    for row in rows:
        distance_m, area_m2 = float(row["DoGm"]), float(row["m2"])
        found = density(float(row["Count"]), viewed_area_m2([(distance_m, area_m2 / distance_m)]), factor)
        assert found.raw_per_m2 == pytest.approx(float(row["Density"]), abs=1e-8)
        assert found.adjusted_per_m2 == pytest.approx(float(row["Density_Adjusted"]), abs=1e-6)
        wide += viewed_area_m2([(distance_m, 0.75)]) == pytest.approx(area_m2, rel=1e-4)
    assert len(rows) - wide <= 33  # stations of 2014 with a width of their own


@given(st.lists(st.floats(0, 3.3), min_size=2, max_size=40), st.floats(1, 30_000))
def test_a_ground_is_estimated_as_an_independent_script_does(densities: list[float], area_km2: float) -> None:
    found = ground_estimate("one", densities, area_km2)
    assert found.sd_per_m2 == pytest.approx(statistics.stdev(densities), abs=1e-9)
    assert found.se_per_m2 == pytest.approx(statistics.stdev(densities) / math.sqrt(len(densities)), abs=1e-9)
    assert found.abundance_millions == pytest.approx(statistics.fmean(densities) * area_km2)


def test_quantiles_of_t_are_those_of_the_tables() -> None:
    # Abramowitz and Stegun, table 26.10, two-sided 95 %.
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 9: 2.262, 10: 2.228, 30: 2.042, 60: 2.000, 120: 1.980}
    assert {n: round(t_quantile(0.975, n), 3) for n in table} == table
    assert t_quantile(0.5, 7) == pytest.approx(0.0, abs=1e-9)


def test_a_survey_adds_grounds_as_independent_ones() -> None:
    grounds = [ground_estimate("a", [0.2, 0.4, 0.6], 100.0), ground_estimate("b", [0.1, 0.1, 0.4], 50.0)]
    found = survey_estimate(grounds)
    se_a, se_b = 0.2 / math.sqrt(3) * 100, statistics.stdev([0.1, 0.1, 0.4]) / math.sqrt(3) * 50
    assert found.abundance_millions == pytest.approx(40 + 10)
    assert found.se_millions == pytest.approx(math.hypot(se_a, se_b))
    assert found.cv == pytest.approx(math.hypot(se_a, se_b) / 50)
    assert found.is_precise_enough is False
    assert found.ci_linear_millions == pytest.approx(t_quantile(0.975, 2) * (se_a + se_b))


def test_one_station_has_no_spread_and_the_survey_says_so() -> None:
    found = survey_estimate([ground_estimate("a", [0.2, 0.4], 100.0), ground_estimate("b", [0.1], 50.0)])
    assert (found.se_millions, found.cv, found.is_precise_enough) == (None, None, None)
    assert found.abundance_millions == pytest.approx(35.0)


def test_a_survey_of_zeros_has_no_relative_error() -> None:
    found = survey_estimate([ground_estimate("a", [0.0, 0.0], 100.0)])
    assert (found.abundance_millions, found.se_millions, found.cv) == (0.0, 0.0, None)


def test_the_limit_of_fifty_metres_in_a_minute_is_the_scottish_protocols_alone() -> None:
    """A minute of 61 m is measured like any other under `drop_minute`; what is no distance is an error there still."""
    counts = [MinuteCount(counter="A", minute=minute, systems=3.0) for minute in (1, 2, 3)]
    given: dict[int, float | None] = {1: 24.0, 2: 61.0, 3: 26.0}
    dropping = counted_distance(given, station_count(counts, MinuteRule.DROP_MINUTE), MinuteRule.DROP_MINUTE)
    assert (dropping.distance_m, dropping.replaced) == (111.0, ())
    scaling = counted_distance(given, station_count(counts, MinuteRule.SCALE), MinuteRule.SCALE)
    assert (scaling.distance_m, scaling.replaced) == (75.0, (2,))
    for wrong in (None, 0.0, -3.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="minute 2"):
            counted_distance({**given, 2: wrong}, station_count(counts, MinuteRule.DROP_MINUTE), MinuteRule.DROP_MINUTE)
