"""Stored tracks as lines: the fixes that are used, the smooth line through them, and what each minute of the tow is."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from edge.store.reads import tracks as reads
from edge.store.reads.surveys import TowRow
from edge.store.reads.tracks import PointRow, TrackRow
from edge.store.sqlite import Connection
from edge.survey.navigation.cleaning import SmoothTrack, smooth_track
from edge.survey.navigation.distance import MinuteProfile, line_distance_m, minute_profiles, raw_distance_m
from edge.survey.navigation.fixes import Fix

_Key = tuple[str, str | None, str | None]
_T = TypeVar("_T")
_LONGEST_TOW_S = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackLine:
    """A track over the time of its tow.

    Attributes:
        points: as they were read, flagged ones too.
        raw_m: the legs between the used fixes of the tow, summed as they are.
        distance_m: along the smooth line; None if it does not cover the tow.
    """

    track: TrackRow
    points: tuple[PointRow, ...]
    line: SmoothTrack
    profiles: tuple[MinuteProfile, ...]
    raw_m: float
    distance_m: float | None


class _Kept(Generic[_T]):
    """What was worked out of tracks: a track's points never change, so neither does this. Bounded; for any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[_Key, _T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _T | None:
        with self._lock:
            return self._kept.get(key)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def put(self, key: _Key, value: _T) -> None:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


_PROFILES = _Kept[tuple[MinuteProfile, ...]](4096)
_LINES = _Kept[TrackLine](16)


def forget() -> None:
    """Let everything that was worked out of tracks be worked out again, as after a start."""
    _PROFILES.clear()
    _LINES.clear()


def tow_span(tow: TowRow) -> tuple[datetime | None, datetime | None, float | None]:
    """Start, end and duration in seconds; None where they are not both known or make no sense."""
    start = None if tow.start_utc is None else datetime.fromisoformat(tow.start_utc)
    end = None if tow.end_utc is None else datetime.fromisoformat(tow.end_utc)
    if start is None or end is None or not 0 < (end - start).total_seconds() <= _LONGEST_TOW_S:
        return start, end, None
    return start, end, (end - start).total_seconds()


def profiles_of(connection: Connection, tow: TowRow, track: TrackRow) -> tuple[MinuteProfile, ...]:
    """What each minute of a tow is along a track; none where the tow's times are not known."""
    key = (track.uuid, tow.start_utc, tow.end_utc)
    found = _PROFILES.get(key)
    if found is None:
        found = _profiles(connection, tow, track)
        _PROFILES.put(key, found)
    return found


def _profiles(connection: Connection, tow: TowRow, track: TrackRow) -> tuple[MinuteProfile, ...]:
    """No more than the minutes: a survey has hundreds of tracks, and a command works all of them out."""
    start, end, duration_s = tow_span(tow)
    if start is None or end is None or duration_s is None:
        return ()
    kept = _LINES.get((track.uuid, tow.start_utc, tow.end_utc))
    if kept is not None:
        return kept.profiles
    fixes = [
        Fix(at=datetime.fromisoformat(at_utc), latitude_deg=latitude_deg, longitude_deg=longitude_deg, depth_m=depth_m)
        for at_utc, latitude_deg, longitude_deg, depth_m in reads.used_places(connection, track.id)
    ]
    return minute_profiles(smooth_track(fixes, start, end), [fix for fix in fixes if start <= fix.at <= end])


def line_of(connection: Connection, tow: TowRow, track: TrackRow) -> TrackLine | None:
    """A track as a line over its tow; None where the tow's times are not known."""
    start, end, duration_s = tow_span(tow)
    if start is None or end is None or duration_s is None:
        return None
    key = (track.uuid, tow.start_utc, tow.end_utc)
    kept = _LINES.get(key)
    if kept is not None:
        return replace(kept, track=track)
    points = reads.track_points(connection, track.id)
    fixes = [fix_of(point) for point in points if not point.flag]
    line = smooth_track(fixes, start, end)
    inside = [fix for fix in fixes if start <= fix.at <= end]
    found = TrackLine(
        track=track,
        points=points,
        line=line,
        profiles=minute_profiles(line, inside),
        raw_m=raw_distance_m(inside) if len(inside) > 1 else math.nan,
        distance_m=line_distance_m(line),
    )
    _LINES.put(key, found)
    return found


def fix_of(point: PointRow) -> Fix:
    """A stored point as a fix."""
    return Fix(
        at=datetime.fromisoformat(point.at_utc),
        latitude_deg=point.latitude_deg,
        longitude_deg=point.longitude_deg,
        depth_m=point.depth_m,
        heading_deg=point.heading_deg,
        speed_m_per_s=point.speed_m_per_s,
    )
