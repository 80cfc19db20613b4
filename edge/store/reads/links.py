"""What links cost so far."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.sqlite import Connection


class Spent(NamedTuple):
    """Bytes up and down of a link: of a day, and of the calendar month that it lies in."""

    day_bytes: int
    month_bytes: int


def spent(connection: Connection, link: str, day: str) -> Spent:
    """What a link cost on a day (UTC, such as 2026-11-22) and in its month."""
    row = connection.execute(
        "SELECT coalesce(sum((day = ?2) * (up_bytes + down_bytes)), 0), coalesce(sum(up_bytes + down_bytes), 0) FROM link_days "
        "WHERE link = ?1 AND substr(day, 1, 7) = substr(?2, 1, 7)",
        (link, day),
    ).fetchone()
    return Spent(int(row[0]), int(row[1]))
