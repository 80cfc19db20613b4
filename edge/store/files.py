"""Files and their contents: roots, folders, sightings and images.

A sighting is a name under which a content was seen; an image is the content, known by its SHA-256. Functions that
write take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from edge.errors import Reason
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection, Row
from edge.values import CaptureTime

Intake = Literal["in_place", "copy"]

# Failures of the reading, not of the content: the file is taken again by itself when it is there again.
REASONS_OF_ABSENCE = (Reason.VANISHED, Reason.CHANGED_WHILE_READ, Reason.UNREADABLE_FILE)

PRIORITY_INGEST = 10
PRIORITY_REPROCESS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A watched folder. `path_bytes` is the file system's own name."""

    root_id: int
    path_bytes: bytes
    recipe: str
    intake: Intake

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(os.fsdecode(self.path_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """What the store knows of a name that is not yet overwritten."""

    sighting_id: int
    name_bytes: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    image_id: int | None
    state: str
    reason: str | None
    original: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file as the inventory saw it, whole and settled, or with the reason why not.

    `capture_time` is what its name says, if it says one.
    """

    folder_id: int
    recipe: str
    folder_path_bytes: bytes
    name_bytes: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    capture_time: CaptureTime | None = None


class _CurrentRow(NamedTuple):
    """The row of a name that is not yet overwritten."""

    sighting_id: int
    image_id: int | None
    size_bytes: int
    mtime_ns: int


def shown(raw: bytes) -> str:
    r"""A file system name as text: undecodable bytes as `\xNN`, everything else as it is."""
    return raw.decode("utf-8", errors="backslashreplace")


def add_root(connection: Connection, path: Path, recipe: str, intake: Intake) -> Root:
    """The root of this path, made if it is new; its recipe and intake follow the settings."""
    raw = os.fsencode(path)
    connection.execute(
        "INSERT INTO roots (path, path_bytes, recipe, intake, added_utc) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (path_bytes) DO UPDATE SET recipe = excluded.recipe, intake = excluded.intake "
        "WHERE recipe <> excluded.recipe OR intake <> excluded.intake",
        (shown(raw), raw, recipe, intake, utc_now()),
    )
    row = connection.execute("SELECT id FROM roots WHERE path_bytes = ?", (raw,)).fetchone()
    return Root(root_id=row["id"], path_bytes=raw, recipe=recipe, intake=intake)


def list_roots(connection: Connection) -> list[Root]:
    """All roots that were ever watched."""
    rows = connection.execute("SELECT id, path_bytes, recipe, intake FROM roots ORDER BY id")
    return [Root(root_id=row["id"], path_bytes=row["path_bytes"], recipe=row["recipe"], intake=row["intake"]) for row in rows]


def add_folder(connection: Connection, root_id: int, relative: bytes) -> int:
    """The id of a folder below a root, made if it is new. Ids grow in the order in which folders are first seen."""
    connection.execute(
        "INSERT INTO folders (root_id, relative_path, relative_path_bytes, first_seen_utc) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (root_id, relative_path_bytes) DO NOTHING",
        (root_id, shown(relative), relative, utc_now()),
    )
    row = connection.execute("SELECT id FROM folders WHERE root_id = ? AND relative_path_bytes = ?", (root_id, relative)).fetchone()
    return int(row["id"])


def known_folders(connection: Connection, root_id: int) -> dict[bytes, int]:
    """Relative path to id of every folder of a root."""
    rows = connection.execute("SELECT id, relative_path_bytes FROM folders WHERE root_id = ?", (root_id,))
    return {bytes(row["relative_path_bytes"]): row["id"] for row in rows}


_KNOWN = "SELECT id, name_bytes, size_bytes, mtime_ns, inode, image_id, state, reason, original FROM sightings WHERE original <> 'changed'"


def known_files(connection: Connection, folder_id: int, *, after: bytes = b"", limit: int = -1) -> dict[bytes, KnownFile]:
    """What is known of the names in a folder, in their order: up to `limit` of those behind `after`, or all."""
    query = f"{_KNOWN} AND folder_id = ? AND name_bytes > ? ORDER BY name_bytes LIMIT ?"
    return {known.name_bytes: known for known in map(_known, connection.execute(query, (folder_id, after, limit)))}


def known_file(connection: Connection, folder_id: int, name: bytes) -> KnownFile | None:
    """What is known of one name in a folder."""
    row = connection.execute(f"{_KNOWN} AND folder_id = ? AND name_bytes = ?", (folder_id, name)).fetchone()
    return None if row is None else _known(row)


def present_count(connection: Connection, root_id: int) -> int:
    """How many names under a root are believed to be there; counting stops at one, so 0 or 1."""
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM folders AS f JOIN sightings AS s ON s.folder_id = f.id "
        "WHERE f.root_id = ? AND s.original = 'present' LIMIT 1)",
        (root_id,),
    ).fetchone()
    return int(row[0])


def is_any_present(connection: Connection, folder_id: int) -> bool:
    """Whether a name in a folder is believed to be there."""
    query = "SELECT 1 FROM sightings WHERE folder_id = ? AND original = 'present' LIMIT 1"
    return connection.execute(query, (folder_id,)).fetchone() is not None


def store_file(connection: Connection, seen: SeenFile, *, sha256: str, copy_path: str | None) -> bool:
    """Give a settled file its content's identity and queue that content once.

    Returns:
        True if the content was new to this recipe (a job was queued), False if it is a sighting of known bytes.
    """
    image_id = _image_id(connection, seen, sha256, copy_path)
    note_capture_time(connection, image_id, seen.capture_time)
    current = _current_row(connection, seen)
    if current is None:
        sighting_id = _insert_sighting(connection, seen, image_id=image_id, state="queued", reason=None, detail=None)
    elif current.image_id in (None, image_id):
        sighting_id = current.sighting_id
        _refresh(connection, sighting_id, seen, image_id)
    else:
        _mark_changed(connection, current.sighting_id)
        sighting_id = _insert_sighting(connection, seen, image_id=image_id, state="queued", reason=None, detail=None)
        _link_replaced(connection, current, sighting_id, seen.recipe)
    return _queue_once(connection, image_id, seen, sighting_id)


def note_capture_time(connection: Connection, image_id: int, capture_time: CaptureTime | None) -> None:
    """Keep the first capture time that is known of a content: another of its names may say what the first did not."""
    if capture_time is not None:
        connection.execute(
            "UPDATE images SET capture_time_utc = ?, capture_time_local = ?, capture_time_source = ? "
            "WHERE id = ? AND capture_time_source IS NULL",
            (capture_time.utc, capture_time.local, capture_time.source, image_id),
        )


def fail_file(connection: Connection, seen: SeenFile, *, reason: Reason, detail: str, waiting: bool) -> None:
    """List a file that has no content yet: `seen` while it may still come whole, else `quarantined`.

    A file whose content is known, and whose size and time are still the same, only cannot be read for now: it stays as it is.
    """
    state = "seen" if waiting else "quarantined"
    current = _current_row(connection, seen)
    if current is not None and current.image_id is None:
        connection.execute(
            "UPDATE sightings SET state = ?, reason = ?, detail = ?, size_bytes = ?, mtime_ns = ?, inode = ? WHERE id = ?",
            (state, reason, detail, seen.size_bytes, seen.mtime_ns, seen.inode, current.sighting_id),
        )
        return
    if current is None:
        _insert_sighting(connection, seen, image_id=None, state=state, reason=reason, detail=detail)
        return
    if (current.size_bytes, current.mtime_ns) == (seen.size_bytes, seen.mtime_ns):
        return
    _mark_changed(connection, current.sighting_id)
    sighting_id = _insert_sighting(connection, seen, image_id=None, state=state, reason=reason, detail=detail)
    _link_replaced(connection, current, sighting_id, seen.recipe)


def mark_gone(connection: Connection, sighting_ids: list[int]) -> None:
    """The originals are no longer there; results stay. A name that never had a result is forgotten with a reason."""
    now = utc_now()
    connection.executemany(
        "UPDATE sightings SET original = 'gone', original_utc = ? WHERE id = ? AND original = 'present'",
        [(now, sighting_id) for sighting_id in sighting_ids],
    )
    connection.executemany(
        "UPDATE sightings SET state = 'quarantined', reason = ?, detail = 'the file was gone before it was whole' "
        "WHERE id = ? AND state = 'seen'",
        [(Reason.VANISHED, sighting_id) for sighting_id in sighting_ids],
    )
    for sighting_id in sighting_ids:
        _requeue_elsewhere(connection, sighting_id)


def mark_present(connection: Connection, sighting_ids: list[int]) -> None:
    """Originals that are there again, unchanged; what failed only for their absence is queued again."""
    now = utc_now()
    for sighting_id in sighting_ids:
        connection.execute("UPDATE sightings SET original = 'present', original_utc = ? WHERE id = ?", (now, sighting_id))
        requeue_absent(connection, sighting_id)


def requeue_absent(connection: Connection, sighting_id: int) -> None:
    """Queue again the job of a sighting that was quarantined only because its file was not there."""
    marks = ",".join("?" * len(REASONS_OF_ABSENCE))
    connection.execute(
        "UPDATE jobs SET state = 'queued', reason = NULL, detail = NULL, attempts = 0, finished_utc = NULL "
        f"WHERE state = 'quarantined' AND kind = 'ingest' AND reason IN ({marks}) "
        "AND (image_id, recipe) = (SELECT image_id, recipe FROM sightings WHERE id = ?)",
        (*REASONS_OF_ABSENCE, sighting_id),
    )


def _requeue_elsewhere(connection: Connection, sighting_id: int) -> None:
    """A content that failed for its absence under this name is queued again if it is there under another."""
    elsewhere = connection.execute(
        "SELECT o.id FROM sightings AS s JOIN sightings AS o ON o.image_id = s.image_id AND o.recipe = s.recipe "
        "WHERE s.id = ? AND o.original = 'present' LIMIT 1",
        (sighting_id,),
    ).fetchone()
    if elsewhere is not None:
        requeue_absent(connection, elsewhere["id"])


def _known(row: Row) -> KnownFile:
    return KnownFile(
        sighting_id=row[0],
        name_bytes=bytes(row[1]),
        size_bytes=row[2],
        mtime_ns=row[3],
        inode=row[4],
        image_id=row[5],
        state=row[6],
        reason=row[7],
        original=row[8],
    )


def _image_id(connection: Connection, seen: SeenFile, sha256: str, copy_path: str | None) -> int:
    connection.execute(
        "INSERT INTO images (uuid, sha256, size_bytes, copy_path, stored_utc) VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
        (uuid7(), sha256, seen.size_bytes, copy_path, utc_now()),
    )
    row = connection.execute("SELECT id, copy_path FROM images WHERE sha256 = ?", (sha256,)).fetchone()
    if copy_path is not None and row["copy_path"] is None:
        connection.execute("UPDATE images SET copy_path = ? WHERE id = ?", (copy_path, row["id"]))
    return int(row["id"])


def _current_row(connection: Connection, seen: SeenFile) -> _CurrentRow | None:
    row = connection.execute(
        "SELECT id, image_id, size_bytes, mtime_ns FROM sightings WHERE folder_id = ? AND name_bytes = ? AND original <> 'changed'",
        (seen.folder_id, seen.name_bytes),
    ).fetchone()
    return None if row is None else _CurrentRow(*row)


def _refresh(connection: Connection, sighting_id: int, seen: SeenFile, image_id: int) -> None:
    connection.execute(
        "UPDATE sightings SET image_id = ?, size_bytes = ?, mtime_ns = ?, inode = ?, original = 'present', settled_utc = ? WHERE id = ?",
        (image_id, seen.size_bytes, seen.mtime_ns, seen.inode, utc_now(), sighting_id),
    )


def _mark_changed(connection: Connection, sighting_id: int) -> None:
    connection.execute("UPDATE sightings SET original = 'changed', original_utc = ? WHERE id = ?", (utc_now(), sighting_id))


def _link_replaced(connection: Connection, old: _CurrentRow, new_id: int, recipe: str) -> None:
    connection.execute("UPDATE sightings SET replaced_by_id = ? WHERE id = ?", (new_id, old.sighting_id))
    if old.image_id is not None:
        _abandon_unread(connection, old.image_id, recipe)
        _requeue_elsewhere(connection, old.sighting_id)


def _insert_sighting(
    connection: Connection, seen: SeenFile, *, image_id: int | None, state: str, reason: Reason | None, detail: str | None
) -> int:
    now = utc_now()
    cursor = connection.execute(
        "INSERT INTO sightings (folder_id, recipe, path, name, name_bytes, size_bytes, mtime_ns, inode, image_id, state, reason, detail, "
        "first_seen_utc, settled_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            seen.folder_id,
            seen.recipe,
            shown(os.path.join(seen.folder_path_bytes, seen.name_bytes)),
            shown(seen.name_bytes),
            seen.name_bytes,
            seen.size_bytes,
            seen.mtime_ns,
            seen.inode,
            image_id,
            state,
            reason,
            detail,
            now,
            None if image_id is None else now,
        ),
    )
    return int(cursor.lastrowid or 0)


def _queue_once(connection: Connection, image_id: int, seen: SeenFile, sighting_id: int) -> bool:
    job = connection.execute(
        "SELECT state, reason, detail FROM jobs WHERE image_id = ? AND recipe = ? AND kind = 'ingest'", (image_id, seen.recipe)
    ).fetchone()
    if job is None:
        connection.execute("UPDATE sightings SET state = 'queued', reason = NULL, detail = NULL WHERE id = ?", (sighting_id,))
        connection.execute(
            "INSERT INTO jobs (image_id, recipe, kind, folder_id, state, priority, queued_utc) VALUES (?, ?, 'ingest', ?, 'queued', ?, ?)",
            (image_id, seen.recipe, seen.folder_id, PRIORITY_INGEST, utc_now()),
        )
        return True
    connection.execute(
        "UPDATE sightings SET state = ?, reason = ?, detail = ? WHERE id = ?", (job["state"], job["reason"], job["detail"], sighting_id)
    )
    requeue_absent(connection, sighting_id)
    _queue_where_it_can_be_read(connection, image_id, seen)
    return False


def _queue_where_it_can_be_read(connection: Connection, image_id: int, seen: SeenFile) -> None:
    """A content that waits for a medium that is out, and is here under another name, need not wait any longer."""
    connection.execute(
        "UPDATE jobs SET folder_id = ? WHERE image_id = ? AND recipe = ? AND state = 'queued' "
        "AND (SELECT away_utc FROM folders WHERE id = jobs.folder_id) IS NOT NULL",
        (seen.folder_id, image_id, seen.recipe),
    )


def _abandon_unread(connection: Connection, image_id: int, recipe: str) -> None:
    """An overwritten content that was still waiting, and is nowhere else, can never be read: list it as such."""
    connection.execute(
        "UPDATE jobs SET state = 'quarantined', reason = ?, detail = 'overwritten before it was processed', finished_utc = ? "
        "WHERE image_id = ? AND recipe = ? AND state = 'queued' AND NOT EXISTS "
        "(SELECT 1 FROM sightings WHERE image_id = jobs.image_id AND recipe = jobs.recipe AND original = 'present') "
        "AND NOT EXISTS (SELECT 1 FROM images WHERE id = jobs.image_id AND copy_path IS NOT NULL)",
        (Reason.CHANGED_WHILE_READ, utc_now(), image_id, recipe),
    )
