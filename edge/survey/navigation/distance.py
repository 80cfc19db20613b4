"""Distance over ground along a line: geodesic legs on WGS84 (Karney 2013, J. Geodesy 87, 43-55), in the plane of the map.

A sledge's way up and down is not added: areas of view are projected areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from geographiclib.geodesic import Geodesic

from edge.survey.navigation.cleaning import EQUATOR_M, SQUARED_ECCENTRICITY, Floats, SmoothTrack
from edge.survey.navigation.fixes import Fix
from edge.survey.navigation.sentences import KNOTS_TO_M_PER_S

MINUTE_S = 60
SHORT_M = 100.0
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
    return _legs_m(line.latitude_deg, line.longitude_deg)


def raw_distance_m(fixes: Sequence[Fix]) -> float:
    """The legs between fixes as they are, summed: too long wherever they scatter, so it is shown beside the distance, never used."""
    latitudes, longitudes = (np.array(values) for values in zip(*((fix.latitude_deg, fix.longitude_deg) for fix in fixes), strict=True))
    return math.fsum(_legs_m(latitudes, longitudes).tolist())


def _legs_m(latitude_deg: Floats, longitude_deg: Floats) -> Floats:
    """Legs between (N,) positions. Those of up to `SHORT_M` by the ellipsoid's radii at their middle, which is the geodesic to 1e-7.

    A line has 600 legs of less than a metre: geodesics, one by one, would take a survey of 300 stations a minute.
    """
    middle = np.radians((latitude_deg[1:] + latitude_deg[:-1]) / 2)
    bow = 1 - SQUARED_ECCENTRICITY * np.sin(middle) ** 2
    north_m = np.radians(np.diff(latitude_deg)) * EQUATOR_M * (1 - SQUARED_ECCENTRICITY) / bow**1.5
    turned = (np.diff(longitude_deg) + 180) % 360 - 180  # a tow across 180 degrees
    east_m = np.radians(turned) * EQUATOR_M / np.sqrt(bow) * np.cos(middle)
    legs: Floats = np.hypot(north_m, east_m)
    for place in np.flatnonzero(legs > SHORT_M):
        legs[place] = leg_m(*(float(values[at]) for at in (place, place + 1) for values in (latitude_deg, longitude_deg)))
    return legs


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
