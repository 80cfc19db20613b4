"""Parts of the tracker: the plane, the assignment, the pattern after silt, confidences, the groups."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.survey.tow.assign import assigned, pairs_within
from edge.survey.tow.cluster import clustered
from edge.survey.tow.confidence import SetAside, confidences
from edge.survey.tow.plane import inverse, moved, row_scale, scale_at, scale_of_rows, step_past, stretched
from edge.survey.tow.register import common_displacement
from tests.simulators.tow import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX, simulate

Floats = NDArray[np.float64]
FRAME = (float(WIDTH_PX), float(HEIGHT_PX))
LINE_PX = LINE_HEIGHT * HEIGHT_PX


def down(pixels: float) -> Floats:
    step = np.eye(3)
    step[1, 2] = pixels
    return step


# -- the plane ----------------------------------------------------------------------------------------------------------------


def test_there_and_back_is_nowhere() -> None:
    motion = simulate(1, 2.0).frames[3].motion
    assert motion is not None
    points = np.array([[10.0, 20.0], [1200.0, 600.0]])
    assert moved(inverse(motion.homography), moved(motion.homography, points)) == pytest.approx(points, abs=1e-6)


def test_a_shift_draws_nothing_larger_and_an_enlargement_everything() -> None:
    points = np.array([[100.0, 100.0], [900.0, 500.0]])
    assert scale_at(down(50), points) == pytest.approx([1, 1])
    assert scale_at(np.diag([2.0, 2.0, 1.0]), points) == pytest.approx([2, 2])


def test_a_step_for_half_as_long_twice_is_the_step() -> None:
    half = stretched(down(50), 0.5)
    assert half @ half == pytest.approx(down(50))
    assert stretched(down(50), 2.5)[1, 2] == pytest.approx(125)


def test_the_step_at_the_line_lies_between_the_way_there_and_the_way_on() -> None:
    motion = next(one.motion for one in simulate(2, 5.0).frames if one.motion is not None)
    middle = np.array([WIDTH_PX / 2, LINE_PX])
    step = step_past(motion.homography, inverse(motion.homography), middle)[1]
    on = (moved(motion.homography, middle[None]) - middle)[0, 1]
    there = (middle - moved(inverse(motion.homography), middle[None]))[0, 1]
    assert min(on, there) <= step <= max(on, there)


def test_the_camera_s_tilt_is_read_off_its_motion() -> None:
    """Against the true scale: how wide a piece of ground is drawn further up, in a tow whose truth has no noise."""
    found = [
        row_scale(one.motion.homography, inverse(one.motion.homography), FRAME, LINE_PX)
        for one in simulate(6, 20.0).frames
        if one.motion is not None
    ]
    scale = float(np.median([value for value in found if value is not None]))
    assert scale > 0  # what is nearer is drawn larger
    assert scale_of_rows(np.array([LINE_PX]), LINE_PX, scale) == pytest.approx([1])
    assert row_scale(down(50), down(-50), FRAME, LINE_PX) == pytest.approx(0)
    assert row_scale(down(1), down(-1), FRAME, LINE_PX) is None


# -- the assignment -----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.integers(0, 25))
def test_pairs_are_all_that_are_near_and_no_others(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, reach = rng.uniform(0, 100, (n, 2)), rng.uniform(0, 100, (m, 2)), rng.uniform(-5, 30, n)
    found = set(zip(*(x.tolist() for x in pairs_within(a, b, reach)), strict=True))
    assert found == {(i, j) for i in range(n) for j in range(m) if (np.abs(a[i] - b[j]) <= reach[i]).all()}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5), st.floats(0.2, 1.0))
def test_the_assignment_is_the_best_of_all(seed: int, n: int, m: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    cost = np.where(rng.random((n, m)) < share, rng.uniform(-5, 2, (n, m)), 1.0)
    i, j = np.nonzero(cost != 1.0)
    got = assigned(i, j, cost[i, j])
    assert len(set(got[0].tolist())) == len(got[0])
    assert len(set(got[1].tolist())) == len(got[1])
    assert (cost[got] < 0).all()
    padded = np.hstack([np.minimum(cost, 0), np.zeros((n, n))])
    best = min(sum(padded[r, c] for r, c in enumerate(columns)) for columns in permutations(range(m + n), n))
    assert cost[got].sum() == pytest.approx(best)


def test_a_large_assignment_is_that_of_the_oracle() -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is an oracle of the workshop's environment only")
    cost = np.random.default_rng(3).uniform(-5, 0, (40, 40))
    i, j = np.indices(cost.shape).reshape(2, -1)
    got = assigned(i, j, cost[i, j])
    assert cost[got].sum() == pytest.approx(cost[optimize.linear_sum_assignment(cost)].sum())


# -- the pattern after silt ---------------------------------------------------------------------------------------------------


def scattered(seed: int, count: int) -> Floats:
    return np.random.default_rng(seed).uniform((60, 60), (1170, 630), (count, 2))


@pytest.mark.parametrize("shift", [(0.0, 110.0), (-40.0, -150.0), (20.0, 60.0)])
def test_the_pattern_tells_how_far_the_guess_was_off(shift: tuple[float, float]) -> None:
    seabed = scattered(1, 25)
    seen = np.concatenate([seabed[5:] + shift, scattered(2, 5)])
    found = common_displacement(seabed, np.ones(25), seen, sd_px=120.0, near_px=16.0, frame_px=FRAME)
    assert found is not None
    assert found[:, :2] @ [600.0, 400.0] + found[:, 2] == pytest.approx(np.array(shift), abs=3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 30), st.integers(0, 30))
def test_no_pattern_is_found_in_chance(seed: int, before: int, after: int) -> None:
    found = common_displacement(
        scattered(2 * seed, before), np.ones(before), scattered(2 * seed + 1, after), sd_px=120.0, near_px=8.0, frame_px=FRAME
    )
    assert found is None


# -- confidences --------------------------------------------------------------------------------------------------------------


def judged(
    hits: list[float], chances: list[float], before: list[float], scores: list[float] | None = None, *, aside: SetAside | None = None
) -> Floats:
    owner = np.repeat(np.arange(len(hits)), np.array(hits, int))
    score = np.repeat(scores or [0.7] * len(hits), np.array(hits, int)).astype(np.float32)
    return confidences(
        np.array(hits), np.array(chances), np.array(before), scores=score, owner=owner, detection_rate=0.85, aside=aside or SetAside()
    )


def test_what_is_seen_again_is_likelier_than_what_is_not() -> None:
    sure = judged([6, 4, 1, 1], [6, 6, 6, 1], [0, 0, 0, 0])
    assert sure[0] > 0.99
    assert sure[1] > 0.9
    assert sure[2] < 0.05
    assert 0.5 < sure[3] < 1


def test_what_should_have_been_seen_before_is_doubted() -> None:
    fresh, late = judged([1, 1], [1, 1], [0, 4])
    assert late < 0.1 < fresh


def test_scores_that_go_with_openings_speak_for_what_has_them() -> None:
    many = [5.0] * 40 + [1.0] * 40
    chances = [5.0] * 40 + [5.0] * 40
    scores = [0.9] * 40 + [0.2] * 40
    sure = judged([*many, 1.0, 1.0], [*chances, 1.0, 1.0], [0.0] * 82, [*scores, 0.9, 0.2])
    assert sure[80] > 0.8
    assert sure[81] < 0.4


def test_what_is_set_aside_tells_as_much_as_if_it_were_judged_too() -> None:
    hits, chances, before = [5.0] * 40 + [1.0] * 20, [5.0] * 50 + [1.0] * 10, [0.0] * 60
    scores = [*np.linspace(0.5, 0.9, 40), *np.linspace(0.1, 0.6, 20)]
    low = np.linspace(0.05, 0.3, 500)
    whole = judged([*hits, *[1.0] * 500], [*chances, *[4.0] * 500], [*before, *[6.0] * 500], [*scores, *low.tolist()])
    apart = judged(hits, chances, before, scores, aside=SetAside(scores=low.astype(np.float32), missed=1500.0))
    alone = judged(hits, chances, before, scores)
    assert apart == pytest.approx(whole[:60], abs=1e-5)
    assert np.abs(apart - alone).max() > 0.01


def test_nobody_is_nobody() -> None:
    assert len(judged([], [], [])) == 0


# -- groups -------------------------------------------------------------------------------------------------------------------


def groups(count: int, pairs: list[tuple[int, int, float]], wanted: float, most: int = 6) -> list[int]:
    i, j, p = (np.array(column) for column in zip(*pairs, strict=True))
    return [int(label) for label in clustered(count, i, j, p.astype(np.float64), groups=wanted, most=most)]


def test_the_likeliest_are_joined_until_there_are_as_many_as_there_should_be() -> None:
    pairs = [(0, 1, 0.6), (2, 3, 0.5), (1, 2, 0.3)]
    assert groups(4, pairs, 3) == [0, 0, 1, 2]
    assert groups(4, pairs, 2) == [0, 0, 1, 1]


def test_what_is_nearly_sure_is_joined_and_what_is_unlikely_is_not() -> None:
    assert groups(4, [(0, 1, 0.95), (2, 3, 0.1)], 4) == [0, 0, 1, 2]
    assert groups(4, [(0, 1, 0.95), (2, 3, 0.1)], 1) == [0, 0, 1, 2]


def test_a_chain_is_no_group() -> None:
    """Average linkage: the ends of a chain are far apart, however near its links."""
    chain = [(k, k + 1, 0.5) for k in range(9)]
    found = groups(10, chain, 1)
    assert max(found.count(label) for label in found) <= 3


def test_a_group_has_no_more_members_than_it_may() -> None:
    everyone = [(a, b, 0.99) for a in range(9) for b in range(a + 1, 9)]
    found = groups(9, everyone, 1, most=4)
    assert max(found.count(label) for label in found) <= 4
    assert len(set(found)) < 5
