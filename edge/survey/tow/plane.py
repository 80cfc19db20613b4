"""One plane seen by one camera: where a homography takes points, and what the motions of a tow say about the camera."""

from __future__ import annotations

import numpy as np

from edge.survey.tow.tracks import Float64Array

_ROWS = np.array([0.15, 0.3, 0.45, 0.6, 0.75, 0.9])
_LEAST_STEP = 0.012  # of the width: a shorter step says nothing about perspective
_STEEPEST = 0.9  # the scale changes by no more than this over the height of a frame


def moved(homography: Float64Array, points: Float64Array) -> Float64Array:
    """Where a homography takes points.

    Args:
        homography: (3, 3) float64.
        points: (N, 2) float64, pixels.

    Returns:
        (N, 2) float64, pixels.
    """
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def inverse(homography: Float64Array) -> Float64Array:
    """The way back, (3, 3) float64."""
    return np.asarray(np.linalg.inv(homography), np.float64)


def scale_at(homography: Float64Array, points: Float64Array) -> Float64Array:
    """How much larger things at `points` (N, 2) are drawn where the homography takes them: (N,) float64, root of the area's factor."""
    depth = points @ homography[2, :2] + homography[2, 2]
    return np.asarray(np.sqrt(np.abs(np.linalg.det(homography) / depth**3)), np.float64)


def step_past(homography: Float64Array, back: Float64Array, point: Float64Array) -> tuple[float, float]:
    """(right, down) in pixels by which the seabed at `point` (2,) moved; `back` is the inverse of `homography`.

    Half of it before it came there and half after it left: where the view is oblique, the step from there is longer than the one to there.
    """
    here = point[None, :]
    right, down = (moved(homography, here)[0] - moved(back, here)[0]) / 2
    return float(right), float(down)


def stretched(homography: Float64Array, factor: float) -> Float64Array:
    """The same motion for `factor` times as long, (3, 3) float64 with [2, 2] = 1; to first order within a step."""
    whole, rest = divmod(max(factor, 0.0), 1.0)
    step = np.linalg.matrix_power(homography, int(whole)) @ (np.eye(3) + rest * (homography - np.eye(3)))
    return np.asarray(step / step[2, 2], np.float64)


def row_scale(homography: Float64Array, back: Float64Array, frame_px: tuple[float, float], line_px: float) -> float | None:
    """How much larger than at the line a length is drawn per pixel further down, 1 / px; None for a step too short to tell.

    `back` is the inverse of `homography`, `frame_px` width and height.

    On a plane a length grows linearly with the rows from the horizon and a speed towards the camera with their square, so the root of
    (speed at a row over speed at the line) is the scale.
    """
    width_px, height_px = frame_px
    rows = _ROWS * height_px
    points = np.empty((len(rows) + 1, 2))
    points[:, 0], points[0, 1], points[1:, 1] = width_px / 2, line_px, rows
    steps = (moved(homography, points)[:, 1] - moved(back, points)[:, 1]) / 2
    if abs(steps[0]) < _LEAST_STEP * width_px or (steps[1:] * steps[0] <= 0).any():
        return None
    away = rows - line_px
    root = np.sqrt(steps[1:] / steps[0]) - 1
    limit = _STEEPEST / height_px
    return float(np.clip(away @ root / (away @ away), -limit, limit))


def scale_of_rows(rows_px: Float64Array, line_px: float, row_scale_per_px: float) -> Float64Array:
    """How much larger than at the line lengths are drawn at `rows_px` (N,): (N,) float64, 1 at the line, never below 0.1.

    A place in a row reaches the line when the seabed has moved by (line - row) / scale at the line: the integral of 1 / scale^2.
    """
    return np.maximum(1 + row_scale_per_px * (rows_px - line_px), 0.1)
