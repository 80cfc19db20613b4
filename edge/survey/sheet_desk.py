"""Surveys, protocols, stations and sheets as a person asks for them; each request is one transaction, on disk when it is answered.

Who may do it is decided where it is asked; `actor` is who did it. Every method may be called from any thread.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from edge.errors import InputError, Reason, SettingsError
from edge.store import entries, surveys
from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads.surveys import SurveyRow
from edge.store.seal import Seal
from edge.store.sealed_runs import seal_survey, seal_tow
from edge.store.sqlite import Connection
from edge.store.surveys import SurveyKind
from edge.store.writer import Writes
from edge.survey.protocol import differences, read_protocol
from edge.survey.sheet.bring_in import SheetOutcome, bring_in, foresee
from edge.survey.sheet.moments import DateOrder, read_zone
from edge.survey.sheet.plan import SheetPlan, make_plan
from edge.survey.sheet.record import Change, SheetState, read_again, record, undo
from edge.survey.sheet.table import read_table
from edge.survey.sheet.words import Unreadable, tidy


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSurvey:
    """What a survey is made with."""

    name: str
    kind: SurveyKind = "survey"
    title: str = ""
    functional_unit: str = ""
    vessel: str = ""
    year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFile:
    """A station sheet that somebody wants to import. `survey`: its name; None: the one that the sheet names.

    `reason`: why it may move lines that counts were made by; "" for none.
    """

    name: str
    content: bytes
    survey: str | None = None
    order: DateOrder | None = None
    utc_offset: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetImport:
    """What an import did or, if `is_dry`, would do. `outcome` is None where the file is refused."""

    survey: str
    plan: SheetPlan
    outcome: SheetOutcome | None
    is_dry: bool


class SheetDesk:
    """Takes what people type and import."""

    def __init__(
        self,
        writer: Writes,
        reader: Callable[[], AbstractContextManager[Connection]],
        seal: Seal,
        *,
        on_lines: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_lines` is called when files may belong to other tows than before."""
        self._writer = writer
        self._reader = reader
        self._seal = seal
        self._on_lines = on_lines

    def create_survey(self, new: NewSurvey, actor: str) -> int:
        """The id of a new survey.

        Raises:
            SettingsError: the name is empty or taken, or the year cannot be.
        """
        if new.year is not None and not 1950 <= new.year <= 2120:
            raise SettingsError(f"the year {new.year} cannot be", advice="Give the year that the survey was made in, such as 2026.")

        def work(connection: Connection) -> int:
            return surveys.add_survey(
                connection,
                new.name,
                actor=actor,
                kind=new.kind,
                title=new.title.strip(),
                functional_unit=new.functional_unit.strip(),
                vessel=new.vessel.strip(),
                year=new.year,
            )

        return self._writer.call(work)

    def set_ground(
        self, survey_id: int, name: str, *, area_km2: float | None, area_source: str, stations_planned: int | None, actor: str
    ) -> int:
        """The id of a ground, made or given these figures; sheets that name it are read again.

        Raises:
            SettingsError: there is no such survey, no name, or an area without its source.
        """
        if area_km2 is not None and not 0 < area_km2 < 1e6:
            raise SettingsError(f"an area of {area_km2:g} km2 cannot be", advice="Give it in square kilometres, or leave it empty.")
        if stations_planned is not None and not 0 <= stations_planned <= 10_000:
            raise SettingsError(f"{stations_planned} stations cannot be planned", advice="Give their number, or leave it empty.")

        def work(connection: Connection) -> int:
            self._survey(connection, survey_id)
            ground_id = surveys.add_ground(
                connection,
                survey_id,
                name,
                actor=actor,
                area_km2=area_km2,
                area_source=area_source,
                stations_planned=stations_planned,
            )
            read_again(connection, survey_id, actor=actor)
            return ground_id

        return self._writer.call(work)

    def set_protocol(self, survey_id: int, texts: Mapping[str, str], *, reason: str, actor: str) -> int:
        """The id of a new version of the rules. The first seals what models have found on the survey's tows.

        Raises:
            SettingsError: a rule is missing or cannot be, there is no reason, or nothing is different.
        """
        new = read_protocol(texts)

        def work(connection: Connection) -> int:
            self._survey(connection, survey_id)
            last = reads.protocol_in_force(connection, survey_id)
            if last is not None and not differences(last, new):
                raise SettingsError(f"version {last.version} says the same", advice="Change a rule, or leave the protocol as it is.")
            protocol_id = surveys.add_protocol(connection, survey_id, new, reason=reason, actor=actor)
            seal_survey(connection, self._seal, survey_id)
            return protocol_id

        return self._writer.call(work)

    def add_station(self, survey_id: int, name: str, actor: str) -> int:
        """The id of a new station; a draft of that name becomes it.

        Raises:
            SettingsError: it is there already, or has no name.
        """

        def work(connection: Connection) -> int:
            row = self._survey(connection, survey_id)
            drafts = [one for one in reads.stations(connection, None) if one.name == name.strip()]
            mine = reads.find_station(connection, name.strip(), row.name)
            draft = mine if mine is not None and mine.is_draft else drafts[0] if drafts and mine is None else None
            if draft is None:
                return surveys.add_station(connection, survey_id, name, actor=actor)
            self._adopt(connection, draft.id, survey_id, actor=actor)
            return draft.id

        station_id = self._writer.call(work)
        self._on_lines()
        return station_id

    def adopt(self, station_id: int, survey_id: int, actor: str) -> None:
        """Say which survey a draft belongs to; its sheet is read with that survey's grounds, and what models found on it is sealed.

        Raises:
            SettingsError: there is no such draft or survey, or the survey has a station of that name.
        """

        def work(connection: Connection) -> None:
            survey = self._survey(connection, survey_id)
            station = reads.station(connection, station_id)
            if station is None or not station.is_draft:
                raise SettingsError(f"there is no draft {station_id}", advice="Open it from the Surveys page.")
            if station.survey_id not in {None, survey_id}:  # its counts are made under that survey's protocol, blind
                raise SettingsError(f"{station.name} belongs to {station.survey} already", advice="Make the station in the other survey.")
            other = reads.find_station(connection, station.name, survey.name)
            if other is not None and other.id != station_id:
                advice = "Attach its files to that station by hand; a draft without files can stay."
                raise SettingsError(f"{survey.name} has a station {station.name} already", advice=advice)
            self._adopt(connection, station_id, survey_id, actor=actor)

        self._writer.call(work)
        self._on_lines()

    def add_tow(self, station_id: int, actor: str) -> int:
        """The id of a station's next tow."""

        def work(connection: Connection) -> int:
            if reads.station(connection, station_id) is None:
                raise SettingsError(f"there is no station {station_id}", advice="Open it from its survey's page.")
            return surveys.add_tow(connection, station_id, actor=actor)

        return self._writer.call(work)

    def ensure_station(self, name: str, survey: str | None, actor: str) -> int:
        """The id of the station of that name; one that nobody knows becomes a draft."""
        return self._writer.call(lambda connection: surveys.ensure_station(connection, name, survey, actor=actor))

    def record(self, tow_id: int, changes: Sequence[Change], *, source: str, actor: str, reason: str = "") -> SheetState:
        """Keep what was typed; it is on disk when this returns.

        Raises:
            ReasonNeededError: it moves a line that counts were made by, and there is no reason.
            SettingsError: there is no such tow or field.
        """
        state = self._writer.call(lambda connection: record(connection, tow_id, changes, source=source, actor=actor, reason=reason))
        self._on_lines()
        return state

    def undo(self, tow_id: int, field: str, actor: str, *, reason: str = "") -> SheetState:
        """Let a field say what it said before; a reason as for `record`."""
        state = self._writer.call(lambda connection: undo(connection, tow_id, field, actor=actor, reason=reason))
        self._on_lines()
        return state

    def import_sheet(self, file: SheetFile, actor: str, *, is_dry: bool = False) -> SheetImport:
        """Bring a sheet in, whole or not at all; `is_dry`: only say what that would do and every fault.

        Raises:
            InputError: it is no station sheet or, unless `is_dry`, has a fault that refuses it.
            SettingsError: there is no such survey, or it is not clear which is meant.
        """
        if file.utc_offset:
            _check_zone(file.utc_offset)
        table = read_table(file.content, file.name)

        with self._reader() as connection, snapshot(connection):  # read before anything is asked of the writer: others must not wait for it
            survey = self._survey_of(connection, file.survey, make_plan(table, file.name, order=file.order).surveys)
            plan = make_plan(table, file.name, survey=survey.name, year=survey.year, order=file.order, utc_offset=file.utc_offset)
            if is_dry:
                outcome = None if plan.is_refused else foresee(connection, plan, survey.id)
                return SheetImport(survey=survey.name, plan=plan, outcome=outcome, is_dry=True)

        def work(connection: Connection) -> SheetImport:
            outcome = bring_in(connection, plan, survey.id, actor=actor, reason=file.reason)
            seal_survey(connection, self._seal, survey.id)  # drafts that were adopted may have footage with results
            return SheetImport(survey=survey.name, plan=plan, outcome=outcome, is_dry=False)

        done = self._writer.call(work)
        self._on_lines()
        return done

    def _adopt(self, connection: Connection, station_id: int, survey_id: int, *, actor: str) -> None:
        entries.adopt_station(connection, station_id, survey_id, actor=actor)
        read_again(connection, survey_id, actor=actor)
        for tow in reads.tows(connection, station_id):
            seal_tow(connection, self._seal, tow.id)

    @staticmethod
    def _survey(connection: Connection, survey_id: int) -> SurveyRow:
        row = reads.survey(connection, survey_id)
        if row is None:
            raise SettingsError(f"there is no survey {survey_id}", advice="Choose one on the Surveys page.")
        return row

    @staticmethod
    def _survey_of(connection: Connection, name: str | None, named: Sequence[str]) -> SurveyRow:
        """The survey that an import is for: the one that was said, or that the sheet names, or the only one there is."""
        if name is None and len(named) > 1:
            raise SettingsError(f"the sheet names the surveys {', '.join(named)}", advice="Import one survey at a time, with --survey.")
        known = [one for one in reads.surveys(connection) if one.kind == "survey"]
        wanted = name or (named[0] if named else known[0].name if len(known) == 1 else None)
        if wanted is None:
            raise SettingsError("it is not clear which survey the sheet is for", advice="Name it with --survey.")
        row = reads.find_survey(connection, wanted)
        if row is None:
            raise SettingsError(f"there is no survey {wanted}", advice=f"Make it first: imagine-edge survey create {wanted}")
        return row


def decoded(name: str, content_base64: str) -> bytes:
    """A file that came as base64.

    Raises:
        InputError: it is no base64.
    """
    try:
        return b64decode(content_base64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(Reason.CORRUPT, f"{name} did not arrive whole", advice="Choose the file again.") from error


def _check_zone(text: str) -> None:
    try:
        read_zone(tidy(text))
    except Unreadable as fault:
        raise SettingsError(str(fault), advice="Write the sheet's clock as its distance from UTC, such as +01:00.") from fault
