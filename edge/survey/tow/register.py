"""Where the seabed is, told by the openings themselves: they stand still, so all of them are off by the same step.

Motion by registration is good to a pixel or so, but where silt hid the seabed it was guessed. The first openings seen again then say how
far the guess was off: the one shift that lays most of the followed openings on detections. A pattern must not be found in chance.
"""

from __future__ import annotations

import math

import numpy as np

from edge.survey.tow.assign import pairs_within
from edge.survey.tow.tracks import Float64Array

LEAST_SUPPORT = 3
_MOST_PAIRS = 1500
_CHANCE = 1e-3
_REACH_SD = 3.5


def common_shift(
    expected: Float64Array, stretch: Float64Array, seen: Float64Array, *, sd_px: float, near_px: float, frame_px: tuple[float, float]
) -> Float64Array | None:
    """The shift of the whole seabed that lays most expected openings on seen ones.

    Args:
        expected: (N, 2) float64 where the followed openings should be, pixels.
        stretch: (N,) float64, how much further a place moves than the middle of the line when all the seabed moves.
        seen: (M, 2) float64 centres of detections.
        sd_px: standard deviation of the shift at the line.
        near_px: how near an opening must come to a detection to speak for a shift.
        frame_px: width and height of the frame.

    Returns:
        (2,) float64 at the line, or None where no shift is better than chance would be.
    """
    if len(expected) < LEAST_SUPPORT or len(seen) < LEAST_SUPPORT:
        return None
    reach = _REACH_SD * sd_px * stretch + near_px
    i, j = pairs_within(expected, seen, reach)
    if not LEAST_SUPPORT <= len(i) <= _MOST_PAIRS:
        return None
    shifts = (seen[j] - expected[i]) / stretch[i, None]
    close = np.hypot(*(shifts[:, None] - shifts[None]).transpose(2, 0, 1)) < near_px
    votes = close.sum(axis=1) - 0.5 * ((shifts / max(sd_px, 1e-6)) ** 2).sum(axis=1)
    best = int(np.argmax(votes))
    shift = shifts[close[best]].mean(axis=0)
    for _ in range(2):
        near = np.hypot(*(shifts - shift).T) < near_px
        shift = shifts[near].mean(axis=0) if near.any() else shift
    support = len(np.unique(i[near]))
    landing = expected + shift * stretch[:, None]
    inside = int(((landing >= 0) & (landing < np.array(frame_px))).all(axis=1).sum())
    by_chance = len(i) * near_px**2 / max(sd_px * _REACH_SD, near_px) ** 2
    if support < max(LEAST_SUPPORT, inside / 2) or _tail(support, by_chance) * len(i) > _CHANCE:
        return None
    return np.asarray(shift, np.float64)


def _tail(least: int, mean: float) -> float:
    """Probability that a Poisson variable of that mean is at least `least`."""
    term = total = math.exp(-mean)
    for k in range(1, least):
        term *= mean / k
        total += term
    return max(1.0 - total, 1e-12 if mean > 0 else 0.0)
