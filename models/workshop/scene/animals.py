"""Animals on and above the mud: Nephrops, small fish, shrimps, sea pens. None is an opening, all may hide one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.noise import Field

Bgr = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """An animal at (x, y) of the strip: `alpha` (h, w) and `tint` (h, w, 3) float32, reflectance relative to mud."""

    name: str
    x: float
    y: float
    alpha: Field
    tint: Field


def _canvas(side_px: int, tint: Bgr) -> tuple[Field, Field]:
    return np.zeros((side_px, side_px), np.float32), np.tile(np.asarray(tint, np.float32), (side_px, side_px, 1))


def _turned(alpha: Field, tint: Field, degrees: float, blur_px: float) -> tuple[Field, Field]:
    side = alpha.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    turned = cv2.warpAffine(cv2.GaussianBlur(alpha, (0, 0), blur_px), turn, (side, side))
    return np.asarray(turned, np.float32), np.asarray(cv2.warpAffine(tint, turn, (side, side)), np.float32)


def _nephrops(rng: np.random.Generator) -> tuple[Field, Field]:
    """Body of 60 to 130 px with two claws and antennae, orange-pink on mud."""
    length = int(rng.uniform(60, 130))
    side, unit = length * 2 + 8, length / 100.0
    alpha, tint = _canvas(side, (0.95, 1.12, 1.55))
    c = side // 2

    def at(x: float, y: float) -> tuple[int, int]:
        return c + int(x * unit), c + int(y * unit)

    cv2.ellipse(alpha, at(-22, 0), (int(30 * unit), int(9 * unit)), 0, 0, 360, 0.8, -1)
    cv2.ellipse(alpha, at(-55, 0), (int(9 * unit), int(13 * unit)), 0, 0, 360, 0.7, -1)
    cv2.ellipse(alpha, at(12, 0), (int(22 * unit), int(11 * unit)), 0, 0, 360, 0.85, -1)
    for sign in (-1, 1):
        bend = float(rng.uniform(14, 26)) * sign
        cv2.line(alpha, at(24, 7 * sign), at(48, bend), 0.8, max(int(4 * unit), 2))
        cv2.ellipse(alpha, at(66, bend), (int(22 * unit), int(6 * unit)), -8 * sign, 0, 360, 0.85, -1)
        cv2.line(alpha, at(30, 3 * sign), at(85, 40 * sign), 0.4, 1)
    for x in range(-50, 0, 9):
        cv2.line(tint, at(x, -9), at(x, 9), (0.75, 0.85, 1.1), 1)
    return alpha, tint


def _fish(rng: np.random.Generator) -> tuple[Field, Field]:
    """Small gadoid or goby of 25 to 80 px, pale or dark."""
    length = int(rng.uniform(25, 80))
    shade = float(rng.choice([0.55, 0.7, 1.25, 1.4]))
    alpha, tint = _canvas(length * 2, (shade * 1.03, shade, shade * 0.97))
    c = length
    cv2.ellipse(alpha, (c, c), (length // 2, max(length // 9, 2)), 0, 0, 360, 0.75, -1)
    root, tip, spread = c - length // 2, c - length // 2 - length // 6, length // 9
    tail = np.array([[root, c], [tip, c - spread], [tip, c + spread]])
    cv2.fillPoly(alpha, [tail.astype(np.int32)], 0.6)
    cv2.circle(tint, (c + length // 3, c - 1), 2, (0.3, 0.3, 0.3), -1)
    return alpha, tint


def _shrimp(rng: np.random.Generator) -> tuple[Field, Field]:
    """Curved translucent body of 12 to 35 px."""
    length = int(rng.uniform(12, 35))
    alpha, tint = _canvas(length * 3, (1.2, 1.2, 1.3))
    c = length * 3 // 2
    cv2.ellipse(alpha, (c, c), (length // 2, length // 3), 0, 190, 350, float(rng.uniform(0.3, 0.7)), max(length // 7, 1))
    cv2.line(alpha, (c + length // 2, c), (c + length, c - length // 4), 0.3, 1)
    return alpha, tint


def _sea_pen(rng: np.random.Generator) -> tuple[Field, Field]:
    """Slender colony of 60 to 160 px, paler than mud, with side leaves."""
    length = int(rng.uniform(60, 160))
    alpha, tint = _canvas(length + 30, (1.1, 1.2, 1.35))
    c = (length + 30) // 2
    cv2.line(alpha, (15, c), (15 + length, c), 0.7, 2)
    for x in range(15 + length // 4, 15 + length, 5):
        reach = int(rng.uniform(3, 8))
        cv2.line(alpha, (x, c - reach), (x + 3, c), 0.5, 1)
        cv2.line(alpha, (x, c + reach), (x + 3, c), 0.5, 1)
    return alpha, tint


_Draw = Callable[[np.random.Generator], tuple[Field, Field]]
# Mean number per still. Real stills show about one animal per ten burrow systems, most of them small.
_ANIMALS: list[tuple[str, _Draw, float]] = [
    ("nephrops", _nephrops, 0.06),
    ("fish", _fish, 0.12),
    ("shrimp", _shrimp, 0.5),
    ("sea_pen", _sea_pen, 0.05),
]


def scatter_animals(height_px: int, rng: np.random.Generator) -> tuple[Sprite, ...]:
    """Animals for a strip of `height_px` rows, in drawing order."""
    sprites = []
    for name, draw, per_still in _ANIMALS:
        for _ in range(rng.poisson(per_still * height_px / facts.STILL_HEIGHT_PX)):
            alpha, tint = _turned(*draw(rng), float(rng.uniform(0, 360)), float(rng.uniform(0.7, 1.4)))
            x, y = rng.uniform((0, 0), (facts.STILL_WIDTH_PX, height_px))
            sprites.append(Sprite(name=name, x=float(x), y=float(y), alpha=alpha, tint=tint))
    return tuple(sprites)


def blend(reflectance: Field, sprites: tuple[Sprite, ...], top_px: int) -> npt.NDArray[np.float32]:
    """Lay the sprites over `reflectance` (h, w, 3) of the rows that start at `top_px` of the strip; changes it in place."""
    for sprite in sprites:
        height, width = sprite.alpha.shape
        left, top = int(sprite.x) - width // 2, int(sprite.y) - top_px - height // 2
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, reflectance.shape[1]), min(top + height, reflectance.shape[0])
        if x0 >= x1 or y0 >= y1:
            continue
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        alpha = sprite.alpha[part][..., None]
        under = reflectance[y0:y1, x0:x1]
        under += alpha * (sprite.tint[part] - under)
    return reflectance
