"""Bring a planned sheet into a survey: what would change, and the change itself, from one comparison and in one transaction.

A cell is compared with what a file last said in that field, not with what stands there: so the same sheet again changes nothing, even
where a person has typed something else since; a cell that did change is a new entry above that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import InputError, Reason, SettingsError
from edge.store import entries, surveys
from edge.store.entries import FILE_SOURCE, last_imported
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import last_entries
from edge.store.sqlite import Connection
from edge.survey.sheet.plan import PlannedTow, SheetPlan
from edge.survey.sheet.record import Change, record


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """A field that an import changes. `typed_by` is who had typed something of their own there since the last import, or None."""

    station: str
    field: str
    before: str
    after: str
    typed_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOutcome:
    """What an import does, or would do.

    Attributes:
        stations: how many the file holds.
        new_stations: names of those that are made; drafts that become stations are in `adopted`.
        new_tows: stations that get a further tow.
        changes: fields of stations that are there already and now say something else.
        unchanged: stations of which nothing changes.
    """

    stations: int
    new_stations: tuple[str, ...]
    adopted: tuple[str, ...]
    new_tows: tuple[str, ...]
    new_grounds: tuple[str, ...]
    changes: tuple[CellChange, ...]
    unchanged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a row goes: the station's and tow's ids, None for what is to be made."""

    planned: PlannedTow
    station: reads.StationRow | None
    tow_id: int | None
    changes: tuple[CellChange, ...]
    cells: Mapping[str, str]


def foresee(connection: Connection, plan: SheetPlan, survey_id: int) -> SheetOutcome:
    """What bringing the sheet in would do. Reads only."""
    return _outcome(connection, plan, survey_id, _targets(connection, plan, survey_id))


def bring_in(connection: Connection, plan: SheetPlan, survey_id: int, *, actor: str, reason: str = "") -> SheetOutcome:
    """Bring the sheet in, all of it or, if it is refused, nothing.

    Raises:
        InputError: the plan has a fault that refuses the file.
        ReasonNeededError: it moves a line that counts were made by, and there is no reason.
    """
    if plan.is_refused:
        first = next(fault for fault in plan.faults if fault.refuses)
        message = f"{plan.name} is not imported: row {first.row}, {first.column or 'the whole row'}: {first.message}"
        raise InputError(Reason.CORRUPT, message, advice=first.effect)
    targets = _targets(connection, plan, survey_id)
    outcome = _outcome(connection, plan, survey_id, targets)
    for name in outcome.new_grounds:
        surveys.add_ground(connection, survey_id, name, actor=actor)
    made: dict[str, int] = {}
    for target in targets:
        tow_id = _make_room(connection, target, survey_id, made, actor=actor)
        changes = [Change(field=field, value=value) for field, value in target.cells.items()]
        record(connection, tow_id, changes, source=FILE_SOURCE + plan.name, actor=actor, reason=reason)
    return outcome


def _outcome(connection: Connection, plan: SheetPlan, survey_id: int, targets: list[_Target]) -> SheetOutcome:
    known = {ground.name for ground in reads.grounds(connection, survey_id)}
    there = [target for target in targets if target.station is not None]
    return SheetOutcome(
        stations=len({target.planned.station for target in targets}),
        new_stations=tuple(dict.fromkeys(target.planned.station for target in targets if target.station is None)),
        adopted=tuple(target.planned.station for target in there if _is_draft(target)),
        new_tows=tuple(target.planned.station for target in there if target.tow_id is None),
        new_grounds=tuple(name for name in plan.grounds if name not in known),
        changes=tuple(change for target in there if target.tow_id is not None for change in target.changes),
        unchanged=sum(1 for target in there if target.tow_id is not None and not target.cells and not _is_draft(target)),
    )


def _is_draft(target: _Target) -> bool:
    return target.station is not None and target.station.is_draft


def _targets(connection: Connection, plan: SheetPlan, survey_id: int) -> list[_Target]:
    survey = reads.survey(connection, survey_id)
    if survey is None:
        raise SettingsError(f"there is no survey {survey_id}", advice="Choose one on the Surveys page.")
    lines_of: dict[str, int] = {}
    for tow in plan.tows:
        lines_of[tow.station] = lines_of.get(tow.station, 0) + 1
    targets: list[_Target] = []
    taken: set[int] = set()
    for planned in plan.tows:
        station = reads.find_station(connection, planned.station, survey.name) or _draft(connection, planned.station)
        tow_id = None if station is None else _tow_for(connection, station, planned, taken, several=lines_of[planned.station] > 1)
        taken |= {tow_id} if tow_id is not None else set()
        changes, cells = _changes(connection, planned, tow_id)
        targets.append(_Target(planned=planned, station=station, tow_id=tow_id, changes=changes, cells=cells))
    return targets


def _draft(connection: Connection, name: str) -> reads.StationRow | None:
    return next((one for one in reads.stations(connection, None) if one.name == name), None)


def _tow_for(connection: Connection, station: reads.StationRow, planned: PlannedTow, taken: set[int], *, several: bool) -> int | None:
    """The tow of that line name; else, where the file has one line of the station, its first tow; else one that has no name yet."""
    tows = [tow for tow in reads.tows(connection, station.id) if tow.id not in taken]
    named = next((tow.id for tow in tows if tow.line_name == planned.line_name), None)
    if named is not None or not tows:
        return named
    return next((tow.id for tow in tows if not tow.line_name), None if several else tows[0].id)


def _changes(connection: Connection, planned: PlannedTow, tow_id: int | None) -> tuple[tuple[CellChange, ...], Mapping[str, str]]:
    """The cells that are to be recorded, and those among them that replace something."""
    if tow_id is None:
        return (), {field: value for field, value in planned.cells.items() if value}
    imported, current = last_imported(connection, tow_id), last_entries(connection, tow_id)
    said = {field: entry.value for field, entry in current.items()}
    cells = {field: value for field, value in planned.cells.items() if value not in {imported.get(field, ""), said.get(field, "")}}
    changes: list[CellChange] = []
    for field, value in cells.items():
        entry = current.get(field)
        typed_by = None if entry is None or entry.source.startswith(FILE_SOURCE) else entry.entered_by
        changes.append(CellChange(station=planned.station, field=field, before=said.get(field, ""), after=value, typed_by=typed_by))
    return tuple(changes), cells


def _make_room(connection: Connection, target: _Target, survey_id: int, made: dict[str, int], *, actor: str) -> int:
    """The tow that a row is recorded in, made if need be."""
    name = target.planned.station
    if target.station is None and name not in made:
        made[name] = surveys.add_station(connection, survey_id, name, actor=actor)
        return reads.tows(connection, made[name])[0].id
    if target.station is not None and target.station.is_draft:
        entries.adopt_station(connection, target.station.id, survey_id, actor=actor)
    if target.tow_id is not None:
        return target.tow_id
    return surveys.add_tow(connection, made[name] if target.station is None else target.station.id, actor=actor)
