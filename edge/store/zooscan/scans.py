"""Projects and scans as they are found: what a scan waits for, its place in the queue, and how it ended.

waiting    lacks files; `lacks` says what
queued     complete; waits for its turn
processing begun; whoever starts the appliance next queues it again, or lists it as failed after too many attempts
done       has a result
failed     has a reason; a person may queue it again
gone       its files were taken away before it had a result
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import Reason
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

Original = Literal["present", "gone", "changed"]

CHANGED_SIGNED = "changed under a signature: withdraw it to process again"
_UNSIGNED = "id NOT IN (SELECT scan_id FROM zooscan_signatures WHERE withdrawn_utc IS NULL)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenScan:
    """A scan as a look at its folder found it.

    Attributes:
        name: of the scan, such as `st66_d1_1`.
        raw_path, raw_bytes, raw_mtime_ns: its 16-bit picture; None while that is not there.
        log, meta: the bytes of its texts; None while they are not there.
        background: name of the pair of empty scans that is taken away; None if there is none that may be.
        background_paths: its two pictures.
        scanned_local: when it was scanned by the scanner's computer, `YYYY-MM-DDTHH:MM`; None if nothing says so.
        lacks: what is missing, in words; empty if it can be processed.
    """

    name: str
    raw_path: str | None = None
    raw_bytes: int | None = None
    raw_mtime_ns: int | None = None
    log: bytes | None = None
    meta: bytes | None = None
    background: str | None = None
    background_paths: tuple[str, ...] = ()
    scanned_local: str | None = None
    lacks: tuple[str, ...] = ()


def put_project(connection: Connection, folder: str, name: str, serial: str | None, *, trouble: str = "") -> int:
    """A project folder that was looked at. Returns its id; `trouble` says why it could not be read."""
    row = connection.execute("SELECT id, trouble FROM zooscan_projects WHERE folder = ?", (folder,)).fetchone()
    if row is None:
        cursor = connection.execute(
            "INSERT INTO zooscan_projects (uuid, folder, name, serial, seen_utc, trouble) VALUES (?, ?, ?, ?, ?, ?)",
            (uuid7(), folder, name, serial, utc_now(), trouble),
        )
        return int(cursor.lastrowid or 0)
    if row["trouble"] != trouble:
        connection.execute("UPDATE zooscan_projects SET trouble = ? WHERE id = ?", (trouble, row["id"]))
    return int(row["id"])


def put_scan(connection: Connection, project_id: int, seen: SeenScan) -> int:
    """Note a scan as it is now: a new one waits or is queued, one that waited is queued when it lacks nothing more. Returns its id.

    What has a result, has failed or is being processed keeps its state; texts that came or changed since hold from now on, since what
    people type is read over them, but for those of a signed scan. A text is never replaced by nothing, and each version of it is kept.
    """
    row = connection.execute("SELECT id, state FROM zooscan_scans WHERE project_id = ? AND name = ?", (project_id, seen.name)).fetchone()
    now, state = utc_now(), "waiting" if seen.lacks else "queued"
    if row is None:
        cursor = connection.execute(
            "INSERT INTO zooscan_scans (uuid, project_id, name, state, seen_utc, changed_utc) VALUES (?, ?, ?, ?, ?, ?)",
            (uuid7(), project_id, seen.name, state, now, now),
        )
        scan_id = int(cursor.lastrowid or 0)
        _keep_texts(connection, scan_id, seen)
    else:
        scan_id = int(row["id"])
        _keep_texts(connection, scan_id, seen)
        if row["state"] in ("waiting", "queued", "gone"):
            connection.execute("UPDATE zooscan_scans SET state = ?1, changed_utc = ?2 WHERE id = ?3 AND state <> ?1", (state, now, scan_id))
        else:
            connection.execute(
                "UPDATE zooscan_scans SET log = coalesce(nullif(?1, x''), log), meta = coalesce(nullif(?2, x''), meta) "
                f"WHERE id = ?3 AND (log, meta) IS NOT (?1, ?2) AND {_UNSIGNED}",
                (seen.log, seen.meta, scan_id),
            )
            return scan_id
    connection.execute(
        "UPDATE zooscan_scans SET raw_path = ?, raw_bytes = ?, raw_mtime_ns = ?, log = coalesce(nullif(?, x''), log), "
        "meta = coalesce(nullif(?, x''), meta), background = ?, background_paths_json = ?, scanned_local = ?, lacks_json = ? WHERE id = ?",
        (
            seen.raw_path,
            seen.raw_bytes,
            seen.raw_mtime_ns,
            seen.log,
            seen.meta,
            seen.background,
            json.dumps(seen.background_paths),
            seen.scanned_local,
            json.dumps(seen.lacks, ensure_ascii=False),
            scan_id,
        ),
    )
    return scan_id


def _keep_texts(connection: Connection, scan_id: int, seen: SeenScan) -> None:
    """Keep each version of a text that a look found; one that follows another is told in the audit trail."""
    for kind, content in (("log", seen.log), ("meta", seen.meta)):
        if not content:
            continue
        digest = hashlib.sha256(content).hexdigest()
        last = connection.execute(
            "SELECT sha256 FROM zooscan_texts WHERE scan_id = ? AND kind = ? ORDER BY id DESC LIMIT 1", (scan_id, kind)
        ).fetchone()
        if last is not None and last["sha256"] == digest:
            continue
        connection.execute(
            "INSERT INTO zooscan_texts (scan_id, kind, sha256, content, seen_utc) VALUES (?, ?, ?, ?, ?)",
            (scan_id, kind, digest, content, utc_now()),
        )
        if last is not None:
            is_signed = connection.execute(
                "SELECT 1 FROM zooscan_signatures WHERE scan_id = ? AND withdrawn_utc IS NULL", (scan_id,)
            ).fetchone()
            detail = {"text": kind, "before": last["sha256"], "now": digest, "holds": is_signed is None}
            audit.append(connection, "appliance", "zooscan_text_changed", f"zooscan_scan/{scan_id}", detail)


def set_gone(connection: Connection, scan_id: int) -> None:
    """The files of a scan were taken away: one without a result is gone, of one with a result the original is."""
    now = utc_now()
    connection.execute(
        "UPDATE zooscan_scans SET state = 'done', changed_utc = ? WHERE id = ? AND state IN ('waiting', 'queued') "
        "AND id IN (SELECT scan_id FROM zooscan_runs WHERE is_current = 1)",
        (now, scan_id),
    )
    connection.execute(
        "UPDATE zooscan_scans SET state = 'gone', changed_utc = ? WHERE id = ? AND state IN ('waiting', 'queued')", (now, scan_id)
    )
    set_original(connection, scan_id, "gone")


def set_original(connection: Connection, scan_id: int, original: Original) -> None:
    """Mark a scan whose picture was deleted or overwritten after it was processed; the result stays."""
    connection.execute(
        "UPDATE zooscan_scans SET original = ?1, original_utc = ?2 WHERE id = ?3 AND original <> ?1 AND state IN ('done', 'failed')",
        (original, utc_now(), scan_id),
    )


def note_raw(connection: Connection, scan_id: int, raw_bytes: int, raw_mtime_ns: int) -> None:
    """The picture has another size or time now and is the one that was processed all the same."""
    connection.execute("UPDATE zooscan_scans SET raw_bytes = ?, raw_mtime_ns = ? WHERE id = ?", (raw_bytes, raw_mtime_ns, scan_id))


def queue_changed(connection: Connection, scan_id: int) -> bool:
    """A scan that failed has another picture or background now: it is queued again by itself. False if it is signed: that is told then."""
    now = utc_now()
    queued = connection.execute(
        "UPDATE zooscan_scans SET state = 'queued', attempts = 0, reason = '', detail = '', original = 'present', original_utc = NULL, "
        f"changed_utc = ? WHERE id = ? AND state = 'failed' AND {_UNSIGNED}",
        (now, scan_id),
    )
    if not queued.rowcount:
        connection.execute(
            "UPDATE zooscan_scans SET original = 'changed', original_utc = ?1, detail = ?2, changed_utc = ?1 "
            "WHERE id = ?3 AND state = 'failed' AND detail <> ?2",
            (now, CHANGED_SIGNED, scan_id),
        )
    return queued.rowcount == 1


def begin(connection: Connection, scan_id: int) -> bool:
    """A scan is processed from now on. False if it is not queued any more, or is signed."""
    cursor = connection.execute(
        "UPDATE zooscan_scans SET state = 'processing', attempts = attempts + 1, reason = '', detail = '', changed_utc = ? "
        f"WHERE id = ? AND state = 'queued' AND {_UNSIGNED}",
        (utc_now(), scan_id),
    )
    return cursor.rowcount == 1


def set_failed(connection: Connection, scan_id: int, reason: Reason, detail: str) -> None:
    """A scan could not be processed."""
    connection.execute(
        "UPDATE zooscan_scans SET state = 'failed', reason = ?, detail = ?, changed_utc = ? WHERE id = ?",
        (reason.value, detail, utc_now(), scan_id),
    )


def set_back(connection: Connection, scan_id: int, *, is_attempt: bool = True) -> None:
    """A scan that was begun is queued again; `is_attempt`: it counts as one of its attempts."""
    connection.execute(
        "UPDATE zooscan_scans SET state = 'queued', attempts = max(0, attempts - ?), changed_utc = ? WHERE id = ? AND state = 'processing'",
        (0 if is_attempt else 1, utc_now(), scan_id),
    )


def reclaim(connection: Connection, max_attempts: int) -> int:
    """Scans that an appliance was processing when it ended: queued again, or failed after so many attempts. Returns how many."""
    detail = f"the process that worked on it ended {max_attempts} times"
    failed = connection.execute(
        "UPDATE zooscan_scans SET state = 'failed', reason = ?, detail = ?, changed_utc = ? WHERE state = 'processing' AND attempts >= ?",
        (Reason.WORKER_DIED.value, detail, utc_now(), max_attempts),
    )
    queued = connection.execute("UPDATE zooscan_scans SET state = 'queued', changed_utc = ? WHERE state = 'processing'", (utc_now(),))
    return failed.rowcount + queued.rowcount


def queue_again(connection: Connection, scan_ids: Sequence[int] | None, *, states: Sequence[str], actor: str, action: str) -> int:
    """Queue scans once more, with attempts counted anew; one that is signed, or whose picture is gone, is left as it is. Returns how many.

    Args:
        scan_ids: these, or None for all.
        states: only those that are in one of these states: `failed` for a retry, `done` for processing again.
        actor: who asked.
        action: what the audit trail calls it.
    """
    cursor = connection.execute(
        "UPDATE zooscan_scans SET state = 'queued', attempts = 0, reason = '', detail = '', changed_utc = ? "
        "WHERE raw_path IS NOT NULL AND state IN (SELECT value FROM json_each(?)) "
        "AND (?3 IS NULL OR id IN (SELECT value FROM json_each(?3))) "
        f"AND original <> 'gone' AND {_UNSIGNED}",
        (utc_now(), json.dumps(list(states)), None if scan_ids is None else json.dumps(list(scan_ids))),
    )
    audit.append(connection, actor, action, "zooscan", {"scan_ids": None if scan_ids is None else list(scan_ids), "count": cursor.rowcount})
    return cursor.rowcount
