"""The area of an object's skeleton, as ImageJ 1.41o thins it."""

from __future__ import annotations

import numpy as np

from edge.values import UInt8Array
from edge.zooscan.particle import BoolArray
from models.runtime.vision import cv2

# Thinning after Zhang and Suen (1984, CACM 27, 236-239) with the table of ImageJ 1.41o (`BinaryProcessor.skeletonize`, public domain),
# which later versions changed. A digit per neighbourhood, numbered by its bits: top left 1, then clockwise 2, 4 ... 128. The pixel goes
# in even passes for 1, in odd ones for 2, in both for 3.
_TABLE = (
    "00010013003110130000000020203033"
    "00000000300000000000000020003022"
    "00000000000000000000000000000000"
    "20000000200020003000000030003020"
    "00310013000000010000000000000001"
    "31000000000000002000000000000000"
    "23130013000000010000000000000000"
    "23010001000000003301000022002000"
)
# Ours are numbered in the order of rows, without the pixel itself, as is quickly put together: the place of each bit in the table.
_PLACES = (0, 1, 2, 7, 3, 6, 5, 4)
_BORDER_PX = 2


def _stays(goes_for: int) -> UInt8Array:
    """(256,) uint8, by our number of the neighbourhood: 1 if a pixel stays in a pass."""
    ours = np.arange(256)
    table_number = sum(((ours >> bit) & 1) << place for bit, place in enumerate(_PLACES))
    goes = np.array([int(digit) & goes_for for digit in _TABLE])
    return np.asarray(goes[table_number] == 0, np.uint8)


_STAYS = (_stays(1), _stays(2))


def skeleton_area_px(holed: BoolArray) -> int:
    """Pixels that are left of an object when an odd pass finds nothing more.

    Args:
        holed: (H, W) bool, the object without its holes.
    """
    thinning = _Thinning(holed)
    while True:
        thinning.thin(_STAYS[0])
        before = thinning.area_px
        thinning.thin(_STAYS[1])
        if thinning.area_px == before:
            return before


class _Thinning:
    """An object that is thinned; rows one after the other, so that each neighbour is a constant step away."""

    def __init__(self, holed: BoolArray) -> None:
        padded = np.pad(holed.view(np.uint8), _BORDER_PX)
        self._left = left = padded.ravel()
        width = padded.shape[1]
        # Without a row and a pixel at both ends: these have not all neighbours, and are nothing.
        self._own = left[width + 1 : -width - 1]
        self._two, self._four = np.empty_like(left), np.empty_like(left)
        self._three = three = np.empty(len(left) - 2, np.uint8)
        self._around = np.empty(len(self._own), np.uint8)
        self._numbers, self._stays = self._around.reshape(1, -1), np.empty((1, len(self._own)), np.uint8)
        self._first, self._second, self._third = left[:-2], self._two[1:-1], self._four[2:]
        self._before, self._after = left[width:-width][:-2], self._two[width:-width][2:]
        self._above, self._below = three[: -2 * width], three[2 * width :]

    @property
    def area_px(self) -> int:
        """Pixels that are left."""
        return int(cv2.countNonZero(self._left))

    def thin(self, stays: UInt8Array) -> None:
        """Take away what goes in one pass."""
        np.add(self._left, self._left, out=self._two)
        np.add(self._two, self._two, out=self._four)
        # Left, middle and right of three in a row are 1, 2 and 4; the middle row has no middle.
        np.bitwise_or(self._first, self._second, out=self._three)
        np.bitwise_or(self._three, self._third, out=self._three)
        np.bitwise_or(self._before, self._after, out=self._around)
        np.multiply(self._around, 8, out=self._around)
        np.bitwise_or(self._around, self._above, out=self._around)
        np.multiply(self._three, 32, out=self._three)
        np.bitwise_or(self._around, self._below, out=self._around)
        cv2.LUT(self._numbers, stays, dst=self._stays)
        np.bitwise_and(self._own, self._stays[0], out=self._own)
