"""How the counters of a survey agree: per station, per counter, and which stations wait for somebody."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from edge.store.reads.counts import CountRow, counts_of_tow
from edge.store.reads.surveys import ProtocolRow, TowRow, protocols, survey, survey_tows
from edge.store.sqlite import Connection
from edge.survey.agreement import Agreement, AgreementState
from edge.survey.counting.judge import CountsState, TowCounts, counts_agreement, pairwise_agreement, tow_counts
from edge.survey.counting.rules import judging_rules, of_one_origin, standing_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAgreement:
    """A tow's counters. `agreement` is None until the counts are revealed; `progress` says what is missing.

    `check_skills`: three have counted and no two of them agree: look at it with all three; the mean of three is used.
    """

    tow: TowRow
    progress: TowCounts
    agreement: Agreement | None
    counters: tuple[str, ...]
    totals: tuple[float, ...]
    check_skills: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterAgreement:
    """A counter over the stations of a survey, against whoever counted with them.

    Attributes:
        letter: stands for the counter where names are left out.
        median_ccc: over the stations with a coefficient.
        bias: median of (own total - mean of the others) / mean of the others.
    """

    counter: str
    letter: str
    stations: int
    cccs: tuple[float, ...]
    median_ccc: float | None
    bias: float | None
    below_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyAgreement:
    """All of it. `third_counts`: stations that wait for a third person, also those whose first two counts came from a table."""

    stations: tuple[StationAgreement, ...]
    counters: tuple[CounterAgreement, ...]
    ccc_limit: float
    third_counts: tuple[str, ...]


def survey_agreement(connection: Connection, survey_id: int) -> SurveyAgreement:
    """Read and judge every tow of a survey that has a count."""
    versions = protocols(connection, survey_id)
    row = survey(connection, survey_id)
    is_reference = row is not None and row.kind == "reference"
    stations = []
    for of in survey_tows(connection, survey_id):
        counts = standing_counts(counts_of_tow(connection, of.id))
        rules = judging_rules(connection, counts, survey_id) if counts else None
        if rules is not None:
            stations.append(station_agreement(of, counts, rules, is_reference=is_reference))
    limit = versions[0].ccc_limit if versions else 0.5
    waiting = () if is_reference else tuple(one.tow.station for one in stations if _waits_for_third(one))
    counters = _by_counter(stations, limit, f"survey/{survey_id}")
    return SurveyAgreement(stations=tuple(stations), counters=counters, ccc_limit=limit, third_counts=waiting)


def _waits_for_third(one: StationAgreement) -> bool:
    disagree = one.agreement is not None and one.agreement.state is AgreementState.THIRD_COUNT
    return one.progress.state is CountsState.THIRD_COUNT or (disagree and len(one.counters) < 3)


def station_agreement(of: TowRow, counts: Sequence[CountRow], rules: ProtocolRow, *, is_reference: bool) -> StationAgreement:
    """One tow from its standing counts; imported ones are left out where counts were made here."""
    progress = tow_counts(counts, rules, is_reference=is_reference)
    shown, _ = of_one_origin([one for one in counts if one.revealed_utc is not None])
    agreed = counts_agreement(shown, rules) if shown else None
    pairs = pairwise_agreement(shown, rules) if len(shown) > 2 else ()
    known = [pair for pair in pairs if pair.state in (AgreementState.AGREED, AgreementState.THIRD_COUNT)]
    return StationAgreement(
        tow=of,
        progress=progress,
        agreement=agreed,
        counters=tuple(one.counter for one in shown),
        totals=tuple(sum(minute.systems for minute in one.minutes.values()) for one in shown),
        check_skills=bool(known) and all(pair.state is AgreementState.THIRD_COUNT for pair in known),
    )


def _by_counter(stations: Sequence[StationAgreement], limit: float, salt: str) -> tuple[CounterAgreement, ...]:
    cccs: dict[str, list[float]] = {}
    biases: dict[str, list[float]] = {}
    counted: dict[str, int] = {}
    for station in stations:
        for place, counter in enumerate(station.counters):
            counted[counter] = counted.get(counter, 0) + 1
            others = [total for other, total in enumerate(station.totals) if other != place]
            mean = sum(others) / len(others) if others else 0.0
            if mean > 0:
                biases.setdefault(counter, []).append((station.totals[place] - mean) / mean)
            if station.agreement is not None and station.agreement.ccc is not None and counter in station.agreement.counters:
                cccs.setdefault(counter, []).append(station.agreement.ccc)
    shuffled = sorted(counted, key=lambda counter: hashlib.sha256(f"{salt}/{counter}".encode()).hexdigest())  # no order of names
    return tuple(_counter(counter, place, counted, cccs, biases, limit) for place, counter in enumerate(shuffled))


def _counter(  # noqa: PLR0917 (one row of three tables)
    counter: str,
    place: int,
    counted: Mapping[str, int],
    cccs: Mapping[str, list[float]],
    biases: Mapping[str, list[float]],
    limit: float,
) -> CounterAgreement:
    own = tuple(cccs.get(counter, ()))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return CounterAgreement(
        counter=counter,
        letter=letters[place] if place < len(letters) else f"A{place}",
        stations=counted[counter],
        cccs=own,
        median_ccc=median(own) if own else None,
        bias=median(biases[counter]) if biases.get(counter) else None,
        below_limit=sum(one < limit for one in own),
    )
