"""Tracks, distances and widths as a person asks for them: read and checked first, then written in one transaction.

Who may do it is decided where it is asked; `actor` is who did it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import SettingsError
from edge.store import tracks as store
from edge.store.clock import utc_text
from edge.store.reads import surveys as survey_reads
from edge.store.reads import tracks as reads
from edge.store.reads.surveys import TowRow
from edge.store.sqlite import Connection
from edge.store.surveys import ensure_station
from edge.store.tracks import Kept, NewDistance, NewPoint, NewTrack, NewWidth
from edge.store.writer import Writes
from edge.survey.navigation.cleaning import Flag, flag_fixes, smooth_track
from edge.survey.navigation.csv_logs import Source
from edge.survey.navigation.distance import leg_m, line_distance_m, speed_times_time_m
from edge.survey.navigation.fixes import MAX_POINTS, Fix, LogError, Window
from edge.survey.navigation.read import choose_stream, read_log
from edge.survey.reckoning import RANK, speed_flags
from edge.survey.track_lines import line_of, tow_span
from edge.survey.width import Width

FAR_M = 20_000.0
FARTHEST_TOW_M = 20_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFile:
    """A log that somebody wants to import.

    Attributes:
        name: what it was called where it came from.
        stream: the transponder or receiver that is the track, where the log has several.
        time_offset_s: added to its times; for a logger whose clock was off.
    """

    path: Path
    name: str
    source: Source
    stream: str | None = None
    time_offset_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to. `flagged`: flag -> points; `distance_m`: along the tow, None if the track does not cover it."""

    track_id: int
    tow_id: int
    source: str
    stream: str
    points: int
    flagged: dict[str, int]
    rows_read: int
    rows_refused: int
    faults: tuple[str, ...]
    distance_m: float | None
    is_chosen: bool


class TrackDesk:
    """Takes tracks, distances and widths of tows."""

    def __init__(self, writer: Writes, reader: Callable[[], Any]) -> None:
        """`reader()` is a context manager with a read-only connection."""
        self._writer = writer
        self._reader = reader

    def import_track(self, tow_id: int, file: TrackFile, actor: str) -> Imported:
        """Read a log and keep the part of it that is the tow's. If the tow has no distance yet, this track becomes it.

        Raises:
            SettingsError: there is no such tow, or this file stands for it already.
            LogError: the log cannot be used; nothing of it was taken.
        """
        with self._reader() as connection:
            tow = _tow(connection, tow_id)
        offset_s = file.time_offset_s
        if not math.isfinite(offset_s) or abs(offset_s) > 48 * 3600:
            raise SettingsError(f"a time offset of {offset_s} s is none", advice="Give it in seconds, at most two days.")
        window, fault = _window(tow, offset_s)
        read = read_log(file.path, window, table_source=file.source, name=file.name)
        stream, fixes, notes = choose_stream(read.log, file.source, file.stream)
        if len(fixes) > MAX_POINTS:
            raise LogError(
                f"{file.name} has {len(fixes)} positions for this tow",
                advice="Type the tow's start and end first: then only that part of the log is read.",
            )
        fixes = [_shifted(fix, offset_s) for fix in fixes]
        _check_place(tow, fixes, file.name)
        flags = flag_fixes(fixes)
        new = NewTrack(
            tow_id=tow_id,
            source=stream.source,
            file_name=file.name,
            sha256=read.sha256,
            time_offset_s=offset_s,
            rows_read=read.log.rows_read,
            rows_refused=read.log.rows_refused,
            faults=(*read.log.faults, *notes, *fault),
        )
        track_id, distance_m, is_chosen = self._writer.call(partial(_add_track, tow=tow, new=new, fixes=fixes, flags=flags, actor=actor))
        return Imported(
            track_id=track_id,
            tow_id=tow_id,
            source=stream.source,
            stream=stream.name,
            points=len(fixes),
            flagged={flag.value: flags.count(flag) for flag in Flag if flag and flag in flags},
            rows_read=read.log.rows_read,
            rows_refused=read.log.rows_refused,
            faults=(*new.faults, *_doubts(tow, distance_m)),
            distance_m=distance_m,
            is_chosen=is_chosen,
        )

    def choose_track(self, track_id: int, actor: str) -> int:
        """Let the distance of a tow be that along this track. Returns the id of the distance.

        Raises:
            SettingsError: there is no such track, or it was withdrawn.
            LogError: it does not cover the tow anywhere.
        """
        with self._reader() as connection:
            track = reads.track(connection, track_id)
            if track is None or track.withdrawn_utc is not None:
                raise SettingsError(f"there is no track {track_id} that stands", advice="Look at the station's track page.")
            found = line_of(connection, _tow(connection, track.tow_id), track)
        if found is None:
            raise LogError("the tow's start and end are not both known", advice="Type them on the station's sheet first.")
        known_m = math.fsum(one.distance_m for one in found.profiles if one.distance_m is not None)
        distance_m = found.distance_m or known_m
        if not distance_m > 0:
            raise LogError("the track covers no whole minute of the tow", advice="Check the tow's times, or choose another source.")
        new = NewDistance(
            source=track.source, distance_m=distance_m, covers="tow", track_id=track_id, note=_note(whole=found.distance_m is not None)
        )
        return self._writer.call(lambda connection: store.add_distance(connection, track.tow_id, new, actor))

    def type_distance(self, tow_id: int, new: NewDistance, actor: str) -> int:
        """Take a distance that somebody read off or estimated. Returns its id.

        Raises:
            SettingsError: there is no such tow, or it is no distance.
        """
        if new.source not in RANK or new.track_id is not None:
            raise SettingsError(f"a distance cannot be typed as {new.source}", advice=f"It is one of {', '.join(RANK)}.")
        if not (math.isfinite(new.distance_m) and 0 < new.distance_m <= FARTHEST_TOW_M):
            raise SettingsError(f"{new.distance_m} m is no distance over ground", advice="Give metres, more than 0.")
        with self._reader() as connection:
            _tow(connection, tow_id)
        return self._writer.call(lambda connection: store.add_distance(connection, tow_id, new, actor))

    def estimate_distance(self, tow_id: int, speed_knots: float, actor: str) -> int:
        """Take speed times the time of the tow as its distance, as the last resort. Returns its id.

        Raises:
            SettingsError: there is no such tow, its times are not known, or it is no speed.
        """
        with self._reader() as connection:
            _, _, duration_s = tow_span(_tow(connection, tow_id))
        if duration_s is None:
            raise SettingsError("the tow's start and end are not both known", advice="Type them on the station's sheet first.")
        if not (math.isfinite(speed_knots) and 0 < speed_knots <= 5):
            raise SettingsError(f"{speed_knots} knots is no speed of a sledge", advice="Give knots over ground, such as 0.8.")
        new = NewDistance(
            source="estimated",
            distance_m=speed_times_time_m(speed_knots, duration_s),
            note=f"speed x time: {speed_knots:g} knots for {duration_s:.0f} s",
        )
        return self.type_distance(tow_id, new, actor)

    def estimate_from_sheet(self, tow_id: int, actor: str) -> int:
        """Take the straight line between the sheet's start and end as the tow's distance: never too long, as good as it is straight.

        Raises:
            SettingsError: there is no such tow, or the sheet lacks a position.
        """
        with self._reader() as connection:
            tow = _tow(connection, tow_id)
        ends = (tow.start_latitude_deg, tow.start_longitude_deg, tow.end_latitude_deg, tow.end_longitude_deg)
        known = [one for one in ends if one is not None]
        if len(known) < len(ends):
            raise SettingsError(
                "the sheet does not say where the tow started and ended", advice="Type both positions on the station's sheet."
            )
        new = NewDistance(source="estimated", distance_m=leg_m(*known), note="straight line between the sheet's start and end")
        return self.type_distance(tow_id, new, actor)

    def set_width(self, tow_id: int, width: Width, actor: str) -> int:
        """Take a width of view; the one before stays as history. Returns its id.

        Raises:
            SettingsError: there is no such tow.
        """
        with self._reader() as connection:
            _tow(connection, tow_id)
        new = NewWidth(
            method=width.method.value,
            width_m=width.width_m,
            uncertainty_m=width.uncertainty_m,
            row_height=width.row_height,
            source=width.source.strip(),
            detail=width.detail,
        )
        return self._writer.call(lambda connection: store.add_width(connection, tow_id, new, actor))

    def withdraw(self, kind: Kept, row_id: int, actor: str) -> int:
        """Let a track, distance or width no longer be used. Returns the id of its tow.

        Raises:
            SettingsError: there is no such row, or it is withdrawn already.
        """
        return self._writer.call(lambda connection: store.withdraw(connection, kind, row_id, actor))

    def restore(self, kind: Kept, row_id: int, actor: str) -> int:
        """Let what was withdrawn stand again, a track with the distances that went with it. Returns the id of its tow.

        Raises:
            SettingsError: there is no such row that is withdrawn, or something stands in its place.
        """
        return self._writer.call(lambda connection: store.restore(connection, kind, row_id, actor))

    def ensure_station(self, name: str, survey: str | None, actor: str) -> int:
        """The id of a station; one that nobody knows becomes a draft.

        Raises:
            SettingsError: it is no name, or there is no such survey.
        """
        return self._writer.call(lambda connection: ensure_station(connection, name, survey, actor=actor))


def _tow(connection: Connection, tow_id: int) -> TowRow:
    tow = survey_reads.tow(connection, tow_id)
    if tow is None:
        raise SettingsError(f"there is no tow {tow_id}", advice="Look at the station's page for its tows.")
    return tow


def _doubts(tow: TowRow, distance_m: float | None) -> tuple[str, ...]:
    """What a track's distance does to the result, where that is not what one hopes for."""
    _, _, tow_s = tow_span(tow)
    if tow_s is None:
        return ()
    if distance_m is None:
        return ("it does not cover the whole tow: minutes without it have no distance, and under drop_minute the station then has none",)
    return speed_flags(distance_m, tow_s)


def _window(tow: TowRow, offset_s: float) -> tuple[Window, tuple[str, ...]]:
    """The time to read, in the log's own clock."""
    start, end, duration_s = tow_span(tow)
    if start is None or end is None or duration_s is None:
        return Window(), ("The tow's start and end were not both known: the whole log was kept, and no distance can be given.",)
    shift = timedelta(seconds=-offset_s)
    return Window(start=start + shift, end=end + shift), ()


def _shifted(fix: Fix, offset_s: float) -> Fix:
    return fix if not offset_s else replace(fix, at=fix.at + timedelta(seconds=offset_s))


def _check_place(tow: TowRow, fixes: list[Fix], name: str) -> None:
    """A log of elsewhere, or with east and west exchanged, is no track of this tow."""
    if tow.start_latitude_deg is None or tow.start_longitude_deg is None:
        return
    middle = fixes[len(fixes) // 2]
    away_m = leg_m(tow.start_latitude_deg, tow.start_longitude_deg, middle.latitude_deg, middle.longitude_deg)
    if away_m <= FAR_M:
        return
    mirrored = min(
        ("east and west", leg_m(tow.start_latitude_deg, -tow.start_longitude_deg, middle.latitude_deg, middle.longitude_deg)),
        ("north and south", leg_m(-tow.start_latitude_deg, tow.start_longitude_deg, middle.latitude_deg, middle.longitude_deg)),
        key=lambda one: one[1],
    )
    hint = f"; {mirrored[0]} are exchanged in one of the two" if mirrored[1] <= FAR_M else ""
    raise LogError(
        f"{name} lies {away_m / 1000:.0f} km from where the sheet says that the tow began{hint}",
        advice="Correct the position on the station's sheet, or choose the log of this tow; nothing was taken.",
    )


def _add_track(
    connection: Connection, *, tow: TowRow, new: NewTrack, fixes: list[Fix], flags: list[Flag], actor: str
) -> tuple[int, float | None, bool]:
    points = [
        NewPoint(
            at_utc=utc_text(fix.at),
            latitude_deg=fix.latitude_deg,
            longitude_deg=fix.longitude_deg,
            depth_m=fix.depth_m,
            heading_deg=fix.heading_deg,
            speed_m_per_s=fix.speed_m_per_s,
            flag=flag.value,
        )
        for fix, flag in zip(fixes, flags, strict=True)
    ]
    track_id = store.add_track(connection, new, points, actor)
    start, end, duration_s = tow_span(tow)
    if start is None or end is None or duration_s is None:
        return track_id, None, False
    used = [fix for fix, flag in zip(fixes, flags, strict=True) if not flag]
    distance_m = line_distance_m(smooth_track(used, start, end))
    if not distance_m or reads.distance_in_force(connection, new.tow_id) is not None:
        return track_id, distance_m, False
    note = f"the first distance of this tow; {_note(whole=True)}"
    store.add_distance(connection, new.tow_id, NewDistance(new.source, distance_m, "tow", track_id, note), actor)
    return track_id, distance_m, True


def _note(*, whole: bool) -> str:
    return "along the smoothed track" if whole else "along the smoothed track, which does not cover the whole tow"
