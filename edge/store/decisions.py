"""What people decide about objects on images: rows are only ever added, and the newest row of an object holds.

Functions take the writer's connection, inside the writer's transaction. What is about a tow that is counted blind is refused, and
decisions made before their image became part of such a tow are sealed with the model's objects (`edge.store.sealed_decisions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection

ObjectDecision = Literal["confirmed", "rejected", "moved", "relabelled", "added", "cleared"]
ImageDecision = Literal["reviewed", "reopened"]


class BoxPx(NamedTuple):
    """Edges in pixels of the full image, half open."""

    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What holds for an object from now on.

    Attributes:
        uuid: identity of the decision, chosen by who sends it: the same one twice is one decision.
        object_id: the model's object; None: `added_uuid` names one that a person added.
        decision: "cleared" leaves a model's object as the model found it, and takes an added one away.
        label: what it is, where that is not what the model says; always there for an added one.
        box: where it is, where that is not where the model says; always there for an added one.
    """

    uuid: str
    object_id: int | None
    added_uuid: str | None
    decision: ObjectDecision
    label: str | None
    box: BoxPx | None


class DecidedRun(NamedTuple):
    """The run that decisions are about, with its image. `is_sealed`: people count its tow blind."""

    run_id: int
    image_id: int
    recipe: str
    width_px: int | None
    height_px: int | None
    is_sealed: bool


def decided_run(connection: Connection, run_uuid: str) -> DecidedRun | None:
    """The run with this uuid."""
    row = connection.execute(
        "SELECT r.id, r.image_id, r.recipe, i.width_px, i.height_px, r.object_count IS NULL FROM runs AS r "
        "JOIN images AS i ON i.id = r.image_id WHERE r.uuid = ?",
        (run_uuid,),
    ).fetchone()
    return None if row is None else DecidedRun._make([*row[:5], bool(row[5])])


def objects_among(connection: Connection, run_id: int) -> frozenset[int]:
    """The ids of a run's objects."""
    return frozenset(row[0] for row in connection.execute("SELECT id FROM objects WHERE run_id = ?", (run_id,)))


def added_among(connection: Connection, image_id: int) -> frozenset[str]:
    """The objects that people ever added to an image, those taken away again too."""
    rows = connection.execute("SELECT DISTINCT added_uuid FROM object_decisions WHERE image_id = ? AND added_uuid IS NOT NULL", (image_id,))
    return frozenset(row[0] for row in rows)


def known_decisions(connection: Connection, image_id: int) -> frozenset[str]:
    """The identities of the decisions about an image."""
    return frozenset(row[0] for row in connection.execute("SELECT uuid FROM object_decisions WHERE image_id = ?", (image_id,)))


def is_taken(connection: Connection, uuids: Sequence[str]) -> bool:
    """Whether a decision anywhere has one of these identities."""
    return any(connection.execute("SELECT 1 FROM object_decisions WHERE uuid = ?", (one,)).fetchone() for one in uuids)


def add_decisions(connection: Connection, run: DecidedRun, decisions: Sequence[Decision], *, decided_by: str) -> None:
    """Add rows, in this order."""
    now = utc_now()
    connection.executemany(
        "INSERT INTO object_decisions (uuid, image_id, run_id, object_id, added_uuid, decision, label, "
        "x_min_px, y_min_px, x_max_px, y_max_px, decided_by, decided_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.uuid, run.image_id, run.run_id, one.object_id, one.added_uuid, one.decision, one.label)
            + (tuple(one.box) if one.box else (None, None, None, None))
            + (decided_by, now)
            for one in decisions
        ],
    )
    for one in decisions:
        put_out(connection, "object_decision", one.uuid)


def add_image_decision(
    connection: Connection, run: DecidedRun, decision: ImageDecision, *, decided_by: str, uuid: str | None = None
) -> None:
    """Say that everything on an image is right, or take that back."""
    name = uuid or uuid7()
    connection.execute(
        "INSERT INTO object_decisions (uuid, image_id, run_id, decision, decided_by, decided_utc) VALUES (?, ?, ?, ?, ?, ?)",
        (name, run.image_id, run.run_id, decision, decided_by, utc_now()),
    )
    put_out(connection, "object_decision", name)
