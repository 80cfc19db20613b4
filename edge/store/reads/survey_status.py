"""How far a survey is: per tow what there is of footage and of counts. Nothing here tells what anybody counted."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class TowProgress(NamedTuple):
    """How far a tow is. `opened` and `signed` are counts that stand; `revealed` those that everybody may read."""

    station_id: int
    tow_id: int
    images: int
    opened: int
    signed: int
    revealed: int


class ProtocolUse(NamedTuple):
    """How much was counted under a version of the rules."""

    protocol_id: int
    counts: int
    tows: int


def progress(connection: Connection, survey_id: int | None) -> dict[int, TowProgress]:
    """How far each tow of a survey is, by the tow's id; None: of the drafts without a survey."""
    rows = connection.execute(
        "SELECT t.id AS station_id, w.id AS tow_id, "
        "(SELECT count(*) FROM tow_images AS m WHERE m.tow_id = w.id) AS images, "
        "(SELECT count(*) FROM counts AS c WHERE c.tow_id = w.id AND c.state <> 'set_aside') AS opened, "
        "(SELECT count(*) FROM counts AS c WHERE c.tow_id = w.id AND c.state = 'signed') AS signed, "
        "(SELECT count(*) FROM counts AS c WHERE c.tow_id = w.id AND c.state <> 'set_aside' AND c.revealed_utc IS NOT NULL) AS revealed "
        "FROM tows AS w JOIN stations AS t ON t.id = w.station_id WHERE t.survey_id IS ? ORDER BY w.id",
        (survey_id,),
    )
    return {one.tow_id: one for one in as_values(TowProgress, rows)}


def protocol_uses(connection: Connection, survey_id: int) -> dict[int, ProtocolUse]:
    """How much stands under each version of a survey's rules, by the protocol's id; those without any count are left out."""
    rows = connection.execute(
        "SELECT c.protocol_id, count(*) AS counts, count(DISTINCT c.tow_id) AS tows FROM counts AS c "
        "JOIN protocols AS p ON p.id = c.protocol_id WHERE p.survey_id = ? AND c.state <> 'set_aside' GROUP BY c.protocol_id",
        (survey_id,),
    )
    return {one.protocol_id: one for one in as_values(ProtocolUse, rows)}


def all_last_entries(connection: Connection, survey_id: int | None) -> dict[int, dict[str, str]]:
    """What stands in every sheet of a survey, to the letter: tow -> field -> text."""
    rows = connection.execute(
        "SELECT e.tow_id, e.field, e.value FROM entries AS e WHERE e.id IN (SELECT max(n.id) FROM entries AS n "
        "JOIN tows AS w ON w.id = n.tow_id JOIN stations AS t ON t.id = w.station_id WHERE t.survey_id IS ? GROUP BY n.tow_id, n.field)",
        (survey_id,),
    )
    sheets: dict[int, dict[str, str]] = {}
    for row in rows:
        sheets.setdefault(row["tow_id"], {})[row["field"]] = row["value"]
    return sheets
