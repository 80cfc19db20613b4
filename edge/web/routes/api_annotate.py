"""The JSON API of annotation in CVAT: the server, the models that it calls, tasks, conflicts, agreement."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from annotator_bridge.cvat.values import PushRequest
from edge.store.connection import snapshot
from edge.store.reads import cvat as reads
from edge.store.reads import cvat_page as page_reads
from edge.web import annotation_answers as answers
from edge.web.annotation_told import pull_state, told_server
from edge.web.annotation_words import TaskStateName, listed, task_address
from edge.web.appliance import Appliance
from edge.web.deps import MAX_ID, Actor, ApplianceHere
from edge.web.errors import Problem, invalid, no_such
from edge.web.survey_answers import Body, Secret

REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (403, 404, 409, 422, 503)}
router = APIRouter(prefix="/api/annotate", tags=["annotation"], responses=REFUSALS)

TaskUuid = Annotated[str, Path(min_length=1, max_length=64, description="The uuid of the task.")]
Short = Annotated[str, Field(min_length=1, max_length=300)]


class PushBody(Body):
    """What shall become a task: one of `station` (with `survey` and `tow` where the name alone is not clear), `scan`, `folder` or `images`.

    `media` of a station: its stills or its clip. `job_frames`: images of a job. `again`: another task although one stands.
    """

    source: Literal["station", "scan", "selection"]
    survey: Short | None = None
    station: Short | None = None
    tow: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    scan: Short | None = None
    folder: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    images: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=100_000)] = ()
    media: Literal["images", "clip"] | None = None
    clip: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    with_model: bool = True
    job_frames: Annotated[int, Field(ge=1, le=10_000)] | None = None
    title: Annotated[str, Field(max_length=200)] = ""
    again: bool = False

    def request(self) -> PushRequest:
        """As the desk is asked."""
        return PushRequest(**self.model_dump())


class LoginBody(Body):
    """A token of CVAT's, or an account with its password, of which only CVAT's token is kept."""

    username: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    password: Secret | None = None
    token: Secret | None = None


class Amount(BaseModel):
    """How many tasks that concerned."""

    tasks: int


class SignedIn(BaseModel):
    """The server, and the name of the account there; null if nobody is signed in."""

    server: str
    username: str | None


class Forgotten(BaseModel):
    """Whether anything was kept."""

    forgotten: bool


class FindingAnswer(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(from_attributes=True)

    check: str
    state: Literal["ok", "warning", "error", "unknown"]
    words: str
    advice: str


@router.get("", summary="CVAT's state, and the models that it calls")
def show(appliance: ApplianceHere) -> answers.AnnotationAnswer:
    """Without asking CVAT anything; while this is asked, its jobs are looked at often."""
    appliance.annotation.page_is_open()
    return answers.annotation_answer(told_server(appliance), appliance.annotation.server_state(), appliance.annotation.facade_status())


@router.get("/tasks", summary="Tasks, the newest first")
def list_tasks(
    appliance: ApplianceHere,
    state: Annotated[TaskStateName | None, Query(description="Only tasks in this state.")] = None,
    tow: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only tasks of this tow.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> list[answers.TaskAnswer]:
    """What people made of the model's results is null while a station is counted blind."""
    with appliance.reader() as connection, snapshot(connection):
        found = listed(connection, reads.tasks(connection, tow_id=tow), pull_state(appliance))
    return [answers.task_answer(one) for one in found if state in (None, one.state.name)][:limit]


@router.get("/tasks/{task_uuid}", summary="A task with its jobs, versions and images")
def show_task(appliance: ApplianceHere, task_uuid: TaskUuid) -> answers.TaskDetails:
    """Images are those on which something is or was; no images and no versions while the station is counted blind (`hidden`)."""
    with appliance.reader() as connection, snapshot(connection):
        row = reads.task_by_uuid(connection, task_uuid)
        if row is None:
            raise no_such("task", task_uuid)
        (one,) = listed(connection, [row], pull_state(appliance))
        frames = () if row.is_blind else page_reads.frame_verdicts(connection, row.id)
        versions = () if row.is_blind else page_reads.versions_of(connection, row.id)
        return answers.TaskDetails(
            **answers.task_answer(one).model_dump(),
            jobs_there=[answers.job_answer(job, task_address(row), is_blind=row.is_blind) for job in reads.jobs_of(connection, row.id)],
            versions=[answers.VersionAnswer.model_validate(version) for version in versions],
            verdicts_by_image=[answers.ImageAnswer.model_validate(frame) for frame in frames],
        )


@router.post("/tasks", summary="Send a station, a scan or a selection to CVAT", status_code=202)
def push(appliance: ApplianceHere, actor: Actor, body: PushBody) -> answers.PushAnswer:
    """It goes when CVAT answers. What stands already of the same is told instead (`stood`), unless `again` is said."""
    return answers.PushAnswer.model_validate(appliance.annotation.push(body.request(), actor))


@router.post("/preview", summary="What would go to CVAT")
def preview(appliance: ApplianceHere, body: PushBody) -> answers.PreviewAnswer:
    """Nothing happens; files that would be left out are told with the reason."""
    return answers.PreviewAnswer.model_validate(appliance.annotation.preview(body.request()))


@router.post("/pull", summary="Fetch what people made, of every task", status_code=202)
def pull_all(appliance: ApplianceHere, actor: Actor) -> Amount:
    """It comes when CVAT answers."""
    return Amount(tasks=appliance.annotation.pull(None, actor))


@router.post("/retry", summary="Try again now what waits")
def retry_all(appliance: ApplianceHere, actor: Actor) -> Amount:
    """All that wait for the server, or were stopped."""
    return Amount(tasks=appliance.annotation.retry(None, actor))


@router.post("/tasks/{task_uuid}/pull", summary="Fetch what people made of a task", status_code=202)
def pull(appliance: ApplianceHere, actor: Actor, task_uuid: TaskUuid) -> Amount:
    """It comes when CVAT answers."""
    _needed(appliance, task_uuid)
    return Amount(tasks=appliance.annotation.pull(task_uuid, actor))


@router.post("/tasks/{task_uuid}/retry", summary="Try a task again now")
def retry(appliance: ApplianceHere, actor: Actor, task_uuid: TaskUuid) -> Amount:
    """It goes on where it was."""
    _needed(appliance, task_uuid)
    return Amount(tasks=appliance.annotation.retry(task_uuid, actor))


@router.post("/tasks/{task_uuid}/cancel", summary="Let a task be")
def cancel(appliance: ApplianceHere, actor: Actor, task_uuid: TaskUuid) -> Amount:
    """Nothing more goes out or comes in; what stands in CVAT stays there."""
    _needed(appliance, task_uuid)
    appliance.annotation.cancel(task_uuid, actor)
    return Amount(tasks=1)


@router.get("/conflicts", summary="Where what people made disagrees")
def conflicts(appliance: ApplianceHere) -> list[answers.ConflictAnswer]:
    """Each with both sides; nothing of what is counted blind."""
    with appliance.reader() as connection, snapshot(connection):
        return [answers.ConflictAnswer.model_validate(one) for one in reads.conflicts(connection)]


@router.get("/agreement", summary="How far model and people agree, per station and per task")
def agreement(appliance: ApplianceHere) -> answers.AgreementAnswer:
    """Of completed jobs; nothing of what is counted blind."""
    with appliance.reader() as connection, snapshot(connection):
        return answers.AgreementAnswer.model_validate(reads.agreement(connection))


@router.get("/doctor", summary="What is missing between CVAT and the appliance")
def doctor(appliance: ApplianceHere) -> list[FindingAnswer]:
    """Looks now, which asks the server."""
    return [FindingAnswer.model_validate(one) for one in appliance.annotation.doctor()]


@router.post("/login", summary="Sign in at CVAT")
def login(appliance: ApplianceHere, actor: Actor, body: LoginBody) -> SignedIn:
    """Only a token is kept, in a private file of the home folder."""
    if body.token is not None and body.username is None and body.password is None:
        appliance.annotation.login(actor, token=body.token.get_secret_value())
    elif body.token is None and body.username is not None and body.password is not None:
        appliance.annotation.login(actor, username=body.username, password=body.password.get_secret_value())
    else:
        raise invalid("neither a token alone, nor an account with its password", "Send one of the two.")
    state = appliance.annotation.server_state()
    return SignedIn(server=state.url, username=state.username)


@router.post("/logout", summary="Forget the token")
def logout(appliance: ApplianceHere, actor: Actor) -> Forgotten:
    """What is queued then waits for the next sign-in."""
    return Forgotten(forgotten=appliance.annotation.logout(actor))


def _needed(appliance: Appliance, task_uuid: str) -> None:
    with appliance.reader() as connection:
        if page_reads.task_id_of(connection, task_uuid) is None:
            raise no_such("task", task_uuid)
