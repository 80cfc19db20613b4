"""What people decided about the openings of earlier analyses of a tow."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.footage import AnalysisRow, analysis_by_id
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class EarlierOpening(NamedTuple):
    """An opening of an earlier analysis as it was left.

    Attributes:
        decision_id: the row that decided; None where nobody did, took it back, or where it lives on in a later analysis.
        group_id: the row that people grouped or split it by; None where the proposal held, or where it lives on.
        system: number of the system that it was left in.
    """

    id: int
    uuid: str
    ordinal: int
    at_s: float
    crossing_s: float | None
    decision_id: int | None
    decision: str | None
    decided_by: str | None
    decided_utc: str | None
    group_id: int | None
    grouped_by: str | None
    grouped_utc: str | None
    system: int | None


_NEWEST = "(SELECT {column} FROM {table} WHERE opening_id = o.id ORDER BY id DESC LIMIT 1)"
# Taken over into an analysis between this and the current one, and not undone there: it is decided about there.
_LIVES_ON = (
    "EXISTS (SELECT 1 FROM {table} AS c JOIN tow_openings AS n ON n.id = c.opening_id WHERE c.carried_from = {row} "
    "AND n.analysis_id <> :current AND NOT EXISTS (SELECT 1 FROM review_actions AS u WHERE u.undoes = c.action_id))"
)


def earlier_analyses(connection: Connection, analysis: AnalysisRow) -> tuple[AnalysisRow, ...]:
    """Analyses of the same tow before this one that somebody has reviewed, the newest first."""
    rows = connection.execute(
        "SELECT a.id FROM tow_analyses AS a WHERE a.tow_id = ? AND a.id < ? AND a.sealed IS NULL "
        "AND EXISTS (SELECT 1 FROM review_actions AS r WHERE r.analysis_id = a.id) ORDER BY a.id DESC",
        (analysis.tow_id, analysis.id),
    ).fetchall()
    return tuple(found for row in rows if (found := analysis_by_id(connection, row[0])) is not None)


def left_openings(connection: Connection, analysis_id: int, *, current_id: int) -> tuple[EarlierOpening, ...]:
    """The openings of an analysis as they were left, in the order of the tow; what lives on in a later one but `current_id` is None."""
    decided, grouped = (
        _LIVES_ON.format(table=table, row=f"{name}.id") for table, name in (("opening_decisions", "d"), ("opening_groups", "g"))
    )
    rows = connection.execute(
        "SELECT o.id, o.uuid, o.ordinal, coalesce(o.crossing_s, o.last_s) AS at_s, o.crossing_s, "
        f"CASE WHEN d.decision <> 'cleared' AND NOT {decided} THEN d.id END AS decision_id, nullif(d.decision, 'cleared') AS decision, "
        "d.decided_by, d.decided_utc, "
        f"CASE WHEN g.system_number IS NOT NULL AND NOT {grouped} THEN g.id END AS group_id, g.grouped_by, g.grouped_utc, "
        "coalesce(g.system_number, s.ordinal) AS system FROM tow_openings AS o LEFT JOIN tow_systems AS s ON s.id = o.system_id "
        f"LEFT JOIN opening_decisions AS d ON d.id = {_NEWEST.format(column='id', table='opening_decisions')} "
        f"LEFT JOIN opening_groups AS g ON g.id = {_NEWEST.format(column='id', table='opening_groups')} "
        "WHERE o.analysis_id = :analysis ORDER BY o.ordinal",
        {"analysis": analysis_id, "current": current_id},
    )
    return as_values(EarlierOpening, rows)


def grouped_openings(connection: Connection, analysis_id: int) -> frozenset[int]:
    """Openings of an analysis that people have grouped or split in it, as it stands."""
    rows = connection.execute(
        f"SELECT o.id FROM tow_openings AS o WHERE o.analysis_id = ? AND {_NEWEST.format(column='system_number', table='opening_groups')} "
        "IS NOT NULL",
        (analysis_id,),
    )
    return frozenset(row[0] for row in rows)


def first_opening(connection: Connection, analysis_id: int) -> int | None:
    """The id of an analysis' first opening: another one after its rows were sealed and came back."""
    row = connection.execute("SELECT id FROM tow_openings WHERE analysis_id = ? ORDER BY ordinal LIMIT 1", (analysis_id,)).fetchone()
    return None if row is None else int(row[0])
