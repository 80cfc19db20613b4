"""What taking a table into a survey would do: found out beforehand, from the table and from what the survey holds already.

A plan writes nothing. What contradicts the survey is a fault of the row that says so; what is there already in the same words
is left as it is, so that the same table twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from edge.errors import SettingsError
from edge.store.durable import file_sha256
from edge.store.reads import counts as count_reads
from edge.store.reads import surveys, tables
from edge.store.reads.counts import CountedMinute, CountRow
from edge.store.reads.surveys import ProtocolRow, SurveyRow, TowRow
from edge.store.reads.tables import KeptMark, KeptMinute
from edge.store.sqlite import Connection
from edge.survey.mi.clicks import FEATURE, FRAME_PX, REFERENCE, Click, click_rows, mark_of
from edge.survey.mi.dialects import CLICKS, RECOUNTS, VIEW, Dialect
from edge.survey.mi.reading import Faults, TableError
from edge.survey.mi.recounts import Recount, recount_rows
from edge.survey.mi.stations import StationRecord, station_rows

RowT = TypeVar("RowT", Recount, Click, StationRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCount:
    """A counter's count of one station, to be taken as signed and revealed. `marks` only from a table of clicks."""

    station: str
    counter: str
    operator: str
    minutes: tuple[CountedMinute, ...]
    kept_minutes: tuple[KeptMinute, ...] = ()
    marks: tuple[KeptMark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedReference:
    """The reference of one station of reference footage."""

    station: str
    operator: str
    minutes: dict[int, float]
    marks: tuple[KeptMark, ...]


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a table would add to a survey.

    Attributes:
        rows: rows of the table that are of this survey; `others` counts those of other surveys by name.
        tows: station -> its tow, for the stations that are there already.
        unchanged: how many counts, references or stations are there already, in the same words.
        notes: sentences; what a person should know before the table is taken.
    """

    dialect: Dialect
    survey: SurveyRow
    protocol: ProtocolRow
    file_name: str
    sha256: str
    rows: int = 0
    others: dict[str, int] = field(default_factory=dict)
    tows: dict[str, int] = field(default_factory=dict)
    new_stations: list[str] = field(default_factory=list)
    counts: list[PlannedCount] = field(default_factory=list)
    references: list[PlannedReference] = field(default_factory=list)
    records: list[StationRecord] = field(default_factory=list)
    unchanged: int = 0
    notes: list[str] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether nothing is new."""
        return not (self.counts or self.references or self.records)


class Survey:
    """The survey that a table is taken into, as far as a plan asks for it."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Look it up.

        Raises:
            SettingsError: there is no such survey, or it has no protocol yet.
        """
        self.connection = connection
        row = surveys.find_survey(connection, name)
        if row is None:
            raise SettingsError(f"there is no survey {name}", advice=f"Make it first: imagine-edge survey create {name}")
        protocol = surveys.protocol_in_force(connection, row.id)
        if protocol is None:
            raise SettingsError(
                f"the survey {name} has no protocol", advice="Name its rules first: which minutes are counted, at which line height."
            )
        self.row, self.protocol = row, protocol
        self._by_line: dict[str, int] = {}
        self._by_station: dict[str, list[TowRow]] = {}
        for tow in surveys.survey_tows(connection, row.id):
            self._by_station.setdefault(tow.station, []).append(tow)
            if tow.line_name:
                self._by_line.setdefault(tow.line_name, tow.id)

    def tow_of(self, name: str) -> int | None:
        """The tow of a video line of that name; else the one of the station that its results come from; None if there is none."""
        if name in self._by_line:
            return self._by_line[name]
        of_station = self._by_station.get(name, [])
        tow = surveys.main_of(of_station) or next(iter(of_station), None)
        return None if tow is None else tow.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table that was read without a fault; the rows are those of its dialect."""

    dialect: Dialect
    file_name: str
    sha256: str
    recounts: list[Recount] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    stations: list[StationRecord] = field(default_factory=list)


def read_table(path: Path, dialect: Dialect, *, name: str | None = None) -> ReadTable:
    """Read a file of that dialect; `name` is what people call it, where that is not the path's.

    Raises:
        TableError: the file cannot be read; its faults are named by row and column.
    """
    faults = Faults()
    if "\0" in str(path):
        raise TableError("a path with a NUL in it is none", advice="Check the path.")
    try:
        sha256 = file_sha256(path)
    except OSError as error:
        raise TableError(f"{path.name} cannot be read: {error.strerror}", advice="Check the name and the disk.") from error
    table = ReadTable(
        dialect=dialect,
        file_name=name or path.name,
        sha256=sha256,
        recounts=recount_rows(path, faults) if dialect is RECOUNTS else [],
        clicks=click_rows(path, faults) if dialect is CLICKS else [],
        stations=station_rows(path, dialect, faults) if dialect.is_by_station else [],
    )
    faults.raise_any(table.file_name)
    return table


def plan_import(connection: Connection, table: ReadTable, survey_name: str, *, of: str | None) -> Plan:
    """What taking a table into a survey would do.

    Args:
        connection: of a reader, or the writer's.
        table: what was read.
        survey_name: the survey of the appliance.
        of: the survey's name in the table, where that differs.

    Raises:
        TableError: the table contradicts the survey; its faults are named by row and column.
        SettingsError: there is no such survey, or it has no protocol.
    """
    survey = Survey(connection, survey_name)
    plan = Plan(dialect=table.dialect, survey=survey.row, protocol=survey.protocol, file_name=table.file_name, sha256=table.sha256)
    faults = Faults()
    planner = _Planner(plan, survey, faults)
    if table.dialect is RECOUNTS:
        planner.plan_recounts(planner.of_survey(table.recounts, of))
    elif table.dialect is CLICKS:
        planner.plan_clicks(planner.of_survey(table.clicks, of))
    else:
        planner.plan_stations(planner.of_survey(table.stations, of))
    faults.raise_any(table.file_name)
    return plan


class _Planner:
    """Holds what every step of a plan asks for."""

    def __init__(self, plan: Plan, survey: Survey, faults: Faults) -> None:
        self.plan, self.survey, self.faults = plan, survey, faults

    def of_survey(self, rows: Sequence[RowT], of: str | None) -> list[RowT]:
        """The rows of one survey: the one that `of` names, else that of the survey's own name, else the only one there is.

        A view names no survey: there `of` names a ground.
        """
        by_ground = of is not None and self.plan.dialect is VIEW
        named = [(_name_of(row, by_ground=by_ground), row) for row in rows]
        names: dict[str, int] = {}
        for name, _ in named:
            names[name] = names.get(name, 0) + 1
        wanted = of if of is not None else self.plan.survey.name if self.plan.survey.name in names else next(iter(names), "")
        if rows and (wanted not in names or (of is None and wanted != self.plan.survey.name and len(names) > 1)):
            there = ", ".join(sorted(names)[:12])
            raise TableError(
                f"{self.plan.file_name} has no rows of the survey {of or self.plan.survey.name}; it has those of {there}",
                advice="Say with --of which survey of the table is meant (of a view: which ground).",
            )
        if rows and wanted not in {"", self.plan.survey.name} and not by_ground:
            self.plan.notes.append(f"the table calls this survey {wanted}")
        self.plan.others = {name: count for name, count in names.items() if name != wanted}
        chosen = [row for name, row in named if name == wanted]
        self.plan.rows = len(chosen)
        return chosen

    def _find_tow(self, station: str) -> int | None:
        """The tow of a station; a station that is not there is noted as a new one."""
        tow_id = self.plan.tows.get(station) or self.survey.tow_of(station)
        if tow_id is None:
            if station not in self.plan.new_stations:
                self.plan.new_stations.append(station)
            return None
        self.plan.tows[station] = tow_id
        return tow_id

    def plan_recounts(self, rows: Sequence[Recount]) -> None:
        """Counts by counter and minute."""
        by_count: dict[tuple[str, str], list[Recount]] = {}
        for row in rows:
            if row.minute < 1:
                self.faults.add(row.row, "Minute", f"Minute is {row.minute}; the first is 1")
            by_count.setdefault((row.station, row.counter), []).append(row)
        for (station, counter), of_count in by_count.items():
            minutes = tuple(
                CountedMinute(one.minute, one.systems, one.lost_s, one.nephrops_in, one.nephrops_out, "")
                for one in sorted(of_count, key=lambda one: one.minute)
            )
            kept = tuple(
                KeptMinute(one.minute, one.stopped_s, one.went_on_s, None if one.unusable is None else int(one.unusable), one.recount_id)
                for one in of_count
            )
            planned = PlannedCount(station=station, counter=counter, operator="", minutes=minutes, kept_minutes=kept)
            tow_id = self._find_tow(station)
            if self._is_new(planned, tow_id, (of_count[0].row, "VideoOperatorID")):
                self.plan.counts.append(planned)
        other = sorted({row.station for row in rows if row.minute not in self.plan.protocol.minutes})
        if other:
            told = f"counted in other minutes than the protocol's {self._window()}, which alone enter count and CCC"
            self.plan.notes.append(f"{told}: stations {', '.join(other)}")

    def _window(self) -> str:
        return f"{self.plan.protocol.first_minute} to {self.plan.protocol.last_minute}"

    def _is_new(self, planned: PlannedCount, tow_id: int | None, at: tuple[int, str]) -> bool:
        """Whether a count is to be added; one that is there in the same words is not, and another one of the counter is a fault."""
        if tow_id is None:
            return True
        if tables.is_counted_blind(self.survey.connection, tow_id):
            self.faults.add(*at, f"station {planned.station} is being counted blind here: import after it is signed")
            return False
        there = next((one for one in count_reads.revealed_counts(self.survey.connection, tow_id) if one.counter == planned.counter), None)
        if there is None:
            return True
        if _is_same(self.survey.connection, there, planned):
            self.plan.unchanged += 1
        else:
            self.faults.add(*at, f"station {planned.station} has another count of {planned.counter} already")
        return False

    def plan_clicks(self, rows: Sequence[Click]) -> None:
        """Counts and references with their clicks."""
        by_count: dict[tuple[str, str], list[Click]] = {}
        for row in rows:
            by_count.setdefault((row.station, row.counter), []).append(row)
        empty = 0
        for (station, counter), clicks in by_count.items():
            tow_id, at = self._find_tow(station), (clicks[0].row, "counter_ID")
            marks, systems = tuple(map(_kept_mark, clicks)), _systems_by_minute(self.plan.protocol, clicks)
            empty += sum(count == 0 for count in systems.values())
            operators = sorted({one.operator for one in clicks})
            if len(operators) > 1:
                self.faults.add(*at, f"counter {counter} of station {station} has several VideoOperatorID: {', '.join(operators)}")
            if counter == REFERENCE:
                self._plan_reference(PlannedReference(station=station, operator=operators[0], minutes=systems, marks=marks), at)
                continue
            minutes = tuple(CountedMinute(minute, count, 0.0, None, None, "") for minute, count in systems.items())
            planned = PlannedCount(station=station, counter=counter, operator=operators[0], minutes=minutes, marks=marks)
            if self._is_new(planned, tow_id, at):
                self.plan.counts.append(planned)
        if empty:
            self.plan.notes.append(f"{empty} of the protocol's minutes {self._window()} have no click: counted, with zero systems")

    def _plan_reference(self, planned: PlannedReference, at: tuple[int, str]) -> None:
        if self.plan.survey.kind != "reference":
            self.faults.add(
                *at, f"{REFERENCE} is the reference of footage that counters are measured on, and {self.plan.survey.name} is a survey"
            )
            return
        tow_id = self.plan.tows.get(planned.station)
        there = {} if tow_id is None else tables.reference_minutes(self.survey.connection, tow_id)
        if not there:
            self.plan.references.append(planned)
            return
        assert tow_id is not None  # else nothing would be there
        if there == planned.minutes and tables.reference_marks(self.survey.connection, tow_id) == tuple(
            (planned.operator, mark) for mark in planned.marks
        ):
            self.plan.unchanged += 1
        else:
            self.faults.add(*at, f"station {planned.station} has another reference already")

    def plan_stations(self, rows: Sequence[StationRecord]) -> None:
        """Stations with their figures."""
        there = {(row.tow_id, row.format): row for row in tables.table_rows(self.survey.connection, self.plan.survey.id)}
        years = {row.year for row in rows if row.year is not None}
        if len(years) > 1:
            year = self.plan.survey.year
            if year not in years:
                told = ", ".join(map(str, sorted(years)))
                raise TableError(
                    f"{self.plan.file_name} has several years: {told}", advice="Give the survey its year; it chooses the rows."
                )
            self.plan.others |= {str(other): sum(row.year == other for row in rows) for other in sorted(years) if other != year}
            rows = [row for row in rows if row.year == year]
            self.plan.rows = len(rows)
        first: dict[str, int] = {}
        for row in rows:
            if first.setdefault(row.station, row.row) != row.row:
                why = f"station {row.station} is there twice: in row {first[row.station]} too; --of chooses a ground"
                self.faults.add(row.row, "Ground", why)
                continue
            tow_id = self._find_tow(row.station)
            kept = None if tow_id is None else there.get((tow_id, self.plan.dialect.name))
            if kept is None:
                self.plan.records.append(row)
            elif kept.cells_json == cells_json(row):
                self.plan.unchanged += 1
            else:
                self.faults.add(
                    row.row, "", f"station {row.station} has another row of {self.plan.dialect.name} already, from {kept.file_name}"
                )
        if self.plan.survey.year is not None and years and self.plan.survey.year not in years:
            self.faults.add(
                rows[0].row, "Year", f"the survey is of {self.plan.survey.year}, the table of {', '.join(map(str, sorted(years)))}"
            )


def _name_of(row: Recount | Click | StationRecord, *, by_ground: bool) -> str:
    return row.ground if by_ground and isinstance(row, StationRecord) else row.survey


def _is_same(connection: Connection, there: CountRow, planned: PlannedCount) -> bool:
    if there.origin != "imported" or tuple(there.minutes.values()) != planned.minutes:
        return False
    if planned.kept_minutes and {one.minute: one for one in planned.kept_minutes} != tables.kept_minutes(connection, there.id):
        return False
    kept = tuple(
        KeptMark(one.at_s, one.minute, one.feature, one.x_fraction, one.y_fraction, one.marked_local or "", one.still_number)
        for one in tables.marks(connection, there.id)
    )
    return kept == planned.marks


def _systems_by_minute(protocol: ProtocolRow, clicks: Sequence[Click]) -> dict[int, float]:
    """Clicks on burrow systems by minute: those of the protocol's window, and others that have any."""
    minutes = dict.fromkeys(range(protocol.first_minute, protocol.last_minute + 1), 0.0)
    for one in clicks:
        if one.feature == FEATURE:
            minutes[one.minute] = minutes.get(one.minute, 0.0) + 1
    return dict(sorted(minutes.items()))


def _kept_mark(one: Click) -> KeptMark:
    return KeptMark(
        at_s=one.at_s,
        minute=one.minute,
        feature=mark_of(one.feature),
        x_fraction=None if one.x_px is None else one.x_px / FRAME_PX[0],
        y_fraction=None if one.y_px is None else one.y_px / FRAME_PX[1],
        marked_local=one.annotated,
        still_number=one.still_number,
    )


def cells_json(row: StationRecord) -> str:
    """A station's row as it is kept."""
    return json.dumps(dict(row.cells), ensure_ascii=True, sort_keys=True)
