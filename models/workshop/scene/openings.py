"""Draws burrow openings: dark dots, collared pits, crescents, rings with a shadowed side, slits and smudges.

A drawing is a patch of darkness: reflectance of the mud is multiplied by exp(-darkness).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene.noise import Field, fractal, sigmoid

MARGIN = 1.45


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Darkness (h, w) float32 around a feature, and the feature's tight box xyxy in patch pixels."""

    darkness: Field
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Polar:
    """Warped coordinates of a patch, 1.0 at the feature's rim; arrays (n, n) float32."""

    x: Field
    y: Field
    r: Field
    theta: Field
    rough: Field
    radius_px: float


def polar(radius_px: float, rng: np.random.Generator, *, warp: float, stretch: float) -> Polar:
    """Coordinates for a feature of `radius_px`, turned at random, its outline disturbed by `warp` radii."""
    half = max(int(radius_px * MARGIN) + 3, 6)
    side = 2 * half + 1
    axis = (np.arange(side, dtype=np.float32) - half) / np.float32(radius_px)
    x, y = np.meshgrid(axis, axis)
    cells = [max(radius_px * 0.9, 2.0), max(radius_px * 0.35, 1.5)]
    x = x + fractal((side, side), cells, [warp, warp * 0.45], rng)
    y = y + fractal((side, side), cells, [warp, warp * 0.45], rng)
    turn = rng.uniform(0, 2 * np.pi)
    u = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    v = (np.float32(np.cos(turn)) * y - np.float32(np.sin(turn)) * x) * np.float32(stretch)
    fine = [1.6, max(radius_px * 0.12, 2.5), max(radius_px * 0.3, 3.0)]
    rough = np.clip(1.0 + fractal((side, side), fine, [0.14, 0.2, 0.24], rng), 0.1, 2.0)
    return Polar(x=u, y=v, r=np.hypot(u, v), theta=np.arctan2(v, u), rough=rough.astype(np.float32), radius_px=radius_px)


def _disc(p: Polar, radius: float, soft_px: float, cx: float = 0.0, cy: float = 0.0) -> Field:
    """Soft disc; `radius` and centre in rim units, edge width in pixels."""
    distance = np.hypot(p.x - np.float32(cx), p.y - np.float32(cy))
    return sigmoid((np.float32(radius) - distance) * np.float32(2.2 * p.radius_px / max(soft_px, 0.5)))


def _arc(p: Polar, radius: float, width: float, centre: float, spread: float) -> Field:
    """Ring of relative `width` at `radius`, strongest towards angle `centre`."""
    ring = np.exp(-(((p.r - np.float32(radius)) / np.float32(width)) ** 2))
    side = np.exp((np.cos(p.theta - np.float32(centre)) - 1.0) * np.float32(spread))
    return np.asarray(ring * side, np.float32)


def _lit(p: Polar, steepness: float, rng: np.random.Generator) -> Field:
    """Shading of a lumpy bowl under slanting light: one wall darker, the other paler, the spoil on it rough."""
    lumps = cv2.GaussianBlur(p.rough - 1.0, (0, 0), max(1.2, 0.05 * p.radius_px))
    bowl = np.exp(-((p.r / 0.62) ** 4)) + 0.5 * lumps * np.exp(-((p.r / 0.9) ** 6))
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.gradient(bowl.astype(np.float32))
    slope = (np.sin(angle) * down + np.cos(angle) * across) * np.float32(p.radius_px * 0.22)
    return np.asarray(np.float32(steepness) * np.clip(slope, -0.25, 0.7), np.float32)


def _hole(p: Polar, radius: float, centre: npt.NDArray[np.float64], rng: np.random.Generator) -> Field:
    """Dark mouth with a crisp upper edge; its shadow runs out softly to one side."""
    cx, cy = (float(v) for v in centre)
    core = _disc(p, radius, rng.uniform(0.9, 2.4), cx, cy)
    drift = rng.uniform(0.2, 0.7) * radius
    angle = rng.uniform(0, 2 * np.pi)
    shade = _disc(p, radius * rng.uniform(1.1, 1.7), radius * p.radius_px * 0.8, cx + drift * np.cos(angle), cy + drift * np.sin(angle))
    return np.asarray(0.88 * core + rng.uniform(0.05, 0.32) * shade, np.float32)


def _dot(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    hole = _hole(p, rng.uniform(0.30, 0.58), np.zeros(2), rng)
    halo = _disc(p, rng.uniform(0.8, 1.0), p.radius_px * 0.3) * rng.uniform(-0.04, 0.06)
    return np.asarray(strength * hole + halo, np.float32)


def _haloed_dot(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    hole = _hole(p, rng.uniform(0.16, 0.34), rng.uniform(-0.25, 0.25, 2), rng)
    bowl = _disc(p, rng.uniform(0.45, 0.85), p.radius_px * rng.uniform(0.15, 0.4)) * p.rough * rng.uniform(-0.03, 0.14)
    rings = np.zeros_like(p.r)
    for _ in range(rng.integers(1, 4)):
        side, spread = rng.uniform(-np.pi, np.pi), rng.uniform(0.0, 1.2)
        rings += rng.uniform(0.02, 0.12) * _arc(p, rng.uniform(0.5, 0.97), rng.uniform(0.05, 0.14), side, spread)
    return np.asarray(strength * hole + bowl + rings * p.rough + _lit(p, rng.uniform(0.0, 0.3), rng), np.float32)


def _collared_pit(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    bowl = _disc(p, rng.uniform(0.72, 0.95), p.radius_px * rng.uniform(0.1, 0.35)) * p.rough
    angle, offset = rng.uniform(-np.pi, np.pi), rng.uniform(0.1, 0.5)
    hole = _hole(p, rng.uniform(0.14, 0.38), offset * np.array([np.cos(angle), np.sin(angle)]), rng)
    inner = _arc(p, rng.uniform(0.45, 0.7), 0.09, rng.uniform(-np.pi, np.pi), 1.0)
    rim = _arc(p, rng.uniform(0.8, 0.97), rng.uniform(0.05, 0.1), angle, rng.uniform(0.1, 1.5))
    spoil = rng.uniform(0.05, 0.24) * bowl + (rng.uniform(0.0, 0.12) * inner + rng.uniform(0.05, 0.2) * rim) * p.rough
    return np.asarray(strength * hole + spoil + _lit(p, rng.uniform(0.1, 0.5), rng), np.float32)


def _crescent(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    gap = rng.uniform(0.25, 0.75)
    outer = _disc(p, 0.92, rng.uniform(1.5, 4.0))
    inner = _disc(p, rng.uniform(0.75, 0.95), p.radius_px * rng.uniform(0.12, 0.5), gap, rng.uniform(-0.2, 0.2))
    mouth = outer * (1.0 - inner)
    fade = np.exp((np.cos(p.theta - np.float32(np.pi)) - 1.0) * np.float32(rng.uniform(0.2, 1.2)))
    floor = _disc(p, 0.9, p.radius_px * 0.4) * p.rough * rng.uniform(0.0, 0.12)
    fan = np.clip(np.sin(p.theta * rng.integers(9, 17) + 3.0 * p.r), 0, 1) * (np.abs(p.theta) < 0.8) * _disc(p, 1.0, 5.0)
    lip = _arc(p, 0.9, 0.1, 0.0, 1.5) * rng.uniform(0.0, 0.06)
    dark = strength * mouth * fade * (0.7 + 0.3 * p.rough)
    return np.asarray(dark + floor + rng.uniform(0.0, 0.1) * fan * p.r - lip + _lit(p, rng.uniform(0.0, 0.3), rng), np.float32)


def _shadowed_ring(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    side = rng.uniform(-np.pi, np.pi)
    ring = _arc(p, 0.84, rng.uniform(0.06, 0.16), side, rng.uniform(0.3, 1.4))
    second = _arc(p, rng.uniform(0.4, 0.65), 0.1, side + rng.normal(0, 0.8), rng.uniform(0.5, 2.0))
    floor = _disc(p, 0.82, p.radius_px * 0.2) * rng.uniform(-0.08, 0.08)
    pocket = _disc(p, rng.uniform(0.12, 0.4), rng.uniform(3, 7), 0.5 * np.cos(side), 0.5 * np.sin(side))
    rim = np.clip(strength * rng.uniform(0.4, 0.8), 0.06, 0.35)
    shadow = rng.uniform(0.0, 0.7) * strength * pocket + _lit(p, rng.uniform(0.0, 0.3), rng)
    return np.asarray(rim * (ring + 0.5 * second) * p.rough + floor + shadow, np.float32)


def _smudge(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    body = _disc(p, rng.uniform(0.55, 0.85), p.radius_px * rng.uniform(0.2, 0.6))
    return np.asarray(np.clip(strength, 0.18, 0.45) * body * (0.4 + 0.6 * p.rough), np.float32)


def _boomerang(p: Polar, strength: float, rng: np.random.Generator) -> Field:
    bend, width = rng.uniform(0.2, 1.1), rng.uniform(0.1, 0.24)
    spine = np.abs(p.y + np.float32(bend) * (np.abs(p.x) - 0.3))
    taper = np.clip(1.0 - np.abs(p.x), 0.0, 1.0)
    leg = sigmoid(np.asarray((width * (0.35 + taper) - spine) * np.clip(p.radius_px * 0.4, 4.0, 14.0), np.float32))
    shade = _disc(p, 0.6, p.radius_px * 0.5) * rng.uniform(0.0, 0.15)
    return np.asarray(strength * leg * (taper > 0) * (0.6 + 0.4 * p.rough) + shade, np.float32)


_Draw = Callable[[Polar, float, np.random.Generator], Field]
# Shares by box side, read off about 200 annotated openings: (drawing, warp, largest stretch, share small, middle, large).
_KINDS: list[tuple[_Draw, float, float, float, float, float]] = [
    (_dot, 0.06, 1.5, 0.60, 0.10, 0.01),
    (_haloed_dot, 0.08, 1.35, 0.28, 0.42, 0.20),
    (_collared_pit, 0.11, 1.5, 0.02, 0.20, 0.36),
    (_crescent, 0.12, 1.6, 0.04, 0.16, 0.18),
    (_shadowed_ring, 0.13, 1.7, 0.01, 0.08, 0.20),
    (_smudge, 0.2, 1.8, 0.03, 0.03, 0.04),
    (_boomerang, 0.16, 1.3, 0.02, 0.04, 0.04),
]


def opening(box_side_px: float, rng: np.random.Generator) -> Patch:
    """Draw one opening whose annotated box will measure about `box_side_px`."""
    column = 3 if box_side_px < 28 else 4 if box_side_px < 52 else 5
    shares = np.array([kind[column] for kind in _KINDS])
    draw, warp, stretch, *_ = _KINDS[rng.choice(len(_KINDS), p=shares / shares.sum())]
    # Small marks are boxed with room to spare, large ones tightly.
    margin_px = max(7.2 - 0.07 * box_side_px, 0.5) + rng.uniform(-1.0, 1.0)
    # A drawn feature fills about 0.85 of its rim circle.
    radius_px = max((box_side_px / 2 - margin_px) / 0.85, 2.8)
    p = polar(radius_px, rng, warp=warp, stretch=rng.uniform(1.0, stretch))
    strength = float(np.clip(rng.lognormal(-0.35 - 0.004 * box_side_px, 0.40), 0.26, 1.2))
    darkness = draw(p, strength, rng) * _window(p)
    return Patch(darkness=darkness, box=_annotated_box(darkness, margin_px, rng))


def _window(p: Polar) -> Field:
    """1 inside, fading to 0 at the patch border, so that no patch shows its square."""
    side = p.r.shape[0]
    ramp = np.clip((side / 2 - np.abs(np.arange(side) - side // 2)) / max(side * 0.12, 2.0), 0.0, 1.0)
    return np.asarray(np.minimum(ramp[:, None], ramp[None, :]), np.float32)


def _annotated_box(darkness: Field, margin_px: float, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Box as a person draws it: around what is visibly dark at a glance, with a margin, a little off."""
    glance = cv2.GaussianBlur(darkness, (0, 0), 0.8 + 0.008 * darkness.shape[0])
    seen = glance > np.clip(0.33 * float(glance.max()), 0.03, 0.13)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    wide, tall = columns[-1] + 1.0 - columns[0], rows[-1] + 1.0 - rows[0]
    # Annotated boxes are nearly square (5 to 95 %: 0.78 to 1.29), features less so.
    more_x, more_y = 0.5 * max(tall - wide, 0.0) / 2 + margin_px, 0.5 * max(wide - tall, 0.0) / 2 + margin_px
    off = rng.normal(0.0, 0.5 + 0.012 * darkness.shape[0], 4)
    return (
        float(columns[0] - more_x + off[0]),
        float(rows[0] - more_y + off[1]),
        float(columns[-1] + 1 + more_x + off[2]),
        float(rows[-1] + 1 + more_y + off[3]),
    )
