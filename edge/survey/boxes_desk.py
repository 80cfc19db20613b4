"""What people decide about the boxes of an image: the model's confirmed, rejected, moved or renamed, and their own added.

Every method may be called from any thread. Human decisions stand beside what the model found and never change it.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from edge.errors import DecisionOutdatedError, DecisionRefusedError
from edge.store import audit
from edge.store import decisions as store
from edge.store.decisions import DecidedRun, Decision
from edge.store.reads.decisions import decisions_of, review_state
from edge.store.sealed_runs import blind_tow_of_image
from edge.store.sqlite import Connection
from edge.store.writer import Writes

MIN_SIDE_PX = 1.0
MAX_LABEL = 60
MAX_AT_ONCE = 2000


class BoxesDesk:
    """Decisions about objects on the images of one home folder."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> None:
        """Take who writes and who reads."""
        self._writer = writer
        self._reader = reader

    def decide(
        self,
        run_uuid: str,
        decisions: Sequence[Decision],
        *,
        revision: int,
        reviewed: bool | None = None,
        decided_by: str,
        actor: str,
    ) -> int:
        """Add decisions about the objects of a run and about those that people added to its image: all of them or none.

        Args:
            run_uuid: the result of a model that was looked at.
            decisions: each carries the whole state of its object from now on. One that is known already was sent again because its
                answer got lost: then all of them are known, and nothing is added.
            revision: how many decisions there were about the image when it was read.
            reviewed: True says that everything on the image is right now, False takes that back, None leaves it: any decision
                that is added takes it back by itself.
            decided_by: whose decisions these are.
            actor: for the audit trail.

        Returns:
            The revision after them.

        Raises:
            DecisionOutdatedError: somebody decided something since `revision`.
            DecisionRefusedError: the image is counted blind, or a decision cannot be.
        """

        def work(connection: Connection) -> int:
            run = _checked_run(connection, run_uuid)
            known = store.known_decisions(connection, run.image_id)
            is_known = known.issuperset(one.uuid for one in decisions)
            if is_known and (decisions or reviewed is None or reviewed == _is_reviewed(connection, run, run_uuid)):
                return len(known)
            if len(known) != revision:
                raise DecisionOutdatedError("somebody else changed the boxes of this image since it was loaded")
            _check(connection, run, decisions)
            store.add_decisions(connection, run, decisions, decided_by=decided_by)
            kinds: list[str] = sorted({one.decision for one in decisions})
            if reviewed is not None and reviewed != _is_reviewed(connection, run, run_uuid):
                kinds.append("reviewed" if reviewed else "reopened")
                store.add_image_decision(connection, run, "reviewed" if reviewed else "reopened", decided_by=decided_by)
            audit.append(connection, actor, "boxes_decided", f"run/{run_uuid}", {"decisions": kinds})
            return decisions_of(connection, run.image_id)

        if len(decisions) > MAX_AT_ONCE:
            raise DecisionRefusedError(f"{len(decisions)} decisions are more than the {MAX_AT_ONCE} that are taken at once")
        return self._writer.call(work)


def _checked_run(connection: Connection, run_uuid: str) -> DecidedRun:
    run = store.decided_run(connection, run_uuid)
    if run is None:
        raise DecisionRefusedError(f"there is no result {run_uuid}", advice="Load the page again.")
    blind = blind_tow_of_image(connection, run.image_id)
    if blind is not None or run.is_sealed:
        where = f"station {blind.station}" if blind else "its station"
        advice = "Its boxes can be reviewed when the counts of that station are signed."
        raise DecisionRefusedError(f"the image belongs to {where}, which is counted blind", advice=advice)
    return run


def _is_reviewed(connection: Connection, run: DecidedRun, run_uuid: str) -> bool:
    state = review_state(connection, run.image_id, run.recipe)
    return state is not None and state.is_reviewed and state.run_uuid == run_uuid


def _check(connection: Connection, run: DecidedRun, decisions: Sequence[Decision]) -> None:
    found, added = store.objects_among(connection, run.run_id), set(store.added_among(connection, run.image_id))
    if len({one.uuid for one in decisions}) != len(decisions) or store.is_taken(connection, [one.uuid for one in decisions]):
        raise DecisionRefusedError("two decisions have the same uuid", advice="Give each decision a uuid of its own.")
    for one in decisions:
        if not (_is_uuid(one.uuid) and (one.added_uuid is None or _is_uuid(one.added_uuid))):
            raise DecisionRefusedError("an identity is no uuid")
        if (one.object_id is None) == (one.added_uuid is None):
            raise DecisionRefusedError("a decision is about either a model's object or an added one")
        _check_box(one, run)
        _check_label(one)
        if one.object_id is not None:
            _check_found(one, found)
        else:
            _check_added(one, added)


def _check_found(one: Decision, found: frozenset[int]) -> None:
    if one.object_id not in found:
        raise DecisionRefusedError(f"the result has no object {one.object_id}", advice="Load the page again.")
    if one.decision == "added":
        raise DecisionRefusedError("a model's object was not added by a person")
    if one.decision in {"confirmed", "rejected", "cleared"} and (one.box or one.label):
        raise DecisionRefusedError(f"an object that is {one.decision} has the model's box and label")
    if one.decision == "moved" and one.box is None:
        raise DecisionRefusedError("an object that is moved has a box")
    if one.decision == "relabelled" and one.label is None:
        raise DecisionRefusedError("an object that is relabelled has a label")


def _check_added(one: Decision, added: set[str]) -> None:
    assert one.added_uuid is not None
    if one.decision in {"confirmed", "rejected"}:
        raise DecisionRefusedError(f"an added object is not {one.decision}: it is there or cleared")
    if one.decision != "added" and one.added_uuid not in added:
        raise DecisionRefusedError(f"nobody added an object {one.added_uuid} to this image", advice="Load the page again.")
    if one.decision != "cleared" and (one.box is None or one.label is None):
        raise DecisionRefusedError("an added object has a box and a label")
    added.add(one.added_uuid)


def _check_box(one: Decision, run: DecidedRun) -> None:
    if one.box is None:
        return
    width, height = run.width_px or 0, run.height_px or 0
    if not all(math.isfinite(value) for value in one.box):
        raise DecisionRefusedError("an edge of a box is no number")
    if one.box.x_min_px < 0 or one.box.y_min_px < 0 or one.box.x_max_px > width or one.box.y_max_px > height:
        raise DecisionRefusedError(f"a box reaches beyond the image of {width} x {height} px")
    if one.box.x_max_px - one.box.x_min_px < MIN_SIDE_PX or one.box.y_max_px - one.box.y_min_px < MIN_SIDE_PX:
        raise DecisionRefusedError(f"a box is at least {MIN_SIDE_PX:g} px wide and high")


def _check_label(one: Decision) -> None:
    if one.label is not None and not (one.label.strip() == one.label and 0 < len(one.label) <= MAX_LABEL and one.label.isprintable()):
        raise DecisionRefusedError(f"a label is a word or a few, of at most {MAX_LABEL} characters")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
