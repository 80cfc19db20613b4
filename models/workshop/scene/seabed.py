"""Lays out a strip of seabed: textured mud, openings in rosettes and alone, and the things that only look like openings."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.animals import Sprite, scatter_animals
from models.workshop.scene.noise import Field, fractal, value_noise
from models.workshop.scene.openings import Patch, opening, polar


@dataclass(frozen=True, slots=True, kw_only=True)
class Seabed:
    """A strip of seabed as wide as a still.

    `log_reflectance` (H, W) float32, 0 = plain mud; `openings` (N, 4) float32 xyxy in strip pixels; `sprites` are animals.
    """

    log_reflectance: Field
    openings: npt.NDArray[np.float32]
    sprites: tuple[Sprite, ...]


def lay_out(height_px: int, rng: np.random.Generator) -> Seabed:
    """Seabed strip of `height_px` rows; one density of openings and one kind of mud for the whole strip."""
    relief = _mud(height_px, rng)
    _add_mounds(relief, rng)
    _add_lookalikes(relief, rng)
    boxes = _add_openings(relief, rng)
    return Seabed(log_reflectance=relief, openings=boxes, sprites=scatter_animals(height_px, rng))


def _mud(height_px: int, rng: np.random.Generator) -> Field:
    shape = (height_px, facts.STILL_WIDTH_PX)
    grain = rng.uniform(0.6, 1.6)
    cells = [1.6, 3.0, 6.0, 12.0, 26.0, 60.0, 140.0]
    weights = [0.016 * grain, 0.014 * grain, 0.012, 0.012, 0.013, 0.014, 0.018]
    mud = fractal(shape, cells, weights, rng)
    # Bumps lit from one side: the difference of a height field with itself, a few pixels on.
    height = value_noise(shape, rng.uniform(5.0, 9.0), rng)
    dx, dy = rng.integers(-3, 4), rng.integers(1, 4)
    patchy = np.clip(0.5 + 0.5 * value_noise(shape, 180.0, rng), 0.1, 1.6)
    mud += np.float32(0.014 * grain) * patchy * (height - np.roll(height, (dy, dx), (0, 1)))
    return mud


def _paste(relief: Field, darkness: Field, x: float, y: float) -> None:
    """Darken `relief` by a patch whose centre lands at (x, y); parts outside fall away."""
    height, width = darkness.shape
    left, top = int(round(x)) - width // 2, int(round(y)) - height // 2
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, relief.shape[1]), min(top + height, relief.shape[0])
    if x0 < x1 and y0 < y1:
        relief[y0:y1, x0:x1] -= darkness[y0 - top : y1 - top, x0 - left : x1 - left]


def _positions(relief: Field, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return rng.uniform((0, 0), (relief.shape[1], relief.shape[0]), (count, 2))


def _per_area(relief: Field, mean_per_still: float, rng: np.random.Generator) -> int:
    return int(rng.poisson(mean_per_still * relief.shape[0] / facts.STILL_HEIGHT_PX))


def _ring(radius_px: float, strength: float, rng: np.random.Generator) -> Field:
    p = polar(radius_px, rng, warp=0.12, stretch=rng.uniform(1.0, 1.7))
    width = rng.uniform(0.05, 0.14)
    start, spread = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, 1.0)
    ring = np.exp(-(((p.r - 0.85) / width) ** 2)) * np.exp((np.cos(p.theta - start) - 1.0) * spread)
    inside = 1.0 / (1.0 + np.exp((p.r - 0.75) * 14.0))
    return np.asarray(strength * ring * p.rough + rng.uniform(-0.8, 0.1) * strength * inside, np.float32)


def _add_mounds(relief: Field, rng: np.random.Generator) -> None:
    """Broad mounds with rings of old spoil: large, very faint, never annotated."""
    for x, y in _positions(relief, _per_area(relief, rng.uniform(1.0, 4.0), rng), rng):
        _paste(relief, _ring(rng.uniform(60, 190), rng.uniform(0.015, 0.06), rng), x, y)


def _add_lookalikes(relief: Field, rng: np.random.Generator) -> None:
    """Faint rings, pale patches, specks, scratches and tracks: none of them is an opening."""
    for x, y in _positions(relief, _per_area(relief, 4.0, rng), rng):
        _paste(relief, _ring(rng.uniform(10, 45), rng.uniform(0.02, 0.07), rng), x, y)
    for x, y in _positions(relief, _per_area(relief, 5.0, rng), rng):
        p = polar(rng.uniform(12, 70), rng, warp=0.3, stretch=rng.uniform(1.0, 2.2))
        _paste(relief, -rng.uniform(0.02, 0.09) / (1.0 + np.exp((p.r - 0.7) * 9.0)) * p.rough, x, y)
    for x, y in _positions(relief, _per_area(relief, 4.0, rng), rng):
        p = polar(rng.uniform(8, 60), rng, warp=0.35, stretch=rng.uniform(1.0, 2.5))
        _paste(relief, rng.uniform(0.015, 0.06) / (1.0 + np.exp((p.r - 0.6) * 7.0)) * p.rough, x, y)
    _add_specks(relief, rng)
    _add_scratches(relief, rng)


def _add_specks(relief: Field, rng: np.random.Generator) -> None:
    """Dark grains and pellets of 1 to 4 px, evenly strewn and in swarms, and pale shell bits."""
    layer = np.zeros_like(relief)
    spots = _positions(relief, _per_area(relief, rng.choice([25.0, 60.0, 140.0]), rng), rng)
    for x, y in _positions(relief, _per_area(relief, 1.2, rng), rng):
        swarm = rng.normal((x, y), rng.uniform(15, 60), (rng.integers(6, 40), 2))
        spots = np.vstack([spots, swarm])
    for x, y in spots:
        shade = -rng.uniform(0.05, 0.2) if rng.random() < 0.08 else rng.lognormal(-1.9, 0.6)
        axes = (int(rng.integers(1, 3)), 1)
        cv2.ellipse(layer, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, float(min(shade, 0.5)), -1)
    relief -= cv2.GaussianBlur(layer, (0, 0), 0.8)


def _add_scratches(relief: Field, rng: np.random.Generator) -> None:
    """Trails of animals and drags: thin wandering lines, some in pairs."""
    layer = np.zeros_like(relief)
    for x, y in _positions(relief, _per_area(relief, rng.uniform(2.0, 12.0), rng), rng):
        steps = rng.integers(4, 30)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.05, 0.4), steps))
        stride_px = rng.uniform(3.0, 9.0)
        path = np.stack([x + np.cumsum(np.cos(heading)) * stride_px, y + np.cumsum(np.sin(heading)) * stride_px], axis=1)
        shade = float(rng.choice([-0.05, 0.05, 0.09, 0.14]) * rng.uniform(0.5, 1.2))
        for offset_px in (0.0, 9.0) if rng.random() < 0.25 else (0.0,):
            points = np.asarray(np.round(path + offset_px), np.int32)
            cv2.polylines(layer, [points], False, shade, int(rng.integers(1, 4)))
    relief -= cv2.GaussianBlur(layer, (0, 0), rng.uniform(0.8, 2.5))


def _add_openings(relief: Field, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw openings at this strip's density and return their boxes (N, 4) float32 in strip pixels."""
    low, high = facts.OPENINGS_PER_STILL
    per_still = float(np.clip(rng.gamma(9.0, (facts.OPENINGS_PER_STILL_MEAN + 7.0) / 9.0), low + 8, high + 8))
    wanted = int(round(per_still * relief.shape[0] / facts.STILL_HEIGHT_PX))
    larger = rng.uniform(0.9, 1.4)
    boxes: list[tuple[float, float, float, float]] = []
    for x, y in _rosettes(relief, wanted, rng):
        side_px = np.clip(facts.BOX_SIDE_MEDIAN_PX * larger * np.exp(rng.normal(0, facts.BOX_SIDE_LOG_SIGMA)), *facts.BOX_SIDE_RANGE_PX)
        patch = opening(float(side_px), rng)
        box = _placed(patch, x, y)
        if not _crowded(box, boxes):
            _paste(relief, patch.darkness, x, y)
            boxes.append(box)
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def _rosettes(relief: Field, wanted: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Centres of `wanted` openings: about half in rosettes of 2 to 6 around a common centre, the rest alone."""
    centres: list[npt.NDArray[np.float64]] = []
    while len(centres) < wanted:
        middle = _positions(relief, 1, rng)[0]
        if rng.random() < 0.7:
            centres.append(middle)
            continue
        angles = rng.uniform(0, 2 * np.pi, rng.integers(2, 7))
        reach_px = rng.uniform(30, 110) * rng.uniform(0.7, 1.3, angles.size)
        centres.extend(middle + np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach_px[:, None])
    inside = np.asarray(centres[:wanted])
    return np.clip(inside, 0, (relief.shape[1], relief.shape[0]))


def _placed(patch: Patch, x: float, y: float) -> tuple[float, float, float, float]:
    height, width = patch.darkness.shape
    left, top = round(x) - width // 2, round(y) - height // 2
    return (patch.box[0] + left, patch.box[1] + top, patch.box[2] + left, patch.box[3] + top)


def _crowded(box: tuple[float, float, float, float], others: list[tuple[float, float, float, float]]) -> bool:
    """True when the box would share more than a third of the smaller one's area with a neighbour."""
    if not others:
        return False
    all_boxes = np.asarray(others)
    wide = np.minimum(all_boxes[:, 2], box[2]) - np.maximum(all_boxes[:, 0], box[0])
    tall = np.minimum(all_boxes[:, 3], box[3]) - np.maximum(all_boxes[:, 1], box[1])
    areas = (all_boxes[:, 2] - all_boxes[:, 0]) * (all_boxes[:, 3] - all_boxes[:, 1])
    smaller = np.minimum(areas, (box[2] - box[0]) * (box[3] - box[1]))
    return bool(np.any(np.clip(wide, 0, None) * np.clip(tall, 0, None) > smaller / 3))
