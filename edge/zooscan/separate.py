"""Lines that separate animals which touch: the seam for separators, and the classical one that needs no model.

A line takes pixels away from an object: they are set white before the scan is segmented anew, and what was one object is then two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from edge.values import Float32Array, Int32Array, UInt8Array
from edge.zooscan.bodies import BodySettings, find_bodies
from edge.zooscan.particle import BACKGROUND_GREY, UPPER_GREY, BoolArray
from edge.zooscan.segment import SegmentSettings
from edge.zooscan.watershed import between, flood, summits
from models.runtime.vision import cv2

_NOTHING = np.zeros((0, 2), np.int32)
# A larger object is looked at reduced to this: necks are shares of bodies, not pixels.
_LARGEST_SIDE_PX = 400
# A hole of more than this share of an object is a gap between animals, a smaller one a part of an animal.
_GAP_SHARE = 0.02
_SMOOTHING_PX = 1.0
# What a cut leaves that is no object is lost to the scan: never more than this share of the smallest object.
_MOST_CRUMBS = 0.5
# Shares of the darkness of an object's darkest tenth: what of it is darker makes the deeper levels.
_DEEPER = (0.3, 0.6)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Separation:
    """Where an object is to be cut.

    Attributes:
        pixels: (N, 2) int32, x and y in the object's box of the pixels to be set white; none if it is left whole.
        score: 0..1, how sure; 0 without pixels.
    """

    pixels: Int32Array
    score: float

    def __post_init__(self) -> None:
        """Check shape, type and score.

        Raises:
            ValueError: pixels are not (N, 2) int32, or the score is not in 0..1.
        """
        if self.pixels.ndim != 2 or self.pixels.shape[1] != 2 or self.pixels.dtype != np.int32:
            raise ValueError(f"pixels must be (N, 2) int32, not {self.pixels.shape} {self.pixels.dtype}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must lie in 0..1, not {self.score}")


WHOLE = Separation(pixels=_NOTHING, score=0.0)


@runtime_checkable
class Separator(Protocol):
    """Looks for lines between animals that touch."""

    @property
    def name(self) -> str:
        """What made the lines, with its version: stored beside each of them."""
        ...

    def lines(self, alone: UInt8Array, filled: BoolArray) -> Separation:
        """Where to cut one object.

        Args:
            alone: (H, W) uint8, the object with white around it and in its holes (`Particle.alone`).
            filled: (H, W) bool, its pixels with its holes.

        Raises:
            ModelError: a model failed.
        """
        ...


class WatershedSeparator:
    """Cuts where the object is narrow or its greys have a seam: watershed of the distance from the edge, one part for each body.

    It knows nothing of animals. What overlaps without a neck stays whole, and so does what hangs on something slim; an animal with a
    waist may be cut: it is asked about multiples only, and a person looks at its lines.
    """

    name = "watershed-1"

    def __init__(self, settings: BodySettings | None = None, *, least_px: int | None = None, upper_grey: int = UPPER_GREY) -> None:
        """Take what an object is.

        Args:
            settings: when a narrow place is a contact.
            least_px: pixels of the smallest object, holes included.
            upper_grey: the largest grey of an object's pixel.
        """
        self._settings = settings or BodySettings()
        self._least_px = SegmentSettings().min_area_px if least_px is None else least_px
        self._upper_grey = upper_grey

    def lines(self, alone: UInt8Array, filled: BoolArray) -> Separation:
        """See `Separator.lines`."""
        solid = _solid(alone, filled, self._upper_grey)
        scale = min(1.0, _LARGEST_SIDE_PX / max(solid.shape))
        height = _height(solid, alone, scale, self._upper_grey)
        bodies = find_bodies(height, flood(height, summits(height)), self._settings, least_px=self._least_px * scale**2)
        if bodies.count < 2:
            return WHOLE
        # What is too thin for the reduced picture belongs to no body yet; it goes to the one from which it is reached first.
        size = (filled.shape[1], filled.shape[0])
        enlarged = np.asarray(cv2.resize(bodies.labels.astype(np.uint16), size, interpolation=cv2.INTER_NEAREST), np.int32)
        return cut(flood(filled.astype(np.float32), enlarged), alone, bodies.score, self._least_px, self._upper_grey)


def watershed_of(settings: SegmentSettings) -> WatershedSeparator:
    """The separator for scans on which these are objects."""
    return WatershedSeparator(least_px=settings.min_area_px, upper_grey=settings.upper_grey)


def cut(labels: Int32Array, alone: UInt8Array, score: float, least_px: int, upper_grey: int = UPPER_GREY) -> Separation:
    """The pixels between the parts of an object, unless fewer than two of what they leave are objects, or much would be lost.

    Args:
        labels: (H, W) int32, the part of each pixel; 0 is outside.
        alone: see `Separator.lines`.
        score: of the separation.
        least_px: pixels of the smallest object, holes included.
        upper_grey: the largest grey of an object's pixel.
    """
    dark = alone <= upper_grey
    line = between(labels) & dark
    left, _ = cv2.findContours((dark & ~line).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    sizes_px = [_filled_px(chain) for chain in left]
    crumbs_px = sum(size_px for size_px in sizes_px if size_px < least_px)
    if sum(size_px >= least_px for size_px in sizes_px) < 2 or crumbs_px > _MOST_CRUMBS * least_px:
        return WHOLE
    rows, columns = np.nonzero(line)
    return Separation(pixels=np.stack([columns, rows], axis=1).astype(np.int32), score=min(max(score, 0.0), 1.0))


def _solid(alone: UInt8Array, filled: BoolArray, upper_grey: int) -> BoolArray:
    """(H, W) bool: the object without the gaps that its animals enclose, but with the holes that they have."""
    holes = filled & (alone > upper_grey)
    count, numbered, facts, _ = cv2.connectedComponentsWithStats(holes.view(np.uint8), connectivity=4)
    gap = np.zeros(count, np.bool_)
    gap[1:] = facts[1:, cv2.CC_STAT_AREA] > _GAP_SHARE * np.count_nonzero(filled)
    solid: BoolArray = filled & ~gap[numbered]
    return solid


def _height(solid: BoolArray, alone: UInt8Array, scale: float, upper_grey: int) -> Float32Array:
    """(H, W) float32: how far inside each pixel lies, of the object reduced by a scale; 0 is outside.

    It is the mean of the distances from the edges of three objects: what is dark at all, and what of it is dark enough for two deeper
    levels. Animals are darkest in the middle, and where two lie against each other their faint rims meet: a neck of greys.
    """
    size = (max(1, round(solid.shape[1] * scale)), max(1, round(solid.shape[0] * scale)))
    covered = np.asarray(cv2.resize(solid.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    inside = covered >= 0.5
    darkness = cv2.GaussianBlur(cv2.resize(cv2.bitwise_not(alone), size, interpolation=cv2.INTER_AREA), (0, 0), _SMOOTHING_PX)
    darkest = float(np.percentile(darkness[inside], 90)) if inside.any() else 0.0
    faintest = float(BACKGROUND_GREY - upper_grey)
    levels = [inside & (darkness >= faintest + share * (darkest - faintest)) for share in _DEEPER]
    mean = sum((_distance(level) for level in levels), _distance(inside)) / np.float32(1 + len(levels))
    return np.asarray(cv2.GaussianBlur(mean, (0, 0), _SMOOTHING_PX), np.float32) * inside


def _distance(inside: BoolArray) -> Float32Array:
    """(H, W) float32, from the nearest pixel outside; what touches the edge of the box lies there at its own edge."""
    framed = cv2.copyMakeBorder(inside.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)[1:-1, 1:-1]


def _filled_px(chain: cv2.typing.MatLike) -> int:
    """Pixels within a border and on it."""
    left, top, width, height = cv2.boundingRect(chain)
    filled = np.zeros((height, width), np.uint8)
    cv2.drawContours(filled, [chain], -1, 1, cv2.FILLED, offset=(-left, -top))
    return int(cv2.countNonZero(filled))
