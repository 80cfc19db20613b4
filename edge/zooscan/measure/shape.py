"""What is measured of an object's pixels as a plane figure: centres and the ellipse of the same moments."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.values import UInt8Array
from edge.zooscan.particle import Particle
from models.runtime.vision import cv2

# A pixel is a square, not a point; ImageJ's figure for its own second moment.
_PIXEL_MOMENT = 0.08333333


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Pixels as a plane figure.

    Attributes:
        area_px: how many.
        x, y: their centre in the box, pixels; the middle of the first pixel is at 0.5.
        major_px, minor_px: axes of the ellipse of the same second moments, made to have the same area.
        angle_deg: of the major axis from the x axis, counter-clockwise as seen, 0 to 180.
    """

    area_px: int
    x: float
    y: float
    major_px: float
    minor_px: float
    angle_deg: float


def figure_of(filled: UInt8Array) -> Figure:
    """The figure of pixels with holes, after ImageJ's `EllipseFitter` (public domain): the pixels' own moments are added.

    Args:
        filled: (H, W) uint8, 1 where a pixel is.
    """
    found = cv2.moments(filled, binaryImage=True)
    area = found["m00"]
    # In whole numbers, as an object that is the same on both sides has an angle of 0, not of almost 180.
    n, across, down = int(area), int(found["m10"]), int(found["m01"])
    u20 = (n * int(found["m20"]) - across**2) / n**2 + _PIXEL_MOMENT
    u02 = (n * int(found["m02"]) - down**2) / n**2 + _PIXEL_MOMENT
    u11 = (n * int(found["m11"]) - across * down) / n**2
    middle, apart = (u20 + u02) / 2, math.hypot((u20 - u02) / 2, u11)
    major, minor = math.sqrt(middle + apart), math.sqrt(max(middle - apart, 0.0))
    scale = 2 * math.sqrt(area / (math.pi * major * minor))
    return Figure(
        area_px=int(area),
        x=found["m10"] / area + 0.5,
        y=found["m01"] / area + 0.5,
        major_px=major * scale,
        minor_px=minor * scale,
        angle_deg=math.degrees(0.5 * math.atan2(-2 * u11, u20 - u02)) % 180.0,
    )


def grey_centre(particle: Particle) -> tuple[float, float]:
    """`xm`, `ym`: centre of the pixels with holes, each weighted by its grey, in the box; not a number for a black object."""
    weighted = cv2.moments(particle.grey * particle.filled)
    weight = weighted["m00"] or math.nan
    return weighted["m10"] / weight + 0.5, weighted["m01"] / weight + 0.5
