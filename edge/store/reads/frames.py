"""The stills of a tow as frames along its time."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.files import StoredAt, stored_at
from edge.store.sqlite import Connection


class FrameRow(NamedTuple):
    """A still with its time, seconds since the tow's start."""

    image_id: int
    at_s: float
    capture_time_utc: str | None


def tow_frames(connection: Connection, tow_id: int) -> tuple[FrameRow, ...]:
    """The stills of a tow whose time is known, in the order of their times."""
    rows = connection.execute(
        "SELECT a.image_id, a.at_s, i.capture_time_utc FROM tow_images AS a JOIN images AS i ON i.id = a.image_id "
        "WHERE a.tow_id = ? AND a.at_s >= 0 AND a.image_id NOT IN (SELECT image_id FROM clips) ORDER BY a.at_s, a.image_id",
        (tow_id,),
    )
    return tuple(FrameRow(*row) for row in rows)


def camera_offsets(connection: Connection, tow_id: int) -> dict[str, float]:
    """The seconds that are added to the clock of each camera that files of a tow are from, by its name."""
    rows = connection.execute(  # a survey has a few cameras, a tow thousands of stills, a camera millions: + keeps off its index
        "SELECT name, time_offset_s FROM cameras AS c "
        "WHERE EXISTS (SELECT 1 FROM tow_images AS i WHERE i.tow_id = ? AND +i.camera_id = c.id) ORDER BY name",
        (tow_id,),
    )
    return {row["name"]: row["time_offset_s"] for row in rows}


def count_untimed(connection: Connection, tow_id: int) -> int:
    """How many stills of a tow have no time within it: they cannot be shown in its order."""
    row = connection.execute(
        "SELECT count(*) FROM tow_images WHERE tow_id = ? AND (at_s IS NULL OR at_s < 0) AND image_id NOT IN (SELECT image_id FROM clips)",
        (tow_id,),
    ).fetchone()
    return int(row[0])


def frame_bytes_at(connection: Connection, tow_id: int, image_id: int) -> StoredAt | None:
    """Where the bytes of a tow's still lie; None if the still is not attached to that tow."""
    row = connection.execute(
        "SELECT (SELECT s.id FROM sightings AS s WHERE s.image_id = a.image_id ORDER BY s.original = 'present' DESC, s.id DESC LIMIT 1) "
        "FROM tow_images AS a WHERE a.tow_id = ? AND a.image_id = ?",
        (tow_id, image_id),
    ).fetchone()
    return None if row is None or row[0] is None else stored_at(connection, row[0])
