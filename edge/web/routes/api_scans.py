"""The JSON API of ZooScan's check: objects with their pictures, what people decide, separation lines, and the signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import anyio
import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.store.connection import snapshot
from edge.store.reads import zooscan as scan_reads
from edge.store.reads import zooscan_check as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.reads.zooscan_check import CheckRun, ObjectPlace
from edge.store.reads.zooscan_objects import outlines as outline_reads
from edge.store.sqlite import Connection
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere, SignedIn
from edge.web.errors import Problem, RequestError, no_such
from edge.web.pictures import PictureCache
from edge.web.routes.pictures import PICTURE_HEADERS
from edge.web.scan_answers import (
    ChangedAnswer,
    ScanAnswer,
    ScanObjectsAnswer,
    packed_outlines,
    standing,
    told_change,
    told_objects,
    told_scan,
)
from edge.web.scan_cards import CardAnswer, CheckAnswer, PreviewAnswer, told_card, told_check, told_preview
from edge.web.scan_quality import ScanQuality

router = APIRouter(prefix="/api", tags=["scans"])

ScanId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the scan.")]
Key = Annotated[str, Path(max_length=100, description="The key of the object.")]
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409, 422)}

MOST_OBJECTS = 5000
MOST_POINTS = 10_000
MOST_LEVEL = 10
# A picture's address names the run and the archive that it stands in: under one address there is always the same one.
_FOR_GOOD = {**PICTURE_HEADERS, "cache-control": "private, max-age=31536000, immutable"}

KeyText = Annotated[str, Field(max_length=60)]
Point = tuple[Annotated[int, Field(ge=0, le=1_000_000)], Annotated[int, Field(ge=0, le=1_000_000)]]
Uuid = Annotated[str | None, Field(max_length=60, description="Of the act, made by the sender: sent twice it is one.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ScanDecisionBody(_Body):
    """What objects are: single or multiple."""

    objects: list[KeyText] = Field(min_length=1, max_length=MOST_OBJECTS)
    decision: Literal["single", "multiple"]
    uuid: Uuid = None


class PointsBody(_Body):
    """A line on an object through pixels of the clean scan, x and y; straight between one and the next."""

    object: KeyText
    points: list[Point] = Field(min_length=2, max_length=MOST_POINTS)


class ProposeBody(_Body):
    """An object that the separator is asked about."""

    object: KeyText


class LineBody(PointsBody):
    """A line to be kept."""

    uuid: Uuid = None


class PixelsBody(_Body):
    """A line that the separator proposed, to be kept: the pixels of its answer."""

    object: KeyText
    pixels: list[Point] = Field(min_length=1, max_length=4 * MOST_POINTS)
    uuid: Uuid = None


class EraseBody(_Body):
    """A line that shall stand no more, by its uuid."""

    line: str = Field(max_length=60)
    uuid: Uuid = None


class ScanSignBody(_Body):
    """What was looked at: the revision that `GET .../check` told."""

    revision: str = Field(max_length=100)


class WithdrawBody(_Body):
    """Why; it stands in the audit trail for good."""

    reason: str = Field(min_length=1, max_length=500)


class ScanUndoBody(_Body):
    """Which action: the newest, if it is one's own or `anyone` says so; or by its uuid, which, asked for twice, is taken back once."""

    action: str | None = Field(None, max_length=60)
    anyone: bool = False


@router.get("/scans/{scan_id}/objects", summary="The objects of a scan", responses=REFUSALS)
def objects(appliance: ApplianceHere, scan_id: ScanId) -> ScanObjectsAnswer:
    """All that stand, from the top of the scan to its bottom: a page sorts and filters them itself, so that nothing ever reshuffles."""
    with appliance.reader() as connection, snapshot(connection):
        scan, run = find_scan(connection, scan_id), find_run(connection, scan_id)
        return told_objects(standing(connection, run), signed=scan.signed_utc is not None)


@router.get("/scans/{scan_id}/outlines", summary="The outlines of a scan's objects", response_class=Response, responses=REFUSALS)
def outlines(appliance: ApplianceHere, scan_id: ScanId) -> Response:
    """Packed: uint32 length of an index, the index `[[key, points], ...]` as JSON, then x and y in each box as uint16; little-endian."""
    with appliance.reader() as connection, snapshot(connection):
        find_run(connection, scan_id)
        packed = packed_outlines(outline_reads(connection, scan_id))
    return Response(packed, media_type="application/octet-stream")


@router.get("/scans/{scan_id}/objects/{key}", summary="An object of a scan", responses=REFUSALS)
def card(appliance: ApplianceHere, scan_id: ScanId, key: Key) -> CardAnswer:
    """Its measures, the lines that cut it or that it was cut by, and the outlines of what it was cut from."""
    with appliance.reader() as connection, snapshot(connection):
        run = find_run(connection, scan_id)
        return told_card(connection, run, find_object(connection, run, key, standing_only=True))


@router.get("/scans/{scan_id}/objects/{key}/vignette", summary="An object's vignette", response_class=Response, responses=REFUSALS)
async def vignette(
    request: Request, appliance: ApplianceHere, scan_id: ScanId, key: Key, of: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """PNG, white around the object, a bar of 1 mm below it. `of`: what `vignette` says, so that a browser may keep the picture for good."""

    def make() -> Response:
        with appliance.reader() as connection:
            run = find_run(connection, scan_id)
            place = find_object(connection, run, key)
        png = appliance.scan_pictures.vignette(run, place.vignettes)
        return Response(png, media_type="image/png", headers=_FOR_GOOD if of == f"{run.uuid}/{place.vignettes}" else PICTURE_HEADERS)

    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


@router.get("/scans/{scan_id}/objects/{key}/crop", summary="The scan around an object", response_class=Response, responses=REFUSALS)
async def crop(
    request: Request, appliance: ApplianceHere, scan_id: ScanId, key: Key, of: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """PNG of the clean scan, one pixel for one, of the part that `stage` of the object's answer tells. `of`: the uuid of its run."""

    def make() -> Response:
        with appliance.reader() as connection:
            run = find_run(connection, scan_id)
            place = find_object(connection, run, key)
        return _picture(appliance.scan_pictures.crop(run, place), run, of)

    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


@router.get("/scans/{scan_id}/tiles/{level}/{column}/{row}", summary="A tile of a scan", response_class=Response, responses=REFUSALS)
async def tile(
    *,
    request: Request,
    appliance: ApplianceHere,
    scan_id: ScanId,
    level: Annotated[int, Path(ge=0, le=MOST_LEVEL)],
    column: Annotated[int, Path(ge=0, le=10_000)],
    row: Annotated[int, Path(ge=0, le=10_000)],
    run: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """PNG of 512 pixels a side, smaller at the right and lower edge; a pixel stands for 2**level x 2**level of the clean scan."""

    def make() -> Response:
        with appliance.reader() as connection:
            current = find_run(connection, scan_id)
        cache: PictureCache = request.app.state.pictures

        def draw() -> bytes:
            picture = appliance.scan_pictures.tile(current, level, column, row)
            if picture is None:
                raise no_such("tile at", f"level {level}, column {column}, row {row}")
            return picture

        png = cache.made_once(f"{current.uuid}-{level}-{column}-{row}.png", draw) if level else draw()
        return _picture(png, current, run)

    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


@router.get("/scans/{scan_id}/check", summary="What would be signed", responses=REFUSALS)
def check(request: Request, appliance: ApplianceHere, scan_id: ScanId) -> CheckAnswer:
    """How far the check of a scan is, and what the checks of its quality found."""
    quality: ScanQuality = request.app.state.scan_quality
    with appliance.reader() as connection, snapshot(connection):
        scan, run = find_scan(connection, scan_id), find_run(connection, scan_id)
        return told_check(connection, scan, run, quality.of(connection, scan_id))


@router.post("/scans/{scan_id}/decisions", summary="Say what objects are", responses=REFUSALS)
def decide(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: ScanDecisionBody) -> ChangedAnswer:
    """Adds a row for each; the scores stay as they are."""

    def act(uuid: str) -> None:
        appliance.scans.decide(uuid, body.objects, body.decision, actor=actor, action_uuid=body.uuid)

    return _changed(appliance, scan_id, act, also=body.objects)


@router.post("/scans/{scan_id}/undo", summary="Undo the last act on a scan", responses=REFUSALS)
def undo(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: ScanUndoBody) -> ChangedAnswer:
    """Decisions stand no more, a line that was drawn is erased, one that was erased stands again."""
    return _changed(appliance, scan_id, partial(appliance.scans.undo, actor=actor, action_uuid=body.action, anyone=body.anyone))


@router.post("/scans/{scan_id}/lines/preview", summary="What a line would cut", responses=REFUSALS)
def preview(appliance: ApplianceHere, scan_id: ScanId, body: PointsBody) -> PreviewAnswer:
    """The pixels of the line, and the parts that it would leave. Nothing is changed."""
    with appliance.reader() as connection, snapshot(connection):
        run = find_run(connection, scan_id)
        place = find_object(connection, run, body.object, standing_only=True)
    return told_preview(run, appliance.scan_pictures.preview(run, place, body.points))


@router.post("/scans/{scan_id}/lines/propose", summary="A line of the separator's", responses=REFUSALS)
def propose(appliance: ApplianceHere, scan_id: ScanId, body: ProposeBody) -> PreviewAnswer:
    """Where the separator would cut an object, whatever its score. Nothing is changed."""
    with appliance.reader() as connection, snapshot(connection):
        run = find_run(connection, scan_id)
        place = find_object(connection, run, body.object, standing_only=True)
    return told_preview(run, appliance.scan_pictures.propose(run, place))


@router.post("/scans/{scan_id}/lines", summary="Keep a separation line", responses=REFUSALS)
def add_line(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: LineBody) -> ChangedAnswer:
    """The object is cut at once: it stands no more, its parts do, each measured. The line holds for later runs of the scan too."""

    def act(uuid: str) -> None:
        appliance.scans.add_line(uuid, body.object, body.points, actor=actor, action_uuid=body.uuid)

    return _changed(appliance, scan_id, act)


@router.post("/scans/{scan_id}/lines/accept", summary="Keep a proposed line", responses=REFUSALS)
def accept_line(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: PixelsBody) -> ChangedAnswer:
    """As a line that a person drew: whoever accepts it answers for it."""

    def act(uuid: str) -> None:
        pixels = np.array(body.pixels, np.int32).reshape(-1, 2)
        appliance.scans.add_pixels(uuid, body.object, pixels, actor=actor, action_uuid=body.uuid)

    return _changed(appliance, scan_id, act)


@router.post("/scans/{scan_id}/lines/erase", summary="Erase a separation line", responses=REFUSALS)
def erase_line(appliance: ApplianceHere, actor: Actor, scan_id: ScanId, body: EraseBody) -> ChangedAnswer:
    """What it cut stands again as one, unless other lines cut it."""

    def act(uuid: str) -> None:
        appliance.scans.erase_line(uuid, body.line, actor=actor, action_uuid=body.uuid)

    return _changed(appliance, scan_id, act)


@router.post("/scans/{scan_id}/sign", summary="Sign the check of a scan", responses=REFUSALS)
def sign(appliance: ApplianceHere, actor: Actor, who: SignedIn, scan_id: ScanId, body: ScanSignBody) -> ScanAnswer:  # noqa: ARG001 - a person
    """In one's own name. Nothing of it can be changed from now on."""
    with appliance.reader() as connection, snapshot(connection):
        run = find_run(connection, scan_id)
        if reads.check_revision(connection, run) != body.revision:
            raise RequestError(
                409,
                Problem(
                    code="check_changed",
                    message="something about this scan changed since it was shown",
                    advice="Close this, look at what changed, then sign.",
                ),
            )
        scan = find_scan(connection, scan_id)
    appliance.scans.sign(scan.uuid, actor=actor, revision=body.revision)  # what changes between the two is refused by the desk
    return _told(appliance, scan_id)


@router.post("/scans/{scan_id}/withdraw", summary="Withdraw a signature", responses=REFUSALS)
def withdraw(appliance: ApplianceHere, actor: Actor, who: SignedIn, scan_id: ScanId, body: WithdrawBody) -> ScanAnswer:  # noqa: ARG001 - a person
    """The signature stays, with who withdrew it and why; the check goes on."""
    with appliance.reader() as connection:
        scan = find_scan(connection, scan_id)
    appliance.scans.withdraw(scan.uuid, reason=body.reason, actor=actor)
    return _told(appliance, scan_id)


def _told(appliance: Appliance, scan_id: int) -> ScanAnswer:
    with appliance.reader() as connection, snapshot(connection):
        return told_scan(find_scan(connection, scan_id))


def find_scan(connection: Connection, scan_id: int) -> ScanRow:
    """A scan.

    Raises:
        RequestError: 404, there is none.
    """
    scan = scan_reads.scan_by_id(connection, scan_id)
    if scan is None:
        raise no_such("scan with the id", scan_id)
    return scan


def find_run(connection: Connection, scan_id: int) -> CheckRun:
    """The result of a scan.

    Raises:
        RequestError: 404, there is no such scan; 409, it has no result.
    """
    run = reads.check_run(connection, scan_id)
    if run is None:
        scan = find_scan(connection, scan_id)
        advice = "Its page says what it waits for, or why it failed."
        raise RequestError(409, Problem(code="no_result", message=f"this scan has no result: it is {scan.state}", advice=advice))
    return run


def find_object(connection: Connection, run: CheckRun, key: str, *, standing_only: bool = False) -> ObjectPlace:
    """An object of a run.

    Raises:
        RequestError: 404, it has none of this key; 409, it stands no more, if it is to stand.
    """
    place = reads.object_place(connection, run.id, key)
    if place is None:
        raise no_such("object with the key", key)
    if standing_only and place.retired_utc is not None:
        advice = "Load the page again: it was cut, or put together, since."
        raise RequestError(409, Problem(code="retired", message=f"the object {key} stands no more", advice=advice))
    return place


def _picture(png: bytes, run: CheckRun, asked: str) -> Response:
    return Response(png, media_type="image/png", headers=_FOR_GOOD if asked == run.uuid else PICTURE_HEADERS)


def _changed(appliance: Appliance, scan_id: int, act: Callable[[str], object], *, also: Sequence[str] = ()) -> ChangedAnswer:
    """What an act on a scan, which is given its uuid, changed of it."""
    with appliance.reader() as connection, snapshot(connection):
        before = standing(connection, find_run(connection, scan_id))
    act(before.run.scan_uuid)
    with appliance.reader() as connection, snapshot(connection):
        return told_change(connection, before, also)
