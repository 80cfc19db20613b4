"""How the seabed moved between two pictures of which nothing is known but their pixels.

The registration is that of tows (`edge.pipeline.seabed`), which there learns its camera along the tow. Here one call sees one picture:
what was learned of the camera goes along in the caller's state as `Hint`, and the picture before as a thumbnail.

Coordinates of a motion are centred on the picture, in units of half its width, so that they hold at any scale of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotator_bridge.functions.checked import Box
from annotator_bridge.functions.geometry import box_at, centre_of, sides_of
from edge.footage import Float64Array
from edge.pipeline.seabed.plane import Horizon, apply, homography_of
from edge.pipeline.seabed.plate import Plate, PlateMaker
from edge.pipeline.seabed.register import Expected, Registrar
from edge.values import UInt8Array
from models.runtime.vision import cv2

THUMB_WIDTH_PX = 480
LEAST_WIDTH_PX, LEAST_HEIGHT_PX = 160, 90  # of a thumbnail: in less the registration's windows do not fit
HINT_STEPS = 2.0  # sixths of a second for which a motion is taken to hold: the frames' rate is not known
MOST_GROWN = 1.5  # of a side in one step
LINE_HEIGHT = 0.83  # where the motion must be known well: the counting row of surveys, for lack of a better one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hint:
    """What an earlier motion makes expect.

    Attributes:
        values: (10,) float64, parameters of the plane's motion of the step before.
        matched: share of the picture that followed it, 0..1.
        horizon: of the camera, as far as it is known.
    """

    values: Float64Array
    matched: float
    horizon: Horizon


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroundMotion:
    """The seabed's motion from one picture into the next.

    Attributes:
        values: (10,) float64, parameters of the plane's motion.
        matched: share of the picture that shows under it what it should, 0..1.
        sd: standard deviation of where it takes the middle of the counting row, units of half the picture's width.
        horizon: as it is known now.
    """

    values: Float64Array
    matched: float
    sd: float
    horizon: Horizon

    def hint(self) -> Hint:
        """What it makes expect of the next step."""
        return Hint(values=self.values, matched=self.matched, horizon=self.horizon)


def carried(box: Box, values: Float64Array, width_px: int, height_px: int) -> Box:
    """Where a motion takes a box of a picture of this size: its middle, and its sides by what the motion does to lengths there."""
    half, middle = width_px / 2, np.array([width_px / 2, height_px / 2])
    sides = sides_of(box)
    probes = np.array([[0, 0], [-0.5, 0], [0.5, 0], [0, -0.5], [0, 0.5]]) * sides + centre_of(box)
    moved = apply(homography_of(values), (probes - middle) / half) * half + middle
    if not np.isfinite(moved).all():
        return box
    grown = np.array([moved[2, 0] - moved[1, 0], moved[4, 1] - moved[3, 1]]) / sides
    return box_at(moved[0], sides * np.clip(grown, 1 / MOST_GROWN, MOST_GROWN))


def thumbnail(image: UInt8Array, width_px: int = THUMB_WIDTH_PX) -> UInt8Array:
    """The picture (H, W, 3) BGR as a small grey one (h, w) uint8; green alone, which red lasers and blue haze hardly reach."""
    green = np.asarray(cv2.extractChannel(image, 1), np.uint8)
    if image.shape[1] <= width_px:
        return green
    height_px = max(1, round(image.shape[0] * width_px / image.shape[1]))
    return np.asarray(cv2.resize(green, (width_px, height_px), interpolation=cv2.INTER_AREA), np.uint8)


def ground_motion(before: UInt8Array, now: UInt8Array, hint: Hint | None = None) -> GroundMotion | None:
    """The motion from one thumbnail (h, w) into another; None where they do not tell, or are too small to.

    A thumbnail of another size is brought to that of `now`: the same scene at another scale.
    """
    height, width = now.shape
    if width < LEAST_WIDTH_PX or height < LEAST_HEIGHT_PX:
        return None
    if before.shape != now.shape:
        before = np.asarray(cv2.resize(before, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    maker = PlateMaker(width, height, (), channel=0)
    line_point = np.array([0.0, (LINE_HEIGHT - 0.5) * height / (width / 2)])
    registrar = Registrar(maker.size, maker.to_pixels, line_point)
    expected = None
    if hint is not None:
        registrar.horizon = hint.horizon
        expected = Expected(values=hint.values, matched=hint.matched, fresh=False, steps=HINT_STEPS)
    found = registrar.register(_plate(maker, before), _plate(maker, now), expected, doubtful=0.0)
    if found is None:
        return None
    return GroundMotion(values=found.fit.values, matched=found.matched, sd=found.fit.sd_at(line_point), horizon=registrar.horizon)


def _plate(maker: PlateMaker, thumb: UInt8Array) -> Plate:
    return maker.make(thumb[..., None], ())
