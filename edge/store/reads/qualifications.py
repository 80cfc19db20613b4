"""Reference sets and how people did on them. What the reference is stays with those who have signed their own count."""

from __future__ import annotations

import json
from typing import NamedTuple

from edge.store.facts import get_fact
from edge.store.sqlite import Connection

DEFAULT_CCC_LIMIT = 0.5


class QualificationRow(NamedTuple):
    """How a person did on a reference set, over the stations signed by then. `passed` under the rule of that day.

    `stations`: those that could be held against a reference; `detail_json` has how many were asked for, and each of them.
    """

    id: int
    person_id: int
    person: str
    survey_id: int
    survey: str
    ccc: float | None
    bias: float | None
    stations: int
    passed: bool
    detail_json: str
    at_utc: str


class QualificationRule(NamedTuple):
    """What a reference set asks for. `bars`: who has not passed may not count at all; else they are only marked.

    `stations`: how many of its stations have to be counted; None for all that have a reference.
    """

    ccc_limit: float
    bars: bool
    reason: str
    stations: int | None = None


_QUALIFICATION = (
    "SELECT q.id, q.person_id, p.name AS person, q.survey_id, s.name AS survey, q.ccc, q.bias, q.stations, q.passed, q.detail_json, "
    "q.at_utc "
    "FROM qualifications AS q JOIN people AS p ON p.id = q.person_id JOIN surveys AS s ON s.id = q.survey_id "
)


def reference_minutes(connection: Connection, tow_id: int) -> dict[int, float]:
    """Minute -> systems of the reference; empty if the tow has none."""
    rows = connection.execute("SELECT minute, systems FROM reference_minutes WHERE tow_id = ? ORDER BY minute", (tow_id,))
    return {row[0]: row[1] for row in rows}


def references(connection: Connection, survey_id: int) -> dict[int, dict[int, float]]:
    """Tow -> minute -> systems, of every tow of a set that has a reference."""
    rows = connection.execute(
        "SELECT r.tow_id, r.minute, r.systems FROM reference_minutes AS r JOIN tows AS t ON t.id = r.tow_id "
        "JOIN stations AS s ON s.id = t.station_id WHERE s.survey_id = ? ORDER BY r.tow_id, r.minute",
        (survey_id,),
    )
    found: dict[int, dict[int, float]] = {}
    for row in rows:
        found.setdefault(row[0], {})[row[1]] = row[2]
    return found


def qualifications(connection: Connection, survey_id: int) -> tuple[QualificationRow, ...]:
    """The last result of every person on a reference set, by name."""
    rows = connection.execute(
        _QUALIFICATION + "WHERE q.id IN (SELECT max(id) FROM qualifications WHERE survey_id = ? GROUP BY person_id) ORDER BY p.name",
        (survey_id,),
    )
    return tuple(_row(row) for row in rows)


def best_standing(connection: Connection, person_id: int) -> QualificationRow | None:
    """The last result of a person on each set, the best of these: one that was passed, else the newest; None without any."""
    rows = connection.execute(
        _QUALIFICATION + "WHERE q.id IN (SELECT max(id) FROM qualifications WHERE person_id = ? GROUP BY survey_id) "
        "ORDER BY q.passed DESC, q.id DESC LIMIT 1",
        (person_id,),
    )
    return next((_row(row) for row in rows), None)


def qualification_rule(connection: Connection, survey_id: int) -> QualificationRule:
    """What is asked for on a reference set, or of the counters of a survey."""
    kept = get_fact(connection, rule_fact(survey_id))
    if kept is None:
        return QualificationRule(DEFAULT_CCC_LIMIT, bars=False, reason="")
    return QualificationRule(**json.loads(kept))


def rule_fact(survey_id: int) -> str:
    """The name under which a survey's rule is kept."""
    return f"qualification_rule/{survey_id}"


def _row(row: tuple[object, ...]) -> QualificationRow:
    found = QualificationRow._make(row)
    return found._replace(passed=bool(found.passed))
