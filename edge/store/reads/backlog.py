"""What waits to go ashore, how it went so far, and what it will cost: for the Sync page, its commands and the health checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

from edge.store.deliveries import USB
from edge.store.reads.ashore import OpenDelivery
from edge.store.sqlite import Connection


class WaitingResults(NamedTuple):
    """Results of one priority that are in no bundle. `unfit`: of those, what could not be put into one, and why is in the log."""

    priority: int
    results: int
    unfit: int
    oldest_utc: str


class OpenBundles(NamedTuple):
    """Bundles of one priority that a far side has not confirmed. `refused` and `failed`: of those, refused, and tried in vain."""

    sink: str
    priority: int
    bundles: int
    size_bytes: int
    failed: int
    refused: int
    refused_bytes: int
    oldest_utc: str


class Contacts(NamedTuple):
    """When a far side was last reached, and last not, with why."""

    sink: str
    reached_utc: str | None
    failed_utc: str | None
    code: str
    words: str


class Failure(NamedTuple):
    """A bundle that did not arrive. Without `next_try_utc` it was refused, and waits for a person."""

    bundle_id: int
    sha256: str
    sink: str
    state: str
    attempts: int
    code: str
    words: str
    next_try_utc: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBundle:
    """A bundle as it was made, and how far each far side is with it: by name, its state and when it confirmed."""

    id: int
    sequence: int
    sha256: str
    priority: int
    size_bytes: int
    results: int
    rows: dict[str, int]
    made_utc: str
    dropped_utc: str | None
    deliveries: tuple[tuple[str, str, str | None], ...]


def waiting_results(connection: Connection) -> list[WaitingResults]:
    """What is in no bundle yet, most urgent first."""
    rows = connection.execute(
        "SELECT priority, count(*), sum(last_error IS NOT NULL), min(created_utc) FROM outbox WHERE state = 'waiting' "
        "GROUP BY priority ORDER BY priority"
    )
    return [WaitingResults(*row) for row in rows]


def count_sealed(connection: Connection) -> int:
    """Results that wait for the signatures of blind counts."""
    return int(connection.execute("SELECT count(*) FROM outbox WHERE state = 'sealed'").fetchone()[0])


class Next(NamedTuple):
    """The most urgent priority that waits for a bundle: how many of it, at most `limit`; when the oldest and the newest of those came."""

    priority: int
    results: int
    oldest_utc: str
    newest_utc: str


def next_waiting(connection: Connection, kinds: tuple[str, ...], priorities: tuple[int, ...], *, now_utc: str, limit: int) -> Next | None:
    """What would be bundled next of some priorities; None: nothing waits."""
    for priority in sorted(priorities):
        row = connection.execute(
            "SELECT count(*), min(created_utc), max(created_utc) FROM (SELECT created_utc FROM outbox WHERE state = 'waiting' "
            "AND priority = ?1 AND kind IN (SELECT value FROM json_each(?2)) AND (not_before_utc IS NULL OR not_before_utc <= ?3) "
            "ORDER BY id LIMIT ?4)",
            (priority, json.dumps(list(kinds)), now_utc, limit),
        ).fetchone()
        if row[0]:
            return Next(priority, *row)
    return None


def oldest_waiting(connection: Connection) -> str | None:
    """When the oldest result came that is in no bundle; None: nothing waits."""
    row = connection.execute(
        "SELECT min((SELECT created_utc FROM outbox WHERE state = 'waiting' AND priority = p.value ORDER BY id LIMIT 1)) "
        "FROM json_each('[0,1,2,3,4]') AS p"
    ).fetchone()
    return None if row[0] is None else str(row[0])


def open_bundles(connection: Connection) -> list[OpenBundles]:
    """What each far side still has to confirm, by priority."""
    rows = connection.execute(
        "SELECT d.sink, b.priority, count(*), sum(b.size_bytes), sum(d.state <> 'refused' AND d.error <> ''), sum(d.state = 'refused'), "
        "sum((d.state = 'refused') * b.size_bytes), min(b.made_utc) FROM deliveries AS d JOIN bundles AS b ON b.id = d.bundle_id "
        "WHERE d.state <> 'confirmed' GROUP BY d.sink, b.priority ORDER BY d.sink, b.priority"
    )
    return [OpenBundles(*row) for row in rows]


def bytes_per_result(connection: Connection) -> float | None:
    """How large a result was in the last hundred bundles; None before the first."""
    row = connection.execute(
        "SELECT sum(size_bytes), sum(results) FROM (SELECT size_bytes, results FROM bundles ORDER BY sequence DESC LIMIT 100)"
    ).fetchone()
    return float(row[0]) / row[1] if row[0] and row[1] else None


def contacts(connection: Connection) -> list[Contacts]:
    """Of every far side that was ever tried."""
    rows = connection.execute(
        "SELECT l.link, (SELECT max(at_utc) FROM link_contacts WHERE link = l.link AND outcome = 'reached'), f.at_utc, "
        "coalesce(f.code, ''), coalesce(f.words, '') FROM (SELECT DISTINCT link FROM link_contacts) AS l LEFT JOIN link_contacts AS f "
        "ON f.id = (SELECT max(id) FROM link_contacts WHERE link = l.link AND outcome = 'failed') ORDER BY l.link"
    )
    return [Contacts(*row) for row in rows]


def failures(connection: Connection, *, limit: int) -> list[Failure]:
    """Bundles that were tried in vain: refused ones first, then the latest."""
    rows = connection.execute(
        "SELECT b.id, b.sha256, d.sink, d.state, d.attempts, d.error_code, d.error, d.next_try_utc, b.size_bytes FROM deliveries AS d "
        "JOIN bundles AS b ON b.id = d.bundle_id WHERE d.state <> 'confirmed' AND d.error <> '' "
        "ORDER BY d.state <> 'refused', b.sequence DESC LIMIT ?",
        (limit,),
    )
    return [Failure(*row) for row in rows]


def history(connection: Connection, *, limit: int, before: int | None = None) -> list[KeptBundle]:
    """The last bundles, newest first; `before`: only those whose number is smaller."""
    rows = connection.execute(
        "SELECT b.id, b.sequence, b.sha256, b.priority, b.size_bytes, b.results, b.rows_json, "
        "b.made_utc, b.dropped_utc, (SELECT json_group_array(json_array(sink, state, confirmed_utc)) FROM deliveries "
        "WHERE bundle_id = b.id) FROM bundles AS b WHERE (?1 IS NULL OR b.sequence < ?1) ORDER BY b.sequence DESC LIMIT ?2",
        (before, limit),
    )
    return [
        KeptBundle(
            id=row[0],
            sequence=row[1],
            sha256=row[2],
            priority=row[3],
            size_bytes=row[4],
            results=row[5],
            rows=json.loads(row[6]),
            made_utc=row[7],
            dropped_utc=row[8],
            deliveries=tuple((sink, state, at_utc) for sink, state, at_utc in json.loads(row[9])),
        )
        for row in rows
    ]


def for_a_stick(connection: Connection) -> list[OpenDelivery]:
    """The bundles, the most urgent first, whose files are here and which no stick has."""
    rows = connection.execute(
        "SELECT b.id, b.sequence, b.sha256, b.size_bytes, b.priority, b.made_utc, coalesce(d.attempts, 0) FROM bundles AS b "
        "LEFT JOIN deliveries AS d ON d.bundle_id = b.id AND d.sink = ? WHERE b.dropped_utc IS NULL "
        "AND coalesce(d.state, '') <> 'confirmed' ORDER BY b.priority, b.sequence",
        (USB,),
    )
    names = ("bundle_id", "sequence", "sha256", "size_bytes", "priority", "made_utc", "attempts")
    return [OpenDelivery(upload=None, **dict(zip(names, row, strict=True))) for row in rows]
