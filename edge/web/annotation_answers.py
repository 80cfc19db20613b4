"""What the JSON API of annotation answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from edge.store.reads.cvat import trouble_told
from edge.web.annotation_words import HIDDEN, ListedTask, TaskStateName

if TYPE_CHECKING:
    from annotator_bridge.cvat.desk import ServerState
    from annotator_bridge.cvat.shown import FacadeStatus
    from edge.store.reads.cvat import JobRow
    from edge.web.annotation_told import ToldServer


class _Row(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FacadeFunctionAnswer(_Row):
    """A function that CVAT may call."""

    id: str
    kind: str
    title: str
    pack: str
    calls: int
    p95_ms: float | None


class FacadeFailureAnswer(_Row):
    """A call that failed."""

    at_utc: str
    function: str
    status: int
    code: str
    reason: str


class BridgeAnswer(_Row):
    """The models that CVAT may call; figures since `since_utc`."""

    is_on: bool
    is_running: bool
    url: str
    since_utc: str | None
    calls: int
    failed: int
    p95_ms: float | None
    functions: list[FacadeFunctionAnswer]
    failures: list[FacadeFailureAnswer]
    trouble: str


class ServerAnswer(BaseModel):
    """CVAT as it was found last, at `asked_utc`. `url` is empty where none is configured; `answers` is null before it was asked."""

    url: str
    answers: bool | None
    words: str
    since_utc: str | None
    asked_utc: str | None
    trouble: str
    next_try_utc: str | None
    version: str
    username: str | None
    at_work: str
    at_work_uuid: str


class AnnotationAnswer(BaseModel):
    """The server and the models."""

    server: ServerAnswer
    bridge: BridgeAnswer


class TaskAnswer(BaseModel):
    """A task. `verdicts` and `stood_percent` are null while its station is counted blind (`hidden` says so) or nothing came back.

    `pull_waits`: a pull was asked for and has not come about; `pull_trouble` says why one did not.
    """

    uuid: str
    title: str
    source: Literal["station", "scan", "selection"]
    media: Literal["images", "clip", "vignettes"]
    survey: str | None
    station: str | None
    tow: int | None
    scan: str | None
    images: int
    job_frames: int
    step: Literal["planned", "created", "uploaded", "ready", "sent"]
    state: TaskStateName
    trouble: str
    trouble_code: str
    next_try_utc: str | None
    with_model: bool
    withheld: str
    model: str | None
    model_version: str | None
    jobs: int
    jobs_completed: int
    jobs_in_progress: int
    jobs_rejected: int
    verdicts: dict[str, int] | None
    stood_percent: float | None
    hidden: str
    server: str
    remote_id: int | None
    address: str
    asked_by: str
    asked_utc: str
    sent_utc: str | None
    pulled_utc: str | None
    pulled_by: str | None
    pull_waits: bool
    pull_trouble: str
    cancelled_utc: str | None
    gone_utc: str | None


class JobAnswer(BaseModel):
    """A job of CVAT's as it was looked at last; frames count from 0, both ends included."""

    remote_id: int
    kind: str
    first_frame: int
    last_frame: int
    stage: str
    state: str
    assignee: str | None
    changed_utc: str | None
    looked_utc: str
    trouble: str
    gone_utc: str | None
    pulled_utc: str | None
    versions: int | None
    address: str


class VersionAnswer(_Row):
    """A version of what stands in a job."""

    is_current: bool
    remote_job_id: int
    stage: str
    state: str
    assignee: str | None
    server_version: str
    content_sha256: str
    pulled_by: str
    pulled_utc: str
    completed_utc: str | None


class ImageAnswer(_Row):
    """An image of a task with what became of the model's objects on it; `frame` counts from 0."""

    frame: int
    name: str
    file_id: int | None
    verdicts: dict[str, int]


class TaskDetails(TaskAnswer):
    """A task with everything below it."""

    jobs_there: list[JobAnswer]
    versions: list[VersionAnswer]
    verdicts_by_image: list[ImageAnswer]


class LeftOutAnswer(_Row):
    """A file that does not go along."""

    name: str
    code: str
    reason: str


class PushAnswer(_Row):
    """The task that was queued, or that `stood` before."""

    task_uuid: str
    stood: bool
    withheld: str
    left_out: list[LeftOutAnswer]


class PreviewAnswer(_Row):
    """What would go: `images` in `jobs`, under this title; `stands` is the uuid of a task of the same."""

    title: str
    images: int
    jobs: int
    job_frames: int
    can_have_model: bool
    withheld: str
    left_out: list[LeftOutAnswer]
    stands: str | None


class ConflictSideAnswer(_Row):
    """One side of a disagreement."""

    where: str
    words: str
    by: str | None
    utc: str | None
    task_uuid: str | None
    remote_task_id: int | None
    remote_job_id: int | None


class ConflictAnswer(_Row):
    """A disagreement; frames count from 0. `keeps_out` says what it keeps from a training set."""

    kind: str
    task_uuid: str
    title: str
    station: str | None
    image_uuid: str | None
    name: str
    first_frame: int
    last_frame: int
    words: str
    keeps_out: str
    sides: list[ConflictSideAnswer]


class AgreementRowAnswer(_Row):
    """Agreement of a task or a station; shares are 0 to 1."""

    task_uuid: str | None
    title: str
    survey: str | None
    station: str | None
    model: str | None
    model_version: str | None
    jobs: int
    frames: int
    kept: int | None
    moved: int | None
    relabelled: int | None
    removed: int | None
    added: int | None
    compared: int
    matched: int
    only_model: int
    only_person: int
    precision: float | None
    recall: float | None
    f1: float | None
    mean_difference: float | None
    words: str


class AgreementAnswer(_Row):
    """Per station and per task."""

    stations: list[AgreementRowAnswer]
    tasks: list[AgreementRowAnswer]


def annotation_answer(told: ToldServer, state: ServerState, status: FacadeStatus) -> AnnotationAnswer:
    """The server and the models."""
    server = ServerAnswer(
        url=told.url,
        answers=state.reach.answers,
        words=told.words,
        since_utc=state.reach.since_utc,
        asked_utc=state.reach.asked_utc,
        trouble=told.trouble,
        next_try_utc=told.next_try_utc,
        version=told.version,
        username=told.username,
        at_work=told.at_work,
        at_work_uuid=told.at_work_uuid,
    )
    return AnnotationAnswer(server=server, bridge=BridgeAnswer.model_validate(status))


def task_answer(one: ListedTask) -> TaskAnswer:
    """A task as JSON."""
    row = one.task
    own: dict[str, Any] = {
        name: getattr(row, name)
        for name in TaskAnswer.model_fields
        if hasattr(row, name) and name not in {"jobs", "pulled_utc", "state", "verdicts"}
    }
    return TaskAnswer(
        **own,
        images=row.frames,
        job_frames=row.job_size,
        state=one.state.name,
        jobs=one.tally.all,
        jobs_completed=one.tally.done,
        jobs_in_progress=one.tally.begun,
        jobs_rejected=one.tally.rejected,
        verdicts=one.verdicts,
        stood_percent=one.stood_percent,
        hidden=HIDDEN if row.is_blind else "",
        server=row.server_url,
        address=one.task_address,
        pulled_utc=one.pulled_utc,
        pulled_by=one.pulled_by,
        pull_waits=one.pull_waits,
        pull_trouble=one.pull_trouble,
    )


def job_answer(row: JobRow, task_address: str, *, is_blind: bool) -> JobAnswer:
    """A job as JSON; of a blind task neither why it cannot be taken nor how many versions there are."""
    return JobAnswer(
        remote_id=row.remote_id,
        kind=row.kind,
        first_frame=row.first_frame,
        last_frame=row.last_frame,
        stage=row.stage,
        state=row.state,
        assignee=row.assignee,
        changed_utc=row.remote_updated_utc,
        looked_utc=row.looked_utc,
        trouble=trouble_told(row.trouble, is_blind=is_blind),
        gone_utc=row.gone_utc,
        pulled_utc=row.pulled_utc,
        versions=None if is_blind else row.versions,
        address=f"{task_address}/jobs/{row.remote_id}" if task_address else "",
    )
