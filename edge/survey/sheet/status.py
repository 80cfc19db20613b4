"""Where every station of a survey stands: sheet, footage, counts, faults. No figure of a count is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from edge.store.reads import surveys as reads
from edge.store.reads.counts import counts_of_tow
from edge.store.reads.survey_status import TowProgress, all_last_entries, progress
from edge.store.reads.surveys import StationRow, SurveyRow, TowRow
from edge.store.sqlite import Connection
from edge.survey.counting.judge import CountsState
from edge.survey.judged import JudgedTow, does_its_station, judge_tow
from edge.survey.method import Origin, origin_of
from edge.survey.sheet.checks import check_lines
from edge.survey.sheet.plan import line_of
from edge.survey.sheet.reading import Fault, Reading, read_sheet

NO_TOW = "no_tow"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationFault:
    """Something wrong with a station, in which field of its sheet, and what that does to the result."""

    field: str
    message: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StationStatus:
    """Where a station stands, by its tow in the analysis (its first one if none is).

    `counts`: a `CountsState`, or NO_TOW; `counts_words` says what is missing. `is_counted`: it has a result that people counted, from
    a tow that is valid and in the analysis, as the overview and the exports understand it. `origin`: of the counts of that result, "own"
    or "imported"; None where people have no result of it.
    """

    station: StationRow
    tow: TowRow | None
    tows: int
    images: int
    counts: str
    counts_words: str
    is_counted: bool
    origin: Origin | None
    signed: int
    needed: int
    faults: tuple[StationFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyStatus:
    """Where a survey stands; `survey` is None for the drafts that belong to none."""

    survey: SurveyRow | None
    protocol_version: int | None
    planned: int | None
    stations: tuple[StationStatus, ...]

    def number_of(self, counts: CountsState | str) -> int:
        """How many of its stations stand there."""
        return sum(one.counts == counts for one in self.stations)

    @property
    def counted(self) -> int:
        """How many of its stations are counted."""
        return sum(one.is_counted for one in self.stations)

    @property
    def drafts(self) -> int:
        """Stations that no sheet knows of yet."""
        return sum(one.station.is_draft for one in self.stations)

    @property
    def fault_count(self) -> int:
        """Faults of all sheets."""
        return sum(len(one.faults) for one in self.stations)


def survey_status(connection: Connection, survey: SurveyRow | None) -> SurveyStatus:
    """Where every station of a survey stands."""
    survey_id = None if survey is None else survey.id
    protocol = None if survey_id is None else reads.protocol_in_force(connection, survey_id)
    grounds = () if survey_id is None else reads.grounds(connection, survey_id)
    names = None if survey_id is None else frozenset(ground.name for ground in grounds)
    stations = reads.stations(connection, survey_id)
    tows = {station.id: reads.tows(connection, station.id) for station in stations}
    sheets = all_last_entries(connection, survey_id)
    readings = {tow.id: _reading(sheets.get(tow.id, {}), names) for some in tows.values() for tow in some}
    lines = [line_of(tow.id, tow.station, readings[tow.id]) for some in tows.values() for tow in some]
    among: dict[int, list[StationFault]] = {}
    for fault in check_lines(lines, year=None if survey is None else survey.year):
        among.setdefault(fault.tow_id, []).append(StationFault(field=fault.field, message=fault.message, effect=fault.effect))
    far = progress(connection, survey_id)
    needed = 0 if protocol is None else protocol.counters
    known = _Known(readings=readings, among=among, far=far, needed=needed)
    rows = tuple(_station(connection, one, tows[one.id], known) for one in stations)
    planned = [ground.stations_planned for ground in grounds if ground.stations_planned is not None]
    version = None if protocol is None else protocol.version
    return SurveyStatus(survey=survey, protocol_version=version, planned=sum(planned) if planned else None, stations=rows)


def _reading(cells: Mapping[str, str], grounds: frozenset[str] | None) -> Reading:
    return _read_once(tuple(sorted(cells.items())), grounds)


@lru_cache(maxsize=8192)
def _read_once(cells: tuple[tuple[str, str], ...], grounds: frozenset[str] | None) -> Reading:
    """Pages that follow a survey ask for every sheet again and again; one is read in a millisecond and changes seldom."""
    return read_sheet(dict(cells), grounds=grounds)


def sheet_faults(reading: Reading) -> tuple[StationFault, ...]:
    """The faults of one sheet."""
    found: tuple[Fault, ...] = tuple(reading.faults.values())
    return tuple(StationFault(field=one.field, message=one.message, effect=one.effect) for one in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of all tows of a survey, by the tow's id."""

    readings: Mapping[int, Reading]
    among: Mapping[int, list[StationFault]]
    far: Mapping[int, TowProgress]
    needed: int


def _station(connection: Connection, station: StationRow, tows: tuple[TowRow, ...], known: _Known) -> StationStatus:
    main = reads.main_of(tows) or (tows[0] if tows else None)
    faults = tuple(fault for tow in tows for fault in (*sheet_faults(known.readings[tow.id]), *known.among.get(tow.id, [])))
    if main is None:
        return StationStatus(
            station=station,
            tow=None,
            tows=0,
            images=0,
            counts=NO_TOW,
            counts_words="it has no tow",
            is_counted=False,
            origin=None,
            signed=0,
            needed=known.needed,
            faults=faults,
        )
    judged = _judged(connection, station, main.id, known)
    counts, used = judged.progress, () if judged.counted is None else judged.counted.used
    return StationStatus(
        station=station,
        tow=main,
        tows=len(tows),
        images=known.far[main.id].images,
        counts=counts.state,
        counts_words=counts.words,
        is_counted=counts.state is CountsState.REVEALED and does_its_station(main),
        origin=origin_of([one.origin for one in used]) if judged.is_counted and used else None,
        signed=counts.signed,
        needed=counts.needed,
        faults=faults,
    )


def _judged(connection: Connection, station: StationRow, tow_id: int, known: _Known) -> JudgedTow:
    """Where a tow's counts stand. Those of a table are there for all to see, also where a counter is missing or they do not agree."""
    counts = counts_of_tow(connection, tow_id) if known.far[tow_id].opened else ()
    return judge_tow(connection, counts, survey_id=station.survey_id, is_reference=station.survey_kind == "reference")
