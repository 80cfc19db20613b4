"""The openings of an analysis as they are reviewed: each with the newest decision and the system that it belongs to now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection

COUNTS_FROM = 0.5  # the confidence from which an opening counts that nobody has decided about: that of the tracker's count


class ReviewSort(StrEnum):
    """In which order openings are looked at. None of them depends on what was decided. The fourth, OUTLIER, is worked out of the boxes."""

    UNCERTAIN = "uncertain"
    ALONG = "along"
    OUTLIER = "outlier"


class ReviewShow(StrEnum):
    """Which openings: all, those that nobody has decided about, by decision, or those that crossed the line."""

    ALL = "all"
    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSURE = "unsure"
    CROSSED = "crossed"


class ReviewedOpening(NamedTuple):
    """An opening with what people made of it.

    Attributes:
        at_s: when it crossed the line; where it did not, when it was last seen.
        proposed: number of the system that was proposed for it.
        system: number of the one it belongs to now; None: it is one of its own.
        label: what the model took it for; None where the analysis names no model.
        decision: None where nobody has decided, or took it back.
    """

    id: int
    uuid: str
    ordinal: int
    at_s: float
    crossing_s: float | None
    first_s: float
    last_s: float
    along_m: float | None
    score: float
    confidence: float
    frames: int
    missed: int
    is_extrapolated: int
    label: str | None
    proposed: int | None
    system: int | None
    decision: str | None
    decided_by: str | None
    decided_utc: str | None


class ReviewTally(NamedTuple):
    """How many openings of an analysis there are and how many wait for a decision."""

    openings: int
    accepted: int
    rejected: int
    unsure: int
    undecided: int


class ReviewFigures(NamedTuple):
    """What an analysis comes to as it is decided now: the first four of `edge.survey.reviewed.ReviewedCount`, and the tally."""

    counted: int
    systems: int
    counted_undecided: int
    counted_rejected: int
    tally: ReviewTally


class OpeningPlace(NamedTuple):
    """Where an opening belongs, and its boxes as they are packed."""

    id: int
    uuid: str
    analysis_id: int
    analysis_uuid: str
    tow_id: int
    is_current: int
    boxes: bytes


_NEWEST = "(SELECT {column} FROM {table} WHERE opening_id = o.id ORDER BY id DESC LIMIT 1)"
_DECISION = f"nullif({_NEWEST.format(column='decision', table='opening_decisions')}, 'cleared')"
_ORDERS = {
    ReviewSort.UNCERTAIN: "abs(o.confidence - 0.5), o.ordinal",
    ReviewSort.ALONG: "o.along_px, o.ordinal",
    ReviewSort.OUTLIER: "o.ordinal",
}
_SHOWN = {
    ReviewShow.ALL: "1",
    ReviewShow.UNDECIDED: f"{_DECISION} IS NULL",
    ReviewShow.ACCEPTED: f"{_DECISION} = 'accepted'",
    ReviewShow.REJECTED: f"{_DECISION} = 'rejected'",
    ReviewShow.UNSURE: f"{_DECISION} = 'unsure'",
    ReviewShow.CROSSED: "o.crossing_s IS NOT NULL",
}
_ROWS = (
    "SELECT o.id, o.uuid, o.ordinal, coalesce(o.crossing_s, o.last_s) AS at_s, o.crossing_s, o.first_s, o.last_s, o.along_m, o.score, "
    "o.confidence, o.frames, o.missed, o.is_extrapolated, (SELECT l.name FROM labels AS l WHERE l.label_index = o.label_index "
    "AND l.model_id = (SELECT a.model_id FROM tow_analyses AS a WHERE a.id = o.analysis_id)) AS label, s.ordinal AS proposed, coalesce("
    f"{_NEWEST.format(column='system_number', table='opening_groups')}, s.ordinal) AS system, nullif(d.decision, 'cleared') AS decision, "
    "CASE WHEN d.decision <> 'cleared' THEN d.decided_by END AS decided_by, "
    "CASE WHEN d.decision <> 'cleared' THEN d.decided_utc END AS decided_utc FROM tow_openings AS o "
    "LEFT JOIN tow_systems AS s ON s.id = o.system_id LEFT JOIN opening_decisions AS d ON d.id = "
    f"{_NEWEST.format(column='id', table='opening_decisions')} "
)


def opening_order(connection: Connection, analysis_id: int, sort: ReviewSort, show: ReviewShow) -> tuple[int, ...]:
    """The ids of an analysis' openings in an order; by OUTLIER in the order of the tow, for the caller to sort."""
    rows = connection.execute(
        f"SELECT o.id FROM tow_openings AS o WHERE o.analysis_id = ? AND {_SHOWN[show]} ORDER BY {_ORDERS[sort]}", (analysis_id,)
    )
    return tuple(row[0] for row in rows)


def openings_by_id(connection: Connection, analysis_id: int, ids: Sequence[int]) -> tuple[ReviewedOpening, ...]:
    """These openings of an analysis, in the order of `ids`; what is not of the analysis is not there."""
    rows = connection.execute(
        _ROWS + "WHERE o.analysis_id = ? AND o.id IN (SELECT value FROM json_each(?))", (analysis_id, json.dumps(ids))
    )
    found = {one.id: one for one in as_values(ReviewedOpening, rows)}
    return tuple(found[one] for one in ids if one in found)


def reviewed_openings(connection: Connection, analysis_id: int) -> tuple[ReviewedOpening, ...]:
    """Every opening of an analysis, in the order of the tow."""
    return as_values(ReviewedOpening, connection.execute(_ROWS + "WHERE o.analysis_id = ? ORDER BY o.ordinal", (analysis_id,)))


def review_tally(connection: Connection, analysis_id: int) -> ReviewTally:
    """What is decided and what is left."""
    rows = connection.execute(
        f"SELECT decision, count(*) FROM (SELECT {_DECISION} AS decision FROM tow_openings AS o WHERE o.analysis_id = ?) GROUP BY decision",
        (analysis_id,),
    )
    found: dict[str | None, int] = {row[0]: row[1] for row in rows}
    return ReviewTally(
        openings=sum(found.values()),
        accepted=found.get("accepted", 0),
        rejected=found.get("rejected", 0),
        unsure=found.get("unsure", 0),
        undecided=found.get(None, 0),
    )


def review_figures(connection: Connection, analysis_id: int) -> ReviewFigures:
    """The count after review and the tally in one pass, as after every key that a reviewer presses."""
    group = _NEWEST.format(column="system_number", table="opening_groups")
    row = connection.execute(
        f"WITH looked AS MATERIALIZED (SELECT o.id, o.crossing_s, o.confidence, {_DECISION} AS decision, "
        f"coalesce({group}, s.ordinal) AS system FROM tow_openings AS o LEFT JOIN tow_systems AS s ON s.id = o.system_id "
        "WHERE o.analysis_id = ?), now AS MATERIALIZED (SELECT *, crossing_s IS NOT NULL AND decision IS NOT 'rejected' "
        f"AND (decision IS 'accepted' OR confidence >= {COUNTS_FROM}) AS counts FROM looked) "
        "SELECT total(counts), count(DISTINCT CASE WHEN counts THEN coalesce(system, -id) END), "
        "total(counts AND decision IS NOT 'accepted'), total(decision IS 'rejected' AND crossing_s IS NOT NULL), count(*), "
        "total(decision IS 'accepted'), total(decision IS 'rejected'), total(decision IS 'unsure'), total(decision IS NULL) FROM now",
        (analysis_id,),
    ).fetchone()
    counted, systems, undecided, rejected, *tally = (int(value) for value in row)
    return ReviewFigures(counted, systems, undecided, rejected, ReviewTally(*tally))


def is_reviewed(connection: Connection, analysis_id: int) -> bool:
    """Whether anybody has decided or grouped anything of an analysis."""
    query = "SELECT 1 FROM review_actions WHERE analysis_id = ? LIMIT 1"
    return connection.execute(query, (analysis_id,)).fetchone() is not None


def decided_before(connection: Connection, tow_id: int) -> int:
    """How many openings of a tow people have decided about in analyses that are not the current one."""
    row = connection.execute(
        f"SELECT count(*) FROM tow_analyses AS a JOIN tow_openings AS o ON o.analysis_id = a.id WHERE a.tow_id = ? AND a.is_current = 0 "
        f"AND EXISTS (SELECT 1 FROM opening_decisions AS n WHERE n.opening_id = o.id) AND {_DECISION} IS NOT NULL",
        (tow_id,),
    ).fetchone()
    return int(row[0])


def opening_place(connection: Connection, opening_id: int) -> OpeningPlace | None:
    """Where an opening belongs; None if there is no such opening."""
    row = connection.execute(
        "SELECT o.id, o.uuid, o.analysis_id, a.uuid, a.tow_id, a.is_current, o.boxes FROM tow_openings AS o "
        "JOIN tow_analyses AS a ON a.id = o.analysis_id WHERE o.id = ?",
        (opening_id,),
    ).fetchone()
    return None if row is None else OpeningPlace._make(row)


def boxes_of_analysis(connection: Connection, analysis_id: int) -> tuple[tuple[int, float, bytes], ...]:
    """Id, confidence and packed boxes of every opening of an analysis, in the order of the tow."""
    rows = connection.execute("SELECT id, confidence, boxes FROM tow_openings WHERE analysis_id = ? ORDER BY ordinal", (analysis_id,))
    return tuple((row[0], row[1], row[2]) for row in rows)
