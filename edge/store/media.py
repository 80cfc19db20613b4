"""Which files there are to attach to tows, and what they are attached by: folders, cameras, lines. Reads and writes.

Functions that write take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.reads.typed import as_values
from edge.store.sealed_runs import remember_tows
from edge.store.sqlite import Connection

SEEN_FACT = "media_seen_image_id"
TIMED_FACT = "media_timed_run_reading"
PLAN_FACT = "media_plan"


class MediaImage(NamedTuple):
    """An image that may belong to a tow: its times, and the folder that it lies in (one of them, if it has several).

    `tow_id`, `camera_id`, `how`, `at_s`: what it is attached to now, None if to nothing. `duration_s`: of a clip; 0 for a still.
    """

    image_id: int
    capture_time_utc: str | None
    capture_time_local: str | None
    folder_id: int | None
    folder: str
    tow_id: int | None
    camera_id: int | None
    how: str | None
    at_s: float | None
    duration_s: float = 0.0


class LineRow(NamedTuple):
    """A tow's line as far as attaching files needs it."""

    tow_id: int
    station_id: int
    survey_id: int | None
    station: str
    ordinal: int
    start_utc: str | None
    end_utc: str | None


class UnattachedFolder(NamedTuple):
    """A folder with images that belong to no tow; `image_id` is one of them."""

    folder_id: int
    folder: str
    images: int
    unattached: int
    image_id: int


_FOLDER = "r.path || CASE f.relative_path WHEN '' THEN '' ELSE '/' || f.relative_path END"
_IMAGE = (
    f"SELECT i.id AS image_id, i.capture_time_utc, i.capture_time_local, f.id AS folder_id, coalesce({_FOLDER}, '') AS folder, "
    "m.tow_id, m.camera_id, m.how, m.at_s, coalesce(c.duration_s, 0.0) AS duration_s FROM images AS i "
    "LEFT JOIN clips AS c ON c.image_id = i.id "
    "LEFT JOIN sightings AS s ON s.id = (SELECT n.id FROM sightings AS n WHERE n.image_id = i.id "
    "ORDER BY n.original = 'present' DESC, n.id DESC LIMIT 1) "
    "LEFT JOIN folders AS f ON f.id = s.folder_id LEFT JOIN roots AS r ON r.id = f.root_id LEFT JOIN tow_images AS m ON m.image_id = i.id "
)


def last_image_id(connection: Connection) -> int:
    """The id of the newest image; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM images").fetchone()[0])


def images_after(connection: Connection, after_id: int, *, limit: int) -> tuple[MediaImage, ...]:
    """Images that were stored after another, in that order."""
    return as_values(MediaImage, connection.execute(_IMAGE + "WHERE i.id > ? ORDER BY i.id LIMIT ?", (after_id, limit)))


def images_timed_after(connection: Connection, after: tuple[int, int], *, limit: int) -> tuple[tuple[MediaImage, ...], tuple[int, int]]:
    """Images whose time or length became known only when they were read, behind the last run and reading that were looked at.

    Returns:
        Up to `limit` of each kind, and up to which run and reading was looked.
    """
    newest = tuple(
        connection.execute("SELECT (SELECT coalesce(max(id), 0) FROM runs), (SELECT coalesce(max(id), 0) FROM readings)").fetchone()
    )
    runs = connection.execute(
        "SELECT r.id, r.image_id FROM runs AS r JOIN images AS i ON i.id = r.image_id "
        "WHERE r.id > ? AND i.capture_time_source = 'exif' ORDER BY r.id LIMIT ?",
        (after[0], limit),
    ).fetchall()
    readings = connection.execute("SELECT id, image_id FROM readings WHERE id > ? ORDER BY id LIMIT ?", (after[1], limit)).fetchall()
    chosen = json.dumps([row[1] for row in (*runs, *readings)])
    images = as_values(MediaImage, connection.execute(_IMAGE + "WHERE i.id IN (SELECT value FROM json_each(?)) ORDER BY i.id", (chosen,)))
    last = (runs[-1][0] if len(runs) == limit else newest[0], readings[-1][0] if len(readings) == limit else newest[1])
    return images, last


def image_ids_between(connection: Connection, from_utc: str, to_utc: str) -> set[int]:
    """Images whose time in UTC lies between two moments, both included, and clips that ran then."""
    rows = connection.execute(
        "SELECT id FROM images WHERE capture_time_utc BETWEEN ?1 AND ?2 UNION SELECT c.image_id FROM clips AS c JOIN images AS i "
        "ON i.id = c.image_id WHERE i.capture_time_utc <= ?2 AND julianday(i.capture_time_utc) + c.duration_s / 86400 >= julianday(?1)",
        (from_utc, to_utc),
    )
    return {row[0] for row in rows}


def image_ids_of_local_days(connection: Connection, days: Iterable[str]) -> set[int]:
    """Images whose only time is that of the camera's clock, on one of these days (such as 2020-07-15)."""
    chosen = [(f"{day}%", f"{day.replace('-', ':')}%") for day in days]
    found: set[int] = set()
    for iso, exif in chosen:
        rows = connection.execute(
            "SELECT id FROM images WHERE capture_time_utc IS NULL AND (capture_time_local LIKE ? OR capture_time_local LIKE ?)", (iso, exif)
        )
        found |= {row[0] for row in rows}
    return found


def image_ids_of_folders(connection: Connection, folder_ids: Iterable[int]) -> set[int]:
    """Images that were seen in one of these folders."""
    rows = connection.execute(
        "SELECT image_id FROM sightings WHERE folder_id IN (SELECT value FROM json_each(?)) AND image_id IS NOT NULL",
        (json.dumps(list(folder_ids)),),
    )
    return {row[0] for row in rows}


def image_ids_of_tow(connection: Connection, tow_id: int) -> set[int]:
    """Images that belong to a tow now."""
    return {row[0] for row in connection.execute("SELECT image_id FROM tow_images WHERE tow_id = ?", (tow_id,))}


def image_ids_of_files(connection: Connection, file_ids: Sequence[int]) -> list[int]:
    """The images of files; files that have none yet are left out."""
    rows = connection.execute(
        "SELECT DISTINCT image_id FROM sightings WHERE id IN (SELECT value FROM json_each(?)) AND image_id IS NOT NULL ORDER BY image_id",
        (json.dumps(list(file_ids)),),
    )
    return [row[0] for row in rows]


def images_by_id(connection: Connection, image_ids: Sequence[int]) -> tuple[MediaImage, ...]:
    """These images."""
    rows = connection.execute(_IMAGE + "WHERE i.id IN (SELECT value FROM json_each(?)) ORDER BY i.id", (json.dumps(list(image_ids)),))
    return as_values(MediaImage, rows)


def all_folders(connection: Connection) -> dict[int, str]:
    """The path of every folder that was ever looked into."""
    rows = connection.execute(f"SELECT f.id, {_FOLDER} AS folder FROM folders AS f JOIN roots AS r ON r.id = f.root_id")
    return {row["id"]: row["folder"] for row in rows}


def all_lines(connection: Connection) -> tuple[LineRow, ...]:
    """The line of every tow there is."""
    rows = connection.execute(
        "SELECT w.id AS tow_id, w.station_id, t.survey_id, t.name AS station, w.ordinal, w.start_utc, w.end_utc "
        "FROM tows AS w JOIN stations AS t ON t.id = w.station_id ORDER BY w.id"
    )
    return as_values(LineRow, rows)


def unattached_folders(connection: Connection, *, before_id: int | None, limit: int) -> tuple[tuple[UnattachedFolder, ...], int | None]:
    """Folders with images that belong to no tow among the `limit` newest below an id; and where to go on, None at the end."""
    rows = connection.execute(
        f"SELECT f.id AS folder_id, {_FOLDER} AS folder, count(*) AS images, sum(m.image_id IS NULL) AS unattached, "
        "min(CASE WHEN m.image_id IS NULL THEN s.image_id END) AS image_id "
        "FROM (SELECT * FROM folders WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2) AS f JOIN roots AS r ON r.id = f.root_id "
        "JOIN sightings AS s ON s.folder_id = f.id AND s.image_id IS NOT NULL LEFT JOIN tow_images AS m ON m.image_id = s.image_id "
        "GROUP BY f.id HAVING sum(m.image_id IS NULL) > 0 ORDER BY f.id DESC",
        (before_id, limit),
    )
    found = as_values(UnattachedFolder, rows)
    last = connection.execute(
        "SELECT min(id) AS last, count(*) AS n FROM (SELECT id FROM folders WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2)",
        (before_id, limit),
    ).fetchone()
    return found, last["last"] if last["n"] == limit else None


def detach_images(connection: Connection, image_ids: Sequence[int], *, actor: str) -> int:
    """Images that nothing attaches any more belong to no tow; what a person or `ingest --station` attached stays. Returns how many."""
    remember_tows(connection, image_ids)
    cursor = connection.execute(
        "DELETE FROM tow_images WHERE image_id IN (SELECT value FROM json_each(?)) AND how IN ('folder', 'time')",
        (json.dumps(list(image_ids)),),
    )
    if cursor.rowcount:
        audit.append(connection, actor, "images_detach", "tows", {"images": cursor.rowcount})
    return int(cursor.rowcount)


def set_camera(
    connection: Connection,
    survey_id: int,
    name: str,
    *,
    time_offset_s: float,
    time_offset_source: str,
    folder_pattern: str,
    laser_gap_m: float | None,
    laser_gap_source: str,
    actor: str,
) -> int:
    """The id of a survey's camera, made or given these."""
    connection.execute(
        "INSERT INTO cameras (survey_id, name, time_offset_s, time_offset_source, folder_pattern, laser_gap_m, laser_gap_source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (survey_id, name) DO UPDATE SET time_offset_s = excluded.time_offset_s, "
        "time_offset_source = excluded.time_offset_source, folder_pattern = excluded.folder_pattern, "
        "laser_gap_m = excluded.laser_gap_m, laser_gap_source = excluded.laser_gap_source",
        (survey_id, name, time_offset_s, time_offset_source, folder_pattern, laser_gap_m, laser_gap_source),
    )
    detail = {
        "name": name,
        "time_offset_s": time_offset_s,
        "source": time_offset_source,
        "folder_pattern": folder_pattern,
        "laser_gap_m": laser_gap_m,
        "laser_gap_source": laser_gap_source,
        "at": utc_now(),
    }
    audit.append(connection, actor, "camera_set", f"survey/{survey_id}", detail)
    row = connection.execute("SELECT id FROM cameras WHERE survey_id = ? AND name = ?", (survey_id, name)).fetchone()
    return int(row[0])
