"""Watershed inside an object: every pixel belongs to the summit from which it is reached first when the water falls.

Height is the distance from the object's edge, so that summits are the middles of bodies and the waters meet in the necks between them.
Pixels are neighbours in eight directions (connectivity 2), as everywhere where objects are cut out.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.values import Float32Array, Int32Array
from edge.zooscan.particle import BoolArray
from models.runtime.vision import cv2

_Pixel = TypeVar("_Pixel", bound=np.generic)

_SQUARE = np.ones((3, 3), np.uint8)
_LABELS = 1 << 16
# Four of the eight directions to a neighbour; the other four are the same pairs seen from the other side.
_DIRECTIONS = ((0, 1), (1, -1), (1, 0), (1, 1))


def summits(height: Float32Array) -> Int32Array:
    """(H, W) int32: for each connected part of pixels that no neighbour towers above its number from 1, by first pixel; 0 elsewhere.

    Args:
        height: (H, W) float32; 0 is outside.
    """
    highest = (cv2.dilate(height, _SQUARE) <= height) & (height > 0)
    # Labels are numbered row by row, but a part may begin elsewhere than where it was numbered: any fixed order will do.
    _, numbered = cv2.connectedComponents(highest.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(numbered, np.int32)


def flood(height: Float32Array, seeds: Int32Array, *, step: float = 1.0) -> Int32Array:
    """Let seeds grow downhill over all that is higher than 0 and hangs together with them.

    Args:
        height: (H, W) float32; 0 is outside.
        seeds: (H, W) int32, numbers from 1 up to 65535, 0 elsewhere; seeds outside are dropped.
        step: heights within a step count as equal; there the nearer seed wins, and of two as near the larger number.

    Returns:
        (H, W) int32, the number of each pixel's seed; 0 outside and where no seed hangs together with.
    """
    labels = np.where(height > 0, seeds, 0).astype(np.uint16)
    reached = cv2.countNonZero(labels)
    for level in range(int(np.ceil(height.max() / step)), -1, -1):
        allowed = (height > level * step) if level else (height > 0)
        while True:
            free = (allowed & (labels == 0)).view(np.uint8)
            cv2.copyTo(cv2.dilate(labels, _SQUARE), free, dst=labels)
            before, reached = reached, cv2.countNonZero(labels)
            if reached == before:
                break
    return labels.astype(np.int32)


def passes(height: Float32Array, labels: Int32Array) -> dict[tuple[int, int], float]:
    """The highest way from one part to another: for each two that touch, smaller number first, its lowest height.

    Args:
        height: (H, W) float32.
        labels: (H, W) int32, 0 is no part.
    """
    pairs, lows = [], []
    for dy, dx in _DIRECTIONS:
        here, there = _pair(labels, dy, dx)
        touch = (here != there) & (here > 0) & (there > 0)
        one, other = here[touch], there[touch]
        pairs.append(np.minimum(one, other).astype(np.int64) * _LABELS + np.maximum(one, other))
        lows.append(np.minimum(*_pair(height, dy, dx))[touch])
    both, place = np.unique(np.concatenate(pairs), return_inverse=True)
    highest = np.zeros(len(both), np.float32)
    np.maximum.at(highest, place, np.concatenate(lows))
    return {divmod(pair, _LABELS): low for pair, low in zip(both.tolist(), highest.tolist(), strict=True)}


def between(labels: Int32Array) -> BoolArray:
    """(H, W) bool: pixels that touch a part with a larger number; without them no two parts hang together.

    Args:
        labels: (H, W) int32, 0 is no part.
    """
    edge = np.zeros(labels.shape, np.bool_)
    for dy, dx in _DIRECTIONS:
        here, there = _pair(labels, dy, dx)
        edge_here, edge_there = _pair(edge, dy, dx)
        touch = (here != there) & (here > 0) & (there > 0)
        edge_here |= touch & (here < there)
        edge_there |= touch & (there < here)
    return edge


def _pair(pixels: NDArray[_Pixel], dy: int, dx: int) -> tuple[NDArray[_Pixel], NDArray[_Pixel]]:
    """Two views of an array, each pixel of the one beside its neighbour in the other."""
    height, width = pixels.shape
    here = pixels[: height - dy, max(0, -dx) : width - max(0, dx)]
    there = pixels[dy:, max(0, dx) : width + min(0, dx)]
    return here, there
