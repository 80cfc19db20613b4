"""Silt that the sledge stirs up: clouds that come over the view, drift through it and go, at known times."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.workshop.scene.noise import Field, fractal, sigmoid
from models.workshop.tow.path import Floats, Path

HIDING = 0.5
"""From this density on a cloud hides what lies behind it."""

_GRID = (108, 192)
_POOL_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud: when it comes and has gone, how far it reaches at most (frame widths), from where (shares of the frame)."""

    start_s: float
    end_s: float
    reach: float
    from_x: float
    from_y: float
    density: float
    edge: float


class Silt:
    """The clouds of one tow, `every_s` seconds apart on average; None or 0: clear water throughout."""

    def __init__(self, path: Path, *, seed: int, seconds: float, every_s: float | None) -> None:
        rng = np.random.default_rng([seed, 50])
        self._path = path
        self._billows = fractal((_POOL_PX, _POOL_PX), [25, 11, 5, 2.2], [0.8, 0.6, 0.4, 0.2], rng)
        y, x = np.mgrid[0 : _GRID[0], 0 : _GRID[1]].astype(np.float32)
        self._x, self._y = (x + 0.5) / _GRID[1], (y + 0.5) / _GRID[0]
        self.clouds = _clouds(seconds, every_s, np.random.default_rng([seed, 51])) if every_s else ()

    def density(self, at_s: float) -> Field | None:
        """Share of the light that clouds take, 0..1, on a coarse grid (108, 192) float32 over the frame; None where there is none."""
        total: Field | None = None
        for cloud in self.clouds:
            if cloud.start_s < at_s < cloud.end_s:
                one = self._one(cloud, at_s)
                total = one if total is None else np.maximum(total, one)
        return None if total is None or float(total.max()) < 0.02 else total

    def _one(self, cloud: Cloud, at_s: float) -> Field:
        """The cloud swells and thins out while its billows drift with half of the seabed's speed."""
        life = (at_s - cloud.start_s) / (cloud.end_s - cloud.start_s)
        swell = float(np.sin(np.pi * life) ** 0.6)
        drift = float(self._path.along_m(np.array([at_s]))[0] * 0.5 * _GRID[1]) + 17.0 * cloud.start_s
        # Up and down through the pool: its first row does not go on from its last.
        rows = _POOL_PX - 1 - np.abs((np.arange(_GRID[0]) - int(drift)) % (2 * _POOL_PX - 2) - (_POOL_PX - 1))
        billows = self._billows[rows, : _GRID[1]]
        distance = np.hypot(self._x - np.float32(cloud.from_x), (self._y - np.float32(cloud.from_y)) * np.float32(0.6)) + 0.06 * billows
        thick = cloud.density * (1.0 - 0.12 * np.clip(0.5 + billows, 0.0, 1.5))
        return np.asarray(thick * sigmoid((np.float32(cloud.reach * swell - 0.05) - distance) * np.float32(cloud.edge)), np.float32)


def hidden_fraction(density: Field | None) -> float:
    """Share of the frame in which a cloud hides the seabed."""
    return 0.0 if density is None else float((density >= HIDING).mean())


def clear_in(density: Field | None, boxes_xyxy: Floats, *, width_px: int, height_px: int) -> Floats:
    """Share of the light that comes through in each box (N, 4) of the frame, (N,) float64."""
    if density is None:
        return np.ones(len(boxes_xyxy))
    sums = cv2.integral(density)
    grid = boxes_xyxy / np.array([width_px, height_px] * 2) * np.array([_GRID[1], _GRID[0]] * 2)
    low = np.clip(np.floor(grid[:, :2]).astype(int), 0, np.array([_GRID[1], _GRID[0]]) - 1)
    high = np.maximum(np.clip(np.ceil(grid[:, 2:]).astype(int), 0, (_GRID[1], _GRID[0])), low + 1)
    total = sums[high[:, 1], high[:, 0]] - sums[low[:, 1], high[:, 0]] - sums[high[:, 1], low[:, 0]] + sums[low[:, 1], low[:, 0]]
    return np.asarray(1.0 - total / np.prod(high - low, axis=1), np.float64)


def at_points(density: Field | None, points_px: Floats, *, width_px: int, height_px: int) -> Floats:
    """Density at pixels (N, 2) of the frame, (N,) float64."""
    if density is None:
        return np.zeros(len(points_px))
    columns = np.clip((points_px[:, 0] / width_px * _GRID[1]).astype(int), 0, _GRID[1] - 1)
    rows = np.clip((points_px[:, 1] / height_px * _GRID[0]).astype(int), 0, _GRID[0] - 1)
    return np.asarray(density[rows, columns], np.float64)


def _clouds(seconds: float, every_s: float, rng: np.random.Generator) -> tuple[Cloud, ...]:
    found: list[Cloud] = []
    at_s = float(rng.exponential(every_s))
    while at_s < seconds:
        is_total = rng.random() < 0.25
        length_s = float(rng.uniform(1.8, 5.0))
        found.append(
            Cloud(
                start_s=at_s,
                end_s=at_s + length_s,
                reach=float(rng.uniform(1.3, 1.6) if is_total else rng.uniform(0.2, 0.65)),
                from_x=float(rng.choice([-0.05, 1.05, rng.random()])),
                from_y=float(rng.uniform(0.6, 1.1)),
                density=float(rng.uniform(0.75, 0.97)),
                edge=float(rng.choice([14.0, 25.0, 45.0])),
            )
        )
        at_s += length_s + float(rng.exponential(every_s))
    return tuple(found)
