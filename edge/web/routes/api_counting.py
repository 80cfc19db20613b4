"""The JSON API of blind counting: frames of a tow, one's own count, its signature, and what is revealed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Body, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from edge.footage import FrameWanted
from edge.store.connection import snapshot
from edge.store.reads.counts import CountedMinute, counts_of_tow
from edge.store.reads.surveys import survey, tow
from edge.survey.counting.content import as_json, read_content
from edge.survey.counting.desk import OwnCount
from edge.survey.counting.judge import TowCounts, tow_counts
from edge.survey.counting.rules import judging_rules, standing_counts
from edge.survey.counting.tally import Tally
from edge.survey.people import Role
from edge.web.deps import MAX_ID, ApplianceHere, SignedIn, Viewer
from edge.web.errors import Problem, no_such
from edge.web.originals import open_bytes, path_of
from edge.web.pictures import Conversion, PictureCache, media_type
from edge.web.routes.pictures import PICTURE_HEADERS

router = APIRouter(prefix="/api", tags=["counting"])

TowId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the tow.")]
SurveyId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the survey.")]
CountId = Annotated[int, Path(ge=1, le=MAX_ID, description="The id of the count.")]
REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, 404, 409)}

FRAME_WIDTH_PX = 1600  # a laptop's screen; larger stills are served reduced
FRAME_BYTES = 1_500_000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignBody(_Body):
    """A signature: the person's PIN, and the revision that the page showed."""

    pin: str = Field(max_length=20)
    revision: int = Field(ge=0)


class ReasonBody(_Body):
    """Why; it stands in the audit trail for good."""

    reason: str = Field(max_length=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedAnswer:
    """How many results of models came back."""

    model_results: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoundsAnswer:
    """How many tows are counted anew."""

    tows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesAnswer:
    """The frames of a tow in order: [number, seconds since its start]. `untimed` more have no time and cannot be shown."""

    tow_id: int
    frames: tuple[tuple[int, float], ...]
    start_utc: str | None
    untimed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyAnswer:
    """What one's own count comes to now; `hindrances` say why it cannot be signed yet."""

    minutes: tuple[CountedMinute, ...]
    outside: int
    hindrances: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCountAnswer:
    """One's own count: `content` as it was saved last, and the rules."""

    count_id: int
    state: str
    content: dict[str, Any]
    first_minute: int
    last_minute: int
    line_height: float
    edge_rule: str
    tally: TallyAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAnswer:
    """Saved and on disk."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoundAnswer:
    """How many counts were set aside."""

    set_aside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BegunAnswer:
    """One's own count of the tow."""

    count_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountAnswer:
    """A count. `minutes` is empty until the counts of the tow are revealed.

    `not_blind`: why its counter could know what is on the tow; "" for a blind count. `stalled`: why the counter of an open count
    cannot go on, such as a retired account.
    """

    count_id: int
    uuid: str
    counter: str
    ordinal: int
    state: str
    origin: str
    opened_utc: str
    signed_utc: str | None
    revealed_utc: str | None
    set_aside_reason: str
    not_blind: str
    stalled: str
    minutes: tuple[CountedMinute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TowCountsAnswer:
    """Where the counts of a tow stand. `state` is not_begun, counting, counter_missing, third_count or revealed."""

    tow_id: int
    protocol_version: int | None
    progress: TowCounts | None
    counts: tuple[CountAnswer, ...]


@router.get("/tows/{tow_id}/frames", summary="Frames of a tow", responses=REFUSALS)
def list_frames(appliance: ApplianceHere, tow_id: TowId) -> FramesAnswer:
    """Every frame that can be shown, in the order of its time."""
    with appliance.reader() as connection, snapshot(connection):
        row = tow(connection, tow_id)
        if row is None:
            raise no_such("tow with the id", tow_id)
        found = appliance.counting.frames.frames(connection, tow_id)
    frames = tuple((one.number, round(one.at_s, 3)) for one in found.frames)
    return FramesAnswer(tow_id=tow_id, frames=frames, start_utc=row.start_utc, untimed=found.untimed)


@router.get("/tows/{tow_id}/frames/{number}", summary="One frame", response_class=Response, responses=REFUSALS)
async def frame(request: Request, appliance: ApplianceHere, tow_id: TowId, number: Annotated[int, Path(ge=0, le=MAX_ID)]) -> Response:
    """The frame as a browser shows it: the still itself, or a JPEG of at most 1600 px where the still is larger."""
    make = partial(_frame, request, appliance, tow_id, number)
    return await anyio.to_thread.run_sync(make, limiter=request.app.state.frame_threads)


@router.post("/tows/{tow_id}/count", summary="Begin one's own count", responses=REFUSALS)
def begin(appliance: ApplianceHere, person: SignedIn, tow_id: TowId) -> BegunAnswer:
    """The id of one's own count of a tow, begun now if there is none. The protocol is locked with the first count."""
    return BegunAnswer(count_id=appliance.counting.begin(tow_id, person))


@router.get("/tows/{tow_id}/counts", summary="Where the counts of a tow stand", responses=REFUSALS)
def list_counts(appliance: ApplianceHere, viewer: Viewer, tow_id: TowId) -> TowCountsAnswer:
    """Who counts, and what they counted once that is revealed."""
    with appliance.reader() as connection, snapshot(connection):
        of = tow(connection, tow_id)
        if of is None:
            raise no_such("tow with the id", tow_id)
        found = counts_of_tow(connection, tow_id)
        of_survey = None if of.survey_id is None else survey(connection, of.survey_id)
        is_reference = of_survey is not None and of_survey.kind == "reference"
        if is_reference and viewer is not None and not viewer.may(Role.ADMINISTER):
            # A table's counts of footage tell the next counter what is on it.
            found = tuple(one for one in found if one.origin != "imported")
        rules = judging_rules(connection, found, of.survey_id) if standing_counts(found) else None
    shown = tuple(
        CountAnswer(
            count_id=one.id,
            uuid=one.uuid,
            counter=one.counter,
            ordinal=one.ordinal,
            state=one.state,
            origin=one.origin,
            opened_utc=one.opened_utc,
            signed_utc=one.signed_utc,
            revealed_utc=one.revealed_utc,
            set_aside_reason=one.set_aside_reason,
            not_blind=one.not_blind,
            stalled=one.stalled,
            minutes=tuple(one.minutes.values()),
        )
        for one in found
    )
    progress = None if rules is None else tow_counts(found, rules, is_reference=is_reference)
    return TowCountsAnswer(tow_id=tow_id, protocol_version=rules.version if rules else None, progress=progress, counts=shown)


@router.get("/counts/{count_id}", summary="One's own count", responses=REFUSALS)
def own_count(appliance: ApplianceHere, person: SignedIn, count_id: CountId) -> OwnCountAnswer:
    """What is in one's own count while it is sealed. Nobody else's, whoever asks."""
    return _own(appliance.counting.own(count_id, person))


@router.post("/counts/{count_id}", summary="Save one's own count", responses=REFUSALS)
def save(appliance: ApplianceHere, person: SignedIn, count_id: CountId, content: Annotated[dict[str, Any], Body()]) -> SavedAnswer:
    """Replaces the content. `revision` is that of the content it was made from; 409 count_outdated if that is not the last."""
    return SavedAnswer(revision=appliance.counting.save(count_id, person, read_content(content)))


@router.post("/counts/{count_id}/sign", summary="Sign one's own count", responses=REFUSALS)
def sign(appliance: ApplianceHere, person: SignedIn, count_id: CountId, body: SignBody) -> TowCounts:
    """Freezes it. The last signature that is needed reveals all counts of the tow, unless they ask for a third count."""
    return appliance.counting.sign(count_id, person, body.pin, revision=body.revision).counts


@router.post("/tows/{tow_id}/release", summary="Release what models found on a tow", responses=REFUSALS)
def release(appliance: ApplianceHere, person: SignedIn, tow_id: TowId, body: ReasonBody) -> ReleasedAnswer:
    """For a tow that nobody will count. Counts begun on it afterwards are not blind, and enter no density."""
    return ReleasedAnswer(model_results=appliance.counting.release(tow_id, person, body.reason))


@router.post("/tows/{tow_id}/new-round", summary="Count a tow anew", responses=REFUSALS)
def new_round(appliance: ApplianceHere, person: SignedIn, tow_id: TowId, body: ReasonBody) -> NewRoundAnswer:
    """Sets aside and seals again what was revealed of a tow, so that it can be counted blind; every result of it says so."""
    return NewRoundAnswer(set_aside=appliance.counting.new_round(tow_id, person, body.reason))


@router.post("/surveys/{survey_id}/new-rounds", summary="Count anew what was seen before the rules", responses=REFUSALS)
def new_rounds(appliance: ApplianceHere, person: SignedIn, survey_id: SurveyId, body: ReasonBody) -> NewRoundsAnswer:
    """For tows that nobody counts yet and whose files had results that could be read: they are counted blind, and say so."""
    return NewRoundsAnswer(tows=appliance.counting.new_rounds(survey_id, person, body.reason))


def _own(own: OwnCount) -> OwnCountAnswer:
    return OwnCountAnswer(
        count_id=own.row.id,
        state=own.row.state,
        content=as_json(own.content),
        first_minute=own.protocol.first_minute,
        last_minute=own.protocol.last_minute,
        line_height=own.protocol.line_height,
        edge_rule=own.protocol.edge_rule,
        tally=_tally(own.tally),
    )


def _tally(found: Tally) -> TallyAnswer:
    return TallyAnswer(minutes=tuple(found.minutes.values()), outside=found.outside, hindrances=found.hindrances, remarks=found.remarks)


def _frame(request: Request, appliance: ApplianceHere, tow_id: int, number: int) -> Response:
    with appliance.reader() as connection:
        found = appliance.counting.frames.stored(connection, tow_id, number)
    if found is None:
        raise no_such("frame of this tow with the number", number)
    stored = found.stored
    headers = {**PICTURE_HEADERS, "cache-control": "private, max-age=86400, immutable"}  # a number stands for the same bytes for good
    if found.in_clip_s is not None:
        wanted = FrameWanted(path=path_of(appliance.home, stored), at_s=found.in_clip_s, longest_px=FRAME_WIDTH_PX)
        return Response(appliance.clip_frame(wanted).jpeg, media_type="image/jpeg", headers=headers)
    with open_bytes(appliance.home, stored) as handle:  # read whole: a browser that plays on gives half of them up
        kind = media_type(handle, stored)
        is_large = stored.size_bytes > FRAME_BYTES or (stored.width_px or 0) > FRAME_WIDTH_PX
        if kind is not None and not (is_large and stored.width_px is not None):
            return Response(handle.read(), media_type=kind, headers=headers)
        cache: PictureCache = request.app.state.pictures
        return Response(cache.get(handle, stored, Conversion.FRAME), media_type="image/jpeg", headers=headers)
