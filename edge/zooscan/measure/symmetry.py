"""How much an object is like its mirror image, and how evenly thick it is.

As the macro has it: the object is laid with its major axis along x in a square of 1.2 times the diagonal of its box, interpolated, and
laid over its mirror images. Pixels of the same grey are counted, those of the background too, so that the figure is not a share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from edge.zooscan.measure.shape import Figure, figure_of
from edge.zooscan.particle import BoolArray
from models.runtime.vision import cv2

_SQUARE = 1.2
_INK = 255
_COLUMN_EVERY_MM = 0.1
_STEP_OF_EDGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetry:
    """Half of the pixels that are the same in the object's image and its mirror image, over its area.

    Attributes:
        left_right: mirrored at the minor axis (`symetrieh`).
        top_down: mirrored at the major axis (`symetriev`).
    """

    left_right: float
    top_down: float


def symmetry_and_thickness(holed: BoolArray, figure: Figure, pixel_mm: float) -> tuple[Symmetry, float]:
    """Symmetry of the object without its holes, and `thickr`, its greatest thickness over the mean.

    Args:
        holed: (H, W) bool, the object without its holes.
        figure: of the object with its holes.
        pixel_mm: side of a pixel.
    """
    lying = _laid_along(holed, figure)
    every = max(1, math.floor(_COLUMN_EVERY_MM / pixel_mm))
    return _symmetry(lying, figure.area_px), _thickness_ratio(lying[:, ::every])


def symmetry_of_dark(alone: UInt8Array, grey: int) -> Symmetry:
    """Symmetry of the largest patch that is not brighter than a grey (`symetriehc`, `symetrievc`).

    Args:
        alone: (H, W) uint8, the object with white around it and in its holes.
        grey: `histcum3` of the object.
    """
    dark = (alone <= grey).view(np.uint8)
    chains, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    best: tuple[int, UInt8Array, BoolArray] | None = None
    # ImageJ finds patches row by row, and of equal ones the first counts.
    for chain in sorted(chains, key=lambda one: (int(one[0, 0, 1]), int(one[0, 0, 0]))):
        left, top, width, height = cv2.boundingRect(chain)
        if best is not None and width * height <= best[0]:
            continue
        filled = np.zeros((height, width), np.uint8)
        cv2.drawContours(filled, [chain], -1, 1, cv2.FILLED, offset=(-left, -top))
        area = int(cv2.countNonZero(filled))
        if best is None or area > best[0]:
            best = (area, filled, dark[top : top + height, left : left + width].astype(np.bool_))
    if best is None:
        return Symmetry(left_right=math.nan, top_down=math.nan)
    area, filled, patch = best
    figure = figure_of(filled)
    return _symmetry(_laid_along(patch & filled.view(np.bool_), figure), figure.area_px)


def _laid_along(holed: BoolArray, figure: Figure) -> UInt8Array:
    """(S, S) uint8: the object, 255 on 0, turned about the middle so that its major axis lies along x (`ByteProcessor.rotate`)."""
    height, width = holed.shape
    diagonal = _SQUARE * math.hypot(width, height)
    side = int(diagonal)
    left, top = max(0, int(diagonal / 2 - figure.x)), max(0, int(diagonal / 2 - figure.y))
    paper = np.zeros((side + 1, side + 1), np.float64)
    pasted = holed[: side - top, : side - left]
    paper[top : top + pasted.shape[0], left : left + pasted.shape[1]] = pasted * float(_INK)
    # The macro passes the angle on as text of four decimals, half a turn added.
    turned = -math.radians(round(figure.angle_deg + 180.0, 4))
    cosine, sine, middle = math.cos(turned), math.sin(turned), (side - 1) / 2
    along = np.arange(side)
    # x and y of each pixel before the turn, summed up in ImageJ's order.
    x = (along * cosine)[None, :] + ((middle * sine - middle * cosine) - along * sine + middle)[:, None]
    y = (along * sine)[None, :] + ((-middle * sine - middle * cosine) + along * cosine + middle)[:, None]
    near = (x > left - 1) & (x < left + width) & (y > top - 1) & (y < top + height) & (x >= -0.01) & (y >= -0.01) & (x < side) & (y < side)
    lying = np.zeros((side, side), np.uint8)
    lying[near] = _interpolated(paper, np.clip(x[near], 0, side - 1.001), np.clip(y[near], 0, side - 1.001))
    return lying


def _interpolated(paper: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> UInt8Array:
    """Greys between four pixels, rounded."""
    column, row = x.astype(np.intp), y.astype(np.intp)
    right, down = x - column, y - row
    flat, place, wide = paper.ravel(), row * paper.shape[1] + column, paper.shape[1]
    upper = flat[place] + right * (flat[place + 1] - flat[place])
    lower = flat[place + wide] + right * (flat[place + wide + 1] - flat[place + wide])
    return np.asarray(upper + down * (lower - upper) + 0.5).astype(np.uint8)


def _symmetry(lying: UInt8Array, area_px: int) -> Symmetry:
    """The second mirror image is made black and white before it is laid over the first picture, which stays grey at its edges."""
    same_across = np.count_nonzero(lying == lying[:, ::-1])
    upright = np.where(lying >= _threshold(lying), np.uint8(_INK), np.uint8(0))
    same_down = np.count_nonzero(lying == upright[::-1])
    return Symmetry(left_right=same_across / 2 / area_px, top_down=same_down / 2 / area_px)


def _threshold(lying: UInt8Array) -> int:
    """The grey half way between the means of those below and above it, black and white left out (`getAutoThreshold`)."""
    counts = np.bincount(lying.ravel(), minlength=256)[:256].astype(np.float64)
    counts[[0, _INK]] = 0
    there = np.flatnonzero(counts)
    if len(there) < 2:
        return 128
    at, highest = int(there[0]), int(there[-1])
    number: list[float] = counts.cumsum().tolist()
    weight: list[float] = (counts * np.arange(256)).cumsum().tolist()
    while True:
        middle = (weight[at] / number[at] + (weight[highest] - weight[at]) / (number[highest] - number[at])) / 2
        at += 1
        if at + 1 > middle or at >= highest - 1:
            return math.floor(middle + 0.5)


def _thickness_ratio(columns: UInt8Array) -> float:
    """Greatest over mean thickness of the columns that the object's outline crosses twice; the last such column is only counted."""
    steps = np.abs(np.diff(columns.astype(np.int16), axis=0)) > _STEP_OF_EDGE
    crossed = steps[:, np.count_nonzero(steps, axis=0) >= 2]
    if not crossed.size:
        return 1.0
    first = crossed.argmax(axis=0)
    crossed[first, np.arange(crossed.shape[1])] = False
    thick = (crossed.argmax(axis=0) - first)[:-1]
    if not thick.sum():
        return 1.0
    return float(thick.max() / (thick.sum() / crossed.shape[1]))
