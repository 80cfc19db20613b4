"""Boxes of a picture: around points, cut to it, and how much of one lies in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotator_bridge.functions.checked import Box
from edge.footage import Float64Array


def around(flat: Sequence[float]) -> Box:
    """The box around points that are given as x, y, x, y, ...; at least one point."""
    return min(flat[0::2]), min(flat[1::2]), max(flat[0::2]), max(flat[1::2])


def clipped(box: Box, width_px: int, height_px: int) -> Box | None:
    """The part of a box that lies in the picture; None where there is none."""
    x_min, y_min, x_max, y_max = max(0.0, box[0]), max(0.0, box[1]), min(float(width_px), box[2]), min(float(height_px), box[3])
    return (x_min, y_min, x_max, y_max) if x_min < x_max and y_min < y_max else None


def share_inside(box: Box, width_px: int, height_px: int) -> float:
    """Share of a box's area that lies in the picture, 0..1."""
    part = clipped(box, width_px, height_px)
    if part is None:
        return 0.0
    return min(1.0, float(np.prod(sides_of(part)) / np.prod(sides_of(box))))


def centre_of(box: Box) -> Float64Array:
    """(2,) its middle."""
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def sides_of(box: Box) -> Float64Array:
    """(2,) its width and height."""
    return np.array([box[2] - box[0], box[3] - box[1]])


def box_at(centre: Float64Array, sides: Float64Array) -> Box:
    """The box of these sides (2,) around a middle (2,)."""
    low, high = centre - sides / 2, centre + sides / 2
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
