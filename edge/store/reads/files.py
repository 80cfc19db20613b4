"""Files as they were seen: lists by filter, one file, its neighbours, and where its bytes lie."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection

WINDOW_FILES = 10_000  # how many files one call looks at when no index serves the filter


class FileState(StrEnum):
    """Where a file is on its way to a result."""

    SEEN = "seen"
    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    QUARANTINED = "quarantined"


class Original(StrEnum):
    """What became of the original after it was seen."""

    PRESENT = "present"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files to list; None means any.

    Attributes:
        text: part of the path, letters A to Z in either case.
        reason: code of the reason, or "any" for files with one.
    """

    state: FileState | None = None
    recipe: str | None = None
    folder_id: int | None = None
    text: str | None = None
    original: Original | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file: one name under which a content was seen, with its current result if it has one.

    `score_threshold` and the counts are None until a result exists; 0 means looked and found nothing. `is_sealed`: the counts are
    None because they are sealed until the counts of `sealed_station` are signed or, where
    that is None, until the file has come to a station.
    """

    file_id: int
    path: str
    name: str
    recipe: str
    folder_id: int
    folder: str
    state: FileState
    reason: str | None
    detail: str | None
    original: Original
    original_utc: str | None
    size_bytes: int
    sha256: str | None
    format: str | None
    width_px: int | None
    height_px: int | None
    bits_per_channel: int | None
    channels: int | None
    capture_time_utc: str | None
    capture_time_local: str | None
    capture_time_source: str | None
    run_uuid: str | None
    object_count: int | None
    candidate_count: int | None
    score_threshold: float | None
    first_seen_utc: str
    done_utc: str | None
    replaced_by_id: int | None
    is_sealed: bool
    sealed_station: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePage:
    """Files, newest first.

    Attributes:
        next_after: give it as `after` to go on; None when there is nothing older. A page may hold fewer files than
            its limit, even none, and still have a `next_after`: the search went through `looked_at` files so far.
        looked_at: how many files this call searched at most, or None if an index served the whole filter.
    """

    files: tuple[FileRow, ...]
    next_after: int | None
    looked_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Files before and after one, inside a filter; None at an end."""

    newer_id: int | None
    older_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAt:
    """Where the bytes of a file lie, and what they must be. `copy_path` is our own copy, if one was taken."""

    root_path_bytes: bytes
    relative_path_bytes: bytes
    name_bytes: bytes
    size_bytes: int
    mtime_ns: int
    original: Original
    copy_path: str | None
    image_size_bytes: int | None
    sha256: str | None
    format: str | None
    width_px: int | None
    height_px: int | None
    state: FileState
    reason: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRow:
    """A folder that holds files."""

    folder_id: int
    path: str
    recipe: str


_ROW = """
    SELECT s.id AS file_id, s.path, s.name, s.recipe, s.folder_id, f.relative_path AS folder, s.state, s.reason, s.detail,
           s.original, s.original_utc, s.size_bytes, i.sha256, i.format, i.width_px, i.height_px, i.bits_per_channel, i.channels,
           i.capture_time_utc, i.capture_time_local, i.capture_time_source, r.uuid AS run_uuid, r.object_count,
           r.candidate_count, r.score_threshold, s.first_seen_utc, r.finished_utc AS done_utc, s.replaced_by_id,
           r.id IS NOT NULL AND r.object_count IS NULL AS is_sealed,
           (SELECT st.name FROM sealed_runs AS z JOIN tows AS w ON w.id = z.tow_id JOIN stations AS st ON st.id = w.station_id
            WHERE z.run_id = r.id) AS sealed_station
    FROM sightings AS s
    JOIN folders AS f ON f.id = s.folder_id
    LEFT JOIN images AS i ON i.id = s.image_id
    LEFT JOIN runs AS r ON r.image_id = s.image_id AND r.recipe = s.recipe AND r.is_current = 1
"""


def list_files(connection: Connection, which: FileFilter, *, limit: int, after: int | None = None) -> FilePage:
    """Up to `limit` files that pass the filter, newest first, older than the file `after`."""
    cursor = after if after is not None else _MAX_ID
    floor, looked_at = _window(connection, which, cursor, newer=False)
    ids = _matching_ids(connection, which, cursor, floor, limit=limit + 1, newer=False)
    if len(ids) > limit:
        next_after: int | None = ids[limit - 1]
    else:
        next_after = floor
    return FilePage(files=files_by_id(connection, ids[:limit]), next_after=next_after, looked_at=looked_at)


def files_by_id(connection: Connection, file_ids: list[int]) -> tuple[FileRow, ...]:
    """These files, newest first; ids that do not exist are left out."""
    sql = _ROW + "WHERE s.id IN (SELECT value FROM json_each(?)) ORDER BY s.id DESC"
    return as_values(FileRow, connection.execute(sql, (json.dumps(file_ids),)))


def get_file(connection: Connection, file_id: int) -> FileRow | None:
    """One file, or None if there is no such id."""
    row = connection.execute(_ROW + "WHERE s.id = ?", (file_id,)).fetchone()
    return None if row is None else as_value(FileRow, row)


def sightings_of(connection: Connection, sha256: str, *, limit: int = 100) -> tuple[FileRow, ...]:
    """Every name under which these bytes were seen, newest first."""
    ids = connection.execute(
        "SELECT s.id FROM images AS i JOIN sightings AS s ON s.image_id = i.id WHERE i.sha256 = ? ORDER BY s.id DESC LIMIT ?",
        (sha256, limit),
    )
    return files_by_id(connection, [row["id"] for row in ids])


def neighbours(connection: Connection, which: FileFilter, file_id: int) -> Neighbours:
    """The next newer and next older file that pass the filter, as far as one search looks."""
    found: list[int | None] = []
    for newer in (True, False):
        end, _ = _window(connection, which, file_id, newer=newer)
        ids = _matching_ids(connection, which, file_id, end, limit=1, newer=newer)
        found.append(ids[0] if ids else None)
    return Neighbours(newer_id=found[0], older_id=found[1])


def stored_at(connection: Connection, file_id: int) -> StoredAt | None:
    """Where the bytes of a file lie, or None if there is no such id."""
    row = connection.execute(
        "SELECT r.path_bytes AS root_path_bytes, f.relative_path_bytes, s.name_bytes, s.size_bytes, s.mtime_ns, s.original, i.copy_path, "
        "i.size_bytes AS image_size_bytes, i.sha256, i.format, i.width_px, i.height_px, s.state, s.reason, s.detail FROM sightings AS s "
        "JOIN folders AS f ON f.id = s.folder_id JOIN roots AS r ON r.id = f.root_id LEFT JOIN images AS i ON i.id = s.image_id "
        "WHERE s.id = ?",
        (file_id,),
    ).fetchone()
    return None if row is None else as_value(StoredAt, row)


def recent_folders(connection: Connection, *, limit: int = 200) -> tuple[FolderRow, ...]:
    """The folders that were seen last, newest first."""
    rows = connection.execute(
        "SELECT f.id AS folder_id, CASE f.relative_path WHEN '' THEN r.path ELSE f.relative_path END AS path, r.recipe "
        "FROM folders AS f JOIN roots AS r ON r.id = f.root_id ORDER BY f.id DESC LIMIT ?",
        (limit,),
    )
    return as_values(FolderRow, rows)


def file_id_of_path(connection: Connection, path: str) -> int | None:
    r"""The newest file with this path, as pages and exports show it (bytes that are no UTF-8 as `\xNN`), or None."""
    for raw in dict.fromkeys((os.fsencode(path), _unshown(path))):
        for root in connection.execute("SELECT id, path_bytes FROM roots").fetchall():
            prefix = root["path_bytes"].rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
            if not raw.startswith(prefix):
                continue
            relative, _, name = raw[len(prefix) :].rpartition(os.fsencode(os.sep))
            row = connection.execute(
                "SELECT s.id FROM folders AS f JOIN sightings AS s ON s.folder_id = f.id WHERE f.root_id = ? "
                "AND f.relative_path_bytes = ? AND s.name_bytes = ? AND s.original <> 'changed'",
                (root["id"], relative, name),
            ).fetchone()
            if row is not None:
                return int(row["id"])
    return None


_MAX_ID = 1 << 62


def _unshown(path: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), os.fsencode(path))


def _terms(which: FileFilter) -> tuple[list[str], list[str]]:
    """SQL terms of a filter: one list per index walk that serves it (the walks are merged), and what is left to test."""
    if which.folder_id is not None:
        walks = ["s.folder_id = :folder_id"]
        tests = ["+s.state = :state"] if which.state else []
        tests += ["+s.recipe = :recipe"] if which.recipe else []
        tests += ["+s.original = :original"] if which.original in (Original.GONE, Original.CHANGED) else []
    elif which.original in (Original.GONE, Original.CHANGED):
        walks = ["s.original = :original AND s.original <> 'present'"]
        tests = ["+s.state = :state"] if which.state else []
        tests += ["+s.recipe = :recipe"] if which.recipe else []
    elif which.recipe:
        states = [which.state] if which.state else list(FileState)
        walks = [f"s.recipe = :recipe AND s.state = '{state.value}'" for state in states]
        tests = []
    elif which.state is FileState.QUARANTINED and which.reason not in {None, "any"}:
        walks = ["s.state = 'quarantined' AND s.reason = :reason"]
        tests = []
    else:
        walks = ["s.state = :state"] if which.state else ["1"]
        tests = []
    if which.original is Original.PRESENT:
        tests.append("+s.original = 'present'")
    if which.reason and "s.reason" not in walks[0]:
        tests.append("s.reason IS NOT NULL" if which.reason == "any" else "s.reason = :reason")
    if which.text:
        tests.append("s.path LIKE :text ESCAPE '\\'")
    return walks, tests


def _values(which: FileFilter) -> dict[str, Any]:
    escaped = re.sub(r"([%_\\])", r"\\\1", which.text or "")
    return {
        "state": which.state,
        "recipe": which.recipe,
        "folder_id": which.folder_id,
        "original": which.original,
        "reason": which.reason,
        "text": f"%{escaped}%",
    }


def _merged(walks: list[str], tests: list[str], *, newer: bool, until: bool) -> str:
    """One SELECT of ids in order: SQLite merges the walks, each along its index."""
    bounds = ["s.id > :cursor" if newer else "s.id < :cursor"]
    if until:
        bounds.append("s.id <= :end" if newer else "s.id >= :end")
    arms = [f"SELECT s.id AS id FROM sightings AS s WHERE {' AND '.join([walk, *bounds, *tests])}" for walk in walks]
    return f"{' UNION ALL '.join(arms)} ORDER BY id {'ASC' if newer else 'DESC'} LIMIT :limit"


def _window(connection: Connection, which: FileFilter, cursor: int, *, newer: bool) -> tuple[int | None, int | None]:
    """How far this call may look: the last id of the window, and how many files that is.

    (None, None) if an index serves the whole filter; (None, n) if the last n files fit in the window.
    """
    walks, tests = _terms(which)
    if not tests:
        return None, None
    edge = "max" if newer else "min"
    sql = f"SELECT count(*), {edge}(id) FROM ({_merged(walks, [], newer=newer, until=False)})"
    looked_at, end = connection.execute(sql, {**_values(which), "cursor": cursor, "limit": WINDOW_FILES}).fetchone()
    return (end if looked_at == WINDOW_FILES else None), looked_at


def _matching_ids(connection: Connection, which: FileFilter, cursor: int, end: int | None, *, limit: int, newer: bool) -> list[int]:
    walks, tests = _terms(which)
    sql = _merged(walks, tests, newer=newer, until=end is not None)
    values = {**_values(which), "cursor": cursor, "end": end, "limit": limit}
    return [row["id"] for row in connection.execute(sql, values)]
