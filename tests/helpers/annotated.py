"""Calls of an annotator: pictures as they come over the wire, and a rendered tow that the functions are tried on."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from annotator_bridge.functions.function import Function, answer_bytes
from edge.values import UInt8Array
from models.runtime.vision import cv2
from models.workshop.tow.render import TowFrame, render_tow

SIZE_PX = (614, 346)


def sent(image: UInt8Array, kind: str = ".png") -> str:
    """An image (H, W, 3) BGR or (H, W) as it stands in a call."""
    packed, data = cv2.imencode(kind, image)
    assert packed
    return base64.b64encode(bytes(data)).decode("ascii")


def answered(function: Function, payload: dict[str, Any]) -> Any:
    """What comes back after both documents went over the wire as JSON."""
    return json.loads(answer_bytes(function.invoke(json.loads(json.dumps(payload)))))


def rendered(seed: int, seconds: float, rate_hz: float, density_per_m2: float) -> list[TowFrame]:
    """Frames of a rendered tow in clear water, 614 x 346."""
    return list(render_tow(seed=seed, seconds=seconds, rate_hz=rate_hz, size_px=SIZE_PX, density_per_m2=density_per_m2, silt_every_s=None))


def picture(frame: TowFrame) -> UInt8Array:
    """The picture of a frame that was rendered with one."""
    assert frame.image is not None
    return np.asarray(frame.image, np.uint8)


def cut(box: Sequence[float], size_px: tuple[int, int] = SIZE_PX) -> list[float]:
    """The part of a box that lies in the picture."""
    return [float(value) for value in np.clip(box, 0, [*size_px, *size_px])]


def clear_openings(frame: TowFrame, least_px: float = 10.0, size_px: tuple[int, int] = SIZE_PX) -> dict[int, list[float]]:
    """The openings that lie wholly in clear view, by their number in the tow: their boxes."""
    boxes = zip(frame.opening_id.tolist(), frame.boxes_xyxy_px.tolist(), frame.visible.tolist(), strict=True)
    return {
        number: cut(box, size_px) for number, box, visible in boxes if visible > 0.95 and min(box[2] - box[0], box[3] - box[1]) > least_px
    }


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both)
