"""A new round of blind counts of a tow: what was revealed of it is set aside and sealed again. Functions take the writer's connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.counts import set_aside
from edge.store.facts import put_fact
from edge.store.seal import COUNT_STEP_BYTES, Seal
from edge.store.sealed_runs import LOG_HOLDS_SEALED, seal_tow
from edge.store.sqlite import Connection

Rows = Mapping[str, list[dict[str, Any]]]


class RoundRow(NamedTuple):
    """Why, by whom and when a tow was given to be counted anew."""

    reason: str
    begun_by: str
    begun_utc: str


def rounds_of(connection: Connection, tow_id: int) -> tuple[RoundRow, ...]:
    """The new rounds of a tow, the first one first; none where it was counted once."""
    rows = connection.execute("SELECT reason, begun_by, begun_utc FROM count_rounds WHERE tow_id = ? ORDER BY id", (tow_id,))
    return tuple(RoundRow(*row) for row in rows.fetchall())


def begin_round(connection: Connection, seal: Seal, tow_id: int, reason: str, *, pack: Callable[[Rows], bytes], actor: str) -> int:
    """Set aside every count of a tow, seal what was revealed of them and what models found, and take a release back.

    `pack` makes the document that is sealed from a count's rows: table -> rows. Returns how many counts were set aside.
    """
    standing = connection.execute("SELECT id FROM counts WHERE tow_id = ? AND state <> 'set_aside' ORDER BY id", (tow_id,)).fetchall()
    for (count_id,) in standing:
        set_aside(connection, count_id, f"a new round of counts: {reason}", actor=actor)
    revealed = connection.execute(
        "SELECT id, uuid FROM counts WHERE tow_id = ? AND revealed_utc IS NOT NULL ORDER BY id", (tow_id,)
    ).fetchall()
    for count_id, count_uuid in revealed:
        rows = {table: _rows(connection, table, count_id) for table in ("count_minutes", "count_marks")}
        sealed = seal.close(pack(rows), f"count/{count_uuid}", step_bytes=COUNT_STEP_BYTES)
        connection.execute("UPDATE counts SET sealed = ?, revealed_utc = NULL WHERE id = ?", (sealed, count_id))
        _wipe(connection, count_id)
    connection.execute("DELETE FROM releases WHERE tow_id = ?", (tow_id,))
    connection.execute(
        "INSERT INTO count_rounds (tow_id, reason, begun_by, begun_utc) VALUES (?, ?, ?, ?)", (tow_id, reason, actor, utc_now())
    )
    runs = seal_tow(connection, seal, tow_id, again=True)
    put_fact(connection, LOG_HOLDS_SEALED, utc_now())
    detail = {"reason": reason, "counts_set_aside": len(standing), "counts_sealed_again": len(revealed), "model_results": runs}
    audit.append(connection, actor, "count_round", f"tow/{tow_id}", detail)
    return len(standing)


def _rows(connection: Connection, table: str, count_id: int) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT * FROM {table} WHERE count_id = ?", (count_id,))
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _blank(name: str) -> str:
    """An assignment in SQL: a text becomes zeros of its own length in bytes, so that it stays in its place."""
    length = f"length(CAST({name} AS BLOB))"
    return f"{name} = CASE WHEN {name} IS NOT NULL THEN substr(hex(zeroblob({length})), 1, {length}) END"


def _wipe(connection: Connection, count_id: int) -> None:
    """Values are overwritten where they stand, in their own length, before their rows go (decision 0023).

    Of a click that is its time too: when somebody clicked tells where along the tow.
    """
    whole = "CASE WHEN {0} IS NULL THEN NULL WHEN {0} = round({0}) THEN 2.0 ELSE 0.5 END"
    minutes = ", ".join(f"{name} = {whole.format(name)}" for name in ("systems", "lost_s"))
    connection.execute(
        f"UPDATE count_minutes SET {minutes}, nephrops_in = 2, nephrops_out = 2, {_blank('note')} WHERE count_id = ?", (count_id,)
    )
    connection.execute("DELETE FROM count_minutes WHERE count_id = ?", (count_id,))
    marks = f"at_s = 0.5, minute = 2, x_fraction = 0.5, y_fraction = 0.5, {_blank('marked_utc')}, {_blank('marked_local')}"
    connection.execute(f"UPDATE count_marks SET {marks} WHERE count_id = ?", (count_id,))
    connection.execute("DELETE FROM count_marks WHERE count_id = ?", (count_id,))


def packed_rows(document: bytes, rows: Rows) -> bytes:
    """A count's document with the rows that it was revealed as."""
    return json.dumps({**json.loads(document), "rows": rows}, separators=(",", ":"), ensure_ascii=True).encode("ascii")
