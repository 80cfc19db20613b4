"""Tracks, distances and widths: rows are added, withdrawn with a mark that can be taken back, never changed and never deleted.

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
    _check_alone(connection, new._asdict())
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


def _check_alone(connection: Connection, new: Mapping[str, Any]) -> None:
    same = "SELECT 1 FROM tracks WHERE tow_id = ? AND source = ? AND sha256 = ? AND time_offset_s = ? AND withdrawn_utc IS NULL"
    if connection.execute(same, [new[name] for name in ("tow_id", "source", "sha256", "time_offset_s")]).fetchone():
        raise SettingsError(
            f"{new['file_name']} stands for this tow already ({new['source']})", advice="Withdraw that track first to read the file again."
        )


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
    query = f"UPDATE {kind} SET withdrawn_utc = ? WHERE id = ? AND withdrawn_utc IS NULL RETURNING *"
    row = connection.execute(query, (when, row_id)).fetchone()
    if row is None:
        raise SettingsError(
            f"there is no row {row_id} in {kind} that stands", advice="Look at the station's track page for what is in force."
        )
    with_it = _mark_distances(connection, row_id, when, None) if kind == "tracks" else []
    audit.append(connection, actor, "withdraw", f"tow/{row['tow_id']}", {"table": kind, "id": row_id, **_what(kind, row, with_it)})
    return int(row["tow_id"])


def restore(connection: Connection, kind: Kept, row_id: int, actor: str) -> int:
    """Take the mark back: the row stands again, and with a track the distances that were withdrawn with it. The newest is in force.

    Returns:
        The id of its tow.

    Raises:
        SettingsError: there is no such row that is withdrawn, its track is withdrawn, or its file was imported again meanwhile.
    """
    row = connection.execute(f"SELECT * FROM {kind} WHERE id = ? AND withdrawn_utc IS NOT NULL", (row_id,)).fetchone()
    if row is None:
        raise SettingsError(f"there is no row {row_id} in {kind} that is withdrawn", advice="Reload the station's track page.")
    if kind == "tracks":
        _check_alone(connection, row)
    elif kind == "distances" and row["track_id"] is not None:
        along = connection.execute("SELECT withdrawn_utc FROM tracks WHERE id = ?", (row["track_id"],)).fetchone()
        if along["withdrawn_utc"] is not None:
            raise SettingsError("the track of this distance is withdrawn", advice="Restore the track: the distance comes back with it.")
    connection.execute(f"UPDATE {kind} SET withdrawn_utc = NULL WHERE id = ?", (row_id,))
    with_it = _mark_distances(connection, row_id, None, row["withdrawn_utc"]) if kind == "tracks" else []
    audit.append(connection, actor, "restore_row", f"tow/{row['tow_id']}", {"table": kind, "id": row_id, **_what(kind, row, with_it)})
    return int(row["tow_id"])


def _mark_distances(connection: Connection, track_id: int, to_utc: str | None, from_utc: str | None) -> list[dict[str, Any]]:
    """Set or take back the mark of the distances along a track that have the mark `from_utc`. What they are, for the audit trail."""
    rows = connection.execute(
        "UPDATE distances SET withdrawn_utc = ? WHERE track_id = ? AND withdrawn_utc IS ? RETURNING id, distance_m",
        (to_utc, track_id, from_utc),
    )
    return sorted(({"id": int(row["id"]), "distance_m": float(row["distance_m"])} for row in rows), key=lambda one: one["id"])


def _what(kind: Kept, row: Any, with_it: list[dict[str, Any]]) -> dict[str, Any]:
    """What a row says, for the audit trail: a number that was in force is found there by itself."""
    if kind == "tracks":
        return {"source": row["source"], "file": row["file_name"], "distances": with_it}
    if kind == "distances":
        return {"source": row["source"], "distance_m": row["distance_m"], "track": row["track_id"]}
    return {"method": row["method"], "width_m": row["width_m"], "source": row["source"]}
