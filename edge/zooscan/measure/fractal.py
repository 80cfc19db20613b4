"""The fractal dimension of outlines: how the ribbon along them grows with its width. Many objects at once.

The macro draws the object without its holes in the middle of a canvas four times as large (twice, from 200 pixels each way) and takes
ImageJ's distance map of it and of what it leaves free: chamfer distances (Borgefors 1986, CVGIP 34, 344-371) with steps of 41, 58 and
92, rounded to pixels of 41. A(k) is how many pixels lie within k of the outline; the dimension is 2 less the slope of ln A over ln 2k,
taken as the ratio of their standard deviations.

A shortest way may take its steps in any order, so those along the row can all come first: distances along rows are had for all pixels at
once, and what is left are two sweeps, each row built upon the two before it only. A row here is that of many objects side by side, in one
piece of memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.zooscan.particle import BoolArray, Particle
from models.runtime.vision import cv2

Float64Array = NDArray[np.float64]
UInt16Array = NDArray[np.uint16]

_ONE, _SQRT2, _SQRT5 = 41, 58, 92
_WIDTHS_PX = np.array(sorted({round(1.1**power) for power in range(1, 41)}))
_FARTHEST_PX = int(_WIDTHS_PX[-1])
_FAR = _ONE * (_FARTHEST_PX + 3)
# Lengths of steps along a row that together reach every pixel as far as it matters.
_REACHES_PX = (1, 2, 4, 8, 16, 32)
# Half a unit below the first distance that counts as a pixel, so that none lies on the edge of a bin.
_BINS_BEGIN = _ONE - _ONE // 2 - 0.5
_LARGE_PX = 200
_TOGETHER_PX = 8_000_000
_STEP_PX = 16
_AROUND = 2
_CACHED_PX = 60_000


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Pixels of which some are to be as far away as their distance from the others says.

    Attributes:
        number: of the object.
        far: (H, W) bool, pixels whose distance is wanted; the others have none.
        margin: columns before and after the others, if there are any: so many more are wanted between two canvases as are missing.
    """

    number: int
    far: BoolArray
    margin: int


def fractal_dimensions(particles: list[Particle]) -> Float64Array:
    """(N,): the dimension of each object's outline, between 1 and 2."""
    counts = np.zeros((len(particles), _FARTHEST_PX + 1))
    # What lies around the inner pixels is near, what lies around the outer ones is far: they are not laid side by side.
    for canvases, is_near in (
        ([_inside(number, one.holed) for number, one in enumerate(particles)], True),
        ([_outside(number, one.holed) for number, one in enumerate(particles)], False),
    ):
        for together in _alike(canvases):
            for canvas, found in zip(together, _counts_by_distance(together, around_is_near=is_near), strict=True):
                counts[canvas.number, 1:] += found
    areas = counts.cumsum(axis=1)[:, _WIDTHS_PX]
    return np.asarray(2.0 - np.log(areas).std(axis=1, ddof=1) / np.log(2.0 * _WIDTHS_PX).std(ddof=1))


def _inside(number: int, holed: BoolArray) -> _Canvas:
    """The object's own pixels; what lies farther out than its next neighbours is nearest to none of them."""
    return _Canvas(number, np.pad(holed, 1), _FARTHEST_PX + 1)


def _outside(number: int, holed: BoolArray) -> _Canvas:
    """What the object leaves free of its canvas, as far as it matters."""
    times = 2 if min(holed.shape) >= _LARGE_PX else 4
    margins = [_margins(side, times) for side in holed.shape]
    return _Canvas(number, np.pad(~holed, margins, constant_values=True), min(margins[1]))


def _margins(side: int, times: int) -> tuple[int, int]:
    """Pixels of the canvas before and after the object, as far as they matter."""
    free = (times - 1) * side
    return min(free // 2, _FARTHEST_PX + 1), min(free - free // 2, _FARTHEST_PX + 1)


def _alike(canvases: list[_Canvas]) -> Iterator[list[_Canvas]]:
    """Groups of canvases of about one size, none larger than fits the processor's cache."""
    together: list[_Canvas] = []
    height = width = 0
    for canvas in sorted(canvases, key=lambda one: (one.far.shape[0] // _STEP_PX, one.far.shape[1])):
        height, width = max(height, canvas.far.shape[0]), max(width, canvas.far.shape[1])
        if together and height * width * (len(together) + 1) > _TOGETHER_PX:
            yield together
            together, (height, width) = [], canvas.far.shape
        together.append(canvas)
    if together:
        yield together


def _counts_by_distance(together: list[_Canvas], *, around_is_near: bool) -> Iterator[Float64Array]:
    """For each canvas (45,) how many of its pixels are 1, 2 ... pixels away."""
    height, width = max(one.far.shape[0] for one in together), max(one.far.shape[1] for one in together)
    width += max(0, _FARTHEST_PX + 1 - min(one.margin for one in together))
    distance = np.full((height + 2 * _AROUND, len(together) * width + 2 * _AROUND), _FAR, np.uint16)
    rows = distance[_AROUND:-_AROUND]
    if around_is_near:
        rows[:, _AROUND:-_AROUND] = 0
    for place, one in enumerate(together):
        _part(rows, place * width, one)[:] = one.far * np.uint16(_FAR)
    _along_rows(rows)
    _sweep(distance)
    _sweep(distance[::-1])
    for place, one in enumerate(together):
        seen = _part(rows, place * width, one)
        bins = [_BINS_BEGIN, _BINS_BEGIN + _ONE * _FARTHEST_PX]
        yield cv2.calcHist([seen], [0], None, [_FARTHEST_PX], bins).ravel().astype(np.float64)


def _part(rows: UInt16Array, begin: int, canvas: _Canvas) -> UInt16Array:
    """A canvas's own piece of the rows."""
    height, width = canvas.far.shape
    return rows[:height, _AROUND + begin : _AROUND + begin + width]


def _along_rows(rows: UInt16Array) -> None:
    """From what is near and far, how far it is within each row."""
    together = max(1, _CACHED_PX // rows.shape[1])
    farther = np.empty((together, rows.shape[1]), np.uint16)
    for top in range(0, len(rows), together):
        some = rows[top : top + together]
        far = farther[: len(some)]
        for reach in _REACHES_PX:
            np.add(some, _ONE * reach, out=far)
            np.minimum(some[:, reach:], far[:, :-reach], out=some[:, reach:])
            np.minimum(some[:, :-reach], far[:, reach:], out=some[:, :-reach])


def _sweep(distance: UInt16Array) -> None:
    """Carry distances down; what is around is left as it is.

    Canvases lie side by side without anything between: where what is around them is far, their margins keep one's pixels as far from the
    other's as matters; where it is near, it is nearer than any other canvas's.
    """
    near = np.empty(distance.shape[1] - 2 * _AROUND, np.uint16)
    far = np.empty_like(near)
    for y in range(_AROUND, len(distance) - _AROUND):
        row, above, second = distance[y, 2:-2], distance[y - 1], distance[y - 2]
        np.minimum(above[:-4], above[4:], out=far)
        np.minimum(far, second[1:-3], out=far)
        np.minimum(far, second[3:-1], out=far)
        np.add(far, _SQRT5, out=far)
        np.minimum(above[1:-3], above[3:-1], out=near)
        np.add(near, _SQRT2, out=near)
        np.minimum(far, near, out=far)
        np.add(above[2:-2], _ONE, out=near)
        np.minimum(far, near, out=far)
        np.minimum(row, far, out=row)
