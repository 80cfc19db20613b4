"""Tracks, distances and widths: rows are added, and withdrawn with a mark, never changed and never deleted.

Every function runs in the writer's thread, in the transaction of what asked for it, and leaves a line in the audit trail.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from edge.errors import SettingsError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

Kept = Literal["tracks", "distances", "widths"]


class NewTrack(NamedTuple):
    """What is recorded of a track; see `edge.store.reads.tracks.TrackRow`."""

    tow_id: int
    source: str
    file_name: str
    sha256: str
    time_offset_s: float
    rows_read: int
    rows_refused: int
    faults: Sequence[str]


class NewPoint(NamedTuple):
    """A position as it was read, with why it is not used."""

    at_utc: str
    latitude_deg: float
    longitude_deg: float
    depth_m: float | None
    heading_deg: float | None
    speed_m_per_s: float | None
    flag: str


class NewDistance(NamedTuple):
    """A distance over ground; see `edge.store.reads.tracks.DistanceRow`."""

    source: str
    distance_m: float
    covers: str = "tow"
    track_id: int | None = None
    note: str = ""


class NewWidth(NamedTuple):
    """A width of view; see `edge.store.reads.tracks.WidthRow`."""

    method: str
    width_m: float
    uncertainty_m: float | None
    row_height: float
    source: str
    detail: Mapping[str, Any]


def add_track(connection: Connection, new: NewTrack, points: Iterable[NewPoint], actor: str) -> int:
    """Record a track with its points. Returns its id.

    Raises:
        SettingsError: the same file stands for this tow and source already.
    """
    same = "SELECT 1 FROM tracks WHERE tow_id = ? AND source = ? AND sha256 = ? AND time_offset_s = ? AND withdrawn_utc IS NULL"
    if connection.execute(same, (new.tow_id, new.source, new.sha256, new.time_offset_s)).fetchone():
        raise SettingsError(
            f"{new.file_name} stands for this tow already ({new.source})", advice="Withdraw that track first to read the file again."
        )
    row = connection.execute(
        "INSERT INTO tracks (uuid, tow_id, source, file_name, sha256, time_offset_s, rows_read, rows_refused, faults_json, imported_by, "
        "imported_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            uuid7(),
            new.tow_id,
            new.source,
            new.file_name,
            new.sha256,
            new.time_offset_s,
            new.rows_read,
            new.rows_refused,
            json.dumps(list(new.faults), ensure_ascii=True),
            actor,
            utc_now(),
        ),
    ).fetchone()
    track_id = int(row[0])
    connection.executemany(
        "INSERT INTO track_points (track_id, ordinal, at_utc, latitude_deg, longitude_deg, depth_m, heading_deg, speed_m_per_s, flag) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((track_id, ordinal, *point) for ordinal, point in enumerate(points, start=1)),
    )
    detail = {"track": track_id, "source": new.source, "file": new.file_name, "sha256": new.sha256, "refused": new.rows_refused}
    audit.append(connection, actor, "track_import", f"tow/{new.tow_id}", detail)
    return track_id


def add_distance(connection: Connection, tow_id: int, new: NewDistance, actor: str) -> int:
    """Record a distance; it is in force from now on. Returns its id."""
    row = connection.execute(
        "INSERT INTO distances (tow_id, source, distance_m, covers, track_id, note, entered_by, entered_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (tow_id, *new, actor, utc_now()),
    ).fetchone()
    audit.append(connection, actor, "distance_set", f"tow/{tow_id}", {"distance": int(row[0]), **new._asdict()})
    return int(row[0])


def add_width(connection: Connection, tow_id: int, new: NewWidth, actor: str) -> int:
    """Record a width; it is in force from now on. Returns its id."""
    row = connection.execute(
        "INSERT INTO widths (tow_id, method, width_m, uncertainty_m, row_height, source, detail_json, entered_by, entered_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            tow_id,
            new.method,
            new.width_m,
            new.uncertainty_m,
            new.row_height,
            new.source,
            json.dumps(dict(new.detail), ensure_ascii=True, sort_keys=True),
            actor,
            utc_now(),
        ),
    ).fetchone()
    audit.append(connection, actor, "width_set", f"tow/{tow_id}", {"width": int(row[0]), **new._asdict()})
    return int(row[0])


def withdraw(connection: Connection, kind: Kept, row_id: int, actor: str) -> int:
    """Mark a row as no longer in force; the one before it is again. A distance along a track goes with its track.

    Returns:
        The id of its tow.

    Raises:
        SettingsError: there is no such row, or it is withdrawn already.
    """
    when = utc_now()
    query = f"UPDATE {kind} SET withdrawn_utc = ? WHERE id = ? AND withdrawn_utc IS NULL RETURNING tow_id"
    row = connection.execute(query, (when, row_id)).fetchone()
    if row is None:
        raise SettingsError(
            f"there is no row {row_id} in {kind} that stands", advice="Look at the station's track page for what is in force."
        )
    if kind == "tracks":
        connection.execute("UPDATE distances SET withdrawn_utc = ? WHERE track_id = ? AND withdrawn_utc IS NULL", (when, row_id))
    audit.append(connection, actor, "withdraw", f"tow/{row[0]}", {"table": kind, "id": row_id})
    return int(row[0])
