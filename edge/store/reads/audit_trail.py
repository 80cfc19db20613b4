"""The audit trail, newest first, narrowed and page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.store.reads.condition import AuditRow
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows. Empty means all.

    Attributes:
        person: who did it: a person's name (from wherever), or an actor such as "cli" or "page 127.0.0.1".
        action: the verb, whole.
        subject: how it begins, such as "person/" or "person/JD".
        since_utc: not before; a day or a time, ISO 8601.
        until_utc: not after; a day stands for all of it.
    """

    person: str = ""
    action: str = ""
    subject: str = ""
    since_utc: str = ""
    until_utc: str = ""


def audit_rows(connection: Connection, which: AuditFilter, *, limit: int, before_id: int | None = None) -> tuple[AuditRow, ...]:
    """Rows, newest first; only older ones than `before_id`."""
    where, values = _where(which)
    if before_id is not None:
        where.append("id < ?")
        values.append(before_id)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    rows = connection.execute(
        f"SELECT id AS audit_id, at_utc, actor, action, subject, detail_json FROM audit {condition} ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return as_values(AuditRow, rows)


def all_audit_rows(connection: Connection, which: AuditFilter) -> Iterator[AuditRow]:
    """Every row, newest first, without holding them all."""
    before_id: int | None = None
    while rows := audit_rows(connection, which, limit=_PAGE, before_id=before_id):
        yield from rows
        before_id = rows[-1].audit_id


def actions(connection: Connection) -> tuple[str, ...]:
    """The verbs that occur, in order."""
    return tuple(str(row["action"]) for row in connection.execute("SELECT DISTINCT action FROM audit ORDER BY action"))


def _where(which: AuditFilter) -> tuple[list[str], list[str | int]]:
    where: list[str] = []
    values: list[str | int] = []
    if which.person:
        where.append("(lower(actor) = lower(?) OR lower(substr(actor, 1, length(?) + 1)) = lower(?) || ' ')")
        values += [which.person] * 3
    if which.action:
        where.append("action = ?")
        values.append(which.action)
    if which.subject:
        where.append("substr(subject, 1, length(?)) = ?")
        values += [which.subject] * 2
    if which.since_utc:
        where.append("at_utc >= ?")
        values.append(which.since_utc)
    if which.until_utc:
        where.append("at_utc <= ?")
        values.append(which.until_utc if len(which.until_utc) > len("2026-11-21") else f"{which.until_utc}T24")
    return where, values
