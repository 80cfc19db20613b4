"""What stands around a tow: its survey's cameras, how many images it has, second copies, and what was typed into its sheet."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class CameraRow(NamedTuple):
    """A camera of a survey.

    Attributes:
        time_offset_s: added to what the camera's clock said.
        folder_pattern: such as "*/{station}/*".
        laser_gap_m: between the beams at its sides, as measured on the sledge; None where nobody said so.
    """

    id: int
    survey_id: int
    name: str
    time_offset_s: float
    time_offset_source: str
    folder_pattern: str
    laser_gap_m: float | None = None
    laser_gap_source: str = ""


class EntryRow(NamedTuple):
    """What somebody typed into a field of a tow's sheet, verbatim. `fault` says why it cannot be read; None if it can."""

    id: int
    tow_id: int
    field: str
    value: str
    fault: str | None
    source: str
    entered_by: str
    entered_utc: str


class RawCopyRow(NamedTuple):
    """A second copy of a tow's raw media that was asked for."""

    id: int
    uuid: str
    tow_id: int
    destination: str
    state: str
    files: int
    size_bytes: int
    manifest_sha256: str | None
    detail: str
    asked_by: str
    asked_utc: str
    finished_utc: str | None


_CAMERA = "SELECT id, survey_id, name, time_offset_s, time_offset_source, folder_pattern, laser_gap_m, laser_gap_source FROM cameras "
_ENTRY = "SELECT id, tow_id, field, value, fault, source, entered_by, entered_utc FROM entries "
_COPY = (
    "SELECT id, uuid, tow_id, destination, state, files, size_bytes, manifest_sha256, detail, asked_by, asked_utc, finished_utc "
    "FROM raw_copies "
)


def cameras(connection: Connection, survey_id: int) -> tuple[CameraRow, ...]:
    """The cameras of a survey by name."""
    return as_values(CameraRow, connection.execute(_CAMERA + "WHERE survey_id = ? ORDER BY name", (survey_id,)))


def tow_image_counts(connection: Connection, survey_id: int | None) -> dict[int, int]:
    """How many images each tow of a survey has; tows without any are left out."""
    rows = connection.execute(
        "SELECT m.tow_id, count(*) FROM tow_images AS m JOIN tows AS w ON w.id = m.tow_id JOIN stations AS t ON t.id = w.station_id "
        "WHERE t.survey_id IS ? GROUP BY m.tow_id",
        (survey_id,),
    )
    return {row[0]: row[1] for row in rows}


class TowTotal(NamedTuple):
    """How many images of a tow were attached one way, and how many of them have no time in the tow."""

    how: str
    images: int
    timeless: int


def tow_totals(connection: Connection, tow_id: int) -> dict[str, TowTotal]:
    """How the images of a tow were attached."""
    rows = connection.execute(
        "SELECT how, count(*) AS images, sum(at_s IS NULL) AS timeless FROM tow_images WHERE tow_id = ? GROUP BY how ORDER BY how",
        (tow_id,),
    )
    return {one.how: one for one in as_values(TowTotal, rows)}


def last_entries(connection: Connection, tow_id: int) -> dict[str, EntryRow]:
    """What stands in each field of a tow's sheet now; fields that nobody filled are left out."""
    rows = connection.execute(
        _ENTRY + "WHERE id IN (SELECT max(id) FROM entries WHERE tow_id = ? GROUP BY field) ORDER BY field", (tow_id,)
    )
    return {entry.field: entry for entry in as_values(EntryRow, rows)}


def field_history(connection: Connection, tow_id: int, field: str | None = None) -> tuple[EntryRow, ...]:
    """Everything that was ever typed into a tow's sheet, or into one of its fields; the newest first."""
    rows = connection.execute(
        _ENTRY + "WHERE tow_id = :tow AND (:field IS NULL OR field = :field) ORDER BY id DESC", {"tow": tow_id, "field": field}
    )
    return as_values(EntryRow, rows)


def faulty_entries(connection: Connection, survey_id: int | None) -> tuple[EntryRow, ...]:
    """What stands in the sheets of a survey now and cannot be read."""
    rows = connection.execute(
        _ENTRY + "WHERE fault IS NOT NULL AND id IN (SELECT max(e.id) FROM entries AS e JOIN tows AS w ON w.id = e.tow_id "
        "JOIN stations AS t ON t.id = w.station_id WHERE t.survey_id IS ? GROUP BY e.tow_id, e.field) ORDER BY tow_id, field",
        (survey_id,),
    )
    return as_values(EntryRow, rows)


def raw_copies(connection: Connection, tow_id: int) -> tuple[RawCopyRow, ...]:
    """The second copies of a tow's raw media that were asked for, the newest first."""
    return as_values(RawCopyRow, connection.execute(_COPY + "WHERE tow_id = ? ORDER BY id DESC", (tow_id,)))


def raw_copy(connection: Connection, copy_id: int) -> RawCopyRow | None:
    """A second copy by its id, or None."""
    return next(iter(as_values(RawCopyRow, connection.execute(_COPY + "WHERE id = ?", (copy_id,)))), None)
