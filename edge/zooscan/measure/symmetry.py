"""How much an object is like its mirror image, and how evenly thick it is.

As the macro has it: the object is laid with its major axis along x in a square of 1.2 times the diagonal of its box, interpolated, and
laid over its mirror images. Pixels of the same grey are counted, those of the background too, so that the figure is not a share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.values import Int32Array, UInt8Array
from edge.zooscan.measure.shape import Figure, figure_of
from edge.zooscan.particle import BoolArray
from models.runtime.vision import cv2

Float64Array = NDArray[np.float64]

_SQUARE = 1.2
_INK = 255
_COLUMN_EVERY_MM = 0.1
_STEP_OF_EDGE = 100
_MARGIN_PX = 4
_AROUND_PX = 2
# How many of nine pixels are inked: none, all, or a grey to be computed.
_MIXED = 1
_GREY_OF_NINE = np.array([0, *[_MIXED] * 8, _INK, *[0] * 246], np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """Half of the pixels that are the same in the object's image and its mirror image, over its area.

    Attributes:
        left_right: mirrored at the minor axis (`symetrieh`).
        top_down: mirrored at the major axis (`symetriev`).
    """

    left_right: float
    top_down: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Square:
    """A square of paper with an object on it.

    Attributes:
        ink: (H, W) uint8, 1 where the object is; at least two pixels of nothing all around.
        left, top: where it lies in the square; may begin before it.
        side: of the square.
    """

    ink: UInt8Array
    left: int
    top: int
    side: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lying:
    """An object turned so that its major axis lies along x, in the middle of a square.

    Attributes:
        seen: (H, W) uint8, 255 on 0, the middle of the square as far as the object reaches on either side; all around it is 0.
        side: of the square.
        edges: (N,) uint8, the greys of all pixels that may be neither 0 nor 255.
    """

    seen: UInt8Array
    side: int
    edges: UInt8Array

    @property
    def first_column(self) -> int:
        """Where what is seen begins in the square."""
        return int(self.side - self.seen.shape[1]) // 2

    @property
    def around(self) -> int:
        """Pixels of the square that are not seen."""
        return self.side * self.side - int(self.seen.size)


def symmetry_and_thickness(holed: BoolArray, hull: Int32Array, figure: Figure, pixel_mm: float) -> tuple[Symmetry, float]:
    """Symmetry of the object without its holes, and `thickr`, its greatest thickness over the mean.

    Args:
        holed: (H, W) bool, the object without its holes.
        hull: (N, 2) int32, x and y of the corners of its convex hull.
        figure: of the object with its holes.
        pixel_mm: side of a pixel.
    """
    lying = _laid_along(holed, hull, figure)
    every = max(1, math.floor(_COLUMN_EVERY_MM / pixel_mm))
    return _symmetry(lying, figure.area_px), _thickness_ratio(lying.seen[:, -lying.first_column % every :: every])


def symmetry_of_dark(alone: UInt8Array, grey: int) -> Symmetry:
    """Symmetry of the largest patch that is not brighter than a grey (`symetriehc`, `symetrievc`).

    Args:
        alone: (H, W) uint8, the object with white around it and in its holes.
        grey: `histcum3` of the object.
    """
    dark = (alone <= grey).view(np.uint8)
    chains, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    best: tuple[int, UInt8Array, BoolArray, Int32Array] | None = None
    # ImageJ finds patches row by row, and of equal ones the first counts.
    for chain in sorted(chains, key=lambda one: (int(one[0, 0, 1]), int(one[0, 0, 0]))):
        left, top, width, height = cv2.boundingRect(chain)
        if best is not None and width * height <= best[0]:
            continue
        filled = np.zeros((height, width), np.uint8)
        cv2.drawContours(filled, [chain], -1, 1, cv2.FILLED, offset=(-left, -top))
        area = int(cv2.countNonZero(filled))
        if best is None or area > best[0]:
            border = np.asarray(chain, np.int32)[:, 0, :] - np.array((left, top), np.int32)
            best = (area, filled, dark[top : top + height, left : left + width].astype(np.bool_), border)
    if best is None:
        return Symmetry(left_right=math.nan, top_down=math.nan)
    area, filled, patch, border = best
    figure = figure_of(filled)
    return _symmetry(_laid_along(patch & filled.view(np.bool_), border, figure), figure.area_px)


def _laid_along(holed: BoolArray, border: Int32Array, figure: Figure) -> _Lying:
    """The object turned about the middle of its square (`ByteProcessor.rotate`)."""
    height, width = holed.shape
    diagonal = _SQUARE * math.hypot(width, height)
    side = int(diagonal)
    left, top = max(0, int(diagonal / 2 - figure.x)), max(0, int(diagonal / 2 - figure.y))
    pasted = holed[: side - top, : side - left].view(np.uint8)
    ink = cv2.copyMakeBorder(pasted, _AROUND_PX, _AROUND_PX, _AROUND_PX, _AROUND_PX, cv2.BORDER_CONSTANT)
    square = _Square(ink=np.asarray(ink, np.uint8), left=left - _AROUND_PX, top=top - _AROUND_PX, side=side)
    # The macro passes the angle on as text of four decimals, half a turn added.
    turned = -math.radians(round(figure.angle_deg + 180.0, 4))
    cosine, sine, middle = math.cos(turned), math.sin(turned), (side - 1) / 2
    # Where the object comes to lie, a little more all around.
    across, down = border[:, 0] + (left - middle), border[:, 1] + (top - middle)
    reach_x = min(middle, np.abs(across * cosine + down * sine).max() + _MARGIN_PX)
    reach_y = min(middle, np.abs(down * cosine - across * sine).max() + _MARGIN_PX)
    columns = np.arange(math.floor(middle - reach_x), side - math.floor(middle - reach_x))
    rows = np.arange(math.floor(middle - reach_y), side - math.floor(middle - reach_y))
    # x and y of each pixel before the turn are sums of what its column and its row give, in ImageJ's order.
    x = columns * cosine, (middle * sine - middle * cosine) - rows * sine + middle
    y = columns * sine, (-middle * sine - middle * cosine) + rows * cosine + middle
    place = np.array([[cosine, -sine, x[0][0] + x[1][0] - square.left], [sine, cosine, y[0][0] + y[1][0] - square.top]])
    seen = _turned_roughly(square, place, (len(columns), len(rows)))
    mixed = np.flatnonzero(seen == _MIXED)
    row, column = np.divmod(mixed, len(columns))
    edges = _interpolated(square, x[0][column] + x[1][row], y[0][column] + y[1][row])
    seen.ravel()[mixed] = edges
    return _Lying(seen=seen, side=side, edges=edges)


def _turned_roughly(square: _Square, place: Float64Array, size: tuple[int, int]) -> UInt8Array:
    """0 or 255 where all pixels around a place are alike, so that only the others, a tenth, need to be computed as ImageJ does.

    OpenCV computes places less exactly, but never half a pixel off: the four pixels to interpolate between are its nearest one and some
    of the eight around that. (Half a pixel beyond the square's last one ImageJ goes back to the two before, but the farther of them
    then weighs a thousandth, which is no grey.)

    Args:
        square: what is turned.
        place: (2, 3), from x and y in what is seen to those in `square.ink`.
        size: width and height of what is seen.
    """
    inked = np.asarray(cv2.boxFilter(square.ink, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT), np.uint8)
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(cv2.LUT(inked, _GREY_OF_NINE), place, size, flags=flags), np.uint8)


def _interpolated(square: _Square, x: Float64Array, y: Float64Array) -> UInt8Array:
    """(N,) uint8, the greys between four pixels, rounded; 0 beyond the square.

    Args:
        square: what is turned.
        x, y: (N,), places in the square.
    """
    there = (x >= -0.01) & (y >= -0.01) & (x < square.side) & (y < square.side)
    x, y = np.clip(x, 0, square.side - 1.001), np.clip(y, 0, square.side - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    flat, wide = square.ink.ravel(), square.ink.shape[1]
    place = (row - square.top) * wide + (column - square.left)
    right, down = x - column, y - row
    corner = [flat[place + step] * float(_INK) for step in (0, 1, wide, wide + 1)]
    upper = corner[0] + right * (corner[1] - corner[0])
    lower = corner[2] + right * (corner[3] - corner[2])
    return np.asarray((upper + down * (lower - upper) + 0.5) * there, np.uint8)


def _symmetry(lying: _Lying, area_px: int) -> Symmetry:
    """The second mirror image is made black and white before it is laid over the first picture, which stays grey at its edges."""
    seen = lying.seen
    same_across = lying.around + np.count_nonzero(seen == seen[:, ::-1])
    upright = cv2.threshold(seen, _threshold(lying.edges) - 1, _INK, cv2.THRESH_BINARY)[1]
    same_down = lying.around + np.count_nonzero(seen == upright[::-1])
    return Symmetry(left_right=same_across / 2 / area_px, top_down=same_down / 2 / area_px)


def _threshold(greys: UInt8Array) -> int:
    """The grey half way between the means of those below and above it, black and white left out (`getAutoThreshold`)."""
    counts = np.bincount(greys, minlength=256).astype(np.float64)
    counts[[0, _INK]] = 0
    there = np.flatnonzero(counts)
    if len(there) < 2:
        return 128
    lowest, highest = int(there[0]), int(there[-1])
    number, weight = counts.cumsum(), (counts * np.arange(256)).cumsum()
    # For every grey that may be the last of those below.
    below = np.arange(lowest, highest)
    mean_below, mean_above = weight[below] / number[below], (weight[highest] - weight[below]) / (number[highest] - number[below])
    middle = (mean_below + mean_above) / 2
    ends = (below + 2 > middle) | (below + 1 >= highest - 1)
    return math.floor(float(middle[ends.argmax()]) + 0.5)


def _thickness_ratio(columns: UInt8Array) -> float:
    """Greatest over mean thickness of the columns that the object's outline crosses twice; the last such column is only counted."""
    steps = np.abs(np.diff(columns.astype(np.int16), axis=0)) > _STEP_OF_EDGE
    crossed = steps[:, np.count_nonzero(steps, axis=0) >= 2]
    if not crossed.size:
        return 1.0
    first = crossed.argmax(axis=0)
    crossed[first, np.arange(crossed.shape[1])] = False
    thick = (crossed.argmax(axis=0) - first)[:-1]
    if not thick.sum():
        return 1.0
    return float(thick.max() / (thick.sum() / crossed.shape[1]))
