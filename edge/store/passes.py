"""What one pass over a folder did, counted in the database: the figures that `ingest --json` prints."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class PassMark:
    """Where a pass began."""

    root_id: int
    below: bytes
    last_run_id: int
    last_reading_id: int
    unchanged: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassCount:
    """What a pass did. `files` = `done` + `quarantined` + `unchanged` + `waiting`; `clips` are those of the done that are clips.

    `objects`: in stills; None where no still has a result that may be shown. What is in clips is told by tow, not by frame.
    """

    files: int
    done: int
    clips: int
    quarantined: int
    unchanged: int
    waiting: int
    objects: int | None
    sealed: int


_FOLDERS = """
    WITH below AS (
        SELECT id FROM folders WHERE root_id = :root_id AND (
            :below = x'' OR relative_path_bytes = :below
            OR substr(relative_path_bytes, 1, length(:below_and_separator)) = :below_and_separator))
"""


def mark(connection: Connection, root_id: int, folder: Path) -> PassMark:
    """Remember what is known of a folder before a pass over it."""
    row = connection.execute("SELECT path_bytes FROM roots WHERE id = ?", (root_id,)).fetchone()
    relative = os.path.relpath(os.fsencode(os.path.abspath(folder)), bytes(row["path_bytes"]))
    below = b"" if relative == b"." else relative
    (last_run_id,) = connection.execute("SELECT coalesce(max(id), 0) FROM runs").fetchone()
    (last_reading_id,) = connection.execute("SELECT coalesce(max(id), 0) FROM readings").fetchone()
    rows = connection.execute(
        f"{_FOLDERS} SELECT s.id FROM sightings AS s JOIN below AS b ON b.id = s.folder_id "
        "WHERE s.state IN ('done', 'quarantined') AND s.original = 'present'",
        _values(root_id, below),
    )
    return PassMark(
        root_id=root_id,
        below=below,
        last_run_id=last_run_id,
        last_reading_id=last_reading_id,
        unchanged=frozenset(row[0] for row in rows),
    )


def count_since(connection: Connection, mark: PassMark) -> PassCount:
    """What became of every file that is now below the folder."""
    rows = connection.execute(
        f"{_FOLDERS} SELECT s.id, s.image_id, s.state, r.id AS run_id, r.object_count, c.id AS reading_id FROM sightings AS s "
        "JOIN below AS b ON b.id = s.folder_id "
        "LEFT JOIN runs AS r ON r.image_id = s.image_id AND r.recipe = s.recipe AND r.is_current = 1 "
        "LEFT JOIN readings AS c ON c.image_id = s.image_id AND c.recipe = s.recipe AND c.is_current = 1 "
        "WHERE s.original = 'present'",
        _values(mark.root_id, mark.below),
    )
    files = quarantined = waiting = 0
    runs: dict[int, int | None] = {}
    clips: set[int] = set()
    for row in rows:
        files += 1
        if row["state"] == "done" and (row["run_id"] or 0) > mark.last_run_id:
            runs[row["run_id"]] = row["object_count"]
        elif row["state"] == "done" and (row["reading_id"] or 0) > mark.last_reading_id:
            clips.add(row["reading_id"])
        elif row["state"] == "quarantined" and row["id"] not in mark.unchanged:
            quarantined += 1
        elif row["state"] in ("seen", "queued", "leased"):
            waiting += 1
    done = len(runs) + len(clips)
    counted = [one for one in runs.values() if one is not None]
    return PassCount(
        files=files,
        done=done,
        clips=len(clips),
        quarantined=quarantined,
        unchanged=files - done - quarantined - waiting,
        waiting=waiting,
        objects=sum(counted) if counted or not done else None,
        sealed=len(runs) - len(counted),
    )


def _values(root_id: int, below: bytes) -> dict[str, object]:
    return {"root_id": root_id, "below": below, "below_and_separator": below + os.fsencode(os.sep)}
