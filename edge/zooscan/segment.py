"""The objects of a scan: what is not brighter than the threshold and hangs together.

As Zooprocess has ImageJ's particle analyser find them: 8-connected, holes filled, nothing that touches the edge of the picture, nothing
inside another object's outline, nothing below or above a size, no lines. Domain: Zooprocess 8, section a5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.values import Int32Array, UInt8Array
from edge.zooscan.borders import outer_borders
from edge.zooscan.particle import UPPER_GREY, Particle
from models.runtime.vision import cv2

MM_PER_INCH = 25.4


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """What is an object. The names in Zooprocess's configuration are given in brackets.

    Attributes:
        upper_grey: an object's pixel is not brighter (`upper`).
        min_esd_mm: equivalent spherical diameter of the smallest object (`minsizeesd_mm`).
        max_esd_mm: of the largest (`maxsizeesd_mm`).
        longest_line: an object so many times wider than high is a line of the scanner's, not an object.
        resolution_dpi: pixels per inch of the scan.
        whole_only: an object that touches the edge of the picture is cut by it and left out.
    """

    upper_grey: int = UPPER_GREY
    min_esd_mm: float = 0.3
    max_esd_mm: float = 100.0
    longest_line: float = 40.0
    resolution_dpi: float = 2400.0
    whole_only: bool = True

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel, millimetres; 0.010583 at 2400 dpi."""
        return MM_PER_INCH / self.resolution_dpi

    @property
    def min_area_px(self) -> int:
        """Pixels of the smallest object, holes included; 631 for 0.3 mm at 2400 dpi."""
        return self._area_px(self.min_esd_mm)

    @property
    def max_area_px(self) -> int:
        """Pixels of the largest object, holes included."""
        return self._area_px(self.max_esd_mm)

    def _area_px(self, esd_mm: float) -> int:
        """Zooprocess takes pi as 3.1416."""
        return math.floor(3.1416 / 4 * esd_mm**2 / self.pixel_mm**2 + 0.5)


@dataclass(slots=True, kw_only=True)
class LeftOut:
    """How many things were no objects although they are large enough.

    Attributes:
        lines: so much wider than high that they are the scanner's.
        cut: by the edge of the picture; what is a quarter of its height or width, as lines along the frame, is not counted.
        too_large: larger than the largest object.
    """

    lines: int = 0
    cut: int = 0
    too_large: int = 0


def find_particles(
    image: UInt8Array, settings: SegmentSettings, *, rows_together: int = 512, threads: int = 1, left_out: LeftOut | None = None
) -> Iterator[Particle]:
    """The objects of a picture, by the row and column of their first pixel, as ImageJ comes upon them.

    Args:
        image: (H, W) uint8, background taken away.
        settings: what is an object.
        rows_together: how many rows are looked at in one go.
        threads: how many look at a time.
        left_out: is told what is not given.
    """
    height_px, width_px = image.shape
    tally = LeftOut() if left_out is None else left_out
    min_area_px = settings.min_area_px
    for chain in outer_borders(image, settings.upper_grey, least_box_px=min_area_px, rows_together=rows_together, threads=threads):
        left, top, width, height = cv2.boundingRect(chain)
        if width * height < min_area_px:
            continue
        right, bottom = left + width, top + height
        if settings.whole_only and (left == 0 or top == 0 or right == width_px or bottom == height_px):
            small = 4 * (right - left) < width_px and 4 * (bottom - top) < height_px
            tally.cut += small and cv2.contourArea(chain) >= settings.min_area_px
            continue
        particle = _particle(image[top:bottom, left:right], chain - np.array((left, top), np.int32), left, top, settings)
        if particle is not None and _is_object(particle, settings, tally):
            yield particle


def _particle(grey: UInt8Array, chain: Int32Array, left: int, top: int, settings: SegmentSettings) -> Particle | None:
    """What lies in a box, or None if it is too small to be an object."""
    filled = np.zeros(grey.shape, np.uint8)
    cv2.drawContours(filled, [chain], -1, 1, cv2.FILLED)
    if cv2.countNonZero(filled) < settings.min_area_px:
        return None
    # OpenCV walks counter-clockwise as seen; it begins at the leftmost pixel of the top row.
    clockwise = np.concatenate([chain[:1], chain[:0:-1]])
    return Particle(
        x_px=left, y_px=top, grey=np.ascontiguousarray(grey), filled=filled.view(np.bool_), chain=clockwise, upper_grey=settings.upper_grey
    )


def _is_object(particle: Particle, settings: SegmentSettings, tally: LeftOut) -> bool:
    """Whether something large enough is an object by its form and size; if not, it is counted."""
    if particle.width_px >= settings.longest_line * particle.height_px:
        tally.lines += 1
        return False
    if cv2.countNonZero(particle.filled.view(np.uint8)) > settings.max_area_px:
        tally.too_large += 1
        return False
    return True
