"""From the scanner's 16 bits to the 8 bits that everything is measured in.

The window of greys follows from the scan's own median, so that two scans of differently bright glass can be compared.
Domain: Zooprocess 8, sections a1 (`lut.txt`) and a2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from edge.zooscan.strips import in_strips
from models.runtime.vision import cv2

UInt16Array = NDArray[np.uint16]
# The rows of a raw scan from one to before another, (rows, W) uint16.
ReadRows = Callable[[int, int], UInt16Array]

_LEVELS = 65536
_SLICES = 20
_ROWS_TOGETHER = 128
_SIDE, _TOP, _HIGH = 0.03, 0.05, 0.93


@dataclass(frozen=True, slots=True, kw_only=True)
class GreySettings:
    """How greys are spread, from the project's `lut.txt`.

    Attributes:
        od_range: optical density from the darkest grey to the glass (`odrange`).
        ratio: how much brighter than the glass white is (`ratio`).
    """

    od_range: float = 1.8
    ratio: float = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class GreyWindow:
    """Which 16-bit greys become 0 and 255.

    Attributes:
        median: of the glass, 16-bit grey.
        darkest, brightest: the ends of the window.
    """

    median: float
    darkest: int
    brightest: int


def find_window(read_rows: ReadRows, height: int, width: int, settings: GreySettings, *, threads: int = 1) -> GreyWindow:
    """Look at the middle of a raw scan, as it came from the scanner.

    Args:
        read_rows: gives the scan's rows.
        height, width: of the raw scan, pixels.
        settings: how greys are spread.
        threads: how many look at a time.
    """
    left, right, begin = int(_SIDE * width), int((1 - _SIDE) * width), int(_TOP * height)
    step = max(1, math.floor(_HIGH * height / _SLICES))
    # Slices as long as one begins above the end; the last one may reach beyond it.
    slices = max(1, math.ceil((_HIGH * height + step - begin) / step))

    def median_of(top: int, bottom: int) -> int:
        # A few rows at a time stay in the processor's cache.
        pieces = (read_rows(begin, min(begin + _ROWS_TOGETHER, bottom)) for begin in range(top, bottom, _ROWS_TOGETHER))
        return _median(piece[:, left:right] for piece in pieces)

    medians = in_strips(median_of, begin, min(begin + slices * step, height), step, threads)
    median = sum(medians) / len(medians)
    brightest = min(_LEVELS, math.floor(median * settings.ratio))
    darkest = math.floor(median / (10**settings.od_range * settings.ratio))
    return GreyWindow(median=median, darkest=darkest, brightest=brightest)


def grey_table(window: GreyWindow) -> UInt8Array:
    """(65536,) uint8: the 8-bit grey of each 16-bit one."""
    clipped = np.clip(np.arange(_LEVELS), window.darkest, window.brightest) - window.darkest
    spread = clipped * (256.0 / (window.brightest - window.darkest + 1)) + 0.5
    return np.minimum(spread.astype(np.int64), 255).astype(np.uint8)


def convert_upright(
    read_rows: ReadRows, height: int, width: int, table: UInt8Array, *, rows_together: int = _ROWS_TOGETHER, threads: int = 1
) -> UInt8Array:
    """The whole scan in 8 bits, turned as Zooprocess turns it: a quarter clockwise and then upside down.

    Args:
        read_rows: gives the raw scan's rows.
        height, width: of the raw scan, pixels.
        table: see `grey_table`.
        rows_together: how many raw rows a thread holds at a time.
        threads: how many convert at a time.

    Returns:
        (width, height) uint8: the raw scan's last row is its first column, read from the right.
    """
    upright = np.empty((width, height), np.uint8)

    def convert(top: int, bottom: int) -> None:
        turned = cv2.flip(cv2.LUT(read_rows(top, bottom), table), -1)
        cv2.transpose(turned, dst=upright[:, height - bottom : height - top])

    in_strips(convert, 0, height, rows_together, threads)
    return upright


def _median(pieces: Iterable[UInt16Array]) -> int:
    """The first grey that more than half of the pixels do not exceed, as ImageJ takes it."""
    counts = np.zeros(_LEVELS)
    for greys in pieces:
        counts += cv2.calcHist([greys], [0], None, [_LEVELS], [0, _LEVELS]).ravel()
    return int((2 * counts.cumsum() > counts.sum()).argmax())
