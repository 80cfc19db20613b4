"""Tables of others, as they are kept: the file that they came from, rows of stations, clicks of a reference, what a row says more.

Functions take the writer's connection, inside the writer's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.reads.tables import KeptMark, KeptMinute
from edge.store.sqlite import Connection


class NewTableRow(NamedTuple):
    """A station's row; see `edge.store.reads.tables.TableRowRow` for what the figures are. `cells_json`: the row as it was written."""

    tow_id: int
    format: str
    row_number: int
    systems: float
    distance_m: float | None
    width_m: float | None
    raw_per_m2: float | None
    adjusted_per_m2: float | None
    latitude_deg: float | None
    longitude_deg: float | None
    cells_json: str


def add_import(connection: Connection, survey_id: int, format_name: str, file_name: str, sha256: str, *, actor: str) -> int:
    """Note that a file is read into a survey. Returns the id that its rows refer to."""
    row = connection.execute(
        "INSERT INTO table_imports (survey_id, format, file_name, sha256, imported_by, imported_utc) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING id",
        (survey_id, format_name, file_name, sha256, actor, utc_now()),
    ).fetchone()
    detail = {"import": int(row[0]), "format": format_name, "file": file_name, "sha256": sha256}
    audit.append(connection, actor, "table_import", f"survey/{survey_id}", detail)
    return int(row[0])


def add_rows(connection: Connection, import_id: int, rows: Iterable[NewTableRow]) -> None:
    """Keep rows of stations."""
    connection.executemany(
        "INSERT INTO table_rows (import_id, tow_id, format, row_number, systems, distance_m, width_m, raw_per_m2, adjusted_per_m2, "
        "latitude_deg, longitude_deg, cells_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((import_id, *row) for row in rows),
    )


def note_count(connection: Connection, count_id: int, import_id: int, operator: str, minutes: Sequence[KeptMinute]) -> None:
    """Say where an imported count is from, and what its table says of its minutes beyond what a count has."""
    connection.execute("UPDATE counts SET import_id = ?, operator = ? WHERE id = ?", (import_id, operator, count_id))
    connection.executemany(
        "UPDATE count_minutes SET stopped_s = ?2, went_on_s = ?3, unusable = ?4, table_row = ?5 WHERE count_id = ?6 AND minute = ?1",
        [(*minute, count_id) for minute in minutes],
    )


def add_marks(connection: Connection, count_id: int, marks: Iterable[KeptMark]) -> None:
    """Keep the clicks of an imported count."""
    connection.executemany(
        "INSERT INTO count_marks (count_id, at_s, minute, feature, x_fraction, y_fraction, marked_local, still_number) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((count_id, *mark) for mark in marks),
    )


def add_reference(
    connection: Connection,
    tow_id: int,
    import_id: int,
    *,
    operator: str,
    source: str,
    minutes: Mapping[int, float],
    marks: Iterable[KeptMark],
) -> None:
    """Keep a reference: systems by minute, and the clicks that they are counted from."""
    connection.executemany(
        "INSERT INTO reference_minutes (tow_id, minute, systems, source) VALUES (?, ?, ?, ?)",
        [(tow_id, minute, systems, source) for minute, systems in minutes.items()],
    )
    connection.executemany(
        "INSERT INTO reference_marks (tow_id, import_id, operator, at_s, minute, feature, x_fraction, y_fraction, marked_local, "
        "still_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((tow_id, import_id, operator, *mark) for mark in marks),
    )


def fill_survey(connection: Connection, survey_id: int, *, functional_unit: str, vessel: str, year: int | None, actor: str) -> None:
    """Give a survey what a table knows of it and nobody has typed yet; what is there stays."""
    row = connection.execute(
        "UPDATE surveys SET functional_unit = iif(functional_unit = '', ?, functional_unit), vessel = iif(vessel = '', ?, vessel), "
        "year = coalesce(year, ?) WHERE id = ?4 AND ((functional_unit = '' AND ?1 <> '') OR (vessel = '' AND ?2 <> '') OR "
        "(year IS NULL AND ?3 IS NOT NULL)) RETURNING functional_unit, vessel, year",
        (functional_unit, vessel, year, survey_id),
    ).fetchone()
    if row is not None:
        audit.append(connection, actor, "survey_set", f"survey/{survey_id}", dict(row))


def set_station_ground(connection: Connection, station_id: int, ground_id: int, *, actor: str) -> None:
    """Let a station lie on a ground, if it does not yet."""
    cursor = connection.execute("UPDATE stations SET ground_id = ? WHERE id = ? AND ground_id IS NULL", (ground_id, station_id))
    if cursor.rowcount:
        audit.append(connection, actor, "station_set", f"station/{station_id}", {"ground_id": ground_id})
