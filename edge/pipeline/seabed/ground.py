"""What plain ground looks like to this camera, learned along a tow: its light and how much texture it has.

The logarithm of the light on mud is nearly a surface of second degree (fitted to the real stills in models/workshop/scene/camera.py);
that surface is the start. What stays the same from frame to frame, whatever mud passes by, is the light itself: it is learned with
the tow, cell by cell, from what is not hidden. Openings darken a cell; a cloud darkens many in one piece.

Texture is what mud has and smoke has not. How much it has depends on mud, haze and height, so it too is learned; a cell that has
lost most of it shows no ground.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.footage import Float64Array
from edge.pipeline.seabed.plate import DARK_GREY, LOG_OFFSET, Float32Array
from edge.values import UInt8Array
from models.runtime.vision import cv2

BoolArray = NDArray[np.bool_]

GRID = (24, 13)  # cells across and down
OFF = 0.13  # of the logarithm, over 3 x 3 cells: mud with its openings keeps within 0.06 of the learned light
OFF_AROUND = 0.08  # the fringe of what is off
OFF_AT_FIRST = 0.22  # while the light is not known but for the surface
LEAST_CELLS = 5  # of a cloud
KNOWN_AFTER = 8  # frames
MEMORY = 20  # frames: the light changes with the height of the sledge, within seconds
LOST_AFTER = 40  # frames with more than half of the view off: it is the light that changed
EXPOSURE_STEP = 0.01  # of the logarithm per frame: how fast a camera changes its exposure
TEXTURE_MEMORY = 60  # frames
LEAST_TEXTURE = 1.0  # levels of the plate: less is no texture on any ground
VEILED = 0.45  # share of the usual texture below which a cloud lies before the ground
THINNED = 0.85  # the same, where the light is off too
_ROUNDS = 6
_SIDES = np.ones((3, 3), np.uint8)


class Light:
    """The light of one camera along one clip.

    Attributes:
        lit: (13, 24) bool, cells of the frame that was last looked at which are not dark.
    """

    def __init__(self) -> None:
        x, y = np.meshgrid(np.linspace(-1, 1, GRID[0]), np.linspace(-1, 1, GRID[1]))
        self._terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
        self._known: Float64Array | None = None
        self._frames, self._lost, self._exposure = 0, 0, 0.0
        self.lit, self._off = np.zeros((GRID[1], GRID[0]), np.bool_), np.zeros((GRID[1], GRID[0]))

    def off(self, grey: Float32Array) -> BoolArray:
        """(13, 24): cells of a frame (h, w) that are darker or brighter than the light makes plain mud."""
        mean = cell_means(grey).astype(np.float64)
        self.lit = mean >= DARK_GREY
        self._off = np.zeros(mean.shape)
        if np.count_nonzero(self.lit) < GRID[0]:
            return np.zeros(mean.shape, np.bool_)
        level = np.log(mean + LOG_OFFSET)
        if self._known is None:
            self._known, self._frames, self._exposure = self._surface(level, self.lit), 0, 0.0
        self._off = np.where(self.lit, level - self._known - self._exposure, 0.0)
        return _pieces(self._off, OFF if self._frames >= KNOWN_AFTER else OFF_AT_FIRST) & self.lit

    def learn(self, hidden: BoolArray) -> None:
        """Take in the frame that was last looked at, but for the cells (13, 24) that a cloud hides."""
        if self._known is None:
            return
        clear, lit = self.lit & ~hidden, int(np.count_nonzero(self.lit))
        self._lost = self._lost + 1 if np.count_nonzero(clear) < 0.5 * lit else 0
        if self._lost > LOST_AFTER:
            self._known, self._lost = None, 0
            return
        if np.count_nonzero(clear) < GRID[0]:
            return
        self._exposure += float(np.clip(np.median(self._off[clear]), -EXPOSURE_STEP, EXPOSURE_STEP))
        self._frames += 1
        share = max(1 / MEMORY, 1 / (self._frames + 1))
        self._known = self._known + np.where(clear, share * self._off, 0.0)

    def _surface(self, level: Float64Array, lit: BoolArray) -> Float64Array:
        """The surface of second degree through most of the cells, by Tukey's weights."""
        flat, chosen = level.ravel(), lit.ravel()
        weights = chosen.astype(np.float64)
        off = np.zeros_like(flat)
        for _ in range(_ROUNDS):
            root = np.sqrt(weights)[:, None]
            off = flat - self._terms @ np.linalg.lstsq(self._terms * root, flat * root[:, 0], rcond=None)[0]
            spread = max(0.03, 1.4826 * float(np.median(np.abs(off[chosen]))))
            weights = np.square(np.clip(1 - np.square(off / (4 * spread)), 0, None)) * chosen
        return np.asarray((flat - off).reshape(level.shape), np.float64)


class Texture:
    """How much texture the ground has along one clip, cell by cell: haze takes more of it from the far side of the frame."""

    def __init__(self) -> None:
        self._usual: Float64Array | None = None
        self._now = np.zeros((GRID[1], GRID[0]))
        self._frames = 0

    def share(self, texture: UInt8Array) -> Float64Array:
        """(13, 24): how much of the usual texture each cell of a plate (h, w) shows, with its neighbours; 1 is usual, 0 none."""
        levels = texture.astype(np.float32)
        # Between the camera's noise and the billows of a cloud: details of 3 to 8 px at working size.
        band = cv2.subtract(cv2.GaussianBlur(levels, (0, 0), 1.0), cv2.GaussianBlur(levels, (0, 0), 2.5))
        spread = np.sqrt(cell_means(np.asarray(cv2.multiply(band, band), np.float32)))
        self._now = np.asarray(cv2.medianBlur(spread, 3), np.float64)
        usual = self._now if self._usual is None else self._usual
        return np.where(self._now < LEAST_TEXTURE, 0.0, self._now / np.maximum(usual, LEAST_TEXTURE))

    def learn(self, hidden: BoolArray) -> None:
        """Take in the frame that was last looked at, but for the cells (13, 24) that a cloud hides."""
        if self._usual is None:
            self._usual = np.full_like(self._now, max(LEAST_TEXTURE, float(np.median(self._now))))
        self._frames += 1
        part = max(1 / TEXTURE_MEMORY, 1 / (self._frames + 2))
        self._usual = self._usual + np.where(hidden, 0.0, part * (self._now - self._usual))


def cell_means(levels: Float32Array) -> Float32Array:
    """(13, 24): means of a picture (h, w) over the cells of the grid."""
    # By way of half the size: whole pixels are averaged much quicker than parts of pixels.
    half = cv2.resize(levels, (max(1, levels.shape[1] // 2), max(1, levels.shape[0] // 2)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(half, GRID, interpolation=cv2.INTER_AREA), np.float32)


def cloudy_cells(off_light: BoolArray, texture: Float64Array) -> BoolArray:
    """(13, 24): cells before which a cloud lies, by what the frame alone tells. Ground in another light keeps its texture."""
    return np.asarray((texture < VEILED) | (off_light & (texture < THINNED)), np.bool_)


def _pieces(off: Float64Array, limit: float) -> BoolArray:
    """Cells that are off in one piece of at least LEAST_CELLS, with their fringe."""
    smooth = np.abs(np.asarray(cv2.medianBlur(off.astype(np.float32), 3), np.float64))
    _, labels, stats, _ = cv2.connectedComponentsWithStats((smooth > limit).astype(np.uint8), connectivity=8)
    large = [number for number in range(1, len(stats)) if stats[number, cv2.CC_STAT_AREA] >= LEAST_CELLS]
    core = np.isin(labels, large)
    fringe = cv2.dilate(core.astype(np.uint8), _SIDES).astype(np.bool_) & (smooth > OFF_AROUND)
    return np.asarray(core | fringe, np.bool_)
