"""Surveys, grounds, protocols, stations and tows, as pages, API and commands show them.

A station that was met before any survey knew of it has no survey (`survey_id` None): a draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from edge.errors import SettingsError
from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection

T = TypeVar("T")


class SurveyRow(NamedTuple):
    """A survey, or a reference set of footage (`kind` is "reference") that counters are measured on."""

    id: int
    uuid: str
    name: str
    kind: str
    title: str
    functional_unit: str
    vessel: str
    year: int | None
    created_by: str
    created_utc: str


class GroundRow(NamedTuple):
    """A ground of a survey. Its area is None until it is typed with a source; without it there is no abundance."""

    id: int
    survey_id: int
    name: str
    area_km2: float | None
    area_source: str
    stations_planned: int | None


class ProtocolRow(NamedTuple):
    """A version of the rules that a survey counts by.

    Attributes:
        first_minute, last_minute: the counted minutes, the tow's first being 1; both are counted.
        line_height: where the counting line is, as a part of the height of the frame from its top.
        min_mean_per_minute: at or below this mean there is no CCC; None: always compute.
        correction_factor: None until one is typed; `correction_source` says where it is from.
        locked_utc: since when it cannot change, which is since its first count; None before.
    """

    id: int
    uuid: str
    survey_id: int
    version: int
    first_minute: int
    last_minute: int
    minute_rule: str
    line_height: float
    edge_rule: str
    counters: int
    min_mean_per_minute: float | None
    ccc_limit: float
    correction_factor: float | None
    correction_source: str
    reason: str
    made_by: str
    made_utc: str
    locked_utc: str | None

    @property
    def minutes(self) -> range:
        """The minutes that are counted."""
        return range(self.first_minute, self.last_minute + 1)


class StationRow(NamedTuple):
    """A station, with the names of its survey and ground."""

    id: int
    uuid: str
    survey_id: int | None
    survey: str | None
    survey_kind: str | None
    name: str
    ground_id: int | None
    ground: str | None
    is_draft: bool
    planned_latitude_deg: float | None
    planned_longitude_deg: float | None
    created_by: str
    created_utc: str


class TowRow(NamedTuple):
    """A tow as it was read from what was typed; None and "" mean: not stated, or not readable (its entry then has a fault).

    Attributes:
        ordinal: 1 for the first tow of its station.
        is_valid: None until somebody says.
        in_analysis: False for comparative tows, which no estimate uses.
    """

    id: int
    uuid: str
    station_id: int
    station: str
    survey_id: int | None
    survey: str | None
    ordinal: int
    line_name: str
    start_utc: str | None
    end_utc: str | None
    start_latitude_deg: float | None
    start_longitude_deg: float | None
    end_latitude_deg: float | None
    end_longitude_deg: float | None
    start_depth_m: float | None
    end_depth_m: float | None
    cable_out_m: float | None
    video_operator: str
    visibility: str
    speed: str
    ground_type: str
    usbl: str
    marine_litter: str
    backup: str
    comments: str
    is_valid: bool | None
    in_analysis: bool


class TowImageRow(NamedTuple):
    """An image of a tow. `at_s` is seconds since the tow's start by the corrected camera time, None if that is not known.

    `file_id` is the newest file with that content that is there, or any; None if none is known any more.
    """

    image_id: int
    tow_id: int
    camera_id: int | None
    camera: str | None
    how: str
    at_s: float | None
    attached_by: str
    attached_utc: str
    file_id: int | None
    path: str | None
    original: str | None
    sha256: str
    size_bytes: int
    capture_time_utc: str | None
    capture_time_local: str | None


_SURVEY = "SELECT id, uuid, name, kind, title, functional_unit, vessel, year, created_by, created_utc FROM surveys "
_GROUND = "SELECT id, survey_id, name, area_km2, area_source, stations_planned FROM grounds "
_PROTOCOL = (
    "SELECT id, uuid, survey_id, version, first_minute, last_minute, minute_rule, line_height, edge_rule, counters, min_mean_per_minute, "
    "ccc_limit, correction_factor, correction_source, reason, made_by, made_utc, locked_utc FROM protocols "
)
_STATION = (
    "SELECT t.id, t.uuid, t.survey_id, s.name AS survey, s.kind AS survey_kind, t.name, t.ground_id, g.name AS ground, t.is_draft, "
    "t.planned_latitude_deg, t.planned_longitude_deg, t.created_by, t.created_utc "
    "FROM stations AS t LEFT JOIN surveys AS s ON s.id = t.survey_id LEFT JOIN grounds AS g ON g.id = t.ground_id "
)
_TOW = (
    "SELECT w.id, w.uuid, w.station_id, t.name AS station, t.survey_id, s.name AS survey, w.ordinal, w.line_name, w.start_utc, w.end_utc, "
    "w.start_latitude_deg, w.start_longitude_deg, w.end_latitude_deg, w.end_longitude_deg, w.start_depth_m, w.end_depth_m, "
    "w.cable_out_m, w.video_operator, w.visibility, w.speed, w.ground_type, w.usbl, w.marine_litter, w.backup, w.comments, "
    "w.is_valid, w.in_analysis "
    "FROM tows AS w JOIN stations AS t ON t.id = w.station_id LEFT JOIN surveys AS s ON s.id = t.survey_id "
)
_IMAGE = (
    "SELECT m.image_id, m.tow_id, m.camera_id, c.name AS camera, m.how, m.at_s, m.attached_by, m.attached_utc, f.id AS file_id, f.path, "
    "f.original, i.sha256, i.size_bytes, i.capture_time_utc, i.capture_time_local "
    "FROM tow_images AS m JOIN images AS i ON i.id = m.image_id LEFT JOIN cameras AS c ON c.id = m.camera_id "
    "LEFT JOIN sightings AS f ON f.id = (SELECT s.id FROM sightings AS s WHERE s.image_id = m.image_id "
    "ORDER BY s.original = 'present' DESC, s.id DESC LIMIT 1) "
)


def find_survey(connection: Connection, name: str) -> SurveyRow | None:
    """The survey of that name, or None."""
    return _one(SurveyRow, connection, _SURVEY + "WHERE name = ?", name)


def survey(connection: Connection, survey_id: int) -> SurveyRow | None:
    """A survey by its id, or None."""
    return _one(SurveyRow, connection, _SURVEY + "WHERE id = ?", survey_id)


def surveys(connection: Connection) -> tuple[SurveyRow, ...]:
    """Every survey and reference set, the newest first."""
    return as_values(SurveyRow, connection.execute(_SURVEY + "ORDER BY id DESC"))


def grounds(connection: Connection, survey_id: int) -> tuple[GroundRow, ...]:
    """The grounds of a survey by name."""
    return as_values(GroundRow, connection.execute(_GROUND + "WHERE survey_id = ? ORDER BY name", (survey_id,)))


def protocols(connection: Connection, survey_id: int) -> tuple[ProtocolRow, ...]:
    """Every version of a survey's rules, the newest first."""
    return as_values(ProtocolRow, connection.execute(_PROTOCOL + "WHERE survey_id = ? ORDER BY version DESC", (survey_id,)))


def protocol(connection: Connection, protocol_id: int) -> ProtocolRow | None:
    """A version of a survey's rules by its id, or None."""
    return _one(ProtocolRow, connection, _PROTOCOL + "WHERE id = ?", protocol_id)


def protocol_in_force(connection: Connection, survey_id: int) -> ProtocolRow | None:
    """The rules that new counts of a survey are made under; None before any were made."""
    return _one(ProtocolRow, connection, _PROTOCOL + "WHERE survey_id = ? ORDER BY version DESC LIMIT 1", survey_id)


def stations(connection: Connection, survey_id: int | None) -> tuple[StationRow, ...]:
    """The stations of a survey by name, numbers in their order; None: the drafts that belong to no survey."""
    rows = connection.execute(_STATION + "WHERE t.survey_id IS ? ORDER BY length(t.name), t.name", (survey_id,))
    return as_values(StationRow, rows)


def station(connection: Connection, station_id: int) -> StationRow | None:
    """A station by its id, or None."""
    return _one(StationRow, connection, _STATION + "WHERE t.id = ?", station_id)


def find_station(connection: Connection, name: str, survey_name: str | None = None) -> StationRow | None:
    """The station of that name: in that survey, or in the only one that has it; a draft of no survey comes last.

    Raises:
        SettingsError: several surveys have a station of that name and none was named.
    """
    if survey_name is not None:
        return _one(StationRow, connection, _STATION + "WHERE t.name = ? AND s.name = ?", name, survey_name)
    found = as_values(StationRow, connection.execute(_STATION + "WHERE t.name = ? ORDER BY t.survey_id DESC NULLS LAST", (name,)))
    among = [one.survey for one in found if one.survey is not None]
    if len(among) > 1:
        raise SettingsError(f"several surveys have a station {name}: {', '.join(among)}", advice="Say which with --survey NAME.")
    return found[0] if found else None


def tows(connection: Connection, station_id: int) -> tuple[TowRow, ...]:
    """The tows of a station in their order."""
    return as_values(TowRow, connection.execute(_TOW + "WHERE w.station_id = ? ORDER BY w.ordinal", (station_id,)))


def survey_tows(connection: Connection, survey_id: int) -> tuple[TowRow, ...]:
    """Every tow of a survey by station and order."""
    rows = connection.execute(_TOW + "WHERE t.survey_id = ? ORDER BY length(t.name), t.name, w.ordinal", (survey_id,))
    return as_values(TowRow, rows)


def tow(connection: Connection, tow_id: int) -> TowRow | None:
    """A tow by its id, or None."""
    return _one(TowRow, connection, _TOW + "WHERE w.id = ?", tow_id)


def main_tow(connection: Connection, station_id: int) -> TowRow | None:
    """The tow that a station is estimated from, see `main_of`."""
    return main_of(tows(connection, station_id))


def main_of(of_station: Sequence[TowRow]) -> TowRow | None:
    """Of a station's tows the first in the analysis that is not marked as invalid: a tow that failed is made again.

    The first in the analysis where all those are invalid; None if all are comparative or there is none.
    """
    return min((one for one in of_station if one.in_analysis), key=lambda one: (one.is_valid is False, one.ordinal), default=None)


def tow_images(connection: Connection, tow_id: int, *, limit: int = -1) -> tuple[TowImageRow, ...]:
    """The images of a tow in order of their time; those without one come last, by name."""
    rows = connection.execute(_IMAGE + "WHERE m.tow_id = ? ORDER BY m.at_s IS NULL, m.at_s, f.path, m.image_id LIMIT ?", (tow_id, limit))
    return as_values(TowImageRow, rows)


def still_times_s(connection: Connection, tow_id: int) -> tuple[float, ...]:
    """When the images of a tow were taken, in seconds since its start, ascending; those without a time are not among them."""
    rows = connection.execute("SELECT at_s FROM tow_images WHERE tow_id = ? AND at_s IS NOT NULL ORDER BY at_s", (tow_id,))
    return tuple(row[0] for row in rows)


def _one(kind: type[T], connection: Connection, query: str, *values: object) -> T | None:
    row = connection.execute(query, values).fetchone()
    return None if row is None else as_value(kind, row)
