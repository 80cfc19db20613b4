"""How far a model and the people who corrected it in CVAT agree, per task and per station; nothing of what is counted blind.

Two answers that do not replace each other: what became of what went along (kept, moved, relabelled, removed, added), and the model's
objects against people's boxes, which can also be told of a task that went out without them.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from edge.store.blindness import HIDDEN_TOWS, image_is_hidden
from edge.store.reads.box_matching import matched_boxes
from edge.store.reads.cvat_results import DECIDED, decided_frames, model_boxes
from edge.store.sqlite import Connection, Row

_BLIND = "what people count blind is not told before their signatures"
_CLIP = "a clip's boxes are not compared frame by frame; what became of its tracks is told"
_NO_RESULT = "no result of the model on these images may be seen, or there is none"
_TAGS = "its labels are tags of whole pictures: there are no boxes to compare"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Agreement over the completed jobs of a task, or of all tasks of a station.

    Attributes:
        task_uuid: None of a row of a station.
        jobs: jobs that it is about: completed ones, and those whose validation goes on.
        frames: their frames, without those that people took out.
        kept, moved, relabelled, removed, added: what became of what went along, and what people added; None where nothing went along.
        compared: images on which people's boxes were compared with the model's objects.
        matched: pairs of one label with an overlap (IoU) of 0.5 at least; only_model, only_person: what has no partner.
        precision, recall, f1: of the model, taking people's boxes as the truth; None where they cannot be told.
        mean_difference: of the model's number of objects less people's, per image; None where nothing was compared.
        words: why there are no figures; empty where there are.
    """

    task_uuid: str | None
    title: str
    survey: str | None
    station: str | None
    station_uuid: str | None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of each task that has completed jobs, newest first, and of each station."""

    tasks: tuple[AgreementRow, ...]
    stations: tuple[AgreementRow, ...]


@dataclass(slots=True)
class _Tally:
    """What was added up of a task or a station. `images`: image -> (the model's, people's, matched)."""

    jobs: int = 0
    frames: int = 0
    verdicts: Counter[str] | None = None
    images: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    words: str = ""


_DECIDED_TASKS = f"""
    SELECT t.id, t.uuid, t.title, t.media, t.recipe, t.with_model, t.model_id, t.labels_json, m.name AS model, m.version AS model_version,
           v.name AS survey, e.name AS station, e.uuid AS station_uuid, count(*) AS jobs,
           coalesce(t.tow_id IN ({HIDDEN_TOWS}), 0) OR EXISTS (SELECT 1 FROM
               (SELECT DISTINCT f.image_id FROM cvat_frames AS f WHERE f.task_id = t.id AND f.image_id IS NOT NULL) AS held
               WHERE {image_is_hidden("held.image_id")}) AS is_blind,
           (SELECT count(*) FROM cvat_frames AS f WHERE f.task_id = t.id AND f.is_deleted = 0 AND EXISTS (SELECT 1 FROM cvat_jobs AS j
                JOIN cvat_pulls AS q ON q.job_id = j.id WHERE j.task_id = t.id AND f.frame BETWEEN j.first_frame AND j.last_frame
                AND {DECIDED})) AS frames
    FROM cvat_pulls AS q JOIN cvat_jobs AS j ON j.id = q.job_id JOIN cvat_tasks AS t ON t.id = j.task_id
    LEFT JOIN models AS m ON m.id = t.model_id LEFT JOIN tows AS w ON w.id = t.tow_id LEFT JOIN stations AS e ON e.id = w.station_id
    LEFT JOIN surveys AS v ON v.id = e.survey_id
    WHERE {DECIDED} AND (:task IS NULL OR t.id = :task)
    GROUP BY t.id ORDER BY t.id DESC
"""
# Of a track each keyframe is a row, and a track goes through several jobs: it is one object, and what was done to it most counts.
_VERDICTS = f"""
    SELECT verdict, count(*) FROM (
        SELECT CASE WHEN max(a.verdict = 'relabelled') THEN 'relabelled' WHEN max(a.verdict = 'moved') THEN 'moved'
                    WHEN min(a.verdict = 'removed') THEN 'removed' WHEN max(a.verdict = 'removed') THEN 'moved'
                    ELSE max(a.verdict) END AS verdict
        FROM cvat_tasks AS t JOIN cvat_jobs AS j ON j.task_id = t.id JOIN cvat_pulls AS q ON q.job_id = j.id
        JOIN cvat_annotations AS a ON a.pull_id = q.id
        WHERE t.id = ? AND {DECIDED}
        GROUP BY coalesce('p' || a.proposal_id, 't' || a.pull_id || ' ' || a.track, 'a' || a.id))
    GROUP BY verdict
"""


def agreement(connection: Connection, *, task_id: int | None = None) -> Agreement:
    """Agreement of model and human as it stands now; of one task (and its station's part of it) if it is named."""
    tasks: list[AgreementRow] = []
    stations: dict[str, tuple[Row, _Tally]] = {}
    for row in connection.execute(_DECIDED_TASKS, {"task": task_id}).fetchall():
        tally = _of_task(connection, row)
        tasks.append(_as_row(row, tally, task_uuid=row["uuid"]))
        if row["station_uuid"] is not None:
            _, whole = stations.setdefault(row["station_uuid"], (row, _Tally()))
            _add(whole, tally)
    rows = [_as_row(row, tally, task_uuid=None) for row, tally in stations.values()]
    return Agreement(tasks=tuple(tasks), stations=tuple(sorted(rows, key=lambda one: (one.survey or "", one.station or ""))))


def _of_task(connection: Connection, row: Row) -> _Tally:
    tally = _Tally(jobs=row["jobs"], frames=row["frames"])
    if row["is_blind"]:
        tally.words = _BLIND
        return tally
    if row["with_model"]:
        tally.verdicts = Counter(dict(tuple(one) for one in connection.execute(_VERDICTS, (row["id"],))))
    if row["media"] == "clip":
        tally.words = _CLIP
    elif _has_tags_only(row["labels_json"]):
        tally.words = _TAGS
    else:
        tally.images = _compared(connection, row)
        tally.words = "" if tally.images else _NO_RESULT
    return tally


def _has_tags_only(labels_json: str) -> bool:
    labels: list[dict[str, Any]] = json.loads(labels_json)
    return bool(labels) and all((one.get("shape") or one.get("type")) == "tag" for one in labels)


def _compared(connection: Connection, row: Row) -> dict[int, tuple[int, int, int]]:
    frames = {one.image_id: one for one in decided_frames(connection, task_id=row["id"]) if one.image_id is not None}
    found = model_boxes(connection, frames, row["recipe"], row["model_id"])
    return {
        image_id: (len(boxes), len(frames[image_id].boxes), len(matched_boxes(boxes, frames[image_id].labelled)))
        for image_id, boxes in found.items()
    }


def _add(whole: _Tally, tally: _Tally) -> None:
    """Tasks come newest first: of an image that is in several the newest one says what people saw."""
    whole.jobs += tally.jobs
    whole.frames += tally.frames
    if tally.verdicts is not None:
        whole.verdicts = (whole.verdicts or Counter()) + tally.verdicts
    whole.images = tally.images | whole.images
    whole.words = "" if whole.images else whole.words or tally.words


def _as_row(row: Row, tally: _Tally, *, task_uuid: str | None) -> AgreementRow:
    found, people, matched = (sum(one[place] for one in tally.images.values()) for place in range(3))
    verdicts = dict.fromkeys(("kept", "moved", "relabelled", "removed", "added"), 0) | dict(tally.verdicts or {})
    precision, recall = _share(matched, found), _share(matched, people)
    return AgreementRow(
        task_uuid=task_uuid,
        title=row["title"] if task_uuid else row["station"],
        survey=row["survey"],
        station=row["station"],
        station_uuid=row["station_uuid"],
        model=row["model"],
        model_version=row["model_version"],
        jobs=tally.jobs,
        frames=tally.frames,
        **{name: None if tally.verdicts is None else count for name, count in verdicts.items()},
        compared=len(tally.images),
        matched=matched,
        only_model=found - matched,
        only_person=people - matched,
        precision=precision,
        recall=recall,
        f1=_share(2 * matched, found + people),
        mean_difference=(found - people) / len(tally.images) if tally.images else None,
        words=tally.words,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
