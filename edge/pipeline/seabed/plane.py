"""How a plane may move under a camera that is towed over it: a homography with priors, fitted to points.

A camera over a plane sees the plane's horizon as a line; with the horizon moved to infinity (`rectify`) the picture is a map, and
in a map a sledge does little else than shift, turn and change its height (Hartley and Zisserman 2004, Multiple View Geometry, 8.10).
So a homography is written as R(l)^-1 S R(l): R takes the horizon l to infinity, S is a similarity of the map and small tilts.
The horizon hardly changes along a tow and is learned from it as a Kalman filter learns a constant; the tilts have narrow priors.
Where many points tell, they decide; where silt leaves a corner, the priors keep the far side of the frame in bounds.

Coordinates: centred on the frame, in units of half its width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge.footage import Float64Array

# What a parameter does, in the order of the vector: shift x, y; turn; log of the scale; stretch, shear; tilts; horizon.
PARAMETERS = 10
SHIFT_SD = 1.5
TURN_SD = 0.05
SCALE_SD = 0.05
STRETCH_SD = 0.006
TILT_SD = 0.006
HORIZON_SD = 0.3  # before anything is seen: from straight down to about 50 degrees
HORIZON_DRIFT_SD = 0.004  # per frame
_STEP = 1e-5
_STEPS = _STEP * np.eye(PARAMETERS + 1, PARAMETERS, k=-1)  # none first, then one in each parameter


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Horizon:
    """What is known of the horizon line l1 x + l2 y + 1 = 0. `line` (2,), `covariance` (2, 2) float64."""

    line: Float64Array
    covariance: Float64Array

    @classmethod
    def unknown(cls) -> Horizon:
        """A camera that looks down at an angle of which nothing is known."""
        return cls(line=np.zeros(2), covariance=np.diag([HORIZON_SD**2 / 9, HORIZON_SD**2]))

    def drifted(self) -> Horizon:
        """As well known a frame later: the sledge pitches and rolls."""
        return replace(self, covariance=self.covariance + np.eye(2) * HORIZON_DRIFT_SD**2)

    def sd(self) -> float:
        """Standard deviation of the tilt along the frame's height."""
        return float(np.sqrt(self.covariance[1, 1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneFit:
    """A fitted motion.

    Attributes:
        values: (10,) float64, the parameters.
        covariance: (10, 10) float64 of them, from the spread of the residuals or from what a corner is known to, whichever is larger.
        residual: standard deviation along one axis of what is left at the points that followed.
        weights: (N,) float64, 0 for points that did not follow.
    """

    values: Float64Array
    covariance: Float64Array
    residual: float
    weights: Float64Array

    def homography(self) -> Float64Array:
        """(3, 3) float64, [2, 2] = 1, centred coordinates."""
        return homography_of(self.values)

    def horizon(self) -> Horizon:
        """The horizon as the fit sees it."""
        return Horizon(line=self.values[8:].copy(), covariance=self.covariance[8:, 8:].copy())

    def sd_at(self, point: Float64Array) -> float:
        """Standard deviation, one axis, of where the motion takes a point (2,)."""
        _, jacobian = _linearised(self.values, _lifted(point[None, :]))
        return float(np.sqrt(np.trace(jacobian.T @ self.covariance @ jacobian) / 2))


def rectify(line: Float64Array) -> Float64Array:
    """(3, 3) homography that moves the horizon to infinity; the middle of the frame stays."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [line[0], line[1], 1.0]])


def homography_of(values: Float64Array) -> Float64Array:
    """(3, 3) float64, [2, 2] = 1, of a vector of parameters (10,); (N, 3, 3) of several (N, 10)."""
    shift_x, shift_y, turn, log_scale, stretch, shear, tilt_x, tilt_y, line_x, line_y = values.T
    scale = np.exp(log_scale)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    # S R(l): the last column of S, times the line, is added to the other two. R(l)^-1 = R(-l) takes from the last row what l makes of
    # the others.
    first = (cos + stretch + line_x * shift_x, shear - sin + line_y * shift_x, shift_x)
    second = (sin + shear + line_x * shift_y, cos - stretch + line_y * shift_y, shift_y)
    last = (tilt_x + line_x, tilt_y + line_y, 1.0)
    third = (below - line_x * above - line_y * beside for above, beside, below in zip(first, second, last, strict=True))
    # Called a dozen times a frame, mostly for one vector: an array of nine numbers is made three times as fast as a stack of them.
    whole = np.array((*first, *second, *third)).T
    return np.asarray((whole / whole[..., 8:]).reshape(*values.shape[:-1], 3, 3), np.float64)


def apply(homography: Float64Array, points: Float64Array) -> Float64Array:
    """Points (N, 2) taken through homographies (..., 3, 3): (..., N, 2)."""
    lifted = points @ np.swapaxes(homography[..., :2], -1, -2) + homography[..., None, :, 2]
    return np.asarray(lifted[..., :2] / lifted[..., 2:], np.float64)


def shift_of(homography: Float64Array, line: Float64Array) -> Float64Array:
    """(2,) shift on the map of the middle of the frame."""
    r = rectify(line)
    on_map = r @ homography @ np.linalg.inv(r)
    return np.asarray(on_map[:2, 2] / on_map[2, 2], np.float64)


def fit(
    before: Float64Array, now: Float64Array, start: Float64Array, horizon: Horizon, *, noise: float, rounds: int = 6
) -> PlaneFit | None:
    """Most probable motion of points (N, 2) `before` to `now`: Gauss-Newton with priors and Tukey's weights.

    `start` (10,) begins the search, `noise` is the least standard deviation of a point. None where the search leaves the plane.
    """
    prior_mean, prior_precision = _prior(horizon)
    lifted = _lifted(before)
    values = start.copy()
    values[8:] = horizon.line
    scale = np.inf
    for number in range(rounds):
        there, jacobian = _linearised(values, lifted)
        error = now.T - there
        length = np.hypot(error[0], error[1])
        near = length[length < 8 * scale]
        # The median length of two axes is sqrt(2 ln 2) standard deviations of one. The first guess may be far off: then all are near.
        scale = max(noise, float(np.median(near)) / 1.1774) if near.size else noise
        weights = np.square(np.maximum(1 - np.square(length / (4.0 * scale)), 0))
        precision = weights / scale**2
        weighted = jacobian * np.concatenate([precision, precision])
        normal = weighted @ jacobian.T + prior_precision
        gradient = weighted @ error.ravel() + prior_precision @ (prior_mean - values)
        step = np.linalg.solve(normal, gradient)
        values = values + step
        if not np.isfinite(values).all() or np.abs(values[:2]).max() > 3 or np.abs(values[2:]).max() > 1.5:
            return None
        if number > 1 and np.abs(step).max() < 1e-5:
            break
    sure = weights > 0.1
    if not sure.any():
        return None
    residual = float(np.median(length[sure])) / 1.1774
    return PlaneFit(values=values, covariance=np.linalg.inv(normal), residual=residual, weights=weights)


def _prior(horizon: Horizon) -> tuple[Float64Array, Float64Array]:
    mean, precision = np.zeros(PARAMETERS), np.zeros((PARAMETERS, PARAMETERS))
    mean[8:] = horizon.line
    sds = np.array([SHIFT_SD, SHIFT_SD, TURN_SD, SCALE_SD, STRETCH_SD, STRETCH_SD, TILT_SD, TILT_SD])
    precision[np.arange(8), np.arange(8)] = 1 / sds**2
    precision[8:, 8:] = np.linalg.inv(horizon.covariance)
    return mean, precision


def _lifted(points: Float64Array) -> Float64Array:
    """Points (N, 2) as columns (3, N) with a third coordinate of 1."""
    return np.vstack([points.T, np.ones(len(points))])


def _linearised(values: Float64Array, lifted: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Where points go that are given as columns (3, N), (2, N); the derivatives of that by differences, (10, 2 N): all x, then all y."""
    several = homography_of(values + _STEPS)
    # One product of two matrices: many small ones are no work for a processor.
    there = (several.reshape(-1, 3) @ lifted).reshape(PARAMETERS + 1, 3, -1)
    moved = there[:, :2] / there[:, 2:]
    return moved[0], np.asarray((moved[1:] - moved[0]).reshape(PARAMETERS, -1) / _STEP, np.float64)
