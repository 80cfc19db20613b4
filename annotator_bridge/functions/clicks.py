"""What somebody asks an outline with: places that belong to the object, places that do not, and a box around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator_bridge.functions.checked import Box

Point = tuple[float, float]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """Pixels of the picture, origin top left; all of them lie in it. At least one place inside, or a box."""

    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()
    box: Box | None = None


def pixel_of(point: Point, width_px: int, height_px: int) -> tuple[int, int]:
    """The column and row of the pixel that a place lies in."""
    return min(int(point[0]), width_px - 1), min(int(point[1]), height_px - 1)


def extent(mask: BoolArray) -> tuple[slice, slice]:
    """The rows and columns of a mask (H, W) in which there is anything, and one more on each side; all of it where there is nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2), slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2)
