"""The width of view at the counting row, second by second, from the pair of lasers that each frame shows.

    m per pixel at the lasers' row = gap in metres / gap in pixels                                  formula (6) of the manual's practice
    width at the counting row      = that * scale(lasers' row) / scale(counting row) * frame width

The view is oblique: a length is drawn larger further down. How much, the motion of the seabed tells (`plane.row_scale`: speeds grow
with the square of the scale), so no angle of the camera has to be known. A beam that silt scatters jumps; a sledge that sinks or lifts
changes the gap within seconds, not within a frame: gaps that leave the running median are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame, Motion
from edge.survey.tow.plane import inverse, row_scale, scale_of_rows
from edge.survey.tow.tracks import Float64Array

AROUND_S = 1.0  # of the running median, to either side
OFF_LOG = 0.05  # of the logarithm: further off the median is no gap of these two lasers
LONGEST_GAP_S = 5.0  # between two seconds with a pair that is still bridged
DRIFT_PER_ROOT_S = 0.03  # share of the width by which it may change in one second without a pair
LEAST_LOG_SD = 0.004  # of one gap: a dot's centre is known to about a pixel in 800
LEAST_STEPS = 16
UNKNOWN_SLOPE = 0.5  # per height of the frame


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthSecond:
    """The width of view at the counting row in one second of a tow.

    Attributes:
        second: floor of the time.
        width_m, sd_m: and its standard deviation, the gap's own and the view's slope included.
        pairs: frames with a pair that was taken; 0 where it was bridged.
        source: "lasers" or "bridged" between seconds that have pairs.
    """

    second: int
    width_m: float
    sd_m: float
    pairs: int
    source: Literal["lasers", "bridged"]


def widths_per_second(frames: Sequence[FootageFrame], *, gap_m: float, gap_sd_m: float, line_height: float) -> list[WidthSecond]:
    """The seconds of a tow whose width is known, ascending; none where no pair was seen.

    Args:
        frames: of one tow, in order, all of one size.
        gap_m, gap_sd_m: between the beams, measured on the sledge, and how well.
        line_height: the counting row as a part of the frame's height.

    Raises:
        ValueError: the gap is not positive.
    """
    if not gap_m > 0 or gap_sd_m < 0:
        raise ValueError("the gap between the lasers is positive, its sd not negative")
    shown = [frame for frame in frames if frame.lasers is not None]
    if not shown:
        return []
    width_px, height_px = shown[0].width_px, shown[0].height_px
    line_px = line_height * height_px
    slope, slope_sd = _row_scale([frame.motion for frame in frames], width_px, height_px, line_px)
    at_s = np.array([frame.at_s for frame in shown])
    gap_px = np.array([frame.lasers.gap_px for frame in shown if frame.lasers is not None])
    rows = np.array([(frame.lasers.left_px[1] + frame.lasers.right_px[1]) / 2 for frame in shown if frame.lasers is not None])
    width_m = gap_m / gap_px * scale_of_rows(rows, line_px, slope) * width_px
    taken = steady(at_s, gap_px)
    # The gap's and the slope's errors are the same in all frames: they do not average out.
    shared = np.hypot(gap_sd_m / gap_m, slope_sd * float(np.median(np.abs(rows - line_px))))
    measured = _measured(at_s[taken], width_m[taken], float(shared))
    return _bridged(measured, float(shared))


def steady(at_s: Float64Array, gap_px: Float64Array) -> NDArray[np.bool_]:
    """(N,) which gaps keep to the median of those around them in time."""
    log = np.log(gap_px)
    first, last = np.searchsorted(at_s, at_s - AROUND_S), np.searchsorted(at_s, at_s + AROUND_S, side="right")
    middle = np.array([np.median(log[low:high]) for low, high in zip(first, last, strict=True)])
    return np.asarray(np.abs(log - middle) <= OFF_LOG, np.bool_)


def _row_scale(motions: Sequence[Motion | None], width_px: int, height_px: int, line_px: float) -> tuple[float, float]:
    """How the scale grows with the rows, 1 / px, by the median of what the steps say, and its standard deviation."""
    slopes = []
    for motion in motions:
        if motion is not None and motion.source == "registered":
            one = row_scale(motion.homography, inverse(motion.homography), (width_px, height_px), line_px)
            slopes.extend([] if one is None else [one])
    if len(slopes) < LEAST_STEPS:
        # Next to nothing is known of the slope: as large as it may be for a camera that looks down at 35 degrees.
        return (float(np.median(slopes)) if slopes else 0.0), UNKNOWN_SLOPE / height_px
    middle = float(np.median(slopes))
    # A median of n is known to 1.25 standard deviations over root n; neighbouring steps err alike, about five together.
    spread = 1.4826 * float(np.median(np.abs(np.array(slopes) - middle)))
    return middle, 1.25 * spread / float(np.sqrt(len(slopes) / 5))


def _measured(at_s: Float64Array, width_m: Float64Array, shared: float) -> list[WidthSecond]:
    seconds = np.floor(at_s).astype(int)
    found = []
    for second in np.unique(seconds):
        log = np.log(width_m[seconds == second])
        middle, count = float(np.median(log)), int(log.size)
        spread = max(LEAST_LOG_SD, 1.4826 * float(np.median(np.abs(log - middle)))) / np.sqrt(count)
        width = float(np.exp(middle))
        sd = width * float(np.hypot(spread, shared))
        found.append(WidthSecond(second=int(second), width_m=width, sd_m=sd, pairs=count, source="lasers"))
    return found


def _bridged(measured: list[WidthSecond], shared: float) -> list[WidthSecond]:
    """The same, with seconds between two that are not far apart put in on a straight line."""
    whole = measured[:1]
    for before, after in itertools.pairwise(measured):
        missing = after.second - before.second - 1
        if 0 < missing <= LONGEST_GAP_S:
            whole.extend(_between(before, after, step, shared) for step in range(1, missing + 1))
        whole.append(after)
    return whole


def _between(before: WidthSecond, after: WidthSecond, step: int, shared: float) -> WidthSecond:
    apart = after.second - before.second
    part = step / apart
    width = before.width_m + part * (after.width_m - before.width_m)
    # A random walk held at both ends.
    walk = DRIFT_PER_ROOT_S * float(np.sqrt(step * (apart - step) / apart))
    ends = float(np.hypot((1 - part) * before.sd_m, part * after.sd_m))
    sd = float(np.sqrt((walk * width) ** 2 + max(ends, shared * width) ** 2))
    return WidthSecond(second=before.second + step, width_m=width, sd_m=sd, pairs=0, source="bridged")
