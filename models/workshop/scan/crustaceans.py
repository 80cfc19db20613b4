"""Crustaceans of the plankton as a scan shows them: copepods, cladocerans, ostracods."""

from __future__ import annotations

import numpy as np

from models.workshop.scan.brush import Canvas, Points, curve, direction, smooth_widths

_PROSOME = (0.30, 0.72, 0.90, 0.98, 1.0, 0.97, 0.90, 0.78, 0.55)
_SLENDER = (0.35, 0.80, 1.0, 0.95, 0.85, 0.78, 0.70, 0.60, 0.45)


def copepod(rng: np.random.Generator, area_px: float) -> Canvas:
    """A calanoid or cyclopoid: prosome with segments and gut, urosome, antennules, legs and setae."""
    slim = rng.uniform(0.30, 0.50)
    length = np.sqrt(area_px / (0.82 * slim + 0.08))
    canvas = Canvas(length * 1.9)
    angle = rng.uniform(0.0, 2 * np.pi)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    is_lateral = rng.random() < 0.55
    bend = rng.normal(0.0, 0.05) + (0.10 if is_lateral else 0.0)
    knots = _PROSOME if rng.random() < 0.7 else _SLENDER
    depth = float(np.clip(rng.lognormal(-0.45, 0.42), 0.25, 1.6))
    at = -axis * length * 0.18
    widths = smooth_widths(knots, slim * length / 2)
    along, across = canvas.body(at, angle, length, widths, depth=depth, bend=bend)
    _segments(canvas, along, across, rng)
    _gut(canvas, at, angle, rng, length=length, slim=slim, depth=depth, bend=bend)
    canvas.mottle(rng, length / 9, 0.16)
    if rng.random() < 0.35:
        canvas.spot(at + axis * length * rng.uniform(-0.1, 0.15), slim * length * rng.uniform(0.12, 0.22), -0.4 * depth)
    canvas.spot(at - axis * length * 0.44, max(1.2, 0.022 * length), rng.uniform(0.2, 1.0))
    tail = at + axis * length * 0.47 + side * bend * length / 2
    _urosome(canvas, tail, angle + 2.2 * bend, rng, length=length, slim=slim, depth=depth)
    _antennules(canvas, at - axis * length * 0.42, angle, length, rng, depth=depth, is_lateral=is_lateral)
    _legs(canvas, at, angle, rng, length=length, slim=slim, is_lateral=is_lateral)
    return canvas


def _segments(canvas: Canvas, along: np.ndarray, across: np.ndarray, rng: np.random.Generator) -> None:
    """Thin dark lines across the hind part, where one segment ends and the next begins."""
    within = np.abs(across) < 1.0
    for place in np.linspace(0.05, 0.85, int(rng.integers(3, 6))):
        line = np.exp(-(((along - np.float32(place)) - 0.06 * across * across) ** 2) / np.float32(0.0009))
        canvas.depth += np.where(within, 0.16 * line, 0.0).astype(np.float32)


def _gut(
    canvas: Canvas, at: Points, angle: float, rng: np.random.Generator, *, length: float, slim: float, depth: float, bend: float
) -> None:
    full = rng.uniform(0.1, 0.9)
    widths = smooth_widths((0.4, 1.0, 0.8, 0.7, 0.9, 0.5), slim * length * rng.uniform(0.10, 0.2))
    shifted = at + direction(angle + np.pi / 2) * slim * length * rng.uniform(-0.12, 0.12)
    canvas.body(shifted, angle, length * rng.uniform(0.55, 0.85), widths, depth=full * depth, bend=bend)


def _urosome(canvas: Canvas, start: Points, angle: float, rng: np.random.Generator, *, length: float, slim: float, depth: float) -> None:
    """The narrow hind body, its two branches and their setae."""
    long, wide = length * rng.uniform(0.28, 0.45), max(1.6, slim * length * rng.uniform(0.11, 0.17))
    axis = direction(angle)
    along, across = canvas.body(
        start + axis * long * 0.42, angle, long, smooth_widths((1.0, 1.05, 0.9, 0.85, 0.75, 0.7), wide), depth=0.7 * depth
    )
    bands = 0.5 + 0.5 * np.cos(along * np.float32(4 * np.pi))
    canvas.depth += np.where(np.abs(across) < 1.0, 0.14 * bands, 0.0).astype(np.float32)
    end = start + axis * long * 0.88
    for sign in (-1.0, 1.0):
        branch = curve(end, angle + sign * rng.uniform(0.08, 0.3), long * rng.uniform(0.2, 0.35), curl=0.0)
        canvas.limb(branch, (max(2.0, 0.8 * wide), max(1.5, 0.6 * wide)), 0.5 * depth)
        for _ in range(int(rng.integers(2, 5))):
            seta = curve(branch[-1], angle + sign * rng.uniform(0.0, 0.7), long * rng.uniform(0.4, 0.9), curl=sign * rng.uniform(-0.3, 0.3))
            canvas.limb(seta, (max(1.2, 0.018 * length), 0.7), rng.uniform(0.12, 0.28))


def _antennules(
    canvas: Canvas, head: Points, angle: float, length: float, rng: np.random.Generator, *, depth: float, is_lateral: bool
) -> None:
    """The two long feelers, spread or folded back along the body."""
    thick = max(2.2, 0.032 * length)
    reach = rng.uniform(0.7, 1.35)
    for sign in (-1.0, 1.0):
        if is_lateral and sign > 0 and rng.random() < 0.5:
            continue
        # Set out to the side and swept back, or folded along the body.
        is_folded = rng.random() < 0.4
        way = angle + sign * rng.uniform(0.15, 0.5) if is_folded else angle + np.pi - sign * rng.uniform(0.35, 1.5)
        turn = rng.normal(0.0, 0.35) if is_folded else -sign * rng.uniform(0.4, 1.9)
        line = curve(head, way, length * reach * rng.uniform(0.5, 1.0), curl=turn, rng=rng, wander=0.02)
        canvas.limb(line, (thick, max(1.3, 0.4 * thick)), float(np.clip(0.55 * depth, 0.26, 0.6)))
        for place in range(2, len(line) - 1, 2):
            hair = curve(line[place], angle + sign * rng.uniform(0.2, 1.2), 0.05 * length * rng.uniform(0.6, 1.6), curl=0.0)
            canvas.limb(hair, (1.0, 0.6), 0.14)


def _legs(canvas: Canvas, at: Points, angle: float, rng: np.random.Generator, *, length: float, slim: float, is_lateral: bool) -> None:
    """Mouth parts and swimming legs, on the ventral side of an animal that lies on its flank."""
    axis, side = direction(angle), direction(angle + np.pi / 2)
    for place in np.linspace(-0.36, 0.36, int(rng.integers(4, 8))):
        sign = 1.0 if is_lateral else rng.choice([-1.0, 1.0])
        foot = at + axis * length * place + side * sign * slim * length * (0.32 if is_lateral else 0.36)
        reach = slim * length * (rng.uniform(0.35, 0.75) if is_lateral else rng.uniform(0.15, 0.3))
        leg = curve(foot, angle + sign * rng.uniform(0.35, 1.1), reach, curl=-sign * rng.uniform(0.0, 0.8))
        canvas.limb(leg, (max(2.2, 0.03 * length), 1.2), rng.uniform(0.2, 0.45) if is_lateral else rng.uniform(0.12, 0.22))


def cladoceran(rng: np.random.Generator, area_px: float) -> Canvas:
    """A water flea: translucent carapace, dark eye, gut with granules, branched antennae."""
    length = np.sqrt(area_px / 0.62)
    canvas = Canvas(length * 1.3)
    angle = rng.uniform(0.0, 2 * np.pi)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    depth = rng.uniform(0.3, 0.7)
    canvas.body(
        np.zeros(2), angle, length, smooth_widths((0.35, 0.7, 0.95, 1.0, 0.95, 0.8, 0.5, 0.2), 0.36 * length), depth=depth, bend=0.12
    )
    canvas.body(
        -axis * 0.05 * length,
        angle,
        0.75 * length,
        smooth_widths((0.6, 1.0, 0.9, 0.5), 0.13 * length),
        depth=rng.uniform(0.4, 0.9),
        bend=0.3,
    )
    for _ in range(int(rng.integers(2, 9))):
        canvas.spot(
            (axis * rng.uniform(-0.1, 0.35) + side * rng.uniform(-0.15, 0.2)) * length,
            length * rng.uniform(0.03, 0.075),
            rng.uniform(0.3, 0.9),
        )
    canvas.mottle(rng, length / 8, 0.22)
    canvas.spot(-axis * 0.40 * length, max(2.0, 0.075 * length), rng.uniform(1.4, 2.4))
    for sign in (-1.0, 1.0):
        base = -axis * 0.34 * length + side * sign * 0.2 * length
        arm = curve(base, angle + sign * rng.uniform(0.9, 2.0), 0.38 * length, curl=sign * rng.uniform(-0.4, 0.4))
        canvas.limb(arm, (max(2.6, 0.06 * length), max(2.0, 0.04 * length)), 0.5)
        for _ in range(4):
            canvas.limb(curve(arm[-1], angle + sign * rng.uniform(0.6, 2.2), 0.3 * length, curl=0.2 * sign), (1.8, 0.9), 0.25)
    spine = curve(axis * 0.46 * length, angle + rng.normal(0, 0.2), length * rng.uniform(0.12, 0.5), curl=0.0)
    canvas.limb(spine, (max(2.2, 0.05 * length), 1.2), 0.35)
    return canvas


def ostracod(rng: np.random.Generator, area_px: float) -> Canvas:
    """A seed shrimp: a dark bean with a rim, its shell notched in front, some limbs out of the gape."""
    length = np.sqrt(area_px / 0.56)
    canvas = Canvas(length * 0.95)
    angle = rng.uniform(0.0, 2 * np.pi)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    depth = rng.uniform(0.7, 1.7)
    shape = smooth_widths((0.45, 0.85, 1.0, 1.0, 0.95, 0.8, 0.5), 0.36 * length)
    canvas.body(np.zeros(2), angle, length, shape, depth=depth, bend=rng.uniform(0.0, 0.12))
    canvas.body(np.zeros(2), angle, length, shape, depth=0.7, wall=0.09)
    canvas.spot(axis * rng.uniform(-0.15, 0.15) * length, 0.2 * length, rng.uniform(0.1, 0.6))
    canvas.spot(-axis * 0.2 * length + side * 0.08 * length, 0.05 * length, 0.7)
    canvas.mottle(rng, length / 6, 0.18)
    for _ in range(int(rng.integers(2, 6))):
        foot = -axis * 0.42 * length + side * rng.uniform(-0.1, 0.25) * length
        canvas.limb(
            curve(foot, angle + np.pi + rng.normal(0, 0.6), length * rng.uniform(0.12, 0.3), curl=rng.normal(0, 0.5)), (2.4, 1.1), 0.4
        )
    return canvas
