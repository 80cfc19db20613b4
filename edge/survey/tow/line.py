"""The line: the moment at which an opening passes it, in the frame's pixels and along the seabed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.survey.tow.alive import NOT_YET, Rows
from edge.survey.tow.tracks import Float64Array

_BACK = 0.004  # of the width: so far above the line an opening is above it again
_SLOWEST = 0.01  # widths per second: a crossing is known no worse than this speed allows
_UNSEEN_FRAMES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The row that openings are counted at."""

    width_px: int
    line_px: float


def note_crossings(
    rows: Rows,
    line: Line,
    number: int,
    before: Float64Array,
    times_s: tuple[float, float],
    *,
    along: tuple[float, float],
    drift: tuple[float, float],
    shared_sd: float,
) -> None:
    """Write down which openings passed the line into this frame. Only the first time counts.

    Where the passage was not seen and the opening turns up above the line again, there was none.

    Args:
        rows: openings, moved and put where they were seen.
        number: of the frame.
        before: (N, 2) float64 where they were in the frame before.
        times_s: of the frame before and of this one.
        along, drift: what the seabed had moved until the frame before, and the step into this one.
        shared_sd: standard deviation of what all openings are off by, pixels.
    """
    y = rows["xy"][:, 1]
    back = ~rows["above"] & (y < line.line_px - _BACK * line.width_px)
    if back.any():
        undone = back & (rows["crossed"] != NOT_YET) & _nobody_saw(rows, number)
        rows["crossed"][undone] = NOT_YET
        rows["above"][back] = True
    passed = np.flatnonzero(rows["above"] & (y >= line.line_px))
    if not len(passed):
        return
    rows["above"][passed] = False
    start, end = before[passed], rows["xy"][passed]
    way = end[:, 1] - start[:, 1]
    part = np.clip((line.line_px - start[:, 1]) / np.where(way > 0, way, 1.0), 0.0, 1.0)
    across = start[:, 0] + part * (end[:, 0] - start[:, 0])
    counts = (across >= 0) & (across < line.width_px) & (rows["crossed"][passed] == NOT_YET)
    one, part, way = passed[counts], part[counts], way[counts]
    lasted = times_s[1] - times_s[0]
    sd = np.sqrt(rows["var"][one, 1] + shared_sd**2)
    rows["crossed"][one] = number
    rows["crossing_s"][one] = times_s[0] + part * lasted
    rows["crossing_sd_s"][one] = sd / np.maximum(way / lasted, _SLOWEST * line.width_px)
    rows["across"][one] = across[counts]
    rows["along"][one] = along[0] + part * along[1]
    rows["drift"][one] = drift[0] + part * drift[1]
    rows["along_sd"][one] = sd
    rows["last_before"][one] = rows["last"][one]
    rows["first_after"][one] = NOT_YET


def is_unseen(rows: Rows) -> NDArray[np.bool_]:
    """(N,) bool: no detection near the frame in which it crossed, before or after."""
    never_after = rows["first_after"] == NOT_YET
    late = never_after | (rows["first_after"] - rows["crossed"] > _UNSEEN_FRAMES)
    return np.asarray((rows["crossed"] - rows["last_before"] > _UNSEEN_FRAMES) & late)


def _nobody_saw(rows: Rows, number: int) -> NDArray[np.bool_]:
    """(N,) bool: not detected in the frame in which it crossed, nor after it until frame `number`."""
    until_now = (rows["first_after"] == NOT_YET) | (rows["first_after"] == number)
    return np.asarray((rows["last_before"] < rows["crossed"]) & until_now)
