"""From clicks to minutes, and what still keeps a count from being signed. A minute that was not looked at is never a zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge.store.reads.counts import CountedMinute, CountMark
from edge.survey.counting.content import MINUTE_S, CountContent, merged

MAX_GAP_S = 1.5  # between two stills of 12.5 per second, or of one per second; more is footage that is not there
SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The minutes that a protocol counts, both ends included; the tow's first minute is 1."""

    first_minute: int
    last_minute: int

    @property
    def minutes(self) -> range:
        """Every minute of it."""
        return range(self.first_minute, self.last_minute + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a count comes to.

    Attributes:
        minutes: one for each minute of the window; empty while the count cannot be made up.
        outside: clicks outside of the window: kept, not counted.
        hindrances: sentences; why it cannot be signed yet.
        remarks: sentences; what the counter should know before signing.
    """

    minutes: Mapping[int, CountedMinute]
    outside: int
    hindrances: tuple[str, ...]
    remarks: tuple[str, ...]


def minute_of(at_s: float) -> int:
    """The minute in which a second of a tow lies, from 1."""
    return int(at_s // MINUTE_S) + 1


def tally(content: CountContent, window: Window, frame_times_s: Sequence[float]) -> Tally:
    """Make up a count.

    Args:
        content: what the counter did.
        window: the protocol's minutes.
        frame_times_s: (n,) float, ascending, seconds since the tow's start of every frame that can be shown; not looked at in a
            signed count, whose missing footage is frozen.
    """
    return _typed(content, window) if content.way == "typed" else _clicked(content, window, frame_times_s)


def missing_footage(frame_times_s: Sequence[float], window: Window) -> tuple[tuple[float, float], ...]:
    """(from_s, to_s) within the window for which there is no frame; nobody can count there."""
    begin, end = (window.first_minute - 1) * MINUTE_S, window.last_minute * MINUTE_S
    times = [begin, *(at_s for at_s in frame_times_s if begin <= at_s < end), end]
    return tuple((before, after) for before, after in pairwise(times) if after - before > MAX_GAP_S)


def public_marks(content: CountContent) -> tuple[CountMark, ...]:
    """The clicks as they are revealed; where minutes were typed the clicks that were kept are not the count."""
    if content.way == "typed":
        return ()
    return tuple(
        CountMark(
            image_id=one.image_id,
            at_s=one.at_s,
            minute=minute_of(one.at_s),
            feature=one.feature,
            x_fraction=one.x,
            y_fraction=one.y,
            marked_utc=one.marked_utc,
        )
        for one in content.marks
    )


def _typed(content: CountContent, window: Window) -> Tally:
    absent = [minute for minute in window.minutes if minute not in content.typed]
    outside = sum(minute not in window.minutes for minute in content.typed)
    if absent:
        word = ", ".join(map(str, absent))
        why = f"minute {word} has no number yet: type 0 where there was nothing, or 60 seconds lost where nothing could be counted"
        return Tally(minutes={}, outside=outside, hindrances=(why,), remarks=())
    minutes = {
        minute: CountedMinute(minute, one.systems, one.lost_s, one.nephrops_in, one.nephrops_out, content.notes.get(minute, ""))
        for minute, one in ((minute, content.typed[minute]) for minute in window.minutes)
    }
    return Tally(minutes=minutes, outside=outside, hindrances=(), remarks=())


def _clicked(content: CountContent, window: Window, frame_times_s: Sequence[float]) -> Tally:
    gaps = missing_footage(frame_times_s, window) if content.missing is None else content.missing
    lost = merged([*content.lost, *gaps])
    minutes = {minute: _counted(content, minute, lost) for minute in window.minutes}
    outside = sum(minute_of(one.at_s) not in window.minutes for one in content.marks)
    hindrances, remarks = _judged(content, window, minutes, lost)
    if gaps:
        remarks.append(f"{_total(gaps):.0f} s of the window have no footage; they are taken as lost")
    if outside:
        remarks.append(f"{outside} clicks lie outside of minutes {window.first_minute} to {window.last_minute} and do not count")
    return Tally(minutes=minutes, outside=outside, hindrances=tuple(hindrances), remarks=tuple(remarks))


def _counted(content: CountContent, minute: int, lost: Iterable[tuple[float, float]]) -> CountedMinute:
    begin, end = (minute - 1) * MINUTE_S, minute * MINUTE_S
    here = [one.feature for one in content.marks if minute_of(one.at_s) == minute]
    lost_s = sum(max(0.0, min(to_s, end) - max(from_s, begin)) for from_s, to_s in lost)
    return CountedMinute(
        minute=minute,
        systems=float(here.count(SYSTEM)),
        lost_s=round(min(lost_s, MINUTE_S), 3),
        nephrops_in=here.count("nephrops_in"),
        nephrops_out=here.count("nephrops_out"),
        note=content.notes.get(minute, ""),
    )


def _judged(
    content: CountContent, window: Window, minutes: Mapping[int, CountedMinute], lost: Sequence[tuple[float, float]]
) -> tuple[list[str], list[str]]:
    """Minutes that nobody looked at hinder; parts of a minute are remarked on."""
    covered = merged([*content.seen, *lost])
    unseen, partly = [], []
    for minute in window.minutes:
        begin, end = (minute - 1) * MINUTE_S, minute * MINUTE_S
        looked_s = sum(max(0.0, min(to_s, end) - max(from_s, begin)) for from_s, to_s in covered)
        if looked_s < MINUTE_S / 2 and not minutes[minute].systems:
            unseen.append(minute)
        elif looked_s < MINUTE_S - 2 * MAX_GAP_S:
            partly.append(f"minute {minute}: {MINUTE_S - looked_s:.0f} s were not looked at")
    hindrances = [
        f"minute {', '.join(map(str, unseen))} was not looked at: play it, or hold X over what cannot be counted; it is no zero yet"
    ]
    return (hindrances if unseen else []), partly


def _total(intervals: Iterable[tuple[float, float]]) -> float:
    return sum(to_s - from_s for from_s, to_s in intervals)
