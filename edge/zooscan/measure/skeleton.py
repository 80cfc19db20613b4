"""The area of an object's skeleton, as ImageJ 1.41o thins it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.zooscan.particle import BoolArray
from models.runtime.vision import cv2

UInt16Array = NDArray[np.uint16]

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
# A block is two by two pixels. The four by four pixels in and around it, numbered by their bits in the order of rows, say what it
# becomes: one look-up for four pixels. Of a block sixteen bits are kept too: those in the middle are itself, the others are the same four
# pixels again, each where a block beside it needs it, so that neighbours are put together by masks, without shifts.
_SIDE = 4
_MIDDLE_COLUMNS, _FIRST_COLUMN, _LAST_COLUMN = np.array(0x6666, np.uint16), np.array(0x1111, np.uint16), np.array(0x8888, np.uint16)
_MIDDLE_ROWS, _FIRST_ROW, _LAST_ROW = np.array(0x0FF0, np.uint16), np.array(0x000F, np.uint16), np.array(0xF000, np.uint16)
# Where the pixels of a block are kept, its first row first.
_PIXELS = (0xA0A0, 0x5050, 0x0A0A, 0x0505)
# Steps to the neighbours, down and across, in the order of the table's bits.
_CLOCKWISE = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_AROUND_PX = 2


def _becomes(goes_for: int) -> UInt16Array:
    """(1, 65536) uint16: what is kept of a block after a pass, by the number of the four by four pixels around it."""
    number = np.arange(1 << _SIDE * _SIDE)
    stays = np.array([not int(digit) & goes_for for digit in _TABLE])
    kept = np.zeros(len(number), np.uint16)
    for (row, column), places in zip(np.ndindex(2, 2), _PIXELS, strict=True):
        bit = _SIDE * (row + 1) + column + 1
        around = sum(((number >> bit + _SIDE * down + across) & 1) << at for at, (down, across) in enumerate(_CLOCKWISE))
        kept[((number >> bit) & 1).astype(np.bool_) & stays[around]] |= np.uint16(places)
    return kept.reshape(1, -1)


_BECOMES = (_becomes(1), _becomes(2))


def skeleton_area_px(holed: BoolArray) -> int:
    """Pixels that are left of an object when an odd pass finds nothing more.

    Args:
        holed: (H, W) bool, the object without its holes.
    """
    thinning = _Thinning(holed)
    while True:
        thinning.thin(_BECOMES[0])
        before = thinning.blocks.tobytes()  # compared in a quarter of the time that arrays take
        thinning.thin(_BECOMES[1])
        if thinning.blocks.tobytes() == before:
            return int(np.bitwise_count(thinning.blocks & _MIDDLE_COLUMNS & _MIDDLE_ROWS).sum())


class _Thinning:
    """An object that is thinned; rows of blocks one after the other, so that each neighbour is a constant step away.

    Attributes:
        blocks: (N,) uint16, what is kept of each block.
    """

    def __init__(self, holed: BoolArray) -> None:
        ends = (_AROUND_PX + side % 2 for side in holed.shape)
        below, right = ends
        padded = cv2.copyMakeBorder(holed.view(np.uint8), _AROUND_PX, below, _AROUND_PX, right, cv2.BORDER_CONSTANT)
        planes = (padded[row::2, column::2] for row, column in np.ndindex(2, 2))
        kept = np.asarray(sum(plane * np.uint16(places) for plane, places in zip(planes, _PIXELS, strict=True)), np.uint16)
        self.blocks = kept.ravel()
        self._row, self._around, self._part = (np.zeros_like(self.blocks) for _ in range(3))
        self._table_in, self._table_out = self._around.reshape(1, -1), self.blocks.reshape(1, -1)
        # What comes after and before, in a row and in a column: made once, for a pass takes some microseconds only.
        row, around, part, wide = self._row, self._around, self._part, kept.shape[1]
        self._from_left, self._from_right = (row[1:], part[:-1]), (row[:-1], part[1:])
        self._from_above, self._from_below = (around[wide:], part[:-wide]), (around[:-wide], part[wide:])

    def thin(self, becomes: UInt16Array) -> None:
        """Take away what goes in one pass."""
        np.bitwise_and(self.blocks, _MIDDLE_COLUMNS, out=self._row)
        np.bitwise_and(self.blocks, _FIRST_COLUMN, out=self._part)
        np.bitwise_or(*self._from_left, out=self._from_left[0])
        np.bitwise_and(self.blocks, _LAST_COLUMN, out=self._part)
        np.bitwise_or(*self._from_right, out=self._from_right[0])
        np.bitwise_and(self._row, _MIDDLE_ROWS, out=self._around)
        np.bitwise_and(self._row, _FIRST_ROW, out=self._part)
        np.bitwise_or(*self._from_above, out=self._from_above[0])
        np.bitwise_and(self._row, _LAST_ROW, out=self._part)
        np.bitwise_or(*self._from_below, out=self._from_below[0])
        cv2.LUT(self._table_in, becomes, dst=self._table_out)
