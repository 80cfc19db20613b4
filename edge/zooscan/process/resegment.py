"""An object cut by lines: what is left of it, found without looking at the rest of the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge.values import Int32Array, UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY, BoolArray, Particle
from edge.zooscan.process.keys import Box
from edge.zooscan.process.values import UInt16Array
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

_MARGIN_PX = 1


def filled_of(box: Box, outline: UInt16Array | Int32Array) -> BoolArray:
    """(H, W) bool, the pixels of an object with its holes.

    Args:
        box: where it lies.
        outline: (N, 2), x and y in the box of the pixels of its outer border.
    """
    filled = np.zeros((box.height_px, box.width_px), np.uint8)
    cv2.drawContours(filled, [outline.astype(np.int32).reshape(-1, 1, 2)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def resegment(
    clean: UInt8Array, box: Box, outline: UInt16Array | Int32Array, line_pixels: Int32Array, settings: SegmentSettings
) -> list[Particle]:
    """The objects that an object becomes when pixels of it are made white.

    Only its own pixels and its holes are looked at, so that the answer is what segmenting the whole scan with these lines would give
    there: what lies in its holes was no object before and may become one.

    Args:
        clean: (H, W) uint8, the clean picture, without lines.
        box: of the object.
        outline: (N, 2), x and y in the box of the pixels of its outer border.
        line_pixels: (N, 2) int32, x and y in the clean picture; those elsewhere change nothing.
        settings: what is an object.

    Returns:
        By the row and column of their first pixel; none if nothing large enough is left.
    """
    seen = clean[box.y_px : box.y_px + box.height_px, box.x_px : box.x_px + box.width_px]
    own = np.where(filled_of(box, outline), seen, np.uint8(BACKGROUND_GREY))
    x, y = line_pixels[:, 0] - box.x_px, line_pixels[:, 1] - box.y_px
    here = (x >= 0) & (x < box.width_px) & (y >= 0) & (y < box.height_px)
    own[y[here], x[here]] = BACKGROUND_GREY
    # What touches the box's edge touches not the scan's.
    alone = np.pad(own, _MARGIN_PX, constant_values=BACKGROUND_GREY)
    left, top = box.x_px - _MARGIN_PX, box.y_px - _MARGIN_PX
    return [replace(part, x_px=part.x_px + left, y_px=part.y_px + top) for part in find_particles(alone, settings)]
