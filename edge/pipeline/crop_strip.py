"""Crops of several frames side by side in one picture: what a reviewer sees of an opening, frame after frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.errors import InputError, Reason
from edge.footage import Crop, StripWanted
from edge.pipeline.decode import check_pixels, decode, read_bytes, read_facts
from edge.values import UInt8Array
from models.runtime.vision import cv2

if TYPE_CHECKING:
    from edge.pipeline.video.exact import ClipFrames

MAX_STILL_BYTES = 512 * 1024 * 1024


def make_strip(clips: ClipFrames, wanted: StripWanted, *, max_pixels: int) -> UInt8Array:
    """The crops side by side, (tile, n x tile, 3) uint8 BGR.

    Raises:
        InputError: a file cannot be read, or nothing was asked for.
    """
    if not wanted.crops:
        raise InputError(Reason.NO_FRAMES, "no crop was asked for")
    tiles = [_tile(*_pixels(clips, one, max_pixels), one, wanted.tile_px) for one in wanted.crops]
    return np.ascontiguousarray(np.concatenate(tiles, axis=1))


def _pixels(clips: ClipFrames, crop: Crop, max_pixels: int) -> tuple[UInt8Array, float]:
    """The frame, and how much later than asked for it was taken, seconds."""
    if crop.at_s is not None:
        shown = clips.frame_at(crop.path, crop.at_s)
        return shown.pixels, shown.at_s - crop.at_s
    data = read_bytes(crop.path, max_file_bytes=MAX_STILL_BYTES)
    facts = read_facts(data, crop.path.name)
    check_pixels(facts, max_pixels)
    return decode(data, facts), 0.0


def _tile(pixels: UInt8Array, later_s: float, crop: Crop, tile_px: int) -> UInt8Array:
    """The square cut out, black where it reaches over the frame, at the size of a tile."""
    height, width = pixels.shape[:2]
    side = max(1, round(crop.side_px))
    x_px, y_px = (middle + drift * later_s for middle, drift in zip(crop.middle_px, crop.drift_px_per_s, strict=True))
    left, top = round(x_px - side / 2), round(y_px - side / 2)
    square = np.zeros((side, side, 3), np.uint8)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + side, width), min(top + side, height)
    if right > x and bottom > y:
        square[y - top : bottom - top, x - left : right - left] = pixels[y:bottom, x:right]
    way = cv2.INTER_AREA if side > tile_px else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (tile_px, tile_px), interpolation=way), np.uint8)
