"""Counts as pages, estimates and exports read them. What is in a count stands here only once it was revealed.

Until then the one thing that these rows tell is who counts and how far along the signatures are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from edge.store.sqlite import Connection, Row


class CountedMinute(NamedTuple):
    """One minute of a revealed count.

    `lost_s`: seconds in which nothing could be counted. `nephrops_in`, `nephrops_out`: None where they were not recorded.
    """

    minute: int
    systems: float
    lost_s: float
    nephrops_in: int | None
    nephrops_out: int | None
    note: str


class CountMark(NamedTuple):
    """One click of a revealed count. `x_fraction` and `y_fraction` of the frame, None where there was no frame to click on."""

    image_id: int | None
    at_s: float
    minute: int
    feature: str
    x_fraction: float | None
    y_fraction: float | None
    marked_utc: str


class CountRow(NamedTuple):
    """A counter's count of a tow.

    Attributes:
        state: "open", "signed" or "set_aside".
        origin: "counted" here, or "imported" from a table.
        minutes: minute -> what was counted; filled only for revealed counts.
        not_blind: why its counter could know what others or a model found; "" for a blind count. No estimate uses one that is not.
        clock_json: what mapped stills to seconds when it was signed (`edge.survey.counting.clock`); None before, and for a table's.
        stalled: of an open count, why its counter cannot go on with it, such as "account retired"; "" where they can.
    """

    id: int
    uuid: str
    tow_id: int
    protocol_id: int
    counter: str
    person_id: int | None
    ordinal: int
    state: str
    origin: str
    opened_utc: str
    signed_utc: str | None
    revealed_utc: str | None
    set_aside_reason: str
    minutes: Mapping[int, CountedMinute]
    not_blind: str = ""
    clock_json: str | None = None
    stalled: str = ""


_COUNT = (
    "SELECT id, uuid, tow_id, protocol_id, counter, person_id, ordinal, state, origin, opened_utc, signed_utc, revealed_utc, "
    "set_aside_reason, not_blind, clock_json, coalesce((SELECT CASE WHEN state <> 'open' THEN '' WHEN p.retired_utc IS NOT NULL "
    "THEN 'account retired' WHEN p.role = 'view' THEN 'may not count any more' END FROM people AS p WHERE p.id = person_id), '') "
    "FROM counts "
)
_SHOWN = 13  # columns before the minutes


def revealed_counts(connection: Connection, tow_id: int) -> tuple[CountRow, ...]:
    """The counts of a tow that everybody may read and that stand, in the order in which they were opened."""
    query = _COUNT + "WHERE tow_id = ? AND revealed_utc IS NOT NULL AND state <> 'set_aside' ORDER BY ordinal, id"
    return tuple(_row(connection, row) for row in connection.execute(query, (tow_id,)).fetchall())


def counts_of_tow(connection: Connection, tow_id: int) -> tuple[CountRow, ...]:
    """Every count of a tow, those set aside too; `minutes` is empty for what is still sealed."""
    rows = connection.execute(_COUNT + "WHERE tow_id = ? ORDER BY ordinal, id", (tow_id,)).fetchall()
    return tuple(_row(connection, row) for row in rows)


def count(connection: Connection, count_id: int) -> CountRow | None:
    """One count, or None if there is no such id."""
    row = connection.execute(_COUNT + "WHERE id = ?", (count_id,)).fetchone()
    return None if row is None else _row(connection, row)


def signed_counts_of_person(connection: Connection, person_id: int, survey_id: int) -> tuple[tuple[CountRow, str], ...]:
    """What a person has signed in a survey and that stands, each with the name of its station."""
    rows = connection.execute(
        "SELECT c.id, s.name FROM counts AS c JOIN tows AS t ON t.id = c.tow_id JOIN stations AS s ON s.id = t.station_id "
        "WHERE c.person_id = ? AND s.survey_id = ? AND c.state = 'signed' ORDER BY c.id",
        (person_id, survey_id),
    ).fetchall()
    found = [(count(connection, row[0]), str(row[1])) for row in rows]
    return tuple((one, station) for one, station in found if one is not None)


def signers(connection: Connection, survey_id: int) -> tuple[int, ...]:
    """Ids of the people who have signed a count in a survey that stands."""
    rows = connection.execute(
        "SELECT DISTINCT c.person_id FROM counts AS c JOIN tows AS t ON t.id = c.tow_id JOIN stations AS s ON s.id = t.station_id "
        "WHERE s.survey_id = ? AND c.state = 'signed' AND c.person_id IS NOT NULL ORDER BY c.person_id",
        (survey_id,),
    )
    return tuple(row[0] for row in rows)


def marks_of_count(connection: Connection, count_id: int) -> tuple[CountMark, ...]:
    """The clicks of a revealed count, along the tow; none for a sealed one and for one that was typed."""
    rows = connection.execute(
        "SELECT m.image_id, m.at_s, m.minute, m.feature, m.x_fraction, m.y_fraction, m.marked_utc "
        "FROM count_marks AS m JOIN counts AS c ON c.id = m.count_id "
        "WHERE m.count_id = ? AND c.revealed_utc IS NOT NULL ORDER BY m.at_s, m.id",
        (count_id,),
    )
    return tuple(CountMark(*row) for row in rows)


def _row(connection: Connection, row: Row) -> CountRow:
    values = tuple(row)
    found = CountRow._make((*values[:_SHOWN], {}, *values[_SHOWN:]))
    if found.revealed_utc is None:
        return found
    minutes = connection.execute(
        "SELECT minute, systems, lost_s, nephrops_in, nephrops_out, note FROM count_minutes WHERE count_id = ? ORDER BY minute", (found.id,)
    )
    return found._replace(minutes={one[0]: CountedMinute(*one) for one in minutes})
