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

from edge.values import UInt8Array
from edge.zooscan.particle import BoolArray, Particle
from models.runtime.vision import cv2

Float64Array = NDArray[np.float64]
UInt16Array = NDArray[np.uint16]

_ONE, _SQRT2, _SQRT5 = 41, 58, 92
_WIDTHS_PX = np.array(sorted({round(1.1**power) for power in range(1, 41)}))
_FARTHEST_PX = int(_WIDTHS_PX[-1])
_FAR_PX = _FARTHEST_PX + 3
_FAR = _ONE * _FAR_PX
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
        rows, columns: of the canvas before and after them: of what is around them, as far as it matters.
        around_is_far: whether the distance of what is around them is wanted too.
    """

    number: int
    far: BoolArray
    rows: tuple[int, int]
    columns: tuple[int, int]
    around_is_far: bool

    @property
    def height(self) -> int:
        """Of the canvas, pixels."""
        return int(self.far.shape[0]) + sum(self.rows)

    @property
    def width(self) -> int:
        """Of the canvas, pixels."""
        return int(self.far.shape[1]) + sum(self.columns)

    @property
    def gap(self) -> int:
        """Columns that are missing to keep it apart from the next one, if what is around is far."""
        return max(0, _FARTHEST_PX + 1 - min(self.columns)) if self.around_is_far else 0


def fractal_dimensions(particles: list[Particle]) -> Float64Array:
    """(N,): the dimension of each object's outline, between 1 and 2."""
    counts = np.zeros((len(particles), _FARTHEST_PX + 1))
    # On their longer side there are fewer rows, and more of them of about one number.
    lying = [one.holed if one.height_px <= one.width_px else one.holed.T for one in particles]
    # What lies around the inner pixels is near, what lies around the outer ones is far: they are not laid side by side.
    for canvases in ([_inside(number, holed) for number, holed in enumerate(lying)], [_outside(*one) for one in enumerate(lying)]):
        for together in _alike(canvases):
            for canvas, found in zip(together, _counts_by_distance(together), strict=True):
                counts[canvas.number, 1:] += found
    areas = counts.cumsum(axis=1)[:, _WIDTHS_PX]
    return np.asarray(2.0 - np.log(areas).std(axis=1, ddof=1) / np.log(2.0 * _WIDTHS_PX).std(ddof=1))


def _inside(number: int, holed: BoolArray) -> _Canvas:
    """The object's own pixels; what lies farther out than its next neighbours is nearest to none of them."""
    return _Canvas(number, holed, (1, 1), (1, 1), around_is_far=False)


def _outside(number: int, holed: BoolArray) -> _Canvas:
    """What the object leaves free of its canvas, as far as it matters."""
    times = 2 if min(holed.shape) >= _LARGE_PX else 4
    rows, columns = (_margins(side, times) for side in holed.shape)
    return _Canvas(number, ~holed, rows, columns, around_is_far=True)


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
            together, (height, width) = [], (canvas.height, canvas.width)
        together.append(canvas)
    if together:
        yield together


def _counts_by_distance(together: list[_Canvas]) -> Iterator[Float64Array]:
    """For each canvas (45,) how many of its pixels are 1, 2 ... pixels away."""
    height, width = max(one.height for one in together), max(one.width for one in together) + max(one.gap for one in together)
    steps = np.full((height, len(together) * width), _FAR_PX if together[0].around_is_far else 0, np.uint8)
    for place, one in enumerate(together):
        top, left = one.rows[0], one.columns[0] + place * width
        object_height, object_width = one.far.shape
        np.multiply(one.far, np.uint8(_FAR_PX), out=steps[top : top + object_height, left : left + object_width])
    _along_rows(steps)
    distance = np.full((height + 2 * _AROUND, steps.shape[1] + 2 * _AROUND), _FAR, np.uint16)
    rows = distance[_AROUND:-_AROUND, _AROUND:-_AROUND]
    np.multiply(steps, np.uint16(_ONE), out=rows)
    _sweep(distance)
    _sweep(distance[::-1])
    for place, one in enumerate(together):
        seen = rows[: one.height, place * width : place * width + one.width]
        bins = [_BINS_BEGIN, _BINS_BEGIN + _ONE * _FARTHEST_PX]
        yield cv2.calcHist([seen], [0], None, [_FARTHEST_PX], bins).ravel().astype(np.float64)


def _along_rows(rows: UInt8Array) -> None:
    """From what is near and far, how far it is within each row, in pixels: half the memory to move of what their distances take."""
    together = max(1, _CACHED_PX // rows.shape[1])
    farther = np.empty((together, rows.shape[1]), np.uint8)
    for top in range(0, len(rows), together):
        some = rows[top : top + together]
        far = farther[: len(some)]
        for reach in _REACHES_PX:
            np.add(some, np.uint8(reach), out=far)
            np.minimum(some[:, reach:], far[:, :-reach], out=some[:, reach:])
            np.minimum(some[:, :-reach], far[:, reach:], out=some[:, :-reach])


def _sweep(distance: UInt16Array) -> None:
    """Carry distances down; what is around is left as it is.

    Canvases lie side by side without anything between: where what is around them is far, their margins keep one's pixels as far from the
    other's as matters; where it is near, it is nearer than any other canvas's.
    """
    reach = distance.shape[1] - 2 * _AROUND
    near, far, beside = (np.empty(reach, np.uint16) for _ in range(3))
    beside_second = np.full(reach, _FAR, np.uint16)
    rows = distance[_AROUND:-_AROUND, _AROUND:-_AROUND]
    shifted = [distance[_AROUND - 1 : -_AROUND - 1, begin : begin + reach] for begin in range(2 * _AROUND + 1)]
    for row, left_2, left, above, right, right_2 in zip(rows, *shifted, strict=True):
        np.minimum(left_2, right_2, out=far)
        np.minimum(far, beside_second, out=far)
        np.add(far, _SQRT5, out=far)
        np.minimum(left, right, out=beside)
        np.add(beside, _SQRT2, out=near)
        np.minimum(far, near, out=far)
        np.add(above, _ONE, out=near)
        np.minimum(far, near, out=far)
        np.minimum(row, far, out=row)
        beside, beside_second = beside_second, beside  # what lies beside above here lies beside the second above next
