"""What maps stills to seconds: the start of the line, each camera's offset, and which stills there were.

A click is a second of the tow, a minute sixty of them. If the start of the line is corrected between two counters, the same still lies in
another minute for each, and nothing of their counts tells. So every count keeps what it was made by, frozen with its signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from edge.store.reads.counts import CountRow
from edge.store.reads.frames import camera_offsets
from edge.store.reads.surveys import TowRow
from edge.store.sqlite import Connection
from edge.survey.counting.frames import Frame

_SHOWN_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What a tow's seconds were when a count was made.

    Attributes:
        start_utc: the start of the line, None where it was not stated.
        offsets_s: camera -> seconds that are added to its clock, of the cameras that files of the tow are from.
        stills: how many stills lay in the protocol's window; 0 while it was not looked at.
        digest: of their numbers and seconds; "" while it was not looked at.
    """

    start_utc: str | None
    offsets_s: Mapping[str, float] = field(default_factory=dict)
    stills: int = 0
    digest: str = ""


def tow_clock(connection: Connection, tow: TowRow, window_frames: Sequence[Frame] = ()) -> Clock:
    """What a tow's seconds are now; with the frames of the window, which stills these are too."""
    sums = hashlib.sha256()
    for one in window_frames:
        sums.update(f"{one.number}:{one.at_s:.3f};".encode("ascii"))
    digest = sums.hexdigest()[:_SHOWN_DIGITS] if window_frames else ""
    return Clock(start_utc=tow.start_utc, offsets_s=camera_offsets(connection, tow.id), stills=len(window_frames), digest=digest)


def clock_document(clock: Clock | None) -> dict[str, Any] | None:
    """The clock as JSON has it."""
    if clock is None:
        return None
    return {"start_utc": clock.start_utc, "offsets_s": dict(clock.offsets_s), "stills": clock.stills, "digest": clock.digest}


def read_clock(document: Any) -> Clock | None:
    """What `clock_document` made.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no such document.
    """
    if document is None:
        return None
    start_utc, digest = document["start_utc"], document["digest"]
    if not isinstance(start_utc, str | None) or not isinstance(digest, str) or len(digest) > _SHOWN_DIGITS:
        raise ValueError("this is no start of a line")
    offsets_s = {str(name): float(offset_s) for name, offset_s in document["offsets_s"].items()}
    return Clock(start_utc=start_utc, offsets_s=offsets_s, stills=int(document["stills"]), digest=digest)


def clock_of(count: CountRow) -> Clock | None:
    """What a signed count was made by; None for a table's, and before the signature."""
    return None if count.clock_json is None else read_clock(json.loads(count.clock_json))


def difference(mine: Clock, other: Clock) -> str:
    """In what the seconds of two clocks differ, as a clause; "" where a still lies at the same second in both."""
    if mine.start_utc != other.start_utc:
        return f"a start of line at {_at(mine.start_utc)} and at {_at(other.start_utc)}"
    for camera in sorted(mine.offsets_s.keys() & other.offsets_s.keys()):
        if mine.offsets_s[camera] != other.offsets_s[camera]:
            return f"an offset of {camera} of {mine.offsets_s[camera]:+g} s and of {other.offsets_s[camera]:+g} s"
    return ""


def counts_differ(counts: Sequence[CountRow]) -> str:
    """Why the minutes of counts of one tow are not the same minutes, as a sentence; "" where they are, or nobody knows."""
    known = [(one.counter, clock) for one in counts if (clock := clock_of(one)) is not None]
    for (mine, clock), (other, its) in pairwise(known):
        if words := difference(clock, its):
            return f"{mine} and {other} counted by {words}: their minutes are not the same, so they cannot be compared"
    return ""


def clock_flags(connection: Connection, tow: TowRow, counts: Sequence[CountRow]) -> tuple[str, ...]:
    """Sentences on counts whose seconds are not those of the sheet any more, and on counters who were shown different stills."""
    flags = []
    now = tow_clock(connection, tow)
    for one in counts:
        clock = clock_of(one)
        if clock is not None and (words := difference(clock, now)):
            flags.append(f"{one.counter} counted by another clock than the tow has now ({words})")
    known = [(one.counter, clock) for one in counts if (clock := clock_of(one)) is not None and clock.digest]
    for (mine, clock), (other, its) in pairwise(known):
        if not difference(clock, its) and clock.digest != its.digest:
            stills = f"{clock.stills} and {its.stills}" if clock.stills != its.stills else f"{clock.stills} each, not the same ones"
            flags.append(f"{mine} and {other} were shown different stills of the window ({stills})")
    return tuple(flags)


def _at(start_utc: str | None) -> str:
    return "no stated time" if start_utc is None else start_utc.removesuffix(".000Z").rstrip("Z").replace("T", " ") + "Z"
