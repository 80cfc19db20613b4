"""From counts by minute to the density of a station; each figure keeps what it was made from.

Two protocols exist and are never mixed (ices-eg/wg_WGNEPS for the first, ices-tools-dev NephAssess for the second):

    drop_minute   a minute in which any counter paused for 30 s or more is dropped, for all counters and from the distance; shorter
                  losses stay out of the distance only: nothing was counted there
    scale         a count is scaled up by the seconds that its counter lost; a minute lost whole is missing for that counter
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from edge.survey.agreement import PAUSE_LIMIT_S

MINUTE_S = 60.0
MAX_MINUTE_DISTANCE_M = 50.0  # of the Scottish protocol alone


class MinuteRule(StrEnum):
    """What becomes of seconds that could not be counted."""

    DROP_MINUTE = "drop_minute"
    SCALE = "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteCount:
    """What one counter made of one minute. `lost_s`: seconds in which nothing could be counted."""

    counter: str
    minute: int
    systems: float
    lost_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no count.

        Raises:
            ValueError: a negative count or not a number, or more seconds lost than a minute has.
        """
        if not (math.isfinite(self.systems) and self.systems >= 0):
            raise ValueError(f"minute {self.minute}: {self.systems} is no count")
        if not 0 <= self.lost_s <= MINUTE_S:
            raise ValueError(f"minute {self.minute}: {self.lost_s} s of a minute cannot be lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCount:
    """A station's count, formula (1): over minutes the mean over the counters present, summed.

    Attributes:
        systems: None where no minute is left to count in; never 0 for want of minutes.
        per_minute: minute -> mean of the counters present.
        counted_s: minute -> seconds that its count stands for: under `drop_minute` those that could be counted, the mean over the
            counters present; under `scale` the whole minute, which the count was scaled up to.
        left_out: minute -> why it does not count.
    """

    systems: float | None
    per_minute: Mapping[int, float]
    counted_s: Mapping[int, float]
    left_out: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """Distance over ground in the minutes that count. `replaced`: minutes whose own distance could not be true."""

    distance_m: float
    replaced: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionFactor:
    """By how much raw densities are too high: edge effect x detection x identification x occupancy, of one functional unit."""

    value: float
    source: str

    def __post_init__(self) -> None:
        """Refuse a factor that no benchmark gave.

        Raises:
            ValueError: it is not a positive number, or nobody says where it comes from.
        """
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"{self.value} is no correction factor")
        if not self.source.strip():
            raise ValueError("a correction factor needs a source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """Systems per square metre: as counted, and divided by the correction factor where there is one."""

    area_m2: float
    raw_per_m2: float
    adjusted_per_m2: float | None
    factor: CorrectionFactor | None


def station_count(counts: Sequence[MinuteCount], rule: MinuteRule) -> StationCount:
    """Count a station under one rule.

    Raises:
        ValueError: a counter has a minute twice.
    """
    by_minute: dict[int, dict[str, MinuteCount]] = {}
    for count in counts:
        if by_minute.setdefault(count.minute, {}).setdefault(count.counter, count) is not count:
            raise ValueError(f"counter {count.counter} has minute {count.minute} twice")
    per_minute: dict[int, float] = {}
    counted_s: dict[int, float] = {}
    left_out: dict[int, str] = {}
    for minute, present in sorted(by_minute.items()):
        values, why = _values(tuple(present.values()), rule)
        if values:
            per_minute[minute] = math.fsum(values) / len(values)
            lost_s = 0.0 if rule is MinuteRule.SCALE else math.fsum(one.lost_s for one in present.values()) / len(present)
            counted_s[minute] = MINUTE_S - lost_s
        else:
            left_out[minute] = why
    systems = math.fsum(per_minute.values()) if per_minute else None
    return StationCount(systems=systems, per_minute=per_minute, counted_s=counted_s, left_out=left_out)


def _values(present: Sequence[MinuteCount], rule: MinuteRule) -> tuple[list[float], str]:
    if rule is MinuteRule.DROP_MINUTE:
        paused = sorted(count.counter for count in present if count.lost_s >= PAUSE_LIMIT_S)
        if paused:
            return [], f"{', '.join(paused)} paused for {PAUSE_LIMIT_S:.0f} s or more"
        return [count.systems for count in present], ""
    seen = [count.systems * MINUTE_S / (MINUTE_S - count.lost_s) for count in present if count.lost_s < MINUTE_S]
    return seen, "" if seen else "lost whole by every counter"


def counted_distance(distance_m_by_minute: Mapping[int, float | None], counted: StationCount, rule: MinuteRule) -> Distance:
    """Distance over ground of the seconds that count, formula (2).

    Of a minute in which seconds were lost its share by time counts, since counters do not all say which seconds they were. Under
    `scale` a minute's distance that is missing, not positive or above 50 m is replaced by the mean of the others, and told. The limit
    is that protocol's own: under `drop_minute` every positive distance is taken as it was measured (`speed_flags` tells one that is too
    long), and one that is missing or not positive is an error, since nothing there allows to replace it.

    Raises:
        ValueError: no minute counts, or a distance is missing or impossible where it must not be.
    """
    minutes = tuple(counted.per_minute)
    if not minutes:
        raise ValueError("no minute counts, so there is no distance")
    given = {minute: distance_m_by_minute.get(minute) for minute in minutes}
    most_m = MAX_MINUTE_DISTANCE_M if rule is MinuteRule.SCALE else math.inf
    sound = {minute: value for minute, value in given.items() if value is not None and 0 < value <= most_m and math.isfinite(value)}
    replaced = tuple(minute for minute in minutes if minute not in sound)
    if replaced and (rule is MinuteRule.DROP_MINUTE or not sound):
        raise ValueError(f"minute {replaced[0]}: {given[replaced[0]]} m is no distance over ground")
    mean_m = math.fsum(sound.values()) / len(sound)
    shares = (sound.get(minute, mean_m) * counted.counted_s[minute] / MINUTE_S for minute in minutes)
    return Distance(distance_m=math.fsum(shares), replaced=replaced)


def viewed_area_m2(legs: Sequence[tuple[float, float]]) -> float:
    """Formula (3): sum over legs of (distance_m, width_m). The width is that at the counting row; nothing else multiplies it.

    Raises:
        ValueError: no leg, a negative distance, or a width that is not positive.
    """
    if not legs:
        raise ValueError("no leg, no area")
    for distance_m, width_m in legs:
        if not (math.isfinite(distance_m) and distance_m >= 0 and math.isfinite(width_m) and width_m > 0):
            raise ValueError(f"a leg of {distance_m} m by {width_m} m has no area")
    return math.fsum(distance_m * width_m for distance_m, width_m in legs)


def density(systems: float, area_m2: float, factor: CorrectionFactor | None = None) -> Density:
    """Formulas (4) and (5).

    Raises:
        ValueError: the area is not positive: that is a missing measurement, not a density of zero.
    """
    if not (math.isfinite(area_m2) and area_m2 > 0):
        raise ValueError(f"an area of {area_m2} m2 gives no density")
    raw = systems / area_m2
    return Density(area_m2=area_m2, raw_per_m2=raw, adjusted_per_m2=None if factor is None else raw / factor.value, factor=factor)
