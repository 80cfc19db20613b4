"""What two minutes counted blind say: the draw, which mark is which opening, recall and its interval, held against their definitions."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.survey.miss_check import (
    WITHIN_S,
    WITHIN_WIDTH,
    CountedOpening,
    Mark,
    countable_minutes,
    crossing_of,
    draw,
    match,
    misses,
    wilson,
)

points = st.lists(st.tuples(st.floats(60.0, 66.0), st.floats(0.0, 1.0)), max_size=6)


def openings_at(*places: tuple[float, float]) -> list[CountedOpening]:
    return [CountedOpening(id=place, crossing_s=at_s, x=x) for place, (at_s, x) in enumerate(places)]


# The draw ---------------------------------------------------------------------------------------------------------


@given(st.text(alphabet="0123456789abcdef", min_size=16, max_size=16), st.sets(st.integers(1, 600), max_size=40))
def test_a_draw_is_of_the_pool_and_always_the_same(seed: str, pool: set[int]) -> None:
    drawn = draw(seed, pool)
    assert len(drawn) == min(2, len(pool))
    assert set(drawn) <= pool
    assert list(drawn) == sorted(set(drawn))
    assert drawn == draw(seed, sorted(pool, reverse=True))


def test_every_minute_is_as_likely_as_the_others() -> None:
    counts = dict.fromkeys(range(2, 9), 0)
    for seed in range(7000):
        for minute in draw(f"{seed:016x}", counts):
            counts[minute] += 1
    assert all(abs(count - 2000) < 4 * math.sqrt(2000 * 5 / 7) for count in counts.values()), counts


def test_a_minute_counts_from_twenty_seconds_within_the_window() -> None:
    seconds = [*range(19), *range(60, 80), *range(120, 180), *range(180, 240)]
    assert countable_minutes(seconds, 1, 9) == (2, 3, 4)
    assert countable_minutes(seconds, 3, 3) == (3,)
    assert countable_minutes([], 1, 9) == ()


# When a marked opening crosses ------------------------------------------------------------------------------------


def crossed(y: float, speed: float | None) -> float:
    return crossing_of(Mark(at_s=70.0, x=0.5, y=y), line_height=0.8, height_px=700, speeds={70: speed})


def test_a_mark_above_the_line_crosses_later_as_fast_as_the_seabed_moves() -> None:
    assert crossed(0.8, 560.0) == 70.0
    assert crossed(0.4, 560.0) == pytest.approx(70.5)
    assert crossed(1.0, 560.0) == pytest.approx(69.75)


def test_a_speed_that_says_nothing_moves_no_mark() -> None:
    assert crossed(0.4, None) == 70.0
    assert crossed(0.4, -300.0) == 70.0
    assert crossed(0.0, 60.0) == 70.0, "more than a second is no click on the way to the line"
    assert crossing_of(Mark(at_s=99.0, x=0.5, y=0.1), line_height=0.8, height_px=700, speeds={}) == 99.0


# Which mark is which opening --------------------------------------------------------------------------------------


@given(points, points)
def test_the_pairs_are_the_best_there_are(marked: list[tuple[float, float]], places: list[tuple[float, float]]) -> None:
    found = match(marked, openings_at(*places))
    assert len(set(found.values())) == len(found)
    cost = np.zeros((len(marked), len(places)))
    for i, (at_s, x) in enumerate(marked):
        for j, (crossing_s, across) in enumerate(places):
            cost[i, j] = min(0.0, ((at_s - crossing_s) / WITHIN_S) ** 2 + ((x - across) / WITHIN_WIDTH) ** 2 - 1)

    @cache
    def least(i: int, free: frozenset[int]) -> float:
        """The least cost of all ways to pair the marks from the i-th on with what is free."""
        if i == len(marked):
            return 0.0
        return min([least(i + 1, free), *(float(cost[i, j]) + least(i + 1, free - {j}) for j in free if cost[i, j] < 0)])

    assert sum(cost[i, j] for i, j in found.items()) == pytest.approx(least(0, frozenset(range(len(places)))), abs=1e-9)
    assert all(cost[i, j] < 0 for i, j in found.items())


def test_the_gate_is_an_ellipse_in_time_and_across() -> None:
    assert match([(60.0, 0.5)], openings_at((60.69, 0.5))) == {0: 0}
    assert match([(60.0, 0.5)], openings_at((60.71, 0.5))) == {}
    assert match([(60.0, 0.5)], openings_at((60.0, 0.579))) == {0: 0}
    assert match([(60.0, 0.5)], openings_at((60.0, 0.581))) == {}
    assert match([(60.0, 0.5)], openings_at((60.55, 0.56))) == {}


def test_two_marks_at_one_opening_are_one_found_and_one_missed() -> None:
    found = misses([(70.0, 0.5), (70.1, 0.51)], openings_at((70.0, 0.5)), (2,), lost=(), counted=10)
    assert (found.minutes[0].both, found.minutes[0].missed, found.minutes[0].model_only) == (1, 1, 0)


# What the minutes come to -----------------------------------------------------------------------------------------


def test_found_by_both_by_one_and_the_estimate() -> None:
    marked = [(61.0, 0.1), (65.0, 0.2), (70.0, 0.9), (130.0, 0.5)]
    found = misses(marked, openings_at((61.1, 0.1), (65.0, 0.22), (80.0, 0.5), (130.0, 0.5)), (2, 3), lost=(), counted=30)
    assert [(one.minute, one.both, one.missed, one.model_only) for one in found.minutes] == [(2, 2, 1, 1), (3, 1, 0, 0)]
    assert found.missed_at == ((70.0, 0.9),)
    assert (found.marks, found.recall, found.is_few) == (4, 0.75, True)
    assert found.missed_in_tow == pytest.approx(10.0)
    low, high = wilson(3, 4)
    assert (found.recall_low, found.recall_high) == (low, high)
    assert found.missed_low == pytest.approx(30 * (1 / high - 1))
    assert found.missed_high == pytest.approx(30 * (1 / low - 1))


def test_an_opening_at_the_end_of_a_minute_is_held_against_nobody() -> None:
    early = misses([(120.05, 0.5)], openings_at((119.95, 0.5)), (2,), lost=(), counted=1)
    assert (early.minutes[0].both, early.minutes[0].missed, early.minutes[0].model_only) == (1, 0, 0)
    late = misses([(119.95, 0.5)], openings_at((120.05, 0.5)), (2,), lost=(), counted=1)
    assert (late.minutes[0].both, late.minutes[0].missed, late.minutes[0].model_only) == (0, 0, 0)
    assert late.recall is None


def test_what_crosses_while_nothing_could_be_seen_is_not_compared() -> None:
    found = misses([(70.0, 0.9)], openings_at((71.0, 0.5), (80.0, 0.5)), (2,), lost=[(69.0, 72.0)], counted=5)
    assert (found.minutes[0].both, found.minutes[0].missed, found.minutes[0].model_only) == (0, 0, 1)
    assert found.minutes[0].lost_s == 3.0


def test_nothing_marked_tells_nothing_and_a_model_that_found_none_has_no_upper_end() -> None:
    empty = misses([], openings_at((70.0, 0.5)), (2,), lost=(), counted=5)
    assert (empty.recall, empty.missed_in_tow, empty.is_few) == (None, None, True)
    blind = misses([(70.0, 0.5)], [], (2,), lost=(), counted=5)
    assert (blind.recall, blind.recall_low, blind.missed_in_tow, blind.missed_high) == (0.0, 0.0, None, None)
    assert blind.missed_low is not None
    assert blind.missed_low > 0


# The interval -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_is_wilsons(shares: tuple[int, int]) -> None:
    hits, of = shares
    low, high = wilson(hits, of)
    assert 0 <= low <= hits / of <= high <= 1
    for end in (low, high):  # a share that is as far off as 1.96 of its own standard errors
        assert abs(hits / of - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / of), abs=1e-9)


@pytest.mark.parametrize(("hits", "of"), [(0, 0), (2, 1), (-1, 5)])
def test_a_share_of_nothing_is_refused(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        wilson(hits, of)
