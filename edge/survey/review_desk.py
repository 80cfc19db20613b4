"""What a person may do with the openings that a model found on a tow: accept, reject, leave unsure, group, split, undo.

Nothing is overwritten: the model's rows stay, of what people decided the newest holds. While anybody counts the tow blind there is
nothing to review: the rows are not there, and this desk says no more than that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import get_args

from edge.errors import ReviewRefusedError
from edge.store import reviews
from edge.store.connection import snapshot
from edge.store.reads import reviews as reads
from edge.store.reads.footage import AnalysisRow
from edge.store.reads.reviews import Looked, ReviewAmong, ReviewedOpening, ReviewShow, ReviewSort
from edge.store.reviews import Decision
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from edge.survey.carried_desk import CarriedDesk, CarriedOver, Waiting, key_of
from edge.survey.miss_check import MINUTE_S
from edge.survey.miss_desk import MissDesk
from edge.survey.miss_gate import CheckState, check_drawn, window_of
from edge.survey.review_loop import outlier_scores
from edge.survey.review_standing import open_analysis

MOST_AT_ONCE = 20_000
KEPT_ORDERS = 4


class ReviewDesk:
    """Reviews of one home folder. Every method may be called from any thread."""

    def __init__(self, writer: Writes, reader: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._writer = writer
        self._reader = reader
        self._outliers: dict[str, dict[int, float]] = {}
        self._lock = threading.Lock()
        self.misses = MissDesk(writer, reader)
        self.carried = CarriedDesk()

    def looked(self, connection: Connection, analysis: AnalysisRow) -> Looked:
        """Which part of the tow the review is about, and what of it is hidden until it was counted blind.

        Raises:
            ReviewRefusedError: the minutes that are to be counted blind are not drawn yet: all of it is hidden.
        """
        gate = self.misses.gate(connection, analysis)
        check_drawn(gate)
        window = window_of(connection, analysis.tow_id)
        if window is None:
            return Looked(hidden=gate.hidden)
        return Looked(from_s=(window[0] - 1) * MINUTE_S, to_s=window[1] * MINUTE_S, hidden=gate.hidden)

    def shown(self, connection: Connection, analysis: AnalysisRow) -> tuple[ReviewedOpening, ...]:
        """Every opening that may be shown now, in the order of the tow; none before the minutes to be counted blind are drawn."""
        if self.misses.gate(connection, analysis).state is CheckState.TO_DRAW:
            return ()
        return reads.reviewed_openings(connection, analysis.id, self.looked(connection, analysis))

    def order(
        self,
        connection: Connection,
        analysis: AnalysisRow,
        sort: ReviewSort,
        *,
        show: ReviewShow = ReviewShow.ALL,
        among: ReviewAmong = ReviewAmong.ALL,
    ) -> tuple[int, ...]:
        """Ids of an analysis' openings in the order in which they are to be looked at. No order depends on a decision.

        Raises:
            ReviewRefusedError: as `looked`.
        """
        ids = reads.opening_order(connection, analysis.id, sort, show=show, among=among, looked=self.looked(connection, analysis))
        if show is ReviewShow.EARLIER:
            waiting = frozenset(self.waiting(connection, analysis).openings)
            ids = tuple(one for one in ids if one in waiting)
        if sort is not ReviewSort.OUTLIER:
            return ids
        scores = self._outliers.get(analysis.uuid, {})
        if not scores.keys() >= set(ids):  # an analysis never changes, but its rows have new ids after they were sealed
            scores = _outliers(connection, analysis.id)
            with self._lock:
                self._outliers[analysis.uuid] = scores
                while len(self._outliers) > KEPT_ORDERS:
                    del self._outliers[next(iter(self._outliers))]
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

    def waiting(self, connection: Connection, analysis: AnalysisRow) -> Waiting:
        """What of earlier reviews can be taken over for openings that may be shown now.

        Raises:
            ReviewRefusedError: as `looked`.
        """
        self.looked(connection, analysis)
        return self._waiting(connection, analysis, self.carried.of(connection, analysis))

    def _waiting(self, connection: Connection, analysis: AnalysisRow, found: CarriedOver) -> Waiting:
        looked = self.looked(connection, analysis)
        if not found.reviews:
            return Waiting()
        visible = reads.opening_order(connection, analysis.id, looked=looked)
        return self.carried.waiting(connection, analysis, visible, found)

    def carry(self, tow_id: int, opening_ids: Sequence[int] | None, actor: str) -> tuple[int, ...]:
        """Take over what earlier reviews decided about these openings, None for all that wait. Returns the openings that it changed.

        Raises:
            ReviewRefusedError: nothing of that waits, or the tow cannot be reviewed, or it was analysed anew at this moment.
        """
        with self._reader() as reading, snapshot(reading):  # pairing many openings takes a second, in which nothing else would be written
            now = open_analysis(reading, tow_id)
            self.looked(reading, now)
            key, found = key_of(reading, now), self.carried.of(reading, now)

        def work(connection: Connection) -> tuple[int, ...]:
            analysis = open_analysis(connection, tow_id)
            if key_of(connection, analysis) != key:
                raise ReviewRefusedError("the footage was analysed anew at this moment", advice="Load the page again.")
            waiting = self._waiting(connection, analysis, found)
            chosen = frozenset(waiting.openings if opening_ids is None else opening_ids)
            decisions = [one for one in waiting.decisions if one[0] in chosen]
            groups = [group for group in waiting.groups if all(opening in chosen for opening, _ in group)]
            if not decisions and not groups:
                raise ReviewRefusedError("no earlier decision waits there", advice="It is taken over already, or you decided yourself.")
            reviews.carry(connection, analysis.id, decisions, groups, actor=actor)
            return Waiting(decisions=tuple(decisions), groups=tuple(groups)).openings

        return self._writer.call(work)

    def undo(self, tow_id: int, actor: str) -> tuple[int, ...]:
        """Take back one's own newest action that still stands. Returns the openings that it changed.

        Raises:
            ReviewRefusedError: there is nothing of one's own to take back, or the tow cannot be reviewed; or as `looked`.
        """

        def work(connection: Connection) -> tuple[int, ...]:
            analysis = open_analysis(connection, tow_id)
            self.looked(connection, analysis)
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
            if reads.count_visible(connection, analysis.id, ids, self.looked(connection, analysis)) != len(ids):
                advice = "Load the page again: the footage may have been analysed anew, or a minute is to be counted blind first."
                raise ReviewRefusedError("not all of these openings belong to what was found on this tow", advice=advice)
            return change(connection, analysis.id, ids)

        return self._writer.call(work)


def _outliers(connection: Connection, analysis_id: int) -> dict[int, float]:
    """Opening -> how unlike the others it is."""
    rows = reads.boxes_of_analysis(connection, analysis_id)
    scores = outlier_scores([packed for _, _, packed in rows], [confidence for _, confidence, _ in rows])
    return {row[0]: float(score) for row, score in zip(rows, scores, strict=True)}
