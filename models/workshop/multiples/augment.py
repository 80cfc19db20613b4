"""What chance does to a crop before it is learned from, so that no sketch is learned by heart.

Turned, mirrored, stretched, bent; greys spread otherwise; limbs taken off, bodies broken and worn; blurred as a worse lens does. What comes
out is one connected object still, cut to its box, as the segmenter would hand it over.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.zooscan.multiples import prepare
from models.workshop.scan.drawing import DARK_ENOUGH

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

_STRETCH = 1.25
_SHEAR = 0.15
_BEND_SHARE, _BEND_PX = 0.35, 5.0
_LIMBLESS_SHARE = 0.15
_BROKEN_SHARE = 0.12
_BLUR_SHARE = 0.3
_WORN_SHARE = 0.3
_LEAST_PX = 60


def vary(crop: UInt8Array, rng: np.random.Generator, side_px: int, *, is_multiple: bool) -> UInt8Array:
    """(side_px, side_px) uint8, bright on black: the network's input of a crop that chance changed.

    Args:
        crop: (H, W) uint8, dark on white.
        rng: chance.
        side_px: of the network's input.
        is_multiple: what shows several is not broken, which would make it one.
    """
    bright = _turned(np.asarray(cv2.bitwise_not(crop), np.uint8), rng)
    if rng.random() < _BEND_SHARE:
        bright = _bent(bright, rng)
    if rng.random() < _LIMBLESS_SHARE:
        bright = _if_one(_without_limbs(bright, rng), bright)
    if rng.random() < _WORN_SHARE:
        bright = _worn(bright, rng, is_multiple=is_multiple)
    if not is_multiple and rng.random() < _BROKEN_SHARE:
        bright = _if_one(_broken(bright, rng), bright)
    if rng.random() < _BLUR_SHARE:
        bright = np.asarray(cv2.GaussianBlur(bright, (0, 0), float(rng.uniform(0.4, 1.4))), np.uint8)
    left = _largest(_spread(bright, rng))
    if not left.any():  # what is faint all over does not stand every change
        return prepare(crop, side_px, side_px)
    return prepare(np.asarray(cv2.bitwise_not(left), np.uint8), side_px, side_px)


def _turned(bright: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    height, width = bright.shape
    angle = rng.uniform(0.0, 2 * np.pi)
    stretch = np.exp(rng.uniform(-np.log(_STRETCH), np.log(_STRETCH)))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    form = np.array([[stretch, rng.uniform(-_SHEAR, _SHEAR)], [0.0, mirror / stretch]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ form
    side = int(np.ceil(_STRETCH * np.hypot(height, width))) + 6
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = (side - 1) / 2 - turn @ middle
    return np.asarray(cv2.warpAffine(bright, np.column_stack([turn, shift]), (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def _bent(bright: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Moved about by a smooth field of a few pixels."""
    height, width = bright.shape
    coarse = rng.normal(0.0, 1.0, (2, 5, 5)).astype(np.float32) * np.float32(rng.uniform(1.0, _BEND_PX))
    moved = [cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in coarse]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray(cv2.remap(bright, x + moved[0], y + moved[1], cv2.INTER_LINEAR), np.uint8)


def _without_limbs(bright: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    size = int(rng.integers(3, 8))
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(bright, cv2.MORPH_OPEN, brush), np.uint8)


def _worn(bright: UInt8Array, rng: np.random.Generator, *, is_multiple: bool) -> UInt8Array:
    """Eaten away in patches, as detritus and damaged animals are; of several only so much that all of them remain."""
    height, width = bright.shape
    coarse = rng.normal(0.0, 1.0, (max(3, height // 8), max(3, width // 8))).astype(np.float32)
    field = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    dark = bright >= DARK_ENOUGH
    gone = np.quantile(field[dark], rng.uniform(0.03, 0.12) if is_multiple else rng.uniform(0.08, 0.4)) if dark.any() else 0.0
    worn = _largest(np.where(field > gone, bright, np.uint8(0)))
    left = int(np.count_nonzero(worn >= DARK_ENOUGH)) / max(int(np.count_nonzero(dark)), 1)
    return worn if left > (0.85 if is_multiple else 0.4) else bright


def _broken(bright: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """Up to half of it is gone beyond a straight line."""
    rows, columns = np.nonzero(bright >= DARK_ENOUGH)
    angle = rng.uniform(0.0, 2 * np.pi)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    limit = np.quantile(along, rng.uniform(0.5, 0.95))
    left = bright.copy()
    left[rows[along > limit], columns[along > limit]] = 0
    return left


def _spread(bright: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    gamma, gain = np.exp(rng.uniform(-0.45, 0.45)), np.exp(rng.uniform(-0.45, 0.45))
    greys = 255.0 * gain * (np.arange(256) / 255.0) ** gamma
    table = np.where(np.arange(256) >= DARK_ENOUGH, np.clip(greys, DARK_ENOUGH, 255), 0.0).astype(np.uint8)
    spread = np.asarray(cv2.LUT(bright, table), np.int16)
    noise = rng.normal(0.0, rng.uniform(0.5, 5.0), bright.shape).astype(np.int16)
    return np.where(spread > 0, np.clip(spread + noise, DARK_ENOUGH, 255), 0).astype(np.uint8)


def _if_one(changed: UInt8Array, before: UInt8Array) -> UInt8Array:
    """What was changed if it hangs together still and enough is left, else what it was before."""
    seen = (changed >= DARK_ENOUGH).view(np.uint8)
    count, _ = cv2.connectedComponents(seen, connectivity=8)
    return changed if count == 2 and cv2.countNonZero(seen) >= _LEAST_PX else before


def _largest(bright: UInt8Array) -> UInt8Array:
    """The largest part that hangs together: warping leaves crumbs."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats((bright >= DARK_ENOUGH).view(np.uint8), connectivity=8)
    if count < 2:
        return bright
    return np.where(labels == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax()), bright, np.uint8(0))
