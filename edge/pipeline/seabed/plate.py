"""A frame made ready for registration: small, grey, its light evened, and nothing in it that stands still on the glass.

What does not move with the seabed would be the best match of all, at no motion: the falloff of the lamps, burnt-in text, laser
dots, dirt on the window. The falloff goes with a high pass of the logarithm (light multiplies), text and dots are cut out, and what
is left of fixed patterns is learned while the sledge moves and taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.footage import Float64Array
from edge.pipeline.plan import Mask
from edge.values import UInt8Array
from models.runtime.vision import cv2

Float32Array = NDArray[np.float32]

WORK_WIDTH_PX = 480
LOG_OFFSET = 6.0  # grey levels: keeps the noise of the dark from becoming the strongest texture
HIGH_PASS_SHRINK = 3  # both sides of the usual 480 x 270 can be divided by it, which makes it quick
HIGH_PASS_PX = 9.0  # sigma at working size: openings (8 to 40 px) stay, light goes
GREY_PER_UNIT = 700.0  # 8-bit levels per unit of the logarithm: 1 % of reflectance is 7 levels
LASER_RADIUS = 0.022  # of the frame's width: core and halo
SURROUND_PX = 4
DARK_GREY = 12.0
PATTERN_SHARE = 1 / 25  # how much of a moving frame enters the fixed pattern
STRONG = 110.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """A frame at working size.

    Attributes:
        texture: (h, w) uint8, 128 where the seabed is plain.
        grey: (h, w) float32, grey levels as they were.
        usable: (h, w) uint8, 1 where the seabed can be seen at all, 0 in text, laser dots and darkness.
    """

    texture: UInt8Array
    grey: Float32Array
    usable: UInt8Array


class PlateMaker:
    """Makes plates of one camera's frames; keeps the fixed pattern of its glass.

    `size` is that of a plate; `to_pixels` (3, 3) takes coordinates centred on the frame, in units of half its width, to its pixels.
    """

    def __init__(self, width_px: int, height_px: int, masks: Sequence[Mask], *, channel: int) -> None:
        self.scale = min(1.0, WORK_WIDTH_PX / width_px)
        self.size = (round(width_px * self.scale), round(height_px * self.scale))
        # Coordinates are measured at the edges of pixels, OpenCV's at their middles; rows are scaled by what the rounded height gives.
        half, tall = self.size[0] / 2, width_px / 2 * self.size[1] / height_px
        self.to_pixels: Float64Array = np.array([[half, 0, self.size[0] / 2 - 0.5], [0, tall, self.size[1] / 2 - 0.5], [0, 0, 1.0]])
        self._free = _unmasked(self.size, self.scale, masks)
        self._channel = channel
        self._pattern = np.zeros((self.size[1], self.size[0]), np.float32)

    def make(self, image: UInt8Array, lasers: Sequence[tuple[float, float]]) -> Plate:
        """The plate of an image; `lasers` are the dots in it, pixels of the full frame."""
        grey = self._grey(image)
        usable = self._free.copy()
        radius_px = round(LASER_RADIUS * self.size[0])
        for x, y in lasers:
            cv2.circle(usable, (round(x * self.scale), round(y * self.scale)), radius_px, 0, cv2.FILLED)
        texture = _evened(grey, usable)
        usable[grey < DARK_GREY] = 0
        levels = np.clip((texture - self._pattern) * np.float32(GREY_PER_UNIT), -STRONG, STRONG)
        return Plate(texture=(levels + 128).astype(np.uint8), grey=grey, usable=usable)

    def learn(self, plate: Plate) -> None:
        """Take what is left in the plate of a frame that moved into the fixed pattern."""
        left = (plate.texture.astype(np.float32) - 128) / np.float32(GREY_PER_UNIT)
        self._pattern += np.float32(PATTERN_SHARE) * left * plate.usable

    def forget(self) -> None:
        """Another camera, or another cut of the footage."""
        self._pattern[:] = 0

    def _grey(self, image: UInt8Array) -> Float32Array:
        small = image if image.shape[1] == self.size[0] else cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.extractChannel(small, self._channel), np.float32)


def _evened(grey: Float32Array, usable: UInt8Array) -> Float32Array:
    """Logarithm of the grey level less its local mean over what is usable; 0 elsewhere."""
    logarithm = np.asarray(cv2.log(grey + np.float32(LOG_OFFSET)), np.float32)
    weight = usable.astype(np.float32)
    size = (max(2, grey.shape[1] // HIGH_PASS_SHRINK), max(2, grey.shape[0] // HIGH_PASS_SHRINK))
    level, share = (np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32) for part in (logarithm * weight, weight))
    near = np.maximum(_smooth(share), np.float32(0.05))
    low = _smooth(level) / near
    # Twice: at the edges of the frame a mean of sloping light is off, and what it is off by would stand still (Tukey's twicing).
    low = np.asarray(low + _smooth(np.asarray(level - low * share, np.float32)) / near, np.float32)
    mean = cv2.resize(low, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray((logarithm - mean) * weight, np.float32)


def _smooth(part: Float32Array) -> Float32Array:
    return np.asarray(cv2.GaussianBlur(part, (0, 0), HIGH_PASS_PX / HIGH_PASS_SHRINK), np.float32)


def _unmasked(size: tuple[int, int], scale: float, masks: Sequence[Mask]) -> UInt8Array:
    free = np.ones((size[1], size[0]), np.uint8)
    for mask in masks:
        right = size[0] if mask.x_max_px is None else int(np.ceil(mask.x_max_px * scale)) + SURROUND_PX
        bottom = size[1] if mask.y_max_px is None else int(np.ceil(mask.y_max_px * scale)) + SURROUND_PX
        left, top = (max(0, int(edge * scale) - SURROUND_PX) for edge in (mask.x_min_px, mask.y_min_px))
        free[top:bottom, left:right] = 0
    return free
