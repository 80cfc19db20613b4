"""What is measured along an object's outer border: perimeter, Feret's diameter, the convex hull.

The border runs along the edges of pixels. All of it is read off the chain of border pixels, whose every step says along how many sides
of the pixel the border runs and where it turns.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge.values import Int32Array
from models.runtime.vision import cv2

IntArray = NDArray[np.intp]

# Direction of a step of the chain, clockwise from east in eighths, at [dy + 1, dx + 1].
_EIGHTH = np.array([[5, 6, 7], [4, -1, 0], [3, 2, 1]])
_CORNER_CUT_PX = 2.0 - math.sqrt(2.0)


def perimeter_px(chain: Int32Array) -> float:
    """Length of the border: 1 per side of a pixel, a corner cut off at sqrt(2), but never two corners a pixel apart both.

    As ImageJ 1.41o measures a traced selection (`PolygonRoi.getTracedPerimeter`, public domain); later versions cut other corners.

    Args:
        chain: (N, 2) int32, see `Particle.chain`.
    """
    lengths = edge_lengths(chain)
    number = np.arange(len(lengths))
    began = np.maximum.accumulate(np.where(lengths > 1, number, 0))
    corners = np.count_nonzero((number - began) % 2 == 0)
    return float(lengths.sum()) - corners * _CORNER_CUT_PX


def edge_lengths(chain: Int32Array) -> IntArray:
    """Pixels along each straight edge of the border, clockwise from the one along the top row's leftmost pixel."""
    if len(chain) == 1:
        return np.ones(4, np.intp)
    step = np.concatenate([chain[1:], chain[:1]]) - chain
    out = _EIGHTH[step[:, 1] + 1, step[:, 0] + 1]
    # Sides of a pixel are 0 top, 1 right, 2 bottom, 3 left, each walked clockwise. Having come in a direction, the border goes on along
    # this side first; going out in a direction, it leaves after that one.
    first, last = np.concatenate([out[-1:], out[:-1]]) // 2, (out + 1) // 2 % 4
    sides = (last - first) % 4 + 1
    begins = np.cumsum(sides) - sides
    walked = (np.repeat(first, sides) + np.arange(int(sides.sum())) - np.repeat(begins, sides)) % 4
    begin = int((walked == 0).argmax())  # up to there it is the left side of the first pixel
    walked = np.concatenate([walked[begin:], walked[:begin]])
    turns = np.flatnonzero(walked != np.concatenate([walked[-1:], walked[:-1]]))
    return np.diff(turns, append=len(walked))


def feret_px(hull: Int32Array) -> float:
    """The largest distance between two corners of pixels of the object.

    Args:
        hull: (N, 2) int32, centres of the pixels at the corners of its convex hull.
    """
    apart = np.abs(hull[:, None, :].astype(np.int64) - hull[None, :, :]) + 1
    return math.sqrt(float((apart**2).sum(axis=2).max()))


def convex_hull(chain: Int32Array) -> Int32Array:
    """(N, 2) int32, the border pixels at the corners of the object's convex hull, clockwise as seen."""
    return np.asarray(cv2.convexHull(chain.reshape(-1, 1, 2), clockwise=False), np.int32)[:, 0, :]


def hull_area_and_perimeter_px(hull: Int32Array) -> tuple[int, int]:
    """Pixels of the filled convex hull, and of them those with a neighbour outside, eight counted.

    The hull is drawn through the centres of its corners, in the order that `convex_hull` gives, each edge as ImageJ draws a line
    (`ImageProcessor.lineTo`): steps of one along the longer axis, cut to whole pixels.
    """
    first, last = _rows_of(hull)
    area = int((last - first + 1).sum())
    if len(first) < 3:
        return area, area
    left = np.maximum(np.maximum(first[:-2], first[1:-1]), first[2:])
    right = np.minimum(np.minimum(last[:-2], last[1:-1]), last[2:])
    return area, area - int(np.maximum(right - left - 1, 0).sum())


def _rows_of(hull: Int32Array) -> tuple[IntArray, IntArray]:
    """The first and last pixel of the drawn hull in each row."""
    reach = np.roll(hull, -1, axis=0).astype(np.float64) - hull
    steps = np.maximum(np.abs(reach).max(axis=1), 1).astype(np.intp)
    # Added up step by step, as ImageJ does: the sums fall short of a whole pixel just where its own do.
    places = np.repeat((reach / steps[:, None])[:, None, :], int(steps.max()) + 1, axis=1)
    places[:, 0] = hull + 0.5
    drawn = places.cumsum(axis=1).astype(np.intp)[np.arange(places.shape[1]) <= steps[:, None]]
    rows = int(hull[:, 1].max()) + 1
    first, last = np.full(rows, np.iinfo(np.intp).max), np.full(rows, -1)
    np.minimum.at(first, drawn[:, 1], drawn[:, 0])
    np.maximum.at(last, drawn[:, 1], drawn[:, 0])
    return first, last
