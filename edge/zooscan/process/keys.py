"""What an object is called: by its place, so that the same pixels have the same name however often a scan is processed.

`x3A0y1F4w5Ch77` is the box of the object in the clean picture, upper-case hexadecimal: left, top, width, height. Of two objects with the
same box the later one has `s` and the column of its first pixel in the box appended. A part never takes over the name of what it was
cut from, not even where the box is the same: a category that hangs on the whole must not be found on the part.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from edge.zooscan.particle import Particle

_KEY = re.compile(r"x([0-9A-F]+)y([0-9A-F]+)w([0-9A-F]+)h([0-9A-F]+)(?:s[0-9A-F]+)*")


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


def key_of(particle: Particle, taken: Container[str] = ()) -> str:
    """What an object is called, when some names are taken already."""
    box = box_of(particle)
    key = f"x{box.x_px:X}y{box.y_px:X}w{box.width_px:X}h{box.height_px:X}"
    while key in taken:
        key += f"s{int(particle.chain[0, 0]):X}"
    return key


def box_of_key(key: str) -> Box:
    """The box that a key names.

    Raises:
        ValueError: this is no key.
    """
    if (found := _KEY.fullmatch(key)) is None:
        raise ValueError(f"{key!r} is no key of an object")
    x_px, y_px, width_px, height_px = (int(number, 16) for number in found.groups())
    return Box(x_px=x_px, y_px=y_px, width_px=width_px, height_px=height_px)
