"""Tasks in CVAT, their jobs, what went out and what came back.

What of these rows tells what a model found (how many proposals there are, what became of them) must not be shown while `is_blind`:
a tow of the task is counted blind, a file of it waits for a station, or minutes of a review were drawn and not counted yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from edge.store.blindness import HIDDEN_TOWS, image_is_hidden
from edge.store.reads.cvat_agreement import Agreement, AgreementRow, agreement
from edge.store.reads.cvat_conflicts import ConflictRow, ConflictSide, conflicts
from edge.store.sqlite import Connection, Row

__all__ = [
    "Agreement",
    "AgreementRow",
    "AnnotationRow",
    "ConflictRow",
    "ConflictSide",
    "FrameRow",
    "JobRow",
    "ProposalRow",
    "PullRow",
    "TaskRow",
    "agreement",
    "annotations_of",
    "conflicts",
    "current_pulls",
    "find_tasks",
    "frames_of",
    "jobs_of",
    "proposal_boxes",
    "proposals_of",
    "task_by_id",
    "task_by_uuid",
    "tasks",
    "trouble_told",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task; see `cvat_tasks` in docs/schema.md.

    Attributes:
        labels: as they were planned. upload: what the upload goes on from; None while there is nothing to go on from.
        model, model_version: of the pack whose results go along or are compared; None where there is none.
        survey, station, station_uuid, tow: names and number; of a task of a station.
        scan, project: of a task of a scan.
        is_blind: nothing may be shown of what a model found; also while drawn minutes of a review are not counted yet.
        jobs, completed, rejected: how many jobs of people's own work there are now, and how many of them are in these states.
        pulled_utc: when its jobs were looked at last; None: never.
        job_trouble: why what stands in a job of it cannot be taken, as it may be told; empty: all can.
    """

    id: int
    uuid: str
    server_url: str
    source: str
    media: str
    title: str
    tow_id: int | None
    scan_id: int | None
    recipe: str
    model_id: int | None
    model: str | None
    model_version: str | None
    with_model: bool
    withheld: str
    labels: tuple[Mapping[str, Any], ...]
    job_size: int
    frames: int
    step: str
    sent_frames: int
    upload: Mapping[str, Any] | None
    remote_id: int | None
    trouble: str
    trouble_code: str
    attempts: int
    next_try_utc: str | None
    asked_by: str
    asked_utc: str
    sent_utc: str | None
    cancelled_utc: str | None
    gone_utc: str | None
    survey: str | None
    station: str | None
    station_uuid: str | None
    tow: int | None
    scan: str | None
    project: str | None
    is_blind: bool
    jobs: int
    completed: int
    rejected: int
    pulled_utc: str | None
    job_trouble: str


WHY_IS_HIDDEN = "it cannot be taken; why is told when its station is no longer counted blind"


def trouble_told(trouble: str, *, is_blind: bool) -> str:
    """Why a job cannot be taken, as it may be told: of a blind task that it cannot, and not what stands in it; empty where it can."""
    return WHY_IS_HIDDEN if trouble and is_blind else trouble


class FrameRow(NamedTuple):
    """A frame of a task. `is_deleted`: people took it out of the task."""

    frame: int
    name: str
    image_id: int | None
    image_uuid: str | None
    object_key: str | None
    width_px: int
    height_px: int
    is_deleted: bool


class ProposalRow(NamedTuple):
    """What went along; `keyframes` of a track: frame -> digest."""

    id: int
    uuid: str
    frame: int
    label: str
    digest: str
    keyframes: Mapping[int, str] | None
    run_id: int | None
    ordinal: int | None
    opening_uuid: str | None
    object_key: str | None


class JobRow(NamedTuple):
    """A job as it was when it was looked at last.

    Attributes:
        trouble: why what stands in it cannot be taken; empty: it can. What is told of it is `trouble_told`.
        pull_id, pulled_utc: its current version; None: nothing was brought in of it yet.
        versions: how many versions there are; not told of a blind task.
    """

    id: int
    remote_id: int
    kind: str
    first_frame: int
    last_frame: int
    stage: str
    state: str
    assignee: str | None
    remote_updated_utc: str | None
    looked_utc: str
    trouble: str
    gone_utc: str | None
    pull_id: int | None
    pulled_utc: str | None
    versions: int


class PullRow(NamedTuple):
    """A version of what stands in a job. `completed_utc`: when it was first seen with its job completed."""

    id: int
    uuid: str
    job_id: int
    remote_job_id: int
    task_id: int
    stage: str
    state: str
    assignee: str | None
    server_version: str
    pulled_by: str
    pulled_utc: str
    completed_utc: str | None
    remote_updated_utc: str | None


class AnnotationRow(NamedTuple):
    """A shape, a keyframe or a tag of a version, or a proposal that did not come back; see `cvat_annotations` in docs/schema.md."""

    id: int
    uuid: str
    pull_id: int
    frame: int
    image_id: int | None
    object_key: str | None
    verdict: str
    proposal_id: int | None
    track: int | None
    shape: str | None
    label: str
    points: tuple[float, ...] | None
    rotation_deg: float | None
    x_min_px: float | None
    y_min_px: float | None
    x_max_px: float | None
    y_max_px: float | None
    is_outside: bool
    is_occluded: bool
    attributes: Mapping[str, str]
    made_by: str


_OWN = "SELECT 1 FROM cvat_jobs AS j WHERE j.task_id = t.id AND j.gone_utc IS NULL AND j.kind = 'annotation'"
TASK_IS_BLIND = f"""(t.tow_id IN ({HIDDEN_TOWS}) OR EXISTS (SELECT 1 FROM
    (SELECT DISTINCT f.image_id FROM cvat_frames AS f WHERE f.task_id = t.id AND f.image_id IS NOT NULL) AS held
    WHERE {image_is_hidden("held.image_id")}))"""
_TASK = f"""
    SELECT t.id, t.uuid, t.server_url, t.source, t.media, t.title, t.tow_id, t.scan_id, t.recipe, t.model_id, m.name AS model,
           m.version AS model_version, t.with_model, t.withheld, t.labels_json AS labels, t.job_size, t.frames, t.step, t.sent_frames,
           t.upload_json AS upload, t.remote_id, t.trouble, t.trouble_code, t.attempts, t.next_try_utc, t.asked_by, t.asked_utc, t.sent_utc,
           t.cancelled_utc, t.gone_utc, v.name AS survey, e.name AS station, e.uuid AS station_uuid, w.ordinal AS tow, s.name AS scan,
           p.name AS project, coalesce({TASK_IS_BLIND}, 0) AS is_blind,
           (SELECT count(*) FROM ({_OWN})) AS jobs, (SELECT count(*) FROM ({_OWN} AND j.state = 'completed')) AS completed,
           (SELECT count(*) FROM ({_OWN} AND j.state = 'rejected')) AS rejected,
           (SELECT max(j.looked_utc) FROM cvat_jobs AS j WHERE j.task_id = t.id) AS pulled_utc,
           coalesce((SELECT j.trouble FROM cvat_jobs AS j WHERE j.task_id = t.id AND j.gone_utc IS NULL AND j.trouble <> ''
                     ORDER BY j.remote_id LIMIT 1), '') AS job_trouble
    FROM cvat_tasks AS t LEFT JOIN models AS m ON m.id = t.model_id
    LEFT JOIN tows AS w ON w.id = t.tow_id LEFT JOIN stations AS e ON e.id = w.station_id LEFT JOIN surveys AS v ON v.id = e.survey_id
    LEFT JOIN zooscan_scans AS s ON s.id = t.scan_id LEFT JOIN zooscan_projects AS p ON p.id = s.project_id
"""


def tasks(connection: Connection, *, only_open: bool = False, tow_id: int | None = None, scan_id: int | None = None) -> tuple[TaskRow, ...]:
    """Tasks, newest first.

    Args:
        connection: a reader.
        only_open: without those that were cancelled, or that the server no longer has.
        tow_id, scan_id: only of this tow or scan.
    """
    rows = connection.execute(
        f"{_TASK} WHERE (NOT ?1 OR t.cancelled_utc IS NULL AND t.gone_utc IS NULL) AND (?2 IS NULL OR t.tow_id = ?2) "
        "AND (?3 IS NULL OR t.scan_id = ?3) ORDER BY t.id DESC",
        (only_open, tow_id, scan_id),
    )
    return tuple(_task(row) for row in rows)


def task_by_id(connection: Connection, task_id: int) -> TaskRow | None:
    """A task, or None."""
    row = connection.execute(f"{_TASK} WHERE t.id = ?", (task_id,)).fetchone()
    return None if row is None else _task(row)


def task_by_uuid(connection: Connection, uuid: str) -> TaskRow | None:
    """A task, or None."""
    row = connection.execute(f"{_TASK} WHERE t.uuid = ?", (uuid,)).fetchone()
    return None if row is None else _task(row)


def find_tasks(connection: Connection, named: str) -> tuple[TaskRow, ...]:
    """The tasks that somebody may mean, newest first: by uuid or its beginning (6 and more), CVAT's number, title or station."""
    rows = connection.execute(
        f"{_TASK} WHERE t.uuid = :named OR (length(:named) >= 6 AND substr(t.uuid, 1, length(:named)) = :named) "
        "OR CAST(t.remote_id AS TEXT) = :named OR t.title = :named OR e.name = :named ORDER BY t.id DESC",
        {"named": named},
    )
    return tuple(_task(row) for row in rows)


def frames_of(connection: Connection, task_id: int) -> tuple[FrameRow, ...]:
    """The frames of a task, in their order."""
    rows = connection.execute(
        "SELECT f.frame, f.name, f.image_id, i.uuid, f.object_key, f.width_px, f.height_px, f.is_deleted FROM cvat_frames AS f "
        "LEFT JOIN images AS i ON i.id = f.image_id WHERE f.task_id = ? ORDER BY f.frame",
        (task_id,),
    )
    return tuple(FrameRow._make([*row[:7], bool(row[7])]) for row in rows)


def proposals_of(connection: Connection, task_id: int) -> tuple[ProposalRow, ...]:
    """What went along with a task, by frame; for whoever sends and brings in, never for a page of a blind station."""
    rows = connection.execute(
        "SELECT id, uuid, frame, label, digest, keyframes_json, run_id, ordinal, opening_uuid, object_key FROM cvat_proposals "
        "WHERE task_id = ? ORDER BY frame, id",
        (task_id,),
    )
    return tuple(ProposalRow._make([*row[:5], _keyframes(row[5]), *row[6:]]) for row in rows)


def proposal_boxes(connection: Connection, task_id: int) -> dict[str, tuple[float, float, float, float]]:
    """Where the model saw what went along, by uuid, in pixels, half open; of objects of stills that are not sealed now."""
    rows = connection.execute(
        "SELECT p.uuid, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px FROM cvat_proposals AS p "
        "JOIN objects AS o ON o.run_id = p.run_id AND o.ordinal = p.ordinal WHERE p.task_id = ?",
        (task_id,),
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def jobs_of(connection: Connection, task_id: int) -> tuple[JobRow, ...]:
    """The jobs of a task, by their first frame; those that are gone too."""
    rows = connection.execute(
        "SELECT j.id, j.remote_id, j.kind, j.first_frame, j.last_frame, j.stage, j.state, j.assignee, j.remote_updated_utc, j.looked_utc, "
        "j.trouble, j.gone_utc, p.id, p.pulled_utc, (SELECT count(*) FROM cvat_pulls AS n WHERE n.job_id = j.id) "
        "FROM cvat_jobs AS j LEFT JOIN cvat_pulls AS p ON p.job_id = j.id AND p.is_current = 1 "
        "WHERE j.task_id = ? ORDER BY j.first_frame, j.remote_id",
        (task_id,),
    )
    return tuple(JobRow._make(row) for row in rows)


def current_pulls(connection: Connection, task_id: int) -> tuple[PullRow, ...]:
    """The current version of each job of a task; those of jobs that are gone too."""
    rows = connection.execute(
        "SELECT p.id, p.uuid, p.job_id, j.remote_id, j.task_id, p.stage, p.state, p.assignee, p.server_version, p.pulled_by, p.pulled_utc, "
        "p.completed_utc, p.remote_updated_utc FROM cvat_pulls AS p JOIN cvat_jobs AS j ON j.id = p.job_id "
        "WHERE j.task_id = ? AND p.is_current = 1 ORDER BY j.first_frame, j.remote_id",
        (task_id,),
    )
    return tuple(PullRow._make(row) for row in rows)


def annotations_of(connection: Connection, pull_id: int) -> tuple[AnnotationRow, ...]:
    """What a version holds, by frame."""
    rows = connection.execute(
        "SELECT id, uuid, pull_id, frame, image_id, object_key, verdict, proposal_id, track, shape, label, points_json, rotation_deg, "
        "x_min_px, y_min_px, x_max_px, y_max_px, is_outside, is_occluded, attributes_json, made_by FROM cvat_annotations "
        "WHERE pull_id = ? ORDER BY frame, id",
        (pull_id,),
    )
    return tuple(
        AnnotationRow._make(
            [
                *row[:11],
                None if row[11] is None else tuple(json.loads(row[11])),
                *row[12:17],
                bool(row[17]),
                bool(row[18]),
                json.loads(row[19]),
                row[20],
            ]
        )
        for row in rows
    )


def _task(row: Row) -> TaskRow:
    values = dict(zip(row.keys(), row, strict=True))
    values["labels"] = tuple(json.loads(values["labels"]))
    values["job_trouble"] = trouble_told(values["job_trouble"], is_blind=bool(values["is_blind"]))
    values["upload"] = None if values["upload"] is None else json.loads(values["upload"])
    return TaskRow(**values | {name: bool(values[name]) for name in ("with_model", "is_blind")})


def _keyframes(text: str | None) -> Mapping[int, str] | None:
    return None if text is None else {int(frame): digest for frame, digest in json.loads(text).items()}
