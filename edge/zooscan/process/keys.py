"""What an object is called: by its place, so that the same pixels have the same name however often a scan is processed.

`x3A0y1F4w5Ch77` is the box of an object that the scan shows without any line, in the clean picture, upper-case hexadecimal: left, top,
width, height. No two of those share a box: both would reach all four of its sides, and one would have to cross the other. Parts of one
object, cut along one line and then along another, may: whatever is there because of a line has `p` and eight digits of its outline's
BLAKE2s behind it. A name never depends on which names were given before: what hangs on it, a decision or a category, must not be found on
other pixels because somebody drew another line meanwhile, nor on the part of what it was given to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from edge.zooscan.particle import Particle

_HASH_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where an object lies, pixels of the clean picture.

    Attributes:
        x_px, y_px: left and top.
        width_px, height_px: how large.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int

    def holds(self, other: Box) -> bool:
        """Whether another box lies in this one."""
        return (
            self.x_px <= other.x_px
            and self.y_px <= other.y_px
            and other.x_px + other.width_px <= self.x_px + self.width_px
            and other.y_px + other.height_px <= self.y_px + self.height_px
        )


def box_of(particle: Particle) -> Box:
    """Where an object lies."""
    return Box(x_px=particle.x_px, y_px=particle.y_px, width_px=particle.width_px, height_px=particle.height_px)


def key_of(particle: Particle) -> str:
    """What an object is called that no line made."""
    box = box_of(particle)
    return f"x{box.x_px:X}y{box.y_px:X}w{box.width_px:X}h{box.height_px:X}"


def part_key_of(particle: Particle) -> str:
    """What an object is called that is there because of a line: by its box and its outline."""
    outline = np.ascontiguousarray(particle.chain, "<u2").tobytes()
    return f"{key_of(particle)}p{hashlib.blake2s(outline, digest_size=_HASH_BYTES).hexdigest().upper()}"
