"""Tows that people count or have counted here: what maps their stills to seconds changes only with a reason.

The minutes of a count are those of the start of line, the camera's offset and the files that there were. Who changes one of these while a
count stands says why; that is in the audit trail, and the counts are flagged where they are compared and used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from edge.errors import ReasonNeededError
from edge.store import audit
from edge.store.sqlite import Connection

_COUNTED = "SELECT tow_id FROM counts WHERE state <> 'set_aside' AND origin = 'counted'"


def counted_tows(connection: Connection) -> set[int]:
    """Tows that have a count which was begun or signed here and stands."""
    return {row[0] for row in connection.execute(_COUNTED)}


def counted_tows_of_survey(connection: Connection, survey_id: int) -> set[int]:
    """Those of one survey that have files: a change of its cameras can concern them."""
    rows = connection.execute(
        "SELECT t.id FROM tows AS t JOIN stations AS s ON s.id = t.station_id WHERE s.survey_id = ? "
        f"AND t.id IN ({_COUNTED}) AND EXISTS (SELECT 1 FROM tow_images AS m WHERE m.tow_id = t.id)",
        (survey_id,),
    )
    return {row[0] for row in rows}


def check_reason(connection: Connection, tow_ids: Iterable[int], reason: str, *, what: str, actor: str) -> None:
    """Ask for a reason if a change concerns a counted tow; one that is given goes into the audit trail.

    Args:
        connection: the writer's.
        tow_ids: the tows that the change concerns.
        reason: what the person said, "" for nothing.
        what: the thing that changes, such as "the start of line".
        actor: who changes it.

    Raises:
        ReasonNeededError: counts stand and there is no reason.
    """
    rows = connection.execute(
        "SELECT t.id, s.name AS station, group_concat(DISTINCT c.counter) AS counters FROM tows AS t "
        "JOIN stations AS s ON s.id = t.station_id JOIN counts AS c ON c.tow_id = t.id "
        "WHERE t.id IN (SELECT value FROM json_each(?)) AND c.state <> 'set_aside' AND c.origin = 'counted' GROUP BY t.id ORDER BY t.id",
        (json.dumps(sorted(set(tow_ids))),),
    ).fetchall()
    if not rows:
        return
    if not reason.strip():
        more = f" and of {len(rows) - 1} more stations" if len(rows) > 1 else ""
        counters = ", ".join(sorted(rows[0]["counters"].split(",")))
        raise ReasonNeededError(f"{what} of station {rows[0]['station']}{more} is what counts by {counters} were made by")
    for row in rows:
        audit.append(connection, actor, "counted_tow_change", f"tow/{row['id']}", {"what": what, "reason": reason.strip()})
