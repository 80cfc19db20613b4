"""Distance over ground along a line: geodesic legs on WGS84 (Karney 2013, J. Geodesy 87, 43-55), in the plane of the map.

A sledge's way up and down is not added: areas of view are projected areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from geographiclib.geodesic import Geodesic

from edge.survey.navigation.cleaning import Floats, SmoothTrack
from edge.survey.navigation.fixes import Fix
from edge.survey.navigation.sentences import KNOTS_TO_M_PER_S

MINUTE_S = 60
_EARTH = Geodesic.WGS84


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteProfile:
    """One minute of a line. None where nothing was measured.

    `bridged_s`: seconds of it that are a straight line over a gap.
    """

    minute: int
    distance_m: float | None
    speed_m_per_s: float | None
    depth_m: float | None
    bridged_s: int


def leg_m(latitude_a_deg: float, longitude_a_deg: float, latitude_b_deg: float, longitude_b_deg: float) -> float:
    """The geodesic between two positions on WGS84, metres."""
    found: Mapping[str, float] = _EARTH.Inverse(latitude_a_deg, longitude_a_deg, latitude_b_deg, longitude_b_deg, Geodesic.DISTANCE)
    return found["s12"]


def legs_m(line: SmoothTrack) -> Floats:
    """The legs of a line, (N - 1,) float64 metres; NaN where it is not known."""
    places = list(zip(line.latitude_deg.tolist(), line.longitude_deg.tolist(), strict=True))
    return np.array([math.nan if math.isnan(a[0]) or math.isnan(b[0]) else leg_m(*a, *b) for a, b in pairwise(places)])


def raw_distance_m(fixes: Sequence[Fix]) -> float:
    """The legs between fixes as they are, summed: too long wherever they scatter, so it is shown beside the distance, never used."""
    return math.fsum(leg_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg) for a, b in pairwise(fixes))


def minute_profiles(line: SmoothTrack, fixes: Iterable[Fix] = ()) -> tuple[MinuteProfile, ...]:
    """Distance, speed and depth by minute from the start of the line; a minute that is not whole, or not known whole, has None.

    `fixes`: the used ones; the mean of their depths is the minute's.
    """
    legs = legs_m(line)
    depths: dict[int, list[float]] = {}
    for fix in fixes:
        if fix.depth_m is not None:
            depths.setdefault(math.floor((fix.at - line.start).total_seconds() / MINUTE_S) + 1, []).append(fix.depth_m)
    profiles = []
    for minute in range(1, math.ceil(len(legs) / MINUTE_S) + 1):
        seconds = slice((minute - 1) * MINUTE_S, minute * MINUTE_S)
        part = legs[seconds]
        is_whole = len(part) == MINUTE_S and not np.isnan(part).any()
        distance = math.fsum(part.tolist()) if is_whole else None
        depth = depths.get(minute)
        profiles.append(
            MinuteProfile(
                minute=minute,
                distance_m=distance,
                speed_m_per_s=None if distance is None else distance / MINUTE_S,
                depth_m=math.fsum(depth) / len(depth) if depth else None,
                bridged_s=int(line.is_bridged[seconds].sum()),
            )
        )
    return tuple(profiles)


def line_distance_m(line: SmoothTrack) -> float | None:
    """The whole line; None if a part of it is not known."""
    legs = legs_m(line)
    return None if np.isnan(legs).any() else math.fsum(legs.tolist())


def scaled_by_time_m(tow_distance_m: float, tow_s: float, counted_s: float) -> float:
    """Formula (2), first fallback: the tow's distance times the part of its time that counts.

    Raises:
        ValueError: a time or the distance is not positive, or more time counts than the tow took.
    """
    if not (tow_distance_m > 0 and tow_s > 0 and 0 < counted_s <= tow_s):
        raise ValueError(f"{tow_distance_m} m in {tow_s} s cannot be scaled to {counted_s} s")
    return tow_distance_m * counted_s / tow_s


def speed_times_time_m(speed_knots: float, duration_s: float) -> float:
    """Formula (2), second fallback.

    Raises:
        ValueError: speed or time is not positive.
    """
    if not (speed_knots > 0 and duration_s > 0):
        raise ValueError(f"{speed_knots} knots for {duration_s} s is no distance")
    return speed_knots * KNOTS_TO_M_PER_S * duration_s
