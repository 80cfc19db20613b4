"""What people type into station sheets, row after row and to the letter; nothing here is ever changed or deleted.

Functions take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.sqlite import Connection

FILE_SOURCE = "file "


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What was typed into a field; `fault` says why it cannot be read, None if it can."""

    field: str
    value: str
    fault: str | None


def add_entries(connection: Connection, tow_id: int, entries: Iterable[NewEntry], *, source: str, actor: str) -> list[int]:
    """Keep what was typed into a tow's sheet. Returns the entries' ids.

    Args:
        source: "page", "api", "undo", or `FILE_SOURCE` and the name of the file.
    """
    now = utc_now()
    insert = "INSERT INTO entries (tow_id, field, value, fault, source, entered_by, entered_utc) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
    rows = [(tow_id, entry.field, entry.value, entry.fault, source, actor, now) for entry in entries]
    return [int(connection.execute(insert, row).fetchone()[0]) for row in rows]


def last_imported(connection: Connection, tow_id: int) -> dict[str, str]:
    """What an imported file last said in each field of a tow's sheet, whatever was typed since."""
    rows = connection.execute(
        "SELECT field, value FROM entries WHERE id IN "
        "(SELECT max(id) FROM entries WHERE tow_id = ? AND substr(source, 1, ?) = ? GROUP BY field)",
        (tow_id, len(FILE_SOURCE), FILE_SOURCE),
    )
    return {row["field"]: row["value"] for row in rows}


def set_ground(connection: Connection, station_id: int, ground_id: int | None, *, actor: str) -> None:
    """Say which ground a station is on."""
    cursor = connection.execute("UPDATE stations SET ground_id = ? WHERE id = ? AND ground_id IS NOT ?", (ground_id, station_id, ground_id))
    if cursor.rowcount:
        audit.append(connection, actor, "station_ground", f"station/{station_id}", {"ground_id": ground_id})


def set_planned_place(connection: Connection, station_id: int, planned_deg: tuple[float | None, float | None], *, actor: str) -> None:
    """Say where a station is planned, in degrees north and east; None where nobody says."""
    latitude, longitude = planned_deg
    cursor = connection.execute(
        "UPDATE stations SET planned_latitude_deg = ?, planned_longitude_deg = ? "
        "WHERE id = ? AND (planned_latitude_deg, planned_longitude_deg) IS NOT (?, ?)",
        (latitude, longitude, station_id, latitude, longitude),
    )
    if cursor.rowcount:
        detail = {"latitude_deg": latitude, "longitude_deg": longitude}
        audit.append(connection, actor, "station_plan", f"station/{station_id}", detail)


def adopt_station(connection: Connection, station_id: int, survey_id: int, *, actor: str) -> None:
    """A draft is in a station sheet, or a person says which survey it belongs to: from now on it is a station of that survey."""
    cursor = connection.execute(
        "UPDATE stations SET survey_id = ?, is_draft = 0 WHERE id = ? AND (is_draft = 1 OR survey_id IS NOT ?)",
        (survey_id, station_id, survey_id),
    )
    if cursor.rowcount:
        audit.append(connection, actor, "station_adopt", f"station/{station_id}", {"survey_id": survey_id})
