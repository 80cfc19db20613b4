"""One object of a scan: where it lies, its greys, and which pixels are its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from edge.values import Int32Array, UInt8Array

BoolArray = NDArray[np.bool_]

# Zooprocess's `upper`: a pixel belongs to an object when its grey is not above it.
UPPER_GREY = 243
BACKGROUND_GREY = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Particle:
    """An object of a scan whose background was taken away: dark on white.

    Attributes:
        x_px, y_px: left and top of its box in the scan, pixels.
        grey: (H, W) uint8, its box of the scan; may hold parts of others.
        filled: (H, W) bool, its pixels with its holes.
        chain: (N, 2) int32, x and y in the box of the pixels of its outer border, 8-connected, clockwise as seen, the first one the
            leftmost of its top row; a pixel that the border passes twice is there twice.
        upper_grey: the largest grey of an object's pixel.
    """

    x_px: int
    y_px: int
    grey: UInt8Array
    filled: BoolArray
    chain: Int32Array
    upper_grey: int = UPPER_GREY

    @property
    def width_px(self) -> int:
        """Width of its box."""
        return int(self.grey.shape[1])

    @property
    def height_px(self) -> int:
        """Height of its box."""
        return int(self.grey.shape[0])

    @cached_property
    def holed(self) -> BoolArray:
        """(H, W) bool, its pixels without its holes."""
        return self.filled & (self.grey <= self.upper_grey)

    @cached_property
    def alone(self) -> UInt8Array:
        """(H, W) uint8, its greys with white around it and in its holes."""
        return np.where(self.holed, self.grey, np.uint8(BACKGROUND_GREY))
