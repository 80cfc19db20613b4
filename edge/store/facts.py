"""Single values about the database, and the last result of SQLite's own check among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection, sqlite3

QUICK_CHECK_UTC = "quick_check_utc"
QUICK_CHECK_RESULT = "quick_check_result"
SOUND = "ok"
VESSEL_UUID = "vessel_uuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickCheck:
    """When SQLite last looked through the database, and what it said: "ok", or its findings."""

    checked_utc: str
    result: str


def get_fact(connection: Connection, name: str) -> str | None:
    """The value of a fact, or None."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row["value"])


def put_fact(connection: Connection, name: str, value: str) -> None:
    """Set a fact."""
    connection.execute(
        "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
    )


def vessel_uuid(connection: Connection) -> str:
    """What this home is called ashore, made at the first call and the same ever after: two ships of one name stay two.

    Takes the writer's connection. A copy of a home keeps it, as a restored backup has to: two copies must not both send.
    """
    known = get_fact(connection, VESSEL_UUID)
    if known is None:
        known = uuid7()
        put_fact(connection, VESSEL_UUID, known)
    return known


def quick_check(connection: Connection) -> Sequence[str]:
    """What SQLite finds wrong, nothing if it is sound. Takes seconds on a large database: run it on a reader, in a thread."""
    try:
        findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:
        findings = [str(error)]
    return [] if findings == [SOUND] else findings


def record_quick_check(connection: Connection, findings: Sequence[str]) -> None:
    """Keep what a quick check found."""
    put_fact(connection, QUICK_CHECK_UTC, utc_now())
    put_fact(connection, QUICK_CHECK_RESULT, "; ".join(findings) or SOUND)


def last_quick_check(connection: Connection) -> QuickCheck | None:
    """The last quick check that was recorded, or None before the first."""
    checked_utc, result = get_fact(connection, QUICK_CHECK_UTC), get_fact(connection, QUICK_CHECK_RESULT)
    return None if checked_utc is None or result is None else QuickCheck(checked_utc=checked_utc, result=result)
