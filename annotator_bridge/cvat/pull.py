"""Annotations in: what people made of a task comes back, beside what the model found and never over it.

Everything of a task is fetched and read before anything is written, and it is written in one transaction: a link that breaks in the middle
leaves what stood here before. A version of a job is new only where something in it changed. What cannot be read stops its job with the
reason, and none of it is stored. Nothing here writes to the server, and nothing enters a count, a review or a density.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from annotator_bridge.cvat.bounds import Box
from annotator_bridge.cvat.plan import is_of_another, remote_suffix
from annotator_bridge.cvat.returned import BadDocumentError, ReturnedJob, read_returned
from annotator_bridge.cvat.server import CvatServer, RemoteJob, RemoteTask, TaskMeta
from annotator_bridge.cvat.verdicts import Sent, Span, judge, keyframes_by_claim
from edge.errors import ServerRefusedError, SettingsError
from edge.store import cvat as store
from edge.store.cvat import NewAnnotation, NewJob, NewPull
from edge.store.reads.cvat import (
    FrameRow,
    JobRow,
    TaskRow,
    current_pulls,
    frames_of,
    jobs_of,
    proposal_boxes,
    proposals_of,
    task_by_id,
    trouble_told,
)
from edge.store.sqlite import Connection
from edge.store.writer import Writes

log = structlog.get_logger()

WORK = "annotation"  # the kind of jobs in which people do the work itself
NOT_FOUND = 404
Reader = Callable[[], AbstractContextManager[Connection]]


class NotOursError(ServerRefusedError):
    """A task of the server has the number of one of ours, and is another one."""

    code = "cvat_not_ours"
    default_advice = "Was the server set up anew? Cancel the task here, and push it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedJob:
    """A job of which nothing could be taken, and why."""

    remote_id: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSummary:
    """What came of a pull.

    Attributes:
        gone: the server no longer has the task; what was brought in before stays.
        jobs: how many jobs people work in; completed: how many of them are; gone_jobs: how many are no longer there.
        new: jobs of which a new version was stored; unchanged: those that stand as they were brought in last.
        verdicts: what became of what went out, in the new versions: a track counts once in each job. None while it must not be told.
    """

    task_uuid: str
    title: str
    gone: bool
    jobs: int
    completed: int
    gone_jobs: int
    new: int
    unchanged: int
    refused: tuple[RefusedJob, ...]
    deleted_frames: int
    verdicts: Mapping[str, int] | None


class _Fetched(NamedTuple):
    """All that the server said of a task."""

    version: str
    jobs: tuple[RemoteJob, ...]
    meta: TaskMeta
    documents: dict[int, dict[str, object]]
    read: dict[int, ReturnedJob]
    refused: tuple[RefusedJob, ...]


def pull_task(writer: Writes, reader: Reader, server: CvatServer, task_id: int, *, actor: str) -> PullSummary:
    """Bring in what stands in every job of a task.

    Args:
        writer: who writes.
        reader: opens a connection that reads.
        server: the one that the task was sent to.
        task_id: ours.
        actor: who asked for it.

    Raises:
        SettingsError: there is no such task, it was cancelled, or it is not all there yet.
        NotOursError: under its number the server has another task.
        TransportError: the server cannot be asked now, or not by us; nothing was written.
    """
    with reader() as connection:
        task = task_by_id(connection, task_id)
        if task is None or task.remote_id is None or task.step != "sent" or task.cancelled_utc is not None:
            raise SettingsError(f"nothing can be brought in of {_named(task, task_id)}", advice="`imagine-edge cvat status` says why.")
        frames = frames_of(connection, task_id)
    fetched = _fetch(server, task, frames)
    if fetched is None:
        writer.call(lambda connection: store.note_gone(connection, task_id))
        return _summary(task, gone=True)
    with reader() as connection:
        proposals = {one.uuid: one for one in proposals_of(connection, task_id)}
        boxes = {uuid: Box(*box) for uuid, box in proposal_boxes(connection, task_id).items()}
    sent = Sent(proposals=proposals, boxes=boxes, seen=keyframes_by_claim(fetched.read.values()))
    rows = {
        job.id: judge(fetched.read[job.id], Span(job.first_frame, job.last_frame), sent, deleted=fetched.meta.deleted)
        for job in fetched.jobs
        if job.id in fetched.read
    }
    new = writer.call(lambda connection: _store(connection, task, fetched, rows, actor))
    for one in fetched.refused:
        log.warning("cvat_job_refused", task=task.uuid, job=one.remote_id, reason=one.reason)
    return _told(reader, task, fetched, rows, new)


def look_at_jobs(writer: Writes, reader: Reader, server: CvatServer, task_id: int) -> bool:
    """Note where the jobs of a task stand, without their annotations.

    Returns:
        Whether one was completed or changed since it was brought in, so that a pull would bring something.

    Raises:
        NotOursError, TransportError: as `pull_task`.
    """
    with reader() as connection:
        task = task_by_id(connection, task_id)
        before = {one.remote_id: one for one in jobs_of(connection, task_id)}
        pulls = {one.remote_job_id: one for one in current_pulls(connection, task_id)}
    if task is None or task.remote_id is None or task.step != "sent" or task.cancelled_utc is not None:
        return False
    there = server.task(task.remote_id)
    if there is None:
        writer.call(lambda connection: store.note_gone(connection, task_id))
        return False
    if not there.name.endswith(remote_suffix(task.uuid)):  # people may call it as they like; its frames tell
        with reader() as connection:
            frames = frames_of(connection, task_id)
        _check_is_ours(task, frames, there, server.meta(task.remote_id))
    jobs = server.jobs(task.remote_id)
    here = {number for number, one in before.items() if one.gone_utc is None}
    if here != {job.id for job in jobs} or any(_differs(job, before[job.id]) for job in jobs):
        writer.call(lambda connection: store.put_jobs(connection, task_id, [_new_job(job) for job in jobs]))
    refused = {number for number, one in before.items() if one.trouble}  # the same document would be refused again
    unread = [job for job in jobs if job.id not in refused or job.updated_utc != before[job.id].remote_updated_utc]
    completed = [job for job in unread if job.kind == WORK and job.state == "completed"]
    return any((known := pulls.get(job.id)) is None or known.remote_updated_utc != job.updated_utc for job in completed)


def _fetch(server: CvatServer, task: TaskRow, frames: Sequence[FrameRow]) -> _Fetched | None:
    """Everything of a task; None if it is not there (any more)."""
    assert task.remote_id is not None
    version = server.about().version
    try:
        there = server.task(task.remote_id)
        if there is None:
            return None
        meta = server.meta(task.remote_id)
        _check_is_ours(task, frames, there, meta)
        labels = server.labels(task.remote_id)
        jobs = server.jobs(task.remote_id)
        documents: dict[int, dict[str, object]] = {}
        read: dict[int, ReturnedJob] = {}
        refused = []
        for job in jobs:
            if job.kind != WORK:
                continue
            document = server.job_annotations(job.id)
            try:
                _check_frames(job, len(frames))
                read[job.id] = read_returned(document, labels, job.first_frame, job.last_frame)
                documents[job.id] = document
            except BadDocumentError as error:
                refused.append(RefusedJob(remote_id=job.id, reason=str(error)))
    except ServerRefusedError as error:
        if error.status == NOT_FOUND and server.task(task.remote_id) is None:  # it went away in the middle
            return None
        raise
    return _Fetched(version, jobs, meta, documents, read, tuple(refused))


def _check_is_ours(task: TaskRow, frames: Sequence[FrameRow], named: RemoteTask, meta: TaskMeta) -> None:
    """Refuse a task that has our number and other frames, or the name of another one of ours: the server may have been set up anew."""
    same = len(meta.frames) == len(frames) and all(
        (there.width_px, there.height_px) == (here.width_px, here.height_px) and (task.media == "clip" or there.name == here.name)
        for there, here in zip(meta.frames, frames, strict=True)
    )
    if not same:
        raise NotOursError(f"task {task.remote_id} of {task.server_url} is not the one that was sent: it has other frames")
    if is_of_another(named.name, task.uuid):
        raise NotOursError(f"task {task.remote_id} of {task.server_url} is not the one that was sent: its name is another one's")


def _check_frames(job: RemoteJob, frames: int) -> None:
    if not 0 <= job.first_frame <= job.last_frame < frames:
        raise BadDocumentError(f"it has frames {job.first_frame} to {job.last_frame}, and the task has {frames}")


def _store(connection: Connection, task: TaskRow, fetched: _Fetched, rows: Mapping[int, list[NewAnnotation]], actor: str) -> set[int]:
    """Write all of a pull. Returns the server's numbers of the jobs of which a new version was stored."""
    now = task_by_id(connection, task.id)
    if now is None or now.cancelled_utc is not None:
        return set()
    ids = store.put_jobs(connection, task.id, [_new_job(job) for job in fetched.jobs])
    store.note_deleted_frames(connection, task.id, sorted(fetched.meta.deleted))
    reasons = {one.remote_id: one.reason for one in fetched.refused}
    new = set()
    for job in fetched.jobs:
        store.note_job_trouble(connection, ids[job.id], reasons.get(job.id, ""))
        if job.id in rows and store.record_pull(connection, ids[job.id], _new_pull(job, fetched, rows[job.id], actor)) is not None:
            new.add(job.id)
    return new


def _new_pull(job: RemoteJob, fetched: _Fetched, rows: Sequence[NewAnnotation], actor: str) -> NewPull:
    deleted = sorted(frame for frame in fetched.meta.deleted if job.first_frame <= frame <= job.last_frame)
    return NewPull(
        stage=job.stage,
        state=job.state,
        assignee=job.assignee,
        remote_updated_utc=job.updated_utc,
        server_version=fetched.version,
        content={**fetched.documents[job.id], "deleted_frames": deleted},
        same=[fetched.read[job.id].same, deleted],
        pulled_by=actor,
        annotations=rows,
    )


def _new_job(job: RemoteJob) -> NewJob:
    return NewJob(
        remote_id=job.id,
        first_frame=max(0, job.first_frame),
        last_frame=max(0, job.first_frame, job.last_frame),
        stage=job.stage,
        state=job.state,
        assignee=job.assignee,
        remote_updated_utc=job.updated_utc,
        kind=job.kind,
    )


def _differs(job: RemoteJob, known: JobRow) -> bool:
    there = (job.stage, job.state, job.assignee, job.updated_utc, job.first_frame, job.last_frame)
    return there != (known.stage, known.state, known.assignee, known.remote_updated_utc, known.first_frame, known.last_frame)


def _told(reader: Reader, task: TaskRow, fetched: _Fetched, rows: Mapping[int, list[NewAnnotation]], new: set[int]) -> PullSummary:
    with reader() as connection:
        now = task_by_id(connection, task.id)
        gone_jobs = sum(one.gone_utc is not None for one in jobs_of(connection, task.id))
    work = [job for job in fetched.jobs if job.kind == WORK]
    verdicts: dict[str, int] | None = None
    is_blind = now is None or now.is_blind
    refused = tuple(RefusedJob(remote_id=one.remote_id, reason=trouble_told(one.reason, is_blind=is_blind)) for one in fetched.refused)
    if not is_blind:
        verdicts = dict.fromkeys(("kept", "moved", "relabelled", "added", "removed"), 0)
        objects = {(number, row.verdict, row.track if row.track is not None else id(row)) for number in new for row in rows[number]}
        for _, verdict, _ in objects:
            verdicts[verdict] += 1
    return PullSummary(
        task_uuid=task.uuid,
        title=task.title,
        gone=False,
        jobs=len(work),
        completed=sum(job.state == "completed" for job in work),
        gone_jobs=gone_jobs,
        new=len(new),
        unchanged=len(rows) - len(new),
        refused=refused,
        deleted_frames=len(fetched.meta.deleted),
        verdicts=verdicts,
    )


def _summary(task: TaskRow, *, gone: bool) -> PullSummary:
    return PullSummary(
        task_uuid=task.uuid,
        title=task.title,
        gone=gone,
        jobs=0,
        completed=0,
        gone_jobs=0,
        new=0,
        unchanged=0,
        refused=(),
        deleted_frames=0,
        verdicts=None,
    )


def _named(task: TaskRow | None, task_id: int) -> str:
    if task is None:
        return f"task {task_id}: there is none"
    return f"{task.title}: {'it was cancelled' if task.cancelled_utc else 'it is still on its way to CVAT'}"
