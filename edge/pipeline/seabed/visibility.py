"""How well the seabed can be seen in a frame, and which seconds to propose as not countable.

Silt. The light of the lamps falls off smoothly: its logarithm is nearly a surface of second degree (fitted to the real stills in
models/workshop/scene/camera.py), and mud stays within a few percent of it over a cell's size. A cloud is a patch darker or brighter
than that surface. It also is no part of the ground: under the motion of the seabed its cells do not look like what they showed a
moment ago. A cell counts as hidden for its light, or for not following although most of the frame follows.

    Proposed only. People decide what was countable; the seconds they take out are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.footage import Float64Array, Visibility
from edge.pipeline.seabed.plate import DARK_GREY, GREY_PER_UNIT, LOG_OFFSET, Float32Array, Plate
from models.runtime.vision import cv2

GRID = (24, 13)  # cells across and down
LIGHT_OFF = 0.20  # of the logarithm: a cell a fifth darker or brighter than the lamps explain
NOT_FOLLOWING = 0.25  # correlation with what the cell should show
FOLLOWING_SHARE = 0.4  # of the cells: below, nothing can be said of single ones
ROUNDS = 6

BoolArray = NDArray[np.bool_]


class VisibilityMeter:
    """Measures plates of one size."""

    def __init__(self, size: tuple[int, int]) -> None:
        x, y = np.meshgrid(np.linspace(-1, 1, GRID[0]), np.linspace(-1, 1, GRID[1]))
        self._terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
        self._size = size

    def measure(self, plate: Plate, following: Float32Array | None) -> Visibility:
        """What is seen of the seabed; `following` (rows, columns) is the correlation of the plate's cells under its motion, -1 unknown."""
        lit = plate.usable.astype(np.float32)
        count = float(lit.sum())
        dark = self._dark_fraction(plate)
        if count == 0:
            return Visibility(mean_luminance=float(plate.grey.mean()), contrast=0.0, sharpness=0.0, silt_fraction=0.0, dark_fraction=dark)
        hidden = self._off_light(plate) | self._not_following(following)
        laplacian = np.asarray(cv2.Laplacian(plate.grey, cv2.CV_32F, ksize=1), np.float32) * lit
        evened = (plate.texture.astype(np.float32) - 128) / np.float32(GREY_PER_UNIT) * (plate.grey + np.float32(LOG_OFFSET)) * lit
        return Visibility(
            mean_luminance=float((plate.grey * lit).sum() / count),
            contrast=float(np.sqrt(np.square(evened).sum() / count)),
            sharpness=float(np.square(laplacian).sum() / count),
            silt_fraction=float(np.count_nonzero(hidden) / hidden.size),
            dark_fraction=dark,
        )

    def _dark_fraction(self, plate: Plate) -> float:
        return float(np.count_nonzero(plate.grey < DARK_GREY) / plate.grey.size)

    def _off_light(self, plate: Plate) -> BoolArray:
        """(13, 24): cells whose light is off the smooth falloff."""
        mean = np.asarray(cv2.resize(plate.grey, GRID, interpolation=cv2.INTER_AREA), np.float64)
        lit = (mean >= DARK_GREY).ravel()
        if np.count_nonzero(lit) < GRID[0]:
            return np.zeros((GRID[1], GRID[0]), np.bool_)
        level = np.log(mean + LOG_OFFSET).ravel()
        off = level - self._terms @ self._falloff(level, lit)
        return np.asarray((np.abs(off) > LIGHT_OFF) & lit).reshape(GRID[1], GRID[0])

    def _falloff(self, level: Float64Array, lit: BoolArray) -> Float64Array:
        """Coefficients of the surface through most of the cells, by Tukey's weights."""
        weights = lit.astype(np.float64)
        for _ in range(ROUNDS):
            root = np.sqrt(weights)[:, None]
            coefficients = np.linalg.lstsq(self._terms * root, level * root[:, 0], rcond=None)[0]
            off = level - self._terms @ coefficients
            spread = max(0.03, 1.4826 * float(np.median(np.abs(off[lit]))))
            weights = np.square(np.clip(1 - np.square(off / (4 * spread)), 0, None)) * lit
        return np.asarray(coefficients, np.float64)

    def _not_following(self, following: Float32Array | None) -> BoolArray:
        none = np.zeros((GRID[1], GRID[0]), np.bool_)
        if following is None:
            return none
        known = following > -1
        if int(np.count_nonzero(following > 0.45)) < FOLLOWING_SHARE * max(1, int(np.count_nonzero(known))):
            return none
        lost = cv2.resize((known & (following < NOT_FOLLOWING)).astype(np.float32), GRID, interpolation=cv2.INTER_AREA)
        return np.asarray(np.asarray(lost) > 0.5, np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountableSettings:
    """When a second is proposed as not countable.

    Attributes:
        hidden_share: of the frame, by silt and darkness together, from which a frame is bad.
        clear_share: below which it is good again: a cloud at the edge of the limit does not flicker.
        least_contrast: grey levels of the evened frame below which it is bad.
        bad_share: of the frames of a second that must be bad.
    """

    hidden_share: float = 0.35
    clear_share: float = 0.25
    least_contrast: float = 0.6
    bad_share: float = 0.5


def propose_not_countable(at_s: Sequence[float], seen: Sequence[Visibility | None], settings: CountableSettings) -> list[int]:
    """Whole seconds (floor of `at_s`) proposed as not countable, ascending; frames that were not measured say nothing."""
    bad, by_second = False, dict[int, list[bool]]()
    for time_s, visibility in zip(at_s, seen, strict=True):
        if visibility is None:
            continue
        hidden = visibility.silt_fraction + visibility.dark_fraction
        limit = settings.clear_share if bad else settings.hidden_share
        bad = hidden >= limit or visibility.contrast < settings.least_contrast
        by_second.setdefault(int(np.floor(time_s)), []).append(bad)
    return sorted(second for second, frames in by_second.items() if sum(frames) >= settings.bad_share * len(frames))
