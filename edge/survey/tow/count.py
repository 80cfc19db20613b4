"""The line rule: a model's openings and systems by minute, with what they are uncertain by. Advisory: no density is made of them.

An opening counts when the centre of its box passes the line downwards inside the frame between the first and the last frame of the tow;
its minute is the one in which it passed, the tow's first is 1. A system counts once, when the first of its counted openings passes.
`openings` and `systems` are the unique ones over the whole tow; `window_systems` is what the protocol's minutes come to under its rule
for seconds lost.

Standard deviations are those of sums of independent yes-or-no (Poisson's binomial): an opening is real with its track's confidence, and
passes within a minute as the normal distribution of its moment says (what the motion is off by is in that moment); a system is more or
one less by every pair that may have been joined wrongly, or wrongly not. What all openings share, such as a detector that misses a kind
of them, is not in it: that shows only beside people's counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.survey.agreement import PAUSE_LIMIT_S
from edge.survey.tow.systems import Systems
from edge.survey.tow.tracks import Float64Array, OpeningTrack, TowTracks

MINUTE_S = 60.0
DROP_MINUTE, SCALE = "drop_minute", "scale"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteCount:
    """A minute of the tow.

    Attributes:
        openings, systems: that passed the line in it.
        openings_sd, systems_sd: standard deviations.
        extrapolated: of the openings, those that passed where they were not seen.
        lost_s: seconds of it in which nothing could be counted, as stated.
        counted_s: seconds of it that the tow has and that were not lost.
        value: systems under the rule for seconds lost; None: the minute counts for nobody.
    """

    minute: int
    openings: int
    systems: int
    openings_sd: float
    systems_sd: float
    extrapolated: int
    lost_s: float
    counted_s: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCount:
    """What a model counts on a tow. Numbers of the whole tow, then of the protocol's window.

    Attributes:
        tracker, version, method: who followed the openings, who grouped them.
        openings_expected: sum of the probabilities of all openings that passed; beside `openings` it tells how many are doubtful.
        minutes: every minute that the tow reaches into, whether it is in the window or not.
        window: first and last minute of the protocol; None: every minute of the tow.
        window_systems: sum of the values of its minutes; None where not one of them counts.
        unusable_minutes: of the window, those that count for nobody.
        absent_minutes: of the window, those that the tow does not reach into.
    """

    tracker: str
    version: str
    method: str
    method_version: str
    openings: int
    systems: int
    openings_sd: float
    systems_sd: float
    openings_expected: float
    extrapolated: int
    minutes: tuple[MinuteCount, ...]
    window: tuple[int, int] | None
    minute_rule: str
    window_systems: float | None
    window_systems_sd: float | None
    unusable_minutes: tuple[int, ...]
    absent_minutes: tuple[int, ...]


def count_line(
    tracks: TowTracks,
    systems: Systems,
    *,
    window: tuple[int, int] | None = None,
    lost_s: Mapping[int, float] | None = None,
    minute_rule: str = DROP_MINUTE,
) -> ModelCount:
    """Count what passed the line.

    Args:
        tracks: of the tow.
        systems: of these tracks.
        window: first and last minute, both counted.
        lost_s: minute -> seconds not countable, as people decided or visibility proposes.
        minute_rule: "drop_minute" (30 s lost or more: it counts for nobody) or "scale" (systems x 60 / (60 - seconds lost)).

    Raises:
        ValueError: an unknown rule, a window that ends before it begins, or seconds lost outside 0..60.
    """
    lost = dict(lost_s or {})
    _check(window, lost, minute_rule)
    crossed = [one for one in tracks.tracks if one.crossing_s is not None]
    counted = tracks.counted
    first_of = _first_openings(counted, systems)
    doubt = _doubt(systems, {one.id for one in counted})
    minutes = _minutes(tracks, first_of, doubt, lost=lost, minute_rule=minute_rule)
    confidence = np.array([one.confidence for one in crossed])
    spread = float((confidence * (1 - confidence)).sum())
    chosen = [one for one in minutes if window is None or window[0] <= one.minute <= window[1]]
    known = [one for one in chosen if one.value is not None]
    variance = math.fsum((one.systems_sd * _factor(one.lost_s, minute_rule)) ** 2 for one in known)
    reached = {one.minute for one in minutes}
    return ModelCount(
        tracker=tracks.tracker,
        version=tracks.version,
        method=systems.method,
        method_version=systems.version,
        openings=len(counted),
        systems=len(first_of),
        openings_sd=math.sqrt(spread),
        systems_sd=math.hypot(
            math.sqrt(spread * len(first_of) / max(len(counted), 1) + sum(doubt.values())), len(first_of) * systems.spacing.systems_sd_share
        ),
        openings_expected=float(confidence.sum()),
        extrapolated=sum(one.is_extrapolated for one in counted),
        minutes=tuple(minutes),
        window=window,
        minute_rule=minute_rule,
        window_systems=math.fsum(one.value or 0.0 for one in known) if known else None,
        window_systems_sd=math.sqrt(variance) if known else None,
        unusable_minutes=tuple(one.minute for one in chosen if one.value is None),
        absent_minutes=() if window is None else tuple(m for m in range(window[0], window[1] + 1) if m not in reached),
    )


def system_crossings(tracks: TowTracks, systems: Systems) -> dict[int, float]:
    """System -> when it counts: the crossing of the first of its counted openings. A system none of which counts is not there."""
    at = {one.id: one.crossing_s for one in tracks.counted if one.crossing_s is not None}
    found = {one.id: [at[opening] for opening in one.openings if opening in at] for one in systems.systems}
    return {name: min(times) for name, times in found.items() if times}


def _minutes(
    tracks: TowTracks, first_of: set[int], doubt: Mapping[int, float], *, lost: Mapping[int, float], minute_rule: str
) -> list[MinuteCount]:
    """Every minute that the tow reaches into."""
    begin, end = float(tracks.travel.at_s[0]), float(tracks.travel.at_s[-1])
    crossed = [one for one in tracks.tracks if one.crossing_s is not None]
    by_minute: dict[int, list[OpeningTrack]] = {}
    for one in tracks.counted:
        by_minute.setdefault(_minute_of(one.crossing_s or 0.0), []).append(one)
    minutes = []
    for minute in range(_minute_of(begin), _minute_of(end) + 1):
        from_s, to_s = (minute - 1) * MINUTE_S, minute * MINUTE_S
        here = by_minute.get(minute, [])
        n_systems = sum(one.id in first_of for one in here)
        chance = _chances(crossed, from_s, to_s)
        spread = float((chance * (1 - chance)).sum())
        seconds = max(0.0, min(to_s, end) - max(from_s, begin))
        minutes.append(
            MinuteCount(
                minute=minute,
                openings=len(here),
                systems=n_systems,
                openings_sd=math.sqrt(spread),
                systems_sd=math.sqrt(spread * n_systems / max(len(here), 1) + sum(doubt.get(one.id, 0.0) for one in here)),
                extrapolated=sum(one.is_extrapolated for one in here),
                lost_s=lost.get(minute, 0.0),
                counted_s=max(0.0, seconds - lost.get(minute, 0.0)),
                value=_value(n_systems, lost.get(minute, 0.0), minute_rule),
            )
        )
    return minutes


def _check(window: tuple[int, int] | None, lost: Mapping[int, float], minute_rule: str) -> None:
    if minute_rule not in {DROP_MINUTE, SCALE}:
        raise ValueError(f"no rule for seconds lost is called {minute_rule!r}")
    if window is not None and not 1 <= window[0] <= window[1]:
        raise ValueError(f"minutes {window[0]} to {window[1]} are no window")
    if not all(0 <= seconds <= MINUTE_S for seconds in lost.values()):
        raise ValueError("the seconds lost of a minute lie between 0 and 60")


def _minute_of(at_s: float) -> int:
    return int(at_s // MINUTE_S) + 1


def _first_openings(counted: tuple[OpeningTrack, ...], systems: Systems) -> set[int]:
    """The openings with which a system counts: the first to pass of each."""
    system_of = {opening: one.id for one in systems.systems for opening in one.openings}
    first: dict[int, int] = {}
    for one in counted:  # in order of crossing
        first.setdefault(system_of[one.id], one.id)
    return set(first.values())


def _doubt(systems: Systems, counted: set[int]) -> dict[int, float]:
    """Opening -> variance that its system's being proposed rightly adds to a number of systems.

    Every further member may be a system of its own, and every system a part of its likeliest neighbour; the latter is a pair's doubt,
    half of which each of the two carries.
    """
    doubt: dict[int, float] = {}
    for one in systems.systems:
        inside = [(p, opening) for p, opening in zip(one.belonging, one.openings, strict=True) if opening in counted]
        for p, opening in inside[1:]:
            doubt[opening] = p * (1 - p)
        if inside:
            doubt[inside[0][1]] = one.apart * (1 - one.apart) / 2
    return doubt


def _chances(crossed: list[OpeningTrack], from_s: float, to_s: float) -> Float64Array:
    """(N,) probability that each is an opening and passed within these seconds."""
    return np.array(
        [
            one.confidence * (_normal(to_s, one) - _normal(from_s, one))
            for one in crossed
            if abs((one.crossing_s or 0.0) - (from_s + to_s) / 2) < MINUTE_S / 2 + 6 * one.crossing_sd_s + 1.0
        ]
    )


def _normal(at_s: float, one: OpeningTrack) -> float:
    """Probability that it passed before `at_s`."""
    away = at_s - (one.crossing_s or 0.0)
    if one.crossing_sd_s <= 0:
        return float(away > 0)
    return 0.5 * math.erfc(-away / one.crossing_sd_s / math.sqrt(2))


def _factor(lost_s: float, minute_rule: str) -> float:
    return MINUTE_S / (MINUTE_S - lost_s) if minute_rule == SCALE else 1.0


def _value(systems: int, lost_s: float, minute_rule: str) -> float | None:
    if minute_rule == SCALE:
        return None if lost_s >= MINUTE_S else systems * _factor(lost_s, minute_rule)
    return None if lost_s >= PAUSE_LIMIT_S else float(systems)
