"""What lies on the glass beside animals: detritus, fibres, bubbles, dust."""

from __future__ import annotations

import numpy as np

from models.workshop.scan.brush import Canvas, curve, direction
from models.workshop.scene.noise import fractal, sigmoid

_LONGEST_FIBRE_PX = 1500.0


def detritus(rng: np.random.Generator, area_px: float) -> Canvas:
    """An aggregate: ragged, of uneven thickness, with strands."""
    radius = np.sqrt(area_px / 2.2)
    canvas = Canvas(radius * 1.9)
    stretch, angle = rng.uniform(0.45, 1.0), rng.uniform(0.0, 2 * np.pi)
    along, across = canvas.frame(np.zeros(2), angle)
    round_ = np.sqrt(along**2 + (across / np.float32(stretch)) ** 2) / np.float32(radius / np.sqrt(stretch))
    cells = [radius * 0.9, radius * 0.35, max(3.0, radius * 0.13), 2.5]
    field = fractal(canvas.depth.shape, cells, [0.42, 0.34, 0.24, 0.12], rng)
    solid = sigmoid((1.0 - round_ + 0.62 * field) * np.float32(9.0))
    tissue = fractal(canvas.depth.shape, [max(3.0, radius * 0.2), 3.0], [0.5, 0.35], rng)
    canvas.depth += solid * np.clip(rng.uniform(0.22, 0.75) * (1.0 + 0.7 * tissue), 0.02, 3.0).astype(np.float32)
    canvas.depth[round_ > 1.75] = 0.0
    for _ in range(int(rng.integers(0, 5))):
        way = rng.uniform(0, 2 * np.pi)
        strand = curve(direction(way) * 0.5 * radius, way, radius * rng.uniform(0.4, 1.0), curl=rng.normal(0, 1.0), rng=rng, wander=0.15)
        canvas.limb(strand, (2.2, 1.2), rng.uniform(0.2, 0.4))
    return canvas


def fibre(rng: np.random.Generator, area_px: float) -> Canvas:
    """A thread: long, evenly thin, winding."""
    thick = max(rng.uniform(3.0, 5.5), area_px / _LONGEST_FIBRE_PX)
    length = area_px / thick
    canvas = Canvas(length * 0.72)
    way = rng.uniform(0, 2 * np.pi)
    line = curve(np.zeros(2), way, length, curl=rng.normal(0, 1.6), rng=rng, wander=0.11)
    line = line - (line.max(axis=0) + line.min(axis=0)) / 2
    canvas.limb(line, (thick, thick * rng.uniform(0.7, 1.0)), rng.uniform(0.3, 0.9))
    return canvas


def bubble(rng: np.random.Generator, area_px: float) -> Canvas:
    """An air bubble: a dark ring with a bright middle and a glint."""
    radius = np.sqrt(area_px / np.pi)
    canvas = Canvas(radius * 1.1)
    along, across = canvas.frame(np.zeros(2), 0.0)
    out = np.sqrt(along**2 + (across * np.float32(rng.uniform(0.94, 1.06))) ** 2) / np.float32(radius)
    ring = np.float32(rng.uniform(0.9, 1.8)) * np.exp(-((out - 0.86) ** 2) / np.float32(rng.uniform(0.006, 0.02)))
    canvas.depth += np.where(out < 1.0, ring + 0.12, 0.0).astype(np.float32)
    canvas.spot(direction(rng.uniform(0, 2 * np.pi)) * 0.35 * radius, 0.12 * radius, 0.35)
    return canvas


def speck(rng: np.random.Generator, area_px: float) -> Canvas:
    """Dust: too small to be an object."""
    radius = np.sqrt(area_px / np.pi)
    canvas = Canvas(radius * 2.2)
    if area_px > 60 and rng.random() < 0.3:
        half = min(area_px / 5.0, radius * 4.0)
        canvas = Canvas(half * 0.7)
        line = curve(-direction(0.0) * half / 2, 0.0, half, curl=rng.normal(0, 0.8))
        canvas.limb(line - (line.max(axis=0) + line.min(axis=0)) / 2, (2.5, 1.6), rng.uniform(0.2, 0.6))
        return canvas
    bumps = smooth_ball(radius) * (1.0 + rng.uniform(-0.25, 0.25, 9))
    canvas.body(np.zeros(2), rng.uniform(0, np.pi), 2 * radius, bumps, depth=rng.uniform(0.2, 1.6))
    return canvas


def smooth_ball(radius: float) -> np.ndarray:
    """Half widths of a ball at nine steps."""
    return np.asarray(np.sqrt(np.clip(1.0 - np.linspace(-1, 1, 9) ** 2, 0.0, 1.0)) * radius)
