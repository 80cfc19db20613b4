"""The JSON API of reviews: openings of a tow with their order, chips and frames, and what people decide about them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import ReviewRefusedError
from edge.footage import Crop, FrameWanted, StripWanted
from edge.store.connection import snapshot
from edge.store.reads import reviews as reads
from edge.store.reads.frames import frame_bytes_at
from edge.store.reads.reviews import OpeningPlace, ReviewAmong, ReviewShow, ReviewSort
from edge.store.reads.surveys import tow
from edge.store.sqlite import Connection
from edge.survey.review_loop import drift_of, found_boxes, side_of
from edge.survey.review_places import Moment, loop_of, places_of
from edge.survey.review_standing import open_analysis, standing
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, invalid, no_such
from edge.web.originals import open_bytes, path_of
from edge.web.pictures import Conversion, PictureCache
from edge.web.review_answers import (
    BoxAnswer,
    DoneAnswer,
    FramesAnswer,
    OpeningsAnswer,
    OrderAnswer,
    TallyAnswer,
    done,
    tally_of,
    told_openings,
)
from edge.web.routes.pictures import PICTURE_HEADERS

router = APIRouter(prefix="/api", tags=["review"])

TowId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the tow.")]
OpeningId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the opening.")]
Sort = Annotated[
    ReviewSort, Query(description="uncertain: nearest to a confidence of 0.5 first; outlier: size or confidence unlike the others'.")
]
Show = Annotated[ReviewShow, Query(description="By what was decided; earlier: what waits to be taken over from an earlier review.")]
Among = Annotated[ReviewAmong, Query(description="By where they crossed the line; counted: in the minutes that the protocol counts.")]
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409)}

MOST_BY_ID = 200
TILE_PX = 144
FRAME_WIDTH_PX = 1600
_HEADERS = {**PICTURE_HEADERS, "cache-control": "private, max-age=600"}  # short: a tow may be sealed again


class StrictBody(BaseModel):
    """A body in which nothing stands that is not asked for."""

    model_config = ConfigDict(extra="forbid")


Ids = Annotated[list[Annotated[int, Field(ge=1, le=MAX_ID)]], Field(min_length=1, max_length=20_000)]


class DecisionBody(StrictBody):
    """A decision about openings: accepted, rejected, unsure, or cleared to take one back."""

    openings: Ids
    decision: str = Field(max_length=20)


class GroupBody(StrictBody):
    """Openings that are one system (`split` false), or each a system of its own."""

    openings: Ids
    split: bool = False


@router.get("/tows/{tow_id}/openings/order", summary="The order of a review", responses=REFUSALS)
def order(
    appliance: ApplianceHere, tow_id: TowId, sort: Sort = ReviewSort.UNCERTAIN, show: Show = ReviewShow.ALL, among: Among = ReviewAmong.ALL
) -> OrderAnswer:
    """All ids at once, so that a page never reshuffles: what is decided stays where it is until the order is asked for again."""
    with appliance.reader() as connection, snapshot(connection):
        _check_tow(connection, tow_id)
        analysis = open_analysis(connection, tow_id)
        ids = appliance.reviews.order(connection, analysis, sort, show=show, among=among)
        tally = tally_of(appliance, connection, tow_id)
    return OrderAnswer(tow_id=tow_id, analysis=analysis.uuid, sort=sort, show=show, among=among, order=ids, tally=tally)


@router.get("/tows/{tow_id}/openings", summary="Openings of a tow", responses=REFUSALS)
def openings(
    *,
    appliance: ApplianceHere,
    tow_id: TowId,
    sort: Sort = ReviewSort.ALONG,
    show: Show = ReviewShow.ALL,
    among: Among = ReviewAmong.ALL,
    page: Annotated[int, Query(ge=1, le=100_000, description="From 1.")] = 1,
    size: Annotated[int, Query(ge=1, le=MOST_BY_ID, description="How many on a page.")] = 50,
    ids: Annotated[
        str | None, Query(max_length=4000, description="Only these, in this order: numbers with commas; the rest is ignored.")
    ] = None,
) -> OpeningsAnswer:
    """A page of them, or those that are named."""
    with appliance.reader() as connection, snapshot(connection):
        _check_tow(connection, tow_id)
        analysis = open_analysis(connection, tow_id)
        every = _ids(ids) if ids is not None else appliance.reviews.order(connection, analysis, sort, show=show, among=among)
        chosen = every[:MOST_BY_ID] if ids is not None else every[(page - 1) * size : page * size]
        shown = told_openings(appliance, connection, analysis, chosen)
    return OpeningsAnswer(analysis=analysis.uuid, total=len(every), openings=shown)


@router.get("/tows/{tow_id}/review", summary="What is left of a review", responses=REFUSALS)
def tally(appliance: ApplianceHere, tow_id: TowId) -> TallyAnswer:
    """How many openings are decided, and the model's count before and after."""
    with appliance.reader() as connection, snapshot(connection):
        _check_tow(connection, tow_id)
        return tally_of(appliance, connection, tow_id)


@router.post("/tows/{tow_id}/decisions", summary="Decide about openings", responses=REFUSALS)
def decide(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: DecisionBody) -> DoneAnswer:
    """Adds a row for each; the model's own stay as they are."""
    appliance.reviews.decide(tow_id, body.openings, body.decision, actor)
    return done(appliance, tow_id, body.openings)


@router.post("/tows/{tow_id}/groups", summary="Group or split openings", responses=REFUSALS)
def group(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: GroupBody) -> DoneAnswer:
    """Exactly these become one system with a new number; or each of them a system of its own."""
    (appliance.reviews.split if body.split else appliance.reviews.group)(tow_id, body.openings, actor)
    return done(appliance, tow_id, body.openings)


@router.post("/tows/{tow_id}/review/undo", summary="Undo one's own last review action", responses=REFUSALS)
def undo(appliance: ApplianceHere, actor: Actor, tow_id: TowId) -> DoneAnswer:
    """What held before it holds again, but where somebody has decided since. Another undo takes back the action before."""
    return done(appliance, tow_id, appliance.reviews.undo(tow_id, actor))


@router.get("/openings/{opening_id}/chips", summary="An opening's frames in one picture", response_class=Response, responses=REFUSALS)
async def chips(request: Request, appliance: ApplianceHere, opening_id: OpeningId) -> Response:
    """A JPEG of squares side by side, 144 px each: at most 17 moments of the opening, with twice its size around it."""
    make = partial(_chips, request, appliance, opening_id)
    return await anyio.to_thread.run_sync(make, limiter=request.app.state.strip_threads)


@router.get("/openings/{opening_id}/frames", summary="The frames of an opening", responses=REFUSALS)
def list_frames(appliance: ApplianceHere, opening_id: OpeningId) -> FramesAnswer:
    """Its boxes, and the size of the frames that they are in."""
    with appliance.reader() as connection, snapshot(connection):
        place = _place(appliance, connection, opening_id)
        moment = _moment(connection, place, 0)
        stored = None if moment is None else frame_bytes_at(connection, place.tow_id, moment.image_id)
    boxes = tuple(
        BoxAnswer(
            at_s=one.at_s, score=one.score or 0.0, **dict(zip(("x_min_px", "y_min_px", "x_max_px", "y_max_px"), one.box_px, strict=True))
        )
        for one in found_boxes(place.boxes)
    )
    return FramesAnswer(
        opening_id=opening_id, boxes=boxes, width_px=stored.width_px if stored else None, height_px=stored.height_px if stored else None
    )


@router.get("/openings/{opening_id}/frames/{number}", summary="A whole frame of an opening", response_class=Response, responses=REFUSALS)
async def frame(
    request: Request, appliance: ApplianceHere, opening_id: OpeningId, number: Annotated[int, Path(ge=0, le=100_000)]
) -> Response:
    """The frame of a box, from 0, as JPEG of at most 1600 px."""
    make = partial(_frame, request, appliance, opening_id, number)
    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


def _ids(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        raise invalid(f"ids is {text[:40]!r}", "Write numbers with commas between them, such as 3,1,2.")
    return tuple(map(int, parts))


def _check_tow(connection: Connection, tow_id: int) -> None:
    if tow(connection, tow_id) is None:
        raise no_such("tow with the id", tow_id)


def _place(appliance: Appliance, connection: Connection, opening_id: int) -> OpeningPlace:
    """Where an opening lies, if it may be seen: of a tow or minute that is counted blind there is no opening at all."""
    place = reads.opening_place(connection, opening_id)
    if place is None or standing(connection, place.tow_id).state == "sealed":
        raise no_such("opening with the id", opening_id)
    analysis = open_analysis(connection, place.tow_id)
    looked = appliance.reviews.looked(connection, analysis)
    if analysis.id == place.analysis_id and not reads.count_visible(connection, analysis.id, [opening_id], looked):
        raise no_such("opening with the id", opening_id)
    return place


def _moment(connection: Connection, place: OpeningPlace, number: int) -> Moment | None:
    seen = found_boxes(place.boxes)
    analysis = open_analysis(connection, place.tow_id)
    if analysis.id != place.analysis_id:
        raise ReviewRefusedError("the footage of this tow was analysed anew since", advice="Load the page again.")
    return places_of(connection, place.tow_id, analysis).moment(seen[number]) if number < len(seen) else None


def _chips(request: Request, appliance: Appliance, opening_id: int) -> Response:
    with appliance.reader() as connection, snapshot(connection):
        place = _place(appliance, connection, opening_id)
        moments = loop_of(connection, place)
        stored = {one.image_id: frame_bytes_at(connection, place.tow_id, one.image_id) for one in moments}
    if not moments or not all(stored.values()):
        raise no_such("picture of the opening", opening_id)

    def make() -> bytes:
        side_px = side_of(place.boxes)
        paths = {image_id: path_of(appliance.home, one) for image_id, one in stored.items() if one is not None}
        seen = [one.seen for one in moments]
        crops = [
            Crop(
                path=paths[one.image_id],
                at_s=one.in_clip_s,
                middle_px=one.seen.middle_px,
                side_px=side_px,
                drift_px_per_s=drift_of(seen, place),
            )
            for place, one in enumerate(moments)
        ]
        return appliance.strip(StripWanted(crops=tuple(crops), tile_px=TILE_PX)).jpeg

    cache: PictureCache = request.app.state.pictures
    jpeg = cache.made_once(f"{place.analysis_uuid}-{place.uuid}-strip{TILE_PX}.jpg", make)
    return Response(jpeg, media_type="image/jpeg", headers=_HEADERS)


def _frame(request: Request, appliance: Appliance, opening_id: int, number: int) -> Response:
    with appliance.reader() as connection, snapshot(connection):
        place = _place(appliance, connection, opening_id)
        moment = _moment(connection, place, number)
        stored = None if moment is None else frame_bytes_at(connection, place.tow_id, moment.image_id)
    if moment is None or stored is None:
        raise no_such("frame of this opening with the number", number)
    if moment.in_clip_s is not None:
        wanted = FrameWanted(path=path_of(appliance.home, stored), at_s=moment.in_clip_s, longest_px=FRAME_WIDTH_PX)
        return Response(appliance.clip_frame(wanted).jpeg, media_type="image/jpeg", headers=_HEADERS)
    with open_bytes(appliance.home, stored) as handle:
        cache: PictureCache = request.app.state.pictures
        return Response(cache.get(handle, stored, Conversion.FRAME), media_type="image/jpeg", headers=_HEADERS)
