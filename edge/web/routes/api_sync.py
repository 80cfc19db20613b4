"""The JSON API of what goes ashore: where it stands, now, pause, retry, sticks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from edge.store.reads import backlog
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem
from edge.web.sync_answers import (
    BundleAnswer,
    ExportedAnswer,
    FolderBody,
    PauseAnswer,
    PauseBody,
    Resumed,
    RetryBody,
    StickAnswer,
    SyncAnswer,
    Tried,
)

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api/sync", tags=["sync"], responses=REFUSALS)


@router.get("", summary="Where everything stands that goes ashore")
def status(appliance: ApplianceHere) -> SyncAnswer:
    """Far sides, backlog by priority, budgets, failures. Nobody is asked for it."""
    return SyncAnswer.model_validate(appliance.sync.status(bundles=1))


@router.get("/bundles", summary="Bundles as they were made, newest first")
def bundles(
    appliance: ApplianceHere,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only those whose `sequence` is smaller.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[BundleAnswer]:
    """Each with what is in it and which far side has it."""
    with appliance.reader() as connection:
        return [BundleAnswer.model_validate(one) for one in backlog.history(connection, limit=limit, before=before)]


@router.post("/now", summary="Bundle what waits and try every far side at once", status_code=202)
def now(appliance: ApplianceHere, actor: Actor) -> Tried:
    """In its windows and its budget."""
    return Tried(tried=appliance.sync.now(actor))


@router.post("/retry", summary="Try again what was refused or failed", status_code=202)
def retry(appliance: ApplianceHere, actor: Actor, body: RetryBody) -> Tried:
    """Of one far side or of all."""
    return Tried(tried=appliance.sync.retry(actor, body.sink))


@router.post("/pause", summary="Let nothing go ashore")
def pause(appliance: ApplianceHere, actor: Actor, body: PauseBody) -> PauseAnswer:
    """For so many hours, or until somebody resumes it. It outlives a restart."""
    return PauseAnswer.model_validate(appliance.sync.pause(actor, body.hours))


@router.post("/resume", summary="Let it go on")
def resume(appliance: ApplianceHere, actor: Actor) -> Resumed:
    """After a pause."""
    return Resumed(was_paused=appliance.sync.resume(actor))


@router.post("/usb/export", summary="Bring everything that no stick has yet to a folder")
def usb_export(appliance: ApplianceHere, actor: Actor, body: FolderBody) -> ExportedAnswer:
    """It answers when all of it is there and on the medium."""
    return ExportedAnswer.model_validate(appliance.sync.usb_export(Path(body.path), actor))


@router.post("/usb/import", summary="Look at what a stick brought")
def usb_import(appliance: ApplianceHere, actor: Actor, body: FolderBody) -> StickAnswer:
    """Signatures of models are checked and remembered; nothing is installed."""
    return StickAnswer.model_validate(appliance.sync.usb_import(Path(body.path), actor))
