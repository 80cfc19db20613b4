"""The durable queue: lease, finish, fail, retry.

    queued -> leased -> done
                     -> queued        (the worker died, or the lease's owner is gone)
                     -> quarantined   (the file cannot be read, or it was tried too often)

A job with attempts was in the hands of a worker that died: it is leased alone, so that the guilty file is known.
A job whose folder is away (see `edge.store.away`) is not leased before that folder was looked at again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.errors import Reason
from edge.store.away import is_any_away, is_folder_away, mark_away
from edge.store.clock import utc_now
from edge.store.files import PRIORITY_REPROCESS
from edge.store.sqlite import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A leased piece of work.

    `path` is where the bytes are: an original in the folder `folder_id`, or our own copy, which is in none.
    """

    job_id: int
    image_id: int
    sha256: str
    path: Path | None
    folder_id: int | None
    name: str
    attempts: int


_LEASE = """
    SELECT j.id, j.image_id, j.attempts, i.sha256, i.copy_path, r.path_bytes, f.id AS folder_id, f.relative_path_bytes, s.name_bytes, s.name
    FROM jobs AS j
    JOIN images AS i ON i.id = j.image_id
    LEFT JOIN sightings AS s ON s.id = (
        SELECT o.id FROM sightings AS o JOIN folders AS p ON p.id = o.folder_id
        WHERE o.image_id = j.image_id AND o.recipe = j.recipe
        ORDER BY o.original = 'present' DESC, p.away_utc IS NULL DESC, o.id DESC LIMIT 1)
    LEFT JOIN folders AS f ON f.id = s.folder_id
    LEFT JOIN roots AS r ON r.id = f.root_id
    WHERE j.recipe = :recipe AND j.state = 'queued' AND {chosen}
    ORDER BY j.priority, j.folder_id DESC, j.id
    LIMIT :limit
"""
_UNTRIED, _SUSPECT = "j.attempts = 0", "j.attempts > 0"


def lease_jobs(connection: Connection, recipe: str, *, owner: str, limit: int) -> list[Job]:
    """Take up to `limit` untried jobs, newest station first."""
    return _lease(connection, recipe, owner=owner, limit=limit, chosen=_UNTRIED)


def lease_suspect(connection: Connection, recipe: str, *, owner: str) -> list[Job]:
    """Take one job that was in the hands of a worker that died, or none."""
    return _lease(connection, recipe, owner=owner, limit=1, chosen=_SUSPECT)


def _lease(connection: Connection, recipe: str, *, owner: str, limit: int, chosen: str) -> list[Job]:
    rows: list[Row] = []
    if is_any_away(connection):
        in_folder = _LEASE.format(chosen=f"{chosen} AND j.priority = :priority AND j.folder_id = :folder_id")
        for priority, folder_id in _reachable_folders(connection, recipe, chosen):
            values = {"recipe": recipe, "limit": limit - len(rows), "priority": priority, "folder_id": folder_id}
            rows += connection.execute(in_folder, values).fetchall()
            if len(rows) == limit:
                break
    else:
        rows = connection.execute(_LEASE.format(chosen=chosen), {"recipe": recipe, "limit": limit}).fetchall()
    now = utc_now()
    connection.executemany(
        "UPDATE jobs SET state = 'leased', lease_owner = ?, leased_utc = ? WHERE id = ?", [(owner, now, row["id"]) for row in rows]
    )
    return [_job(row) for row in rows]


def _reachable_folders(connection: Connection, recipe: str, chosen: str) -> Iterator[tuple[int, int]]:
    """Priority and folder of what waits and can be read, in the order of the queue: one step of the index for each folder."""
    first = f"SELECT j.priority, j.folder_id FROM jobs AS j WHERE j.recipe = ? AND j.state = 'queued' AND {chosen} {{behind}} "
    first += "ORDER BY j.priority, j.folder_id DESC LIMIT 1"
    found = connection.execute(first.format(behind=""), (recipe,)).fetchone()
    while found is not None:
        priority, folder_id = found
        if not is_folder_away(connection, folder_id):
            yield priority, folder_id
        found = connection.execute(first.format(behind="AND j.priority = ? AND j.folder_id < ?"), (recipe, priority, folder_id)).fetchone()
        if found is None:
            found = connection.execute(first.format(behind="AND j.priority > ?"), (recipe, priority)).fetchone()


def _job(row: Row) -> Job:
    if row["copy_path"] is not None:
        path: Path | None = Path(row["copy_path"])
    elif row["name_bytes"] is not None:
        path = Path(os.fsdecode(os.path.join(row["path_bytes"], row["relative_path_bytes"], row["name_bytes"])))
    else:
        path = None
    name = row["name"] or (path.name if path else row["sha256"])
    return Job(
        job_id=row["id"],
        image_id=row["image_id"],
        sha256=row["sha256"],
        path=path,
        folder_id=None if row["copy_path"] is not None else row["folder_id"],
        name=name,
        attempts=row["attempts"],
    )


def release_jobs(connection: Connection, job_ids: list[int]) -> None:
    """Give leases back that were never begun."""
    connection.executemany(
        "UPDATE jobs SET state = 'queued', lease_owner = NULL, leased_utc = NULL WHERE id = ? AND state = 'leased'",
        [(job_id,) for job_id in job_ids],
    )


def put_aside(connection: Connection, job_id: int, *, folder_id: int) -> None:
    """The folder that holds this job's file turned out to be away: the job waits for it."""
    mark_away(connection, [folder_id])
    connection.execute(
        "UPDATE jobs SET state = 'queued', folder_id = ?, lease_owner = NULL, leased_utc = NULL WHERE id = ? AND state = 'leased'",
        (folder_id, job_id),
    )


def suspect_job(connection: Connection, job_id: int, *, max_attempts: int, reason: Reason, detail: str) -> bool:
    """The worker failed in the middle of this job: queue it again, to run alone, or quarantine it.

    Returns:
        True if it is now quarantined.
    """
    row = connection.execute("SELECT attempts FROM jobs WHERE id = ? AND state = 'leased'", (job_id,)).fetchone()
    if row is None:
        return False
    if row["attempts"] + 1 >= max_attempts:
        connection.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?", (job_id,))
        fail_job(connection, job_id, reason=reason, detail=detail)
        return True
    connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = attempts + 1, lease_owner = NULL, leased_utc = NULL WHERE id = ?", (job_id,)
    )
    return False


def fail_job(connection: Connection, job_id: int, *, reason: Reason, detail: str) -> None:
    """Quarantine a job with its reason."""
    connection.execute(
        "UPDATE jobs SET state = 'quarantined', reason = ?, detail = ?, lease_owner = NULL, leased_utc = NULL, finished_utc = ? "
        "WHERE id = ?",
        (reason, detail, utc_now(), job_id),
    )


def reclaim_leases(connection: Connection, *, owner: str, max_attempts: int) -> int:
    """Queue again what a process that is no longer there had leased; returns how many.

    It may have died of one of them, so each counts an attempt and runs alone; but never the last one: only a death
    that was seen quarantines a file.
    """
    cursor = connection.execute(
        "UPDATE jobs SET state = 'queued', lease_owner = NULL, leased_utc = NULL, attempts = min(attempts + 1, ?) "
        "WHERE state = 'leased' AND lease_owner <> ?",
        (max_attempts - 1, owner),
    )
    return cursor.rowcount


def retry_files(connection: Connection, sighting_ids: list[int] | None, *, reason: str | None = None) -> int:
    """Queue quarantined files again: these (all for None), or those of them with one reason. Returns how many were put back.

    A file that never got a content goes back to `seen`: the next look at its folder takes it.
    """
    where, values = _chosen(sighting_ids)
    if reason is not None:
        where, values = f"{where} AND s.reason = ?", (*values, reason)
    names = connection.execute(
        "UPDATE sightings AS s SET state = 'seen', reason = NULL, detail = NULL, mtime_ns = -1 "
        f"WHERE s.state = 'quarantined' AND s.image_id IS NULL AND s.original = 'present' AND {where}",
        values,
    ).rowcount
    jobs = connection.execute(
        "UPDATE jobs SET state = 'queued', attempts = 0, reason = NULL, detail = NULL, finished_utc = NULL "
        "WHERE state = 'quarantined' AND id IN (SELECT j.id FROM jobs AS j JOIN sightings AS s ON s.image_id = j.image_id "
        f"AND s.recipe = j.recipe WHERE j.state = 'quarantined' AND {where}) AND NOT EXISTS (SELECT 1 FROM jobs AS newer "
        "WHERE newer.image_id = jobs.image_id AND newer.recipe = jobs.recipe AND newer.kind = jobs.kind AND newer.id > jobs.id)",
        values,
    ).rowcount
    return jobs + names


def _chosen(sighting_ids: list[int] | None) -> tuple[str, tuple[object, ...]]:
    """A condition on the sightings `s`; ids travel as one JSON value, so that their number has no limit."""
    if sighting_ids is None:
        return "1", ()
    return "s.id IN (SELECT value FROM json_each(?))", (json.dumps(sighting_ids),)


def reprocess(connection: Connection, recipe: str, *, sighting_ids: list[int] | None) -> int:
    """Queue images that have a result once more, behind everything new; returns how many were queued."""
    where, values = _chosen(sighting_ids)
    return connection.execute(
        "INSERT INTO jobs (image_id, recipe, kind, folder_id, state, priority, queued_utc) "
        f"SELECT s.image_id, s.recipe, 'reprocess', min(s.folder_id), 'queued', {PRIORITY_REPROCESS}, ? FROM sightings AS s "
        f"WHERE s.recipe = ? AND s.state = 'done' AND s.image_id IS NOT NULL AND {where} AND NOT EXISTS "
        "(SELECT 1 FROM jobs AS q WHERE q.image_id = s.image_id AND q.recipe = s.recipe AND q.kind = 'reprocess' "
        "AND q.state IN ('queued', 'leased')) GROUP BY s.image_id, s.recipe",
        (utc_now(), recipe, *values),
    ).rowcount


def has_open_jobs(connection: Connection, recipe: str) -> bool:
    """Whether work of a recipe is in a worker's hands, or waits and could be done: what waits for a folder that is away cannot."""
    if connection.execute("SELECT 1 FROM jobs WHERE recipe = ? AND state = 'leased' LIMIT 1", (recipe,)).fetchone() is not None:
        return True
    return next(_reachable_folders(connection, recipe, "1"), None) is not None


def queue_length(connection: Connection, recipe: str) -> int:
    """Jobs of a recipe that wait, reprocessing included."""
    row = connection.execute("SELECT count(*) FROM jobs WHERE recipe = ? AND state = 'queued'", (recipe,)).fetchone()
    return int(row[0])
