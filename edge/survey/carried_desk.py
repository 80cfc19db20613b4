"""What of earlier reviews of a tow is proposed for its current analysis: decisions and groups of the openings that are the same.

Nothing of it counts until somebody takes it over; what found no partner is listed, and the earlier reviews stay as they were left.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from edge.store.reads import reviews as review_reads
from edge.store.reads.earlier import EarlierOpening, earlier_analyses, first_opening, grouped_openings, left_openings
from edge.store.reads.footage import AnalysisRow
from edge.store.sqlite import Connection
from edge.survey.carried import boxes_of, partners
from edge.survey.carried_clock import clock_shift

KEPT = 16  # tows that people review at the same time; of one with 20,000 openings it is some MB


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierDecision:
    """What somebody decided about the same opening of an earlier analysis; `row_id` is that decision."""

    decision: str
    decided_by: str
    decided_utc: str
    row_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """An opening of an earlier analysis with a decision or a group, that is no opening of the current one."""

    analysis_uuid: str
    opening: EarlierOpening


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReview:
    """An earlier analysis that was reviewed.

    Attributes:
        decided: openings with a decision or a group that do not live on in an analysis between.
        placed: those of them that have a partner in the current analysis.
        partner_of: opening of that analysis -> opening of the current one.
    """

    analysis: AnalysisRow
    decided: int
    placed: int
    partner_of: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedOver:
    """Everything that is proposed from earlier reviews.

    Attributes:
        decisions: opening of the current analysis -> what was decided.
        groups: systems that people made, each as (opening of the current analysis, the earlier row); a single one was split off.
        unplaced: what found no partner.
        reviews: the newest first.
    """

    decisions: Mapping[int, EarlierDecision] = field(default_factory=dict)
    groups: tuple[tuple[tuple[int, int], ...], ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    reviews: tuple[EarlierReview, ...] = ()


NOTHING = CarriedOver()

Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What can be taken over, as `edge.store.reviews.carry` takes it."""

    decisions: tuple[tuple[int, str, int], ...] = ()
    groups: tuple[tuple[tuple[int, int], ...], ...] = ()

    @property
    def openings(self) -> tuple[int, ...]:
        """Every opening that something of it is about."""
        return tuple(dict.fromkeys([*(one[0] for one in self.decisions), *(opening for group in self.groups for opening, _ in group)]))


class CarriedDesk:
    """Proposals from earlier reviews, worked out once for each analysis: earlier ones are decided about no more."""

    def __init__(self) -> None:
        self._kept: dict[Key, CarriedOver] = {}
        self._lock = threading.Lock()

    def of(self, connection: Connection, analysis: AnalysisRow) -> CarriedOver:
        """What is proposed for an analysis; of openings that were decided about since, too. From any thread."""
        key = key_of(connection, analysis)
        with self._lock:
            found = self._kept.pop(key, None)
            if found is not None:
                self._kept[key] = found  # the one that was asked for last goes last
        if found is None:
            found = carried_over(connection, analysis)  # may take a second: nobody else waits for it
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > KEPT:
                    del self._kept[next(iter(self._kept))]
        return found

    def waiting(self, connection: Connection, analysis: AnalysisRow, visible: Collection[int], found: CarriedOver) -> Waiting:
        """What of `found` would be taken over now for these openings: those that nobody has decided about, or grouped, in this analysis."""
        if not found.decisions and not found.groups:
            return Waiting()
        shown = frozenset(visible)
        undecided = shown & frozenset(review_reads.opening_order(connection, analysis.id, show=review_reads.ReviewShow.UNDECIDED))
        grouped = grouped_openings(connection, analysis.id)
        decisions = [(opening, one.decision, one.row_id) for opening, one in found.decisions.items() if opening in undecided]
        free = [group for group in found.groups if all(opening in shown and opening not in grouped for opening, _ in group)]
        return Waiting(decisions=tuple(decisions), groups=tuple(free))


def key_of(connection: Connection, analysis: AnalysisRow) -> Key:
    """What stays the same as long as proposals for an analysis hold: it, and the ids of its openings."""
    return analysis.uuid, first_opening(connection, analysis.id)


def carried_over(connection: Connection, analysis: AnalysisRow) -> CarriedOver:
    """Hold the current analysis against every earlier one that was reviewed; of two decisions about one opening the newer holds."""
    earlier = earlier_analyses(connection, analysis)
    if not earlier:
        return NOTHING
    rows = review_reads.boxes_of_analysis(connection, analysis.id)
    ids, boxes = [row[0] for row in rows], boxes_of([row[2] for row in rows])
    decisions: dict[int, EarlierDecision] = {}
    groups: list[tuple[tuple[int, int], ...]] = []
    unplaced: list[Unplaced] = []
    reviews: list[EarlierReview] = []
    for one in earlier:
        left = left_openings(connection, one.id, current_id=analysis.id)
        shift = clock_shift(connection, one, analysis)
        old = boxes_of([row[2] for row in review_reads.boxes_of_analysis(connection, one.id)])
        for box in old:
            box[:, 0] = shift(box[:, 0])
        partner_of = {left[place].id: ids[other] for place, other in partners(old, boxes).items()}
        for opening, found in _decisions(left, partner_of).items():
            decisions.setdefault(opening, found)
        taken = {opening for group in groups for opening, _ in group}
        groups += [group for group in _groups(left, partner_of) if not any(opening in taken for opening, _ in group)]
        touched = [row for row in left if row.decision_id is not None or row.group_id is not None]
        lost = [row for row in touched if row.id not in partner_of]
        unplaced += [Unplaced(analysis_uuid=one.uuid, opening=row) for row in lost]
        reviews.append(EarlierReview(analysis=one, decided=len(touched), placed=len(touched) - len(lost), partner_of=partner_of))
    return CarriedOver(decisions=decisions, groups=tuple(groups), unplaced=tuple(unplaced), reviews=tuple(reviews))


def _decisions(left: Sequence[EarlierOpening], partner_of: Mapping[int, int]) -> dict[int, EarlierDecision]:
    return {
        partner_of[row.id]: EarlierDecision(
            decision=row.decision, decided_by=row.decided_by or "", decided_utc=row.decided_utc or "", row_id=row.decision_id
        )
        for row in left
        if row.decision_id is not None and row.decision is not None and row.id in partner_of
    }


def _groups(left: Sequence[EarlierOpening], partner_of: Mapping[int, int]) -> list[tuple[tuple[int, int], ...]]:
    """Systems that people made, as far as their openings are there: two or more of a group, or one that was split from all others."""
    members: dict[int, list[EarlierOpening]] = {}
    for row in left:
        if row.group_id is not None and row.system is not None:
            members.setdefault(row.system, []).append(row)
    found = []
    for rows in members.values():
        there = tuple((partner_of[row.id], row.group_id) for row in rows if row.id in partner_of and row.group_id is not None)
        if len(there) > 1 or (there and len(rows) == 1):
            found.append(there)
    return found
