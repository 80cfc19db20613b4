"""The fractal dimension of outlines: how the ribbon along them grows with its width. Many objects at once.

The macro draws the object without its holes in the middle of a canvas four times as large (twice, from 200 pixels each way) and takes
ImageJ's distance map of it and of what it leaves free: chamfer distances (Borgefors 1986, CVGIP 34, 344-371) with steps of 41, 58 and
92, rounded to pixels of 41. A(k) is how many pixels lie within k of the outline; the dimension is 2 less the slope of ln A over ln 2k,
taken as the ratio of their standard deviations.

Distances need a sweep down and a sweep up, each row built upon the two before it. A row here is that of many objects side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.zooscan.particle import BoolArray, Particle
from models.runtime.vision import cv2

Float64Array = NDArray[np.float64]
IntArray = NDArray[np.signedinteger]

_ONE, _SQRT2, _SQRT5 = 41, 58, 92
_HALF = _ONE // 2
_WIDTHS_PX = np.array(sorted({round(1.1**power) for power in range(1, 41)}))
_FARTHEST_PX = int(_WIDTHS_PX[-1])
_FAR = _ONE * (_FARTHEST_PX + 3)
_LARGE_PX = 200
_TOGETHER_PX = 500_000
_STEP_PX = 16


@dataclass(frozen=True, slots=True)
class _Canvas:
    """As much of an object's canvas as lies within the farthest distance of it.

    Attributes:
        number: of the object.
        holed: (H, W) bool, the object without its holes.
        above, left: pixels of the canvas before the object's box.
        height, width: pixels of the canvas.
    """

    number: int
    holed: BoolArray
    above: int
    left: int
    height: int
    width: int


def fractal_dimensions(particles: list[Particle]) -> Float64Array:
    """(N,): the dimension of each object's outline, between 1 and 2."""
    dimension = np.full(len(particles), np.nan)
    canvases = [_canvas(number, one.holed) for number, one in enumerate(particles)]
    for together in _alike(canvases):
        for canvas, areas in zip(together, _ribbon_areas(together), strict=True):
            dimension[canvas.number] = 2.0 - np.log(areas).std(ddof=1) / np.log(2.0 * _WIDTHS_PX).std(ddof=1)
    return dimension


def _canvas(number: int, holed: BoolArray) -> _Canvas:
    height, width = holed.shape
    times = 2 if min(height, width) >= _LARGE_PX else 4
    above, below = _margins(height, times)
    left, right = _margins(width, times)
    return _Canvas(number, holed, above, left, above + height + below, left + width + right)


def _margins(side: int, times: int) -> tuple[int, int]:
    """Pixels of the canvas before and after the object, as far as they matter."""
    free = (times - 1) * side
    return min(free // 2, _FARTHEST_PX + 1), min(free - free // 2, _FARTHEST_PX + 1)


def _alike(canvases: list[_Canvas]) -> Iterator[list[_Canvas]]:
    """Groups of canvases of about one size, none larger than fits the processor's cache."""
    together: list[_Canvas] = []
    height = width = 0
    for canvas in sorted(canvases, key=lambda one: (one.height // _STEP_PX, one.width)):
        height, width = max(height, canvas.height), max(width, canvas.width)
        if together and height * width * (len(together) + 1) > _TOGETHER_PX:
            yield together
            together, height, width = [], canvas.height, canvas.width
        together.append(canvas)
    if together:
        yield together


def _ribbon_areas(together: list[_Canvas]) -> Iterator[Float64Array]:
    """For each canvas (K,) pixels within each width of the outline."""
    count = len(together)
    height, width = max(one.height for one in together), max(one.width for one in together)
    # The first half: how far pixels of the object are from what is free; the second: how far the free ones are from the object. Two
    # columns and rows around are never reached.
    kind = np.int16 if (width + 4) * _ONE + _FAR < np.iinfo(np.int16).max else np.int32
    distance = np.full((height + 4, 2 * count, width + 4), _FAR, kind)
    for place, one in enumerate(together):
        free = np.ones((one.height, one.width), np.bool_)
        high, wide = one.holed.shape
        free[one.above : one.above + high, one.left : one.left + wide] = ~one.holed
        distance[2 : 2 + one.height, place, 2 : 2 + one.width][free] = 0
        distance[2 : 2 + one.height, count + place, 2 : 2 + one.width][~free] = 0
    _sweep(distance)
    _sweep(distance[::-1, :, ::-1])
    for place, one in enumerate(together):
        box = (slice(2, 2 + one.height), slice(2, 2 + one.width))
        both = distance[:, place][box] + distance[:, count + place][box]
        pixels = np.minimum((both + _HALF) // _ONE, 255).astype(np.uint8)
        counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel()
        yield counts.cumsum(dtype=np.float64)[_WIDTHS_PX]


def _sweep(distance: IntArray) -> None:
    """Carry distances down and to the right; the border of two is left as it is."""
    along = np.arange(distance.shape[2] - 4, dtype=distance.dtype) * distance.dtype.type(_ONE)
    for y in range(2, len(distance) - 2):
        row, above, second = distance[y, :, 2:-2], distance[y - 1], distance[y - 2]
        near = np.minimum(above[:, 1:-3], above[:, 3:-1]) + _SQRT2
        far = np.minimum(np.minimum(above[:, :-4], above[:, 4:]), np.minimum(second[:, 1:-3], second[:, 3:-1])) + _SQRT5
        np.minimum(row, np.minimum(np.minimum(near, far), above[:, 2:-2] + _ONE), out=row)
        row -= along
        np.minimum.accumulate(row, axis=1, out=row)
        row += along
