"""What the buttons of Annotate do, and the form of a new task."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BeforeValidator, Field

from annotator_bridge.cvat.values import PushRequest
from edge.errors import EdgeError
from edge.store.connection import snapshot
from edge.store.reads import cvat_page as page_reads
from edge.store.reads import surveys as survey_reads
from edge.store.reads.files import recent_folders
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import invalid, no_such
from edge.web.pages import query, render
from edge.web.routes.actions import PostedForm
from edge.web.routes.annotate import TaskUuid

router = APIRouter(include_in_schema=False)

SHOWN_LEFT_OUT = 50
MAX_JOB_FRAMES = 10_000

_Blank = BeforeValidator(lambda value: value or None)
Text = Annotated[Annotated[str, Field(max_length=4000)] | None, _Blank, Query()]
TowId = Annotated[Annotated[int, Field(ge=1, le=MAX_ID)] | None, _Blank, Query()]


@router.get("/annotate/new")
def show_new(  # each is a field of the form
    request: Request,
    appliance: ApplianceHere,
    *,
    source: Annotated[Literal["station", "scan", "selection"] | None, _Blank, Query()] = None,
    tow: TowId = None,
    scan: Text = None,
    folder: Text = None,
    media: Annotated[Literal["images", "clip"] | None, _Blank, Query()] = None,
) -> Response:
    """Choose what shall go, and look at what would."""
    kept = {"source": source, "tow": tow, "scan": scan, "folder": folder, "media": media}
    preview, refused = None, None
    if source is not None:
        wanted = push_request(appliance, source=source, tow=tow, scan=scan, folder=folder, media=media)
        try:
            preview = appliance.annotation.preview(wanted)
        except EdgeError as error:
            refused = error
    with appliance.reader() as connection, snapshot(connection):
        tows = page_reads.offered_tows(connection)
        scans = page_reads.offered_scans(connection)
        folders = [one.path for one in recent_folders(connection)]
    surveys: dict[str, list[page_reads.OfferedTow]] = {}
    for one in tows:
        surveys.setdefault(one.survey or "drafts", []).append(one)
    return render(
        request,
        "annotate_new.html",
        url=appliance.annotation.server,
        surveys=surveys,
        scans=scans,
        folders=folders,
        preview=preview,
        refused=refused,
        left_out=() if preview is None else preview.left_out[:SHOWN_LEFT_OUT],
        source=source,
        tow=tow,
        scan=scan,
        folder=folder,
        media=media,
        kept={key: value for key, value in kept.items() if value is not None},
    )


@router.post("/actions/annotate/push")
def push(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Queue a task."""
    tow, media = form.optional("tow"), form.optional("media")
    source = form.text("source")
    if source not in ("station", "scan", "selection") or media not in ("", "images", "clip"):
        raise invalid("there is no such kind of a task", "Reload the page and press the button again.")
    wanted = push_request(
        appliance,
        source=cast("Literal['station', 'scan', 'selection']", source),
        tow=_number(tow, "tow", MAX_ID) if tow else None,
        scan=form.optional("scan") or None,
        folder=form.optional("folder") or None,
        media=cast("Literal['images', 'clip'] | None", media or None),
        job_frames=_number(form.text("job_frames"), "number of images of a job", MAX_JOB_FRAMES),
        title=form.optional("title").strip()[:200],
        with_model=bool(form.optional("with_model")),
        again=bool(form.optional("again")),
    )
    planned = appliance.annotation.push(wanted, actor)
    notice = "cvat_stood" if planned.stood else "cvat_queued"
    return RedirectResponse(f"/annotate/tasks/{planned.task_uuid}?{query(notice=notice)}", status_code=303)


@router.post("/actions/annotate/pull")
def pull_all(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Fetch every task."""
    return form.back("cvat_pulls", appliance.annotation.pull(None, actor))


@router.post("/actions/annotate/retry")
def retry_all(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Try again now what waits."""
    return form.back("cvat_retried", appliance.annotation.retry(None, actor))


@router.post("/actions/annotate/tasks/{task_uuid}/pull")
def pull(appliance: ApplianceHere, actor: Actor, form: PostedForm, task_uuid: TaskUuid) -> RedirectResponse:
    """Fetch a task."""
    return form.back("cvat_pulls", appliance.annotation.pull(task_uuid, actor))


@router.post("/actions/annotate/tasks/{task_uuid}/retry")
def retry(appliance: ApplianceHere, actor: Actor, form: PostedForm, task_uuid: TaskUuid) -> RedirectResponse:
    """Try a task again now."""
    return form.back("cvat_retried", appliance.annotation.retry(task_uuid, actor))


@router.post("/actions/annotate/tasks/{task_uuid}/cancel")
def cancel(appliance: ApplianceHere, actor: Actor, form: PostedForm, task_uuid: TaskUuid) -> RedirectResponse:
    """Let a task be."""
    appliance.annotation.cancel(task_uuid, actor)
    return form.back("cvat_cancelled")


@router.post("/actions/annotate/login")
def login(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Sign in at CVAT; only a token is kept."""
    token, username, password = form.optional("token").strip(), form.optional("username").strip(), form.optional("password")
    if not token and not (username and password):
        raise invalid("neither a token nor an account with its password was typed", "Type one of the two.")
    if token:
        appliance.annotation.login(actor, token=token)
    else:
        appliance.annotation.login(actor, username=username, password=password)
    return form.back("cvat_signed_in")


@router.post("/actions/annotate/logout")
def logout(appliance: ApplianceHere, actor: Actor, form: PostedForm) -> RedirectResponse:
    """Forget the token."""
    appliance.annotation.logout(actor)
    return form.back("cvat_forgotten")


def push_request(
    appliance: Appliance,
    *,
    source: Literal["station", "scan", "selection"],
    tow: int | None,
    scan: str | None,
    folder: str | None,
    media: Literal["images", "clip"] | None,
    **more: Any,
) -> PushRequest:
    """What was chosen, by its names.

    Raises:
        RequestError: nothing was chosen, or the tow does not exist.
    """
    if source == "station":
        if tow is None:
            raise invalid("no tow was chosen", "Choose one, then look again.")
        with appliance.reader() as connection:
            row = survey_reads.tow(connection, tow)
        if row is None:
            raise no_such("tow with the id", tow)
        return PushRequest(source=source, survey=row.survey, station=row.station, tow=row.ordinal, media=media, **more)
    if source == "scan":
        if scan is None:
            raise invalid("no scan was chosen", "Choose one, then look again.")
        return PushRequest(source=source, scan=scan, **more)
    if folder is None:
        raise invalid("no folder was chosen", "Choose one, then look again.")
    return PushRequest(source=source, folder=folder, **more)


def _number(text: str, what: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and 0 < int(text) <= most):
        raise invalid(f"{text!r} is no {what}", f"Type a whole number from 1 to {most}.")
    return int(text)
