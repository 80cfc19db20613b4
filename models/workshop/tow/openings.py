"""Openings that belong together: drawn as `scene.openings` draws them, but each turned to the middle of its system.

The scene's drawings take their direction from the coordinates of the patch, so a patch whose coordinates are turned on purpose gives
an opening that faces where it should. The dark side of a crescent, where the tunnel goes down, lies towards the middle; the fan of
what the animal threw out lies away from it.
"""

from __future__ import annotations

import numpy as np

from models.workshop.scene.noise import Field, fractal
from models.workshop.scene.openings import _KINDS, MARGIN, Patch, Polar, _annotated_box, _window


def opening_towards(box_side_px: float, facing_rad: float, rng: np.random.Generator) -> Patch:
    """Draw one opening whose annotated box will measure about `box_side_px`.

    Args:
        facing_rad: where the middle of its system lies, from the x axis of the picture towards its y axis.
    """
    column = 3 if box_side_px < 28 else 4 if box_side_px < 52 else 5
    shares = np.array([kind[column] for kind in _KINDS])
    draw, warp, stretch, *_ = _KINDS[rng.choice(len(_KINDS), p=shares / shares.sum())]
    # As scene.openings.opening: small marks are boxed with room to spare, and a feature fills about 0.85 of its rim circle.
    margin_px = max(7.2 - 0.07 * box_side_px, 0.5) + rng.uniform(-1.0, 1.0)
    radius_px = max((box_side_px / 2 - margin_px) / 0.85, 2.8)
    p = _turned_polar(radius_px, facing_rad + np.pi, rng, warp=warp, stretch=rng.uniform(1.0, stretch))
    strength = float(np.clip(rng.lognormal(-0.35 - 0.004 * box_side_px, 0.40), 0.26, 1.2))
    darkness = draw(p, strength, rng) * _window(p)
    return Patch(darkness=darkness, box=_annotated_box(darkness, margin_px, rng))


def raised_middle(reach_px: float, rng: np.random.Generator) -> Field:
    """The mound that the openings of a system face, as darkness (h, w) float32: pale on one side, shaded on the other, rough."""
    p = _turned_polar(max(reach_px, 12.0), float(rng.uniform(0, 2 * np.pi)), rng, warp=0.2, stretch=rng.uniform(1.0, 1.4))
    mound = np.exp(-((p.r / 0.62) ** 2))
    slope = np.gradient(mound.astype(np.float32), axis=0) * np.float32(p.radius_px)
    pale = rng.uniform(0.02, 0.07) * mound * p.rough
    return np.asarray((rng.uniform(0.02, 0.05) * slope - pale) * _window(p), np.float32)


def spoil_fan(length_px: float, away_rad: float, rng: np.random.Generator) -> Field:
    """What was thrown out of an opening: pale tongues that run away from the middle; darkness (h, w) float32 around the opening."""
    p = _turned_polar(length_px, away_rad, rng, warp=0.1, stretch=1.0)
    sector = np.exp(-((p.theta / rng.uniform(0.35, 0.6)) ** 2)) * np.clip(1.0 - p.r, 0.0, 1.0) * np.clip(p.r * 3.0 - 0.4, 0.0, 1.0)
    tongues = 0.6 + 0.4 * np.sin(p.theta * rng.integers(9, 17) + 2.0 * p.r)
    return np.asarray(-rng.uniform(0.03, 0.09) * sector * tongues * p.rough, np.float32)


def _turned_polar(radius_px: float, turn_rad: float, rng: np.random.Generator, *, warp: float, stretch: float) -> Polar:
    """Coordinates as `scene.openings.polar` makes them, its first axis turned to `turn_rad`."""
    half = max(int(radius_px * MARGIN) + 3, 6)
    side = 2 * half + 1
    axis = (np.arange(side, dtype=np.float32) - half) / np.float32(radius_px)
    x, y = np.meshgrid(axis, axis)
    cells = [max(radius_px * 0.9, 2.0), max(radius_px * 0.35, 1.5)]
    x = x + fractal((side, side), cells, [warp, warp * 0.45], rng)
    y = y + fractal((side, side), cells, [warp, warp * 0.45], rng)
    u = np.float32(np.cos(turn_rad)) * x + np.float32(np.sin(turn_rad)) * y
    v = (np.float32(np.cos(turn_rad)) * y - np.float32(np.sin(turn_rad)) * x) * np.float32(stretch)
    fine = [1.6, max(radius_px * 0.12, 2.5), max(radius_px * 0.3, 3.0)]
    rough = np.clip(1.0 + fractal((side, side), fine, [0.14, 0.2, 0.24], rng), 0.1, 2.0)
    return Polar(x=u, y=v, r=np.hypot(u, v), theta=np.arctan2(v, u), rough=rough.astype(np.float32), radius_px=radius_px)
