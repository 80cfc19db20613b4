"""The frame strip of a tow: the page that shows it whole, its tiles, the frame at a moment, and the strip as one picture."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Annotated

import anyio
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from edge.errors import ReviewRefusedError
from edge.footage import FrameWanted, SheetWanted
from edge.store.connection import snapshot
from edge.store.reads import footage as footage_reads
from edge.store.reads.frames import frame_bytes_at
from edge.store.reads.surveys import StationRow, TowRow, station, tow
from edge.store.sqlite import Connection
from edge.store.strips import crossing_places, tile_jpeg, tile_jpegs
from edge.survey.review_places import CHANGED, is_of_its_footage
from edge.survey.review_standing import ReviewState, Standing, standing
from edge.survey.tow_footage import Clock
from edge.survey.tow_strip import Stretch, TowStrip, strip_of_tow
from edge.web.deps import MAX_ID, ApplianceHere
from edge.web.drawings.strip import clock_of, draw_strip, seconds_of_strip
from edge.web.errors import no_such
from edge.web.originals import path_of
from edge.web.pages import render
from edge.web.routes.api_reviews import REFUSALS
from edge.web.routes.pictures import PICTURE_HEADERS

router = APIRouter(include_in_schema=False)
api_router = APIRouter(prefix="/api", tags=["review"])

TowId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the tow.")]
FRAME_WIDTH_PX = 1600
_MARK_EVERY_S, _MARKS_APART = 10, 250.0  # seconds, columns
_HAIR_S = 0.0005  # sums of seconds are off by a last digit


class SheetKind(StrEnum):
    """Kinds of picture."""

    JPEG = "jpeg"
    PNG = "png"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileAnswer:
    """A tile of the strip: its place and length in columns, its height in pixels, and the moments at which its edges passed the row."""

    id: int
    from_column: int
    columns: int
    width_px: int
    px_per_column: float
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StripAnswer:
    """The frame strip of a tow. `times` are [seconds of the tow, column]; `stretches` are not shown, or guessed."""

    tow_id: int
    clock: str
    columns: int
    tiles: tuple[TileAnswer, ...]
    times: tuple[tuple[float, float], ...]
    stretches: tuple[Stretch, ...]
    left_out: tuple[str, ...]


@router.get("/tows/{tow_id:int}/strip")
def show_strip(request: Request, appliance: ApplianceHere, tow_id: TowId) -> Response:
    """The whole tow as one long picture; with the marks of the analysis where it may be seen."""
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        strip = strip_of_tow(connection, of)
        found = standing(connection, tow_id)
        no_marks = _why_no_marks(connection, of, found)
        marked = None if no_marks else found.analysis
        seconds = footage_reads.seconds_of(connection, marked.id) if marked else ()
        openings = appliance.reviews.shown(connection, marked) if marked else ()
        across_px = crossing_places(connection, marked.id) if marked else {}
        gate = appliance.reviews.misses.gate(connection, marked) if marked else None
    crossed = [one for one in openings if one.crossing_s is not None]
    hidden = [one.second for one in seconds if one.not_countable]
    return render(
        request,
        "strip.html",
        station=place,
        tow=of,
        strip=strip,
        no_marks=no_marks,
        drawn=draw_strip(strip, hidden=hidden, openings=crossed, across_px=across_px, end_s=_end_s(of, strip)),
        hidden=hidden,
        crossed=crossed,
        not_marked=None if gate is None else gate.not_shown,
    )


@api_router.get("/tows/{tow_id}/strip", summary="The frame strip of a tow", responses=REFUSALS)
def strip(appliance: ApplianceHere, tow_id: TowId) -> StripAnswer:
    """Its tiles in their order, and which moment each column shows. It is footage: it is there while a tow is counted blind, too."""
    with appliance.reader() as connection, snapshot(connection):
        of, _ = _tow(connection, tow_id)
        found = strip_of_tow(connection, of)
    tiles = tuple(
        TileAnswer(**one._asdict(), from_s=found.time_of(one.from_column) or 0.0, to_s=found.time_of(one.from_column + one.columns) or 0.0)
        for one in found.tiles
    )
    return StripAnswer(
        tow_id=tow_id,
        clock=found.clock,
        columns=found.columns,
        tiles=tiles,
        times=tuple((round(float(at_s), 3), round(float(column), 1)) for at_s, column in zip(found.at_s, found.column, strict=True)),
        stretches=found.stretches,
        left_out=found.left_out,
    )


@api_router.get("/tows/{tow_id}/strip/tiles/{tile_id}", summary="A tile of the strip", response_class=Response, responses=REFUSALS)
def tile(appliance: ApplianceHere, tow_id: TowId, tile_id: Annotated[int, Path(ge=1, le=MAX_ID)]) -> Response:
    """A JPEG: the tow goes to the right, the sledge's left side is up."""
    with appliance.reader() as connection:
        jpeg = tile_jpeg(connection, tow_id, tile_id)
    if jpeg is None:
        raise no_such("tile of this strip with the id", tile_id)
    return Response(jpeg, media_type="image/jpeg", headers=PICTURE_HEADERS)


@api_router.get("/tows/{tow_id}/strip/frame", summary="The frame at a moment of the tow", response_class=Response, responses=REFUSALS)
async def frame(
    request: Request,
    appliance: ApplianceHere,
    tow_id: TowId,
    at_s: Annotated[float, Query(ge=-1e6, le=1e6, description="Seconds on the tow's clock.")],
) -> Response:
    """The frame of the clip that was on the screen then, as JPEG of at most 1600 px. Nothing is drawn into it."""

    def make() -> Response:
        with appliance.reader() as connection, snapshot(connection):
            of, _ = _tow(connection, tow_id)
            piece = strip_of_tow(connection, of).piece_at(at_s)
            stored = None if piece is None else frame_bytes_at(connection, tow_id, piece.clip.image_id)
        if piece is None or stored is None:
            raise no_such("frame of this tow at the second", at_s)
        in_clip_s = min(max(at_s - piece.from_s, 0.0), piece.to_s - piece.from_s) + _HAIR_S
        wanted = FrameWanted(path=path_of(appliance.home, stored), at_s=in_clip_s, longest_px=FRAME_WIDTH_PX)
        return Response(appliance.clip_frame(wanted).jpeg, media_type="image/jpeg", headers=PICTURE_HEADERS)

    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


@api_router.get("/tows/{tow_id}/strip/picture", summary="The strip as one picture", response_class=Response, responses=REFUSALS)
async def picture(request: Request, appliance: ApplianceHere, tow_id: TowId, kind: SheetKind = SheetKind.JPEG) -> Response:
    """The whole strip in lines below one another, the time above each. Nothing of a model is drawn into it.

    Refused while the tow has no strip.
    """
    make = partial(_sheet, appliance, tow_id, kind)
    return await anyio.to_thread.run_sync(make, limiter=request.app.state.strip_threads)


def _sheet(appliance: ApplianceHere, tow_id: int, kind: SheetKind) -> Response:
    with appliance.reader() as connection, snapshot(connection):
        of, place = _tow(connection, tow_id)
        found = strip_of_tow(connection, of)
        jpegs = tile_jpegs(connection, [one.id for one in found.tiles])
    if not jpegs:
        raise ReviewRefusedError("there is no frame strip of this tow", advice="Its page says why: Footage, then Frame strip.")
    name = f"{place.survey or ''} {place.name}".strip() if place else f"tow {tow_id}"
    begins, ends = int(found.at_s[0]), int(found.at_s[-1])
    marks = [(column, clock_of(second)) for second, column in seconds_of_strip(found, _MARK_EVERY_S, apart=_MARKS_APART)]
    wanted = SheetWanted(
        tiles=tuple(jpegs),
        marks=tuple(marks),
        title=f"{name}: frame strip, {clock_of(begins)} to {clock_of(ends)} after {found.clock}".encode("ascii", "replace").decode("ascii"),
        kind="png" if kind is SheetKind.PNG else "jpeg",
    )
    headers = {
        **PICTURE_HEADERS,
        "content-disposition": f'attachment; filename="frame-strip-{tow_id}.{"png" if kind is SheetKind.PNG else "jpg"}"',
    }
    return Response(appliance.strip(wanted).jpeg, media_type=f"image/{kind}", headers=headers)


def _why_no_marks(connection: Connection, of: TowRow, found: Standing) -> str:
    """Why nothing of the analysis may be drawn; empty where it may. On the clock of before its marks would lie on other seabed."""
    if found.state is not ReviewState.READY or found.analysis is None:
        return found.words
    return "" if is_of_its_footage(connection, of, found.analysis) else f"{CHANGED}: it is analysed anew by itself"


def _end_s(of: TowRow, strip: TowStrip) -> float | None:
    """End of line on the tow's clock; None where the clock is another."""
    if strip.clock is not Clock.SHEET or of.start_utc is None or of.end_utc is None:
        return None
    return (datetime.fromisoformat(of.end_utc) - datetime.fromisoformat(of.start_utc)).total_seconds()


def _tow(connection: Connection, tow_id: int) -> tuple[TowRow, StationRow | None]:
    of = tow(connection, tow_id)
    if of is None:
        raise no_such("tow with the id", tow_id)
    return of, station(connection, of.station_id)
