"""Animals without a shell, and radiolarians: chaetognaths, appendicularians, medusae and bells."""

from __future__ import annotations

import numpy as np

from models.workshop.scan.brush import Canvas, curve, direction, smooth_widths


def chaetognath(rng: np.random.Generator, area_px: float) -> Canvas:
    """An arrow worm: long and thin, a head with hooks, a gut line, faint fins along the hind body and a tail fin."""
    slim = rng.uniform(0.055, 0.085)
    length = np.sqrt(area_px / (1.05 * slim))
    canvas = Canvas(length * 0.72)
    angle, bend = rng.uniform(0.0, 2 * np.pi), rng.normal(0.0, 0.16)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    wide = max(2.4, slim * length / 2)
    depth = rng.uniform(0.28, 0.6)
    canvas.body(
        np.zeros(2), angle, length, smooth_widths((0.5, 0.85, 0.6, 0.9, 1.0, 1.0, 0.9, 0.75, 0.5, 0.25), wide), depth=depth, bend=bend
    )
    canvas.body(np.zeros(2), angle, 0.96 * length, smooth_widths((1.0, 0.7, 0.7, 0.6, 0.2, 0.2, 0.1), 0.4 * wide), depth=0.35, bend=bend)
    canvas.mottle(rng, length / 18, 0.15)
    at_end = side * bend * length / 2
    canvas.spot(-axis * 0.47 * length + at_end, 1.1 * wide, 0.55)
    for sign in (-1.0, 1.0):
        for place, reach in ((0.15, 0.18), (0.5, 0.22)):
            foot = axis * (place - 0.1) * length / 2 + side * (sign * 0.8 * wide + bend * length / 2 * place**2)
            fin = curve(foot, angle + sign * 0.10, reach * length, curl=-sign * 0.16)
            canvas.limb(fin, (1.8, 1.0), 0.16)
        for _ in range(4):
            hook = curve(
                -axis * 0.48 * length + at_end + side * sign * wide * 0.6,
                angle + np.pi - sign * rng.uniform(0.2, 1.1),
                2.2 * wide,
                curl=sign * 1.2,
            )
            canvas.limb(hook, (1.6, 1.0), 0.5)
        for spread in (0.12, 0.3, 0.5):
            ray = curve(axis * 0.48 * length + at_end, angle + 2 * bend + sign * spread, 2.8 * wide, curl=0.0)
            canvas.limb(ray, (1.6, 0.8), 0.16)
    return canvas


def appendicularian(rng: np.random.Generator, area_px: float) -> Canvas:
    """A larvacean: a small dark trunk and a long ribbon of a tail with its axis."""
    length = np.sqrt(area_px / 0.125)
    canvas = Canvas(length * 1.15)
    angle, curl = rng.uniform(0.0, 2 * np.pi), rng.normal(0.0, 1.0)
    axis = direction(angle)
    trunk = 0.24 * length
    start = -axis * 0.45 * length
    ribbon = curve(start, angle + rng.normal(0, 0.3), 0.95 * length, curl=curl, rng=rng, wander=0.05)
    broad = 0.075 * length
    taper = np.interp(np.linspace(0, 1, len(ribbon) - 1), (0.0, 0.25, 0.6, 1.0), (0.6, 1.0, 0.8, 0.2)) * broad
    faint = rng.uniform(0.16, 0.34)
    for place, width in enumerate(taper):
        canvas.limb(ribbon[place : place + 2], (max(width, 2.0), max(width, 2.0)), faint)
    canvas.limb(ribbon, (max(2.0, 0.02 * length), 1.4), faint + rng.uniform(0.2, 0.4))
    canvas.body(start, angle, trunk, smooth_widths((0.5, 0.9, 1.0, 1.0, 0.7), 0.3 * trunk), depth=rng.uniform(0.5, 1.1))
    canvas.spot(start + axis * 0.2 * trunk, 0.24 * trunk, rng.uniform(0.3, 1.2))
    canvas.mottle(rng, trunk / 4, 0.25)
    return canvas


def bell(rng: np.random.Generator, area_px: float) -> Canvas:
    """A siphonophore's swimming bell or a salp: large and faint, its walls, ridges and canals alone are seen."""
    slim = rng.uniform(0.3, 0.7)
    length = np.sqrt(area_px / (0.85 * slim))
    canvas = Canvas(length * 0.75)
    angle, bend = rng.uniform(0.0, 2 * np.pi), rng.normal(0.0, 0.05)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    half = slim * length / 2
    shape = smooth_widths((rng.uniform(0.05, 0.4), 0.65, 0.92, 1.0, 0.98, 0.92, 0.86), half)
    canvas.body(np.zeros(2), angle, length, shape, depth=rng.uniform(0.10, 0.15), bend=bend)
    canvas.body(np.zeros(2), angle, length, shape, depth=rng.uniform(0.5, 0.9), bend=bend, wall=rng.uniform(0.03, 0.08))
    inside = smooth_widths((0.3, 0.9, 1.0, 0.95, 0.85), half * rng.uniform(0.5, 0.8))
    canvas.body(axis * 0.14 * length, angle, 0.68 * length, inside, depth=rng.uniform(0.25, 0.6), bend=bend, wall=0.05)
    canvas.mottle(rng, min(length / 12, 14.0), 0.28)
    for across in rng.uniform(-0.8, 0.8, int(rng.integers(1, 4))):
        steps = np.linspace(-0.42, 0.47, 12)
        offset = across * np.interp(2 * steps, np.linspace(-1, 1, len(shape)), shape) + bend * length / 2 * (2 * steps) ** 2
        ridge = steps[:, None] * length * axis + offset[:, None] * side + rng.normal(0.0, 0.004 * length, (12, 2))
        canvas.limb(ridge, (max(2.0, 0.012 * length), 1.8), rng.uniform(0.14, 0.32))
    if rng.random() < 0.5:
        canvas.spot(-axis * rng.uniform(0.2, 0.38) * length, 0.05 * length, rng.uniform(0.5, 1.3))
    for sign in (-1.0, 1.0):
        mouth = axis * 0.455 * length + side * bend * length / 2
        rim = np.stack([mouth, mouth + side * sign * 0.5 * half + axis * 0.012 * length, mouth + side * sign * 0.86 * half])
        canvas.limb(rim, (max(2.4, 0.014 * length), 2.0), rng.uniform(0.15, 0.3))
    return canvas


def medusa(rng: np.random.Generator, area_px: float) -> Canvas:
    """A small jellyfish from above or aslant: faint disc, rim, radial canals, manubrium, tentacles."""
    radius = np.sqrt(area_px / 3.0)
    canvas = Canvas(radius * 1.9)
    angle, tilt = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.55, 1.0)
    ellipse = np.sqrt(np.clip(1.0 - np.linspace(-1, 1, 41) ** 2, 0.0, 1.0)) * radius * tilt
    canvas.body(np.zeros(2), angle, 2 * radius, ellipse, depth=rng.uniform(0.13, 0.22))
    canvas.body(np.zeros(2), angle, 2 * radius, ellipse, depth=rng.uniform(0.5, 0.9), wall=0.06)
    canvas.mottle(rng, min(radius / 4, 12.0), 0.28)
    axis, side = direction(angle), direction(angle + np.pi / 2)
    count = int(rng.integers(4, 9))
    for number in range(count):
        turn = 2 * np.pi * number / count + 0.3
        end = axis * np.cos(turn) * radius + side * np.sin(turn) * radius * tilt
        canvas.limb(np.stack([np.zeros(2), end * 0.5, end * 0.97]), (max(2.0, 0.05 * radius), 1.6), 0.22)
        tentacle = curve(
            end * 0.98, float(np.arctan2(end[1], end[0])), radius * rng.uniform(0.2, 0.8), curl=rng.normal(0, 1.0), rng=rng, wander=0.1
        )
        canvas.limb(tentacle, (2.2, 1.4), 0.3)
    canvas.spot(np.zeros(2), 0.2 * radius, rng.uniform(0.5, 1.2))
    return canvas


def radiolarian(rng: np.random.Generator, area_px: float) -> Canvas:
    """A dark central capsule in a halo of foam and spines."""
    radius = np.sqrt(area_px / 2.6)
    canvas = Canvas(radius * 1.6)
    outline = 1.0 + 0.10 * np.sin(np.linspace(0, 6.0, 41) + rng.uniform(0, 6))
    ball = np.sqrt(np.clip(1.0 - np.linspace(-1, 1, 41) ** 2, 0.0, 1.0)) * radius * outline
    angle = rng.uniform(0.0, 2 * np.pi)
    canvas.body(np.zeros(2), angle, 2 * radius, ball, depth=rng.uniform(0.3, 0.75))
    canvas.mottle(rng, radius / 3.5, 0.5)
    canvas.spot(rng.normal(0, 0.06 * radius, 2), radius * rng.uniform(0.3, 0.5), rng.uniform(0.7, 1.9))
    for turn in np.arange(int(rng.integers(8, 22))) * 2.399963:
        way = direction(float(turn) + rng.normal(0, 0.15))
        canvas.limb(np.stack([0.6 * way, 1.0 * way, rng.uniform(1.08, 1.4) * way]) * radius, (1.8, 0.9), 0.28)
    return canvas
