"""What a shape of CVAT covers of its frame: the smallest upright box, in pixels, half open.

As read in cvat/apps/engine/models.py and cvat-sdk's masks: a rectangle is `x1,y1,x2,y2` and turns about its middle; an ellipse is its
centre, the x of its right end and the y of its upper end; a mask is run lengths (of background first) of its box, whose four last numbers
are its left, top, right and bottom pixel, all four included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_LEAST = {"polygon": 6, "polyline": 4, "points": 2, "mask": 5}
_EXACTLY = {"rectangle": 4, "ellipse": 4, "cuboid": 16}
_MASK_BOX = 4


class Box(NamedTuple):
    """Edges in pixels of the frame, half open."""

    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float


def problem_of(shape: str, points: Sequence[float]) -> str:
    """Why coordinates (finite numbers) cannot be those of a shape, in words; empty if they can."""
    count = len(points)
    exactly = _EXACTLY.get(shape)
    if exactly is not None and count != exactly:
        return f"a {shape} has {exactly} numbers, not {count}"
    if count < _LEAST.get(shape, 0) or (shape in ("polygon", "polyline", "points") and count % 2):
        return f"a {shape} cannot have {count} numbers"
    return _mask_problem(points) if shape == "mask" else ""


def _mask_problem(points: Sequence[float]) -> str:
    left, top, right, bottom = points[-_MASK_BOX:]
    if not all(float(value).is_integer() for value in points) or right < left or bottom < top:
        return "a mask has a box that is none"
    covered = (right - left + 1) * (bottom - top + 1)
    runs = points[:-_MASK_BOX]
    if any(run < 0 for run in runs) or sum(runs) != covered:
        return f"a mask has {sum(runs):.0f} pixels in a box of {covered:.0f}"
    return ""


def bounds_of(shape: str, points: Sequence[float], rotation_deg: float = 0.0) -> Box | None:
    """The box of a shape whose coordinates have no problem; None of a tag and of a skeleton without points."""
    if not points:
        return None
    if shape == "mask":
        left, top, right, bottom = points[-_MASK_BOX:]
        return Box(left, top, right + 1, bottom + 1)
    if shape == "ellipse":
        return _ellipse(points, rotation_deg)
    if shape == "rectangle":
        return _rectangle(points, rotation_deg)
    return _around(points[0::2], points[1::2])


def _around(xs: Sequence[float], ys: Sequence[float]) -> Box:
    return Box(min(xs), min(ys), max(xs), max(ys))


def _rectangle(points: Sequence[float], rotation_deg: float) -> Box:
    box = _around(points[0::2], points[1::2])
    if not rotation_deg % 180:
        return box
    cos, sin = abs(math.cos(math.radians(rotation_deg))), abs(math.sin(math.radians(rotation_deg)))
    half_width, half_height = (box.x_max_px - box.x_min_px) / 2, (box.y_max_px - box.y_min_px) / 2
    x, y = (box.x_min_px + box.x_max_px) / 2, (box.y_min_px + box.y_max_px) / 2
    across, down = half_width * cos + half_height * sin, half_width * sin + half_height * cos
    return Box(x - across, y - down, x + across, y + down)


def _ellipse(points: Sequence[float], rotation_deg: float) -> Box:
    x, y, right, top = points
    cos, sin = math.cos(math.radians(rotation_deg)), math.sin(math.radians(rotation_deg))
    across = math.hypot((right - x) * cos, (y - top) * sin)
    down = math.hypot((right - x) * sin, (y - top) * cos)
    return Box(x - across, y - down, x + across, y + down)
