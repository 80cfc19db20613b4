"""Which images calibrate a quantised model: as different from each other as the data set allows, from every tow.

The ranges that 8 bits must cover come from these images; the first N of a folder are N stills of one tow in one light.

    described = describe(image)                      what an image looks like, 18 numbers
    chosen = choose_varied(described, tows, 300)     greedy k-centre in turns of the tows
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.values import UInt8Array
from models.runtime.vision import cv2

Floats = NDArray[np.float64]

_FINE_PX, _COARSE_PX = 320, 80  # longer sides at which texture is looked at
_GRID = 3
_TIE_DECIMALS = 9  # what differs by less is the same, and the first one is taken


def describe(image: UInt8Array) -> Floats:
    """What an image (H, W, 3) uint8 BGR looks like, (18,) float64.

    Brightness, contrast, the 5th, 50th and 95th percentile of the greys, the cast of the colours (blue and red against green),
    fine and coarse texture (spread of the Laplacian at two scales), and how brightness lies over a grid of 3 x 3.
    """
    fine = _shrunk(image, _FINE_PX)
    grey = np.asarray(cv2.cvtColor(fine, cv2.COLOR_BGR2GRAY), np.float32) / 255
    blue, green, red = (float(mean) / 255 for mean in fine.reshape(-1, 3).mean(axis=0))
    coarse = np.asarray(cv2.cvtColor(_shrunk(fine, _COARSE_PX), cv2.COLOR_BGR2GRAY), np.float32) / 255
    texture = [float(np.asarray(cv2.Laplacian(plane, cv2.CV_32F)).std()) for plane in (grey, coarse)]
    percentiles = np.percentile(grey, (5, 50, 95))
    grid = np.asarray(cv2.resize(grey, (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.float64).ravel() - float(grey.mean())
    return np.concatenate([[grey.mean(), grey.std()], percentiles, [blue - green, red - green], texture, grid]).astype(np.float64)


def choose_varied(described: Floats, groups: Sequence[str], count: int) -> tuple[int, ...]:
    """Indices of `count` images (all, where there are fewer) in the order in which they were chosen.

    Greedy k-centre (Gonzalez 1985, doi 10.1016/0304-3975(85)90224-5): the next image is the one farthest from all chosen so
    far, of those whose group has its turn; a group has its turn again when every other one had it or has no image left. The
    first is the image nearest to the mean. Columns are scaled to unit spread. The same input gives the same choice.

    Args:
        described: (N, D) of `describe`.
        groups: what the images were taken with, such as tows; (N,).
    """
    if len(described) != len(groups):
        raise ValueError(f"{len(described)} descriptions for {len(groups)} groups")
    total = len(described)
    if total == 0 or count <= 0:
        return ()
    scaled = _scaled(described)
    number_of = {group: number for number, group in enumerate(sorted(set(groups)))}
    group = np.array([number_of[name] for name in groups], np.int64)
    free = np.ones(total, np.bool_)
    has_turn = np.ones(len(number_of), np.bool_)
    # Nearness to the mean chooses the first image, distance to the chosen ones all others.
    distance = -np.linalg.norm(scaled, axis=1)
    chosen: list[int] = []
    while len(chosen) < min(count, total):
        candidates = np.flatnonzero(free & has_turn[group])
        if not candidates.size:
            has_turn[:] = True
            continue
        best = int(candidates[int(np.argmax(distance[candidates].round(_TIE_DECIMALS)))])
        away = np.linalg.norm(scaled - scaled[best], axis=1)
        distance = away if not chosen else np.minimum(distance, away)
        chosen.append(best)
        free[best] = has_turn[group[best]] = False
    return tuple(chosen)


def _shrunk(image: UInt8Array, longer_px: int) -> UInt8Array:
    scale = longer_px / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(described: Floats) -> Floats:
    """Columns with mean 0 and spread 1; a column that does not vary says nothing and becomes 0."""
    centred = described - described.mean(axis=0)
    spread = centred.std(axis=0)
    scaled: Floats = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-9)
    return scaled
