"""What people decide about the openings that a model found: accepted, rejected, unsure, and which of them are one system.

Nothing is ever overwritten: each action adds rows, of an opening's rows the newest holds, and to undo an action is to add rows that
say what held before it. Functions take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection

Decision = Literal["accepted", "rejected", "unsure", "cleared"]
What = Literal["decide", "group", "split", "carry", "undo"]


def decide(connection: Connection, analysis_id: int, opening_ids: Sequence[int], *, decision: Decision, actor: str) -> int:
    """Decide about openings of an analysis. Returns the id of the action."""
    action_id = _begin(connection, analysis_id, "decide", actor)
    _add_decisions(connection, action_id, [(one, decision) for one in opening_ids], actor)
    detail = {"analysis": analysis_id, "decision": decision, "openings": list(opening_ids)}
    audit.append(connection, actor, "openings_decided", f"review_action/{action_id}", detail)
    return action_id


def group(connection: Connection, analysis_id: int, opening_ids: Sequence[int], *, actor: str) -> int:
    """Let these openings, and no others, be one system with a number that nothing of the analysis has had. Returns the action's id."""
    number = next_system_number(connection, analysis_id)
    return _regroup(connection, analysis_id, "group", [(one, number) for one in opening_ids], actor)


def split(connection: Connection, analysis_id: int, opening_ids: Sequence[int], *, actor: str) -> int:
    """Let each of these openings be a system of its own. Returns the id of the action."""
    first = next_system_number(connection, analysis_id)
    return _regroup(connection, analysis_id, "split", [(one, first + place) for place, one in enumerate(opening_ids)], actor)


def carry(
    connection: Connection,
    analysis_id: int,
    decisions: Sequence[tuple[int, str, int]],
    groups: Sequence[Sequence[tuple[int, int]]],
    *,
    actor: str,
) -> int:
    """Take over what was decided about an earlier analysis, as one action. Returns its id.

    Args:
        decisions: (opening, decision, the earlier row that said so).
        groups: systems, each as (opening, the earlier row that put it there); a single one was split from the others.
    """
    action_id = _begin(connection, analysis_id, "carry", actor)
    now, first = utc_now(), next_system_number(connection, analysis_id)
    connection.executemany(
        "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc, action_id, carried_from) VALUES (?, ?, ?, ?, ?, ?)",
        [(opening, decision, actor, now, action_id, source) for opening, decision, source in decisions],
    )
    connection.executemany(
        "INSERT INTO opening_groups (opening_id, system_number, grouped_by, grouped_utc, action_id, carried_from) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [(opening, first + place, actor, now, action_id, source) for place, one in enumerate(groups) for opening, source in one],
    )
    detail = {"analysis": analysis_id, "decisions": [opening for opening, _, _ in decisions], "groups": len(groups)}
    audit.append(connection, actor, "decisions_carried", f"review_action/{action_id}", detail)
    return action_id


def undo(connection: Connection, action_id: int, *, actor: str) -> tuple[int, ...]:
    """Let hold again what held before an action, but for openings about which somebody has decided since. Returns the others."""
    (analysis_id,) = connection.execute("SELECT analysis_id FROM review_actions WHERE id = ?", (action_id,)).fetchone()
    undoing = _begin(connection, analysis_id, "undo", actor, undoes=action_id)
    decided = _before(connection, "opening_decisions", "decision", action_id)
    grouped = _before(connection, "opening_groups", "system_number", action_id)
    _add_decisions(connection, undoing, [(opening, value or "cleared") for opening, value in decided], actor)
    _add_groups(connection, undoing, grouped, actor)
    changed = tuple(opening for opening, _ in (*decided, *grouped))
    detail = {"analysis": analysis_id, "undoes": action_id, "openings": list(changed)}
    audit.append(connection, actor, "review_undone", f"review_action/{undoing}", detail)
    return changed


def last_undoable(connection: Connection, analysis_id: int, actor: str) -> int | None:
    """The newest action of somebody that is not undone; None if there is none."""
    row = connection.execute(
        "SELECT a.id FROM review_actions AS a WHERE a.analysis_id = ? AND a.done_by = ? AND a.what <> 'undo' "
        "AND NOT EXISTS (SELECT 1 FROM review_actions AS u WHERE u.undoes = a.id) ORDER BY a.id DESC LIMIT 1",
        (analysis_id, actor),
    ).fetchone()
    return None if row is None else int(row[0])


def next_system_number(connection: Connection, analysis_id: int) -> int:
    """A number above those of the proposed systems and of everything that people grouped."""
    row = connection.execute(
        "SELECT max(coalesce((SELECT max(ordinal) FROM tow_systems WHERE analysis_id = ?1), 0), "
        "coalesce((SELECT max(g.system_number) FROM opening_groups AS g JOIN tow_openings AS o ON o.id = g.opening_id "
        "WHERE o.analysis_id = ?1), 0))",
        (analysis_id,),
    ).fetchone()
    return int(row[0]) + 1


def _begin(connection: Connection, analysis_id: int, what: What, actor: str, *, undoes: int | None = None) -> int:
    uuid = uuid7()
    row = connection.execute(
        "INSERT INTO review_actions (uuid, analysis_id, what, undoes, done_by, done_utc) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (uuid, analysis_id, what, undoes, actor, utc_now()),
    ).fetchone()
    put_out(connection, "review_action", uuid)
    return int(row[0])


def _regroup(connection: Connection, analysis_id: int, what: What, numbered: Sequence[tuple[int, int]], actor: str) -> int:
    action_id = _begin(connection, analysis_id, what, actor)
    _add_groups(connection, action_id, numbered, actor)
    detail = {"analysis": analysis_id, "what": what, "openings": [opening for opening, _ in numbered]}
    audit.append(connection, actor, "openings_grouped", f"review_action/{action_id}", detail)
    return action_id


def _add_decisions(connection: Connection, action_id: int, decided: Sequence[tuple[int, str]], actor: str) -> None:
    now = utc_now()
    connection.executemany(
        "INSERT INTO opening_decisions (opening_id, decision, decided_by, decided_utc, action_id) VALUES (?, ?, ?, ?, ?)",
        [(opening, decision, actor, now, action_id) for opening, decision in decided],
    )


def _add_groups(connection: Connection, action_id: int, grouped: Sequence[tuple[int, int | None]], actor: str) -> None:
    now = utc_now()
    connection.executemany(
        "INSERT INTO opening_groups (opening_id, system_number, grouped_by, grouped_utc, action_id) VALUES (?, ?, ?, ?, ?)",
        [(opening, number, actor, now, action_id) for opening, number in grouped],
    )


def _before(connection: Connection, table: str, column: str, action_id: int) -> list[tuple[int, Any]]:
    """Opening -> what held before an action, where nothing that stands was done since.

    Undone actions and undos cancel each other, so neither counts: an action under an undone one can be taken back too.
    """
    stands = (
        "NOT EXISTS (SELECT 1 FROM review_actions AS x WHERE x.id = {0}.action_id AND (x.what = 'undo' "
        "OR EXISTS (SELECT 1 FROM review_actions AS u WHERE u.undoes = x.id)))"
    )
    rows = connection.execute(
        f"SELECT n.opening_id, (SELECT b.{column} FROM {table} AS b WHERE b.opening_id = n.opening_id AND b.id < n.id "
        f"AND {stands.format('b')} ORDER BY b.id DESC LIMIT 1) FROM {table} AS n WHERE n.action_id = ? AND NOT EXISTS "
        f"(SELECT 1 FROM {table} AS l WHERE l.opening_id = n.opening_id AND l.id > n.id AND {stands.format('l')}) ORDER BY n.id",
        (action_id,),
    )
    return [(row[0], row[1]) for row in rows]
