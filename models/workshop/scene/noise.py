"""Smooth random fields, the raw material of mud."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def value_noise(shape: tuple[int, int], cell_px: float, rng: np.random.Generator) -> Field:
    """Field of `shape` (height, width) with unit variance at its grid points, smooth over `cell_px`."""
    height, width = shape
    grid = (int(height / cell_px) + 3, int(width / cell_px) + 3)
    coarse = rng.standard_normal(grid, dtype=np.float32)
    if cell_px <= 1.0:
        return np.ascontiguousarray(coarse[:height, :width])
    big = cv2.resize(coarse, (int(grid[1] * cell_px) + 1, int(grid[0] * cell_px) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = (int(cell_px * rng.random()) for _ in range(2))
    return np.ascontiguousarray(big[top : top + height, left : left + width])


def fractal(shape: tuple[int, int], cells_px: list[float], weights: list[float], rng: np.random.Generator) -> Field:
    """Weighted sum of value noises."""
    total = np.zeros(shape, np.float32)
    for cell_px, weight in zip(cells_px, weights, strict=True):
        total += np.float32(weight) * value_noise(shape, cell_px, rng)
    return total


def sigmoid(x: Field) -> Field:
    """Soft step from 0 to 1, safe for large arguments."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)), np.float32)
