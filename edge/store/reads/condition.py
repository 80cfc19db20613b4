"""The condition of the appliance: open issues, the database file, facts and the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.store.connection import applied_migrations
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection, sqlite3, wal_is_safe

Severity = Literal["notice", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRow:
    """Something that needs a person, with what to do."""

    issue_id: int
    code: str
    severity: Severity
    reference: str
    message: str
    advice: str
    first_seen_utc: str
    last_seen_utc: str
    resolved_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The database file and the SQLite that reads it. `wal_is_safe`: free of the WAL-reset bug (3.51.3 or newer)."""

    sqlite_version: str
    wal_is_safe: bool
    journal_mode: str
    size_bytes: int
    free_bytes: int
    migrations: tuple[str, ...]
    facts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what, when."""

    audit_id: int
    at_utc: str
    actor: str
    action: str
    subject: str
    detail_json: str


_ISSUE = "SELECT id AS issue_id, code, severity, reference, message, advice, first_seen_utc, last_seen_utc, resolved_utc FROM issues "


def answers(connection: Connection) -> bool:
    """Whether the database can be read at all; raises what SQLite raises if not."""
    return connection.execute("SELECT 1 FROM counters LIMIT 1").fetchall() is not None


def open_issues(connection: Connection, *, limit: int = 500) -> tuple[IssueRow, ...]:
    """Issues that still hold, the worst first, then the newest."""
    rows = connection.execute(
        _ISSUE + "WHERE resolved_utc IS NULL ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, id DESC LIMIT ?",
        (limit,),
    )
    return as_values(IssueRow, rows)


def resolved_issues(connection: Connection, *, limit: int = 20) -> tuple[IssueRow, ...]:
    """Issues that no longer hold, the last resolved first."""
    rows = connection.execute(_ISSUE + "WHERE resolved_utc IS NOT NULL ORDER BY resolved_utc DESC LIMIT ?", (limit,))
    return as_values(IssueRow, rows)


def database_facts(connection: Connection) -> DatabaseFacts:
    """What the Health page says of the database."""

    def pragma(name: str) -> int | str:
        value: int | str = connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    page_bytes = int(pragma("page_size"))
    return DatabaseFacts(
        sqlite_version=sqlite3.sqlite_version,
        wal_is_safe=wal_is_safe(),
        journal_mode=str(pragma("journal_mode")),
        size_bytes=page_bytes * int(pragma("page_count")),
        free_bytes=page_bytes * int(pragma("freelist_count")),
        migrations=tuple(applied_migrations(connection)),
        facts={row["name"]: row["value"] for row in connection.execute("SELECT name, value FROM facts ORDER BY name LIMIT 100")},
    )


def last_actions(connection: Connection, *, limit: int = 20) -> tuple[AuditRow, ...]:
    """What people and programs changed, newest first."""
    rows = connection.execute(
        "SELECT id AS audit_id, at_utc, actor, action, subject, detail_json FROM audit ORDER BY id DESC LIMIT ?", (limit,)
    )
    return as_values(AuditRow, rows)


def open_issue_counts(connection: Connection) -> dict[str, int]:
    """How many issues are open, by severity."""
    rows = connection.execute("SELECT severity, count(*) FROM issues WHERE resolved_utc IS NULL GROUP BY severity")
    return {severity: int(count) for severity, count in rows}
