"""What goes to EcoTaxa and what is fetched from there: rows that survive every break of the link and of the appliance.

    queued     asked for; its archive is made, or it waits for the link
    sending    the archive goes to `remote_path`, a name of its own for each attempt
    importing  EcoTaxa has the archive; `remote_job_id` is the job that is followed, NULL while it is not known whether it was begun
    asking     the job waits for a person's answer
    done, failed, cancelled

Every step names the state that it goes on from: what was cancelled meanwhile stays cancelled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

Kind = Literal["push", "pull"]
Mode = Literal["new", "add", "update"]
State = Literal["queued", "sending", "importing", "asking", "done", "failed", "cancelled"]
OPEN_STATES: tuple[State, ...] = ("queued", "sending", "importing", "asking")

_COLUMNS = frozenset(
    {
        "archive",
        "archive_sha256",
        "run_uuid",
        "signature_id",
        "remote_path",
        "remote_job_id",
        "progress",
        "question_json",
        "answer_json",
        "report_json",
        "detail",
        "attempts",
        "not_before_utc",
    }
)


def add_upload(
    connection: Connection, scan_id: int, kind: Kind, *, server: str, ecotaxa_project_id: int, actor: str, mode: Mode = "new"
) -> int | None:
    """Queue a transfer of a scan. Returns its id; None if one of that kind is under way between this scan and that project."""
    under_way = connection.execute(
        f"SELECT 1 FROM zooscan_uploads WHERE scan_id = ? AND kind = ? AND server = ? AND ecotaxa_project_id = ? "
        f"AND state IN ({', '.join('?' * len(OPEN_STATES))})",
        (scan_id, kind, server, ecotaxa_project_id, *OPEN_STATES),
    ).fetchone()
    if under_way is not None:
        return None
    now = utc_now()
    cursor = connection.execute(
        "INSERT INTO zooscan_uploads (uuid, scan_id, kind, mode, server, ecotaxa_project_id, state, actor, asked_utc, changed_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?) RETURNING id",
        (uuid7(), scan_id, kind, mode, server, ecotaxa_project_id, actor, now, now),
    )
    upload_id = int(cursor.fetchone()[0])
    detail = {"upload": upload_id, "server": server, "project": ecotaxa_project_id, "mode": mode}
    audit.append(connection, actor, f"ecotaxa_{kind}", f"zooscan_scan/{scan_id}", detail)
    return upload_id


def go_on(connection: Connection, upload_id: int, of: State, to: State | None = None, **values: Any) -> bool:
    """Go from one state to another (or stay) and note what is given.

    Args:
        connection: the writer's.
        upload_id: the row.
        of: the state that it must still be in.
        to: the new one.
        values: columns of `zooscan_uploads`; those that end in `_json` are written as JSON.

    Returns:
        Whether it was in that state; if not, nothing is written.

    Raises:
        ValueError: a column that no step may change.
    """
    if unknown := set(values) - _COLUMNS:
        raise ValueError(f"a step does not change {', '.join(sorted(unknown))}")
    texts = {name: _as_json(value) if name.endswith("_json") else value for name, value in values.items()}
    state = to or of
    if state != of:
        texts["changed_utc"] = utc_now()
    if state in ("done", "failed"):
        texts["not_before_utc"] = None
    sets = ", ".join(f"{name} = ?" for name in ("state", *texts))
    cursor = connection.execute(f"UPDATE zooscan_uploads SET {sets} WHERE id = ? AND state = ?", (state, *texts.values(), upload_id, of))
    if cursor.rowcount and state in ("done", "failed"):
        row = connection.execute("SELECT actor, kind, scan_id, detail FROM zooscan_uploads WHERE id = ?", (upload_id,)).fetchone()
        about = {"upload": upload_id, "state": state, "detail": row["detail"]}
        audit.append(connection, row["actor"], f"ecotaxa_{row['kind']}_end", f"zooscan_scan/{row['scan_id']}", about)
    return bool(cursor.rowcount)


def cancel(connection: Connection, upload_id: int, actor: str) -> bool:
    """End a transfer that EcoTaxa has not begun to import. Returns whether it could be."""
    cursor = connection.execute(
        "UPDATE zooscan_uploads SET state = 'cancelled', changed_utc = ?, detail = ? WHERE id = ? "
        "AND (state IN ('queued', 'sending', 'asking') OR (state = 'importing' AND kind = 'pull')) RETURNING scan_id",
        (utc_now(), f"cancelled by {actor}", upload_id),
    )
    row = cursor.fetchone()
    if row is not None:
        audit.append(connection, actor, "ecotaxa_cancel", f"zooscan_scan/{row['scan_id']}", {"upload": upload_id})
    return row is not None


def answer(connection: Connection, upload_id: int, given: Mapping[str, Any], actor: str) -> bool:
    """Keep a person's answer to EcoTaxa's question; it is sent with the next step. Returns whether it was asked."""
    cursor = connection.execute(
        "UPDATE zooscan_uploads SET answer_json = ?, not_before_utc = NULL WHERE id = ? AND state = 'asking' RETURNING scan_id",
        (_as_json(given), upload_id),
    )
    row = cursor.fetchone()
    if row is not None:
        audit.append(connection, actor, "ecotaxa_answer", f"zooscan_scan/{row['scan_id']}", {"upload": upload_id, "answer": dict(given)})
    return row is not None


def retry_now(connection: Connection, upload_id: int | None = None) -> int:
    """What waits for its next attempt need not wait any longer: one, or all of them. Returns how many waited."""
    one = "" if upload_id is None else " AND id = ?"
    cursor = connection.execute(
        "UPDATE zooscan_uploads SET not_before_utc = NULL WHERE not_before_utc IS NOT NULL "
        f"AND state NOT IN ('done', 'failed', 'cancelled'){one}",
        () if upload_id is None else (upload_id,),
    )
    return int(cursor.rowcount)


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
