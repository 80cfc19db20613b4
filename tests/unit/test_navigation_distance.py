"""Cleaning, smoothing and distance on rendered tracks: their true length is known to the millimetre."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.survey.navigation.cleaning import BRIDGE_S, Flag, SmoothTrack, flag_fixes, smooth_track
from edge.survey.navigation.distance import (
    leg_m,
    line_distance_m,
    minute_profiles,
    raw_distance_m,
    scaled_by_time_m,
    speed_times_time_m,
)
from edge.survey.navigation.fixes import Fix
from tests.simulators import navigation as sim

PATHS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "straight": (lambda _: 0.41, lambda _: 35.0),
    "slow": (lambda _: 0.25, lambda _: 190.0),
    "surging": (lambda s: 0.41 + 0.3 * math.sin(s / 1.3), lambda _: 271.0),
    "arc": (lambda _: 0.41, lambda s: 90 + math.degrees(0.41 * s / 150)),
    "bends": (lambda _: 0.5, lambda s: 20 + 25 * math.sin(s / 90)),
}


def fixes_of(places: list[sim.Place]) -> list[Fix]:
    return [Fix(at=one.at, latitude_deg=one.latitude_deg, longitude_deg=one.longitude_deg, depth_m=one.depth_m) for one in places]


def used(fixes: list[Fix]) -> list[Fix]:
    return [fix for fix, flag in zip(fixes, flag_fixes(fixes), strict=True) if flag is Flag.USED]


def distance(fixes: list[Fix], places: list[sim.Place]) -> float:
    found = line_distance_m(smooth_track(used(fixes), places[0].at, places[-1].at))
    assert found is not None
    return found


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("seed", range(4))
def test_one_metre_of_noise_changes_a_distance_by_less_than_one_percent(name: str, seed: int) -> None:
    places, length_m = sim.walk(600, speed_m_per_s=PATHS[name][0], heading_deg=PATHS[name][1])
    fixes = fixes_of(sim.scattered(places, 1.0, seed))
    assert distance(fixes, places) == pytest.approx(length_m, rel=0.01)
    assert raw_distance_m(fixes) > 3 * length_m  # what summing the fixes as they are would make of it


def test_without_noise_the_distance_is_exact() -> None:
    places, length_m = sim.walk(600)
    assert distance(fixes_of(places), places) == pytest.approx(length_m, rel=1e-4)
    assert raw_distance_m(fixes_of(places)) == pytest.approx(length_m, rel=1e-9)


@given(
    latitude=st.floats(-75, 75),
    longitude=st.floats(-180, 180),
    heading=st.floats(0, 360),
    speed=st.floats(0.2, 1.5),
)
@settings(max_examples=25, deadline=None)
def test_a_distance_is_the_same_anywhere_on_earth(latitude: float, longitude: float, heading: float, speed: float) -> None:
    places, length_m = sim.walk(130, speed_m_per_s=lambda _: speed, heading_deg=lambda _: heading, origin=(latitude, longitude))
    assert distance(fixes_of(places), places) == pytest.approx(length_m, rel=1e-4)


def test_every_minute_has_its_own_distance_speed_and_depth() -> None:
    places, _ = sim.walk(600, speed_m_per_s=lambda s: 0.2 + 0.05 * (s // 60))
    profiles = minute_profiles(smooth_track(fixes_of(places), places[0].at, places[-1].at), fixes_of(places))
    assert [one.minute for one in profiles] == list(range(1, 11))
    for one in profiles[1:-1]:
        true_m = 60 * (0.2 + 0.05 * (one.minute - 1))
        assert one.distance_m == pytest.approx(true_m, rel=0.01)
        assert one.speed_m_per_s == pytest.approx(true_m / 60, rel=0.01)
        assert one.depth_m == pytest.approx(104 + (one.minute - 0.5) * 60 / 200, abs=0.01)


def test_duplicates_time_going_back_and_jumps_are_flagged_and_nothing_is_removed() -> None:
    places, length_m = sim.walk(300)
    fixes = fixes_of(sim.scattered(places, 0.5))
    fixes.insert(50, fixes[49])
    fixes.insert(100, Fix(at=fixes[90].at, latitude_deg=fixes[90].latitude_deg, longitude_deg=fixes[90].longitude_deg))
    for place in (150, 151, 152, 200):
        fixes[place] = Fix(at=fixes[place].at, latitude_deg=fixes[place].latitude_deg + 0.001, longitude_deg=fixes[place].longitude_deg)
    fixes[250] = Fix(at=fixes[250].at, latitude_deg=fixes[250].latitude_deg, longitude_deg=-fixes[250].longitude_deg)
    flags = flag_fixes(fixes)
    assert len(flags) == len(fixes)
    assert {place: flag for place, flag in enumerate(flags) if flag} == {
        50: Flag.DUPLICATE,
        100: Flag.TIME_BACK,
        **dict.fromkeys((150, 151, 152, 200, 250), Flag.JUMP),
    }
    assert distance(fixes, places) == pytest.approx(length_m, rel=0.01)


@given(
    leaps=st.dictionaries(st.integers(40, 80), st.integers(30, 86_400) | st.integers(-86_400, -30), min_size=1, max_size=8),
)
@settings(max_examples=50, deadline=None)
def test_a_clock_that_leaps_is_out_itself_and_nothing_else(leaps: dict[int, int]) -> None:
    places, _ = sim.walk(120)
    fixes = fixes_of(places)
    for place, leap_s in leaps.items():
        fixes[place] = replace(fixes[place], at=fixes[place].at + timedelta(seconds=leap_s))
    flags = flag_fixes(fixes)
    assert {place for place, flag in enumerate(flags) if flag} == set(leaps)
    assert {flags[place] for place in leaps} <= {Flag.TIME_BACK, Flag.TIME_LEAP}


def test_one_leap_forward_costs_one_fix() -> None:
    places, length_m = sim.walk(600)
    fixes = fixes_of(sim.scattered(places, 0.5))
    fixes[100] = replace(fixes[100], at=fixes[100].at + timedelta(hours=1))
    assert {place: flag for place, flag in enumerate(flag_fixes(fixes)) if flag} == {100: Flag.TIME_LEAP}
    assert distance(fixes, places) == pytest.approx(length_m, rel=0.01)


@given(st.lists(st.integers(0, 12), max_size=9))
def test_as_many_fixes_are_used_as_stand_in_the_order_of_time(seconds: list[int]) -> None:
    places, _ = sim.walk(20)
    fixes = [replace(fixes_of(places)[place], at=places[0].at + timedelta(seconds=second)) for place, second in enumerate(seconds)]
    kept = [second for second, flag in zip(seconds, flag_fixes(fixes), strict=True) if flag in {Flag.USED, Flag.JUMP}]
    assert kept == sorted(kept)
    parts = [part for size in range(len(seconds) + 1) for part in combinations(seconds, size) if list(part) == sorted(part)]
    assert len(kept) == max(map(len, parts))


def test_fixes_that_are_off_by_less_than_a_jump_do_not_bend_the_line() -> None:
    places, length_m = sim.walk(600)
    fixes = fixes_of(sim.scattered(places, 0.5))
    for place in range(5, 600, 11):
        off_deg = 7.0 / 111_000 * (1 if place % 4 < 2 else -1)
        fixes[place] = Fix(at=fixes[place].at, latitude_deg=fixes[place].latitude_deg + off_deg, longitude_deg=fixes[place].longitude_deg)
    assert set(flag_fixes(fixes)) == {Flag.USED}
    line = smooth_track(fixes, places[0].at, places[-1].at)
    off_m = [leg_m(*there, one.latitude_deg, one.longitude_deg) for there, one in zip(_places(line), places, strict=True)]
    assert max(off_m[10:-10]) < 0.6
    assert line_distance_m(line) == pytest.approx(length_m, rel=0.005)


def _places(line: SmoothTrack) -> list[tuple[float, float]]:
    return list(zip(line.latitude_deg.tolist(), line.longitude_deg.tolist(), strict=True))


def test_a_ship_at_full_speed_has_no_jumps() -> None:
    places, _ = sim.walk(300, speed_m_per_s=lambda _: 5.5, heading_deg=lambda s: 10 + s / 3)
    assert set(flag_fixes(fixes_of(sim.scattered(places, 1.0)))) == {Flag.USED}


def test_a_short_gap_is_bridged_and_told_a_long_one_leaves_its_minutes_without_distance() -> None:
    places, length_m = sim.walk(600)
    fixes = fixes_of(sim.scattered(places, 0.5))
    short = [fix for place, fix in enumerate(fixes) if not 200 < place < 240]
    line = smooth_track(short, places[0].at, places[-1].at)
    assert [(gap.from_s, gap.to_s, gap.is_bridged) for gap in line.gaps] == [(200, 240, True)]
    assert int(line.is_bridged.sum()) == 39
    assert line_distance_m(line) == pytest.approx(length_m, rel=0.01)
    long = [fix for place, fix in enumerate(fixes) if not 200 < place < 201 + BRIDGE_S]
    line = smooth_track(long, places[0].at, places[-1].at)
    assert not line.gaps[0].is_bridged
    assert line_distance_m(line) is None
    assert [one.minute for one in minute_profiles(line) if one.distance_m is None] == [4, 5]


def test_a_slow_transponder_and_a_fast_logger_give_the_same_distance() -> None:
    places, length_m = sim.walk(600)
    assert distance(fixes_of(places)[::7], places[:596]) == pytest.approx(length_m * 595 / 600, rel=0.01)
    fast = [
        Fix(at=one.at + timedelta(milliseconds=100 * part), latitude_deg=one.latitude_deg, longitude_deg=one.longitude_deg)
        for one in sim.scattered(places, 1.0)
        for part in range(5)
    ]
    assert distance(fast, places) == pytest.approx(length_m, rel=0.01)


def test_what_was_not_measured_is_not_invented() -> None:
    places, _ = sim.walk(600)
    line = smooth_track(fixes_of(places)[120:481], places[0].at, places[-1].at)
    assert [one.minute for one in minute_profiles(line) if one.distance_m is not None] == [3, 4, 5, 6, 7, 8]
    assert all(one.distance_m is None for one in minute_profiles(smooth_track([], places[0].at, places[-1].at)))
    single = smooth_track(fixes_of(places)[5:6], places[0].at, places[-1].at)
    assert np.isfinite(single.latitude_deg).sum() == 1
    with pytest.raises(ValueError, match="ends after"):
        smooth_track([], places[0].at, places[0].at)


@given(st.floats(-85, 85), st.floats(-180, 180), st.floats(0, 360), st.floats(0.01, 99.0))
def test_short_legs_are_geodesics_too(latitude: float, longitude: float, heading: float, length_m: float) -> None:
    there = sim.EARTH.Direct(latitude, longitude, heading, length_m)
    fixes = [Fix(at=sim.START, latitude_deg=lat, longitude_deg=lon) for lat, lon in ((latitude, longitude), (there["lat2"], there["lon2"]))]
    assert raw_distance_m(fixes) == pytest.approx(length_m, rel=1e-6, abs=1e-6)


def test_a_leg_agrees_with_a_table_of_the_ellipsoid() -> None:
    # One degree along the meridian at 52 N is 111267 m and along the parallel at 60 N 55800 m (WGS84, to the metre).
    assert leg_m(51.5, 0, 52.5, 0) == pytest.approx(111_267, abs=15)
    assert leg_m(60, 0, 60, 0.01) == pytest.approx(558.0, abs=0.1)


def test_fallbacks_say_what_they_need() -> None:
    assert scaled_by_time_m(240.0, 600.0, 420.0) == pytest.approx(168.0)
    assert speed_times_time_m(0.8, 600.0) == pytest.approx(0.8 * 0.514444 * 600, rel=1e-5)
    for bad in ((0.0, 600.0, 420.0), (240.0, 0.0, 1.0), (240.0, 400.0, 420.0)):
        with pytest.raises(ValueError, match="cannot be scaled"):
            scaled_by_time_m(*bad)
    with pytest.raises(ValueError, match="no distance"):
        speed_times_time_m(0.0, 600.0)
