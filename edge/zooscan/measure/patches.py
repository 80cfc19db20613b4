"""How many dark patches an object has: Nb1 to Nb3."""

from __future__ import annotations

import numpy as np

from edge.values import UInt8Array
from models.runtime.vision import cv2

_LEAST_PX = 5
_SQUARE = np.ones((3, 3), np.uint8)


def dark_patches(alone: UInt8Array, grey: int) -> int:
    """Patches of at least 5 pixels, holes included, that are not brighter than a grey, after one erosion by a 3 x 3 square.

    Args:
        alone: (H, W) uint8, the object with white around it and in its holes.
        grey: `histcum1`, `2` or `3` of the object.
    """
    dark = cv2.erode((alone <= grey).view(np.uint8), _SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    chains, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return sum(_filled_area_px(chain) >= _LEAST_PX for chain in chains)


def _filled_area_px(chain: cv2.typing.MatLike) -> int:
    """Pixels inside a border and on it; not counted on where a border is too long for less than 5, thin as the patch may be."""
    if len(chain) >= 2 * _LEAST_PX:
        return _LEAST_PX
    left, top, width, height = cv2.boundingRect(chain)
    filled = np.zeros((height, width), np.uint8)
    cv2.drawContours(filled, [chain], -1, 1, cv2.FILLED, offset=(-left, -top))
    return int(cv2.countNonZero(filled))
