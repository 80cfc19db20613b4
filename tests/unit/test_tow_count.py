"""Systems, the line rule by minute, and a model's counts beside people's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.survey.agreement import lin_ccc
from edge.survey.tow.compare import StationCounts, Verdict, closeness, compare_counts
from edge.survey.tow.count import ModelCount, count_line, system_crossings
from edge.survey.tow.systems import Systems, SystemSettings, group_systems
from edge.survey.tow.tracks import OpeningTrack, SeabedTravel, TowTracks, TrackSettings
from tests.simulators.tow import LINE_HEIGHT, Sea, simulate
from tests.simulators.trackers import TruthTracker

WIDTH_PX, SPEED_PX_S = 1200, 300.0


def opening(
    number: int, along_px: float, across_px: float = 600.0, *, confidence: float = 1.0, side_px: float = 40.0, sd_s: float = 0.01
) -> OpeningTrack:
    """An opening that crosses when the seabed has moved that far at a steady speed."""
    at_s = along_px / SPEED_PX_S
    return OpeningTrack(
        id=number,
        frames=np.array([0], np.int32),
        boxes=np.zeros((1, 4), np.float32),
        scores=np.ones(1, np.float32),
        detections=np.array([number], np.int32),
        first_s=0.0,
        last_s=at_s,
        crossing_s=at_s,
        crossing_sd_s=sd_s,
        is_extrapolated=False,
        along_px=along_px,
        across_px=across_px,
        drift_px=0.0,
        along_sd_px=1.0,
        side_px=side_px,
        confidence=confidence,
        n_missed=0,
    )


def tow(openings: Sequence[OpeningTrack], seconds: float = 150.0) -> TowTracks:
    at_s = np.arange(0.0, seconds + 0.25, 0.5)
    zero = np.zeros(len(at_s))
    return TowTracks(
        tracker="test",
        version="1",
        settings=TrackSettings(),
        width_px=WIDTH_PX,
        height_px=675,
        line_px=560.0,
        travel=SeabedTravel(
            at_s=at_s, along_px=at_s * SPEED_PX_S, drift_px=zero, sd_px=zero, is_carried=np.zeros(len(at_s), np.bool_), row_scale=0.0
        ),
        tracks=tuple(openings),
    )


def rosettes(count: int, members: int, apart_px: float = 2500.0) -> list[OpeningTrack]:
    """Systems far from each other, their openings around a middle."""
    turn = np.arange(members) * 2 * np.pi / members
    return [
        opening(1 + k * members + m, 2000 + k * apart_px + 60 * math.sin(turn[m]), 500 + 60 * math.cos(turn[m]))
        for k in range(count)
        for m in range(members)
    ]


def grouped(openings: Sequence[OpeningTrack], settings: SystemSettings | None = None) -> Systems:
    return group_systems(tow(openings), settings or SystemSettings())


# -- systems ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 2, 3, 5])
def test_systems_far_from_each_other_are_found_whole(members: int) -> None:
    found = grouped(rosettes(12, members))
    assert len(found.systems) == 12
    assert all(len(one.openings) == members for one in found.systems)
    assert all(one.confidence > 0.9 for one in found.systems)


def test_every_opening_is_in_exactly_one_system() -> None:
    simulated = simulate(1, 20.0)
    tracks = TruthTracker(simulated).track(simulated.frames, line_height=LINE_HEIGHT, settings=TrackSettings())
    found = group_systems(tracks, SystemSettings())
    members = [name for one in found.systems for name in one.openings]
    assert sorted(members) == sorted(one.id for one in tracks.tracks)
    assert all(len(one.openings) <= 6 for one in found.systems)
    assert all(0 <= one.confidence <= 1 for one in found.systems)
    assert [one.id for one in found.systems] == list(range(1, len(found.systems) + 1))


@pytest.mark.parametrize(("in_view", "off"), [(1.5, 0.15), (6.0, 0.2), (28.8, 0.3)])
def test_the_number_of_systems_is_near_the_truth_and_says_how_near(in_view: float, off: float) -> None:
    simulated = simulate(4, 60.0, sea=Sea(openings_in_view=in_view))
    tracks = TruthTracker(simulated).track(simulated.frames, line_height=LINE_HEIGHT, settings=TrackSettings())
    count = count_line(tracks, group_systems(tracks, SystemSettings()))
    assert count.systems == pytest.approx(simulated.n_systems, rel=off)
    assert abs(count.systems - simulated.n_systems) < 3 * count.systems_sd


def test_where_openings_lie_as_dense_as_mates_do_no_grouping_is_sure() -> None:
    simulated = simulate(4, 30.0)
    tracks = TruthTracker(simulated).track(simulated.frames, line_height=LINE_HEIGHT, settings=TrackSettings())
    found = group_systems(tracks, SystemSettings())
    assert np.mean([one.confidence for one in found.systems]) < 0.75
    assert np.mean([join.probability > 0.9 for join in found.joins]) < 0.05


def test_where_openings_lie_anywhere_hardly_any_belong_together() -> None:
    rng = np.random.default_rng(1)
    places = zip(rng.uniform(0, 30_000, 1500), rng.uniform(0, 1200, 1500), strict=True)
    found = grouped([opening(number, along, across) for number, (along, across) in enumerate(places)])
    assert found.spacing.openings_per_system < 1.3


def test_joins_are_the_least_certain_first_and_say_whether_they_were_made() -> None:
    found = grouped(rosettes(12, 3))
    system_of = {name: one.id for one in found.systems for name in one.openings}
    assert all(join.is_joined == (system_of[join.a] == system_of[join.b]) for join in found.joins)
    doubt = [abs(join.probability - 0.5) for join in found.joins]
    assert doubt == sorted(doubt)


def test_sizes_tell_only_where_somebody_says_how_alike_they_are() -> None:
    pairs = [opening(2 * k + m, 2000.0 + 900 * k + 70 * m, side_px=30.0 if (k + m) % 2 else 70.0) for k in range(40) for m in range(2)]
    plain, by_size = grouped(pairs), grouped(pairs, SystemSettings(size_spread=0.1))
    assert len(plain.systems) < len(by_size.systems)


def test_a_known_width_makes_metres_of_the_stated_spread() -> None:
    pair = [opening(1, 2000.0), opening(2, 2150.0)]
    narrow = group_systems(tow(pair), SystemSettings(spread_m=0.02), width_m=1.0)
    wide = group_systems(tow(pair), SystemSettings(spread_m=0.10), width_m=1.0)
    assert len(narrow.systems) == 2
    assert len(wide.systems) == 1
    assert len(group_systems(tow(pair), SystemSettings(spread_m=0.10), width_m=5.0).systems) == 2


def test_what_is_hardly_an_opening_is_in_no_system() -> None:
    found = grouped([opening(1, 2000.0), opening(2, 2060.0, confidence=0.2)])
    assert [one.openings for one in found.systems] == [(1,)]
    assert grouped([]).systems == ()


@pytest.mark.parametrize("wrong", [{"spread_width": 0.0}, {"most_openings": 0}, {"size_spread": -1.0}, {"spread_m": 0.0}])
def test_settings_of_systems_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        replace(SystemSettings(), **wrong)  # type: ignore[arg-type]


# -- the line rule ------------------------------------------------------------------------------------------------------------


def counted(openings: Sequence[OpeningTrack], *, seconds: float = 150.0, **how: Any) -> ModelCount:
    tracks = tow(openings, seconds)
    return count_line(tracks, group_systems(tracks, SystemSettings()), **how)


def test_a_minute_is_the_one_in_which_it_crossed() -> None:
    found = counted([opening(1, 59.99 * SPEED_PX_S), opening(2, 60.0 * SPEED_PX_S, 100.0), opening(3, 130.0 * SPEED_PX_S)])
    assert [(one.minute, one.openings) for one in found.minutes] == [(1, 1), (2, 1), (3, 1)]
    assert found.openings == 3


def test_a_system_counts_once_when_its_first_opening_crosses() -> None:
    found = counted([opening(101, 59.9 * SPEED_PX_S), opening(102, 60.1 * SPEED_PX_S), *rosettes(8, 2)])
    assert [(one.openings, one.systems) for one in found.minutes] == [(15, 8), (3, 1), (0, 0)]
    assert sum(one.systems for one in found.minutes) == found.systems == 9


def test_openings_that_do_not_cross_count_for_no_system() -> None:
    inside, outside = opening(1, 3000.0), replace(opening(2, 3060.0), crossing_s=None)
    tracks = tow([inside, outside])
    systems = group_systems(tracks, SystemSettings())
    assert count_line(tracks, systems).openings == 1
    assert len(system_crossings(tracks, systems)) == 1
    only = tow([replace(one, crossing_s=None) for one in (inside, outside)])
    assert count_line(only, group_systems(only, SystemSettings())).systems == 0


def test_the_window_sums_its_minutes_and_tells_those_that_are_not_there() -> None:
    openings = [opening(k, (5 + 10 * k) * SPEED_PX_S) for k in range(14)]
    found = counted(openings, window=(2, 4))
    assert found.window_systems == sum(one.systems for one in found.minutes if one.minute >= 2)
    assert found.absent_minutes == (4,)
    assert found.systems == 14


def test_a_minute_with_half_a_minute_lost_counts_for_nobody_or_is_scaled() -> None:
    openings = [opening(k, (5 + 10 * k) * SPEED_PX_S) for k in range(12)]
    dropped = counted(openings, lost_s={1: 30.0, 2: 29.0}, window=(1, 2))
    assert dropped.unusable_minutes == (1,)
    assert dropped.window_systems == 6
    scaled = counted(openings, lost_s={1: 30.0}, window=(1, 2), minute_rule="scale")
    assert scaled.window_systems == pytest.approx(6 * 2 + 6)
    assert scaled.minutes[0].systems == 6
    gone = counted(openings, lost_s={1: 60.0, 2: 60.0}, window=(1, 2), minute_rule="scale")
    assert gone.window_systems is None


def test_uncertainty_is_that_of_a_sum_of_yes_and_no() -> None:
    openings = [opening(k, 2000.0 + 900 * k, confidence=0.8) for k in range(30)]
    found = counted(openings)
    assert found.openings == 30
    assert found.openings_expected == pytest.approx(24)
    assert found.openings_sd == pytest.approx(math.sqrt(30 * 0.8 * 0.2))
    assert counted([opening(k, 2000.0 + 900 * k) for k in range(30)]).openings_sd == 0


def test_a_crossing_near_the_full_minute_may_be_in_either() -> None:
    found = counted([opening(1, 60.0 * SPEED_PX_S, sd_s=0.5)])
    assert [one.openings_sd for one in found.minutes[:2]] == pytest.approx([0.5, 0.5])
    assert found.openings_sd == 0


@pytest.mark.parametrize(
    ("how", "word"),
    [({"minute_rule": "guess"}, "no rule"), ({"window": (3, 2)}, "no window"), ({"lost_s": {1: 61.0}}, "between 0 and 60")],
)
def test_rules_that_cannot_be_are_refused(how: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        counted([opening(1, 300.0)], **how)


def test_a_tow_without_openings_counts_zero_in_every_minute() -> None:
    found = counted([])
    assert (found.openings, found.systems, found.openings_sd) == (0, 0, 0.0)
    assert [one.value for one in found.minutes] == [0.0, 0.0, 0.0]


# -- beside people ------------------------------------------------------------------------------------------------------------


def station(name: str, model: Sequence[float], *people: Sequence[float]) -> StationCounts:
    return StationCounts(
        station=name,
        model=dict(enumerate(model, start=2)),
        people={f"counter {k}": dict(enumerate(values, start=2)) for k, values in enumerate(people)},
    )


def test_closeness_is_that_of_the_formulas() -> None:
    found = closeness([3.0, 5.0, 10.0], [2.0, 6.0, 6.0])
    assert found is not None
    assert found.bias == pytest.approx(4 / 3)
    assert found.bias_share == pytest.approx(4 / 14)
    assert found.mae == pytest.approx(2)
    assert found.rmse == pytest.approx(math.sqrt(6))
    assert found.ccc == pytest.approx(lin_ccc((3.0, 5.0, 10.0), (2.0, 6.0, 6.0)))


@settings(deadline=None)
@given(st.lists(st.integers(0, 400).map(lambda quarters: quarters / 4), min_size=1, max_size=9))  # means of up to four counters
def test_a_series_is_as_near_to_itself_as_can_be(values: list[float]) -> None:
    found = closeness(values, values)
    assert found is not None
    assert (found.bias, found.mae, found.rmse) == (0, 0, 0)
    assert found.ccc is None or found.ccc == pytest.approx(1)


def test_only_minutes_that_all_have_are_compared() -> None:
    found = compare_counts([StationCounts(station="A", model={1: 5.0, 2: 5.0, 3: 9.0}, people={"a": {2: 4.0, 3: 9.0, 4: 1.0}})])
    assert found.stations[0].minutes == (2, 3)
    assert found.stations[0].model_total == 14
    assert found.stations[0].people_total == 13
    assert found.stations[0].people_apart is None
    assert found.verdict is Verdict.TOO_FEW


def test_a_station_that_shares_nothing_is_left_out_and_one_twice_is_refused() -> None:
    nothing = StationCounts(station="A", model={1: 5.0}, people={"a": {2: 4.0}})
    assert compare_counts([nothing, StationCounts(station="B", model={1: 1.0}, people={})]).stations == ()
    with pytest.raises(ValueError, match="twice"):
        compare_counts([nothing, nothing])


def survey(model_sd: float, count: int, bias: float = 0.0) -> list[StationCounts]:
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        true = rng.uniform(3, 15, 7)
        series = [np.maximum(true + rng.normal(0, sd, 7) + rng.normal(0, sd), 0) for sd in (1.0, 1.0)]
        model = np.maximum(true + bias + rng.normal(0, model_sd, 7) + rng.normal(0, model_sd), 0)
        found.append(station(f"S{number}", model.tolist(), *(one.tolist() for one in series)))
    return found


def test_a_model_is_judged_by_how_people_agree() -> None:
    assert compare_counts(survey(0.2, 40)).verdict is Verdict.AS_PEOPLE
    assert compare_counts(survey(3.0, 40)).verdict is Verdict.WORSE
    assert compare_counts(survey(1.0, 40, bias=4.0)).verdict is Verdict.WORSE
    assert compare_counts(survey(0.2, 19)).verdict is Verdict.TOO_FEW


def test_a_survey_s_figures_are_those_of_its_totals() -> None:
    found = compare_counts(survey(0.5, 25, bias=1.0))
    assert found.totals is not None
    assert found.totals.n == found.judged == 25
    assert found.totals.bias == pytest.approx(7, abs=1.5)
    assert found.people_totals is not None
    assert found.excess is not None
    assert found.excess_se is not None


def test_where_next_to_nothing_lies_there_is_no_coefficient_by_minute() -> None:
    found = compare_counts([station("A", [1, 2, 0], [1, 1, 2], [2, 0, 1])])
    assert found.stations[0].by_minute is not None
    assert found.stations[0].by_minute.ccc is None
