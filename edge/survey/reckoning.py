"""The steps from counts, track and width to a station's figures. Pure: rows in, values and sentences out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edge.store.reads.counts import CountRow
from edge.store.reads.surveys import ProtocolRow
from edge.store.reads.tracks import DistanceRow, WidthRow
from edge.survey.agreement import Agreement, AgreementState
from edge.survey.counting.clock import counts_differ
from edge.survey.counting.judge import counts_agreement
from edge.survey.counting.rules import of_one_origin
from edge.survey.density import (
    MINUTE_S,
    CorrectionFactor,
    MinuteCount,
    MinuteRule,
    StationCount,
    counted_distance,
    density,
    station_count,
    viewed_area_m2,
)
from edge.survey.navigation.distance import MinuteProfile, scaled_by_time_m

# 5,528 Scottish stations 1994 to 2024 (ices-tools-dev, NephAssess): burrow systems per square metre.
OBSERVED_P95_PER_M2 = 1.58
OBSERVED_P99_PER_M2 = 2.07
OBSERVED_MAX_PER_M2 = 3.30
ROW_TOLERANCE = 0.05
LEAST_TOW_SPEED_M_PER_S = 0.1
MOST_TOW_SPEED_M_PER_S = 0.83  # 50 m in a minute, the most that NephAssess takes for a distance

SOURCE_WORDS = {
    "usbl": "USBL of the sledge",
    "ship": "track of the ship",
    "odometer": "odometer",
    "observed": "observed",
    "estimated": "estimated",
}
RANK = tuple(SOURCE_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the counts of a tow come to.

    Attributes:
        count: None where there is none; `reasons` then says why.
        used: the counters that it is the mean of.
        needs_third: the first two do not agree and there is no third.
        left_out: minute of the window -> why it does not count.
    """

    count: StationCount | None
    used: tuple[CountRow, ...]
    agreement: Agreement | None
    needs_third: bool
    left_out: Mapping[int, str]
    reasons: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """A distance over ground in the minutes that count, and how it was come by.

    `by_minute`: minute -> metres, where the source knows it.
    """

    distance_m: float | None
    method: str
    by_minute: Mapping[int, float]
    reasons: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Area and densities of a station.

    `width_part`: standard deviation of the width as a part of it, None where that is not known.
    """

    area_m2: float | None = None
    raw_per_m2: float | None = None
    adjusted_per_m2: float | None = None
    width_part: float | None = None
    factor_source: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def sd_of(self, figure: float | None) -> float | None:
        """What the width's standard deviation is in a figure that goes with it or with its inverse, to first order."""
        return None if figure is None or self.width_part is None else figure * self.width_part


def reckon_count(revealed: Sequence[CountRow], protocol: ProtocolRow) -> Counted:
    """Formula (1) over the window of the protocol.

    With fewer counters than the protocol asks for there is no count. Where the first two do not agree the mean is that of three;
    where they do, a further count of the appliance's own is left out; a table that was imported is taken with all its counters.
    Counts that were not made blind, and counts by different starts of line or camera offsets, make no count. Counts that were made
    here and imported ones are never put into one mean: the imported are not used then.
    """
    of_one, beside = of_one_origin(revealed)
    seen = [f"the count of {one.counter} is not blind and not used: {one.not_blind}" for one in of_one if one.not_blind]
    seen += [f"the imported count of {one.counter} is not used: counts made here and imported ones are never mixed" for one in beside]
    found = _reckon_blind([one for one in of_one if not one.not_blind], protocol)
    if found.count is None:
        return replace(found, reasons=(*found.reasons, *seen))
    return replace(found, flags=(*found.flags, *seen))


def _reckon_blind(revealed: Sequence[CountRow], protocol: ProtocolRow) -> Counted:
    mixed = {one.protocol_id for one in revealed} - {protocol.id}
    if mixed:
        return _no_count("counts of this tow were made under different versions of the protocol: they are not pooled", revealed)
    if len(revealed) < protocol.counters:
        return _no_count(f"{len(revealed)} of {protocol.counters} counters have signed", revealed)
    if differ := counts_differ(revealed):
        return _no_count(differ, revealed)
    found = counts_agreement(revealed, protocol) if len(revealed) > 1 and protocol.counters > 1 else None
    disagree = found is not None and found.state is AgreementState.THIRD_COUNT
    if disagree and len(revealed) < 3:
        ccc = found.ccc if found is not None and found.ccc is not None else math.nan
        reason = f"the counters do not agree (CCC {ccc:.2f} is below {protocol.ccc_limit:g}): a third count is needed"
        return _no_count(reason, revealed, agreement=found, needs_third=True)
    all_count = disagree or any(one.origin == "imported" for one in revealed)
    used = tuple(revealed) if all_count else tuple(revealed[: protocol.counters])
    count, left_out, flags = _station_count(used, protocol)
    flags += _agreement_flags(found)
    if len(used) < len(revealed):
        names = ", ".join(one.counter for one in revealed[len(used) :])
        flags.append(f"the count of {names} is not used: the first {protocol.counters} agree")
    reasons = () if count.systems is not None else ("no minute of the window counts",)
    return Counted(
        count=count if count.systems is not None else None,
        used=used,
        agreement=found,
        needs_third=False,
        left_out=left_out,
        reasons=reasons,
        flags=tuple(flags),
    )


def _agreement_flags(found: Agreement | None) -> list[str]:
    """What no coefficient tells of the two counters; whether a third counts then is for a person to decide."""
    if found is None or found.state not in {AgreementState.ZERO_FOR_ONE_COUNTER, AgreementState.NOT_COMPUTABLE}:
        return []
    totals = " and ".join(f"{total:g}" for total in found.totals)
    if found.state is AgreementState.ZERO_FOR_ONE_COUNTER:
        return [f"one counter found nothing, the other something ({totals}): look at it together"]
    return [] if len(set(found.totals)) == 1 else [f"the counters' agreement cannot be computed, and their totals differ ({totals})"]


def _station_count(used: Sequence[CountRow], protocol: ProtocolRow) -> tuple[StationCount, dict[int, str], list[str]]:
    inside = [
        MinuteCount(counter=one.counter, minute=minute, systems=cell.systems, lost_s=cell.lost_s)
        for one in used
        for minute, cell in one.minutes.items()
        if minute in protocol.minutes
    ]
    count = station_count(inside, MinuteRule(protocol.minute_rule))
    left_out = {minute: count.left_out.get(minute, "nobody counted it") for minute in protocol.minutes if minute not in count.per_minute}
    flags = []
    for minute in count.per_minute:
        without = [one.counter for one in used if minute not in one.minutes]
        if without:
            flags.append(f"minute {minute} was not counted by {', '.join(without)}: the mean is that of the others")
    return count, left_out, flags


def _no_count(reason: str, revealed: Sequence[CountRow], *, agreement: Agreement | None = None, needs_third: bool = False) -> Counted:
    return Counted(count=None, used=tuple(revealed), agreement=agreement, needs_third=needs_third, left_out={}, reasons=(reason,), flags=())


def reckon_distance(
    choice: DistanceRow | None, profiles: Sequence[MinuteProfile], count: StationCount | None, rule: MinuteRule, tow_s: float | None
) -> Reckoned:
    """Formula (2): legs of the track in the minutes that count, or a typed distance, scaled by time where it covers the whole tow.

    Under `drop_minute` seconds lost within a minute that counts are taken out by their share of the time, the mean over the counters;
    under `scale` they stay in, since the count was already scaled up to the whole minute. What is stated for the counted
    minutes is taken as it is stated.
    """
    by_minute = {one.minute: one.distance_m for one in profiles if one.distance_m is not None}
    if choice is None:
        return _no_distance("no distance over ground: import a track or type a distance, then choose it", by_minute)
    if choice.track_id is None and choice.covers == "counted":
        flags = () if count is None else _stated_flags(choice.distance_m, count)
        return Reckoned(distance_m=choice.distance_m, method="as stated for the counted minutes", by_minute={}, reasons=(), flags=flags)
    if count is None:
        return _no_distance("without counted minutes there is no counted distance", by_minute)
    if choice.track_id is not None and tow_s is None:
        return _no_distance("the tow's start and end are not both known, so no minute of the track can be told", {})
    if choice.track_id is not None:
        found = _along_track(by_minute, count, rule)
        return replace(found, flags=(*found.flags, *_bridged_flags(profiles, count)))
    counted_s = math.fsum(count.counted_s.values())
    if tow_s is None:
        return _no_distance("the distance is that of the whole tow, and the tow's start and end are not both known", {})
    try:
        distance_m = scaled_by_time_m(choice.distance_m, tow_s, counted_s)
    except ValueError:
        return _no_distance(f"the tow took {tow_s:.0f} s, less than the {counted_s:.0f} s that were counted", {})
    return Reckoned(
        distance_m=distance_m,
        method="scaled by time",
        by_minute={},
        reasons=(),
        flags=(*_lost_flags(count), *speed_flags(choice.distance_m, tow_s)),
    )


def _along_track(by_minute: Mapping[int, float], count: StationCount, rule: MinuteRule) -> Reckoned:
    missing = [minute for minute in count.per_minute if minute not in by_minute]
    if missing and (rule is MinuteRule.DROP_MINUTE or len(missing) == len(count.per_minute)):
        minutes = ", ".join(str(minute) for minute in missing)
        return _no_distance(f"the track does not cover minute {minutes}: choose another source, or import a whole track", by_minute)
    try:
        found = counted_distance(by_minute, count, rule)
    except ValueError as error:
        return _no_distance(str(error), by_minute)
    flags = [f"minute {minute}: its distance is the mean of the others" for minute in found.replaced]
    return Reckoned(
        distance_m=found.distance_m,
        method="legs along the track",
        by_minute=by_minute,
        reasons=(),
        flags=(*flags, *_lost_flags(count), *speed_flags(found.distance_m, math.fsum(count.counted_s.values()))),
    )


def _lost_flags(count: StationCount) -> tuple[str, ...]:
    """Whether seconds of minutes that count were taken out of the distance."""
    lost_s = math.fsum(MINUTE_S - seconds for seconds in count.counted_s.values())
    if not lost_s:
        return ()
    return (f"{lost_s:g} s lost in minutes that count (the mean of the counters) are taken out of the distance",)


def _bridged_flags(profiles: Sequence[MinuteProfile], count: StationCount) -> tuple[str, ...]:
    """Whether counted minutes have gaps in their track."""
    gaps = {one.minute: one.bridged_s for one in profiles if one.minute in count.per_minute and one.bridged_s}
    if not gaps:
        return ()
    minutes = ", ".join(map(str, gaps))
    return (f"{sum(gaps.values())} s of the counted minutes ({minutes}) are a straight line over gaps in the track",)


def _stated_flags(distance_m: float, count: StationCount) -> tuple[str, ...]:
    """Whether a distance that was stated for the counted minutes can be that of these minutes."""
    flags = list(speed_flags(distance_m, math.fsum(count.counted_s.values())))
    if count.left_out:
        minutes = ", ".join(map(str, sorted(count.left_out)))
        flags.append(f"minute {minutes} does not count; the distance was stated as that of the counted minutes and is not shortened")
    return tuple(flags)


def _no_distance(reason: str, by_minute: Mapping[int, float]) -> Reckoned:
    return Reckoned(distance_m=None, method="", by_minute=by_minute, reasons=(reason,), flags=())


def reckon_figures(counted: Counted, distance: Reckoned, width: WidthRow | None, protocol: ProtocolRow | None) -> Figures:
    """Formulas (3) to (5)."""
    reasons = list(distance.reasons)
    flags = list(width_flags(width, protocol)) if width and protocol else []
    if width is None:
        reasons.append("no width of view: it has no default, measure or type it with its source")
    factor = factor_of(protocol) if protocol else None
    if protocol is not None and factor is None:
        reasons.append("no adjusted density: the protocol names no correction factor with a source")
    if width is None or distance.distance_m is None:
        return Figures(reasons=tuple(reasons), flags=tuple(flags))
    area_m2 = viewed_area_m2([(distance.distance_m, width.width_m)])
    width_part = None if width.uncertainty_m is None else width.uncertainty_m / width.width_m
    if counted.count is None or counted.count.systems is None:
        return Figures(area_m2=area_m2, width_part=width_part, reasons=tuple(reasons), flags=tuple(flags))
    found = density(counted.count.systems, area_m2, factor)
    return Figures(
        area_m2=area_m2,
        raw_per_m2=found.raw_per_m2,
        adjusted_per_m2=found.adjusted_per_m2,
        width_part=width_part,
        factor_source=None if factor is None else {"value": factor.value, "source": factor.source},
        reasons=tuple(reasons),
        flags=(*flags, *density_flags(found.raw_per_m2, counted.count.systems)),
    )


def speed_flags(distance_m: float, duration_s: float) -> tuple[str, ...]:
    """What is unusual about the speed that a distance means."""
    speed = distance_m / duration_s
    if LEAST_TOW_SPEED_M_PER_S <= speed <= MOST_TOW_SPEED_M_PER_S:
        return ()
    return (f"the distance means a speed of {speed:.2f} m/s; sledges are towed at about 0.4 m/s",)


def factor_of(protocol: ProtocolRow) -> CorrectionFactor | None:
    """The protocol's correction factor, if it names one and says where it is from."""
    if protocol.correction_factor is None or not protocol.correction_source.strip():
        return None
    return CorrectionFactor(value=protocol.correction_factor, source=protocol.correction_source)


def density_flags(raw_per_m2: float, systems: float) -> tuple[str, ...]:
    """What is unusual about a density, against the stations observed so far."""
    if systems == 0:
        return ("zero systems in the counted minutes: a result like any other",)
    for limit, words in (
        (OBSERVED_MAX_PER_M2, "the highest"),
        (OBSERVED_P99_PER_M2, "99 %"),
        (OBSERVED_P95_PER_M2, "95 %"),
    ):
        if raw_per_m2 > limit:
            return (f"{raw_per_m2:.2f} systems per m2 are above {words} of 5,528 Scottish stations ({limit:.2f}): check width and count",)
    return ()


def width_flags(width: WidthRow, protocol: ProtocolRow) -> tuple[str, ...]:
    """Whether the width holds at the row that was counted at; laser dots were measured at their own row."""
    row_height = float(json.loads(width.detail_json).get("laser_row", width.row_height))
    if abs(row_height - protocol.line_height) <= ROW_TOLERANCE:
        return ()
    rows = f"{row_height:.2f} of the frame's height and systems counted at {protocol.line_height:.2f}"
    return (f"the width was measured at {rows}: the view is oblique",)


def better_source(choice: DistanceRow | None, sources: Sequence[str]) -> str | None:
    """A source that ranks above the chosen one and is at hand."""
    if choice is None:
        return None
    better = [source for source in RANK[: RANK.index(choice.source)] if source in sources]
    return better[0] if better else None


def agreement_source(found: Agreement | None) -> dict[str, Any] | None:
    """An agreement as `sources` names it."""
    if found is None:
        return None
    return {"state": found.state.value, "ccc": found.ccc, "counters": list(found.counters), "minutes": list(found.minutes)}
