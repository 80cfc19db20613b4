"""What people do on the check page: decide, draw and erase lines, take the last of it back, sign.

Each action has a uuid of its sender's, so that one that is sent twice is one action. What stands of a scan is checked by the caller;
these functions refuse what is signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection

Decision = Literal["single", "multiple"]
What = Literal["decide", "draw", "erase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanLine:
    """A line that a person drew: on which object, and its pixels as (N, 2) little-endian int32 bytes."""

    object_key: str
    pixels: bytes


class UndoableAction(NamedTuple):
    """An action that can be undone, with the line and that line's object, if it is about one."""

    id: int
    uuid: str
    what: What
    line_id: int | None
    object_key: str | None
    actor: str


def is_signed(connection: Connection, scan_id: int) -> bool:
    """Whether a signature of the scan stands."""
    row = connection.execute("SELECT 1 FROM zooscan_signatures WHERE scan_id = ? AND withdrawn_utc IS NULL", (scan_id,)).fetchone()
    return row is not None


def is_known(connection: Connection, uuid: str) -> bool:
    """Whether this very action was done already."""
    return connection.execute("SELECT 1 FROM zooscan_actions WHERE uuid = ?", (uuid,)).fetchone() is not None


def decide(connection: Connection, scan_id: int, keys: Sequence[str], decision: Decision, *, actor: str, uuid: str | None = None) -> int:
    """Say of objects whether each is one or several. Returns the action's id."""
    action_id = _begin(connection, scan_id, "decide", actor=actor, uuid=uuid)
    now = utc_now()
    connection.executemany(
        "INSERT INTO zooscan_decisions (uuid, action_id, scan_id, object_key, decision, actor, made_utc) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(uuid7(), action_id, scan_id, key, decision, actor, now) for key in keys],
    )
    audit.append(connection, actor, "zooscan_decide", f"zooscan_scan/{scan_id}", {"decision": decision, "objects": list(keys)})
    return action_id


def draw_line(connection: Connection, scan_id: int, line: HumanLine, *, actor: str, uuid: str | None = None) -> int:
    """Keep a separation line. Returns the line's id; the caller cuts the object in the same transaction."""
    cursor = connection.execute(
        "INSERT INTO zooscan_lines (uuid, scan_id, object_key, pixels, made_by, is_human, made_utc) VALUES (?, ?, ?, ?, ?, 1, ?)",
        (uuid7(), scan_id, line.object_key, line.pixels, actor, utc_now()),
    )
    line_id = int(cursor.lastrowid or 0)
    _begin(connection, scan_id, "draw", actor=actor, uuid=uuid, line_id=line_id)
    audit.append(connection, actor, "zooscan_draw_line", f"zooscan_scan/{scan_id}", {"object": line.object_key, "line": line_id})
    return line_id


def line_uuid(connection: Connection, line_id: int) -> str:
    """What a line is called outside of this database."""
    return str(connection.execute("SELECT uuid FROM zooscan_lines WHERE id = ?", (line_id,)).fetchone()[0])


def erase_line(connection: Connection, scan_id: int, line_id: int, *, actor: str, uuid: str | None = None) -> None:
    """A line, a person's or the separator's, stands no more."""
    _set_erased(connection, line_id, actor)
    _begin(connection, scan_id, "erase", actor=actor, uuid=uuid, line_id=line_id)
    audit.append(connection, actor, "zooscan_erase_line", f"zooscan_scan/{scan_id}", {"line": line_id})


def last_undoable(connection: Connection, scan_id: int) -> UndoableAction | None:
    """The newest action about a scan that is not undone, whoever did it; None if there is none."""
    row = connection.execute(
        "SELECT a.id, a.uuid, a.what, a.line_id, l.object_key, a.actor FROM zooscan_actions AS a "
        "LEFT JOIN zooscan_lines AS l ON l.id = a.line_id WHERE a.scan_id = ? AND a.undone_utc IS NULL ORDER BY a.id DESC LIMIT 1",
        (scan_id,),
    ).fetchone()
    return None if row is None else UndoableAction._make(row)


def undoable_named(connection: Connection, scan_id: int, uuid: str) -> UndoableAction | None:
    """An action about a scan by its uuid, if it stands; None if there is no such action or it was taken back."""
    row = connection.execute(
        "SELECT a.id, a.uuid, a.what, a.line_id, l.object_key, a.actor FROM zooscan_actions AS a "
        "LEFT JOIN zooscan_lines AS l ON l.id = a.line_id WHERE a.scan_id = ? AND a.uuid = ? AND a.undone_utc IS NULL",
        (scan_id, uuid),
    ).fetchone()
    return None if row is None else UndoableAction._make(row)


def undo(connection: Connection, scan_id: int, action: UndoableAction, *, run_id: int, actor: str) -> None:
    """Take an action back: its decisions stand no more, its line is erased or stands again.

    Args:
        run_id: the scan's current run; a separator's line of an earlier one belongs to it from now on.
    """
    now = utc_now()
    connection.execute(
        "UPDATE zooscan_actions SET undone_by = ?, undone_utc = ? WHERE id = ? AND undone_utc IS NULL", (actor, now, action.id)
    )
    if action.what == "decide":
        connection.execute("UPDATE zooscan_decisions SET undone_by = ?, undone_utc = ? WHERE action_id = ?", (actor, now, action.id))
    elif action.what == "draw" and action.line_id is not None:
        _set_erased(connection, action.line_id, actor)
    elif action.line_id is not None:
        connection.execute(
            "UPDATE zooscan_lines SET erased_by = NULL, erased_utc = NULL, run_id = CASE WHEN is_human THEN NULL ELSE ? END WHERE id = ?",
            (run_id, action.line_id),
        )
    put_out(connection, "zooscan_undo", action.uuid)
    audit.append(connection, actor, "zooscan_undo", f"zooscan_scan/{scan_id}", {"action": action.id, "what": action.what})


def sign(connection: Connection, scan_id: int, *, run_id: int, objects: int, multiples: int, content_sha256: str, actor: str) -> int:
    """Somebody answers for the check of a scan, which is frozen from now on. Returns the signature's id."""
    uuid = uuid7()
    cursor = connection.execute(
        "INSERT INTO zooscan_signatures (uuid, scan_id, run_id, objects, multiples, content_sha256, actor, signed_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (uuid, scan_id, run_id, objects, multiples, content_sha256, actor, utc_now()),
    )
    detail = {"objects": objects, "multiples": multiples, "content_sha256": content_sha256}
    audit.append(connection, actor, "zooscan_sign", f"zooscan_scan/{scan_id}", detail)
    put_out(connection, "zooscan_signature", uuid)
    return int(cursor.lastrowid or 0)


def withdraw(connection: Connection, scan_id: int, *, reason: str, actor: str) -> bool:
    """Take the standing signature back. False if there is none."""
    row = connection.execute("SELECT id, uuid FROM zooscan_signatures WHERE scan_id = ? AND withdrawn_utc IS NULL", (scan_id,)).fetchone()
    if row is None:
        return False
    connection.execute(
        "UPDATE zooscan_signatures SET withdrawn_by = ?, withdrawn_utc = ?, withdrawn_reason = ? WHERE id = ?",
        (actor, utc_now(), reason, row["id"]),
    )
    audit.append(connection, actor, "zooscan_withdraw", f"zooscan_scan/{scan_id}", {"reason": reason})
    put_out(connection, "zooscan_withdrawal", row["uuid"])
    return True


def _begin(connection: Connection, scan_id: int, what: What, *, actor: str, uuid: str | None, line_id: int | None = None) -> int:
    name = uuid or uuid7()
    cursor = connection.execute(
        "INSERT INTO zooscan_actions (uuid, scan_id, what, line_id, actor, done_utc) VALUES (?, ?, ?, ?, ?, ?)",
        (name, scan_id, what, line_id, actor, utc_now()),
    )
    put_out(connection, "zooscan_action", name)
    return int(cursor.lastrowid or 0)


def _set_erased(connection: Connection, line_id: int, actor: str) -> None:
    connection.execute(
        "UPDATE zooscan_lines SET erased_by = ?, erased_utc = ? WHERE id = ? AND erased_utc IS NULL", (actor, utc_now(), line_id)
    )
