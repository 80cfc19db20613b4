"""What the pages of annotation show beside the rows of `edge.store.reads.cvat`: jobs by state, verdicts, versions.

Verdicts tell what a model found: whoever asks for them leaves out what is blind (`TaskRow.is_blind`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edge.store.sqlite import Connection

VERDICTS = ("kept", "moved", "relabelled", "added", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTally:
    """Jobs of a task that people work in, by state; `open_job` is CVAT's number of the first that is not completed."""

    all: int = 0
    done: int = 0
    begun: int = 0
    rejected: int = 0
    open_job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPull:
    """When something new was brought in of a task, and who asked for it."""

    pulled_utc: str
    pulled_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameVerdicts:
    """What became of what was proposed on a frame, and what was added. A track counts once, on the frame on which it begins."""

    frame: int
    name: str
    file_id: int | None
    verdicts: dict[str, int] = field(default_factory=dict)


class VersionRow(NamedTuple):
    """A version of a job, the current one or one before it."""

    id: int
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


class OpenTask(NamedTuple):
    """A task in hand, as the desk needs it: `is_stopped` waits for a person; `looked_utc` is when its jobs were looked at last."""

    id: int
    uuid: str
    step: str
    is_stopped: bool
    next_try_utc: str | None
    looked_utc: str | None


def open_tasks(connection: Connection, server_url: str) -> tuple[OpenTask, ...]:
    """Tasks of a server that were neither cancelled nor deleted there, the oldest first."""
    rows = connection.execute(
        "SELECT t.id, t.uuid, t.step, t.trouble <> '' AND t.next_try_utc IS NULL, t.next_try_utc, "
        "(SELECT max(j.looked_utc) FROM cvat_jobs AS j WHERE j.task_id = t.id) FROM cvat_tasks AS t "
        "WHERE t.server_url = ? AND t.cancelled_utc IS NULL AND t.gone_utc IS NULL ORDER BY t.id",
        (server_url,),
    )
    return tuple(OpenTask._make([*row[:3], bool(row[3]), *row[4:]]) for row in rows)


def task_id_of(connection: Connection, uuid: str) -> int | None:
    """The id of a task, or None."""
    row = connection.execute("SELECT id FROM cvat_tasks WHERE uuid = ?", (uuid,)).fetchone()
    return None if row is None else int(row[0])


def job_tallies(connection: Connection, task_ids: Sequence[int]) -> dict[int, JobTally]:
    """Jobs by state of each of these tasks that has any."""
    rows = connection.execute(
        "SELECT task_id, count(*), sum(state = 'completed'), sum(state = 'in progress'), sum(state = 'rejected'), "
        "(SELECT o.remote_id FROM cvat_jobs AS o WHERE o.task_id = j.task_id AND o.gone_utc IS NULL AND o.kind = 'annotation' "
        " AND o.state <> 'completed' ORDER BY o.first_frame, o.remote_id LIMIT 1) "
        "FROM cvat_jobs AS j WHERE task_id IN (SELECT value FROM json_each(?)) AND gone_utc IS NULL AND kind = 'annotation' "
        "GROUP BY task_id",
        (json.dumps(list(task_ids)),),
    )
    return {row[0]: JobTally(all=row[1], done=row[2], begun=row[3], rejected=row[4], open_job=row[5]) for row in rows}


def last_pulls(connection: Connection, task_ids: Sequence[int]) -> dict[int, LastPull]:
    """The newest version of each of these tasks that has any."""
    rows = connection.execute(
        "SELECT j.task_id, p.pulled_utc, p.pulled_by FROM cvat_pulls AS p JOIN cvat_jobs AS j ON j.id = p.job_id WHERE p.id IN "
        "(SELECT max(n.id) FROM cvat_pulls AS n JOIN cvat_jobs AS o ON o.id = n.job_id "
        " WHERE o.task_id IN (SELECT value FROM json_each(?)) GROUP BY o.task_id)",
        (json.dumps(list(task_ids)),),
    )
    return {row[0]: LastPull(pulled_utc=row[1], pulled_by=row[2]) for row in rows}


# Of a track each keyframe is a row: it is one object, counts on the frame on which it begins, and was moved where a part of it was
# removed; as `edge.store.reads.cvat_agreement` counts.
_EACH = """
    SELECT j.task_id, min(a.frame) AS frame,
           CASE WHEN max(a.verdict = 'relabelled') THEN 'relabelled' WHEN max(a.verdict = 'moved') THEN 'moved'
                WHEN min(a.verdict = 'removed') THEN 'removed' WHEN max(a.verdict = 'removed') THEN 'moved'
                ELSE max(a.verdict) END AS verdict
    FROM cvat_jobs AS j
    JOIN cvat_pulls AS p ON p.job_id = j.id AND p.is_current = 1 JOIN cvat_annotations AS a ON a.pull_id = p.id
    WHERE j.task_id IN (SELECT value FROM json_each(?)) AND j.gone_utc IS NULL AND j.kind = 'annotation'
    GROUP BY j.task_id, coalesce('p' || a.proposal_id, 't' || a.pull_id || ' ' || a.track, 'a' || a.id)
"""


def verdict_counts(connection: Connection, task_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """What became of the objects of each of these tasks, as it was brought in last; nothing of a task of which nothing was."""
    rows = connection.execute(f"SELECT task_id, verdict, count(*) FROM ({_EACH}) GROUP BY task_id, verdict", (json.dumps(list(task_ids)),))
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for task_id, verdict, count in rows:
        found[task_id][verdict] = count
    for (task_id,) in connection.execute(
        "SELECT DISTINCT j.task_id FROM cvat_jobs AS j JOIN cvat_pulls AS p ON p.job_id = j.id "
        "WHERE p.is_current = 1 AND j.gone_utc IS NULL AND j.kind = 'annotation' AND j.task_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(task_ids)),),
    ):
        found[task_id]  # brought in, and nothing stood there: a zero, not "nothing yet"
    return dict(found)


def frame_verdicts(connection: Connection, task_id: int) -> tuple[FrameVerdicts, ...]:
    """Each frame of a task on which something is or was, with what became of it."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for frame, verdict, count in connection.execute(
        f"SELECT frame, verdict, count(*) FROM ({_EACH}) GROUP BY frame, verdict", (json.dumps([task_id]),)
    ):
        counts[frame][verdict] = count
    rows = connection.execute(
        "SELECT f.frame, f.name, (SELECT max(s.id) FROM sightings AS s WHERE s.image_id = f.image_id) FROM cvat_frames AS f "
        "WHERE f.task_id = ?1 AND f.frame IN (SELECT value FROM json_each(?2)) ORDER BY f.frame",
        (task_id, json.dumps(sorted(counts))),
    )
    return tuple(FrameVerdicts(frame=row[0], name=row[1], file_id=row[2], verdicts=counts[row[0]]) for row in rows)


def versions_of(connection: Connection, task_id: int) -> tuple[VersionRow, ...]:
    """Every version of every job of a task, the newest first."""
    rows = connection.execute(
        "SELECT p.id, p.is_current, j.remote_id, p.stage, p.state, p.assignee, p.server_version, p.content_sha256, p.pulled_by, "
        "p.pulled_utc, p.completed_utc FROM cvat_pulls AS p JOIN cvat_jobs AS j ON j.id = p.job_id WHERE j.task_id = ? ORDER BY p.id DESC",
        (task_id,),
    )
    return tuple(VersionRow._make([row[0], bool(row[1]), *row[2:]]) for row in rows)


def stations_of_tows(connection: Connection, tow_ids: Sequence[int]) -> dict[int, int]:
    """The station of each of these tows."""
    rows = connection.execute("SELECT id, station_id FROM tows WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(tow_ids)),))
    return {row[0]: row[1] for row in rows}


class OfferedTow(NamedTuple):
    """A tow with files, to be chosen; `survey` is None for a draft."""

    id: int
    survey: str | None
    station: str
    ordinal: int


class OfferedScan(NamedTuple):
    """A scan with a result, to be chosen."""

    id: int
    uuid: str
    name: str


def offered_tows(connection: Connection) -> tuple[OfferedTow, ...]:
    """Tows that have files, by survey and station."""
    rows = connection.execute(
        "SELECT w.id, v.name, e.name, w.ordinal FROM tows AS w JOIN stations AS e ON e.id = w.station_id "
        "LEFT JOIN surveys AS v ON v.id = e.survey_id WHERE EXISTS (SELECT 1 FROM tow_images AS a WHERE a.tow_id = w.id) "
        "ORDER BY v.id DESC, e.name, w.ordinal"
    )
    return tuple(OfferedTow._make(row) for row in rows)


def offered_scans(connection: Connection, *, limit: int = 500) -> tuple[OfferedScan, ...]:
    """Scans with a result, the latest first."""
    rows = connection.execute(
        "SELECT s.id, s.uuid, p.name || '/' || s.name FROM zooscan_scans AS s JOIN zooscan_projects AS p ON p.id = s.project_id "
        "WHERE s.state = 'done' ORDER BY s.id DESC LIMIT ?",
        (limit,),
    )
    return tuple(OfferedScan._make(row) for row in rows)


def towed_stations(connection: Connection) -> tuple[OfferedTow, ...]:
    """Tows that tasks were made of, by survey and station."""
    rows = connection.execute(
        "SELECT w.id, v.name, e.name, w.ordinal FROM tows AS w JOIN stations AS e ON e.id = w.station_id "
        "LEFT JOIN surveys AS v ON v.id = e.survey_id WHERE w.id IN (SELECT tow_id FROM cvat_tasks) ORDER BY v.id DESC, e.name, w.ordinal"
    )
    return tuple(OfferedTow._make(row) for row in rows)
