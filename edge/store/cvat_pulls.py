"""What comes back of tasks in CVAT: their jobs as they are now, and every version of what people made in them.

Functions take the writer's connection, inside the writer's transaction. A version is never changed: the next one is written beside it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.errors import StoreRefusedError
from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.sqlite import Connection

Verdict = Literal["kept", "moved", "relabelled", "added", "removed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job as the server has it now; frames from `first_frame` to `last_frame`, both included.

    `kind`: "annotation"; "ground_truth", "consensus_replica" and what later servers have are copies for checking.
    """

    remote_id: int
    first_frame: int
    last_frame: int
    stage: str
    state: str
    assignee: str | None = None
    remote_updated_utc: str | None = None
    kind: str = "annotation"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAnnotation:
    """A shape, a keyframe of a track or a tag as it came back, or (`removed`, without a shape) a proposal that did not.

    Attributes:
        track: number of the track within its job; None where it is no track.
        x_min_px, y_min_px, x_max_px, y_max_px: what it covers of its frame, half open; None of a tag.
        made_by: how it came to be, as CVAT says: "manual", "semi-auto", "auto", "file", ...; empty where it does not say.
    """

    frame: int
    verdict: Verdict
    label: str
    shape: str | None = None
    proposal_id: int | None = None
    track: int | None = None
    points: Sequence[float] | None = None
    rotation_deg: float | None = None
    x_min_px: float | None = None
    y_min_px: float | None = None
    x_max_px: float | None = None
    y_max_px: float | None = None
    is_outside: bool = False
    is_occluded: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    made_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPull:
    """What stood in a job, with the job as it was in that moment.

    Attributes:
        content: CVAT's document of the job, and the frames of it that people took out (`deleted_frames`), as JSON can hold them.
        same: what of that says whether anything changed, without numbers that the server gives anew.
        annotations: the document in rows.
    """

    stage: str
    state: str
    assignee: str | None
    remote_updated_utc: str | None
    server_version: str
    content: Mapping[str, Any]
    same: Any
    pulled_by: str
    annotations: Sequence[NewAnnotation]


def note_deleted_frames(connection: Connection, task_id: int, deleted: Sequence[int]) -> None:
    """Note which frames people took out of a task, and which they put back."""
    connection.execute(
        "UPDATE cvat_frames SET is_deleted = frame IN (SELECT value FROM json_each(?1)) "
        "WHERE task_id = ?2 AND is_deleted <> (frame IN (SELECT value FROM json_each(?1)))",
        (json.dumps(sorted(deleted)), task_id),
    )


def put_jobs(connection: Connection, task_id: int, rows: Sequence[NewJob]) -> dict[int, int]:
    """Note the jobs of a task as they are now; those that are no longer there are marked. Returns the server's number -> our id.

    Why a job could not be taken is over as soon as it was changed there: it was not read since.
    """
    now = utc_now()
    connection.executemany(
        "INSERT INTO cvat_jobs (task_id, remote_id, kind, first_frame, last_frame, stage, state, assignee, remote_updated_utc, looked_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id, remote_id) DO UPDATE SET kind = excluded.kind, "
        "first_frame = excluded.first_frame, last_frame = excluded.last_frame, stage = excluded.stage, state = excluded.state, "
        "trouble = CASE WHEN remote_updated_utc IS excluded.remote_updated_utc THEN trouble ELSE '' END, "
        "assignee = excluded.assignee, remote_updated_utc = excluded.remote_updated_utc, looked_utc = excluded.looked_utc, gone_utc = NULL",
        [
            (
                task_id,
                one.remote_id,
                one.kind,
                one.first_frame,
                one.last_frame,
                one.stage,
                one.state,
                one.assignee,
                one.remote_updated_utc,
                now,
            )
            for one in rows
        ],
    )
    connection.execute(
        "UPDATE cvat_jobs SET gone_utc = ? WHERE task_id = ? AND gone_utc IS NULL AND remote_id NOT IN (SELECT value FROM json_each(?))",
        (now, task_id, json.dumps([one.remote_id for one in rows])),
    )
    return {row[0]: row[1] for row in connection.execute("SELECT remote_id, id FROM cvat_jobs WHERE task_id = ?", (task_id,))}


def note_job_trouble(connection: Connection, job_id: int, words: str) -> None:
    """Note why what stands in a job cannot be taken; empty: it can."""
    connection.execute("UPDATE cvat_jobs SET trouble = ? WHERE id = ? AND trouble <> ?", (words, job_id, words))


def record_pull(connection: Connection, job_id: int, pull: NewPull) -> int | None:
    """Write down what stands in a job as a new version, which is the current one from now on.

    Returns:
        Its id; None if the version before is the same, of which then is noted when its job was changed, and that it is completed.

    Raises:
        StoreRefusedError: an annotation lies on a frame that the task does not have; the transaction must not be kept.
    """
    digest = hashlib.sha256(_text(pull.same)).hexdigest()
    now = utc_now()
    completed_utc = now if pull.state == "completed" else None
    before = connection.execute("SELECT id, content_sha256 FROM cvat_pulls WHERE job_id = ? AND is_current = 1", (job_id,)).fetchone()
    if before is not None and before["content_sha256"] == digest:
        connection.execute(
            "UPDATE cvat_pulls SET completed_utc = coalesce(completed_utc, ?), remote_updated_utc = ? WHERE id = ?",
            (completed_utc, pull.remote_updated_utc, before["id"]),
        )
        return None
    connection.execute("UPDATE cvat_pulls SET is_current = 0 WHERE job_id = ? AND is_current = 1", (job_id,))
    row = connection.execute(
        "INSERT INTO cvat_pulls (uuid, job_id, is_current, stage, state, assignee, remote_updated_utc, server_version, content_sha256, "
        "content, pulled_by, pulled_utc, completed_utc) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            uuid7(),
            job_id,
            pull.stage,
            pull.state,
            pull.assignee,
            pull.remote_updated_utc,
            pull.server_version,
            digest,
            zlib.compress(_text(pull.content)),
            pull.pulled_by,
            now,
            completed_utc,
        ),
    ).fetchone()
    pull_id = int(row[0])
    _put_annotations(connection, job_id, pull_id, pull.annotations)
    number, uuid = connection.execute(
        "SELECT j.remote_id, t.uuid FROM cvat_jobs AS j JOIN cvat_tasks AS t ON t.id = j.task_id WHERE j.id = ?", (job_id,)
    ).fetchone()
    about = {"cvat_job": number, "state": pull.state, "version": pull_id, "before": None if before is None else before["id"]}
    audit.append(connection, pull.pulled_by, "cvat_pull", f"cvat_task/{uuid}", about)
    return pull_id


def _put_annotations(connection: Connection, job_id: int, pull_id: int, rows: Sequence[NewAnnotation]) -> None:
    cursor = connection.executemany(
        "INSERT INTO cvat_annotations (uuid, pull_id, frame, image_id, object_key, verdict, proposal_id, track, shape, label, points_json, "
        "rotation_deg, x_min_px, y_min_px, x_max_px, y_max_px, is_outside, is_occluded, attributes_json, made_by) "
        "SELECT ?1, ?2, f.frame, f.image_id, f.object_key, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17 "
        "FROM cvat_jobs AS j JOIN cvat_frames AS f ON f.task_id = j.task_id WHERE j.id = ?18 AND f.frame = ?19",
        [
            (
                uuid7(),
                pull_id,
                one.verdict,
                one.proposal_id,
                one.track,
                one.shape,
                one.label,
                None if one.points is None else json.dumps(list(one.points)),
                one.rotation_deg,
                one.x_min_px,
                one.y_min_px,
                one.x_max_px,
                one.y_max_px,
                int(one.is_outside),
                int(one.is_occluded),
                json.dumps(dict(one.attributes), ensure_ascii=False),
                one.made_by,
                job_id,
                one.frame,
            )
            for one in rows
        ],
    )
    if rows and cursor.rowcount != len(rows):
        raise StoreRefusedError(f"{len(rows) - cursor.rowcount} annotations of a job in CVAT lie on frames that its task does not have")


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
