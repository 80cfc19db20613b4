"""Rectangles in which nothing is to be found, such as burnt-in text.

The recorder burns its text into the rows that the sensor gave, and stores those rows; EXIF orientation only says how to hold
the picture. So a band along the top of the stored image lies along the right edge of a picture that was turned a quarter to
the right, and that is where it is masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.pipeline.facts import stored_size_px
from edge.pipeline.plan import Mask
from edge.values import Detections, ImageFacts, UInt8Array
from models.runtime.vision import cv2

SURROUND_PX = 8  # width of the frame around a mask whose mean it is painted with


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedArea:
    """A mask cut to an image: pixels of the full image, half open, not empty."""

    x_min_px: int
    y_min_px: int
    x_max_px: int
    y_max_px: int

    def scaled(self, shape: tuple[int, ...], facts: ImageFacts) -> tuple[slice, slice]:
        """Rows and columns in an array of that shape (h, w, ...) that shows the image, rounded outwards."""
        y_scale, x_scale = shape[0] / facts.height_px, shape[1] / facts.width_px
        rows = slice(int(self.y_min_px * y_scale), int(np.ceil(self.y_max_px * y_scale)))
        columns = slice(int(self.x_min_px * x_scale), int(np.ceil(self.x_max_px * x_scale)))
        return rows, columns


def masked_areas(masks: Sequence[Mask], facts: ImageFacts) -> tuple[MaskedArea, ...]:
    """The masks of a recipe as areas of the upright image, cut to it; those wholly outside are left out."""
    width_px, height_px = stored_size_px(facts)
    areas = []
    for mask in masks:
        x_min_px, y_min_px = max(0, mask.x_min_px), max(0, mask.y_min_px)
        x_max_px = width_px if mask.x_max_px is None else min(mask.x_max_px, width_px)
        y_max_px = height_px if mask.y_max_px is None else min(mask.y_max_px, height_px)
        if x_min_px < x_max_px and y_min_px < y_max_px:
            stored = MaskedArea(x_min_px=x_min_px, y_min_px=y_min_px, x_max_px=x_max_px, y_max_px=y_max_px)
            areas.append(_upright(stored, width_px, height_px, facts.orientation))
    return tuple(areas)


def _upright(area: MaskedArea, width_px: int, height_px: int, orientation: int) -> MaskedArea:
    """Where an area of a stored image of that size lies once it is turned upright (EXIF 2.32, 4.6.4.A, Orientation)."""
    left, top, right, bottom = area.x_min_px, area.y_min_px, area.x_max_px, area.y_max_px
    if orientation in (2, 3, 7, 8):  # stored columns run from right to left, or from bottom to top
        left, right = width_px - right, width_px - left
    if orientation in (3, 4, 6, 7):  # stored rows run from bottom to top, or from right to left
        top, bottom = height_px - bottom, height_px - top
    if orientation >= 5:  # stored rows are columns
        left, top, right, bottom = top, left, bottom, right
    return MaskedArea(x_min_px=left, y_min_px=top, x_max_px=right, y_max_px=bottom)


def paint(image: UInt8Array, areas: Sequence[MaskedArea], facts: ImageFacts) -> None:
    """Paint the areas, in place, with the mean colour of a frame around them.

    Args:
        image: (h, w, 3) uint8, the image at full or reduced size.
    """
    for area in areas:
        rows, columns = area.scaled(image.shape, facts)
        corner, end = (columns.start, rows.start), (columns.stop - 1, rows.stop - 1)
        cv2.rectangle(image, corner, end, _surround_mean(image, rows, columns), cv2.FILLED)


def outside(detections: Detections, areas: Sequence[MaskedArea]) -> Detections:
    """The detections, in pixels of the full image, whose centre lies in none of the areas."""
    if not areas or len(detections) == 0:
        return detections
    centre = (detections.xyxy[:, :2] + detections.xyxy[:, 2:]) / 2
    free: NDArray[np.bool_] = np.ones(len(detections), np.bool_)
    for area in areas:
        in_x = (centre[:, 0] >= area.x_min_px) & (centre[:, 0] < area.x_max_px)
        in_y = (centre[:, 1] >= area.y_min_px) & (centre[:, 1] < area.y_max_px)
        free &= ~(in_x & in_y)
    return detections.select(free)


def _surround_mean(image: UInt8Array, rows: slice, columns: slice) -> tuple[int, int, int]:
    """Mean colour of the frame around a rectangle; of the rectangle itself where it covers the whole image."""
    top, left = max(0, rows.start - SURROUND_PX), max(0, columns.start - SURROUND_PX)
    frame = image[top : rows.stop + SURROUND_PX, left : columns.stop + SURROUND_PX]
    inside = image[rows, columns]
    total, count = np.array(cv2.sumElems(frame)), frame.shape[0] * frame.shape[1]
    if frame.shape != inside.shape:
        # The larger rectangle without the smaller one, instead of four strips.
        total, count = total - cv2.sumElems(inside), count - inside.shape[0] * inside.shape[1]
    blue, green, red, _ = (round(value / count) for value in total.tolist())
    return blue, green, red
