"""The particle of a crop that an imager made itself, such as a FlowCam: found against its own background, measured as on a scan.

Such a crop's background is grey and differs from crop to crop, so the threshold follows from the crop's own rim: what is clearly darker
than that. Of several dark parts the largest is the particle. A particle that is as bright as the background, or of which only a wall is
darker, is measured by what is darker: docs/vignettes.md shows what that means.
"""

from __future__ import annotations

import math

import numpy as np

from edge.values import CropMeasures, UInt8Array
from edge.zooscan.measure.table import measure_particles
from edge.zooscan.particle import Particle
from edge.zooscan.segment import SegmentSettings, find_particles
from models.runtime.vision import cv2

RIM_PX = 2
LEAST_DARKER = 12
NOISE_TIMES = 4.0
# A normal distribution's standard deviation over its median absolute deviation.
_SD_OF_MAD = 1.4826
# Thickness is looked at every 9 pixels, as on a scan of 2400 dpi: what a pixel is in a crop nobody said.
_PIXEL_MM_OF_THICKNESS = 0.0105833


def measure_crop(image: UInt8Array) -> CropMeasures | None:
    """Find and measure the particle of a crop.

    Args:
        image: (H, W, 3) uint8 BGR, or (H, W) grey.

    Returns:
        Its measures, in pixels and greys of the crop; None where nothing is darker than the background.
    """
    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    background, threshold = _threshold(grey)
    if threshold < 0:
        return None
    settings = SegmentSettings(upper_grey=threshold, min_esd_mm=0.0, longest_line=math.inf, whole_only=False)
    found = sorted(find_particles(np.ascontiguousarray(grey), settings), key=_size_px, reverse=True)
    if not found:
        return None
    particle = found[0]
    table = measure_particles([particle], _PIXEL_MM_OF_THICKNESS)
    values = {name: float(values[0]) for name, values in table.items()}
    height, width = grey.shape
    at_edge = particle.x_px == 0 or particle.y_px == 0
    at_edge = at_edge or particle.x_px + particle.width_px == width or particle.y_px + particle.height_px == height
    return CropMeasures(
        x_px=particle.x_px,
        y_px=particle.y_px,
        width_px=particle.width_px,
        height_px=particle.height_px,
        background_grey=background,
        threshold_grey=threshold,
        touches_edge=at_edge,
        values={name: value for name, value in values.items() if math.isfinite(value)},
    )


def _threshold(grey: UInt8Array) -> tuple[float, int]:
    """The grey of the background, and the brightest grey of a particle; below 0 where none can be told.

    The background is the median of the rim. Its noise is judged by those pixels of the rim that are not darker: the others may be the
    particle's.
    """
    inner = np.ones(grey.shape, np.bool_)
    inner[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
    rim = grey[inner]
    background = float(np.median(rim))
    above = rim[rim >= background].astype(np.float64) - background
    noise = _SD_OF_MAD * float(np.median(above))
    return background, math.floor(background - max(LEAST_DARKER, NOISE_TIMES * noise))


def _size_px(particle: Particle) -> int:
    return int(np.count_nonzero(particle.filled))
