"""What is kept of tables of others, and what tables are made from: nothing here is sealed, for only revealed counts have rows."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class KeptMinute(NamedTuple):
    """What a Recounts table says of a counter's minute beyond the count. Times are seconds since the start of the tow."""

    minute: int
    stopped_s: float | None
    went_on_s: float | None
    unusable: int | None
    table_row: str


class KeptMark(NamedTuple):
    """A click of an imported table. `marked_local` is a clock's of unknown zone, verbatim; fractions of the frame."""

    at_s: float
    minute: int
    feature: str
    x_fraction: float | None
    y_fraction: float | None
    marked_local: str
    still_number: int | None


class MarkRow(NamedTuple):
    """A click of a revealed count, imported or not, with its frame's size where the image is known here."""

    at_s: float
    minute: int
    feature: str
    x_fraction: float | None
    y_fraction: float | None
    marked_utc: str | None
    marked_local: str | None
    still_number: int | None
    width_px: int | None
    height_px: int | None


class TableRowRow(NamedTuple):
    """What a table of stations says of a tow, beside what was counted here.

    Attributes:
        format: the dialect, such as "mi-fu2021".
        width_m: area over distance, or FOVMultiplier.
        latitude_deg, longitude_deg: of the middle of the tow.
        cells_json: the row as it was written, by column.
    """

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
    file_name: str
    sha256: str


_ROW = (
    "SELECT r.tow_id, r.format, r.row_number, r.systems, r.distance_m, r.width_m, r.raw_per_m2, r.adjusted_per_m2, r.latitude_deg, "
    "r.longitude_deg, r.cells_json, i.file_name, i.sha256 FROM table_rows AS r JOIN table_imports AS i ON i.id = r.import_id "
)


def table_rows(connection: Connection, survey_id: int) -> tuple[TableRowRow, ...]:
    """Every row that tables of stations brought into a survey, as the tables order them."""
    return as_values(TableRowRow, connection.execute(_ROW + "WHERE i.survey_id = ? ORDER BY r.import_id, r.row_number", (survey_id,)))


def table_rows_of_tow(connection: Connection, tow_id: int) -> tuple[TableRowRow, ...]:
    """What tables of stations say of one tow."""
    return as_values(TableRowRow, connection.execute(_ROW + "WHERE r.tow_id = ? ORDER BY r.import_id, r.row_number", (tow_id,)))


def kept_minutes(connection: Connection, count_id: int) -> dict[int, KeptMinute]:
    """What its table says of a count's minutes."""
    rows = connection.execute(
        "SELECT m.minute, m.stopped_s, m.went_on_s, m.unusable, m.table_row FROM count_minutes AS m JOIN counts AS c ON c.id = m.count_id "
        "WHERE m.count_id = ? AND c.revealed_utc IS NOT NULL",
        (count_id,),
    )
    return {row[0]: KeptMinute._make(row) for row in rows}


def largest_row_id(connection: Connection, survey_id: int) -> int:
    """The largest number that a row of a Recounts table taken into the survey has for its key; 0 where none has one."""
    rows = connection.execute(
        "SELECT m.table_row FROM count_minutes AS m JOIN counts AS c ON c.id = m.count_id JOIN tows AS w ON w.id = c.tow_id "
        "JOIN stations AS t ON t.id = w.station_id WHERE t.survey_id = ? AND c.origin = 'imported' AND c.revealed_utc IS NOT NULL "
        "AND c.state <> 'set_aside' AND m.table_row GLOB '[0-9]*' AND length(m.table_row) < 16",
        (survey_id,),
    )
    return max((int(row[0]) for row in rows if row[0].isascii() and row[0].isdecimal()), default=0)


def operators(connection: Connection, tow_id: int) -> dict[int, str]:
    """Count -> the number that an imported table knows its counter by, for the counts that have one."""
    return dict(connection.execute("SELECT id, operator FROM counts WHERE tow_id = ? AND operator <> ''", (tow_id,)).fetchall())


def marks(connection: Connection, count_id: int) -> tuple[MarkRow, ...]:
    """The clicks of a revealed count in the order in which they were kept."""
    rows = connection.execute(
        "SELECT m.at_s, m.minute, m.feature, m.x_fraction, m.y_fraction, m.marked_utc, m.marked_local, m.still_number, i.width_px, "
        "i.height_px FROM count_marks AS m JOIN counts AS c ON c.id = m.count_id LEFT JOIN images AS i ON i.id = m.image_id "
        "WHERE m.count_id = ? AND c.revealed_utc IS NOT NULL ORDER BY m.id",
        (count_id,),
    )
    return tuple(MarkRow._make(row) for row in rows)


def mark_counts(connection: Connection, survey_id: int) -> dict[int, int]:
    """Count -> how many clicks it has, for the revealed counts of a survey that have any."""
    rows = connection.execute(
        "SELECT c.id, count(*) FROM counts AS c JOIN count_marks AS m ON m.count_id = c.id JOIN tows AS w ON w.id = c.tow_id "
        "JOIN stations AS t ON t.id = w.station_id WHERE t.survey_id = ? AND c.revealed_utc IS NOT NULL GROUP BY c.id",
        (survey_id,),
    )
    return dict(rows.fetchall())


def reference_marks(connection: Connection, tow_id: int) -> tuple[tuple[str, KeptMark], ...]:
    """The clicks of a tow's reference, each with the number of whoever made it, in the order in which they were kept."""
    rows = connection.execute(
        "SELECT operator, at_s, minute, feature, x_fraction, y_fraction, marked_local, still_number FROM reference_marks "
        "WHERE tow_id = ? ORDER BY id",
        (tow_id,),
    )
    return tuple((row[0], KeptMark._make(tuple(row)[1:])) for row in rows)


def reference_minutes(connection: Connection, tow_id: int) -> dict[int, float]:
    """Minute -> systems of a tow's reference; empty where it has none."""
    return dict(connection.execute("SELECT minute, systems FROM reference_minutes WHERE tow_id = ? ORDER BY minute", (tow_id,)).fetchall())


def is_counted_blind(connection: Connection, tow_id: int) -> bool:
    """Whether somebody's count of a tow is still sealed."""
    query = "SELECT 1 FROM counts WHERE tow_id = ? AND sealed IS NOT NULL AND state <> 'set_aside'"
    return connection.execute(query, (tow_id,)).fetchone() is not None


class ImportRow(NamedTuple):
    """A table of others that was read into a survey."""

    id: int
    format: str
    file_name: str
    sha256: str
    imported_by: str
    imported_utc: str


def imports(connection: Connection, survey_id: int) -> tuple[ImportRow, ...]:
    """The tables that were read into a survey, the newest first."""
    query = "SELECT id, format, file_name, sha256, imported_by, imported_utc FROM table_imports WHERE survey_id = ? ORDER BY id DESC"
    return tuple(ImportRow._make(row) for row in connection.execute(query, (survey_id,)))
