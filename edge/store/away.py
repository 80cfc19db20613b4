"""Folders that cannot be looked at for now: their medium is out, their share does not answer, or they may not be read.

Files in them are neither gone nor failed. Their jobs stay queued and are not leased until the folder was looked at again.
Folders that are a mount are remembered, so that the empty folder which a medium leaves behind is known for what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.store.clock import utc_now
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlace:
    """Where a folder is: its root, its path in there, and which folders of that root are known to be mounts."""

    root_path_bytes: bytes
    relative_path_bytes: bytes
    mounts: frozenset[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayRoot:
    """How much waits below a root because folders of it are away. `folder` is the first of them, below the root."""

    path: str
    folder: str
    folders: int
    files: int


def mark_away(connection: Connection, folder_ids: Iterable[int]) -> None:
    """These folders cannot be looked at. Those of a root in `copy` mode never hold up work: what was taken is in the home."""
    now = utc_now()
    connection.executemany(
        "UPDATE folders SET away_utc = ? WHERE id = ? AND away_utc IS NULL "
        "AND (SELECT intake FROM roots WHERE id = folders.root_id) = 'in_place'",
        [(now, folder_id) for folder_id in folder_ids],
    )


def mark_reachable(connection: Connection, folder_ids: Iterable[int]) -> None:
    """These folders were looked at, or are certainly no longer there: nothing waits for them."""
    connection.executemany("UPDATE folders SET away_utc = NULL WHERE id = ?", [(folder_id,) for folder_id in folder_ids])


def forget_all(connection: Connection) -> None:
    """At a start nothing is held to be away before it was looked at."""
    connection.execute("UPDATE folders SET away_utc = NULL WHERE away_utc IS NOT NULL")


def away_folders(connection: Connection, root_id: int) -> set[bytes]:
    """The folders of a root that are away, relative to it."""
    rows = connection.execute("SELECT relative_path_bytes FROM folders WHERE root_id = ? AND away_utc IS NOT NULL", (root_id,))
    return {bytes(row[0]) for row in rows}


def is_any_away(connection: Connection) -> bool:
    """Whether any folder is away."""
    return connection.execute("SELECT 1 FROM folders WHERE away_utc IS NOT NULL LIMIT 1").fetchone() is not None


def is_folder_away(connection: Connection, folder_id: int) -> bool:
    """Whether this folder is away."""
    return connection.execute("SELECT 1 FROM folders WHERE id = ? AND away_utc IS NOT NULL", (folder_id,)).fetchone() is not None


def note_mount(connection: Connection, folder_id: int, *, is_mount: bool) -> None:
    """Remember whether a medium of its own is mounted at a folder."""
    connection.execute("UPDATE folders SET is_mount = ? WHERE id = ?", (int(is_mount), folder_id))


def known_mounts(connection: Connection, root_id: int) -> set[bytes]:
    """The folders of a root, relative to it, at which something was mounted when they were last looked at."""
    rows = connection.execute("SELECT relative_path_bytes FROM folders WHERE root_id = ? AND is_mount = 1", (root_id,))
    return {bytes(row[0]) for row in rows}


def place_of(connection: Connection, folder_id: int) -> FolderPlace:
    """Where a folder is."""
    row = connection.execute(
        "SELECT r.id, r.path_bytes, f.relative_path_bytes FROM folders AS f JOIN roots AS r ON r.id = f.root_id WHERE f.id = ?",
        (folder_id,),
    ).fetchone()
    return FolderPlace(root_path_bytes=bytes(row[1]), relative_path_bytes=bytes(row[2]), mounts=frozenset(known_mounts(connection, row[0])))


def away_roots(connection: Connection) -> tuple[AwayRoot, ...]:
    """What waits for folders that are away, by root."""
    rows = connection.execute(
        "SELECT r.path, min(f.relative_path) AS folder, count(*) AS folders, sum((SELECT count(*) FROM jobs AS j "
        "WHERE j.folder_id = f.id AND j.state = 'queued')) AS files "
        "FROM folders AS f JOIN roots AS r ON r.id = f.root_id WHERE f.away_utc IS NOT NULL GROUP BY r.id ORDER BY r.path"
    )
    return tuple(AwayRoot(path=row["path"], folder=row["folder"], folders=row["folders"], files=row["files"]) for row in rows)
