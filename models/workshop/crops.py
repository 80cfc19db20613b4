"""Training batches: square crops of rendered stills at the scale the detector will see.

The network is fully convolutional, so crops teach it as much per opening as whole stills and cost a fifth of the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
_LEAST_VISIBLE_SHARE = 0.4
_LEAST_SIDE_PX = 4.0
_CROPS_PER_STILL = 2
_BATCHES_AHEAD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """`image` (side, side, 3) uint8 RGB and its `boxes` (N, 4) float32 xyxy in crop pixels."""

    image: Image
    boxes: Boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class CropPlan:
    """Crops of `side_px` at `scale` (crop pixels per still pixel), jittered by up to `jitter` either way."""

    side_px: int
    scale: float
    jitter: float = 1.35


def read_labels(path: Path, width_px: int, height_px: int) -> Boxes:
    """YOLO label file as (N, 4) float32 xyxy pixels."""
    rows = [[float(v) for v in line.split()[1:]] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    centre_size = np.asarray(rows, np.float32).reshape(-1, 4) * np.array([width_px, height_px, width_px, height_px], np.float32)
    half = centre_size[:, 2:] / 2
    return np.hstack([centre_size[:, :2] - half, centre_size[:, :2] + half])


def label_path(image_path: Path) -> Path:
    """`.../images/train/a.jpg` -> `.../labels/train/a.txt`."""
    parts = list(image_path.parts)
    parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts).with_suffix(".txt")


def read_still(image_path: Path) -> tuple[Image, Boxes]:
    """Still (H, W, 3) uint8 BGR and its boxes (N, 4) float32 xyxy pixels."""
    image = cv2.imread(str(image_path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"cannot read {image_path}")
    return np.asarray(image, np.uint8), read_labels(label_path(image_path), image.shape[1], image.shape[0])


def cut(image: Image, boxes: Boxes, plan: CropPlan, rng: np.random.Generator) -> Crop:
    """One random crop: place, scale, mirror, quarter turn, light and colour all vary."""
    scale = plan.scale * float(np.exp(rng.uniform(-np.log(plan.jitter), np.log(plan.jitter))))
    source_px = plan.side_px / scale
    height, width = image.shape[:2]
    left = rng.uniform(min(0.0, width - source_px), max(0.0, width - source_px))
    top = rng.uniform(min(0.0, height - source_px), max(0.0, height - source_px))
    moved = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float64)
    shrunk = cv2.GaussianBlur(image, (0, 0), 0.35 / scale) if scale < 0.9 else image
    picture = cv2.warpAffine(shrunk, moved, (plan.side_px, plan.side_px), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
    inside = _clip(boxes * np.float32(scale) - np.array([left, top, left, top], np.float32) * np.float32(scale), plan.side_px)
    picture, inside = _turn(np.asarray(picture, np.uint8), inside, plan.side_px, rng)
    return Crop(image=_vary_light(np.ascontiguousarray(picture[..., ::-1]), rng), boxes=inside)


def _clip(boxes: Boxes, side_px: int) -> Boxes:
    clipped = np.clip(boxes, 0, side_px)
    before = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    sides = clipped[:, 2:] - clipped[:, :2]
    keep = (sides.min(axis=1) >= _LEAST_SIDE_PX) & (np.prod(sides, axis=1) >= _LEAST_VISIBLE_SHARE * before)
    return np.asarray(clipped[keep], np.float32)


def _turn(image: Image, boxes: Boxes, side_px: int, rng: np.random.Generator) -> tuple[Image, Boxes]:
    if rng.random() < 0.5:
        image, boxes = image[:, ::-1], np.stack([side_px - boxes[:, 2], boxes[:, 1], side_px - boxes[:, 0], boxes[:, 3]], axis=1)
    if rng.random() < 0.3:
        image, boxes = image[::-1], np.stack([boxes[:, 0], side_px - boxes[:, 3], boxes[:, 2], side_px - boxes[:, 1]], axis=1)
    if rng.random() < 0.3:
        image, boxes = image.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    return image, boxes


def _vary_light(image: Image, rng: np.random.Generator) -> Image:
    gain = rng.uniform(0.8, 1.25) * rng.normal(1.0, 0.035, 3)
    contrast = rng.uniform(0.75, 1.3)
    mean = image.reshape(-1, 3).mean(axis=0)
    table = np.stack([np.clip(((np.arange(256) - m) * contrast + m) * g, 0, 255) for m, g in zip(mean, gain, strict=True)], axis=-1)
    varied = cv2.LUT(image, table.astype(np.uint8)[None])
    if rng.random() < 0.2:
        varied = cv2.GaussianBlur(varied, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.15:
        varied = np.repeat(varied.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(1.0, 4.0), varied.shape[:2])[..., None]
        varied = np.clip(varied + noise, 0, 255).astype(np.uint8)
    return np.asarray(varied, np.uint8)


def crop_batches(images: Sequence[Path], plan: CropPlan, batch_size: int, seed: int, first_step: int = 1) -> Generator[list[Crop]]:
    """Endless batches from that of `first_step` on, prepared in a thread beside the training.

    A batch follows from `seed` and its step alone, so a training that goes on sees the batches it would have seen.

    Raises:
        OSError: a still cannot be read.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="crops") as pool:
        ahead = deque(pool.submit(crop_batch, images, plan, batch_size, seed, first_step + n) for n in range(_BATCHES_AHEAD))
        for step in count(first_step + _BATCHES_AHEAD):
            ahead.append(pool.submit(crop_batch, images, plan, batch_size, seed, step))
            yield ahead.popleft().result()


def crop_batch(images: Sequence[Path], plan: CropPlan, batch_size: int, seed: int, step: int) -> list[Crop]:
    """The batch of `step` (from 1): `batch_size` crops, two of each still, stills in a new order each time round."""
    stills_per_step = -(-batch_size // _CROPS_PER_STILL)
    crops: list[Crop] = []
    for turn in range((step - 1) * stills_per_step, step * stills_per_step):
        times_round, place = divmod(turn, len(images))
        order = np.random.default_rng([seed, 0, times_round]).permutation(len(images))
        image, boxes = read_still(images[order[place]])
        rng = np.random.default_rng([seed, 1, turn])
        crops += [cut(image, boxes, plan, rng) for _ in range(_CROPS_PER_STILL)]
    return crops[:batch_size]
