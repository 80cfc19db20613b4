"""What people decided in CVAT about stills and vignettes, frame by frame: of jobs that are completed, and of nothing that is blind.

A frame of a completed job on which nothing stands was looked at and holds nothing; it is in these rows like every other. A task that was
cancelled here says nothing any more; one that was deleted in CVAT after it was brought in still does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from edge.store.blindness import HIDDEN_TOWS, image_is_hidden
from edge.store.reads.box_matching import LabelledBox
from edge.store.sqlite import Connection

BOXED = ("rectangle", "polygon", "ellipse", "mask", "cuboid", "skeleton")  # shapes that stand for an object; lines and points do not

# Of q, its job j and its task t: what people said is at its end, and nothing was changed there since it was brought in. A job that went
# on to validation was completed before.
_STANDS = "q.is_current = 1 AND j.gone_utc IS NULL AND j.kind = 'annotation' AND j.trouble = '' AND t.cancelled_utc IS NULL"
_AT_ITS_END = "j.state = 'completed' AND q.completed_utc IS NOT NULL AND q.remote_updated_utc IS j.remote_updated_utc"
DECIDED = f"{_STANDS} AND ({_AT_ITS_END} OR j.stage <> 'annotation' AND j.state <> 'rejected')"
COMPLETED = f"{_STANDS} AND {_AT_ITS_END}"
NOT_BLIND = f"(NOT coalesce(t.tow_id IN ({HIDDEN_TOWS}), 0) AND NOT (f.image_id IS NOT NULL AND {image_is_hidden('f.image_id')}))"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonBox:
    """An object as it stands in a job; `uuid` is that of its annotation."""

    uuid: str
    box: LabelledBox
    shape: str
    verdict: str
    proposal_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameResult:
    """What stands on a frame of a job.

    Attributes:
        boxes: objects with an extent; of other shapes than rectangles what they cover.
        tags: labels of the whole frame.
        other: shapes that are neither, such as points and lines.
        assignee: the account that the job was given to.
    """

    task_id: int
    task_uuid: str
    remote_task_id: int | None
    title: str
    recipe: str
    source: str
    scan_id: int | None
    job_id: int
    remote_job_id: int
    stage: str
    state: str
    assignee: str | None
    pulled_utc: str
    pull_uuid: str
    frame: int
    name: str
    image_id: int | None
    object_key: str | None
    boxes: tuple[PersonBox, ...]
    tags: tuple[str, ...]
    other: int

    @property
    def labelled(self) -> list[LabelledBox]:
        """Its boxes as they are matched."""
        return [one.box for one in self.boxes]


_FRAMES = f"""
    SELECT t.id AS task_id, t.uuid AS task_uuid, t.remote_id AS remote_task_id, t.title, t.recipe, t.source, t.scan_id, j.id AS job_id,
           j.remote_id AS remote_job_id, j.stage, j.state, j.assignee, q.pulled_utc, q.uuid AS pull_uuid, f.frame, f.name, f.image_id,
           f.object_key, a.uuid, a.verdict, a.proposal_id, a.shape, a.label, a.x_min_px, a.y_min_px, a.x_max_px, a.y_max_px
    FROM cvat_tasks AS t
    CROSS JOIN cvat_jobs AS j ON j.task_id = t.id
    CROSS JOIN cvat_pulls AS q ON q.job_id = j.id
    CROSS JOIN cvat_frames AS f ON f.task_id = t.id AND f.frame BETWEEN j.first_frame AND j.last_frame AND f.is_deleted = 0
    LEFT JOIN cvat_annotations AS a ON a.pull_id = q.id AND a.frame = f.frame AND a.shape IS NOT NULL AND a.is_outside = 0
    WHERE t.media <> 'clip' AND {{which}} AND {NOT_BLIND} AND (:task IS NULL OR t.id = :task) AND (:recipe IS NULL OR t.recipe = :recipe)
      AND (:images IS NULL OR f.image_id IN (SELECT value FROM json_each(:images)))
    ORDER BY t.id, j.first_frame, j.remote_id, f.frame, a.id
"""
_OF_FRAME = tuple(FrameResult.__dataclass_fields__)[:18]


def decided_frames(
    connection: Connection,
    *,
    task_id: int | None = None,
    recipe: str | None = None,
    image_ids: Collection[int] | None = None,
    only_completed: bool = False,
) -> Iterator[FrameResult]:
    """Every frame of every job that is decided, but those that people took out; by task and frame.

    Args:
        connection: a reader.
        task_id, recipe, image_ids: only of these.
        only_completed: without jobs whose validation goes on.
    """
    asked = {"task": task_id, "recipe": recipe, "images": None if image_ids is None else json.dumps(sorted(image_ids))}
    rows = connection.execute(_FRAMES.format(which=COMPLETED if only_completed else DECIDED), asked)
    for _, group in groupby(rows, key=lambda row: (row["job_id"], row["frame"])):
        yield _frame(list(group))


def _frame(rows: Sequence[Any]) -> FrameResult:
    there = [row for row in rows if row["uuid"] is not None]
    boxes = tuple(
        PersonBox(
            uuid=row["uuid"],
            box=LabelledBox(row["label"], row["x_min_px"], row["y_min_px"], row["x_max_px"], row["y_max_px"]),
            shape=row["shape"],
            verdict=row["verdict"],
            proposal_id=row["proposal_id"],
        )
        for row in there
        if row["shape"] in BOXED and row["x_min_px"] is not None
    )
    tags = tuple(sorted(row["label"] for row in there if row["shape"] == "tag"))
    first = rows[0]
    return FrameResult(**{name: first[name] for name in _OF_FRAME}, boxes=boxes, tags=tags, other=len(there) - len(boxes) - len(tags))


def model_boxes(connection: Connection, image_ids: Collection[int], recipe: str, model_id: int | None) -> dict[int, list[LabelledBox]]:
    """What a model found on images, by image: of its newest result of each that may be seen; of the current one where no model is named.

    An image without such a result is not in it: that is not the same as one with nothing on it.
    """
    # The + keeps SQLite from going through all runs of the model instead of those of the image.
    rows = connection.execute(
        "SELECT w.value, o.id, l.name, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px, o.score FROM json_each(:images) AS w "
        "CROSS JOIN runs AS r ON r.id = coalesce("
        "(SELECT max(n.id) FROM runs AS n WHERE n.image_id = w.value AND n.recipe = :recipe AND +n.model_id = :model), "
        "(SELECT n.id FROM runs AS n WHERE :model IS NULL AND n.image_id = w.value AND n.recipe = :recipe AND n.is_current = 1)) "
        "LEFT JOIN objects AS o ON o.run_id = r.id AND o.score >= r.score_threshold LEFT JOIN labels AS l ON l.id = o.label_id "
        "WHERE r.object_count IS NOT NULL ORDER BY w.value, o.ordinal",
        {"images": json.dumps(sorted(image_ids)), "recipe": recipe, "model": model_id},
    )
    found: dict[int, list[LabelledBox]] = {}
    for image_id, object_id, *box in rows:
        boxes = found.setdefault(image_id, [])
        if object_id is not None:
            boxes.append(LabelledBox(*box))
    return found
