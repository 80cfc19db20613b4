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
_TOGETHER_PX = 2_000_000
_STEP_PX = 16


@dataclass(frozen=True, slots=True)
class _Canvas:
    """Pixels of which some are to be as far away as their distance from the others says.

    Attributes:
        number: of the object.
        far: (H, W) bool, pixels whose distance is wanted; the others have none.
    """

    number: int
    far: BoolArray


def fractal_dimensions(particles: list[Particle]) -> Float64Array:
    """(N,): the dimension of each object's outline, between 1 and 2."""
    canvases = [canvas for number, one in enumerate(particles) for canvas in (_inside(number, one.holed), _outside(number, one.holed))]
    counts = np.zeros((len(particles), _FARTHEST_PX + 1))
    for together in _alike(canvases):
        for canvas, found in zip(together, _counts_by_distance(together), strict=True):
            counts[canvas.number] += found
    areas = counts.cumsum(axis=1)[:, _WIDTHS_PX]
    return np.asarray(2.0 - np.log(areas).std(axis=1, ddof=1) / np.log(2.0 * _WIDTHS_PX).std(ddof=1))


def _inside(number: int, holed: BoolArray) -> _Canvas:
    """The object's own pixels; what lies farther out than its next neighbours is nearest to none of them."""
    return _Canvas(number, np.pad(holed, 1))


def _outside(number: int, holed: BoolArray) -> _Canvas:
    """What the object leaves free of its canvas, as far as it matters."""
    times = 2 if min(holed.shape) >= _LARGE_PX else 4
    return _Canvas(number, np.pad(~holed, [_margins(side, times) for side in holed.shape], constant_values=True))


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


def _counts_by_distance(together: list[_Canvas]) -> Iterator[Float64Array]:
    """For each canvas (K,) how many of its pixels are 1, 2 ... pixels away; those that have no distance are not counted."""
    height, width = max(one.far.shape[0] for one in together), max(one.far.shape[1] for one in together)
    kind = np.int16 if (width + 4) * _ONE + _FAR < np.iinfo(np.int16).max else np.int32
    # Two columns and rows around, and what is left of a smaller canvas, are never near anything.
    distance = np.full((height + 4, len(together), width + 4), _FAR, kind)
    for place, one in enumerate(together):
        distance[2 : 2 + one.far.shape[0], place, 2 : 2 + one.far.shape[1]][~one.far] = 0
    _sweep(distance)
    _sweep(distance[::-1, :, ::-1])
    pixels = ((distance[2:-2, :, 2:-2] + _HALF) // _ONE).astype(np.uint8)
    for place, one in enumerate(together):
        seen = np.ascontiguousarray(pixels[: one.far.shape[0], place, : one.far.shape[1]])
        counts = cv2.calcHist([seen], [0], None, [256], [0, 256]).ravel().astype(np.float64)
        counts[0] = 0
        yield counts[: _FARTHEST_PX + 1]


def _sweep(distance: IntArray) -> None:
    """Carry distances down and to the right; the border of two is left as it is."""
    along = np.arange(distance.shape[2] - 4, dtype=distance.dtype) * distance.dtype.type(_ONE)
    near, far = np.empty_like(distance[0, :, 2:-2]), np.empty_like(distance[0, :, 2:-2])
    for y in range(2, len(distance) - 2):
        row, above, second = distance[y, :, 2:-2], distance[y - 1], distance[y - 2]
        np.minimum(above[:, :-4], above[:, 4:], out=far)
        np.minimum(far, second[:, 1:-3], out=far)
        np.minimum(far, second[:, 3:-1], out=far)
        far += _SQRT5
        np.minimum(above[:, 1:-3], above[:, 3:-1], out=near)
        near += _SQRT2
        np.minimum(far, near, out=far)
        np.add(above[:, 2:-2], _ONE, out=near)
        np.minimum(far, near, out=far)
        np.minimum(row, far, out=row)
        row -= along
        np.minimum.accumulate(row, axis=1, out=row)
        row += along
