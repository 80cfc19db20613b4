"""What shall go ashore: one row for each result, written in the transaction of the result itself.

A result that is sealed, because people count its station blind, has its row as well, in state `sealed`: it goes when the seal is opened.
A report, such as the heartbeat, has one row that waits: it is read when it is put into a bundle, and a newer one replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

PRIORITY_URGENT = 0  # what the ship tells of itself, and what the assessment waits for, goes before what a model found
PRIORITY_RESULT = 1

Report = Literal["heartbeat", "health", "models"]


def put_out(
    connection: Connection, kind: str, uuid: str, *, is_sealed: bool = False, priority: int = PRIORITY_RESULT, replaces: bool = False
) -> None:
    """Note that the result `uuid` of a kind (`edge.store.reads.ashore_kinds`) shall go ashore.

    Args:
        connection: the writer's.
        kind: such as "run" or "tow_analysis".
        uuid: of the result; the same of one kind is noted once.
        is_sealed: it waits for the signatures of blind counts.
        priority: 0 goes first.
        replaces: whatever waits of this kind goes no more: this one says it newer.
    """
    if replaces:
        connection.execute("DELETE FROM outbox WHERE kind = ? AND state = 'waiting'", (kind,))
    connection.execute(
        "INSERT INTO outbox (uuid, kind, dedup_key, priority, state, created_utc) VALUES (?, ?, ?, ?, ?, ?)",
        (uuid7(), kind, f"{kind}/{uuid}", priority, "sealed" if is_sealed else "waiting", utc_now()),
    )


def put_out_report(connection: Connection, kind: Report) -> None:
    """Let the ship tell that it lives, what needs a person, or which models it has; what it tells is read when it is bundled."""
    put_out(connection, kind, uuid7(), priority=PRIORITY_URGENT, replaces=True)


def hold_back(connection: Connection, kind: str, uuid: str) -> None:
    """A result is sealed from now on. What went ashore before cannot be called back, and stays as it is."""
    connection.execute("UPDATE outbox SET state = 'sealed' WHERE dedup_key = ? AND state = 'waiting'", (f"{kind}/{uuid}",))


def let_out(connection: Connection, kind: str, uuid: str) -> None:
    """A result is sealed no more, and goes ashore."""
    connection.execute("UPDATE outbox SET state = 'waiting' WHERE dedup_key = ? AND state = 'sealed'", (f"{kind}/{uuid}",))


def hold_back_rows(connection: Connection, outbox_ids: Sequence[int]) -> None:
    """Rows that tell of what people count blind (`edge.store.reads.ashore_blind`) wait until they do not any more."""
    connection.execute(
        "UPDATE outbox SET state = 'sealed' WHERE state = 'waiting' AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(outbox_ids)),),
    )


def let_out_rows(connection: Connection, outbox_ids: Sequence[int]) -> None:
    """Rows that may leave again."""
    connection.execute(
        "UPDATE outbox SET state = 'waiting' WHERE state = 'sealed' AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(outbox_ids)),),
    )


def prune_sent(connection: Connection, before_utc: str) -> int:
    """Forget rows whose bundle every far side had before a time and whose file is let go: the result itself stays. Returns how many."""
    return int(
        connection.execute(
            "DELETE FROM outbox WHERE state = 'sent' AND bundle_id IN (SELECT b.id FROM bundles AS b WHERE b.dropped_utc IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.bundle_id = b.id "
            "AND (d.state <> 'confirmed' OR d.confirmed_utc >= ?)))",
            (before_utc,),
        ).rowcount
    )
