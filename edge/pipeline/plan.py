"""How an image is to be treated: plain values that a parent can make and a worker can receive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # commands that only tell which recipes there are do not wait for NumPy
    from edge.values import CropMeasures, UInt8Array

# Measures the particle in a crop (H, W, 3) uint8 BGR; None where there is none.
MeasureCrop: TypeAlias = "Callable[[UInt8Array], CropMeasures | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A rectangle in which nothing is to be found, such as burnt-in text.

    Pixels of the image as the file stores it, before EXIF orientation turns it: text is burnt in along the sensor's rows.
    Origin top left, half open; None reaches to the image's edge.
    """

    x_min_px: int = 0
    y_min_px: int = 0
    x_max_px: int | None = None
    y_max_px: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectSettings:
    """What a recipe asks of decoding and detection.

    Attributes:
        max_pixels: an image with more is refused before it is decoded.
        masks: where nothing is to be found.
        fit: None leaves letterbox or tiles to the model's manifest.
    """

    max_pixels: int
    masks: tuple[Mask, ...] = ()
    fit: Literal["letterbox", "tiles"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSettings:
    """What a recipe asks of the reading of a clip.

    Attributes:
        rate_hz: frames looked at per second of the clip.
        line_height: the counting row as a share of the frame's height, at which the motion of the seabed is judged.
    """

    rate_hz: float
    line_height: float
