"""Revealed counts side by side: minutes, and which clicks of two counters mean the same system.

Two clicks are a pair if they lie within 36 stills (2.88 s at 12.5 stills per second) and 625 of 1229 px in x of each other, the
rule that fits the clicks of the counters of 2020 (nephrops.md, section 7); the nearest pairs are taken first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge.store.reads.counts import CountMark, CountRow
from edge.survey.counting.tally import SYSTEM

PAIR_S = 36 / 12.5
PAIR_X = 625 / 1229
_ROUNDING_S = 1e-6  # 36 stills are 36 stills, whatever the difference of two floats says


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteRow:
    """A minute of two or more counters. `values` and `lost_s` in the order of the counters; None where one has no such minute."""

    minute: int
    values: tuple[float | None, ...]
    lost_s: tuple[float | None, ...]
    notes: tuple[str, ...]

    @property
    def spread(self) -> float:
        """Greatest difference between two counters."""
        known = [value for value in self.values if value is not None]
        return max(known) - min(known) if known else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A system that one counter marked and another did not. `counter` is who did."""

    at_s: float
    minute: int
    image_id: int | None
    x: float | None
    y: float | None
    counter: str
    missed_by: str


def minute_rows(counts: Sequence[CountRow]) -> tuple[MinuteRow, ...]:
    """Every minute that any of them has, in order."""
    minutes = sorted({minute for one in counts for minute in one.minutes})
    rows = []
    for minute in minutes:
        found = [one.minutes.get(minute) for one in counts]
        rows.append(
            MinuteRow(
                minute=minute,
                values=tuple(None if one is None else one.systems for one in found),
                lost_s=tuple(None if one is None else one.lost_s for one in found),
                notes=tuple("" if one is None else one.note for one in found),
            )
        )
    return tuple(rows)


def matched_pairs(a: Sequence[CountMark], b: Sequence[CountMark]) -> tuple[tuple[int, int], ...]:
    """Places (in a, in b) of clicks that mean the same system, each click at most once."""
    near = [
        (math.hypot((one.at_s - other.at_s) / PAIR_S, _apart(one, other) / PAIR_X), i, j)
        for i, one in enumerate(a)
        for j, other in enumerate(b)
        if abs(one.at_s - other.at_s) <= PAIR_S + _ROUNDING_S and _apart(one, other) <= PAIR_X
    ]
    taken_a: set[int] = set()
    taken_b: set[int] = set()
    pairs = []
    for _, i, j in sorted(near):
        if i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            pairs.append((i, j))
    return tuple(sorted(pairs))


def differences(a: tuple[str, Sequence[CountMark]], b: tuple[str, Sequence[CountMark]], minutes: range) -> tuple[Difference, ...]:
    """Systems within `minutes` that only one of two counters marked, along the tow."""
    (name_a, marks_a), (name_b, marks_b) = a, b
    ours, theirs = _systems(marks_a, minutes), _systems(marks_b, minutes)
    pairs = matched_pairs(ours, theirs)
    only_a = [one for place, one in enumerate(ours) if place not in {i for i, _ in pairs}]
    only_b = [one for place, one in enumerate(theirs) if place not in {j for _, j in pairs}]
    found = [_difference(one, name_a, name_b) for one in only_a] + [_difference(one, name_b, name_a) for one in only_b]
    return tuple(sorted(found, key=lambda one: one.at_s))


def _systems(marks: Sequence[CountMark], minutes: range) -> list[CountMark]:
    return [one for one in marks if one.feature == SYSTEM and one.minute in minutes]


def _apart(one: CountMark, other: CountMark) -> float:
    """Across the track, as a part of the frame's width; a click without a place is beside nothing."""
    return 0.0 if one.x_fraction is None or other.x_fraction is None else abs(one.x_fraction - other.x_fraction)


def _difference(one: CountMark, counter: str, missed_by: str) -> Difference:
    return Difference(
        at_s=one.at_s,
        minute=one.minute,
        image_id=one.image_id,
        x=one.x_fraction,
        y=one.y_fraction,
        counter=counter,
        missed_by=missed_by,
    )
