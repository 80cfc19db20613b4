"""Which fixes of a track are used, and the smooth line through them. Pure functions: nothing is removed, only flagged.

Positions that scatter by a metre make a line that is far too long: at 0.4 m/s and one fix a second the raw legs add up to more than
four times the distance. The line is therefore smoothed by robust local regression (LOWESS; Cleveland 1979, JASA 74, 829-836):
tricube weights over +-30 s, degree 1, bisquare weights against outliers.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge.survey.navigation.fixes import Fix

Floats = NDArray[np.float64]

HALF_WIDTH_S = 30
ROBUST_ROUNDS = 3
NEIGHBOURS_S = 20.0
PAIRS = 20
LEAST_PAIRS = 3
JUMP_M = 10.0
JUMP_SPREADS = 6.0
GAP_S = 10.0
BRIDGE_S = 60.0
_MAD_TO_SD = 1.4826
_EXACT_M = 1e-3  # fixes that lie on the line already have no outliers
EQUATOR_M = 6_378_137.0  # WGS84
SQUARED_ECCENTRICITY = 6.694379990141316e-3  # WGS84


class Flag(StrEnum):
    """Why a fix is not used."""

    USED = ""
    DUPLICATE = "duplicate"
    TIME_BACK = "time_back"
    TIME_LEAP = "time_leap"
    JUMP = "jump"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """More than `GAP_S` without a used fix, in seconds since the start of the line; bridged by a straight line if not too long."""

    from_s: float
    to_s: float
    is_bridged: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmoothTrack:
    """A line through the fixes, one position a second.

    Attributes:
        start: the time of the first second.
        latitude_deg, longitude_deg: (N,) float64, WGS84; NaN where nothing was measured for longer than `BRIDGE_S`, and before the
            first and after the last fix.
        is_bridged: (N,) bool, a straight line over a gap.
        gaps: those within the line.
    """

    start: datetime
    latitude_deg: Floats
    longitude_deg: Floats
    is_bridged: NDArray[np.bool_]
    gaps: tuple[Gap, ...]

    def __len__(self) -> int:
        return len(self.latitude_deg)


def flag_fixes(fixes: Sequence[Fix]) -> list[Flag]:
    """Why each fix is not used, in the order of the log.

    The order of the log is the order of time: as many fixes as can stand in it are used. A clock that leaps once is thus out itself, and
    not what comes after it.

    duplicate: same time and place as the one before. time_back: earlier than a used fix before it. time_leap: later than a used fix after
    it. jump: further than `JUMP_M`, and than six times their spread, from where pairs of used fixes before and after it (within
    20 s) put it on their way: it would have had to leave that way, and come back, at a speed that neither sledge nor ship has.
    """
    flags = [Flag.USED] * len(fixes)
    in_order = set(_longest_in_order([fix.at for fix in fixes]))
    latest: Fix | None = None
    for place, fix in enumerate(fixes):
        if place not in in_order:
            flags[place] = Flag.TIME_BACK if latest is not None and fix.at < latest.at else Flag.TIME_LEAP
        elif latest is not None and (fix.at, fix.latitude_deg, fix.longitude_deg) == (latest.at, latest.latitude_deg, latest.longitude_deg):
            flags[place] = Flag.DUPLICATE
        else:
            latest = fix
    used = [place for place, flag in enumerate(flags) if flag is Flag.USED]
    for place, is_jump in zip(used, _jumps([fixes[place] for place in used]), strict=True):
        if is_jump:
            flags[place] = Flag.JUMP
    return flags


def _longest_in_order(times: Sequence[datetime]) -> list[int]:
    """Places of the longest part of a log whose times never go back (Fredman 1975, Discrete Mathematics 11, 29-35), ascending."""
    ends: list[datetime] = []  # of each length, the earliest time at which a part of that length can end
    at: list[int] = []  # where it does
    before: list[int] = []
    for place, time in enumerate(times):
        length = bisect_right(ends, time)
        before.append(at[length - 1] if length else -1)
        ends[length : length + 1] = [time]
        at[length : length + 1] = [place]
    found: list[int] = []
    place = at[-1] if at else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def _jumps(fixes: Sequence[Fix]) -> NDArray[np.bool_]:
    """Fixes off the place that the pairs of fixes before and after them agree on; motion itself is thus no spread."""
    count = len(fixes)
    if count < 3:
        return np.zeros(count, bool)
    xy, _ = to_metres(fixes)
    at_s = np.array([(fix.at - fixes[0].at).total_seconds() for fix in fixes])
    pairs = min(PAIRS, (count - 1) // 2)
    between = np.full((count, pairs, 2), np.nan)
    for step in range(1, pairs + 1):
        before, here, after = at_s[: -2 * step], at_s[step:-step], at_s[2 * step :]
        near = (here - before <= NEIGHBOURS_S) & (after - here <= NEIGHBOURS_S) & (after > before)
        part = np.where(near, (here - before) / np.where(near, after - before, 1.0), np.nan)[:, None]
        between[step:-step, step - 1] = xy[: -2 * step] + part * (xy[2 * step :] - xy[: -2 * step])
    found = np.zeros(count, bool)
    for place in range(count):
        agreed = between[place][~np.isnan(between[place, :, 0])]
        if len(agreed) < LEAST_PAIRS:  # an end of the track, or beside a gap: the nearest fixes say where it should be
            near_by = np.flatnonzero(np.abs(at_s - at_s[place]) <= NEIGHBOURS_S)
            agreed = xy[near_by[near_by != place]] if len(near_by) > LEAST_PAIRS else agreed
        if len(agreed) < 2:
            continue
        middle = np.median(agreed, axis=0)
        spread = float(np.median(np.hypot(*(agreed - middle).T))) * _MAD_TO_SD
        found[place] = math.hypot(*(xy[place] - middle)) > max(JUMP_M, JUMP_SPREADS * spread)
    return found


def to_metres(fixes: Sequence[Fix]) -> tuple[Floats, tuple[float, float, float, float]]:
    """East and north (N, 2) in metres from the median position; good to 1e-4 within 20 km of it.

    The second value is latitude and longitude of that position and the metres per degree of each, for the way back.
    """
    latitudes = np.array([fix.latitude_deg for fix in fixes])
    longitudes = np.array([fix.longitude_deg for fix in fixes])
    latitude, longitude = float(np.median(latitudes)), float(np.median(longitudes))
    sine = math.sin(math.radians(latitude))
    bow = 1 - SQUARED_ECCENTRICITY * sine * sine
    north_m = math.radians(1) * EQUATOR_M * (1 - SQUARED_ECCENTRICITY) / bow**1.5
    east_m = math.radians(1) * EQUATOR_M / math.sqrt(bow) * math.cos(math.radians(latitude))
    turned = (longitudes - longitude + 180) % 360 - 180  # a tow across 180 degrees
    return np.column_stack((turned * east_m, (latitudes - latitude) * north_m)), (latitude, longitude, north_m, east_m)


def smooth_track(fixes: Sequence[Fix], start: datetime, end: datetime) -> SmoothTrack:
    """The line from `start` to `end`, a position a second, through used fixes in order of time; those outside help at its ends.

    Raises:
        ValueError: the end is not after the start.
    """
    count = math.ceil((end - start).total_seconds()) + 1
    if count < 2:
        raise ValueError("a line ends after it starts")
    empty = np.full(count, np.nan)
    if not fixes:
        return SmoothTrack(start=start, latitude_deg=empty, longitude_deg=empty.copy(), is_bridged=np.zeros(count, bool), gaps=())
    before = max(0, min(2 * HALF_WIDTH_S, math.ceil((start - fixes[0].at).total_seconds())))
    after = max(0, min(2 * HALF_WIDTH_S, math.ceil((fixes[-1].at - end).total_seconds())))
    origin = start - timedelta(seconds=before)
    metres, (latitude, longitude, north_m, east_m) = to_metres(fixes)
    grid, has = _by_second(metres, [(fix.at - origin).total_seconds() for fix in fixes], before + count + after)
    line = _lowess(grid, has)
    is_bridged, gaps = _bridge(line, has)
    wanted = slice(before, before + count)
    return SmoothTrack(
        start=start,
        latitude_deg=latitude + line[wanted, 1] / north_m,
        longitude_deg=(longitude + line[wanted, 0] / east_m + 180) % 360 - 180,
        is_bridged=is_bridged[wanted],
        gaps=tuple(
            Gap(from_s=gap.from_s - before, to_s=gap.to_s - before, is_bridged=gap.is_bridged)
            for gap in gaps
            if gap.to_s > before and gap.from_s < before + count - 1
        ),
    )


def _by_second(metres: Floats, at_s: Sequence[float], count: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The median of the fixes of each second: (count, 2), and where there is one."""
    seconds = np.floor(np.asarray(at_s) + 0.5).astype(int)
    grid, has = np.zeros((count, 2)), np.zeros(count, bool)
    inside = (seconds >= 0) & (seconds < count)
    seconds, metres = seconds[inside], metres[inside]
    starts = np.flatnonzero(np.diff(seconds, prepend=-1))
    grid[seconds[starts]] = metres[starts]
    has[seconds[starts]] = True
    stops = np.append(starts[1:], len(seconds))
    for begin, stop in zip(starts[stops - starts > 1], stops[stops - starts > 1], strict=True):
        grid[seconds[begin]] = np.median(metres[begin:stop], axis=0)
    return grid, has


def _lowess(grid: Floats, has: NDArray[np.bool_]) -> Floats:
    """Robust local regression of degree 1 at every second, (N, 2); NaN where no fix is near enough."""
    offset = np.arange(-HALF_WIDTH_S, HALF_WIDTH_S + 1) / (HALF_WIDTH_S + 1)
    kernel = (1 - np.abs(offset) ** 3) ** 3
    weight = has.astype(float)
    line = _local_lines(grid, weight, kernel, offset)
    for _ in range(ROBUST_ROUNDS):
        residual = np.hypot(*(grid - line).T)
        scale = JUMP_SPREADS * float(np.median(residual[has])) if has.any() else 0.0
        if not scale > _EXACT_M:
            break
        robust = np.where(has, (1 - np.minimum(residual / scale, 1) ** 2) ** 2, 0.0)
        line = _local_lines(grid, robust, kernel, offset)
    return line


def _local_lines(grid: Floats, weight: Floats, kernel: Floats, offset: Floats) -> Floats:
    """Weighted straight lines around every second, at that second; by sums over the window, as convolutions."""

    def window_sum(values: Floats, power: int) -> Floats:
        full = np.convolve(values, (kernel * offset**power)[::-1])
        return full[HALF_WIDTH_S : HALF_WIDTH_S + len(values)]

    zeroth, first, second = (window_sum(weight, power) for power in range(3))
    spread = zeroth * second - first**2
    has_slope = spread > 1e-6 * np.maximum(zeroth, 1e-300) ** 2
    out = np.full_like(grid, np.nan)
    for axis in range(2):
        level, slope = (window_sum(weight * grid[:, axis], power) for power in range(2))
        with np.errstate(divide="ignore", invalid="ignore"):
            out[:, axis] = np.where(has_slope, (second * level - first * slope) / spread, level / zeroth)
    return out


def _bridge(line: Floats, has: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], list[Gap]]:
    """Lay straight lines over gaps, blank what is too long or has no fix before or after it. Changes `line`."""
    is_bridged = np.zeros(len(line), bool)
    at = np.flatnonzero(has)
    gaps: list[Gap] = []
    if not len(at):
        line[:] = np.nan
        return is_bridged, gaps
    line[: at[0]] = line[at[-1] + 1 :] = np.nan
    for begin, stop in pairwise(at.tolist()):
        if stop - begin <= GAP_S:
            continue
        can = bool(stop - begin <= BRIDGE_S)
        inside = slice(begin + 1, stop)
        part = (np.arange(begin + 1, stop) - begin)[:, None] / (stop - begin)
        line[inside] = line[begin] + part * (line[stop] - line[begin]) if can else np.nan
        is_bridged[inside] = can
        gaps.append(Gap(from_s=float(begin), to_s=float(stop), is_bridged=can))
    return is_bridged, gaps
