"""What of the outbox goes next, and how the rows of bundles' tables are read; what each kind of result is, is in the modules beside this.

A table is a name of `sync.bundle.schema`; the columns of a query are named, and in the order, of the columns there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edge.store.sqlite import Connection

Tables = dict[str, list[tuple[Any, ...]]]
Queries = Mapping[str, str]
"""By table, a query whose parameter ?1 is a JSON list of the subjects that the outbox names."""


class Waiting(NamedTuple):
    """A row of the outbox: `subject` is the UUID of the result."""

    id: int
    kind: str
    subject: str


def waiting(connection: Connection, kinds: Sequence[str], *, now_utc: str, limit: int, priority: int | None = None) -> list[Waiting]:
    """What goes next: the most urgent first, then the oldest; all of one priority, of that one if it is named."""
    rows = connection.execute(
        "SELECT id, kind, substr(dedup_key, length(kind) + 2), priority FROM outbox WHERE state = 'waiting' "
        "AND (?4 IS NULL OR priority = ?4) AND kind IN (SELECT value FROM json_each(?1)) "
        "AND (not_before_utc IS NULL OR not_before_utc <= ?2) ORDER BY priority, id LIMIT ?3",
        (json.dumps(list(kinds)), now_utc, limit, priority),
    ).fetchall()
    return [Waiting(*row[:3]) for row in rows if row[3] == rows[0][3]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDelivery:
    """A bundle that a far side has not confirmed. `upload`: where an upload in parts stands."""

    bundle_id: int
    sequence: int
    sha256: str
    size_bytes: int
    priority: int
    made_utc: str
    attempts: int
    upload: dict[str, Any] | None


def open_deliveries(connection: Connection, sink: str, *, now_utc: str, limit: int) -> list[OpenDelivery]:
    """What a far side gets next: the most urgent first, then the oldest; without what has to wait or was refused."""
    rows = connection.execute(
        "SELECT b.id AS bundle_id, b.sequence, b.sha256, b.size_bytes, b.priority, b.made_utc, d.attempts, d.upload_json "
        "FROM deliveries AS d JOIN bundles AS b ON b.id = d.bundle_id "
        "WHERE d.sink = ? AND d.state IN ('waiting', 'sending') AND (d.next_try_utc IS NULL OR d.next_try_utc <= ?) "
        "ORDER BY b.priority, b.sequence LIMIT ?",
        (sink, now_utc, limit),
    )
    found = [dict(zip(row.keys(), row, strict=True)) for row in rows]
    return [OpenDelivery(upload=json.loads(one.pop("upload_json") or "null"), **one) for one in found]


def kept_bundles(connection: Connection) -> set[str]:
    """SHA-256 of the bundles whose files have to be there."""
    return {row[0] for row in connection.execute("SELECT sha256 FROM bundles WHERE dropped_utc IS NULL")}


def arrived_bundles(connection: Connection, before_utc: str) -> list[tuple[int, str]]:
    """Id and SHA-256 of the bundles that every far side confirmed before a time, and whose files are still here."""
    rows = connection.execute(
        "SELECT b.id, b.sha256 FROM bundles AS b WHERE b.dropped_utc IS NULL AND EXISTS (SELECT 1 FROM deliveries WHERE bundle_id = b.id) "
        "AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.bundle_id = b.id AND (d.state <> 'confirmed' OR d.confirmed_utc >= ?)) "
        "ORDER BY b.id",
        (before_utc,),
    )
    return [(int(row[0]), str(row[1])) for row in rows]


def count_waiting(connection: Connection) -> dict[tuple[int, str, str], int]:
    """How many results are in which state of the outbox, by (priority, kind, state)."""
    return {
        (row[0], row[1], row[2]): row[3]
        for row in connection.execute("SELECT priority, kind, state, count(*) FROM outbox GROUP BY priority, kind, state")
    }


def collected(connection: Connection, queries: Queries, subjects: Sequence[str]) -> Tables:
    """The rows of each table."""
    chosen = json.dumps(list(subjects))
    return {name: [tuple(row) for row in connection.execute(query, (chosen,))] for name, query in queries.items()}
