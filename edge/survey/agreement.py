"""How well two counters agree on a station: Lin's concordance over the minutes that both could count.

The states, and the order in which they are asked for, are those of the working group's scripts (ices-eg/wg_WGNEPS), read in
`Recounts` tables of 2020: a coefficient of a station with next to nothing on it says nothing about its counters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

MIN_MEAN_PER_MINUTE = 1.5
CCC_LIMIT = 0.5
PAUSE_LIMIT_S = 30.0


class AgreementState(StrEnum):
    """What can be said of two counters on a station.

    TOO_LOW comes before the others: with 1.5 systems per counter and minute or less the coefficient hangs on single burrows. Where
    both counted nothing, that is ZERO only under a protocol without such a limit. NOT_COMPARABLE: start of line or camera offset
    differed between the two, so that a minute is not the same minute.
    """

    TOO_LOW = "too_low"
    ZERO_FOR_ONE_COUNTER = "zero_for_one_counter"
    ZERO = "zero"
    NOT_COMPUTABLE = "not_computable"
    NO_COMMON_MINUTE = "no_common_minute"
    ONE_COUNTER = "one_counter"
    NOT_COMPARABLE = "not_comparable"
    THIRD_COUNT = "third_count"
    AGREED = "agreed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two counters on one station.

    Attributes:
        ccc: Lin's coefficient, None where `state` says why there is none.
        minutes: those that both counted and nobody lost.
        totals: systems over `minutes` per counter, in the order of `counters`.
        unusable_minutes: left out, because a counter paused for 30 s or more in them.
    """

    state: AgreementState
    ccc: float | None
    counters: tuple[str, ...]
    minutes: tuple[int, ...]
    totals: tuple[float, ...]
    unusable_minutes: tuple[int, ...]


def lin_ccc(x: tuple[float, ...], y: tuple[float, ...]) -> float | None:
    """Lin's concordance correlation coefficient, variances over n; None where both series are constant and equal.

    2 s_xy / (s_x^2 + s_y^2 + (mean x - mean y)^2), Lin (1989), Biometrics 45, 255-268.

    Raises:
        ValueError: the series differ in length or are empty.
    """
    if len(x) != len(y) or not x:
        raise ValueError(f"{len(x)} and {len(y)} values cannot be compared")
    n = len(x)
    mean_x, mean_y = sum(x) / n, sum(y) / n
    variance_x = sum((value - mean_x) ** 2 for value in x) / n
    variance_y = sum((value - mean_y) ** 2 for value in y) / n
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / n
    scale = variance_x + variance_y + (mean_x - mean_y) ** 2
    return None if scale == 0 else 2 * covariance / scale


def agreement(
    counts: Mapping[str, Mapping[int, float]],
    unusable_minutes: Collection[int] = (),
    *,
    min_mean_per_minute: float | None = MIN_MEAN_PER_MINUTE,
    ccc_limit: float = CCC_LIMIT,
) -> Agreement:
    """Compare the first two counters of a station.

    Args:
        counts: counter -> minute -> systems counted in it, in the order in which they counted. A third counter's are for the
            estimate, not for this comparison.
        unusable_minutes: those in which any counter paused for `PAUSE_LIMIT_S` or more; they count for nobody.
        min_mean_per_minute: of both counters together; at or below it there is no coefficient. None: always compute.
        ccc_limit: below it a third counter is needed.
    """
    counters = tuple(counts)[:2]
    unusable = tuple(sorted(unusable_minutes))
    common = set.intersection(*(set(counts[counter]) for counter in counters)) if len(counters) == 2 else set()
    minutes = tuple(sorted(common - set(unusable)))
    series = [tuple(counts[counter][minute] for minute in minutes) for counter in counters]
    totals = tuple(sum(values) for values in series)
    state, ccc = _judged(series, min_mean_per_minute, ccc_limit)
    return Agreement(state=state, ccc=ccc, counters=counters, minutes=minutes, totals=totals, unusable_minutes=unusable)


def _judged(series: list[tuple[float, ...]], min_mean_per_minute: float | None, ccc_limit: float) -> tuple[AgreementState, float | None]:
    if len(series) < 2:
        return AgreementState.ONE_COUNTER, None
    x, y = series
    if not x:
        return AgreementState.NO_COMMON_MINUTE, None
    if min_mean_per_minute is not None and (sum(x) + sum(y)) / (2 * len(x)) <= min_mean_per_minute:
        return AgreementState.TOO_LOW, None
    if not any(x) and not any(y):
        return AgreementState.ZERO, None
    if not any(x) or not any(y):
        return AgreementState.ZERO_FOR_ONE_COUNTER, None
    if len(set(x)) == len(set(y)) == 1:  # nothing varies, as in a single minute: the coefficient is 0/0, or 0 for any difference
        return AgreementState.NOT_COMPUTABLE, None
    ccc = lin_ccc(x, y)
    assert ccc is not None  # the scale is not 0 where something varies
    return (AgreementState.THIRD_COUNT if ccc < ccc_limit else AgreementState.AGREED), ccc
