"""Where what people made in CVAT disagrees: with each other, with the review here, or with itself. Each is listed with both sides.

Two people never draw the same box: they agree about an image if each object of the one has a partner of its label in the other, with an
overlap of one half. Nothing is decided here; what a disagreement keeps out of a training set is said with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple

from edge.store.reads.box_matching import LabelledBox, matched_boxes
from edge.store.reads.cvat_results import NOT_BLIND, FrameResult, decided_frames
from edge.store.reads.decisions import ReviewedImage, reviewed_images, reviewed_objects
from edge.store.sqlite import Connection, Row

ConflictKind = Literal["two_tasks", "two_jobs", "own_review", "rejected", "changed_after_completed"]
_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSide:
    """One side. `words` says what it holds; `where` names the job or the review; `by` and `utc` say who and when."""

    where: str
    words: str
    by: str | None
    utc: str | None
    task_uuid: str | None
    remote_task_id: int | None
    remote_job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """A disagreement.

    Attributes:
        task_uuid: of the task that it is listed under: the newer one of two.
        image_uuid, name: of the image that it is about; None and the name of the job where it is about a job.
        first_frame, last_frame: frames of that task that it is about.
        words: what it is, in a sentence.
        keeps_out: what it keeps out of a training set, in words; empty: nothing.
    """

    kind: ConflictKind
    task_uuid: str
    title: str
    station: str | None
    image_uuid: str | None
    name: str
    first_frame: int
    last_frame: int
    words: str
    keeps_out: str
    sides: tuple[ConflictSide, ...]


class _About(NamedTuple):
    """What is said of an image beside its frames."""

    image_uuid: str | None
    station: str | None


def conflicts(connection: Connection, *, task_id: int | None = None) -> tuple[ConflictRow, ...]:
    """Every disagreement as it stands now, newest task first; of one task if it is named. None of what is counted blind."""
    frames = [one for group in _disputable(connection, task_id).values() for one in group]
    found = [*_between_jobs(connection, frames), *_with_reviews(connection, frames), *_rejected(connection), *_changed(connection)]
    ids = dict(connection.execute("SELECT uuid, id FROM cvat_tasks").fetchall())
    wanted = None if task_id is None else {uuid for uuid, number in ids.items() if number == task_id}
    mine = [one for one in found if wanted is None or one.task_uuid in wanted or any(side.task_uuid in wanted for side in one.sides)]
    return tuple(sorted(mine, key=lambda one: (-ids[one.task_uuid], one.first_frame, one.kind)))


def disputed_images(connection: Connection, frames: Collection[FrameResult]) -> dict[tuple[int, int], str]:
    """Of these frames those that may teach nothing, with the reason: (job, frame) -> words."""
    reasons: dict[tuple[int, int], str] = {}
    for one, other in _disagreeing(frames):
        words = "people disagree about it: it was corrected in two jobs, with different results"
        reasons[one.job_id, one.frame] = reasons[other.job_id, other.frame] = words
    for frame, review in _reviewed_otherwise(connection, frames):
        reasons[frame.job_id, frame.frame] = f"people disagree about it: {review.reviewed_by} reviewed it here with another result"
    return reasons


def _disputable(connection: Connection, task_id: int | None) -> dict[tuple[int | None, int | None, str | None], list[FrameResult]]:
    """Frames of decided jobs by what they show: an image, or an object of a scan. Of two recipes they say two things."""
    groups: dict[tuple[int | None, int | None, str | None], list[FrameResult]] = defaultdict(list)
    for frame in _decided(connection, task_id):
        groups[frame.image_id, frame.scan_id, frame.object_key].append(frame)
    return groups


def _decided(connection: Connection, task_id: int | None) -> Iterator[FrameResult]:
    """All decided frames; of one task those that show what it shows: its images, or objects of its scan."""
    if task_id is None:
        yield from decided_frames(connection)
        return
    row = connection.execute("SELECT scan_id FROM cvat_tasks WHERE id = ?", (task_id,)).fetchone()
    if row is not None and row[0] is not None:
        for (other,) in connection.execute("SELECT id FROM cvat_tasks WHERE scan_id = ? ORDER BY id", (row[0],)).fetchall():
            yield from decided_frames(connection, task_id=other)
        return
    images = connection.execute("SELECT DISTINCT image_id FROM cvat_frames WHERE task_id = ? AND image_id IS NOT NULL", (task_id,))
    yield from decided_frames(connection, image_ids=[image_id for (image_id,) in images])


def _disagreeing(frames: Iterable[FrameResult]) -> Iterator[tuple[FrameResult, FrameResult]]:
    """Pairs of frames of two jobs that show the same and hold something else; the older task first."""
    groups: dict[tuple[object, ...], list[FrameResult]] = defaultdict(list)
    for frame in frames:
        groups[frame.image_id, frame.scan_id, frame.object_key, frame.recipe].append(frame)
    for group in groups.values():
        for one, other in combinations(sorted(group, key=lambda frame: (frame.task_id, frame.remote_job_id)), 2):
            if one.job_id != other.job_id and not _agree(one, other):
                yield one, other


def _agree(one: FrameResult, other: FrameResult) -> bool:
    return one.tags == other.tags and _same_boxes(one.labelled, other.labelled)


def _same_boxes(one: list[LabelledBox], other: list[LabelledBox]) -> bool:
    return len(one) == len(other) == len(matched_boxes(one, other))


def _reviewed_otherwise(connection: Connection, frames: Iterable[FrameResult]) -> Iterator[tuple[FrameResult, ReviewedImage]]:
    reviews = {(one.image_id, one.recipe): one for one in reviewed_images(connection)}
    for frame in frames:
        review = None if frame.image_id is None else reviews.get((frame.image_id, frame.recipe))
        tagged = bool(frame.tags) and not frame.boxes  # tags of whole pictures say nothing of objects
        if review is not None and not tagged and not _same_boxes(_reviewed_boxes(connection, review), frame.labelled):
            yield frame, review


def _reviewed_boxes(connection: Connection, review: ReviewedImage) -> list[LabelledBox]:
    objects = reviewed_objects(connection, review.image_id, recipe=review.recipe)
    return [LabelledBox(o.label, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px) for o in objects]


def _between_jobs(connection: Connection, frames: Iterable[FrameResult]) -> Iterator[ConflictRow]:
    for one, other in _disagreeing(frames):
        same_task = one.task_id == other.task_id
        about = _about(connection, other)
        yield ConflictRow(
            kind="two_jobs" if same_task else "two_tasks",
            task_uuid=other.task_uuid,
            title=other.title,
            station=about.station,
            image_uuid=about.image_uuid,
            name=other.name,
            first_frame=other.frame,
            last_frame=other.frame,
            words=f"{other.name} was corrected in two {'jobs' if same_task else 'tasks'}, with different results",
            keeps_out="it is in no training set until both say the same, or one of the tasks is cancelled here",
            sides=(_side(one, other.labelled), _side(other, one.labelled)),
        )


def _with_reviews(connection: Connection, frames: Iterable[FrameResult]) -> Iterator[ConflictRow]:
    for frame, review in _reviewed_otherwise(connection, frames):
        about, boxes = _about(connection, frame), _reviewed_boxes(connection, review)
        here = ConflictSide(
            where="the review here",
            words=_words(boxes, frame.labelled, ()),
            by=review.reviewed_by,
            utc=review.reviewed_utc,
            task_uuid=None,
            remote_task_id=None,
            remote_job_id=None,
        )
        yield ConflictRow(
            kind="own_review",
            task_uuid=frame.task_uuid,
            title=frame.title,
            station=about.station,
            image_uuid=about.image_uuid,
            name=frame.name,
            first_frame=frame.frame,
            last_frame=frame.frame,
            words=f"{frame.name} was reviewed here and corrected in CVAT, with different results",
            keeps_out="it is in no training set until both say the same, or the review here is taken back",
            sides=(here, _side(frame, boxes)),
        )


def _side(frame: FrameResult, other: list[LabelledBox]) -> ConflictSide:
    return ConflictSide(
        where=f"job {frame.remote_job_id} of task {frame.remote_task_id}, {frame.stage}, {frame.state}",
        words=_words(frame.labelled, other, frame.tags),
        by=frame.assignee,
        utc=frame.pulled_utc,
        task_uuid=frame.task_uuid,
        remote_task_id=frame.remote_task_id,
        remote_job_id=frame.remote_job_id,
    )


def _words(boxes: list[LabelledBox], other: list[LabelledBox], tags: Collection[str]) -> str:
    """What a side holds, and how much of it the other has too."""
    counts = Counter(one.label for one in boxes) + Counter(tags)
    if not counts:
        return "nothing on it"
    told = ", ".join(f"{count} {label}" for label, count in sorted(counts.items())[:_SHOWN])
    alone = len(boxes) - len(matched_boxes(boxes, other))
    return f"{told}; {alone} only here" if alone else told


def _about(connection: Connection, frame: FrameResult) -> _About:
    row = connection.execute(
        "SELECT (SELECT uuid FROM images WHERE id = ?), (SELECT e.name FROM cvat_tasks AS t JOIN tows AS w ON w.id = t.tow_id "
        "JOIN stations AS e ON e.id = w.station_id WHERE t.id = ?)",
        (frame.image_id, frame.task_id),
    ).fetchone()
    return _About(row[0], row[1])


# A job whose frames are counted blind is not told of: that it was sent back, or changed, would say that something is on it.
_JOB = f"""
    SELECT t.uuid AS task_uuid, t.title, t.remote_id AS remote_task_id, e.name AS station, j.remote_id AS remote_job_id, j.first_frame,
           j.last_frame, j.stage, j.state, j.assignee, j.looked_utc, q.assignee AS pull_assignee, q.state AS pull_state, q.pulled_utc,
           q.completed_utc, b.pulled_utc AS before_utc, b.completed_utc AS before_completed_utc, b.assignee AS before_assignee
    FROM cvat_jobs AS j JOIN cvat_tasks AS t ON t.id = j.task_id
    LEFT JOIN cvat_pulls AS q ON q.job_id = j.id AND q.is_current = 1
    LEFT JOIN cvat_pulls AS b ON b.id = (SELECT max(n.id) FROM cvat_pulls AS n WHERE n.job_id = j.id AND n.is_current = 0
                                         AND n.completed_utc IS NOT NULL)
    LEFT JOIN tows AS w ON w.id = t.tow_id LEFT JOIN stations AS e ON e.id = w.station_id
    WHERE j.gone_utc IS NULL AND j.kind = 'annotation' AND t.cancelled_utc IS NULL AND {{which}}
      AND NOT EXISTS (SELECT 1 FROM cvat_frames AS f WHERE f.task_id = t.id AND f.frame BETWEEN j.first_frame AND j.last_frame
                      AND NOT {NOT_BLIND})
    ORDER BY t.id DESC, j.first_frame
"""


def _rejected(connection: Connection) -> Iterator[ConflictRow]:
    for row in connection.execute(_JOB.format(which="j.state = 'rejected'")).fetchall():
        brought = "what stands in it was not brought in" if row["pulled_utc"] is None else "what stands in it now"
        sides = (
            _job_side(row, brought, row["pull_assignee"], row["pulled_utc"]),
            _job_side(row, "sent back: it is not right yet", row["assignee"], row["looked_utc"]),
        )
        words = f"job {row['remote_job_id']} was rejected at {row['stage']}"
        yield _of_job(row, "rejected", words, "its frames are in no training set until it is completed again", sides)


def _changed(connection: Connection) -> Iterator[ConflictRow]:
    for row in connection.execute(_JOB.format(which="b.id IS NOT NULL AND q.id IS NOT NULL")).fetchall():
        again = f"completed again by {row['completed_utc'][:16]} UTC" if row["completed_utc"] else "not completed again yet"
        sides = (
            _job_side(row, f"completed by {row['before_completed_utc'][:16]} UTC", row["before_assignee"], row["before_utc"]),
            _job_side(row, f"changed since; {again}", row["pull_assignee"], row["pulled_utc"]),
        )
        words = f"job {row['remote_job_id']} was changed after it had been completed"
        is_open = row["state"] != "completed" or not row["completed_utc"]
        yield _of_job(
            row, "changed_after_completed", words, "its frames are in no training set until it is completed again" if is_open else "", sides
        )


def _of_job(row: Row, kind: ConflictKind, words: str, keeps_out: str, sides: tuple[ConflictSide, ...]) -> ConflictRow:
    return ConflictRow(
        kind=kind,
        task_uuid=row["task_uuid"],
        title=row["title"],
        station=row["station"],
        image_uuid=None,
        name=f"job {row['remote_job_id']}",
        first_frame=row["first_frame"],
        last_frame=row["last_frame"],
        words=words,
        keeps_out=keeps_out,
        sides=sides,
    )


def _job_side(row: Row, words: str, by: str | None, utc: str | None) -> ConflictSide:
    return ConflictSide(
        where=f"job {row['remote_job_id']} of task {row['remote_task_id']}",
        words=words,
        by=by,
        utc=utc,
        task_uuid=row["task_uuid"],
        remote_task_id=row["remote_task_id"],
        remote_job_id=row["remote_job_id"],
    )
