"""The JSON API of tracks, distances, widths, results and estimates."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads import tracks as track_reads
from edge.store.reads.tracks import DistanceRow, TrackRow, WidthRow
from edge.store.tracks import Kept, NewDistance
from edge.survey.navigation.csv_logs import Source
from edge.survey.overview import MethodEstimate, PlacedStation, survey_overview
from edge.survey.result import StationResult, result_of_station
from edge.survey.track_desk import Imported, TrackFile
from edge.survey.width import (
    LaserClicks,
    RangeFinder,
    ViewOf,
    Width,
    WidthMethod,
    fixed_width,
    laser_width,
    range_finder_width,
    table_width,
)
from edge.web.deps import MAX_ID, Actor, ApplianceHere, Viewer, sees_tables
from edge.web.errors import Problem, invalid, no_such
from edge.web.uploads import receive

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api", tags=["stations"], responses=REFUSALS)

TowId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the tow.")]
StationId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the station.")]
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=500)]
TRACK_ROOM_FACTOR = 1.2


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EnsureBody(_Body):
    """The name of a station, and of its survey where several have one of that name."""

    station: Annotated[str, Field(min_length=1, max_length=200)]
    survey: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class TrackBody(_Body):
    """A log on the machine where the appliance runs; the path from its root."""

    path: Annotated[str, Field(min_length=1, max_length=4000)]
    source: Source = "usbl"
    stream: Text | None = None
    time_offset_s: Finite = 0.0


class DistanceBody(_Body):
    """A distance over ground: along a track (`track_id`), typed (`distance_m`), `speed_knots` times the tow's time, or `from_sheet`."""

    track_id: RowId | None = None
    source: Literal["usbl", "ship", "odometer", "observed", "estimated"] = "observed"
    distance_m: Finite | None = None
    speed_knots: Finite | None = None
    from_sheet: Literal[True] | None = None
    covers: Literal["tow", "counted"] = "tow"
    note: Text = ""


class LaserBody(_Body):
    """Two laser dots in pixels of the full image, and the gap between the beams."""

    left_px: tuple[Finite, Finite]
    right_px: tuple[Finite, Finite]
    image_width_px: Annotated[int, Field(ge=1, le=100_000)]
    image_height_px: Annotated[int, Field(ge=1, le=100_000)]
    gap_m: Finite
    gap_source: Text


class RangeBody(_Body):
    """A camera over flat ground; see `edge.survey.width.RangeFinder`."""

    range_m: Finite
    offset_m: Finite
    camera_angle_deg: Finite
    vertical_view_deg: Finite
    horizontal_view_deg: Finite
    horizontal_view_of: ViewOf = ViewOf.BOTTOM_EDGE
    range_sd_m: Finite | None = None


class WidthBody(_Body):
    """A width of view at `row_height` with its source: `width_m` for `fixed` and `table`, `lasers`, or `range_finder`."""

    method: WidthMethod
    source: Text
    row_height: Finite | None = None
    width_m: Finite | None = None
    uncertainty_m: Finite | None = None
    lasers: LaserBody | None = None
    range_finder: RangeBody | None = None


class WithdrawBody(_Body):
    """A row of `tracks`, `distances` or `widths` that shall no longer be used."""

    kind: Kept
    row: RowId


class Ensured(BaseModel):
    """The station; `is_draft` if nobody has planned it."""

    station_id: int
    is_draft: bool


class Made(BaseModel):
    """The id of the new row, or of the tow whose row was withdrawn."""

    id: int


class TrackAnswer(BaseModel):
    """What is known of a tow's way; withdrawn rows are history. `distance` and `width` are in force."""

    tracks: list[TrackRow]
    distance: DistanceRow | None
    distances: list[DistanceRow]
    width: WidthRow | None
    widths: list[WidthRow]


class EstimateStation(BaseModel):
    """A station of a survey. `method`: how it was counted, as `slug` of its estimate; `why_not` says why it is in none."""

    station_id: int
    station: str
    ground: str | None
    latitude_deg: float | None
    longitude_deg: float | None
    is_planned_place: bool
    state: str
    systems: float | None
    area_m2: float | None
    density_raw_per_m2: float | None
    density_adjusted_per_m2: float | None
    method: str | None
    estimated: bool
    why_not: str


class EstimateAnswer(BaseModel):
    """A survey: how many stations are planned, counted and left, and one estimate for each method."""

    survey: str
    planned: int | None
    counted: int
    left: int | None
    stations: list[EstimateStation]
    estimates: list[MethodEstimate]


@router.post("/stations/ensure", summary="Let a station be there")
def ensure_station(appliance: ApplianceHere, actor: Actor, body: EnsureBody) -> Ensured:
    """The station of that name; one that nobody knows becomes a draft."""
    station_id = appliance.tracks.ensure_station(body.station, body.survey, actor)
    with appliance.reader() as connection:
        row = reads.station(connection, station_id)
    assert row is not None  # it was just made sure of
    return Ensured(station_id=station_id, is_draft=row.is_draft)


@router.get("/stations/{station_id}/result", summary="A station's count, distance, area and density")
def one_result(appliance: ApplianceHere, viewer: Viewer, station_id: StationId) -> StationResult:
    """Figures that are not known are null, and `reasons` says why; `sources` names the rows that each was made from."""
    with appliance.reader() as connection, snapshot(connection):
        row = reads.station(connection, station_id)
        if row is None:
            raise no_such("station with the id", station_id)
        return result_of_station(connection, row, sees_tables=sees_tables(viewer))


@router.get("/surveys/{survey_id}/estimate", summary="A survey's stations and its estimate by ground")
def one_estimate(appliance: ApplianceHere, survey_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> EstimateAnswer:
    """Methods (counted here or imported, and the version of the protocol) are never pooled: one estimate each, the survey's own first."""
    with appliance.reader() as connection, snapshot(connection):
        if reads.survey(connection, survey_id) is None:
            raise no_such("survey with the id", survey_id)
        found = survey_overview(connection, survey_id)
    return EstimateAnswer(
        survey=found.survey.name,
        planned=found.planned,
        counted=found.counted,
        left=found.left,
        stations=[_station(one) for one in found.stations],
        estimates=list(found.estimates),
    )


@router.get("/tows/{tow_id}/track", summary="Tracks, distances and widths of a tow")
def tow_track(appliance: ApplianceHere, tow_id: TowId) -> TrackAnswer:
    """Newest first, withdrawn ones too."""
    with appliance.reader() as connection, snapshot(connection):
        if reads.tow(connection, tow_id) is None:
            raise no_such("tow with the id", tow_id)
        return TrackAnswer(
            tracks=list(track_reads.tracks(connection, tow_id)),
            distance=track_reads.distance_in_force(connection, tow_id),
            distances=list(track_reads.distances(connection, tow_id)),
            width=track_reads.width_in_force(connection, tow_id),
            widths=list(track_reads.widths(connection, tow_id)),
        )


@router.post("/tows/{tow_id}/tracks", summary="Import a navigation log from a path")
def import_path(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: TrackBody) -> Imported:
    """Only what lies in the tow's time is kept. What could not be used is counted and listed in `faults`."""
    path = FilePath(body.path)
    file = TrackFile(path=path, name=path.name, source=body.source, stream=body.stream, time_offset_s=body.time_offset_s)
    return appliance.tracks.import_track(tow_id, file, actor)


@router.post("/tows/{tow_id}/tracks/upload", summary="Import a navigation log that is sent")
async def import_upload(
    request: Request,
    appliance: ApplianceHere,
    actor: Actor,
    tow_id: TowId,
    *,
    name: Annotated[str, Query(min_length=1, max_length=200, description="What the file is called.")],
    source: Annotated[Source, Query(description="Whose track it is.")] = "usbl",
    stream: Annotated[str | None, Query(max_length=100, description="The transponder or receiver, where there are several.")] = None,
    time_offset_s: Annotated[float, Query(allow_inf_nan=False, description="Added to the log's times.")] = 0.0,
) -> Imported:
    """The body is the log, at most 2 GiB. Then as for a path."""
    path = await receive(request, appliance.home, appliance.live().disk, what="a log", room_factor=TRACK_ROOM_FACTOR)
    file = TrackFile(path=path, name=name, source=source, stream=stream or None, time_offset_s=time_offset_s)
    try:
        return await anyio.to_thread.run_sync(appliance.tracks.import_track, tow_id, file, actor)
    finally:
        path.unlink(missing_ok=True)


@router.post("/tows/{tow_id}/distance", summary="Choose or type a distance over ground")
def set_distance(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: DistanceBody) -> Made:
    """It is in force from now on; the ones before stay as history."""
    given = [body.track_id, body.distance_m, body.speed_knots, body.from_sheet]
    if sum(one is not None for one in given) != 1:
        raise invalid("a distance is one of track_id, distance_m, speed_knots and from_sheet", "Send exactly one of them.")
    if body.track_id is not None:
        with appliance.reader() as connection:
            track = track_reads.track(connection, body.track_id)
        if track is None or track.tow_id != tow_id:
            raise no_such("track of this tow with the id", body.track_id)
        return Made(id=appliance.tracks.choose_track(body.track_id, actor))
    if body.from_sheet:
        return Made(id=appliance.tracks.estimate_from_sheet(tow_id, actor))
    if body.speed_knots is not None:
        return Made(id=appliance.tracks.estimate_distance(tow_id, body.speed_knots, actor))
    assert body.distance_m is not None  # one of the four is there
    new = NewDistance(body.source, body.distance_m, body.covers, None, body.note.strip())
    return Made(id=appliance.tracks.type_distance(tow_id, new, actor))


@router.post("/tows/{tow_id}/width", summary="Set a width of view")
def set_width(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: WidthBody) -> Made:
    """It is in force from now on; the ones before stay as history. There is no default."""
    return Made(id=appliance.tracks.set_width(tow_id, _width(body), actor))


@router.post("/tracks/withdraw", summary="Withdraw a track, a distance or a width")
def withdraw(appliance: ApplianceHere, actor: Actor, body: WithdrawBody) -> Made:
    """The one before it is in force again; nothing is deleted. A distance along a track goes with it."""
    return Made(id=appliance.tracks.withdraw(body.kind, body.row, actor))


def _station(one: PlacedStation) -> EstimateStation:
    return EstimateStation(
        station_id=one.station.id,
        station=one.station.name,
        ground=one.station.ground,
        latitude_deg=one.latitude_deg,
        longitude_deg=one.longitude_deg,
        is_planned_place=one.is_planned_place,
        state=one.result.state.value,
        systems=one.result.systems,
        area_m2=one.result.area_m2,
        density_raw_per_m2=one.result.density_raw_per_m2,
        density_adjusted_per_m2=one.result.density_adjusted_per_m2,
        method=None if one.method is None else one.method.slug,
        estimated=one.estimated,
        why_not=one.why_not,
    )


def _width(body: WidthBody) -> Width:
    if body.row_height is not None and body.method is WidthMethod.RANGE_FINDER and body.range_finder is not None:
        return range_finder_width(RangeFinder(**body.range_finder.model_dump()), body.row_height, body.source)
    if body.row_height is not None and body.method is WidthMethod.LASERS and body.lasers is not None:
        return laser_width(LaserClicks(**body.lasers.model_dump()), body.row_height, body.source)
    if body.row_height is not None and body.width_m is not None:
        if body.method is WidthMethod.FIXED:
            return fixed_width(body.width_m, body.row_height, body.source, body.uncertainty_m)
        if body.method is WidthMethod.TABLE:
            return table_width(body.width_m, body.row_height, body.source)
    raise invalid(
        f"a width by {body.method.value} lacks its values",
        "All need row_height; fixed and table need width_m, lasers needs lasers, range_finder needs range_finder.",
    )


@router.post("/tracks/restore", summary="Restore a track, a distance or a width")
def restore(appliance: ApplianceHere, actor: Actor, body: WithdrawBody) -> Made:
    """What was withdrawn stands again, a track with the distances that went with it; the newest that stands is in force."""
    return Made(id=appliance.tracks.restore(body.kind, body.row, actor))
