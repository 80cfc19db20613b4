"""Second copies of a tow's raw media: the rows that tell of them, and which files a tow consists of.

Functions that write take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

EndState = Literal["done", "failed", "cancelled"]


class RawFile(NamedTuple):
    """An image of a tow: what its bytes are, what it is called, and every place where it was last seen."""

    image_id: int
    sha256: str
    size_bytes: int
    name: str
    shown_path: str
    paths: tuple[Path, ...]


def raw_files(connection: Connection, tow_id: int) -> tuple[RawFile, ...]:
    """The files of a tow in order of their names; a verified copy in the home folder counts as a place too.

    A file is called what it was when it was first seen, whether or not that original is there now: names do not change with the media.
    """
    rows = connection.execute(
        "SELECT i.id, i.sha256, i.size_bytes, i.copy_path, s.name, s.path, s.original, s.name_bytes, f.relative_path_bytes, r.path_bytes "
        "FROM tow_images AS m JOIN images AS i ON i.id = m.image_id "
        "LEFT JOIN sightings AS s ON s.image_id = i.id "
        "LEFT JOIN folders AS f ON f.id = s.folder_id LEFT JOIN roots AS r ON r.id = f.root_id "
        "WHERE m.tow_id = ? ORDER BY i.id, s.id",
        (tow_id,),
    )
    found: dict[int, RawFile] = {}
    for row in rows:
        paths: tuple[Path, ...] = () if row["copy_path"] is None else (Path(row["copy_path"]),)
        if row["name_bytes"] is not None and row["original"] == "present":
            paths += (Path(os.fsdecode(os.path.join(row["path_bytes"], row["relative_path_bytes"], row["name_bytes"]))),)
        known = found.get(row["id"])
        name = row["name"] or (known.name if known else f"{row['sha256'][:16]}.bin")
        found[row["id"]] = RawFile(
            image_id=row["id"],
            sha256=row["sha256"],
            size_bytes=row["size_bytes"],
            name=known.name if known else name,
            shown_path=known.shown_path if known else row["path"] or "",
            paths=tuple(dict.fromkeys((known.paths if known else ()) + paths)),
        )
    return tuple(sorted(found.values(), key=lambda one: (one.name, one.image_id)))


def begin_copy(connection: Connection, tow_id: int, destination: str, *, actor: str) -> int:
    """The id of a copy that begins now."""
    cursor = connection.execute(
        "INSERT INTO raw_copies (uuid, tow_id, destination, state, asked_by, asked_utc) VALUES (?, ?, ?, 'running', ?, ?) RETURNING id",
        (uuid7(), tow_id, destination, actor, utc_now()),
    )
    copy_id = int(cursor.fetchone()[0])
    audit.append(connection, actor, "raw_copy_begin", f"tow/{tow_id}", {"copy_id": copy_id, "destination": destination})
    return copy_id


def tell_copy(connection: Connection, copy_id: int, *, files: int, size_bytes: int, detail: str) -> None:
    """How far a copy is."""
    connection.execute(
        "UPDATE raw_copies SET files = ?, size_bytes = ?, detail = ? WHERE id = ? AND state = 'running'",
        (files, size_bytes, detail, copy_id),
    )


def end_copy(
    connection: Connection, copy_id: int, state: EndState, *, files: int, size_bytes: int, detail: str, manifest_sha256: str | None = None
) -> None:
    """A copy has ended, one way or the other."""
    cursor = connection.execute(
        "UPDATE raw_copies SET state = ?, files = ?, size_bytes = ?, detail = ?, manifest_sha256 = ?, finished_utc = ? "
        "WHERE id = ? AND state = 'running'",
        (state, files, size_bytes, detail, manifest_sha256, utc_now(), copy_id),
    )
    if cursor.rowcount:
        row = connection.execute("SELECT tow_id, asked_by FROM raw_copies WHERE id = ?", (copy_id,)).fetchone()
        about = {"copy_id": copy_id, "state": state, "files": files, "size_bytes": size_bytes, "manifest_sha256": manifest_sha256}
        audit.append(connection, row["asked_by"], "raw_copy_end", f"tow/{row['tow_id']}", {**about, "detail": detail})


def interrupt_copies(connection: Connection) -> int:
    """At the start: what was being copied when the appliance ended is not going on. Returns how many those were."""
    cursor = connection.execute(
        "UPDATE raw_copies SET state = 'failed', detail = ?, finished_utc = ? WHERE state = 'running'",
        ("the appliance ended meanwhile; ask for it again and it goes on", utc_now()),
    )
    return int(cursor.rowcount)
