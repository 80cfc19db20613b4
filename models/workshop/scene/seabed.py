"""Lays out a strip of seabed: textured mud, openings in rosettes and alone, and the things that only look like openings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.animals import Sprite, scatter_animals
from models.workshop.scene.lookalikes import add_lookalikes, paste, positions
from models.workshop.scene.noise import Field, fractal, value_noise
from models.workshop.scene.openings import Patch, opening


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
    add_lookalikes(relief, rng)
    boxes = _add_openings(relief, rng)
    return Seabed(log_reflectance=relief, openings=boxes, sprites=scatter_animals(height_px, rng))


def _mud(height_px: int, rng: np.random.Generator) -> Field:
    shape = (height_px, facts.STILL_WIDTH_PX)
    grain = rng.uniform(0.7, 1.75)
    cells = [1.6, 3.0, 6.0, 12.0, 26.0, 60.0, 140.0]
    weights = [0.016 * grain, 0.014 * grain, 0.012, 0.012, 0.013, 0.014, 0.018]
    mud = fractal(shape, cells, weights, rng)
    # Bumps lit from one side: the difference of a height field with itself, a few pixels on.
    height = value_noise(shape, rng.uniform(5.0, 9.0), rng)
    dx, dy = rng.integers(-3, 4), rng.integers(1, 4)
    patchy = np.clip(0.5 + 0.5 * value_noise(shape, 180.0, rng), 0.1, 1.6)
    mud += np.float32(0.014 * grain) * patchy * (height - np.roll(height, (dy, dx), (0, 1)))
    return mud


def _add_openings(relief: Field, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw openings at this strip's density and return their boxes (N, 4) float32 in strip pixels."""
    low, high = facts.OPENINGS_PER_STILL
    per_still = float(np.clip(rng.gamma(9.0, (facts.OPENINGS_PER_STILL_MEAN + 7.0) / 9.0), low + 8, high + 8))
    wanted = int(round(per_still * relief.shape[0] / facts.STILL_HEIGHT_PX))
    larger = rng.uniform(1.0, 1.4)
    boxes: list[tuple[float, float, float, float]] = []
    for x, y in _rosettes(relief, wanted, rng):
        side_px = np.clip(facts.BOX_SIDE_MEDIAN_PX * larger * np.exp(rng.normal(0, facts.BOX_SIDE_LOG_SIGMA)), *facts.BOX_SIDE_RANGE_PX)
        patch = opening(float(side_px), rng)
        box = _placed(patch, x, y)
        if not _crowded(box, boxes):
            paste(relief, patch.darkness, x, y)
            boxes.append(box)
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def _rosettes(relief: Field, wanted: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Centres of `wanted` openings: about half in rosettes of 2 to 6 around a common centre, the rest alone."""
    centres: list[npt.NDArray[np.float64]] = []
    while len(centres) < wanted:
        middle = positions(relief, 1, rng)[0]
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
