"""The openings of an analysis as they are reviewed: each with the newest decision and the system that it belongs to now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """Which openings by what was decided: all, those that nobody has decided about, by decision.

    EARLIER: undecided ones about whose partner in an earlier analysis somebody had decided; worked out by `edge.survey.carried`.
    """

    ALL = "all"
    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNSURE = "unsure"
    EARLIER = "earlier"


class ReviewAmong(StrEnum):
    """Which openings by where they crossed the line: in the counted minutes, in others, not at all; or all of them.

    COUNTED: those that count unless somebody rejects them. DOUBTFUL: in the counted minutes too, but rather something else than openings
    to the model; they count once somebody accepts them.
    """

    COUNTED = "counted"
    DOUBTFUL = "doubtful"
    OUTSIDE = "outside"
    UNCROSSED = "uncrossed"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The part of a tow that is looked at; seconds of the tow.

    Attributes:
        from_s, to_s: the counted minutes.
        hidden: in which nothing of the model is shown, as long as somebody is to count them blind.
    """

    from_s: float = 0.0
    to_s: float = 1e12
    hidden: tuple[tuple[float, float], ...] = ()


WHOLE_TOW = Looked()


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
    """What an analysis comes to as it is decided now: the first four of `edge.survey.reviewed.ReviewedCount`, and tallies.

    Attributes:
        among: one for each part of `ReviewAmong`, ALL too.
    """

    counted: int
    systems: int
    counted_undecided: int
    counted_rejected: int
    among: dict[ReviewAmong, ReviewTally]


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
    ReviewShow.EARLIER: f"{_DECISION} IS NULL",
}
_SCOPE = (
    "CASE WHEN o.crossing_s IS NULL THEN 'uncrossed' WHEN o.crossing_s < :from_s OR o.crossing_s >= :to_s THEN 'outside' "
    f"WHEN o.confidence >= {COUNTS_FROM} THEN 'counted' ELSE 'doubtful' END"
)
_DECIDED = ("accepted", "rejected", "unsure", None)
_PARTS = (ReviewAmong.COUNTED, ReviewAmong.DOUBTFUL, ReviewAmong.OUTSIDE, ReviewAmong.UNCROSSED)
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


def opening_order(
    connection: Connection,
    analysis_id: int,
    sort: ReviewSort = ReviewSort.ALONG,
    *,
    show: ReviewShow = ReviewShow.ALL,
    among: ReviewAmong = ReviewAmong.ALL,
    looked: Looked = WHOLE_TOW,
) -> tuple[int, ...]:
    """The ids of an analysis' openings in an order; by OUTLIER in the order of the tow, for the caller to sort."""
    visible, values = _visible(looked)
    part = "1" if among is ReviewAmong.ALL else f"{_SCOPE} = :among"
    rows = connection.execute(
        f"SELECT o.id FROM tow_openings AS o WHERE o.analysis_id = :analysis AND {_SHOWN[show]} AND {part} AND {visible} "
        f"ORDER BY {_ORDERS[sort]}",
        {**values, "analysis": analysis_id, "among": among},
    )
    return tuple(row[0] for row in rows)


def _visible(looked: Looked) -> tuple[str, dict[str, float]]:
    """What of an opening must hold for it to be shown, and its values: it is seen, or crosses, in no hidden interval."""
    values = {"from_s": looked.from_s, "to_s": looked.to_s}
    said = ["1"]
    for place, (begin, end) in enumerate(looked.hidden):
        said.append(f"NOT (o.first_s < :end{place} AND max(o.last_s, coalesce(o.crossing_s, o.last_s)) >= :begin{place})")
        values |= {f"begin{place}": begin, f"end{place}": end}
    return " AND ".join(said), values


def count_visible(connection: Connection, analysis_id: int, ids: Sequence[int], looked: Looked) -> int:
    """How many of these openings belong to an analysis and are not hidden."""
    visible, values = _visible(looked)
    row = connection.execute(
        "SELECT count(*) FROM tow_openings AS o WHERE o.analysis_id = :analysis AND o.id IN (SELECT value FROM json_each(:ids)) "
        f"AND {visible}",
        {**values, "analysis": analysis_id, "ids": json.dumps(list(ids))},
    ).fetchone()
    return int(row[0])


def openings_by_id(connection: Connection, analysis_id: int, ids: Sequence[int], looked: Looked = WHOLE_TOW) -> tuple[ReviewedOpening, ...]:
    """These openings of an analysis, in the order of `ids`; what is not of the analysis, or hidden, is not there."""
    visible, values = _visible(looked)
    rows = connection.execute(
        _ROWS + f"WHERE o.analysis_id = :analysis AND o.id IN (SELECT value FROM json_each(:ids)) AND {visible}",
        {**values, "analysis": analysis_id, "ids": json.dumps(ids)},
    )
    found = {one.id: one for one in as_values(ReviewedOpening, rows)}
    return tuple(found[one] for one in ids if one in found)


def reviewed_openings(connection: Connection, analysis_id: int, looked: Looked = WHOLE_TOW) -> tuple[ReviewedOpening, ...]:
    """Every opening of an analysis that is not hidden, in the order of the tow."""
    visible, values = _visible(looked)
    query = _ROWS + f"WHERE o.analysis_id = :analysis AND {visible} ORDER BY o.ordinal"
    return as_values(ReviewedOpening, connection.execute(query, {**values, "analysis": analysis_id}))


def review_tally(connection: Connection, analysis_id: int) -> ReviewTally:
    """What is decided and what is left."""
    rows = connection.execute(
        f"SELECT decision, count(*) FROM (SELECT {_DECISION} AS decision FROM tow_openings AS o WHERE o.analysis_id = ?) GROUP BY decision",
        (analysis_id,),
    )
    return _tally({row[0]: row[1] for row in rows})


def review_figures(connection: Connection, analysis_id: int, looked: Looked) -> ReviewFigures:
    """The count after review and the tallies in one pass, as after every key that a reviewer presses; without what is hidden."""
    group = _NEWEST.format(column="system_number", table="opening_groups")
    visible, values = _visible(looked)
    rows = connection.execute(
        f"WITH looked AS MATERIALIZED (SELECT o.id, o.crossing_s, o.confidence, {_DECISION} AS decision, {_SCOPE} AS scope, "
        f"coalesce({group}, s.ordinal, -o.id) AS system FROM tow_openings AS o LEFT JOIN tow_systems AS s ON s.id = o.system_id "
        f"WHERE o.analysis_id = :analysis AND {visible}), "
        "counted AS (SELECT system, decision IS NOT 'accepted' AS is_open FROM looked WHERE crossing_s IS NOT NULL "
        f"AND decision IS NOT 'rejected' AND (decision IS 'accepted' OR confidence >= {COUNTS_FROM})) "
        "SELECT NULL, NULL, count(*), count(DISTINCT system), total(is_open) FROM counted "
        "UNION ALL SELECT scope, decision, count(*), 0, 0 FROM looked GROUP BY scope, decision",
        {**values, "analysis": analysis_id},
    ).fetchall()
    (_, _, counted, systems, undecided), *parts = rows
    found = {(part, decision): number for part, decision, number, *_ in parts}
    among = {part: _tally({decision: found.get((part, decision), 0) for decision in _DECIDED}) for part in _PARTS}
    rejected = sum(among[part].rejected for part in _PARTS if part is not ReviewAmong.UNCROSSED)
    among[ReviewAmong.ALL] = ReviewTally(*(sum(values) for values in zip(*among.values(), strict=True)))
    return ReviewFigures(int(counted), int(systems), int(undecided), rejected, among)


def _tally(numbers: Mapping[str | None, int]) -> ReviewTally:
    decided = {one: numbers.get(one, 0) for one in ("accepted", "rejected", "unsure")}
    return ReviewTally(openings=sum(numbers.values()), undecided=numbers.get(None, 0), **decided)


def knows_several_labels(connection: Connection, analysis_id: int) -> bool:
    """Whether the openings of an analysis are not all of one class."""
    row = connection.execute("SELECT count(DISTINCT label_index) > 1 FROM tow_openings WHERE analysis_id = ?", (analysis_id,)).fetchone()
    return bool(row[0])


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
