"""How far a clip was read, why it ended there, and what was wrong on the way, in words for a person."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.reading import Tally

_MOST_STRETCHES = 5
_DECLARING = frozenset(("mp4", "avi", "matroska"))  # their header says how long they are; of a stream it is estimated
_SHORT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEnd:
    """How the reading of a clip ended.

    Attributes:
        kind: "complete"; "cut": the end of the file is missing; "jumped_back": its clock jumped back, what follows was not read;
            "resized": the size of its frames changed, what follows was not read; "unfinished": it was not read to its end.
        read_to_s: time of the last packet that was looked at, seconds since the first frame; None before the first.
        damaged_s: stretches that could not be decoded, from the last sound frame to the next, seconds; None where there is none.
        faults: all this in words; empty for a sound clip.
    """

    kind: Literal["complete", "cut", "jumped_back", "resized", "unfinished"]
    read_to_s: float | None
    damaged_s: tuple[tuple[float | None, float | None], ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What is needed of a clip to judge its end, even after it was closed.

    Attributes:
        first_pts: presentation time of its first frame.
        time_base: seconds of one unit of the times.
        missing: what its structure lacks at the end; None if nothing.
        duration_s: what its header says that it lasts; None if it does not say.
        frame_s: how long one frame is shown on average, 0 if not known.
    """

    first_pts: int
    time_base: Fraction
    missing: str | None
    duration_s: float | None
    frame_s: float


def promise_of(clip: OpenClip, first_pts: int) -> Promise:
    """What a clip that was just opened promises of its end."""
    rate = clip.stream.average_rate
    return Promise(
        first_pts=first_pts,
        time_base=clip.time_base,
        missing=clip.end.missing,
        duration_s=declared_s(clip) if clip.clip_format in _DECLARING else None,
        frame_s=float(1 / rate) if rate else 0.0,
    )


def clip_end(promise: Promise, tally: Tally, *, is_over: bool) -> ClipEnd:
    """What a tally means, in seconds since the first frame."""

    def at_s(pts: int | None) -> float | None:
        return None if pts is None else float((pts - promise.first_pts) * promise.time_base)

    read_to_s = at_s(tally.last_pts)
    damaged_s = tuple((at_s(begun), at_s(ended)) for begun, ended in tally.damaged)
    missing = _missing(promise, read_to_s) if is_over else None
    told = damaged_s[:-1] if missing is not None and damaged_s and damaged_s[-1][1] is None else damaged_s  # the cut itself
    faults = [_damage(told)] if told else []
    if tally.misplaced:
        faults.append(f"{tally.misplaced} frame(s) with a time that cannot be theirs were left out")
    if tally.untimed:
        faults.append(f"{tally.untimed} frame(s) without a time were left out")
    kind: Literal["complete", "cut", "jumped_back", "resized", "unfinished"] = "complete" if is_over else "unfinished"
    if tally.jumped_back is not None:
        kind = "jumped_back"
        before, behind = (clock(at_s(pts) or 0.0) for pts in tally.jumped_back)
        faults.append(f"at {before} its clock jumps back to {behind}: what follows was not read; cut the clip there to read both parts")
    elif tally.resized is not None:
        kind = "resized"
        width_px, height_px = tally.resized
        faults.append(f"at {clock(read_to_s or 0.0)} the frames change to {width_px} x {height_px} pixels: what follows was not read")
    elif missing is not None:
        kind = "cut"
        faults.append(f"the clip ends in the middle, at {clock(read_to_s or 0.0)}: {missing}")
    return ClipEnd(kind=kind, read_to_s=read_to_s, damaged_s=damaged_s, faults=tuple(faults))


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 3:07.2; a minus before what lies before the first frame."""
    tenths = round(abs(seconds) * 10)
    return f"{'-' if seconds < 0 and tenths else ''}{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def declared_s(clip: OpenClip) -> float | None:
    """What the header says that the clip lasts, seconds."""
    duration = clip.stream.duration
    if duration is not None and duration > 0:
        return float(duration * clip.time_base)
    whole = clip.container.duration
    if whole is None or whole <= 0:
        return None
    begin = clip.container.start_time or 0 if clip.clip_format == "matroska" else 0  # there a duration counts from zero
    return max(0, whole - max(0, begin)) / 1_000_000 or None


def _missing(promise: Promise, read_to_s: float | None) -> str | None:
    if promise.missing is not None:
        return promise.missing
    if promise.duration_s is not None and read_to_s is not None and read_to_s + promise.frame_s + _SHORT_S < promise.duration_s:
        return f"it says that it lasts {clock(promise.duration_s)}"
    return None


def _damage(damaged_s: tuple[tuple[float | None, float | None], ...]) -> str:
    told = []
    for begun, ended in damaged_s[:_MOST_STRETCHES]:
        since = "its beginning" if begun is None else clock(begun)
        told.append(f"{since} to {'its end' if ended is None else clock(ended)}")
    more = f" and {len(damaged_s) - _MOST_STRETCHES} more" if len(damaged_s) > _MOST_STRETCHES else ""
    return f"damaged, and left out up to the next key frame: {', '.join(told)}{more}"
