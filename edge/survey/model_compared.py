"""A model's counts beside those that people signed, station by station: as the model made them, and after people reviewed its openings.

Only tows whose counts are revealed enter, over the minutes that count for the station; the counts are those that the station's result
is made from. Advisory: nothing of it enters a density.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.store.reads.counts import counts_of_tow
from edge.store.reads.footage import AnalysisRow, analysed_minutes
from edge.store.reads.reviews import ReviewTally, review_tally, reviewed_openings
from edge.store.reads.surveys import StationRow, TowRow, main_tow, stations
from edge.store.sqlite import Connection
from edge.survey.density import MINUTE_S, MinuteRule
from edge.survey.judged import JudgedTow, judge_tow
from edge.survey.review_standing import ReviewState, standing
from edge.survey.reviewed import ReviewedCount, reviewed_count
from edge.survey.tow.compare import Comparison, StationCounts, compare_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class StationModel:
    """A station's model counts beside its people's.

    Attributes:
        words: why it is not compared; empty where it is.
        model: name and version; None where there is no analysis that may be seen.
        model_systems, reviewed_systems: over the whole tow.
        tally: how far the review is.
    """

    station: str
    station_id: int
    tow_id: int | None
    words: str
    model: str | None = None
    model_systems: float | None = None
    reviewed_systems: int | None = None
    tally: ReviewTally | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCompared:
    """A survey. `as_made`: the model's own counts against people's; `reviewed`: those after review, on the same stations."""

    stations: tuple[StationModel, ...]
    as_made: Comparison
    reviewed: Comparison


def compare_with_people(connection: Connection, survey_id: int) -> ModelCompared:
    """Set the model's counts of a survey's stations beside the signed ones of people."""
    told: list[StationModel] = []
    as_made: list[StationCounts] = []
    reviewed: list[StationCounts] = []
    for place in stations(connection, survey_id):
        of = main_tow(connection, place.id)
        found, pair = _station(connection, place, of)
        told.append(found)
        if pair is not None:
            as_made.append(pair[0])
            reviewed.append(pair[1])
    return ModelCompared(stations=tuple(told), as_made=compare_counts(as_made), reviewed=compare_counts(reviewed))


def _station(
    connection: Connection, place: StationRow, of: TowRow | None
) -> tuple[StationModel, tuple[StationCounts, StationCounts] | None]:
    if of is None:
        return StationModel(station=place.name, station_id=place.id, tow_id=None, words="it has no tow in the analysis"), None
    review = standing(connection, of.id)
    if review.state is not ReviewState.READY or review.analysis is None:
        return StationModel(station=place.name, station_id=place.id, tow_id=of.id, words=review.words), None
    analysis = review.analysis
    counted = reviewed_count(reviewed_openings(connection, analysis.id))
    is_reference = place.survey_kind == "reference"
    judged = judge_tow(connection, counts_of_tow(connection, of.id), survey_id=of.survey_id, is_reference=is_reference)
    pair = _pair(connection, place, judged, analysis, counted)
    found = StationModel(
        station=place.name,
        station_id=place.id,
        tow_id=of.id,
        words="" if pair is not None else judged.progress.words or "no count of people is revealed",
        model=None if analysis.model is None else f"{analysis.model} {analysis.model_version}",
        model_systems=analysis.systems,
        reviewed_systems=counted.systems,
        tally=review_tally(connection, analysis.id),
    )
    return found, pair


def _pair(
    connection: Connection, place: StationRow, judged: JudgedTow, analysis: AnalysisRow, counted: ReviewedCount
) -> tuple[StationCounts, StationCounts] | None:
    """The station over the minutes that count: the model's own counts, and those after review. None where nothing is to compare."""
    if judged.rules is None or judged.counted is None or judged.counted.count is None:
        return None
    rule = MinuteRule(judged.rules.minute_rule)
    minutes = judged.counted.count.per_minute.keys()
    rows = {one.minute: one for one in analysed_minutes(connection, analysis.id) if one.minute in minutes}
    people = {
        one.counter: {minute: _systems(cell.systems, cell.lost_s, rule) for minute, cell in one.minutes.items() if minute in minutes}
        for one in judged.counted.used
    }
    after: Mapping[int, float] = {minute: float(counted.systems_by_minute.get(minute, 0)) for minute in rows}
    return (
        StationCounts(station=place.name, model={minute: row.systems for minute, row in rows.items()}, people=people),
        StationCounts(station=place.name, model=after, people=people),
    )


def _systems(systems: float, lost_s: float, rule: MinuteRule) -> float:
    """What a counter would have seen in the whole minute, under the rule that scales; as counted under the other."""
    return systems * MINUTE_S / (MINUTE_S - lost_s) if rule is MinuteRule.SCALE and lost_s < MINUTE_S else systems
