"""The plane under a towed camera: what its motions look like, and that they are found again from points, with an honest uncertainty."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.footage import Float64Array
from edge.pipeline.seabed.plane import PARAMETERS, Horizon, apply, fit, homography_of

_LINE = np.array([0.0, 0.33])


def _values(shift_y: float, tilt: float = 0.3) -> Float64Array:
    values = np.zeros(PARAMETERS)
    values[1], values[9] = shift_y, tilt
    return values


def _points(number: int, seed: int) -> Float64Array:
    return np.random.default_rng(seed).uniform((-1, -0.56), (1, 0.56), (number, 2))


def test_a_forward_shift_is_an_elation_with_its_axis_on_the_horizon() -> None:
    homography = homography_of(_values(0.2))
    horizon = np.array([0.0, 0.3, 1.0])
    moved = homography / np.median(np.linalg.eigvals(homography).real) - np.eye(3)
    left, strength, right = np.linalg.svd(moved)
    assert strength[1] < 1e-7  # of rank one: I + e l'
    assert abs(abs(right[0] @ horizon) / np.linalg.norm(horizon) - 1) < 1e-9
    assert abs(left[:, 0] @ horizon) < 1e-9  # and e lies on l


def test_nearer_rows_move_faster() -> None:
    rows = np.array([[0.0, -0.5], [0.0, 0.0], [0.0, 0.5]])
    steps = (apply(homography_of(_values(0.2)), rows) - rows)[:, 1]
    assert steps[0] < steps[1] < steps[2]


@settings(max_examples=40, deadline=None)
@given(
    shift=st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.45)),
    turn=st.floats(-0.03, 0.03),
    tilt=st.floats(0.0, 0.5),
    seed=st.integers(0, 10_000),
)
def test_a_motion_is_found_again_among_a_third_of_strays(shift: tuple[float, float], turn: float, tilt: float, seed: int) -> None:
    values = _values(shift[1], tilt)
    values[0], values[2] = shift[0], turn
    rng = np.random.default_rng(seed)
    before = _points(150, seed)
    now = apply(homography_of(values), before) + rng.normal(0, 0.0008, (150, 2))
    now[:50] += rng.uniform(-0.05, 0.05, (50, 2))
    start = values.copy()
    start[:2] += rng.normal(0, 0.004, 2)
    known = Horizon(line=np.array([0.0, tilt]), covariance=np.eye(2) * 0.05**2)
    found = fit(before, now, start, known, noise=0.0005)
    assert found is not None
    error = apply(found.homography(), _LINE[None]) - apply(homography_of(values), _LINE[None])
    assert np.abs(error).max() < 5 * found.sd_at(_LINE) + 1e-4
    assert found.sd_at(_LINE) < 0.002


def test_many_exact_points_give_what_opencv_gives() -> None:
    values = _values(0.25)
    values[2], values[3] = 0.02, 0.01
    before = _points(300, 3)
    now = apply(homography_of(values), before)
    ours = fit(before, now, _values(0.24), Horizon.unknown(), noise=1e-5, rounds=20)
    theirs = np.asarray(cv2.findHomography(before, now, 0)[0], np.float64)
    assert ours is not None
    assert np.abs(apply(ours.homography(), before) - apply(theirs, before)).max() < 2e-5


def test_the_error_is_as_large_as_its_standard_deviation_says() -> None:
    ratios = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        before, values = _points(80, seed), _values(float(rng.uniform(0, 0.3)))
        now = apply(homography_of(values), before) + rng.normal(0, 0.001, (80, 2))
        found = fit(before, now, values, Horizon(line=values[8:], covariance=np.eye(2) * 0.03**2), noise=1e-4)
        assert found is not None
        error = apply(found.homography(), _LINE[None]) - apply(homography_of(values), _LINE[None])
        ratios.extend((error[0] / found.sd_at(_LINE)).tolist())
    assert float(np.std(ratios)) == pytest.approx(1.0, abs=0.3)


def test_the_horizon_is_learned_from_steps_in_which_it_can_be_seen() -> None:
    horizon = Horizon.unknown()
    for seed in range(6):
        before, values = _points(120, seed), _values(0.25)
        now = apply(homography_of(values), before) + np.random.default_rng(seed).normal(0, 0.0005, (120, 2))
        found = fit(before, now, _values(0.25, tilt=0.0), horizon.drifted(), noise=0.0003)
        assert found is not None
        horizon = found.horizon()
    assert horizon.line[1] == pytest.approx(0.3, abs=4 * horizon.sd())
    assert horizon.sd() < 0.1
