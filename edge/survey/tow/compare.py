"""A model's counts beside those of people, judged by how well people agree with each other on the same stations.

Counters differ (totals of two by 11.5 % in the median, 30 % at the 90th percentile, on 43 stations of 2020), so a model is not held
against a perfect score: on each station its difference from each counter is set against their difference from each other. Below 20
stations there is no verdict (nephrops.md, section 7).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise

from edge.survey.agreement import MIN_MEAN_PER_MINUTE, lin_ccc

LEAST_STATIONS = 20
_CERTAIN = 1.645  # of a normal distribution, one-sided 95 %


class Verdict(StrEnum):
    """What the stations say of a model.

    AS_PEOPLE: it differs from them no more than they from each other. NOT_TOLD_APART: it differs more, but not by more than chance
    would give. WORSE: by more.
    """

    TOO_FEW = "too_few"
    AS_PEOPLE = "as_people"
    NOT_TOLD_APART = "not_told_apart"
    WORSE = "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCounts:
    """One station: systems by minute, the model's and those of every counter whose count is revealed.

    Attributes:
        model: minute -> systems; a minute that counts for nobody is not there.
        people: counter -> minute -> systems.
    """

    station: str
    model: Mapping[int, float]
    people: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """How near two series are.

    Attributes:
        n: values that both have.
        bias: mean of the first minus the second.
        bias_share: the same as a part of the second's mean; None where that is 0.
        mae, rmse: mean absolute difference, root of the mean square.
        ccc: Lin's coefficient; None below 2 values, where nothing varies, or where there is next to nothing to count.
    """

    n: int
    bias: float
    bias_share: float | None
    mae: float
    rmse: float
    ccc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationComparison:
    """A station over the minutes that the model and all its counters have.

    Attributes:
        model_total, people_total: systems over them; of people the mean of the counters.
        by_minute: the model against the mean of the counters; None where they share no minute.
        between_people: the first two counters by minute; None where there is only one.
        model_apart: mean over the counters of |model's total - counter's total|.
        people_apart: mean over the pairs of counters of the difference of their totals; None where there is only one.
    """

    station: str
    minutes: tuple[int, ...]
    model_total: float
    people_total: float
    by_minute: Closeness | None
    between_people: Closeness | None
    model_apart: float
    people_apart: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A survey.

    Attributes:
        stations: those with a count of people and the model's.
        totals: the model's totals against the mean of the counters, over the stations.
        people_totals: the first counters' totals against the second's, over the stations with two.
        judged: stations with two counters or more; the verdict is theirs.
        excess: mean over them of how much further the model is from a counter than they are from each other, systems per station;
            `excess_se` its standard error. None without such stations, and with fewer than two.
    """

    stations: tuple[StationComparison, ...]
    totals: Closeness | None
    people_totals: Closeness | None
    judged: int
    excess: float | None
    excess_se: float | None
    verdict: Verdict


def compare_counts(stations: Sequence[StationCounts], *, min_mean_per_minute: float | None = MIN_MEAN_PER_MINUTE) -> Comparison:
    """Set a model's counts beside people's.

    Args:
        stations: with revealed counts only; one that shares no minute, or has no counter, is left out.
        min_mean_per_minute: at or below it no coefficient by minute is worked out, as between counters; None: always.

    Raises:
        ValueError: a station is there twice.
    """
    names = [station.station for station in stations]
    if len(set(names)) != len(names):
        raise ValueError("a station is there twice: its tows are one")
    found = [one for one in (_station(station, min_mean_per_minute) for station in stations) if one is not None]
    doubled = [one for one in found if one.people_apart is not None]
    more = [one.model_apart - (one.people_apart or 0.0) for one in doubled]
    excess = math.fsum(more) / len(more) if more else None
    error = None if excess is None or len(more) < 2 else math.sqrt(math.fsum((x - excess) ** 2 for x in more) / (len(more) - 1) / len(more))
    totals = [(one.model_total, one.people_total) for one in found]
    first_two = [_first_two(station, one.minutes) for station, one in _with_two(stations, found)]
    return Comparison(
        stations=tuple(found),
        totals=closeness(*_unzipped(totals)),
        people_totals=closeness(*_unzipped(first_two)),
        judged=len(doubled),
        excess=excess,
        excess_se=error,
        verdict=_verdict(len(doubled), excess, error),
    )


def closeness(x: Sequence[float], y: Sequence[float], *, min_mean: float | None = None) -> Closeness | None:
    """How near `x` is to `y`, value by value; None where there is none.

    Raises:
        ValueError: they differ in length.
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} values cannot be compared")
    if not x:
        return None
    n = len(x)
    differences = [a - b for a, b in zip(x, y, strict=True)]
    bias, mean_y = math.fsum(differences) / n, math.fsum(y) / n
    scarce = min_mean is not None and (math.fsum(x) + math.fsum(y)) / (2 * n) <= min_mean
    still = all(a == b for a, b in pairwise(x)) and all(a == b for a, b in pairwise(y))
    return Closeness(
        n=n,
        bias=bias,
        bias_share=None if mean_y == 0 else bias / mean_y,
        mae=math.fsum(map(abs, differences)) / n,
        rmse=math.sqrt(math.fsum(d * d for d in differences) / n),
        ccc=None if scarce or still or n < 2 else lin_ccc(tuple(map(float, x)), tuple(map(float, y))),
    )


def _station(station: StationCounts, min_mean: float | None) -> StationComparison | None:
    counters = list(station.people.values())
    if not counters:
        return None
    minutes = tuple(sorted(set(station.model).intersection(*counters)))
    if not minutes:
        return None
    model = [float(station.model[minute]) for minute in minutes]
    people = [[float(counter[minute]) for minute in minutes] for counter in counters]
    mean = [math.fsum(values) / len(values) for values in zip(*people, strict=True)]
    sums = [math.fsum(values) for values in people]
    apart = [abs(a - b) for a, b in combinations(sums, 2)]
    return StationComparison(
        station=station.station,
        minutes=minutes,
        model_total=math.fsum(model),
        people_total=math.fsum(sums) / len(sums),
        by_minute=closeness(model, mean, min_mean=min_mean),
        between_people=closeness(people[0], people[1], min_mean=min_mean) if len(people) > 1 else None,
        model_apart=math.fsum(abs(math.fsum(model) - total) for total in sums) / len(sums),
        people_apart=math.fsum(apart) / len(apart) if apart else None,
    )


def _with_two(stations: Sequence[StationCounts], found: Sequence[StationComparison]) -> list[tuple[StationCounts, StationComparison]]:
    by_name = {one.station: one for one in found if one.people_apart is not None}
    return [(station, by_name[station.station]) for station in stations if station.station in by_name]


def _first_two(station: StationCounts, minutes: tuple[int, ...]) -> tuple[float, float]:
    first, second = list(station.people.values())[:2]
    return math.fsum(first[minute] for minute in minutes), math.fsum(second[minute] for minute in minutes)


def _unzipped(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [a for a, _ in pairs], [b for _, b in pairs]


def _verdict(judged: int, excess: float | None, error: float | None) -> Verdict:
    if judged < LEAST_STATIONS or excess is None or error is None:
        return Verdict.TOO_FEW
    if excess <= 0:
        return Verdict.AS_PEOPLE
    return Verdict.NOT_TOLD_APART if excess <= _CERTAIN * error else Verdict.WORSE
