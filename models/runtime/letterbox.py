"""Fit an image into the input of a network, and bring boxes back.

The placement agrees with the usual YOLO letterbox (scale to fit, centre, pad), so that a model sees at run time what it saw in
training; the way back uses the exact ratio of the rounded sizes instead of the nominal scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.values import Float32Array, UInt8Array
from models.manifest import InputSpec
from models.runtime.vision import cv2

AnyArray = NDArray[Any]

_AREA_BELOW_SCALE = 0.5  # bilinear resizing reads 2 x 2 pixels and would skip some below this


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an image, or a part of one, lies in the network's input: content (width, height) at (left, top), all in pixels of the input."""

    source_width_px: int
    source_height_px: int
    content_width_px: int
    content_height_px: int
    left_px: int
    top_px: int


def letterbox(width_px: int, height_px: int, spec: InputSpec) -> Placement:
    """Scale an image of that size to fit the input, centred."""
    scale = min(spec.width_px / width_px, spec.height_px / height_px)
    content_width_px = max(1, round(width_px * scale))
    content_height_px = max(1, round(height_px * scale))
    return Placement(
        source_width_px=width_px,
        source_height_px=height_px,
        content_width_px=content_width_px,
        content_height_px=content_height_px,
        left_px=round((spec.width_px - content_width_px) / 2 - 0.1),
        top_px=round((spec.height_px - content_height_px) / 2 - 0.1),
    )


def stretch(width_px: int, height_px: int, spec: InputSpec) -> Placement:
    """Scale an image of that size to fill the input, without keeping its aspect."""
    return Placement(
        source_width_px=width_px,
        source_height_px=height_px,
        content_width_px=spec.width_px,
        content_height_px=spec.height_px,
        left_px=0,
        top_px=0,
    )


def resize(image: UInt8Array, width_px: int, height_px: int) -> UInt8Array:
    """An image (H, W, 3) at another size; bilinear, averaging areas where it shrinks to less than half."""
    if image.shape[:2] == (height_px, width_px):
        return image
    scale = min(width_px / image.shape[1], height_px / image.shape[0])
    method = cv2.INTER_AREA if scale < _AREA_BELOW_SCALE else cv2.INTER_LINEAR
    resized: UInt8Array = cv2.resize(image, (width_px, height_px), interpolation=method)  # type: ignore[assignment]
    return resized


def to_tensor(content: UInt8Array, spec: InputSpec, *, left_px: int, top_px: int) -> Float32Array:
    """Place an image (h, w, 3) uint8 BGR in the network's input: (1, 3, H, W) float32, padded around.

    A pixel becomes (value / 255 - mean) / std, per channel in `spec.channel_order`.
    """
    height_px, width_px = content.shape[:2]
    box = (left_px, top_px, left_px + width_px, top_px + height_px)
    tensor = np.empty((1, 3, spec.height_px, spec.width_px), np.float32)
    planes = cv2.split(content)
    for index, plane in enumerate(planes if spec.channel_order == "bgr" else reversed(planes)):
        mean, std = spec.mean[index], spec.std[index]
        inside = _padded(tensor[0, index], box, np.float32((spec.pad_value / 255 - mean) / std))
        np.multiply(plane, np.float32(1 / (255 * std)), out=inside)
        if mean:
            inside -= np.float32(mean / std)
    return tensor


def to_pixels(content: UInt8Array, spec: InputSpec, *, left_px: int, top_px: int) -> UInt8Array:
    """Place an image (h, w, 3) uint8 BGR in a picture of the input's size: (1, H, W, 3) uint8 in `spec.channel_order`, padded around."""
    height_px, width_px = content.shape[:2]
    box = (left_px, top_px, left_px + width_px, top_px + height_px)
    pixels = np.empty((1, spec.height_px, spec.width_px, 3), np.uint8)
    inside = _padded(pixels[0], box, np.uint8(spec.pad_value))
    if spec.channel_order == "bgr":
        inside[:] = content
    else:
        cv2.cvtColor(content, cv2.COLOR_BGR2RGB, dst=inside)
    return pixels


def _padded(whole: AnyArray, box: tuple[int, int, int, int], padding: np.float32 | np.uint8) -> AnyArray:
    """The part of a plane or a picture (H, W, ...) within left, top, right, bottom; what is around it is filled."""
    left_px, top_px, right_px, bottom_px = box
    whole[:top_px] = padding
    whole[bottom_px:] = padding
    whole[top_px:bottom_px, :left_px] = padding
    whole[top_px:bottom_px, right_px:] = padding
    return whole[top_px:bottom_px, left_px:right_px]


def to_source(xyxy: Float32Array, placement: Placement) -> Float32Array:
    """Boxes (N, 4) in pixels of the network's input, as pixels of what was placed there, cut at its edges."""
    offset = np.array([placement.left_px, placement.top_px] * 2, np.float32)
    ratio = np.array(
        [placement.source_width_px / placement.content_width_px, placement.source_height_px / placement.content_height_px] * 2, np.float32
    )
    limit = np.array([placement.source_width_px, placement.source_height_px] * 2, np.float32)
    boxes: Float32Array = np.clip((xyxy - offset) * ratio, 0, limit).astype(np.float32)
    return boxes
