"""What touches the black lines along the frame: things that lie across it, and a dark band that closes its gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edge.values import UInt8Array
from edge.zooscan.frame import GAP_PX, SIDES, FrameLimits
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

_LOOKED_PX = 256
_BELT_MM = 5.0
_WHITE = 255


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """One line along the frame, laid so that it is a row and what is within the frame lies below it.

    Attributes:
        side: of the frame.
        view: (H, W) uint8, a view of the picture.
        row: of the line.
        begin, end: where the frame's other lines cross it; what is before and after lies outside.
    """

    side: str
    view: UInt8Array
    row: int
    begin: int
    end: int


def is_closed(image: UInt8Array, limits: FrameLimits, upper_grey: int) -> bool:
    """Whether no light comes in through the gaps of the lines: all four sides are there, and something dark lies along each gap.

    Args:
        image: (H, W) uint8, see `clear_frame`.
        limits: of the frame.
        upper_grey: the largest grey of an object's pixel.
    """
    lines = list(_lines(image, limits))
    return len(lines) == len(SIDES) and not any(_is_open(line, upper_grey) for line in lines)


def things_across(image: UInt8Array, limits: FrameLimits, settings: SegmentSettings) -> dict[str, int]:
    """How many things touch the lines from within, by side: they hang together with the lines, and are no objects.

    Args:
        image: (H, W) uint8, see `clear_frame`.
        limits: of the frame.
        settings: what is an object; smaller things are not counted.
    """
    found = {}
    deep_px = round(_BELT_MM / settings.pixel_mm)
    for line in _lines(image, limits):
        belt = np.ascontiguousarray(line.view[line.row + 1 : line.row + 1 + deep_px, line.begin + 1 : line.end])
        touching = replace(settings, whole_only=False)
        count = sum(one.y_px == 0 for one in find_particles(belt, touching)) if belt.size else 0
        if count:
            found[line.side] = count
    return found


def _lines(image: UInt8Array, limits: FrameLimits) -> Iterator[_Line]:
    """The lines that were drawn."""
    height, width = image.shape
    seen = set(SIDES) - set(limits.missing)
    left, right = (limits.left if "left" in seen else -1), (limits.right if "right" in seen else width)
    top, bottom = (limits.top if "top" in seen else -1), (limits.bottom if "bottom" in seen else height)
    # Turned over or on its side, a picture is a view of itself.
    if "left" in seen and left < width:
        yield _Line(side="left", view=image.T, row=left, begin=top, end=bottom)
    if "top" in seen and top < height:
        yield _Line(side="top", view=image, row=top, begin=left, end=right)
    if "right" in seen and right < width:
        yield _Line(side="right", view=image[:, ::-1].T, row=width - 1 - right, begin=top, end=bottom)
    if "bottom" in seen and bottom < height:
        yield _Line(side="bottom", view=image[::-1], row=height - 1 - bottom, begin=left, end=right)


def _is_open(line: _Line, upper_grey: int) -> bool:
    """Whether a way over white pixels, by their edges, leads from the gap to the far side of what is looked at."""
    gap = line.view.shape[1] // 4 + GAP_PX // 2
    if not line.begin < gap < line.end:
        return False
    part = line.view[line.row : line.row + _LOOKED_PX, max(line.begin + 1, gap - _LOOKED_PX) : min(line.end, gap + _LOOKED_PX)]
    white = (np.ascontiguousarray(part) > upper_grey).view(np.uint8)
    _, labels = cv2.connectedComponents(white, connectivity=4)
    through = set(np.unique(labels[0])) - {0}
    return bool(through & set(np.unique(labels[-1])))
