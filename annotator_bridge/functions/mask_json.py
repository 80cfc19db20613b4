"""A mask as JSON text: two million numbers, which `json` would take a second for."""

from __future__ import annotations

from typing import Any

import numpy as np

from annotator_bridge.functions.clicks import BoolArray
from annotator_bridge.functions.function import RawJson, answer_bytes

_ZERO, _COMMA, _OPEN, _CLOSE = (ord(letter) for letter in "0,[]")


def mask_rows(mask: BoolArray) -> bytes:
    """The mask (H, W) as `[[0,1,...],...]`; H and W at least 1."""
    height, width = mask.shape
    text = np.full((height, 2 * width + 2), _COMMA, np.uint8)
    text[:, 0] = _OPEN
    text[:, 1:-1:2] = mask
    text[:, 1:-1:2] += _ZERO
    text[:, -2] = _CLOSE
    return b"[" + text.reshape(-1)[:-1].tobytes() + b"]"


def answer_with_mask(mask: BoolArray, besides: dict[str, Any]) -> RawJson:
    """An object with `mask` and what else it says; `besides` is not empty."""
    return RawJson(b'{"mask":' + mask_rows(mask) + b"," + answer_bytes(besides)[1:])
