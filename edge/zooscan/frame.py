"""The transparent frame that holds the sample: found by its shadow, and cleared away.

From well inside, strips are looked at one after the other on the way out until one is darker than the glass. Each side has a place of
its own where the strips lie. Domain: Zooprocess 8, section a4 (`Zooscan_1asep`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge.values import UInt8Array
from edge.zooscan.strips import in_strips

SIDES = ("left", "top", "right", "bottom")
_STRIPS_PER_INCH = 240
_REFERENCE_STRIPS = 10
_WHITE, _BLACK = 255, 0
GAP_PX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLimits:
    """What lies within the frame, in pixels of the scan. A side that shows no frame has the scan's own limit.

    Attributes:
        left, top: the first column and row within.
        right, bottom: the column and row on which the frame begins.
        width, height: of the scan they were found on.
    """

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int

    @property
    def kept_width(self) -> int:
        """Columns that are kept: a tenth of what lies right of the frame stays; all of them where no frame was seen there."""
        return self.right + (self.width - self.right) // 10 if self.right < self.width else self.width

    @property
    def missing(self) -> tuple[str, ...]:
        """The sides on which no frame was seen."""
        seen = {"left": self.left > 0, "top": self.top > 0, "right": self.right < self.width, "bottom": self.bottom < self.height}
        return tuple(side for side, there in seen.items() if not there)


def find_frame(scan: UInt8Array, resolution_dpi: float, darker: float = 0.9) -> FrameLimits:
    """Look for the frame's four sides.

    Args:
        scan: (H, W) uint8, upright, before the background is taken away.
        resolution_dpi: of the scan.
        darker: the share of the glass's grey below which a strip is frame (`greytaux`).
    """
    height, width = scan.shape
    step = _rounded(resolution_dpi / _STRIPS_PER_INCH)
    rows = slice(int(height / 4), int(height / 4) + int(height * 0.25))
    middle_rows = slice(int(height / 2 - height * 0.125), int(height / 2 - height * 0.125) + int(height * 0.25))
    columns = slice(int(width / 6), int(width / 6) + int(width * 0.15))
    upper_columns = slice(int(width / 2 - width * 0.25), int(width / 2 - width * 0.25) + int(width * 0.2))

    def upright(part: slice) -> Callable[[int, int], float]:
        return lambda begin, end: float(scan[part, begin:end].mean())

    def lying(part: slice) -> Callable[[int, int], float]:
        return lambda begin, end: float(scan[begin:end, part].mean())

    right = _edge(upright(rows), max(width * 0.75, width - resolution_dpi / 2), width, step, darker)
    left = _edge(upright(middle_rows), width * 0.05, width, -step, darker)
    bottom = _edge(lying(columns), height * 0.95, height, step, darker)
    top = _edge(lying(upper_columns), height * 0.05, height, -step, darker)
    return FrameLimits(
        left=0 if left is None else left,
        top=0 if top is None else top,
        right=width if right is None else right,
        bottom=height if bottom is None else bottom,
        width=width,
        height=height,
    )


def clear_frame(image: UInt8Array, limits: FrameLimits) -> UInt8Array:
    """The scan within its frame, white outside, a black line on each side that was seen.

    The lines have a gap, so that they are no outline with everything inside it.

    Args:
        image: (H, W) uint8, the background taken away; is written to.
        limits: of its frame.

    Returns:
        (H, W') uint8, the part of the picture up to `FrameLimits.kept_width`.
    """
    kept = image[:, : min(limits.kept_width, image.shape[1])]
    height, width = kept.shape
    kept[:, : limits.left] = _WHITE
    kept[:, limits.right :] = _WHITE
    kept[: limits.top] = _WHITE
    kept[limits.bottom :] = _WHITE
    for column, seen in ((limits.right, limits.right < width), (limits.left, limits.left > 0)):
        if seen:
            kept[: height // 4 + 1, column] = _BLACK
            kept[height // 4 + GAP_PX :, column] = _BLACK
    for row, seen in ((limits.bottom, limits.bottom < height), (limits.top, limits.top > 0)):
        if seen:
            kept[row, : width // 4 + 1] = _BLACK
            kept[row, width // 4 + GAP_PX :] = _BLACK
    return kept


def _edge(mean: Callable[[int, int], float], begin: float, side: int, step: int, darker: float) -> int | None:
    """Where the frame begins on one way out, or None where none is met.

    Args:
        mean: mean grey between two places along the way.
        begin: where the way begins.
        side: pixels of the whole way.
        step: pixels of a strip, negative towards 0.
        darker: see `find_frame`.
    """
    thick = abs(step)
    limit = _rounded(mean(int(begin), int(begin) + _REFERENCE_STRIPS * thick) * darker)
    place = begin
    while 0 <= place < side:
        if mean(int(place), min(int(place) + thick, side)) < limit:
            return _rounded(place - step)
        place += step
    return None


def _rounded(number: float) -> int:
    """What the macro's `parseInt` makes of a number: in ImageJ it rounds, halves upwards."""
    return math.floor(number + 0.5)


def black_share(image: UInt8Array, upper_grey: int, *, rows_together: int = 512, threads: int = 1) -> float:
    """Pixels that are objects' over those that are not: above 0.25 the threshold took the glass for objects, or too much was poured in."""

    def count(top: int, bottom: int) -> int:
        return int(np.count_nonzero(image[top:bottom] <= upper_grey))

    black = sum(in_strips(count, 0, image.shape[0], rows_together, threads))
    return black / max(1, image.size - black)
