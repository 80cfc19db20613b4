"""Openings of an earlier analysis found again in a later one: by where they lay in the frames, whatever the line and the model."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.survey.carried import partners
from edge.survey.review_loop import Float64Array

SPEED_PX_PER_S = 580.0


def seen(at_s: float, x: float, *, rate_hz: float = 6.0, side: float = 46.0, jitter: Float64Array | None = None) -> Float64Array:
    """An opening that comes into view at `at_s` and goes down the picture for 1.2 s."""
    times = np.arange(np.ceil(at_s * rate_hz) / rate_hz, at_s + 1.2, 1 / rate_hz)
    off = np.zeros((len(times), 2)) if jitter is None else jitter[: len(times)]
    cx, cy = x + off[:, 0], (times - at_s) * SPEED_PX_PER_S + off[:, 1]
    half = side / 2
    return np.column_stack([times, cx - half, cy - half, cx + half, cy + half, np.full(len(times), 0.8)])


places = st.lists(
    st.tuples(st.integers(0, 40).map(lambda place: place * 0.25), st.integers(0, 12).map(lambda place: place * 90.0)),
    min_size=1, max_size=30, unique=True,
)  # fmt: skip


@settings(deadline=None)
@given(places, st.randoms(use_true_random=False), st.integers(0, 10_000), st.sampled_from([4.0, 6.0, 12.5]))
def test_another_model_at_another_rate_finds_the_same_ones(
    where: list[tuple[float, float]], order: object, seed: int, rate_hz: float
) -> None:
    chance = np.random.default_rng(seed)
    old = [seen(at_s, x) for at_s, x in where]
    shuffled = chance.permutation(len(where))
    new = [seen(*where[place], rate_hz=rate_hz, side=52.0, jitter=chance.normal(0, 2.0, (20, 2)).clip(-5, 5)) for place in shuffled]
    found = partners(old, new)
    assert {i: int(shuffled[j]) for i, j in found.items()} == {place: place for place in range(len(where))}


def test_what_is_not_there_any_more_has_no_partner_and_a_neighbour_is_none() -> None:
    old = [seen(10.0, 300.0), seen(10.0, 400.0), seen(20.0, 300.0)]
    new = [seen(10.0, 330.0), seen(10.0, 402.0), seen(20.2, 300.0)]
    assert partners(old, new) == {1: 1}


def test_one_old_opening_that_two_new_ones_share_goes_to_the_nearer() -> None:
    assert partners([seen(10.0, 300.0)], [seen(10.0, 310.0), seen(10.0, 303.0)]) == {0: 1}
    assert partners([seen(10.0, 300.0), seen(10.0, 310.0)], [seen(10.0, 303.0)]) == {0: 0}


def test_near_for_less_than_half_of_the_common_time_is_another_one() -> None:
    old = seen(10.0, 300.0)
    drifting = old.copy()
    drifting[3:, [1, 3]] += 200.0
    assert len(old) == 8
    assert partners([old], [drifting]) == {}


def test_a_single_box_is_found_at_its_very_moment() -> None:
    old = seen(10.0, 300.0)
    assert partners([old[3:4]], [old]) == {0: 0}
    assert partners([old], [old[3:4]]) == {0: 0}


def test_times_that_are_no_longer_on_the_clock_match_nothing() -> None:
    gone = seen(10.0, 300.0)
    gone[:, 0] = np.nan
    assert partners([gone, seen(20.0, 300.0)], [seen(10.0, 300.0), seen(20.0, 300.0)]) == {1: 1}
    assert partners([gone], [seen(10.0, 300.0)]) == {}
    assert partners([], [seen(10.0, 300.0)]) == {}
    assert partners([seen(10.0, 300.0)], []) == {}
