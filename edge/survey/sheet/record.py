"""Keep what was typed into a tow's sheet, and let the tow have what it is read as: in one transaction, nothing half.

The functions take the writer's connection. What was typed is kept to the letter even where it cannot be read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from edge.errors import SettingsError
from edge.store import entries as store
from edge.store import surveys
from edge.store.entries import NewEntry
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import field_history, last_entries
from edge.store.sqlite import Connection
from edge.survey.sheet.fields import BY_KEY, OTHER, fields_of
from edge.survey.sheet.reading import Fault, Reading, read_sheet

MAX_TEXT = 10_000
MAX_FIELD = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a field shall say. `based_on` is the id of the entry that whoever typed it saw in the field, 0 for none, None if unknown."""

    field: str
    value: str
    based_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanwhile:
    """What somebody else had typed into the field since; it is in the history."""

    value: str
    entered_by: str
    entered_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A change that is on disk. `entry_id` is None where the field said that already and nothing was added."""

    field: str
    value: str
    entry_id: int | None
    meanwhile: Meanwhile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetState:
    """What came of changes: each of them, and how the sheet as a whole reads now."""

    tow_id: int
    recorded: tuple[Recorded, ...]
    reading: Reading


def record(connection: Connection, tow_id: int, changes: Sequence[Change], *, source: str, actor: str, reason: str = "") -> SheetState:
    """Keep changes of a tow's sheet. `reason`: asked for where they move the line that counts were made by.

    Raises:
        ReasonNeededError: they do, and there is none; nothing is kept.
        SettingsError: there is no such tow or field, or a text is longer than `MAX_TEXT`.
    """
    tow = reads.tow(connection, tow_id)
    if tow is None:
        raise SettingsError(f"there is no tow {tow_id}", advice="Open the station from its survey's page.")
    _check(changes)
    current = last_entries(connection, tow_id)
    texts = {key: entry.value for key, entry in current.items()}
    recorded: list[Recorded] = []
    new: list[Change] = []
    for change in changes:
        if texts.get(change.field, "") != change.value:
            new.append(change)
            texts[change.field] = change.value
    reading = read_sheet(texts, grounds=_grounds(connection, tow.survey_id))
    made = [NewEntry(field=one.field, value=one.value, fault=_message(reading, one.field)) for one in new]
    ids = dict(zip((one.field for one in new), store.add_entries(connection, tow_id, made, source=source, actor=actor), strict=True))
    for change in changes:
        before = current.get(change.field)
        is_newer = before is not None and change.based_on is not None and before.id != change.based_on and before.value != change.value
        meanwhile = (
            Meanwhile(value=before.value, entered_by=before.entered_by, entered_utc=before.entered_utc) if before and is_newer else None
        )
        recorded.append(Recorded(field=change.field, value=change.value, entry_id=ids.get(change.field), meanwhile=meanwhile))
    _let_tow_have(connection, tow, reading, texts, actor=actor, reason=reason)
    return SheetState(tow_id=tow_id, recorded=tuple(recorded), reading=reading)


def undo(connection: Connection, tow_id: int, field: str, *, actor: str, reason: str = "") -> SheetState:
    """Let a field say again what it said before its last change; that is a new entry, so undoing twice brings the change back.

    Raises:
        SettingsError: the field has never said anything else.
    """
    history = field_history(connection, tow_id, field)
    if not history:
        raise SettingsError(f"nothing was ever typed into {field}", advice="There is nothing to undo.")
    before = next((entry.value for entry in history if entry.value != history[0].value), "")
    return record(connection, tow_id, [Change(field=field, value=before)], source="undo", actor=actor, reason=reason)


def read_again(connection: Connection, survey_id: int, *, actor: str) -> int:
    """Read every sheet of a survey again, because its grounds have changed. Returns how many sheets there are."""
    tows = reads.survey_tows(connection, survey_id)
    grounds = _grounds(connection, survey_id)
    for tow in tows:
        texts = {key: entry.value for key, entry in last_entries(connection, tow.id).items()}
        _let_tow_have(connection, tow, read_sheet(texts, grounds=grounds), texts, actor=actor)
    return len(tows)


def sheet_texts(connection: Connection, tow_id: int) -> Mapping[str, str]:
    """What stands in a tow's sheet now, to the letter."""
    return {key: entry.value for key, entry in last_entries(connection, tow_id).items()}


def _check(changes: Sequence[Change]) -> None:
    for change in changes:
        if change.field not in BY_KEY and not change.field.startswith(OTHER):
            raise SettingsError(f"a sheet has no field {change.field!r}", advice="Reload the page; the API page lists the fields.")
        if len(change.value) > MAX_TEXT or len(change.field) > MAX_FIELD:
            raise SettingsError(
                f"the text of {change.field} is longer than {MAX_TEXT} characters", advice="Shorten it; nothing was changed."
            )


def _grounds(connection: Connection, survey_id: int | None) -> Collection[str] | None:
    return None if survey_id is None else {ground.name for ground in reads.grounds(connection, survey_id)}


def _message(reading: Reading, field: str) -> str | None:
    fault: Fault | None = reading.faults.get(field)
    return None if fault is None else fault.message


def _let_tow_have(
    connection: Connection, tow: reads.TowRow, reading: Reading, texts: Collection[str], *, actor: str, reason: str = ""
) -> None:
    """Columns that no field of this sheet was ever filled for stay: they may be from an imported table.

    Ground and planned position are the station's; the sheet of its first tow says them.
    """
    columns = {name: value for name, value in reading.columns.items() if any(key in texts for key in fields_of(name))}
    surveys.set_tow_fields(connection, tow.id, columns, actor=actor, reason=reason)
    if tow.ordinal == 1 and any(field.startswith("planned_") for field in texts):
        store.set_planned_place(connection, tow.station_id, reading.planned_deg, actor=actor)
    if tow.survey_id is not None and tow.ordinal == 1 and "ground" in texts:
        ground_id = surveys.find_ground(connection, tow.survey_id, reading.ground) if reading.ground else None
        store.set_ground(connection, tow.station_id, ground_id, actor=actor)
