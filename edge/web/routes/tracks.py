"""A station's track and width of view: what is known of them, the plot, and the forms that take what is measured."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.connection import snapshot
from edge.store.reads import surveys as reads
from edge.store.reads import tracks as track_reads
from edge.store.reads.files import get_file
from edge.store.reads.surveys import TowRow
from edge.store.reads.tracks import TrackRow
from edge.store.sqlite import Connection
from edge.store.tracks import Kept, NewDistance
from edge.survey.navigation.csv_logs import Source
from edge.survey.reckoning import SOURCE_WORDS
from edge.survey.tow_width import width_of_footage
from edge.survey.track_desk import TrackFile
from edge.survey.track_lines import TrackLine, line_of, tow_span
from edge.survey.width import LaserClicks, RangeFinder, ViewOf, Width, fixed_width, laser_width, range_finder_width, table_width
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.drawings.track import Ends, profile_chart, track_plot
from edge.web.errors import RequestError, invalid, no_such
from edge.web.pages import render
from edge.web.routes.actions import Form, PostedForm

router = APIRouter(include_in_schema=False)

SHOWN_STILLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTrack:
    """A track with its line, where it stands and the tow's times are known."""

    row: TrackRow
    faults: tuple[str, ...]
    line: TrackLine | None
    flagged: dict[str, int]


@router.get("/stations/{station_id:int}/track")
def show_track(request: Request, appliance: ApplianceHere, station_id: int, tow: int | None = None) -> Response:
    """Track, distance and width of a station's tow."""
    with appliance.reader() as connection, snapshot(connection):
        station = reads.station(connection, station_id)
        if station is None:
            raise no_such("station with the id", station_id)
        tows = reads.tows(connection, station_id)
        chosen = next((one for one in tows if one.id == tow), None) or reads.main_tow(connection, station_id) or next(iter(tows), None)
        protocol = None if station.survey_id is None else reads.protocol_in_force(connection, station.survey_id)
        values = {} if chosen is None else _of_tow(connection, chosen)
    window = range(protocol.first_minute, protocol.last_minute + 1) if protocol else None
    lines = [one.line for one in values.get("tracks", ()) if one.line is not None]
    return render(
        request,
        "track.html",
        station=station,
        tows=tows,
        tow=chosen,
        protocol=protocol,
        plot=track_plot(lines, _ends(chosen)) if lines and chosen else None,
        profile=profile_chart(_profile_line(lines).profiles, window) if lines else None,
        profiled=_profile_line(lines) if lines else None,
        source_words=SOURCE_WORDS,
        **values,
    )


def _profile_line(lines: list[TrackLine]) -> TrackLine:
    return next((one for one in lines if one.track.source == "usbl"), lines[0])


def _of_tow(connection: Connection, tow: TowRow) -> dict[str, Any]:
    rows = track_reads.tracks(connection, tow.id)
    tracks = [
        ShownTrack(row=row, faults=tuple(json.loads(row.faults_json)), line=line, flagged=_flagged(line))
        for row in rows
        for line in [None if row.withdrawn_utc else line_of(connection, tow, row)]
    ]
    stills = reads.tow_images(connection, tow.id, limit=SHOWN_STILLS * 20)
    step = max(1, len(stills) // SHOWN_STILLS)
    return {
        "tracks": tracks,
        "gone_tracks": {one.id for one in rows if one.withdrawn_utc},
        "duration_s": tow_span(tow)[2],
        "distance": track_reads.distance_in_force(connection, tow.id),
        "distances": track_reads.distances(connection, tow.id),
        "width": track_reads.width_in_force(connection, tow.id),
        "widths": track_reads.widths(connection, tow.id),
        "footage_width": width_of_footage(connection, tow.id),
        "stills": [one for one in stills[::step] if one.file_id is not None],
    }


def _flagged(line: TrackLine | None) -> dict[str, int]:
    flags: dict[str, int] = {}
    for point in () if line is None else line.points:
        if point.flag:
            flags[point.flag] = flags.get(point.flag, 0) + 1
    return flags


def _ends(tow: TowRow) -> Ends:
    def place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
        return None if latitude is None or longitude is None else (latitude, longitude)

    return Ends(start=place(tow.start_latitude_deg, tow.start_longitude_deg), end=place(tow.end_latitude_deg, tow.end_longitude_deg))


@router.post("/actions/tracks/import")
def import_track(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Import a log from a path on the machine."""
    path = Path(form.text("path").strip())
    file = TrackFile(
        path=path,
        name=path.name,
        source=source_of(form.text("source")),
        stream=form.optional("stream").strip() or None,
        time_offset_s=_number(form, "time_offset_s") if form.optional("time_offset_s").strip() else 0.0,
    )
    appliance.tracks.import_track(_id(form, "tow"), file, actor)
    return form.back("track_imported")


@router.post("/actions/tracks/choose")
def choose_track(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Let the distance be that along a track."""
    appliance.tracks.choose_track(_id(form, "track"), actor)
    return form.back("distance_set")


@router.post("/actions/tracks/distance")
def type_distance(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Take a distance that was read off, the straight line between the sheet's positions, or speed times time."""
    if form.optional("from_sheet"):
        appliance.tracks.estimate_from_sheet(_id(form, "tow"), actor)
    elif form.optional("speed_knots").strip():
        appliance.tracks.estimate_distance(_id(form, "tow"), _number(form, "speed_knots"), actor)
    else:
        covers = form.text("covers")
        if covers not in {"tow", "counted"}:
            raise invalid(f"a distance cannot cover {covers!r}", "It is tow or counted.")
        new = NewDistance(form.text("source"), _number(form, "distance_m"), covers, None, form.optional("note").strip()[:500])
        appliance.tracks.type_distance(_id(form, "tow"), new, actor)
    return form.back("distance_set")


@router.post("/actions/tracks/width")
def set_width(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Take a width of view by any of the four ways."""
    appliance.tracks.set_width(_id(form, "tow"), _width(appliance, form), actor)
    return form.back("width_set")


@router.post("/actions/tracks/withdraw")
def withdraw(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Let a track, distance or width no longer be used."""
    appliance.tracks.withdraw(kept_of(form.text("kind")), _id(form, "row"), actor)
    return form.back("withdrawn")


@router.post("/actions/tracks/restore")
def restore(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Let what was withdrawn stand again."""
    appliance.tracks.restore(kept_of(form.text("kind")), _id(form, "row"), actor)
    return form.back("restored")


def _width(appliance: ApplianceHere, form: Form) -> Width:
    method, source = form.text("method"), form.optional("source")
    if method == "footage":
        with appliance.reader() as connection:
            found = width_of_footage(connection, _id(form, "tow"))
        if found is None:
            raise invalid("the footage of this tow tells no width now", "State the gap of its camera's lasers on the page Media, and wait.")
        return found
    row_height = _number(form, "row_height")
    if method == "range_finder":
        names = ("range_m", "offset_m", "camera_angle_deg", "vertical_view_deg", "horizontal_view_deg")
        view_of = ViewOf.MIDDLE_ROW if form.text("horizontal_view_of") == ViewOf.MIDDLE_ROW else ViewOf.BOTTOM_EDGE
        range_sd_m = _number(form, "range_sd_m") if form.optional("range_sd_m").strip() else None
        given = {name: _number(form, name) for name in names}
        return range_finder_width(RangeFinder(**given, horizontal_view_of=view_of, range_sd_m=range_sd_m), row_height, source)
    if method == "lasers":
        file_id = _id(form, "file")
        with appliance.reader() as connection:
            still = get_file(connection, file_id)
        if still is None or still.width_px is None or still.height_px is None:
            raise no_such("still with the id", file_id)
        clicks = LaserClicks(
            left_px=(_number(form, "left_x") * still.width_px, _number(form, "left_y") * still.height_px),
            right_px=(_number(form, "right_x") * still.width_px, _number(form, "right_y") * still.height_px),
            image_width_px=still.width_px,
            image_height_px=still.height_px,
            gap_m=_number(form, "gap_m"),
            gap_source=form.optional("gap_source"),
        )
        return laser_width(clicks, row_height, source.strip() or f"laser dots clicked on file {file_id}")
    uncertainty = _number(form, "uncertainty_m") if form.optional("uncertainty_m").strip() else None
    if method == "fixed":
        return fixed_width(_number(form, "width_m"), row_height, source, uncertainty)
    if method == "table":
        return table_width(_number(form, "width_m"), row_height, source)
    raise invalid(f"there is no way {method!r} to a width", "It is fixed, footage, lasers, range_finder or table.")


def source_of(text: str) -> Source:
    """`usbl` or `ship`.

    Raises:
        RequestError: 422, it is neither.
    """
    for one in get_args(Source):
        if text == one:
            source: Source = one
            return source
    raise invalid(f"there is no source {text!r}", "It is usbl or ship.")


def kept_of(text: str) -> Kept:
    """What may be withdrawn.

    Raises:
        RequestError: 422, it is none of these.
    """
    for one in get_args(Kept):
        if text == one:
            kind: Kept = one
            return kind
    raise invalid(f"{text!r} cannot be withdrawn", "It is tracks, distances or widths.")


def _number(form: Form, name: str) -> float:
    text = form.text(name).strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _bad(name, text)
    return value


def _id(form: Form, name: str) -> int:
    text = form.text(name)
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and 0 < int(text) <= MAX_ID):
        raise _bad(name, text)
    return int(text)


def _bad(name: str, text: str) -> RequestError:
    return invalid(f"{name.replace('_', ' ')} is {text!r}, not a number", "Go back, correct it and press the button again.")
