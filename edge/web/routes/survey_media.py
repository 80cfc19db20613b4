"""Files and tows: the cameras of a survey, the files that belong to no tow and why, and what a tow has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from edge.store.connection import snapshot
from edge.store.counted_tows import counted_tows
from edge.store.media import unattached_folders
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import cameras
from edge.store.waiting import freed_folders, has_rules, is_opening
from edge.survey.media_desk import why_loose
from edge.survey.sheet.words import Unreadable, read_number
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import invalid, no_such
from edge.web.pages import render
from edge.web.routes.actions import PostedForm
from edge.web.routes.api_media import CopyId, FolderId
from edge.web.routes.api_surveys import SurveyId, TowId
from edge.web.routes.surveys import find_survey

router = APIRouter(include_in_schema=False)

FOLDERS_AT_ONCE = 60

Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only folders first seen before this one.")]


@router.get("/surveys/{survey_id:int}/media")
def show_media(request: Request, appliance: ApplianceHere, survey_id: SurveyId, before: Before = None) -> Response:
    """Cameras, and folders with files that belong to no tow, the newest first, each with the reason for one of its files."""
    with appliance.reader() as connection, snapshot(connection):
        survey = find_survey(connection, survey_id)
        loose, following = unattached_folders(connection, before_id=before, limit=FOLDERS_AT_ONCE)
        reasons = why_loose(connection, [one.image_id for one in loose])
        some = cameras(connection, survey_id)
        tows = reads.survey_tows(connection, survey_id)
        counted = counted_tows(connection)
        freed, rules_are_there, opening = freed_folders(connection), has_rules(connection), is_opening(connection)
    return render(
        request,
        "survey_media.html",
        survey=survey,
        cameras=some,
        loose=loose,
        reasons=reasons,
        following=following,
        before=before,
        tows=tows,
        freed=freed,
        is_opening=opening,
        freed_ids={one.folder_id for one in freed},
        rules_are_there=rules_are_there,
        is_counted=any(one.id in counted for one in tows),
    )


@router.post("/actions/surveys/{survey_id:int}/camera")
def set_camera(appliance: ApplianceHere, actor: Actor, form: PostedForm, survey_id: SurveyId) -> RedirectResponse:
    """Add a camera, or change it."""
    try:
        offset_s = read_number(form.optional("time_offset_s"), low=-1e9, high=1e9, unit="s") or 0.0
    except Unreadable as fault:
        raise invalid(f"the time offset: {fault}", "Go back and give it in seconds; what you typed is still in the form.") from fault
    try:
        gap_m = read_number(form.optional("laser_gap_m"), low=0.0, high=1e9, unit="m")
    except Unreadable as fault:
        raise invalid(f"the gap between the lasers: {fault}", "Go back and give it in metres; your text is still in the form.") from fault
    appliance.media.set_camera(
        survey_id,
        form.text("name"),
        time_offset_s=offset_s,
        source=form.optional("time_offset_source"),
        folder_pattern=form.optional("folder_pattern"),
        actor=actor,
        reason=form.optional("reason"),
        laser_gap_m=gap_m,
        laser_gap_source=form.optional("laser_gap_source"),
    )
    return form.back("camera_set")


@router.post("/actions/surveys/{survey_id:int}/attach")
def attach(appliance: ApplianceHere, actor: Actor, form: PostedForm, survey_id: SurveyId) -> RedirectResponse:
    """The ticked files, or those of a folder that belong to no tow, belong to this one."""
    folder, tow = form.optional("folder"), form.text("tow")
    if not tow.isdecimal() or (folder and not folder.isdecimal()):
        raise invalid("a folder or a tow is no number", "Reload the page and choose the tow again.")
    with appliance.reader() as connection:
        row = reads.tow(connection, int(tow))
    if row is None or row.survey_id != survey_id:
        raise no_such("tow of this survey with the id", tow)
    reason = form.optional("reason")
    if folder:
        return form.back("attached", appliance.media.attach_folder(row.id, int(folder), actor, reason=reason))
    file_ids = form.file_ids()
    if not file_ids:
        return form.back("none_chosen")
    return form.back("attached", appliance.media.attach_files(row.id, file_ids, actor, reason=reason))


@router.post("/actions/folders/{folder_id:int}/of-no-survey")
def free_folder(appliance: ApplianceHere, actor: Actor, form: PostedForm, folder_id: FolderId) -> RedirectResponse:
    """The files of a folder belong to no survey: show what models found there, with a reason."""
    appliance.waiting.free(folder_id, form.optional("reason"), actor)
    return form.back("folder_freed")


@router.post("/actions/folders/{folder_id:int}/of-a-survey")
def take_folder_back(appliance: ApplianceHere, actor: Actor, form: PostedForm, folder_id: FolderId) -> RedirectResponse:
    """They may belong to one: what is found there from now on is sealed, with a reason."""
    appliance.waiting.take_back(folder_id, form.optional("reason"), actor)
    return form.back("folder_taken_back")


@router.post("/actions/tows/{tow_id:int}/copy")
def begin_copy(appliance: ApplianceHere, actor: Actor, form: PostedForm, tow_id: TowId) -> RedirectResponse:
    """Begin a second copy of the tow's raw media."""
    appliance.copies.begin(tow_id, Path(form.text("to").strip()), actor)
    return form.back("copying")


@router.post("/actions/copies/{copy_id:int}/cancel")
def cancel_copy(appliance: ApplianceHere, actor: Actor, form: PostedForm, copy_id: CopyId) -> RedirectResponse:
    """End a copy."""
    appliance.copies.cancel(copy_id, actor)
    return form.back("copy_cancelled")
