"""Values of footage: what is known of each frame of a tow, before anybody asks which burrow is which.

A frame is one picture on the time of its camera. The sledge carries the camera over a seabed that stands still, so what moves in
the picture is the seabed as a whole: one plane seen by one camera, frame after frame. Coordinates are pixels of the full frame,
origin top left; times are presentation times, never a frame's number over a rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.values import Detections

Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """How the seabed moved from the frame before into this one.

    Attributes:
        homography: (3, 3) float64 with [2, 2] = 1; takes a pixel of the frame before to where its piece of seabed is now.
        sd_px: standard deviation of where it takes a point at the middle of the counting row, pixels; grows where it was guessed.
        source: "registered" from the two pictures, or "carried": the pictures did not tell (silt, dark, a gap) and the motion around
            it was carried on.
    """

    homography: Float64Array
    sd_px: float
    source: Literal["registered", "carried"]

    def __post_init__(self) -> None:
        if self.homography.shape != (3, 3) or self.homography.dtype != np.float64 or not np.isfinite(self.homography).all():
            raise ValueError("a homography is (3, 3) float64 and finite")
        if not np.isfinite(self.sd_px) or self.sd_px < 0:
            raise ValueError("sd_px must be finite and not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaserPair:
    """The two lasers at the sides, whose true gap is known.

    Attributes:
        left_px, right_px: centres (x, y).
        strength: how far the weaker of the two stands out of what is around it, grey levels.
    """

    left_px: tuple[float, float]
    right_px: tuple[float, float]
    strength: float

    @property
    def gap_px(self) -> float:
        """Distance of the centres, pixels."""
        return float(np.hypot(self.right_px[0] - self.left_px[0], self.right_px[1] - self.left_px[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What was measured of how well the seabed can be seen, outside masked text.

    Attributes:
        mean_luminance: mean grey level, 0..255.
        contrast: standard deviation of the grey level, 0..127.5, after the light's falloff is taken out.
        sharpness: variance of the Laplacian at the size that is looked at.
        silt_fraction: share of the frame in which a cloud hides the seabed, 0..1.
        dark_fraction: share of the frame that is too dark to see anything, 0..1.
    """

    mean_luminance: float
    contrast: float
    sharpness: float
    silt_fraction: float
    dark_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FootageFrame:
    """One sampled frame.

    Attributes:
        at_s: seconds on the time of the tow (of the clip, before it is attached to one). Strictly ascending along a tow.
        width_px, height_px: size of the full frame.
        detections: openings found, in pixels of the full frame.
        motion: from the sampled frame before; None for the first frame and after a break (another clip, a gap).
        lasers: None where no pair was found.
        visibility: None where it was not measured.
    """

    at_s: float
    width_px: int
    height_px: int
    detections: Detections
    motion: Motion | None
    lasers: LaserPair | None
    visibility: Visibility | None


class StripMoment(NamedTuple):
    """A frame and its place in a tile of the frame strip.

    Attributes:
        column: how far the seabed had moved past the counting row, columns from the left edge of the tile; a little over its right
            edge where the next column is not whole yet, and back where the sledge went back.
        source: of the motion from the frame before; None where the picture did not tell it, and the strip goes on without a gap.
    """

    at_s: float
    column: float
    source: Literal["registered", "carried"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StripTile:
    """A piece of the frame strip of a clip: the seabed as it passed the counting row. The tow goes to the right, its left side is up.

    Attributes:
        columns: how long the picture is, along the tow; 0 where the seabed did not move, or its motion was not told.
        width_px: how high the picture is, across the tow.
        px_per_column: scale of both: pixels of the full frame, at the counting row.
        jpeg: the picture; empty where it has no column.
        moments: the frames whose step ended in it, ascending in time.
    """

    columns: int
    width_px: int
    px_per_column: float
    jpeg: bytes
    moments: tuple[StripMoment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What a clip says of itself before it is decoded.

    Attributes:
        container, codec: such as "mp4" and "h264".
        width_px, height_px: as shown, turned upright and with square pixels.
        first_pts_s: presentation time of its first frame on the clock of the container, seconds.
        duration_s: what it claims to last; None if it does not say.
        frames_declared: how many frames it claims to have; None if it does not say.
        average_rate_hz: frames per second on average; None if it does not say.
        is_interlaced: two fields to a frame.
        is_variable_rate: frames do not follow one another evenly, as far as a cheap look tells.
        start_utc: when the recording began, ISO 8601, where the container says it with its zone; else None.
        start_local: what the recorder's clock said where no zone is known; else None.
    """

    container: str
    codec: str
    width_px: int
    height_px: int
    first_pts_s: float
    duration_s: float | None
    frames_declared: int | None
    average_rate_hz: float | None
    is_interlaced: bool
    is_variable_rate: bool
    start_utc: str | None = None
    start_local: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameWanted:
    """The frame that is on the screen at `at_s`; `step`: so many frames behind it. No side is longer than `longest_px`."""

    path: Path
    at_s: float
    step: int = 0
    longest_px: int = 1600
    jpeg_quality: int = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameGiven:
    """A frame as JPEG, and its own time: seconds since the clip's first frame."""

    at_s: float
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A square of a frame.

    Attributes:
        path: of a clip, or of a still.
        at_s: seconds since the clip's first frame; None for a still.
        middle_px: centre (x, y), pixels of the full frame; what lies outside the frame is black.
        side_px: of the square, pixels of the full frame.
        drift_px_per_s: how fast the middle moves there: the frame that is on the screen at `at_s` was taken a little before.
    """

    path: Path
    at_s: float | None
    middle_px: tuple[float, float]
    side_px: float
    drift_px_per_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripWanted:
    """Crops side by side in one picture, each `tile_px` wide and high."""

    crops: tuple[Crop, ...]
    tile_px: int = 144
    jpeg_quality: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetWanted:
    """The frame strip of a tow on one sheet, in lines below one another.

    Attributes:
        tiles: JPEG pictures in their order along the tow; all are brought to the height of the first.
        marks: (column, words) of moments, ASCII.
        title: above the first line, ASCII.
    """

    tiles: tuple[bytes, ...]
    marks: tuple[tuple[float, str], ...]
    title: str
    kind: Literal["jpeg", "png"] = "jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripGiven:
    """Crops side by side as JPEG, in the order in which they were asked for; or a sheet as the kind of picture that was asked for."""

    jpeg: bytes
