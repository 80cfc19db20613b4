"""Counts side by side: pairs of clicks, minutes, who agrees, what is missing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.store.reads.counts import CountedMinute, CountMark, CountRow
from edge.store.reads.surveys import ProtocolRow
from edge.survey.agreement import AgreementState
from edge.survey.counting.compare import PAIR_S, PAIR_X, differences, matched_pairs, minute_rows
from edge.survey.counting.judge import CountsState, counts_agreement, minutes_agreement, needs_third, pairwise_agreement, tow_counts
from edge.survey.counting.reference import CountedTow, standing


def mark(at_s: float, x: float | None = 0.5, feature: str = "system") -> CountMark:
    return CountMark(
        image_id=1, at_s=at_s, minute=int(at_s // 60) + 1, feature=feature, x_fraction=x, y_fraction=0.8, marked_utc="2026-11-21T12:00:00Z"
    )


def protocol(**changes: Any) -> ProtocolRow:
    values: dict[str, Any] = {
        "id": 1,
        "uuid": "u",
        "survey_id": 1,
        "version": 1,
        "first_minute": 1,
        "last_minute": 7,
        "minute_rule": "drop_minute",
        "line_height": 0.83,
        "edge_rule": "any_opening_inside",
        "counters": 2,
        "min_mean_per_minute": 1.5,
        "ccc_limit": 0.5,
        "correction_factor": None,
        "correction_source": "",
        "reason": "r",
        "made_by": "x",
        "made_utc": "x",
        "locked_utc": None,
    }
    return ProtocolRow(**{**values, **changes})


def minute(number: int, systems: float, lost_s: float = 0.0, note: str = "") -> CountedMinute:
    return CountedMinute(number, systems, lost_s, None, None, note)


def count(counter: str, *systems: float, state: str = "signed", revealed: bool = True, **lost: float) -> CountRow:
    minutes = {place + 1: minute(place + 1, value, lost.get(f"m{place + 1}", 0.0)) for place, value in enumerate(systems)}
    return CountRow(
        id=1,
        uuid="u",
        tow_id=1,
        protocol_id=1,
        counter=counter,
        person_id=None,
        ordinal=1,
        state=state,
        origin="counted",
        opened_utc="x",
        signed_utc=None,
        revealed_utc="x" if revealed else None,
        set_aside_reason="",
        minutes=minutes,
    )


marks = st.lists(st.builds(mark, st.floats(0, 60), st.none() | st.floats(0, 1)), max_size=12)


@given(marks, marks)
def test_pairs_are_near_and_nobody_is_in_two(a: list[CountMark], b: list[CountMark]) -> None:
    pairs = matched_pairs(a, b)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    for i, j in pairs:
        assert abs(a[i].at_s - b[j].at_s) <= PAIR_S + 1e-6
        x, other = a[i].x_fraction, b[j].x_fraction
        assert x is None or other is None or abs(x - other) <= PAIR_X
    assert len(matched_pairs(b, a)) == len(pairs)
    free_a = [one for place, one in enumerate(a) if place not in {i for i, _ in pairs}]
    free_b = [one for place, one in enumerate(b) if place not in {j for _, j in pairs}]
    assert matched_pairs(free_a, free_b) == ()


def test_36_stills_and_625_pixels() -> None:
    assert math.isclose(PAIR_S, 2.88)
    assert matched_pairs([mark(10)], [mark(12.88)]) == ((0, 0),)
    assert matched_pairs([mark(10)], [mark(12.9)]) == ()
    assert matched_pairs([mark(10, 0.0)], [mark(10, 625 / 1229)]) == ((0, 0),)
    assert matched_pairs([mark(10, 0.0)], [mark(10, 626 / 1229)]) == ()


def test_the_nearest_pair_is_taken_first() -> None:
    assert matched_pairs([mark(10), mark(12)], [mark(12.1)]) == ((1, 0),)


def test_what_only_one_marked_is_told_in_the_window_only() -> None:
    a = ("A", [mark(10), mark(70), mark(400), mark(80, feature="nephrops_in")])
    b = ("B", [mark(10.5), mark(200)])
    found = differences(a, b, range(1, 5))
    assert [(one.at_s, one.counter, one.missed_by) for one in found] == [(70, "A", "B"), (200, "B", "A")]


def test_minutes_side_by_side() -> None:
    rows = minute_rows([count("A", 3, 5), count("B", 4)])
    assert [(row.values, row.spread) for row in rows] == [((3, 4), 1), ((5, None), 0)]


def test_a_pause_by_either_takes_the_minute_out() -> None:
    a, b = count("A", 5, 9, 2, m1=30.0), count("B", 0, 8, 2)
    found = counts_agreement([a, b], protocol())
    assert (found.minutes, found.unusable_minutes) == ((2, 3), (1,))
    scaled = counts_agreement([a, b], protocol(minute_rule="scale"))
    assert scaled.minutes == (1, 2, 3)
    assert scaled.totals == (10 + 9 + 2, 10)


@pytest.mark.parametrize(
    ("a", "b", "third"),
    [((5, 9, 2), (5, 8, 2), False), ((9, 2, 5), (2, 9, 5), True), ((0, 0, 1), (9, 0, 0), False), ((0, 0, 0), (9, 8, 9), False)],
)
def test_only_a_low_coefficient_asks_for_a_third(a: tuple[float, ...], b: tuple[float, ...], third: bool) -> None:
    found = {"A": count("A", *a).minutes, "B": count("B", *b).minutes}
    rules = protocol(min_mean_per_minute=1.7)
    assert needs_third(found, rules) is third
    assert (minutes_agreement(found, rules).state is AgreementState.THIRD_COUNT) is third
    assert not needs_third({**found, "C": found["A"]}, rules)


def test_three_are_compared_two_by_two() -> None:
    found = pairwise_agreement([count("A", 5, 9), count("B", 9, 5), count("C", 5, 9)], protocol())
    assert [pair.counters for pair in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert found[1].state is AgreementState.AGREED


@pytest.mark.parametrize(
    ("states", "needed", "expected"),
    [
        ([], 2, CountsState.NOT_BEGUN),
        (["set_aside"], 2, CountsState.NOT_BEGUN),
        (["open"], 2, CountsState.COUNTER_MISSING),
        (["signed"], 2, CountsState.COUNTER_MISSING),
        (["open", "signed"], 2, CountsState.COUNTING),
        (["signed", "signed"], 2, CountsState.THIRD_COUNT),
        (["signed", "signed", "open"], 2, CountsState.THIRD_COUNT),
        (["open"], 1, CountsState.COUNTING),
    ],
)
def test_what_is_missing(states: list[str], needed: int, expected: CountsState) -> None:
    found = tow_counts([count("A", state=state, revealed=False) for state in states], protocol(counters=needed), is_reference=False)
    assert found.state is expected
    assert found.words


def test_against_a_reference_lost_minutes_and_unknown_ones_are_left_out() -> None:
    mine = [
        CountedTow(tow_id=1, station="1", minutes={1: minute(1, 5), 2: minute(2, 9, 40), 3: minute(3, 2)}),
        CountedTow(tow_id=2, station="2", minutes={1: minute(1, 4)}),
    ]
    found = standing(mine, {1: {1: 4, 2: 3, 3: 2}, 2: {}})
    first, second = found.stations
    assert (first.minutes, first.counted, first.reference) == (2, 7, 6)
    assert first.bias == pytest.approx(1 / 6)
    assert (second.minutes, second.ccc, second.bias) == (0, None, None)
    assert found.ccc == first.ccc == pytest.approx(6 / (2.25 + 1 + 0.25) / 1 * 0.5)
    assert (found.done, found.needed) == (1, 1)
    assert found.passes(0.5)
    assert not standing(mine, {1: {1: 4, 2: 3, 3: 2}, 3: {1: 4}}).passes(0.5)  # one tow of two that have a reference
    assert standing(mine, {1: {1: 4, 2: 3, 3: 2}, 3: {1: 4}}, needed=1).passes(0.5)
    assert not standing(mine, {1: {1: 4, 2: 3, 3: 2}}, needed=2).passes(0.5)
    assert not standing([], {}).passes(0.0)


def test_two_tows_of_a_station_of_the_set_are_two() -> None:
    minutes = {1: minute(1, 5), 2: minute(2, 2)}
    mine = [CountedTow(tow_id=1, station="1", minutes=minutes), CountedTow(tow_id=2, station="1, tow 2", minutes=minutes)]
    found = standing(mine, {1: {1: 5, 2: 2}, 2: {1: 9, 2: 0}})
    assert [(one.tow_id, one.reference) for one in found.stations] == [(1, 7), (2, 9)]
    assert (found.done, found.needed) == (2, 2)
