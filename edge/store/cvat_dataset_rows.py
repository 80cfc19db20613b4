"""What of people's work in CVAT may teach, for a training set: completed jobs of stills and of clips. None that is counted blind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.store.blindness import image_is_blind
from edge.store.reads.cvat_results import COMPLETED, NOT_BLIND
from edge.store.reads.typed import as_value, as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedFile:
    """A still or clip that people corrected.

    Attributes:
        station_uuid: None where it is attached to no tow: then its folder stands for the station.
        at_s: seconds on the tow's clock, where known.
    """

    image_id: int
    uuid: str
    sha256: str
    name: str
    format: str
    width_px: int
    height_px: int
    folder: str
    capture_time_utc: str | None
    at_s: float | None
    survey: str | None
    station_uuid: str | None
    station: str | None
    tow_id: int | None
    tow_uuid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipJob:
    """A completed job of a clip. `frames`: how many the clip has in CVAT."""

    task_id: int
    task_uuid: str
    remote_task_id: int | None
    remote_job_id: int
    stage: str
    state: str
    assignee: str | None
    pull_id: int
    pull_uuid: str
    pulled_utc: str
    image_id: int
    frames: int
    first_frame: int
    last_frame: int
    model: str | None
    model_version: str | None


class Keyframe(NamedTuple):
    """A keyframe of a track, or a shape that is none (`track` None).

    `is_own`: CVAT may have made it itself, where jobs meet: it did not go out, and nothing says that a person put it there.
    """

    uuid: str
    frame: int
    track: int | None
    shape: str
    label: str
    verdict: str
    is_outside: bool
    x_min_px: float | None
    y_min_px: float | None
    x_max_px: float | None
    y_max_px: float | None
    is_own: bool = False


_FILE = f"""
    SELECT i.id AS image_id, i.uuid, i.sha256, coalesce(s.name, i.sha256) AS name, coalesce(i.format, '') AS format, i.width_px,
           i.height_px, coalesce(d.path || '/' || f.relative_path, '') AS folder, i.capture_time_utc, a.at_s, v.name AS survey,
           e.uuid AS station_uuid, e.name AS station, t.id AS tow_id, t.uuid AS tow_uuid
    FROM images AS i
    LEFT JOIN sightings AS s ON s.id = (SELECT n.id FROM sightings AS n WHERE n.image_id = i.id ORDER BY n.original = 'present' DESC, n.id
                                        DESC LIMIT 1)
    LEFT JOIN folders AS f ON f.id = s.folder_id LEFT JOIN roots AS d ON d.id = f.root_id
    LEFT JOIN tow_images AS a ON a.image_id = i.id LEFT JOIN tows AS t ON t.id = a.tow_id LEFT JOIN stations AS e ON e.id = t.station_id
    LEFT JOIN surveys AS v ON v.id = e.survey_id
    WHERE i.id = ?1 AND i.width_px IS NOT NULL AND NOT {image_is_blind("i.id")} AND (?2 IS NULL OR v.name = ?2)
"""
_CLIP_JOBS = f"""
    SELECT t.id AS task_id, t.uuid AS task_uuid, t.remote_id AS remote_task_id, j.remote_id AS remote_job_id, j.stage, j.state, j.assignee,
           q.id AS pull_id, q.uuid AS pull_uuid, q.pulled_utc, f.image_id, t.frames, j.first_frame, j.last_frame, m.name AS model,
           m.version AS model_version
    FROM cvat_tasks AS t JOIN cvat_jobs AS j ON j.task_id = t.id JOIN cvat_pulls AS q ON q.job_id = j.id
    JOIN cvat_frames AS f ON f.task_id = t.id AND f.frame = j.first_frame
    LEFT JOIN models AS m ON m.id = t.model_id
    WHERE t.media = 'clip' AND t.recipe = ? AND f.image_id IS NOT NULL AND {COMPLETED} AND {NOT_BLIND}
    ORDER BY t.id, j.first_frame, j.remote_id
"""


def corrected_file(connection: Connection, image_id: int, *, survey: str | None) -> CorrectedFile | None:
    """A still or clip; None where it is not of that survey, or counted blind."""
    row = connection.execute(_FILE, (image_id, survey)).fetchone()
    return None if row is None else as_value(CorrectedFile, row)


def task_models(connection: Connection) -> dict[int, str]:
    """Name and version of the model of each task that names one."""
    rows = connection.execute("SELECT t.id, m.name || ' ' || m.version FROM cvat_tasks AS t JOIN models AS m ON m.id = t.model_id")
    return {row[0]: row[1] for row in rows}


def known_taxa(connection: Connection) -> dict[str, int]:
    """The AphiaID of each label that a pack knows one of; of the newest pack that does."""
    rows = connection.execute("SELECT name, aphia_id FROM labels WHERE aphia_id IS NOT NULL ORDER BY id")
    return {row[0]: row[1] for row in rows}


def clip_jobs(connection: Connection, *, recipe: str) -> tuple[ClipJob, ...]:
    """Completed jobs of clips, the oldest task first."""
    return as_values(ClipJob, connection.execute(_CLIP_JOBS, (recipe,)))


def keyframes_of(connection: Connection, pull_id: int) -> tuple[Keyframe, ...]:
    """What stands in a version of a clip's job, by frame."""
    rows = connection.execute(
        "SELECT a.uuid, a.frame, a.track, a.shape, a.label, a.verdict, a.is_outside, a.x_min_px, a.y_min_px, a.x_max_px, a.y_max_px, "
        "o.keyframes_json IS NOT NULL AND NOT EXISTS (SELECT 1 FROM json_each(o.keyframes_json) AS k WHERE k.key = CAST(a.frame AS TEXT)) "
        "AND (a.verdict = 'kept' OR a.frame = j.first_frame) FROM cvat_annotations AS a JOIN cvat_pulls AS q ON q.id = a.pull_id "
        "JOIN cvat_jobs AS j ON j.id = q.job_id LEFT JOIN cvat_proposals AS o ON o.id = a.proposal_id "
        "WHERE a.pull_id = ? AND a.shape IS NOT NULL ORDER BY a.frame, a.id",
        (pull_id,),
    )
    return tuple(Keyframe._make([*row[:6], bool(row[6]), *row[7:11], bool(row[11])]) for row in rows)


def deleted_frames(connection: Connection, task_id: int) -> frozenset[int]:
    """Frames that people took out of a task."""
    return frozenset(row[0] for row in connection.execute("SELECT frame FROM cvat_frames WHERE task_id = ? AND is_deleted = 1", (task_id,)))


_LEFT_ALONE = f"""
    SELECT CASE WHEN NOT {NOT_BLIND} THEN 'of tasks in CVAT whose station is counted blind, whole or in minutes'
                WHEN t.media = 'vignettes' THEN 'of tasks in CVAT whose pictures are vignettes with tags: they have no boxes'
                WHEN j.trouble <> '' THEN 'of jobs in CVAT that could not be read'
                WHEN j.state = 'rejected' THEN 'of jobs in CVAT that were rejected'
                ELSE 'of jobs in CVAT that are not completed, or were not brought in since' END AS words, count(*)
    FROM cvat_jobs AS j JOIN cvat_tasks AS t ON t.id = j.task_id LEFT JOIN cvat_pulls AS q ON q.job_id = j.id AND q.is_current = 1
    JOIN cvat_frames AS f ON f.task_id = t.id AND f.frame BETWEEN j.first_frame AND j.last_frame AND f.is_deleted = 0
    LEFT JOIN tows AS w ON w.id = t.tow_id LEFT JOIN stations AS e ON e.id = w.station_id LEFT JOIN surveys AS v ON v.id = e.survey_id
    WHERE j.gone_utc IS NULL AND j.kind = 'annotation' AND t.cancelled_utc IS NULL AND t.recipe = ?1
      AND (?2 IS NULL OR v.name = ?2) AND (t.media = 'vignettes' OR q.id IS NULL OR NOT ({COMPLETED}) OR NOT {NOT_BLIND})
    GROUP BY words ORDER BY words
"""


def left_alone(connection: Connection, *, recipe: str, survey: str | None) -> dict[str, int]:
    """Why pictures of tasks in CVAT teach nothing, each with how many."""
    return {row[0]: row[1] for row in connection.execute(_LEFT_ALONE, (recipe, survey))}
