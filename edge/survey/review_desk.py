"""What a person may do with the openings that a model found on a tow: accept, reject, leave unsure, group, split, undo.

Nothing is overwritten: the model's rows stay, of what people decided the newest holds. While anybody counts the tow blind there is
nothing to review: the rows are not there, and this desk says no more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import get_args

from edge.errors import ReviewRefusedError
from edge.store import reviews
from edge.store.reads import footage as footage_reads
from edge.store.reads import reviews as reads
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.reviews import ReviewShow, ReviewSort
from edge.store.reviews import Decision
from edge.store.sealed_runs import holds_blind_files
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.review_loop import outlier_scores

MOST_AT_ONCE = 20_000
KEPT_ORDERS = 4


class ReviewState(StrEnum):
    """Whether a tow can be reviewed, and why not."""

    NO_FOOTAGE = "no_footage"
    WAITING = "waiting"  # nothing was analysed yet
    REFUSED = "refused"
    FAILED = "failed"
    SEALED = "sealed"
    READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the review of a tow stands.

    Attributes:
        words: a sentence; empty where it can be reviewed.
        analysis: what is reviewed; also there, with its reason, where footage was refused. None otherwise.
        unfinished: files of the tow that still wait for their result.
    """

    state: ReviewState
    words: str
    analysis: AnalysisRow | None
    unfinished: int


def standing(connection: Connection, tow_id: int) -> Standing:
    """Where the review of a tow stands."""
    unfinished = footage_reads.unfinished_of_tow(connection, tow_id)

    def told(state: ReviewState, words: str, analysis: AnalysisRow | None = None) -> Standing:
        return Standing(state=state, words=words, analysis=analysis, unfinished=unfinished)

    if not footage_reads.footage_states(connection, tow_id):
        return told(ReviewState.NO_FOOTAGE, "no still and no clip is attached to this tow")
    analysis = footage_reads.analysis_of_tow(connection, tow_id)
    if holds_blind_files(connection, tow_id) or (analysis is not None and analysis.is_sealed):
        return told(ReviewState.SEALED, "people count this tow blind: what a model found is sealed until they have signed")
    if analysis is None:
        rest = f"{unfinished} of its files still wait for their result" if unfinished else "its turn comes by itself"
        return told(ReviewState.WAITING, f"the footage is not analysed yet: {rest}")
    if analysis.state != "done":
        state = ReviewState.REFUSED if analysis.state == "refused" else ReviewState.FAILED
        return told(
            state, f"the footage was {analysis.state if state is ReviewState.REFUSED else 'not analysed'}: {analysis.reason}", analysis
        )
    return told(ReviewState.READY, "", analysis)


def open_analysis(connection: Connection, tow_id: int) -> AnalysisRow:
    """The analysis of a tow that can be reviewed.

    Raises:
        ReviewRefusedError: there is none, or the tow is counted blind.
    """
    found = standing(connection, tow_id)
    if found.state is not ReviewState.READY or found.analysis is None:
        raise ReviewRefusedError(found.words)
    return found.analysis


class ReviewDesk:
    """Reviews of one home folder. Every method may be called from any thread."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writer = writer
        self._reader = reader
        self._outliers: dict[str, dict[int, float]] = {}

    def order(self, connection: Connection, analysis: AnalysisRow, sort: ReviewSort, show: ReviewShow) -> tuple[int, ...]:
        """Ids of an analysis' openings in the order in which they are to be looked at. No order depends on a decision."""
        ids = reads.opening_order(connection, analysis.id, sort, show)
        if sort is not ReviewSort.OUTLIER:
            return ids
        scores = self._outliers.get(analysis.uuid, {})
        if not scores.keys() >= set(ids):  # an analysis never changes, but its rows have new ids after they were sealed
            scores = _outliers(connection, analysis.id)
            while len(self._outliers) >= KEPT_ORDERS:
                self._outliers.pop(next(iter(self._outliers)), None)
            self._outliers[analysis.uuid] = scores
        return tuple(sorted(ids, key=lambda one: -scores[one]))

    def decide(self, tow_id: int, opening_ids: Sequence[int], decision: str, actor: str) -> int:
        """Decide about openings of a tow's current analysis. Returns the id of the action.

        Raises:
            ReviewRefusedError: there is no such decision, the tow cannot be reviewed, or one of the openings is not of its analysis.
        """
        for one in get_args(Decision):
            if decision == one:
                taken: Decision = one
                return self._act(tow_id, opening_ids, partial(reviews.decide, decision=taken, actor=actor))
        raise ReviewRefusedError(f"there is no decision {decision!r}", advice="It is accepted, rejected, unsure or cleared.")

    def group(self, tow_id: int, opening_ids: Sequence[int], actor: str) -> int:
        """Let these openings, and no others, be one system. Returns the id of the action.

        Raises:
            ReviewRefusedError: as `decide`; or there are fewer than two.
        """
        if len(set(opening_ids)) < 2:
            raise ReviewRefusedError("a group is made of two openings or more", advice="Select them first: Shift with a click or an arrow.")
        return self._act(tow_id, opening_ids, partial(reviews.group, actor=actor))

    def split(self, tow_id: int, opening_ids: Sequence[int], actor: str) -> int:
        """Let each of these openings be a system of its own. Returns the id of the action.

        Raises:
            ReviewRefusedError: as `decide`.
        """
        return self._act(tow_id, opening_ids, partial(reviews.split, actor=actor))

    def undo(self, tow_id: int, actor: str) -> tuple[int, ...]:
        """Take back one's own newest action that still stands. Returns the openings that it changed.

        Raises:
            ReviewRefusedError: there is nothing of one's own to take back, or the tow cannot be reviewed.
        """

        def work(connection: Connection) -> tuple[int, ...]:
            analysis = open_analysis(connection, tow_id)
            action_id = reviews.last_undoable(connection, analysis.id, actor)
            if action_id is None:
                raise ReviewRefusedError("there is nothing of yours to take back here", advice="Only one's own decisions are undone.")
            return reviews.undo(connection, action_id, actor=actor)

        return self._writer.call(work)

    def _act(self, tow_id: int, opening_ids: Sequence[int], change: Callable[[Connection, int, Sequence[int]], int]) -> int:
        ids = list(dict.fromkeys(opening_ids))
        if not ids or len(ids) > MOST_AT_ONCE:
            raise ReviewRefusedError(f"{len(ids)} openings cannot be decided at once", advice=f"Name 1 to {MOST_AT_ONCE}.")

        def work(connection: Connection) -> int:
            analysis = open_analysis(connection, tow_id)
            if reviews.count_of_analysis(connection, analysis.id, ids) != len(ids):
                advice = "Load the page again: the footage may have been analysed anew."
                raise ReviewRefusedError("not all of these openings belong to what was found on this tow", advice=advice)
            return change(connection, analysis.id, ids)

        return self._writer.call(work)


def _outliers(connection: Connection, analysis_id: int) -> dict[int, float]:
    """Opening -> how unlike the others it is."""
    rows = reads.boxes_of_analysis(connection, analysis_id)
    scores = outlier_scores([packed for _, _, packed in rows], [confidence for _, confidence, _ in rows])
    return {row[0]: float(score) for row, score in zip(rows, scores, strict=True)}
