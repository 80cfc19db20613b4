"""What is measured of an object's pixels as a plane figure: centres and the ellipse of the same moments."""

from __future__ import annotations

import math

from edge.zooscan.particle import Particle
from models.runtime.vision import cv2

# A pixel is a square, not a point; ImageJ's figure for its own second moment.
_PIXEL_MOMENT = 0.08333333


def centres(particle: Particle) -> dict[str, float]:
    """`x`, `y`: centre of the pixels with holes, in the box; `xm`, `ym`: the same, each pixel weighted by its grey."""
    plain = cv2.moments(particle.filled.view("uint8"), binaryImage=True)
    weighted = cv2.moments(particle.grey * particle.filled)
    weight = weighted["m00"] or math.nan
    return {
        "x": plain["m10"] / plain["m00"] + 0.5,
        "y": plain["m01"] / plain["m00"] + 0.5,
        "xm": weighted["m10"] / weight + 0.5,
        "ym": weighted["m01"] / weight + 0.5,
    }


def ellipse(particle: Particle) -> dict[str, float]:
    """Axes and direction of the ellipse of the same second moments, made to have the same area.

    After ImageJ's `EllipseFitter` (public domain): the pixels' own moments are added, the angle is that of the major axis, in degrees
    from the x axis, counter-clockwise as seen, 0 to 180.
    """
    found = cv2.moments(particle.filled.view("uint8"), binaryImage=True)
    area = found["m00"]
    u20 = found["mu20"] / area + _PIXEL_MOMENT
    u02 = found["mu02"] / area + _PIXEL_MOMENT
    u11 = found["mu11"] / area
    middle, apart = (u20 + u02) / 2, math.hypot((u20 - u02) / 2, u11)
    major, minor = math.sqrt(middle + apart), math.sqrt(max(middle - apart, 0.0))
    scale = 2 * math.sqrt(area / (math.pi * major * minor))
    angle = math.degrees(0.5 * math.atan2(-2 * u11, u20 - u02)) % 180.0
    return {"major": major * scale, "minor": minor * scale, "angle": angle}
