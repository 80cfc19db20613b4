"""Where the seabed is, told by the openings themselves: they stand still, so all of them are off together.

Motion by registration is good to a pixel or so, but where silt hid the seabed it was guessed. The first openings seen again then say how
far the guess was off: the one displacement that lays most of the followed openings on detections. First a shift of all, by vote; then, as
a guess goes wrong in perspective too, an affine one through the pairs that the shift shows. A pattern must not be found in chance.
"""

from __future__ import annotations

import math

import numpy as np

from edge.survey.tow.assign import Index, pairs_within
from edge.survey.tow.tracks import Float64Array

LEAST_SUPPORT = 3
_CHANCE = 1e-3
_REACH_SD = 3.5
_CELL_SD = 0.2
_CELL_NEAR = 3.0  # no wider than so many times what counts as near
_LEAST_SHARE = 0.5
_STIFF = 4.0  # how many pairs a change by the height of the frame is held against


def common_displacement(
    expected: Float64Array, stretch: Float64Array, seen: Float64Array, *, sd_px: float, near_px: float, frame_px: tuple[float, float]
) -> Float64Array | None:
    """The displacement of the whole seabed that lays most expected openings on seen ones.

    Args:
        expected: (N, 2) float64 where the followed openings should be, pixels.
        stretch: (N,) float64, how much further a place moves than the middle of the line when all the seabed moves.
        seen: (M, 2) float64 centres of detections.
        sd_px: standard deviation of the displacement at the line.
        near_px: how near an opening must come to a detection to speak for a displacement.
        frame_px: width and height of the frame.

    Returns:
        (2, 3) float64, an affine map from (x, y, 1) to what is to be added to it, or None where none is better than chance would be.
    """
    if len(expected) < LEAST_SUPPORT or len(seen) < LEAST_SUPPORT:
        return None
    i, j = pairs_within(expected, seen, _REACH_SD * sd_px * stretch + near_px)
    if len(i) < LEAST_SUPPORT:
        return None
    cell = min(max(near_px, _CELL_SD * sd_px), _CELL_NEAR * near_px)
    shift = _fullest((seen[j] - expected[i]) / stretch[i, None], sd_px, cell)
    landing = expected + shift * stretch[:, None]
    affine = np.zeros((2, 3))
    for reach in (1.5 * cell, cell, near_px, near_px):
        a, b = _nearest(landing, seen, reach)
        if len(a) < LEAST_SUPPORT:
            return None
        affine = _through(expected[a], seen[b], shift, np.array(frame_px))
        landing = expected + expected @ affine[:, :2].T + affine[:, 2]
    support = len(_nearest(landing, seen, near_px)[0])
    inside = int(((landing >= 0) & (landing < np.array(frame_px))).all(axis=1).sum())
    by_chance = inside * min(len(seen) * math.pi * near_px**2 / (frame_px[0] * frame_px[1]), 1.0)
    if support < max(LEAST_SUPPORT, _LEAST_SHARE * inside) or _tail(support, by_chance) * len(i) > _CHANCE:
        return None
    return affine


def _fullest(shifts: Float64Array, sd_px: float, cell_px: float) -> Float64Array:
    """The middle of the most likely 2 x 2 cells: shifts (K, 2) counted in cells, large ones being less likely beforehand."""
    half = float(np.abs(shifts).max()) + 2 * cell_px
    edges = np.arange(-half, half + cell_px, cell_px)
    count = np.histogram2d(shifts[:, 0], shifts[:, 1], (edges, edges))[0]
    four = count[:-1, :-1] + count[1:, :-1] + count[:-1, 1:] + count[1:, 1:]
    corner = edges[1:-1]
    unlikely = 0.5 * (corner / max(sd_px, 1e-6)) ** 2
    a, b = np.unravel_index(int(np.argmax(four - unlikely[:, None] - unlikely[None, :])), four.shape)
    return np.array([corner[a], corner[b]])


def _nearest(landing: Float64Array, seen: Float64Array, reach_px: float) -> tuple[Index, Index]:
    """Pairs that are each other's nearest, within reach."""
    i, j = pairs_within(landing, seen, np.full(len(landing), reach_px))
    away = np.hypot(*(landing[i] - seen[j]).T)
    near = away <= reach_px
    i, j, away = i[near], j[near], away[near]
    best_i, best_j = np.full(len(landing), np.inf), np.full(len(seen), np.inf)
    np.minimum.at(best_i, i, away)
    np.minimum.at(best_j, j, away)
    mutual = (away == best_i[i]) & (away == best_j[j])
    return i[mutual], j[mutual]


def _through(here: Float64Array, there: Float64Array, shift: Float64Array, frame_px: Float64Array) -> Float64Array:
    """(2, 3) the displacement that fits the pairs; few pairs bend it little."""
    middle, unit = frame_px / 2, float(frame_px[1])
    design = np.column_stack([(here - middle) / unit, np.ones(len(here))])
    held = np.diag([_STIFF, _STIFF, 0.0])
    solved = np.linalg.solve(design.T @ design + held, design.T @ (there - here - shift)).T
    solved[:, 2] += shift
    linear = solved[:, :2] / unit
    return np.column_stack([linear, solved[:, 2] - linear @ middle])


def _tail(least: int, mean: float) -> float:
    """Probability that a Poisson variable of that mean is at least `least`."""
    term = math.exp(-mean)
    for k in range(1, least + 1):
        term *= mean / k
    total, k = term, least
    while term > 1e-12 * total and term > 0:
        k += 1
        term *= mean / k
        total += term
    return total
