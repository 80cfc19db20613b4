"""Where bundles have to arrive, when far sides come and go. Functions take the writer's connection, inside the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from edge.store.sqlite import Connection

USB = "usb"
"""The far side of every stick that is brought by hand: a bundle that one of them has is on no other."""

_IS_COMPLETE = """
    UPDATE outbox SET state = 'sent' WHERE state = 'bundled' AND bundle_id IN
        (SELECT bundle_id FROM deliveries GROUP BY bundle_id HAVING min(state = 'confirmed'))
"""


def readdress(connection: Connection, sinks: Mapping[int, Sequence[str]]) -> int:
    """Make open deliveries those of the far sides that there are.

    What waited for one that is no more does not wait for it any longer; a bundle that then would go nowhere goes to those there are.
    A far side that is new gets what is bundled from then on.

    Args:
        connection: the writer's.
        sinks: by priority, the names of the far sides that take it.

    Returns:
        How many deliveries were given up.
    """
    pairs = json.dumps([[priority, sink] for priority, names in sinks.items() for sink in names])
    gone = connection.execute(
        "DELETE FROM deliveries WHERE state <> 'confirmed' AND sink <> ?1 AND NOT EXISTS (SELECT 1 FROM json_each(?2) AS p "
        "JOIN bundles AS b ON b.id = bundle_id WHERE p.value ->> 1 = sink AND p.value ->> 0 = b.priority)",
        (USB, pairs),
    ).rowcount
    connection.execute(
        "INSERT INTO deliveries (bundle_id, sink, state) SELECT b.id, p.value ->> 1, 'waiting' FROM bundles AS b "
        "JOIN json_each(?) AS p ON p.value ->> 0 = b.priority WHERE b.dropped_utc IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.bundle_id = b.id)",
        (pairs,),
    )
    connection.execute(_IS_COMPLETE)
    return int(gone)


def add_delivery(connection: Connection, bundle_id: int, sink: str) -> None:
    """A bundle that is made already has to arrive at one more far side."""
    connection.execute(
        "INSERT INTO deliveries (bundle_id, sink, state) VALUES (?, ?, 'waiting') ON CONFLICT (bundle_id, sink) DO NOTHING",
        (bundle_id, sink),
    )


def drop_delivery(connection: Connection, bundle_id: int, sink: str) -> None:
    """A bundle need not arrive at a far side any more, if another one waits for it or has it; else it still has to."""
    connection.execute(
        "DELETE FROM deliveries WHERE bundle_id = ?1 AND sink = ?2 AND state <> 'confirmed' "
        "AND EXISTS (SELECT 1 FROM deliveries WHERE bundle_id = ?1 AND sink <> ?2)",
        (bundle_id, sink),
    )
    connection.execute(_IS_COMPLETE)


def retry_now(connection: Connection, sink: str | None = None, *, with_refused: bool = False) -> int:
    """Let what waits for its next attempt go at once, of one far side or of all, what was refused only if asked. Returns how many."""
    return int(
        connection.execute(
            "UPDATE deliveries SET next_try_utc = NULL, state = 'waiting' WHERE (?1 IS NULL OR sink = ?1) "
            "AND (state = 'waiting' AND next_try_utc IS NOT NULL OR ?2 AND state = 'refused')",
            (sink, with_refused),
        ).rowcount
    )
