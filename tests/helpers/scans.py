"""Small raw scans with animals of known places: as the scanner writes them, with two backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from edge.zooscan.process.values import ScanInput
from edge.zooscan.project.config import read_settings
from models.runtime.vision import cv2

GLASS = 54_000
_RATIO = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Animal:
    """An ellipse on the glass, in pixels of the upright scan.

    Attributes:
        x, y: its centre.
        long, short: its half axes.
        turned_deg: of the long one, clockwise as seen.
        light: how much of the light it lets through.
    """

    x: int
    y: int
    long: int = 40
    short: int = 22
    turned_deg: float = 20.0
    light: float = 0.5


def lone(count: int = 6) -> list[Animal]:
    """Animals that do not touch."""
    return [
        Animal(x=400 + 220 * (number % 8), y=300 + 170 * (number // 8), long=34 + number % 5, turned_deg=23.0 * number)
        for number in range(count)
    ]


def touching(x: int = 1000, y: int = 900) -> list[Animal]:
    """Two animals of which nothing but their middles tells that they are two."""
    return [Animal(x=x - 36, y=y, turned_deg=0), Animal(x=x + 36, y=y, turned_deg=0)]


def upright_light(animals: list[Animal], width: int, height: int) -> NDArray[np.float32]:
    """(H, W) float32: the share of the light that comes through."""
    light = np.ones((height, width), np.float32)
    for one in animals:
        cv2.ellipse(light, (one.x, one.y), (one.long, one.short), one.turned_deg, 0, 360, (one.light,), cv2.FILLED)
    return light


def write_raw(folder: Path, animals: list[Animal], *, width: int = 2400, height: int = 1600, frame_px: int = 96) -> ScanInput:
    """A raw scan with its backgrounds, named `scan_raw_1.tif`, `back_1.tif`, `back_2.tif`.

    Args:
        folder: of the files.
        animals: what lies on the glass.
        width, height: of the upright scan, multiples of 8.
        frame_px: how far the frame's shadow reaches in; 0 for no frame.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scan = upright_light(animals, width, height) * _glass(1, (height, width))
    paths = folder / "scan_raw_1.tif", folder / "back_1.tif", folder / "back_2.tif"
    _write(paths[0], scan * _shadow((height, width), frame_px), 2400)
    small = height // _RATIO, width // _RATIO
    for number, path in enumerate(paths[1:], start=2):
        _write(path, _glass(number, small) * _shadow(small, frame_px / _RATIO), 2400 // _RATIO)
    return ScanInput(raw=paths[0], backgrounds=paths[1:], settings=read_settings(None, None))


def _glass(seed: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(GLASS - 300, GLASS + 300, shape).astype(np.float32)


def _shadow(shape: tuple[int, int], reach_px: float) -> NDArray[np.float32]:
    """Half the light at the edges, all of it from `reach_px` on."""
    if not reach_px:
        return np.ones(shape, np.float32)
    sides = [np.clip(0.5 + 0.5 * np.minimum(np.arange(side), np.arange(side)[::-1]) / reach_px, 0, 1) for side in shape]
    return np.asarray(sides[0][:, None] * sides[1][None, :], np.float32)


def _write(path: Path, upright: NDArray[np.float32], dpi: int) -> None:
    """The raw scan is upright once it is turned a quarter clockwise and then upside down."""
    raw = np.ascontiguousarray(np.rot90(np.flipud(upright))).clip(0, 65_535).astype(np.uint16)
    tifffile.imwrite(path, raw, resolution=(dpi, dpi), rowsperstrip=16)
