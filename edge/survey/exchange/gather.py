"""What an export is made from, read at one moment: stations with their results, revealed counts, and what is left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.errors import SettingsError
from edge.store.reads import counts as count_reads
from edge.store.reads import surveys, tables, tracks
from edge.store.reads.counts import CountRow
from edge.store.reads.surveys import GroundRow, ProtocolRow, StationRow, SurveyRow, TowRow
from edge.store.reads.tables import KeptMinute, TableRowRow
from edge.store.reads.tracks import TrackRow, UsedPlace
from edge.store.sqlite import Connection
from edge.survey.counting.judge import CountsState, tow_counts
from edge.survey.counting.rules import judging_rules
from edge.survey.judged import does_its_station
from edge.survey.result import ResultState, StationResult, result_of_station


class LeftOut(NamedTuple):
    """What an export does not hold. `counter` is empty where it is the station as a whole."""

    station: str
    counter: str
    reason: str


class Middle(NamedTuple):
    """The middle of a tow, in degrees, WGS 84."""

    latitude_deg: float
    longitude_deg: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredCount:
    """A revealed count. `line`: the name of its video line; `kept`: what the table it came from says of its minutes."""

    line: str
    tow: TowRow
    count: CountRow
    protocol: ProtocolRow | None
    operator: str
    kept: Mapping[int, KeptMinute]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredStation:
    """A station with what is known of it.

    Attributes:
        tow: the one that its results come from; None if all are comparative or none is valid.
        rows: dialect -> what a table of others says of that tow; none while that is not for whoever asks.
        middle: where it is; None if nobody wrote that.
        absence: why there is no result that people counted; empty if there is one.
    """

    station: StationRow
    tow: TowRow | None
    result: StationResult
    rows: Mapping[str, TableRowRow]
    middle: Middle | None
    distance_source: str | None
    width_m: float | None
    absence: str

    @property
    def has_usable_rows(self) -> bool:
        """Whether a table of stations may take its row from a table of others."""
        return bool(self.rows) and self.tow is not None and self.tow.is_valid is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A survey as an export needs it.

    Attributes:
        station: the one that was asked for, None for all.
        holds_references: whether clicks of a reference are among what is exported.
        largest_row_id: of the rows of Recounts tables that were taken into the survey; counts made here are numbered on from it.
    """

    survey: SurveyRow
    station: str | None
    grounds: Mapping[str, GroundRow]
    protocols: tuple[ProtocolRow, ...]
    stations: tuple[GatheredStation, ...]
    counts: tuple[GatheredCount, ...]
    left_out: tuple[LeftOut, ...] = field(default=())
    holds_references: bool = False
    largest_row_id: int = 0


def gather(connection: Connection, survey_name: str, station_name: str | None, *, sees_tables: bool = False) -> Gathered:
    """Read a survey, or one station of it.

    Args:
        connection: of a reader, inside a snapshot.
        survey_name: the survey.
        station_name: only this station; None for all.
        sees_tables: whether whoever asks may see what tables of others say of stations that wait for blind counts.

    Raises:
        SettingsError: there is no such survey, or no such station in it.
    """
    survey = surveys.find_survey(connection, survey_name)
    if survey is None:
        raise SettingsError(f"there is no survey {survey_name}", advice="`imagine-edge survey status` names the surveys there are.")
    stations = surveys.stations(connection, survey.id)
    if station_name is not None:
        stations = tuple(one for one in stations if one.name == station_name)
        if not stations:
            raise SettingsError(
                f"there is no station {station_name} in {survey_name}", advice="Look at the survey's page for its stations."
            )
    protocols = surveys.protocols(connection, survey.id)
    rows: dict[int, dict[str, TableRowRow]] = {}
    for row in tables.table_rows(connection, survey.id):
        rows.setdefault(row.tow_id, {})[row.format] = row
    counts: list[GatheredCount] = []
    left_out: list[LeftOut] = []
    for station in stations:
        _gather_counts(connection, station, protocols, counts, left_out)
    if protocols and not sees_tables:  # what others found would tell a counter what to find
        revealed = {one.tow.id for one in counts}
        rows = {tow_id: of_tow for tow_id, of_tow in rows.items() if tow_id in revealed}
    return Gathered(
        survey=survey,
        station=station_name,
        grounds={ground.name: ground for ground in surveys.grounds(connection, survey.id)},
        protocols=protocols,
        stations=tuple(_gather_station(connection, station, rows, sees_tables=sees_tables) for station in stations),
        counts=tuple(sorted(counts, key=lambda one: one.count.id)),
        left_out=tuple(left_out),
        holds_references=survey.kind == "reference",
        largest_row_id=tables.largest_row_id(connection, survey.id),
    )


def track_lines(connection: Connection, tow_id: int) -> list[tuple[TrackRow, list[UsedPlace]]]:
    """The tracks of a tow that stand, each with the positions that are used."""
    standing = [track for track in tracks.tracks(connection, tow_id) if track.withdrawn_utc is None]
    return [(track, tracks.used_places(connection, track.id)) for track in reversed(standing)]


def _gather_counts(
    connection: Connection,
    station: StationRow,
    protocols: tuple[ProtocolRow, ...],
    counts: list[GatheredCount],
    left_out: list[LeftOut],
) -> None:
    by_id = {protocol.id: protocol for protocol in protocols}
    for tow in surveys.tows(connection, station.id):
        every = count_reads.counts_of_tow(connection, tow.id)
        left_out += [LeftOut(station.name, one.counter, f"set aside: {one.set_aside_reason}") for one in every if one.state == "set_aside"]
        revealed = [one for one in every if one.revealed_utc is not None and one.state != "set_aside"]
        if not revealed:
            rules = judging_rules(connection, every, station.survey_id)
            progress = tow_counts(every, rules, is_reference=station.survey_kind == "reference")
            left_out.append(LeftOut(station.name, "", _not_revealed(tow, progress.words)))
            continue
        left_out += [LeftOut(station.name, one.counter, f"not blind: {one.not_blind}") for one in revealed if one.not_blind]
        operators = tables.operators(connection, tow.id)
        counts += [
            GatheredCount(
                line=line_of(tow),
                tow=tow,
                count=one,
                protocol=by_id.get(one.protocol_id),
                operator=operators.get(one.id, ""),
                kept=tables.kept_minutes(connection, one.id),
            )
            for one in revealed
            if not one.not_blind
        ]


def _not_revealed(tow: TowRow, words: str) -> str:
    of_tow = "" if tow.ordinal == 1 else f", tow {tow.ordinal}"
    return f"no revealed count{of_tow}: {words or CountsState.NOT_BEGUN}"


def line_of(tow: TowRow) -> str:
    """The name of a tow's video line: what the sheet says, else the station's name."""
    return tow.line_name or (tow.station if tow.ordinal == 1 else f"{tow.station}-{tow.ordinal}")


def _gather_station(
    connection: Connection,
    station: StationRow,
    rows: Mapping[int, Mapping[str, TableRowRow]],
    *,
    sees_tables: bool,
) -> GatheredStation:
    tow, result = (
        surveys.main_tow(connection, station.id),
        result_of_station(connection, station, sees_tables=sees_tables, with_openings=False),
    )
    of_tow = rows.get(tow.id, {}) if tow else {}
    distance = tracks.distance_in_force(connection, tow.id) if tow else None
    width = tracks.width_in_force(connection, tow.id) if tow else None
    return GatheredStation(
        station=station,
        tow=tow,
        result=result,
        rows=of_tow,
        middle=_middle(connection, station, tow or next(iter(surveys.tows(connection, station.id)), None), of_tow),
        distance_source=None if distance is None else distance.source,
        width_m=None if width is None else width.width_m,
        absence=_absence(tow, result),
    )


def _absence(tow: TowRow | None, result: StationResult) -> str:
    if tow is None:
        return "no tow of it is in the analysis"
    if not does_its_station(tow):
        return "its tow is marked as not valid"
    if result.state is ResultState.COUNTED:
        return ""
    return "; ".join(result.reasons) or str(result.state).replace("_", " ")


def _middle(connection: Connection, station: StationRow, tow: TowRow | None, rows: Mapping[str, TableRowRow]) -> Middle | None:
    """Half way between the ends of the tow as the sheet has them; else of a track; else what a table says; else the plan's."""
    if tow is not None:
        ends = (tow.start_latitude_deg, tow.end_latitude_deg, tow.start_longitude_deg, tow.end_longitude_deg)
        south, north, west, east = ends
        if south is not None and north is not None and west is not None and east is not None:
            return Middle((south + north) / 2, (west + east) / 2, "half way between the ends of the tow")
        for track, points in track_lines(connection, tow.id):
            if points:
                _, latitude_deg, longitude_deg, _ = points[len(points) // 2]
                return Middle(latitude_deg, longitude_deg, f"middle of the track {track.file_name}")
        if south is not None and west is not None:
            return Middle(south, west, "start of the tow")
    for row in rows.values():
        if row.latitude_deg is not None and row.longitude_deg is not None:
            return Middle(row.latitude_deg, row.longitude_deg, f"{row.file_name}, row {row.row_number}")
    if station.planned_latitude_deg is not None and station.planned_longitude_deg is not None:
        return Middle(station.planned_latitude_deg, station.planned_longitude_deg, "plan")
    return None
