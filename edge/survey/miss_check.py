"""What a review grid cannot show: openings that the model missed, measured on two minutes that a reviewer counted blind to the model.

The minutes are drawn at random. The reviewer marks each opening on the footage itself as it crosses the line; then marks and the model's
openings are matched, and the share of the marks that the model has is its recall. Pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.survey.tow.assign import assigned

MINUTE_S = 60.0
MINUTES_DRAWN = 2
LEAST_SEEN_S = 20  # a third of a minute: a short tow has its one part of a minute, the last seconds of a long one are none
WITHIN_S = 0.7
WITHIN_WIDTH = 0.08
SLOWEST_PX_PER_S = 50.0
FARTHEST_SHIFT_S = 1.0
FEW_MARKS = 30
_TWO_SIDED_95 = 1.959964

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An opening that the reviewer saw: `at_s` is the time of the frame that was clicked on, x and y parts of the frame, 0 to 1."""

    at_s: float
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedOpening:
    """An opening of the model that counts after review: when it crossed the line, and where across, as a part of the frame's width."""

    id: int
    crossing_s: float
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMinute:
    """A minute that was counted blind. `both`, `missed`, `model_only`: found by both, by the reviewer alone, by the model alone."""

    minute: int
    both: int
    missed: int
    model_only: int
    lost_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Misses:
    """What the minutes say of the whole tow.

    Attributes:
        minutes: one for each that was counted.
        missed_at: marks that the model does not have: (seconds of the tow at which they crossed, part of the width).
        recall: share of the marks that the model has too; None without a mark. `recall_low`, `recall_high`: its 95 % interval.
        counted: openings of the whole tow that count after review; `undecided` of them stand on the model's word.
        missed_in_tow: how many more there are likely to be, and its interval; None without a mark, or where it has no upper end.
        is_few: so few marks that the interval says more than the estimate.
    """

    minutes: tuple[CheckedMinute, ...]
    missed_at: tuple[tuple[float, float], ...]
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    counted: int
    undecided: int
    missed_in_tow: float | None
    missed_low: float | None
    missed_high: float | None
    is_few: bool

    @property
    def marks(self) -> int:
        """How many openings the reviewer marked in the minutes."""
        return sum(one.both + one.missed for one in self.minutes)


def draw(seed: str, pool: Iterable[int], count: int = MINUTES_DRAWN) -> tuple[int, ...]:
    """Minutes drawn at random, ascending: of the pool those with the least SHA-256 of "seed/minute". The same seed gives the same."""
    ranked = sorted(set(pool), key=lambda minute: hashlib.sha256(f"{seed}/{minute}".encode()).digest())
    return tuple(sorted(ranked[:count]))


def countable_minutes(seconds: Iterable[int], first: int, last: int) -> tuple[int, ...]:
    """Minutes of the window, both ends included, of which 20 s or more can be counted; `seconds` are those that can, from 0."""
    found: dict[int, int] = {}
    for second in seconds:
        minute = int(second // MINUTE_S) + 1
        found[minute] = found.get(minute, 0) + 1
    return tuple(sorted(minute for minute, seen_s in found.items() if seen_s >= LEAST_SEEN_S and first <= minute <= last))


def interval_of(minute: int) -> Interval:
    """Begin and end of a minute, seconds of the tow."""
    return (minute - 1) * MINUTE_S, minute * MINUTE_S


def crossing_of(mark: Mark, *, line_height: float, height_px: int, speeds: Mapping[int, float | None]) -> float:
    """When a marked opening crosses the line: one that was clicked on above it crosses a little later, as fast as the seabed moves.

    Args:
        speeds: second of the tow -> speed of the seabed at the line, px/s. Where it is unknown, below 50 px/s, or would move the mark
            by more than a second, the mark's own time is taken.
    """
    speed = speeds.get(int(mark.at_s)) or 0.0
    if speed < SLOWEST_PX_PER_S:
        return mark.at_s
    shift_s = (line_height - mark.y) * height_px / speed
    return mark.at_s + shift_s if abs(shift_s) <= FARTHEST_SHIFT_S else mark.at_s


def match(marked: Sequence[tuple[float, float]], openings: Sequence[CountedOpening]) -> dict[int, int]:
    """Which mark is which opening: place of the mark -> place of the opening; each in one pair at most.

    A pair may be at most 0.7 s and 0.08 of the width apart, as an ellipse: dt² / 0.7² + dx² / 0.08² < 1. An opening stays in view for
    1.0 to 1.4 s, so a click that is further off was made on another one; and the widest of them (95 %) take up 0.078 of the width, so a
    click inside an opening is nearer to its middle than that (nephrops.md, section 5). Of all ways to pair them the one with the least
    sum of (dt² / 0.7² + dx² / 0.08² - 1) is taken.

    Args:
        marked: (seconds at which it crosses, part of the width).
    """
    order = np.argsort([one.crossing_s for one in openings], kind="stable") if openings else np.empty(0, np.intp)
    times = np.array([openings[place].crossing_s for place in order], np.float64)
    xs = np.array([openings[place].x for place in order], np.float64)
    i, j, costs = [], [], []
    for place, (at_s, x) in enumerate(marked):
        begin, end = np.searchsorted(times, [at_s - WITHIN_S, at_s + WITHIN_S])
        apart = ((times[begin:end] - at_s) / WITHIN_S) ** 2 + ((xs[begin:end] - x) / WITHIN_WIDTH) ** 2
        for near in np.flatnonzero(apart < 1.0):
            i.append(place)
            j.append(int(order[begin + near]))
            costs.append(float(apart[near]) - 1.0)
    chosen_i, chosen_j = assigned(np.array(i, np.intp), np.array(j, np.intp), np.array(costs, np.float64))
    return dict(zip(chosen_i.tolist(), chosen_j.tolist(), strict=True))


def wilson(hits: int, of: int) -> Interval:
    """The 95 % score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22, 209). It takes openings as independent of each other.

    Raises:
        ValueError: there is nothing to take a share of, or more hits than that.
    """
    if of < 1 or not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    z2 = _TWO_SIDED_95**2
    share = hits / of
    middle = share + z2 / (2 * of)
    spread = _TWO_SIDED_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    low, high = (middle - spread) / (1 + z2 / of), (middle + spread) / (1 + z2 / of)
    return (0.0 if hits == 0 else max(0.0, low)), (1.0 if hits == of else min(1.0, high))


def misses(
    marked: Sequence[tuple[float, float]],
    openings: Sequence[CountedOpening],
    minutes: Sequence[int],
    *,
    lost: Sequence[Interval],
    counted: int,
    undecided: int = 0,
) -> Misses:
    """What the minutes come to.

    A pair belongs to the minute in which the model has the crossing, so that one at a minute's very end is not held against either.
    The tow has counted * (1 / recall - 1) openings more than count, as far as the two minutes are like the others and what counts is
    real: openings that nobody has decided about and that are none make it too high.

    Args:
        marked: every mark as (seconds at which it crosses, part of the width), those around the minutes too.
        openings: those that count, around the minutes too.
        lost: seconds in which the reviewer could not see: nothing that crosses in them is compared.
        counted: openings of the whole tow that count after review.
        undecided: of them, those that nobody has accepted.
    """
    clear = [one for one in marked if not _is_in(one[0], lost)]
    seen = [one for one in openings if not _is_in(one.crossing_s, lost)]
    pairs = match(clear, seen)
    taken = set(pairs.values())
    told = []
    missed_at: list[tuple[float, float]] = []
    for minute in minutes:
        span = interval_of(minute)
        alone = [one for place, one in enumerate(clear) if place not in pairs and _is_in(one[0], [span])]
        missed_at += alone
        inside = [place for place, one in enumerate(seen) if _is_in(one.crossing_s, [span])]
        both = sum(place in taken for place in inside)
        lost_s = sum(max(0.0, min(to, span[1]) - max(begin, span[0])) for begin, to in lost)
        told.append(CheckedMinute(minute=minute, both=both, missed=len(alone), model_only=len(inside) - both, lost_s=lost_s))
    hits = sum(one.both for one in told)
    return _estimated(tuple(told), tuple(missed_at), hits, counted=counted, undecided=undecided)


def _estimated(
    minutes: tuple[CheckedMinute, ...], missed_at: tuple[tuple[float, float], ...], hits: int, *, counted: int, undecided: int
) -> Misses:
    marks = hits + len(missed_at)
    low, high = wilson(hits, marks) if marks else (None, None)

    def more(recall: float | None) -> float | None:
        return counted * (1 / recall - 1) if recall else None

    recall = hits / marks if marks else None
    return Misses(
        minutes=minutes,
        missed_at=missed_at,
        recall=recall,
        recall_low=low,
        recall_high=high,
        counted=counted,
        undecided=undecided,
        missed_in_tow=more(recall),
        missed_low=more(high),
        missed_high=more(low),
        is_few=marks < FEW_MARKS,
    )


def _is_in(at_s: float, intervals: Sequence[Interval]) -> bool:
    return any(begin <= at_s < end for begin, end in intervals)
