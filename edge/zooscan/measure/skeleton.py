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
_BITS = np.array([[1, 2, 4], [128, 0, 8], [64, 32, 16]], np.float32)
_GOES = tuple(np.array([int(digit) & bit and 1 for digit in _TABLE], np.uint8) for bit in (1, 2))
_BORDER_PX = 2


def skeleton_area_px(holed: BoolArray) -> int:
    """Pixels that are left of an object when an odd pass finds nothing more.

    Args:
        holed: (H, W) bool, the object without its holes.
    """
    left: UInt8Array = np.pad(holed.view(np.uint8), _BORDER_PX)
    while True:
        _thin(left, _GOES[0])
        before = cv2.countNonZero(left)
        _thin(left, _GOES[1])
        if cv2.countNonZero(left) == before:
            return int(before)


def _thin(left: UInt8Array, goes: UInt8Array) -> None:
    """Take away what goes in one pass."""
    around = cv2.filter2D(left, cv2.CV_8U, _BITS, borderType=cv2.BORDER_CONSTANT)
    cv2.subtract(left, cv2.LUT(around, goes), dst=left)
