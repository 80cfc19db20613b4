"""What shall go ashore: one row for each result, written in the transaction of the result itself."""

from __future__ import annotations

from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

PRIORITY_RESULT = 1


def put_out(connection: Connection, kind: str, uuid: str) -> None:
    """Note that the result `uuid` of a kind ("run", "reading", "tow_analysis", "review_action", "miss_check") shall go ashore."""
    connection.execute(
        "INSERT INTO outbox (uuid, kind, dedup_key, priority, created_utc) VALUES (?, ?, ?, ?, ?)",
        (uuid7(), kind, f"{kind}/{uuid}", PRIORITY_RESULT, utc_now()),
    )
