"""The JSON API of what a review grid cannot show: minutes that are counted blind to the model, and decisions of earlier reviews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import Field

from edge.errors import ReviewRefusedError
from edge.store.connection import snapshot
from edge.store.reads.surveys import tow
from edge.store.sqlite import Connection
from edge.survey.counting.content import as_json, read_content
from edge.survey.miss_desk import name_of
from edge.survey.miss_gate import Gate
from edge.survey.misses_told import misses_source
from edge.survey.people import Person
from edge.survey.review_standing import open_analysis
from edge.web.appliance import Appliance
from edge.web.deps import Actor, ApplianceHere, Viewer
from edge.web.errors import no_such
from edge.web.review_answers import DoneAnswer, EarlierAnswer, done
from edge.web.routes.api_reviews import REFUSALS, Ids, StrictBody, TowId

router = APIRouter(prefix="/api", tags=["review"])


class FinishBody(StrictBody):
    """The revision that the page saved last."""

    revision: int = Field(ge=0)


class DeclineBody(StrictBody):
    """Why the minutes are not counted blind; it stands with the result for good."""

    reason: str = Field(max_length=500)


class CarryBody(StrictBody):
    """The openings whose earlier decisions are taken over; null for all that wait."""

    openings: Ids | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """Where the minutes counted blind stand; `result` is the object `misses` of a station's result.

    `state` is not_possible, to_draw, open, done or declined; `counter` is who counts them.
    """

    tow_id: int
    state: str
    words: str
    minutes: tuple[int, ...]
    counter: str | None
    result: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedAnswer:
    """What one has marked so far, for whoever counts the minutes. `frames` are [number, seconds of the tow]: `GET .../frames/{number}`."""

    state: str
    content: dict[str, Any]
    minutes: tuple[int, ...]
    first_minute: int
    last_minute: int
    line_height: float
    frames: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAnswer:
    """Saved and on disk."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReviewAnswer:
    """An earlier analysis that was reviewed: how many of its openings have a decision or a group, and how many of them are found again."""

    analysis: str
    made_utc: str
    model: str | None
    decided: int
    placed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnplacedAnswer:
    """An opening of an earlier analysis that was decided about, or grouped, and is no opening of this one. `at_s` is on its own clock."""

    analysis: str
    ordinal: int
    at_s: float
    system: int | None
    earlier: EarlierAnswer | None
    grouped_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedAnswer:
    """What earlier reviews say: `waiting` openings have a decision, `groups` systems that can be taken over now."""

    reviews: tuple[EarlierReviewAnswer, ...]
    waiting: int
    groups: int
    unplaced: tuple[UnplacedAnswer, ...]


@router.get("/tows/{tow_id}/check", summary="Where the minutes counted blind stand", responses=REFUSALS)
def check(appliance: ApplianceHere, tow_id: TowId) -> CheckAnswer:
    """Two minutes that a reviewer counts without the model, to measure what it misses."""
    with appliance.reader() as connection, snapshot(connection):
        return _check(appliance, connection, tow_id)


@router.post("/tows/{tow_id}/check/draw", summary="Draw the minutes that are counted blind", responses=REFUSALS)
def draw(appliance: ApplianceHere, viewer: Viewer, actor: Actor, tow_id: TowId) -> CheckAnswer:
    """Once for a tow: asked again, it says what was drawn. From then on the review shows everything but these minutes."""
    appliance.reviews.misses.draw(tow_id, who_is(viewer), actor)
    with appliance.reader() as connection, snapshot(connection):
        return _check(appliance, connection, tow_id)


@router.get("/tows/{tow_id}/check/marks", summary="What one has marked", responses=REFUSALS)
def marks(appliance: ApplianceHere, viewer: Viewer, tow_id: TowId) -> MarkedAnswer:
    """For whoever drew the minutes, and nobody else."""
    desk = appliance.reviews.misses
    with appliance.reader() as connection, snapshot(connection):
        found = _gate(appliance, connection, tow_id)
        if found.check is None:
            raise ReviewRefusedError("no minutes are drawn", advice="Begin the review first.")
        if found.check.counter != who_is(viewer):
            raise ReviewRefusedError(f"{name_of(found.check)} counts these minutes", advice="You may decline them with a reason.")
        frames = desk.frames(connection, tow_id)
    return MarkedAnswer(
        state=str(found.state),
        content=as_json(desk.content(found.check)),
        minutes=found.minutes,
        first_minute=found.minutes[0],
        last_minute=found.minutes[-1],
        line_height=found.check.line_height,
        frames=tuple((one.number, round(one.at_s, 3)) for one in frames),
    )


@router.post("/tows/{tow_id}/check/marks", summary="Save what one has marked", responses=REFUSALS)
def save(appliance: ApplianceHere, viewer: Viewer, tow_id: TowId, content: Annotated[dict[str, Any], Body()]) -> SavedAnswer:
    """Replaces the content, which is that of a count: one mark of the feature "system" for each opening. 409 count_outdated as there."""
    return SavedAnswer(revision=appliance.reviews.misses.save(tow_id, who_is(viewer), read_content(content)))


@router.post("/tows/{tow_id}/check/finish", summary="Finish the minutes counted blind", responses=REFUSALS)
def finish(appliance: ApplianceHere, viewer: Viewer, actor: Actor, tow_id: TowId, body: FinishBody) -> CheckAnswer:
    """Freezes the marks, shows what the model found in these minutes, and says what it missed."""
    appliance.reviews.misses.finish(tow_id, who_is(viewer), revision=body.revision, actor=actor)
    with appliance.reader() as connection, snapshot(connection):
        return _check(appliance, connection, tow_id)


@router.post("/tows/{tow_id}/check/take-over", summary="Take over minutes that nobody with an account counts", responses=REFUSALS)
def take_over(appliance: ApplianceHere, viewer: Viewer, actor: Actor, tow_id: TowId) -> CheckAnswer:
    """Of minutes drawn while there were no accounts, with the marks so far; of nobody else's. For administrators."""
    appliance.reviews.misses.take_over(tow_id, who_is(viewer), actor)
    with appliance.reader() as connection, snapshot(connection):
        return _check(appliance, connection, tow_id)


@router.post("/tows/{tow_id}/check/decline", summary="Decline the minutes counted blind", responses=REFUSALS)
def decline(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: DeclineBody) -> CheckAnswer:
    """With a reason, and for good: what the model misses stays unmeasured."""
    appliance.reviews.misses.decline(tow_id, actor, body.reason)
    with appliance.reader() as connection, snapshot(connection):
        return _check(appliance, connection, tow_id)


@router.get("/tows/{tow_id}/review/earlier", summary="What earlier reviews decided", responses=REFUSALS)
def earlier(appliance: ApplianceHere, tow_id: TowId) -> CarriedAnswer:
    """What can be taken over from reviews of earlier analyses, and what found no partner in this one."""
    with appliance.reader() as connection, snapshot(connection):
        _check_tow(connection, tow_id)
        return carried_answer(appliance, connection, tow_id)


@router.post("/tows/{tow_id}/review/carry", summary="Take over earlier decisions", responses=REFUSALS)
def carry(appliance: ApplianceHere, actor: Actor, tow_id: TowId, body: CarryBody) -> DoneAnswer:
    """Adds a row for each, as one action that can be undone; where somebody has decided in this analysis nothing changes."""
    return done(appliance, tow_id, appliance.reviews.carry(tow_id, body.openings, actor))


def carried_answer(appliance: Appliance, connection: Connection, tow_id: int) -> CarriedAnswer:
    """What earlier reviews of a tow say.

    Raises:
        ReviewRefusedError: the tow cannot be reviewed.
    """
    analysis = open_analysis(connection, tow_id)
    waiting = appliance.reviews.waiting(connection, analysis)
    found = appliance.reviews.carried.of(connection, analysis)
    return CarriedAnswer(
        reviews=tuple(
            EarlierReviewAnswer(
                analysis=one.analysis.uuid,
                made_utc=one.analysis.made_utc,
                model=None if one.analysis.model is None else f"{one.analysis.model} {one.analysis.model_version}",
                decided=one.decided,
                placed=one.placed,
            )
            for one in found.reviews
        ),
        waiting=len(waiting.decisions),
        groups=len(waiting.groups),
        unplaced=tuple(
            UnplacedAnswer(
                analysis=one.analysis_uuid,
                ordinal=one.opening.ordinal,
                at_s=one.opening.at_s,
                system=one.opening.system,
                earlier=None
                if one.opening.decision_id is None or one.opening.decision is None
                else EarlierAnswer(
                    decision=one.opening.decision, decided_by=one.opening.decided_by or "", decided_utc=one.opening.decided_utc or ""
                ),
                grouped_by=one.opening.grouped_by if one.opening.group_id is not None else None,
            )
            for one in found.unplaced
        ),
    )


def who_is(viewer: Person | None) -> str:
    """The name of whoever asks; empty while there are no accounts."""
    return "" if viewer is None else viewer.name


def _check(appliance: Appliance, connection: Connection, tow_id: int) -> CheckAnswer:
    found = _gate(appliance, connection, tow_id)
    result = misses_source(connection, open_analysis(connection, tow_id), found)
    counter = None if found.check is None else name_of(found.check)
    return CheckAnswer(tow_id=tow_id, state=str(found.state), words=result["words"], minutes=found.minutes, counter=counter, result=result)


def _gate(appliance: Appliance, connection: Connection, tow_id: int) -> Gate:
    _check_tow(connection, tow_id)
    return appliance.reviews.misses.gate(connection, open_analysis(connection, tow_id))


def _check_tow(connection: Connection, tow_id: int) -> None:
    if tow(connection, tow_id) is None:
        raise no_such("tow with the id", tow_id)
