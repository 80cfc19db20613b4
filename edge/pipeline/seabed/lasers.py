"""Finds laser dots in a frame, and the pair at the sides whose gap gives the scale.

A dot is a small round spot that stands out in the laser's colour: a pale core in a coloured halo, 25 grey levels where it is faint
(stills of 2023-05-31), above 70 where it is not, against 4 for what mud does by itself. Silt scatters a beam into a streak, and its
middle is not where the beam meets the seabed: spots that are not round are no dots. A pair is level and about the frame's middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge.footage import LaserPair
from edge.pipeline.plan import Mask
from edge.values import UInt8Array
from models.runtime.vision import cv2

LaserColour = Literal["red", "green"]
CHANNEL: dict[LaserColour, int] = {"red": 2, "green": 1}

LOOK_WIDTH_PX = 960
MOST_SPOTS = 8
LEAST_STRENGTH = 11.0  # grey levels of the colour above what is around it
HALF_WINDOW_PX = 30  # at LOOK_WIDTH_PX: a bright core is saturated and hollow, and a streak must be seen whole
APART_PX = 26
STREAK_PX = 90  # to either side
MOST_ELONGATED = 1.65  # ratio of the axes of the spot at half its height; 1.1 is usual
MOST_SPREAD_PX = 7.5  # standard deviation of the spot at half its height along its longer axis, at LOOK_WIDTH_PX; 4.6 is usual
MOST_UNLIKE = 1.42  # ratio of the spreads of a pair: a beam that silt scatters on one side is wider there
BACKGROUND_SHRINK = 4  # whole pixels of the usual 960 x 540 go into one: much quicker than parts of pixels
BACKGROUND_PX = 17  # when shrunk
# Of the frame's width; the gaps of the real stills are 0.49 to 0.68.
GAP_RANGE = (0.3, 0.85)
MOST_TILTED = 0.09  # rise over gap
MOST_OFF_MIDDLE = 0.12
LEAST_RATIO = 0.3  # of the weaker one's strength to the stronger one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A laser dot: its centre in pixels of the full frame, how far it stands out, grey levels of its colour, and how wide it is."""

    x_px: float
    y_px: float
    strength: float
    spread_px: float


def find_dots(image: UInt8Array, width_px: int, masks: Sequence[Mask], colour: LaserColour) -> list[Dot]:
    """The dots of a frame (h, w, 3) BGR, the strongest first; positions are those of a frame `width_px` wide."""
    small = _reduced(image)
    scale = small.shape[1] / width_px
    excess = _excess(small, colour)
    for mask in masks:
        right, bottom = (None if edge is None else int(np.ceil(edge * scale)) + 2 for edge in (mask.x_max_px, mask.y_max_px))
        excess[max(0, int(mask.y_min_px * scale) - 2) : bottom, max(0, int(mask.x_min_px * scale) - 2) : right] = 0
    searched, dots = excess.copy(), []
    for _ in range(MOST_SPOTS):
        _, peak, _, (column, row) = cv2.minMaxLoc(searched)
        if peak < LEAST_STRENGTH:
            break
        _take_out(searched, column, row, peak)
        spot = _round_spot(excess, column, row, peak)
        if spot is not None:
            x_px, y_px = (spot[0] + 0.5) / scale, (spot[1] + 0.5) / scale  # measured at the edges of pixels, as boxes are
            dots.append(Dot(x_px=x_px, y_px=y_px, strength=float(peak), spread_px=spot[2] / scale))
    return dots


def _take_out(searched: UInt8Array, column: int, row: int, peak: float) -> None:
    """Remove a spot, in place, as far as it reaches: the ends of a streak are no dots of their own."""
    top, left = max(0, row - STREAK_PX), max(0, column - STREAK_PX)
    part = searched[top : row + STREAK_PX + 1, left : column + STREAK_PX + 1]
    _, labels = cv2.connectedComponents((part >= max(LEAST_STRENGTH, peak / 4)).astype(np.uint8), connectivity=8)
    part[labels == labels[row - top, column - left]] = 0
    cv2.circle(searched, (column, row), APART_PX, 0, cv2.FILLED)


def pair_of(dots: Sequence[Dot], width_px: int) -> LaserPair | None:
    """The strongest two dots that can be the pair at the sides; None where no two can."""
    best: LaserPair | None = None
    for left in dots:
        for right in dots:
            pair = LaserPair(left_px=(left.x_px, left.y_px), right_px=(right.x_px, right.y_px), strength=min(left.strength, right.strength))
            if _alike(left, right) and _fits(pair, width_px) and (best is None or pair.strength > best.strength):
                best = pair
    return best


def _alike(left: Dot, right: Dot) -> bool:
    narrow, wide = sorted((left.spread_px, right.spread_px))
    weak, strong = sorted((left.strength, right.strength))
    return wide <= MOST_UNLIKE * narrow and weak >= LEAST_RATIO * strong


def _fits(pair: LaserPair, width_px: int) -> bool:
    gap_px = pair.right_px[0] - pair.left_px[0]
    level = abs(pair.right_px[1] - pair.left_px[1]) <= MOST_TILTED * gap_px
    middle = abs((pair.right_px[0] + pair.left_px[0]) / 2 - width_px / 2) <= MOST_OFF_MIDDLE * width_px
    wide = GAP_RANGE[0] * width_px <= gap_px <= GAP_RANGE[1] * width_px
    return wide and level and middle


def _reduced(image: UInt8Array) -> UInt8Array:
    height, width = image.shape[:2]
    if width <= LOOK_WIDTH_PX:
        return image
    return np.asarray(cv2.resize(image, (LOOK_WIDTH_PX, round(height * LOOK_WIDTH_PX / width)), interpolation=cv2.INTER_AREA), np.uint8)


def _excess(small: UInt8Array, colour: LaserColour) -> UInt8Array:
    """How far the laser's colour stands above the other two and above its surroundings, uint8."""
    planes = cv2.split(small)
    own = CHANNEL[colour]
    others = [plane for number, plane in enumerate(planes) if number != own]
    excess = cv2.blur(cv2.subtract(planes[own], cv2.max(*others)), (3, 3))
    size = (max(1, small.shape[1] // BACKGROUND_SHRINK), max(1, small.shape[0] // BACKGROUND_SHRINK))
    around = cv2.blur(cv2.resize(excess, size, interpolation=cv2.INTER_AREA), (BACKGROUND_PX, BACKGROUND_PX))
    return np.asarray(cv2.subtract(excess, cv2.resize(around, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_LINEAR)), np.uint8)


def _round_spot(excess: UInt8Array, column: int, row: int, peak: float) -> tuple[float, float, float] | None:
    """Centre x, y and spread of the spot around a peak; None where it is not round or too wide for a dot."""
    top, left = max(0, row - HALF_WINDOW_PX), max(0, column - HALF_WINDOW_PX)
    part = excess[top : row + HALF_WINDOW_PX + 1, left : column + HALF_WINDOW_PX + 1]
    _, labels = cv2.connectedComponents((part >= peak / 2).astype(np.uint8), connectivity=8)
    rows, columns = np.nonzero(labels == labels[row - top, column - left])
    weight = part[rows, columns].astype(np.float64)
    whole = weight.sum()
    x, y = (columns * weight).sum() / whole, (rows * weight).sum() / whole
    off = np.stack([columns - x, rows - y])
    # A pixel has a spread of its own: 1/12 along each axis.
    narrow, wide = np.linalg.eigvalsh((off * weight) @ off.T / whole + np.eye(2) / 12)
    if wide > MOST_ELONGATED**2 * narrow or wide > MOST_SPREAD_PX**2:
        return None
    return left + float(x), top + float(y), float(np.sqrt(wide))
