"""Issues: what needs a person, opened when a check first sees it, touched while it stands, resolved when it is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from edge.store.clock import utc_text
from edge.store.sqlite import Connection

TOUCH_EVERY = timedelta(minutes=5)  # a standing issue is not written anew at each look


class FoundIssue(Protocol):
    """What a check found; `code` and `reference` together are its identity."""

    @property
    def code(self) -> str:
        """The stable name of the kind."""

    @property
    def severity(self) -> str:
        """notice, warning or error."""

    @property
    def reference(self) -> str:
        """What it is about, such as a folder; empty if there is only one."""

    @property
    def message(self) -> str:
        """What is the case."""

    @property
    def advice(self) -> str:
        """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueChanges:
    """What a settling changed: pairs of code and reference that were opened or resolved, and how many stand."""

    opened: tuple[tuple[str, str], ...]
    resolved: tuple[tuple[str, str], ...]
    standing: int


def settle_issues(
    connection: Connection, found: Iterable[FoundIssue], *, covered: Collection[str], now_utc: datetime | None = None
) -> IssueChanges:
    """Make the open issues what the checks found. Runs in the transaction of the caller; changes nothing if nothing changed.

    Args:
        connection: the writer's.
        found: every issue that holds now.
        covered: the codes that were looked for; an open issue of another code is left as it is.
        now_utc: the time of the look; now if None.
    """
    now_utc = now_utc or datetime.now(UTC)
    now, stale = utc_text(now_utc), utc_text(now_utc - TOUCH_EVERY)
    rows = connection.execute("SELECT id, code, reference FROM issues WHERE resolved_utc IS NULL").fetchall()
    open_ids = {(row["code"], row["reference"]): row["id"] for row in rows}
    holding = {(str(issue.code), issue.reference): issue for issue in found}
    for key in holding.keys() & open_ids.keys():
        issue = holding[key]
        connection.execute(
            "UPDATE issues SET severity = ?, message = ?, advice = ?, last_seen_utc = ? "
            "WHERE id = ? AND (last_seen_utc <= ? OR severity <> ?)",
            (issue.severity, issue.message, issue.advice, now, open_ids[key], stale, issue.severity),
        )
    opened = tuple(key for key in holding if key not in open_ids)
    for issue in (holding[key] for key in opened):
        connection.execute(
            "INSERT INTO issues (code, severity, reference, message, advice, first_seen_utc, last_seen_utc) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (str(issue.code), issue.severity, issue.reference, issue.message, issue.advice, now, now),
        )
    resolved = tuple(key for key in open_ids if key not in holding and key[0] in covered)
    connection.executemany("UPDATE issues SET resolved_utc = ? WHERE id = ?", [(now, open_ids[key]) for key in resolved])
    return IssueChanges(opened=opened, resolved=resolved, standing=len(holding) - len(opened))


def open_issue_keys(connection: Connection) -> frozenset[tuple[str, str]]:
    """Code and reference of every open issue."""
    rows = connection.execute("SELECT code, reference FROM issues WHERE resolved_utc IS NULL")
    return frozenset((row["code"], row["reference"]) for row in rows)
