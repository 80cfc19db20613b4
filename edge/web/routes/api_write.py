"""The JSON API, what can be asked for. Every answer says how much was done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from edge.errors import Reason
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, invalid

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 409, 422, 503)}
router = APIRouter(prefix="/api", tags=["write"], responses=REFUSALS)

FileIds = Annotated[list[Annotated[int, Field(ge=1, le=MAX_ID)]], Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RetryBody(_Body):
    """Which quarantined files: `file_ids`, or `all`, which a `reason` may narrow."""

    file_ids: FileIds | None = None
    all: bool = False
    reason: Reason | None = None


class ReprocessBody(_Body):
    """Which files of a recipe: `file_ids`, or `all`."""

    recipe: Name
    file_ids: FileIds | None = None
    all: bool = False


class ActivateBody(_Body):
    """Which installed model is to serve a recipe."""

    recipe: Name
    model: Name
    version: Name


class RollbackBody(_Body):
    """The recipe whose model goes back to the one before."""

    recipe: Name


class Queued(BaseModel):
    """How many files were queued."""

    queued: int


class Accepted(BaseModel):
    """It was done."""

    accepted: bool = True


@router.post("/files/retry", summary="Queue quarantined files again")
def retry(appliance: ApplianceHere, actor: Actor, body: RetryBody) -> Queued:
    """The files are tried again as if they were new."""
    _one_of(body.file_ids, everything=body.all)
    if body.reason and not body.all:
        raise invalid("a reason narrows `all`", "Send all and reason, or file_ids.")
    return Queued(queued=appliance.retry(body.file_ids, actor, reason=body.reason))


@router.post("/rescan", summary="Look through every watched folder now", status_code=202)
def rescan(appliance: ApplianceHere, actor: Actor) -> Accepted:
    """The inventory begins at once; GET /api/status tells when the last one ended."""
    appliance.rescan(actor)
    return Accepted()


@router.post("/reprocess", summary="Run the active model again")
def reprocess(appliance: ApplianceHere, actor: Actor, body: ReprocessBody) -> Queued:
    """Results that exist stay, beside the new ones."""
    _one_of(body.file_ids, everything=body.all)
    return Queued(queued=appliance.reprocess(body.file_ids, body.recipe, actor))


@router.post("/models/activate", summary="Let a model serve a recipe")
def activate(appliance: ApplianceHere, actor: Actor, body: ActivateBody) -> Accepted:
    """For files from now on; nothing is reprocessed by itself."""
    appliance.activate(body.model, body.version, body.recipe, actor)
    return Accepted()


@router.post("/models/rollback", summary="Go back to the model before")
def rollback(appliance: ApplianceHere, actor: Actor, body: RollbackBody) -> Accepted:
    """Called twice, it comes back to where it was."""
    appliance.rollback(body.recipe, actor)
    return Accepted()


@router.post("/pause", summary="Take nothing new")
def pause(appliance: ApplianceHere, actor: Actor) -> Accepted:
    """What is in a worker's hands is finished."""
    appliance.pause(actor)
    return Accepted()


@router.post("/resume", summary="Go on")
def resume(appliance: ApplianceHere, actor: Actor) -> Accepted:
    """Undoes a pause."""
    appliance.resume(actor)
    return Accepted()


def _one_of(file_ids: list[int] | None, *, everything: bool) -> None:
    if (file_ids is None) is not everything:
        raise invalid("name the files in `file_ids`, or say `all`", "Send exactly one of the two.")
