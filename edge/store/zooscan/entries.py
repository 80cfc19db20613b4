"""What people type over the META of a scan, row after row and to the letter; nothing here is ever changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.sqlite import Connection


def add_entries(connection: Connection, scan_id: int, values: Mapping[str, str | None], *, actor: str) -> None:
    """Keep what was typed, field by field; None lets the META's own value hold again."""
    now = utc_now()
    connection.executemany(
        "INSERT INTO zooscan_entries (scan_id, field, value, actor, entered_utc) VALUES (?, ?, ?, ?, ?)",
        [(scan_id, field, value, actor, now) for field, value in values.items()],
    )
    audit.append(connection, actor, "zooscan_entries", f"zooscan_scan/{scan_id}", dict(values))
