"""Tracks, distances and widths of a tow. Rows that were withdrawn are history: they are told apart, not left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection

SOURCES = ("usbl", "ship", "odometer", "observed", "estimated")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """A track that was read from a file.

    Attributes:
        source: "usbl" for the sledge, "ship" for the vessel.
        time_offset_s: added to the times of the file; those of the points have it already.
        rows_read, rows_refused: lines of the file, and those that could not be used; `faults_json` lists why (texts).
    """

    id: int
    uuid: str
    tow_id: int
    source: str
    file_name: str
    sha256: str
    time_offset_s: float
    rows_read: int
    rows_refused: int
    faults_json: str
    imported_by: str
    imported_utc: str
    withdrawn_utc: str | None
    points: int


class PointRow(NamedTuple):
    """A position as it was read. `flag` says why it is not used, empty for one that is."""

    ordinal: int
    at_utc: str
    latitude_deg: float
    longitude_deg: float
    depth_m: float | None
    heading_deg: float | None
    speed_m_per_s: float | None
    flag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceRow:
    """A distance over ground that somebody chose or typed; the newest that stands is in force.

    Attributes:
        covers: "tow" from its start to its end; "counted": the counted minutes only, as tables of other surveys give it.
        track_id: the track that it is measured along; its minutes then come from there. None for a typed distance.
    """

    id: int
    tow_id: int
    source: str
    distance_m: float
    covers: str
    track_id: int | None
    note: str
    entered_by: str
    entered_utc: str
    withdrawn_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthRow:
    """A width of view at the counting row; the newest that stands is in force. `detail_json` is what it was worked out from."""

    id: int
    tow_id: int
    method: str
    width_m: float
    uncertainty_m: float | None
    row_height: float
    source: str
    detail_json: str
    entered_by: str
    entered_utc: str
    withdrawn_utc: str | None


_TRACK = (
    "SELECT t.id, t.uuid, t.tow_id, t.source, t.file_name, t.sha256, t.time_offset_s, t.rows_read, t.rows_refused, t.faults_json, "
    "t.imported_by, t.imported_utc, t.withdrawn_utc, "
    "(SELECT count(*) FROM track_points AS p WHERE p.track_id = t.id) AS points FROM tracks AS t "
)
_DISTANCE = (
    "SELECT id, tow_id, source, distance_m, covers, track_id, note, entered_by, entered_utc, withdrawn_utc FROM distances WHERE tow_id = ? "
)
_WIDTH = (
    "SELECT id, tow_id, method, width_m, uncertainty_m, row_height, source, detail_json, entered_by, entered_utc, withdrawn_utc "
    "FROM widths WHERE tow_id = ? "
)


def tracks(connection: Connection, tow_id: int) -> tuple[TrackRow, ...]:
    """Every track of a tow, the newest first, withdrawn ones too."""
    return as_values(TrackRow, connection.execute(_TRACK + "WHERE t.tow_id = ? ORDER BY t.id DESC", (tow_id,)))


def track(connection: Connection, track_id: int) -> TrackRow | None:
    """One track, or None."""
    row = connection.execute(_TRACK + "WHERE t.id = ?", (track_id,)).fetchone()
    return None if row is None else as_value(TrackRow, row)


def track_points(connection: Connection, track_id: int) -> tuple[PointRow, ...]:
    """The positions of a track in the order of the file, those that are not used too."""
    query = (
        "SELECT ordinal, at_utc, latitude_deg, longitude_deg, depth_m, heading_deg, speed_m_per_s, flag "
        "FROM track_points WHERE track_id = ? ORDER BY ordinal"
    )
    return tuple(PointRow._make(row) for row in connection.execute(query, (track_id,)))


UsedPlace = tuple[str, float, float, float | None]  # at_utc, latitude_deg, longitude_deg, depth_m: plain, for there are 600 a tow


def used_places(connection: Connection, track_id: int) -> list[UsedPlace]:
    """The positions of a track that are used, in the order of the file."""
    query = "SELECT at_utc, latitude_deg, longitude_deg, depth_m FROM track_points WHERE track_id = ? AND flag = '' ORDER BY ordinal"
    return [tuple(row) for row in connection.execute(query, (track_id,)).fetchall()]


def line_counts(connection: Connection, survey_id: int) -> dict[int, int]:
    """Tow -> how many of its tracks that stand are lines: two positions or more are used. Of the tows of a survey that have any."""
    rows = connection.execute(
        "SELECT t.tow_id, count(*) FROM tracks AS t JOIN tows AS w ON w.id = t.tow_id JOIN stations AS s ON s.id = w.station_id "
        "WHERE s.survey_id = ? AND t.withdrawn_utc IS NULL AND 2 = (SELECT count(*) FROM "
        "(SELECT 1 FROM track_points AS p WHERE p.track_id = t.id AND p.flag = '' LIMIT 2)) GROUP BY t.tow_id",
        (survey_id,),
    )
    return dict(rows.fetchall())


def distances(connection: Connection, tow_id: int) -> tuple[DistanceRow, ...]:
    """Every distance of a tow, the newest first, withdrawn ones too."""
    return as_values(DistanceRow, connection.execute(_DISTANCE + "ORDER BY id DESC", (tow_id,)))


def distance_in_force(connection: Connection, tow_id: int) -> DistanceRow | None:
    """The distance that a tow's area is made from; None until somebody chose or typed one."""
    row = connection.execute(_DISTANCE + "AND withdrawn_utc IS NULL ORDER BY id DESC LIMIT 1", (tow_id,)).fetchone()
    return None if row is None else as_value(DistanceRow, row)


def widths(connection: Connection, tow_id: int) -> tuple[WidthRow, ...]:
    """Every width of a tow, the newest first, withdrawn ones too."""
    return as_values(WidthRow, connection.execute(_WIDTH + "ORDER BY id DESC", (tow_id,)))


def width_in_force(connection: Connection, tow_id: int) -> WidthRow | None:
    """The width that a tow's area is made from. There is no default: None until one was measured or typed."""
    row = connection.execute(_WIDTH + "AND withdrawn_utc IS NULL ORDER BY id DESC LIMIT 1", (tow_id,)).fetchone()
    return None if row is None else as_value(WidthRow, row)
