"""What is known of a station: its count, distance, area and density, each with the rows that it came from.

A figure that cannot be given is None, and `reasons` says why; zero systems in counted minutes are a result like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edge.errors import SettingsError
from edge.store.reads import counts as count_reads
from edge.store.reads import openings as opening_reads
from edge.store.reads import surveys as reads
from edge.store.reads import tables as table_reads
from edge.store.reads import tracks as track_reads
from edge.store.reads.counts import CountRow
from edge.store.reads.surveys import ProtocolRow, StationRow, TowRow
from edge.store.reads.tracks import DistanceRow, TrackRow, WidthRow
from edge.store.sqlite import Connection
from edge.survey.counting.clock import clock_flags
from edge.survey.counting.judge import CountsState
from edge.survey.counting.rounds import round_flags
from edge.survey.density import MinuteRule
from edge.survey.judged import JudgedTow, does_its_station, judge_tow
from edge.survey.navigation.distance import MinuteProfile
from edge.survey.reckoning import (
    Counted,
    Reckoned,
    agreement_source,
    better_source,
    reckon_distance,
    reckon_figures,
)
from edge.survey.tow_source import model_source, shown_analysis
from edge.survey.track_lines import profiles_of, tow_span
from edge.survey.width import UNCERTAINTY_OF


class ResultState(StrEnum):
    """How far a station has come."""

    DRAFT = "draft"  # nobody has planned it or filled in its sheet
    NO_TOW = "no_tow"
    NOT_COUNTED = "not_counted"
    SEALED = "sealed"  # fewer signatures than the protocol asks for
    THIRD_COUNT = "third_count"
    UNUSABLE = "unusable"  # revealed, and no result: `reasons` says why
    COUNTED = "counted"


_HIDDEN = "what tables of others say of it is for administrators until it is counted here"
_STATE = {
    CountsState.NOT_BEGUN: ResultState.NOT_COUNTED,
    CountsState.COUNTING: ResultState.SEALED,
    CountsState.COUNTER_MISSING: ResultState.SEALED,
    CountsState.THIRD_COUNT: ResultState.THIRD_COUNT,
    CountsState.UNUSABLE: ResultState.UNUSABLE,
    CountsState.REVEALED: ResultState.COUNTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteResult:
    """One minute of the window.

    Attributes:
        systems: mean over the counters present, None where the minute does not count; `left_out` says why.
        by_counter: counter -> systems as counted, those that the result does not use too.
        lost_s: counter -> seconds lost.
        distance_m: over ground, None where nothing measured it.
    """

    minute: int
    systems: float | None
    by_counter: Mapping[str, float]
    lost_s: Mapping[str, float]
    distance_m: float | None
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationResult:
    """A station as the tables of the assessment see it.

    Attributes:
        openings: what the model saw, summed over the station's stills; advisory, and no number of burrow systems.
        systems: formula (1); None until it is counted by as many as the protocol asks for, and revealed.
        distance_m: over ground in the minutes that count, formula (2).
        area_m2: distance times width at the counting row, formula (3).
        density_raw_per_m2: formula (4).
        density_adjusted_per_m2: formula (5); None unless people counted and the protocol names a factor and its source.
        area_sd_m2, density_raw_sd_per_m2, density_adjusted_sd_per_m2: one standard deviation, of the width of view alone; None where
            that is not known. No estimate of a ground or survey has it in its CV.
        sources: what each figure was made from: `openings`, `counts`, `protocol`, `agreement`, `minutes`, `distance`, `width`,
            `factor`, `left_out`, and `tables`, what imported tables of stations say; None or empty where there is nothing yet.
        reasons: sentences; why what is None is None.
        flags: sentences; what is unusual about the figures that are given.
        model_openings, model_systems: unique openings and systems that crossed the counting line over the whole tow, as the appliance
            counted them from a model's findings; advisory, in no density. None until there is such a count, and while it is sealed.
    """

    station: str
    survey: str | None
    station_id: int | None
    tow_id: int | None
    state: ResultState
    ground: str | None = None
    openings: int | None = None
    systems: float | None = None
    per_minute: tuple[MinuteResult, ...] = ()
    distance_m: float | None = None
    area_m2: float | None = None
    density_raw_per_m2: float | None = None
    density_adjusted_per_m2: float | None = None
    area_sd_m2: float | None = None
    density_raw_sd_per_m2: float | None = None
    density_adjusted_sd_per_m2: float | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    model_openings: float | None = None
    model_systems: float | None = None


def station_result(connection: Connection, tow_id: int, *, sees_tables: bool = False, with_openings: bool = True) -> StationResult:
    """The result of a tow and its station.

    `sees_tables`: whether whoever asks may see what tables of others say of a tow that waits for blind counts; administrators may.
    `with_openings`: see `result_of_station`.

    Raises:
        SettingsError: there is no such tow.
    """
    tow = reads.tow(connection, tow_id)
    station = None if tow is None else reads.station(connection, tow.station_id)
    if tow is None or station is None:
        raise SettingsError(f"there is no tow {tow_id}", advice="Look at the station's page for its tows.")
    return _of_tow(connection, station, tow, sees_tables=sees_tables, with_openings=with_openings)


def result_of_station(
    connection: Connection, station: StationRow, *, sees_tables: bool = False, with_openings: bool = True
) -> StationResult:
    """The result of a station, from the first of its tows that is in the analysis; from its first one where none is.

    `with_openings`: also what the model saw on its stills, which takes most of the time: thousands of stills a tow.
    """
    tow = reads.main_tow(connection, station.id) or next(iter(reads.tows(connection, station.id)), None)
    if tow is None:
        return _without_tow(connection, station)
    return _of_tow(connection, station, tow, sees_tables=sees_tables, with_openings=with_openings)


def _without_tow(connection: Connection, station: StationRow) -> StationResult:
    found = opening_reads.of_folder_named(connection, station.name) if station.is_draft else None
    reason = "the station is a draft: nobody has put it into a survey yet" if station.is_draft else "the station has no tow yet"
    return StationResult(
        station=station.name,
        survey=station.survey,
        station_id=station.id,
        tow_id=None,
        state=ResultState.DRAFT if station.is_draft else ResultState.NO_TOW,
        ground=station.ground,
        openings=found.openings if found else None,
        sources={"openings": _opening_source(found), **_nothing()},
        reasons=(reason,),
    )


def _of_tow(connection: Connection, station: StationRow, tow: TowRow, *, sees_tables: bool, with_openings: bool = True) -> StationResult:
    every = count_reads.counts_of_tow(connection, tow.id)
    is_reference = station.survey_kind == "reference"
    judged = judge_tow(connection, every, survey_id=station.survey_id, is_reference=is_reference)
    revealed, protocol = judged.revealed, judged.rules
    state, counted = _counted(station, judged, is_begun=bool(every))
    choice, width = track_reads.distance_in_force(connection, tow.id), track_reads.width_in_force(connection, tow.id)
    track, profiles = _profiles(connection, tow, choice)
    _, _, tow_s = tow_span(tow)
    rule = MinuteRule(protocol.minute_rule) if protocol else MinuteRule.DROP_MINUTE
    distance = reckon_distance(choice, profiles, counted.count, rule, tow_s)
    openings = _openings(connection, station, tow) if with_openings else opening_reads.OpeningsRow(0, 0, None)
    figures = reckon_figures(counted, distance, width, protocol)
    analysis = shown_analysis(connection, tow.id)
    rows = () if revealed or is_reference else table_reads.table_rows_of_tow(connection, tow.id)
    tables = rows if sees_tables or protocol is None else ()  # a total would tell a counter what to find
    at_hand = [one.source for one in track_reads.tracks(connection, tow.id) if one.withdrawn_utc is None]
    return StationResult(
        station=station.name,
        survey=station.survey,
        station_id=station.id,
        tow_id=tow.id,
        state=state,
        ground=station.ground,
        openings=openings.openings,
        systems=counted.count.systems if counted.count else None,
        per_minute=_minutes(protocol, revealed, counted, distance),
        distance_m=distance.distance_m,
        area_m2=figures.area_m2,
        density_raw_per_m2=figures.raw_per_m2,
        density_adjusted_per_m2=figures.adjusted_per_m2,
        area_sd_m2=figures.sd_of(figures.area_m2),
        density_raw_sd_per_m2=figures.sd_of(figures.raw_per_m2),
        density_adjusted_sd_per_m2=figures.sd_of(figures.adjusted_per_m2),
        sources={
            "openings": _opening_source(openings),
            "counts": [_count_source(one, one in counted.used) for one in revealed],
            "protocol": _protocol_source(protocol),
            "agreement": agreement_source(counted.agreement),
            "minutes": sorted(counted.count.per_minute) if counted.count else [],
            "left_out": {str(minute): why for minute, why in counted.left_out.items()},
            "distance": _distance_source(choice, track, distance),
            "width": _width_source(width),
            "factor": figures.factor_source,
            "tables": [_table_source(one) for one in tables],
            "model": model_source(connection, analysis),
        },
        model_openings=None if analysis is None else analysis.openings,
        model_systems=None if analysis is None else analysis.systems,
        reasons=(*counted.reasons, *figures.reasons, *map(_table_words, tables), *((_HIDDEN,) if rows and not tables else ())),
        flags=(*counted.flags, *distance.flags, *figures.flags, *_tow_flags(tow, choice, at_hand), *_more_flags(connection, tow, counted)),
    )


def _openings(connection: Connection, station: StationRow, tow: TowRow) -> opening_reads.OpeningsRow:
    found = opening_reads.of_tow(connection, tow.id)
    if station.survey_kind == "reference":
        found = found._replace(openings=None)
    return found if found.stills or not station.is_draft else opening_reads.of_folder_named(connection, station.name)


def _counted(station: StationRow, judged: JudgedTow, *, is_begun: bool) -> tuple[ResultState, Counted]:
    def none(reason: str) -> Counted:
        return Counted(count=None, used=(), agreement=None, needs_third=False, left_out={}, reasons=(reason,), flags=())

    if station.survey_id is None:
        return ResultState.DRAFT, none("the station is a draft: nobody has put it into a survey yet")
    if station.is_draft and not is_begun:
        return ResultState.DRAFT, none("the station is a draft: it is in no station plan and has no sheet yet")
    if judged.rules is None:
        return ResultState.NOT_COUNTED, none("the survey has no protocol yet, so nothing can be counted")
    if station.survey_kind == "reference":
        return ResultState.SEALED, none("footage of a reference set: its counts stay sealed, the next person is measured on it too")
    state = judged.progress.state
    if judged.counted is None:
        return _STATE[state], none(judged.progress.words)
    if state is CountsState.COUNTER_MISSING:  # what is open for all to see is not sealed
        return ResultState.UNUSABLE, judged.counted
    return _STATE[state], judged.counted


def _profiles(connection: Connection, tow: TowRow, choice: DistanceRow | None) -> tuple[TrackRow | None, tuple[MinuteProfile, ...]]:
    track = None if choice is None or choice.track_id is None else track_reads.track(connection, choice.track_id)
    return track, () if track is None else profiles_of(connection, tow, track)


def _minutes(
    protocol: ProtocolRow | None, revealed: tuple[CountRow, ...], counted: Counted, distance: Reckoned
) -> tuple[MinuteResult, ...]:
    if protocol is None or not revealed:
        return ()
    return tuple(
        MinuteResult(
            minute=minute,
            systems=counted.count.per_minute.get(minute) if counted.count else None,
            by_counter={one.counter: one.minutes[minute].systems for one in revealed if minute in one.minutes},
            lost_s={one.counter: one.minutes[minute].lost_s for one in revealed if minute in one.minutes},
            distance_m=distance.by_minute.get(minute),
            left_out=counted.left_out.get(minute, ""),
        )
        for minute in protocol.minutes
    )


def _nothing() -> dict[str, Any]:
    return {
        "model": None,
        "counts": [],
        "protocol": None,
        "agreement": None,
        "minutes": [],
        "left_out": {},
        "distance": None,
        "width": None,
        "factor": None,
        "tables": [],
    }


def _opening_source(found: opening_reads.OpeningsRow | None) -> dict[str, Any] | None:
    if found is None or not found.stills:
        return None
    told = "objects that the model counted, summed over stills: one opening is seen in several stills, so this is no number of burrows"
    return {"stills": found.stills, "with_result": found.with_result, "what": told}


def _count_source(one: CountRow, is_used: bool) -> dict[str, Any]:  # noqa: FBT001 (a plain property of the count)
    return {
        "count": one.uuid,
        "counter": one.counter,
        "origin": one.origin,
        "signed_utc": one.signed_utc,
        "used": is_used,
        "not_blind": one.not_blind,
        "systems": sum(cell.systems for cell in one.minutes.values()),
    }


def _protocol_source(protocol: ProtocolRow | None) -> dict[str, Any] | None:
    if protocol is None:
        return None
    return {
        "protocol": protocol.uuid,
        "version": protocol.version,
        "first_minute": protocol.first_minute,
        "last_minute": protocol.last_minute,
        "minute_rule": protocol.minute_rule,
        "line_height": protocol.line_height,
        "counters": protocol.counters,
    }


def _distance_source(choice: DistanceRow | None, track: TrackRow | None, found: Reckoned) -> dict[str, Any] | None:
    if choice is None:
        return None
    return {
        "row": choice.id,
        "source": choice.source,
        "method": found.method,
        "stated_m": choice.distance_m,
        "covers": choice.covers,
        "track": None if track is None else {"track": track.uuid, "file_name": track.file_name, "sha256": track.sha256},
        "note": choice.note,
        "entered_by": choice.entered_by,
    }


def _width_source(width: WidthRow | None) -> dict[str, Any] | None:
    if width is None:
        return None
    return {
        "row": width.id,
        "method": width.method,
        "width_m": width.width_m,
        "uncertainty_m": width.uncertainty_m,
        "uncertainty_of": "" if width.uncertainty_m is None else UNCERTAINTY_OF[width.method],
        "row_height": width.row_height,
        "source": width.source,
        "entered_by": width.entered_by,
    }


def _table_source(row: table_reads.TableRowRow) -> dict[str, Any]:
    return {
        "format": row.format,
        "file_name": row.file_name,
        "row": row.row_number,
        "systems": row.systems,
        "density_raw_per_m2": row.raw_per_m2,
        "density_adjusted_per_m2": row.adjusted_per_m2,
    }


def _table_words(row: table_reads.TableRowRow) -> str:
    """A total without minutes and counters cannot be counted again: it is told, and is no count of this protocol."""
    return (
        f"the table {row.file_name} ({row.format}) gives {row.systems:g} systems in all: without minutes and counters it is no count here"
    )


def _more_flags(connection: Connection, tow: TowRow, counted: Counted) -> tuple[str, ...]:
    used = counted.used if counted.count else ()
    return (*clock_flags(connection, tow, used), *round_flags(connection, tow.id, used), *_other_tows(connection, tow))


def _tow_flags(tow: TowRow, choice: DistanceRow | None, at_hand: list[str]) -> tuple[str, ...]:
    flags = []
    better = better_source(choice, at_hand)
    if better is not None:
        flags.append(f"a track of a better source ({better}) is at hand and not chosen")
    if tow.is_valid is False:
        flags.append("the tow is marked as not valid: estimates leave it out")
    if not tow.in_analysis:
        flags.append("the tow is not in the analysis: estimates leave it out")
    return tuple(flags)


def _other_tows(connection: Connection, tow: TowRow) -> tuple[str, ...]:
    """A station is estimated from one tow; another that would do as well is not passed over in silence."""
    usable = [str(one.ordinal) for one in reads.tows(connection, tow.station_id) if does_its_station(one)]
    if len(usable) < 2:
        return ()
    return (f"tows {', '.join(usable)} of the station are in the analysis: estimates use the first of them alone",)
