"""Where what people made in CVAT disagrees: with each other, with the review here, or with itself. Each is listed with both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.store.sqlite import Connection

ConflictKind = Literal["two_tasks", "two_jobs", "own_review", "rejected", "changed_after_completed"]


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
        first_frame, last_frame: frames of that task that it is about.
        image_uuid: where it is about one image.
        words: what it is, in a sentence.
        keeps_out: what it keeps from a training set, in words; empty: nothing.
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


def conflicts(connection: Connection, *, task_id: int | None = None) -> tuple[ConflictRow, ...]:
    """Every disagreement as it stands now, newest task first; of one task if it is named. None of what is counted blind."""
    raise NotImplementedError
