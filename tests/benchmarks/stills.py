"""Stills for benchmarks: rendered by the project's own generator, made distinct by a comment segment."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from models.workshop.synthetic import iter_tow

STILLS_PER_FOLDER = 500
RENDERED = 100  # more would add no variety that decoding or inference could feel


def write_stills(folder: Path, count: int, *, seed: int = 11) -> list[Path]:
    """Write `count` stills of different content, in subfolders, and return their paths."""
    rendered = [still.jpeg for still in iter_tow(seed=seed, n_stills=min(count, RENDERED))]
    return _write_distinct(folder, rendered, count)


def write_small_stills(folder: Path, count: int) -> list[Path]:
    """Write `count` stills of 96 x 54 pixels, for what depends on their number only."""
    small = []
    for still in iter_tow(seed=12, n_stills=20):
        encoded = cv2.imencode(".jpg", cv2.resize(still.image, (96, 54)))[1]
        small.append(np.asarray(encoded).tobytes())
    return _write_distinct(folder, small, count)


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The same picture as another content: a comment segment (marker FFFE) after the start of the image."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + jpeg[2:]


def _write_distinct(folder: Path, jpegs: list[bytes], count: int) -> list[Path]:
    paths = []
    for number in range(count):
        path = folder / f"station{number // STILLS_PER_FOLDER:03d}" / f"still_{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(with_comment(jpegs[number % len(jpegs)], f"{folder.name} {number}"))
        paths.append(path)
    return paths
