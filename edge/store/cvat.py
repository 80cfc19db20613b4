"""Tasks in CVAT and what people made of them: every row that push and pull write.

    planned    asked for; its frames are fixed
    created    the server has the task, without data
    uploaded   the server has the files and makes frames of them
    ready      the server has the frames
    sent       what a model found stands in the jobs, or nothing was to go along

Functions take the writer's connection, inside the writer's transaction. A version of what people made is never changed: the next one is
written beside it. Nothing here enters a count, a review or a density: what people correct in CVAT is training material.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.cvat_pulls import (
    NewAnnotation,
    NewJob,
    NewPull,
    Verdict,
    note_deleted_frames,
    note_job_trouble,
    put_jobs,
    record_pull,
)
from edge.store.sqlite import Connection

__all__ = [
    "Media",
    "NewAnnotation",
    "NewFrame",
    "NewJob",
    "NewProposal",
    "NewPull",
    "NewTask",
    "Source",
    "Step",
    "Verdict",
    "cancel_task",
    "clear_trouble",
    "note_deleted_frames",
    "note_gone",
    "note_job_trouble",
    "note_step",
    "note_trouble",
    "plan_task",
    "put_jobs",
    "put_proposals",
    "record_pull",
]

Source = Literal["station", "scan", "selection"]
Media = Literal["images", "clip", "vignettes"]
Step = Literal["planned", "created", "uploaded", "ready", "sent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFrame:
    """A frame of a task: a still or a frame of a clip (`image_id`), or the vignette of an object of a scan (`object_key`)."""

    name: str
    width_px: int
    height_px: int
    image_id: int | None = None
    object_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task that shall be; see `cvat_tasks` in docs/schema.md.

    Attributes:
        labels: as JSON can hold them, in their order.
        frames: in the order of their numbers, from 0.
        withheld: why nothing of a model goes along although it was asked for; empty otherwise.
    """

    server_url: str
    source: Source
    media: Media
    title: str
    recipe: str
    labels: Sequence[Mapping[str, Any]]
    job_size: int
    frames: Sequence[NewFrame]
    asked_by: str
    tow_id: int | None = None
    scan_id: int | None = None
    model_id: int | None = None
    with_model: bool = False
    withheld: str = ""
    uuid: str = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProposal:
    """Something that a model found and that goes along.

    Attributes:
        uuid: goes along as the attribute `edge_id`.
        frame: where it lies; of a track, its first keyframe.
        digest: of label and coordinates as sent; of a track over all its keyframes.
        keyframes: of a track, frame -> digest of that keyframe; None where it is no track.
        run_id, ordinal: the object of a still; opening_uuid: the opening of a tow; object_key: the object of a scan.
    """

    uuid: str
    frame: int
    label: str
    digest: str
    keyframes: Mapping[int, str] | None = None
    run_id: int | None = None
    ordinal: int | None = None
    opening_uuid: str | None = None
    object_key: str | None = None


def plan_task(connection: Connection, task: NewTask) -> int:
    """Write down a task that shall be, with its frames. Returns its id."""
    values = (
        task.uuid,
        task.server_url,
        task.source,
        task.media,
        task.title,
        task.tow_id,
        task.scan_id,
        task.recipe,
        task.model_id,
        int(task.with_model),
        task.withheld,
        json.dumps(list(task.labels)),
        task.job_size,
        len(task.frames),
        task.asked_by,
        utc_now(),
    )
    row = connection.execute(
        "INSERT INTO cvat_tasks (uuid, server_url, source, media, title, tow_id, scan_id, recipe, model_id, with_model, withheld, "
        "labels_json, job_size, frames, step, asked_by, asked_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'planned', ?, ?) RETURNING id",
        values,
    ).fetchone()
    task_id = int(row[0])
    connection.executemany(
        "INSERT INTO cvat_frames (task_id, frame, name, image_id, object_key, width_px, height_px) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(task_id, number, one.name, one.image_id, one.object_key, one.width_px, one.height_px) for number, one in enumerate(task.frames)],
    )
    about = {"source": task.source, "title": task.title, "frames": len(task.frames), "with_model": task.with_model}
    audit.append(connection, task.asked_by, "cvat_push", f"cvat_task/{task.uuid}", {**about, "withheld": task.withheld})
    return task_id


def put_proposals(connection: Connection, task_id: int, rows: Sequence[NewProposal]) -> None:
    """Write down what goes along, before it goes. Those that were written before stay as they are."""
    connection.executemany(
        "INSERT INTO cvat_proposals (uuid, task_id, frame, run_id, ordinal, opening_uuid, object_key, label, digest, keyframes_json) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uuid) DO NOTHING",
        [
            (
                one.uuid,
                task_id,
                one.frame,
                one.run_id,
                one.ordinal,
                one.opening_uuid,
                one.object_key,
                one.label,
                one.digest,
                None if one.keyframes is None else json.dumps({str(frame): text for frame, text in sorted(one.keyframes.items())}),
            )
            for one in rows
        ],
    )


def note_step(
    connection: Connection,
    task_id: int,
    step: Step,
    *,
    remote_id: int | None = None,
    upload: Mapping[str, Any] | None = None,
    sent_frames: int | None = None,
) -> bool:
    """Note how far a task is; what went wrong before is over. What is not given stays; after the upload nothing is kept of it.

    Returns:
        False if it was cancelled meanwhile, or is no longer on the server: nothing is written then.
    """
    cursor = connection.execute(
        "UPDATE cvat_tasks SET step = ?1, remote_id = coalesce(?2, remote_id), sent_frames = coalesce(?3, sent_frames), "
        "upload_json = CASE WHEN ?1 IN ('ready', 'sent') THEN NULL ELSE coalesce(?4, upload_json) END, trouble = '', trouble_code = '', "
        "attempts = 0, next_try_utc = NULL, sent_utc = CASE WHEN ?1 = 'sent' THEN coalesce(sent_utc, ?5) ELSE sent_utc END "
        "WHERE id = ?6 AND cancelled_utc IS NULL AND gone_utc IS NULL",
        (step, remote_id, sent_frames, None if upload is None else json.dumps(upload), utc_now(), task_id),
    )
    if cursor.rowcount and step == "sent":
        uuid, asked_by, number = connection.execute("SELECT uuid, asked_by, remote_id FROM cvat_tasks WHERE id = ?", (task_id,)).fetchone()
        audit.append(connection, asked_by, "cvat_push_end", f"cvat_task/{uuid}", {"cvat_task": number})
    return bool(cursor.rowcount)


def note_trouble(connection: Connection, task_id: int, code: str, words: str, *, next_try_utc: str | None) -> None:
    """Note why a task does not go on, and when it is tried again; None: only when somebody asks."""
    connection.execute(
        "UPDATE cvat_tasks SET trouble_code = ?, trouble = ?, attempts = attempts + 1, next_try_utc = ? WHERE id = ?",
        (code, words, next_try_utc, task_id),
    )


def clear_trouble(connection: Connection, task_id: int) -> None:
    """Somebody asks to try again now, or what went wrong is over."""
    connection.execute("UPDATE cvat_tasks SET trouble_code = '', trouble = '', attempts = 0, next_try_utc = NULL WHERE id = ?", (task_id,))


def cancel_task(connection: Connection, task_id: int, actor: str) -> bool:
    """Let a task be: nothing more goes out and nothing is brought in. Returns whether it was not cancelled before."""
    row = connection.execute(
        "UPDATE cvat_tasks SET cancelled_utc = ?, next_try_utc = NULL WHERE id = ? AND cancelled_utc IS NULL RETURNING uuid",
        (utc_now(), task_id),
    ).fetchone()
    if row is not None:
        audit.append(connection, actor, "cvat_cancel", f"cvat_task/{row[0]}", {})
    return row is not None


def note_gone(connection: Connection, task_id: int) -> bool:
    """The server no longer has a task. What was brought in of it stays. Returns whether that is new."""
    cursor = connection.execute(
        "UPDATE cvat_tasks SET gone_utc = ?, next_try_utc = NULL WHERE id = ? AND gone_utc IS NULL", (utc_now(), task_id)
    )
    return bool(cursor.rowcount)
