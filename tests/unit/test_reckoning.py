"""What a result says of itself: a stated distance that cannot be, gaps in a track, lasers off the row, counters without a coefficient."""

from __future__ import annotations

import json

import pytest

from edge.store.reads.counts import CountedMinute, CountRow
from edge.store.reads.surveys import ProtocolRow
from edge.store.reads.tracks import DistanceRow, WidthRow
from edge.survey.density import MinuteCount, MinuteRule, StationCount, station_count
from edge.survey.navigation.distance import MinuteProfile
from edge.survey.reckoning import reckon_count, reckon_distance, width_flags

UTC = "2026-06-03T12:00:00.000Z"


def protocol() -> ProtocolRow:
    rules = (1, 2, "drop_minute", 0.83, "any_opening_inside", 2, 1.5, 0.5, 1.3, "benchmark")
    return ProtocolRow(1, "p", 1, 1, *rules, "reason", "mary", UTC, UTC)


def count_row(number: int, systems: tuple[float, ...]) -> CountRow:
    minutes = {minute: CountedMinute(minute, value, 0.0, None, None, "") for minute, value in enumerate(systems, start=1)}
    return CountRow(number, f"c{number}", 1, 1, "AB"[number - 1], number, number, "signed", "counted", UTC, UTC, UTC, "", minutes)


def counted(lost_s: float = 0.0) -> StationCount:
    found = [MinuteCount(counter="A", minute=minute, systems=5.0, lost_s=lost) for minute, lost in ((1, 0.0), (2, lost_s))]
    return station_count(found, MinuteRule.DROP_MINUTE)


def distance(distance_m: float, *, covers: str = "counted", track_id: int | None = None) -> DistanceRow:
    return DistanceRow(
        id=1,
        tow_id=1,
        source="usbl" if track_id else "odometer",
        distance_m=distance_m,
        covers=covers,
        track_id=track_id,
        note="",
        entered_by="mary",
        entered_utc=UTC,
        withdrawn_utc=None,
    )


def flags_of(choice: DistanceRow, count: StationCount, *profiles: MinuteProfile) -> str:
    return "; ".join(reckon_distance(choice, profiles, count, MinuteRule.DROP_MINUTE, 600.0).flags)


def test_a_stated_distance_that_fits_its_minutes_has_no_flag() -> None:
    assert flags_of(distance(48.0), counted()) == ""


def test_a_slip_of_ten_in_a_stated_distance_is_told() -> None:
    assert "means a speed of 4.00 m/s" in flags_of(distance(480.0), counted())


def test_a_stated_distance_is_not_shortened_for_minutes_that_dropped_out_and_says_so() -> None:
    assert "minute 2 does not count" in flags_of(distance(48.0), counted(lost_s=40.0))


def profile(minute: int, bridged_s: int) -> MinuteProfile:
    return MinuteProfile(minute=minute, distance_m=24.0, speed_m_per_s=0.4, depth_m=None, bridged_s=bridged_s)


def test_gaps_of_a_track_in_counted_minutes_are_told() -> None:
    along = distance(48.0, covers="tow", track_id=7)
    assert flags_of(along, counted(), profile(1, 0), profile(2, 0), profile(3, 50)) == ""
    assert "50 s of the counted minutes (2) are a straight line" in flags_of(along, counted(), profile(1, 0), profile(2, 50))


@pytest.mark.parametrize(("detail", "told"), [({}, False), ({"laser_row": 0.8}, False), ({"laser_row": 0.29}, True)])
def test_a_width_from_lasers_off_the_counting_row_is_told(detail: dict[str, float], told: bool) -> None:
    width = WidthRow(
        id=1,
        tow_id=1,
        method="lasers",
        width_m=1.0,
        uncertainty_m=None,
        row_height=0.83,
        source="lasers",
        detail_json=json.dumps(detail),
        entered_by="mary",
        entered_utc=UTC,
        withdrawn_utc=None,
    )
    assert bool(width_flags(width, protocol())) is told


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ((6.0, 9.0), (5.0, 9.0), ""),
        ((4.0, 4.0), (0.0, 0.0), "one counter found nothing, the other something (8 and 0)"),
        ((2.0, 2.0), (9.0, 9.0), "cannot be computed, and their totals differ (4 and 18)"),
        ((5.0, 5.0), (5.0, 5.0), ""),
    ],
)
def test_counters_without_a_coefficient_are_flagged_where_they_differ(
    first: tuple[float, ...], second: tuple[float, ...], told: str
) -> None:
    found = reckon_count([count_row(1, first), count_row(2, second)], protocol())
    assert found.count is not None
    assert told in "; ".join(found.flags)
    assert bool(told) is bool(found.flags)


def test_where_one_counter_suffices_a_further_count_takes_nothing_away() -> None:
    found = reckon_count([count_row(1, (2.0, 9.0)), count_row(2, (9.0, 2.0))], protocol()._replace(counters=1))
    assert found.count is not None
    assert (found.count.systems, found.needs_third) == (11.0, False)
    assert "the count of B is not used" in "; ".join(found.flags)
