"""What somebody asks an outline with: places that belong to the object, places that do not, and a box around it."""

from __future__ import annotations

from dataclasses import dataclass

from annotator_bridge.functions.checked import Box

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """Pixels of the picture, origin top left; all of them lie in it. At least one place inside, or a box."""

    inside: tuple[Point, ...] = ()
    outside: tuple[Point, ...] = ()
    box: Box | None = None


def pixel_of(point: Point, width_px: int, height_px: int) -> tuple[int, int]:
    """The column and row of the pixel that a place lies in."""
    return min(int(point[0]), width_px - 1), min(int(point[1]), height_px - 1)
