"""The outline of an object on a plain background: a vignette or a scan of plankton, a drawing, a sample in a dish.

The background is told by the histogram: one grey level, give or take its noise, fills much of the picture, which no seabed does (0.16
to 0.22 of the pixels within 6 levels on 100 stills; 0.30 to 0.96 on plankton). An object is what is darker than that, or brighter
if a bright place was clicked, and hangs together with the click, holes filled: so do ZooScan's own outlines come about. Where a click
outside lies on the same body, a watershed parts it from there (touching animals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator_bridge.functions.checked import Box
from annotator_bridge.functions.clicks import BoolArray, Clicks, Point, extent, pixel_of
from edge.values import UInt8Array
from edge.zooscan.watershed import flood
from models.runtime.vision import cv2

LEAST_SHARE = 0.27  # of the pixels that are background
NEAR_GREY = 6  # levels to either side
LOOK_PX = 512  # longer side of the picture in which the background is looked for
LEAST_OFF, MOST_OFF = 6.0, 40.0  # levels by which an object differs from the background
NOISES = 3.5
LEAST_AREA_PX = 9
NEAR_CLICK_PX = 8  # a click that misses an object by so much meant it
LEVELS = 40  # of the watershed


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A plain background: its grey level, and by how much an object differs from it, 8-bit levels."""

    grey: float
    off: float


def plain_background(grey: UInt8Array) -> Background | None:
    """The background of a picture (H, W) uint8; None where there is no plain one."""
    shrink = max(1, -(-max(grey.shape) // LOOK_PX))
    size = (max(1, grey.shape[1] // shrink), max(1, grey.shape[0] // shrink))
    small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    counts = np.bincount(small.ravel(), minlength=256).astype(np.float64)
    near = np.convolve(counts, np.ones(2 * NEAR_GREY + 1), "same")
    mode = int(near.argmax())
    if near[mode] < LEAST_SHARE * small.size:
        return None
    ground = grey[:: max(1, shrink // 2), :: max(1, shrink // 2)]
    around = ground[np.abs(ground.astype(np.int16) - mode) <= 3 * NEAR_GREY].astype(np.float32)
    level = float(np.median(around))
    noise = 1.4826 * float(np.median(np.abs(around - level)))
    return Background(grey=level, off=float(np.clip(NOISES * noise + LEAST_OFF, LEAST_OFF, MOST_OFF)))


def plain_mask(grey: UInt8Array, background: Background, clicks: Clicks) -> BoolArray | None:
    """What was clicked, (H, W) bool; None where nothing but background is near the clicks or in the box."""
    darker = _is_dark(grey, background, clicks)
    differs = grey < background.grey - background.off if darker else grey > background.grey + background.off
    objects = differs.astype(np.uint8)
    if clicks.box is not None:
        objects = _within(objects, clicks.box)
    body = _bodies(objects, clicks)
    if body is None:
        return None
    body = _filled(body)
    return _parted(body, clicks) if clicks.outside else body


def _is_dark(grey: UInt8Array, background: Background, clicks: Clicks) -> bool:
    """The object is darker than the background, as most are."""
    height, width = grey.shape
    if clicks.inside:
        off = []
        for point in clicks.inside:
            column, row = pixel_of(point, width, height)
            near = grey[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
            off.append(float(np.mean(near)) - background.grey)
        return max(off) <= background.off or min(off) < -background.off
    part = _part(grey, clicks.box).astype(np.float32) - background.grey
    return int(np.count_nonzero(part < -background.off)) >= int(np.count_nonzero(part > background.off))


def _part(grey: UInt8Array, box: Box | None) -> UInt8Array:
    assert box is not None
    left, top, right, bottom = int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3]))
    return grey[top:bottom, left:right]


def _within(objects: UInt8Array, box: Box) -> UInt8Array:
    """What lies in the box."""
    kept = np.zeros_like(objects)
    _part(kept, box)[:] = _part(objects, box)
    return kept


def _bodies(objects: UInt8Array, clicks: Clicks) -> BoolArray | None:
    """The bodies under the clicks; with a box alone the largest one in it."""
    if not clicks.inside:
        count, labels, stats, _ = cv2.connectedComponentsWithStats(_part(objects, clicks.box), connectivity=8)
        if count < 2 or stats[1:, cv2.CC_STAT_AREA].max() < LEAST_AREA_PX:
            return None
        whole = np.zeros(objects.shape, np.bool_)
        _part(whole.view(np.uint8), clicks.box)[:] = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
        return whole
    marked = objects.copy()
    for point in clicks.inside:
        seed = _seed(objects, point)
        if seed is not None and marked[seed[1], seed[0]] == 1:
            cv2.floodFill(marked, None, seed, 2, flags=8)
    body = marked == 2
    return body if np.count_nonzero(body) >= LEAST_AREA_PX else None


def _seed(objects: UInt8Array, point: Point) -> tuple[int, int] | None:
    """The pixel of an object at a click or, if it missed, the nearest one around."""
    height, width = objects.shape
    column, row = pixel_of(point, width, height)
    if objects[row, column]:
        return column, row
    top, left = max(0, row - NEAR_CLICK_PX), max(0, column - NEAR_CLICK_PX)
    rows, columns = np.nonzero(objects[top : row + NEAR_CLICK_PX + 1, left : column + NEAR_CLICK_PX + 1])
    if not len(rows):
        return None
    nearest = int(np.hypot(rows + top - row, columns + left - column).argmin())
    return int(columns[nearest]) + left, int(rows[nearest]) + top


def _filled(body: BoolArray) -> BoolArray:
    """The body without holes."""
    place = extent(body)
    contours, _ = cv2.findContours(np.ascontiguousarray(body[place]).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    part = np.zeros(body[place].shape, np.uint8)
    cv2.drawContours(part, contours, -1, 1, cv2.FILLED)
    filled = np.zeros_like(body)
    filled[place] = part.view(np.bool_)
    return filled


def _parted(body: BoolArray, clicks: Clicks) -> BoolArray:
    """The body without what belongs to clicks outside: a watershed of its thickness, with the clicks as its springs."""
    height, width = body.shape
    inside, outside = ([pixel_of(point, width, height) for point in some] for some in (clicks.inside, clicks.outside))
    if not inside or not any(body[row, column] for column, row in outside):
        return body
    place = extent(body)
    top, left = place[0].start, place[1].start
    part = np.ascontiguousarray(body[place])
    thickness = np.asarray(cv2.distanceTransform(part.view(np.uint8), cv2.DIST_L2, 5), np.float32)
    seeds = np.zeros(part.shape, np.int32)
    for number, some in ((1, inside), (2, outside)):
        for column, row in some:
            if 0 <= row - top < part.shape[0] and 0 <= column - left < part.shape[1]:
                seeds[row - top, column - left] = number
    step = max(1.0, float(thickness.max()) / LEVELS)
    kept = np.zeros_like(body)
    kept[place] = flood(thickness, seeds, step=step) == 1
    return kept
