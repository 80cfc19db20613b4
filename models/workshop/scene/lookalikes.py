"""What lies on mud and is no opening: flecks and pellets, faint rings and patches, scratches and tracks, old mounds.

How many there are, how large and how dark, follows the marks outside annotated boxes (`facts.FLECKS_PER_STILL`).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.noise import Field, value_noise
from models.workshop.scene.openings import polar


def paste(relief: Field, darkness: Field, x: float, y: float) -> None:
    """Darken `relief` by a patch whose centre lands at (x, y); parts outside fall away."""
    height, width = darkness.shape
    left, top = int(round(x)) - width // 2, int(round(y)) - height // 2
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, relief.shape[1]), min(top + height, relief.shape[0])
    if x0 < x1 and y0 < y1:
        relief[y0:y1, x0:x1] -= darkness[y0 - top : y1 - top, x0 - left : x1 - left]


def positions(relief: Field, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """`count` places (x, y), evenly strewn."""
    return rng.uniform((0, 0), (relief.shape[1], relief.shape[0]), (count, 2))


def _per_area(relief: Field, mean_per_still: float, rng: np.random.Generator) -> int:
    return int(rng.poisson(mean_per_still * relief.shape[0] / facts.STILL_HEIGHT_PX))


def add_lookalikes(relief: Field, rng: np.random.Generator) -> None:
    """Everything of this module, in place, on a strip of log reflectance."""
    _add_mounds(relief, rng)
    _add_rings(relief, rng)
    _add_patches(relief, rng)
    _add_flecks(relief, rng)
    _add_swarms(relief, rng)
    _add_scratches(relief, rng)


def _ring(radius_px: float, strength: float, rng: np.random.Generator) -> Field:
    p = polar(radius_px, rng, warp=0.12, stretch=rng.uniform(1.0, 1.7))
    width = rng.uniform(0.05, 0.14)
    start, spread = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, 1.0)
    ring = np.exp(-(((p.r - 0.85) / width) ** 2)) * np.exp((np.cos(p.theta - start) - 1.0) * spread)
    inside = 1.0 / (1.0 + np.exp((p.r - 0.75) * 14.0))
    return np.asarray(strength * ring * p.rough + rng.uniform(-0.8, 0.1) * strength * inside, np.float32)


def _add_mounds(relief: Field, rng: np.random.Generator) -> None:
    """Broad mounds with rings of old spoil: large, faint, never annotated."""
    for x, y in positions(relief, _per_area(relief, rng.uniform(1.0, 4.0), rng), rng):
        paste(relief, _ring(rng.uniform(60, 190), rng.uniform(0.02, 0.09), rng), x, y)


def _add_rings(relief: Field, rng: np.random.Generator) -> None:
    for x, y in positions(relief, _per_area(relief, 5.0, rng), rng):
        paste(relief, _ring(rng.uniform(10, 60), rng.uniform(0.02, 0.08), rng), x, y)


def _add_patches(relief: Field, rng: np.random.Generator) -> None:
    """Lumpy patches without a mouth: pale ones of fresh spoil, darker ones of old hollows and stained mud."""
    for x, y in positions(relief, _per_area(relief, 8.0, rng), rng):
        p = polar(rng.uniform(8, 60), rng, warp=0.3, stretch=rng.uniform(1.0, 2.2))
        paste(relief, -rng.uniform(0.02, 0.1) / (1.0 + np.exp((p.r - 0.7) * 9.0)) * p.rough, x, y)
    for x, y in positions(relief, _per_area(relief, 20.0, rng), rng):
        radius_px = float(np.clip(7.0 * rng.random() ** -0.6, 7, 60))
        p = polar(radius_px, rng, warp=0.4, stretch=rng.uniform(1.0, 2.5))
        shade = 0.03 + rng.exponential(0.05)
        paste(relief, min(shade, 0.2) / (1.0 + np.exp((p.r - 0.6) * 7.0)) * p.rough**2, x, y)


def _add_flecks(relief: Field, rng: np.random.Generator) -> None:
    """Dark flecks of 1.5 to 9 px, many small ones and few large ones, denser in some places, and pale shell bits."""
    mean = facts.FLECKS_PER_STILL * float(rng.lognormal(-0.18, 0.6))
    spots = positions(relief, _per_area(relief, 2.0 * mean, rng), rng)
    thick = np.clip(0.5 + 0.3 * value_noise(relief.shape, 130.0, rng), 0.05, 1.0)
    spots = spots[rng.random(len(spots)) < thick[spots[:, 1].astype(int), spots[:, 0].astype(int)]]
    radius_px = np.clip(1.1 * rng.random(len(spots)) ** -0.55, 1.1, 10.0)
    shade = np.minimum(0.04 + rng.exponential(rng.uniform(0.06, 0.13), len(spots)), 0.5)
    shade[rng.random(len(spots)) < 0.16] *= -0.7
    layers = [(radius_px < 2.2, 0.7), ((radius_px >= 2.2) & (radius_px < 4.5), 1.1), (radius_px >= 4.5, 1.9)]
    for chosen, blur_px in layers:
        layer = np.zeros_like(relief)
        for (x, y), radius, dark in zip(spots[chosen], radius_px[chosen], shade[chosen], strict=True):
            _fleck(layer, (x, y), float(radius), float(dark), rng)
        relief -= cv2.GaussianBlur(layer, (0, 0), blur_px)


def _fleck(layer: Field, at: tuple[float, float], radius_px: float, shade: float, rng: np.random.Generator) -> None:
    """A splinter or a lump of two or three of them; drawn in sixteenths of a pixel."""
    lobes = 1 if radius_px < 2 else int(rng.integers(1, 4))
    for x, y in rng.normal(at, 0.7 * radius_px if lobes > 1 else 0.0, (lobes, 2)):
        axes = (int(16 * radius_px), int(16 * radius_px * rng.uniform(0.3, 0.9)))
        outline = np.asarray(cv2.ellipse2Poly((int(16 * x), int(16 * y)), axes, int(rng.integers(0, 180)), 0, 360, 45))
        cv2.fillPoly(layer, [outline], shade * float(rng.uniform(0.6, 1.0)), shift=4)


def _add_swarms(relief: Field, rng: np.random.Generator) -> None:
    """Swarms of grains and pellets of 1 to 4 px, as animals leave them."""
    layer = np.zeros_like(relief)
    for x, y in positions(relief, _per_area(relief, 1.6, rng), rng):
        for sx, sy in rng.normal((x, y), rng.uniform(10, 60), (rng.integers(6, 40), 2)):
            _fleck(layer, (sx, sy), float(rng.uniform(1.0, 2.4)), float(min(rng.lognormal(-1.9, 0.6), 0.5)), rng)
    relief -= cv2.GaussianBlur(layer, (0, 0), 0.8)


def _add_scratches(relief: Field, rng: np.random.Generator) -> None:
    """Trails of animals and drags: thin wandering lines, some in pairs."""
    layer = np.zeros_like(relief)
    for x, y in positions(relief, _per_area(relief, rng.uniform(2.0, 12.0), rng), rng):
        steps = rng.integers(4, 30)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.05, 0.4), steps))
        stride_px = rng.uniform(3.0, 9.0)
        path = np.stack([x + np.cumsum(np.cos(heading)) * stride_px, y + np.cumsum(np.sin(heading)) * stride_px], axis=1)
        shade = float(rng.choice([-0.05, 0.05, 0.09, 0.14]) * rng.uniform(0.5, 1.2))
        for offset_px in (0.0, 9.0) if rng.random() < 0.25 else (0.0,):
            points = np.asarray(np.round(path + offset_px), np.int32)
            cv2.polylines(layer, [points], False, shade, int(rng.integers(1, 4)))
    relief -= cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.8, 2.5))
