"""What shall go ashore: one row for each result, written in the transaction of the result itself.

A result that is sealed, because people count its station blind, has its row as well, in state `sealed`: it goes when the seal is opened.
"""

from __future__ import annotations

from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

PRIORITY_RESULT = 1


def put_out(connection: Connection, kind: str, uuid: str, *, is_sealed: bool = False) -> None:
    """Note that the result `uuid` of a kind ("run", "reading", "tow_analysis", "review_action", "miss_check") shall go ashore."""
    connection.execute(
        "INSERT INTO outbox (uuid, kind, dedup_key, priority, state, created_utc) VALUES (?, ?, ?, ?, ?, ?)",
        (uuid7(), kind, f"{kind}/{uuid}", PRIORITY_RESULT, "sealed" if is_sealed else "waiting", utc_now()),
    )


def hold_back(connection: Connection, kind: str, uuid: str) -> None:
    """A result is sealed from now on. What went ashore before cannot be called back, and stays as it is."""
    connection.execute("UPDATE outbox SET state = 'sealed' WHERE dedup_key = ? AND state = 'waiting'", (f"{kind}/{uuid}",))


def let_out(connection: Connection, kind: str, uuid: str) -> None:
    """A result is sealed no more, and goes ashore."""
    connection.execute("UPDATE outbox SET state = 'waiting' WHERE dedup_key = ? AND state = 'sealed'", (f"{kind}/{uuid}",))
