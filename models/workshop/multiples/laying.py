"""Two things on one glass, pushed together until they touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.zooscan.segment import SegmentSettings
from models.workshop.scan.drawing import WHITE

UInt8Array = npt.NDArray[np.uint8]

_FROM_EDGE_PX = 4
_LEAST_COMMON_PX, _MOST_COMMON_PX = 4, 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """Two that touch.

    Attributes:
        picture: (H, W) uint8, dark on white, with room around.
        one, other: upper left corners of both, (row, column).
    """

    picture: UInt8Array
    one: tuple[int, int]
    other: tuple[int, int]


def lay_together(one: UInt8Array, other: UInt8Array, rng: np.random.Generator) -> Laid | None:
    """The other moved towards the first along a way by chance until some dark pixels of both coincide; light goes through both.

    Args:
        one, other: (H, W) uint8, dark on white.
        rng: chance.

    Returns:
        Both, or None where they pass each other.
    """
    reach = max(other.shape) + _FROM_EDGE_PX
    glass = np.full((one.shape[0] + 2 * reach, one.shape[1] + 2 * reach), WHITE, np.uint8)
    glass[reach : reach + one.shape[0], reach : reach + one.shape[1]] = one
    limit = SegmentSettings().upper_grey
    theirs, wanted, way = other <= limit, int(rng.integers(_LEAST_COMMON_PX, _MOST_COMMON_PX)), rng.uniform(0.0, 2 * np.pi)
    for distance in range(int(np.hypot(*one.shape) + np.hypot(*other.shape)) // 2 + _FROM_EDGE_PX, 0, -1):
        left = round(glass.shape[1] / 2 + distance * np.cos(way) - other.shape[1] / 2)
        top = round(glass.shape[0] / 2 + distance * np.sin(way) - other.shape[0] / 2)
        if left < 0 or top < 0 or left + other.shape[1] > glass.shape[1] or top + other.shape[0] > glass.shape[0]:
            continue
        beneath = glass[top : top + other.shape[0], left : left + other.shape[1]]
        if int(((beneath <= limit) & theirs).sum()) >= wanted:
            beneath[:] = (beneath.astype(np.uint16) * other // WHITE).astype(np.uint8)
            return Laid(picture=glass, one=(reach, reach), other=(top, left))
    return None
