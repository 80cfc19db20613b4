"""What is inside a count while it is sealed: clicks, seconds that were not countable, notes, and where the counter is.

The document is JSON. Clicks are short lists, so that a station of 900 clicks still fits one step of the seal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edge.errors import CountRefusedError
from edge.survey.counting.clock import Clock, clock_document, read_clock

FEATURES = ("system", "nephrops_in", "nephrops_out", "trawl_mark", "virgularia", "pennatula", "funiculina")
MAX_MARKS = 3000
MAX_INTERVALS = 2000
MAX_NOTE_CHARACTERS = 1000
MAX_TIME_CHARACTERS = 30
MAX_AT_S = 6 * 3600.0
MAX_MINUTE = 360
MINUTE_S = 60.0

Way = Literal["frames", "typed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One click. `at_s` is seconds since the tow's start, `x` and `y` parts of the frame (None for a feature of the whole frame)."""

    at_s: float
    image_id: int | None
    feature: str
    x: float | None
    y: float | None
    marked_utc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedMinute:
    """A minute that was counted elsewhere and typed here."""

    systems: float
    lost_s: float = 0.0
    nephrops_in: int | None = None
    nephrops_out: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountContent:
    """A count's document.

    Attributes:
        revision: grows with every save; a window that saves on top of an older one is refused.
        way: "frames" (clicks on frames) or "typed" (numbers per minute).
        lost: (from_s, to_s) in which nothing could be counted.
        seen: (from_s, to_s) that were looked at.
        notes: minute -> what the counter wrote.
        position_s: where the counter was last; None before the first look.
        missing: (from_s, to_s) without footage when it was signed, frozen with the signature: files that come or go later change
            nothing of it. None until then.
        saved_utc: when the appliance saved it last; inside the seal, so that nobody else sees when there was a click.
        clock: what mapped stills to seconds at the first click, and, once it is signed, at the signature. The appliance says so, not
            the page.
    """

    revision: int = 0
    way: Way = "frames"
    marks: Sequence[Mark] = ()
    lost: Sequence[tuple[float, float]] = ()
    seen: Sequence[tuple[float, float]] = ()
    notes: Mapping[int, str] = field(default_factory=dict)
    typed: Mapping[int, TypedMinute] = field(default_factory=dict)
    position_s: float | None = None
    missing: Sequence[tuple[float, float]] | None = None
    saved_utc: str | None = None
    clock: Clock | None = None


def pack(content: CountContent) -> bytes:
    """The document as it is sealed."""
    return json.dumps(as_json(content), separators=(",", ":"), ensure_ascii=True).encode("ascii")


def unpack(document: bytes) -> CountContent:
    """The content of a document that `pack` made."""
    return read_content(json.loads(document)) if document else CountContent()


def as_json(content: CountContent) -> dict[str, Any]:
    """The content as the page has it."""
    return {
        "revision": content.revision,
        "way": content.way,
        "marks": [[one.at_s, one.image_id, one.feature, one.x, one.y, one.marked_utc] for one in content.marks],
        "lost": [list(one) for one in content.lost],
        "seen": [list(one) for one in content.seen],
        "notes": {str(minute): text for minute, text in content.notes.items()},
        "typed": {str(minute): [one.systems, one.lost_s, one.nephrops_in, one.nephrops_out] for minute, one in content.typed.items()},
        "position_s": content.position_s,
        "missing": None if content.missing is None else [list(one) for one in content.missing],
        "saved_utc": content.saved_utc,
        "clock": clock_document(content.clock),
    }


def read_content(document: Any) -> CountContent:
    """Content that came from a page, checked.

    Raises:
        CountRefusedError: something in it is no click, no second or no number; the first fault is named.
    """
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        advice = "Load the page again; if it stays, report it with the time."
        raise CountRefusedError(f"the count that was sent cannot be read: {error}", advice=advice) from error


def is_blank(content: CountContent) -> bool:
    """Whether nothing in it is a second of the tow yet."""
    return not (content.marks or content.lost or content.seen or content.typed)


def saved(content: CountContent, at_utc: str, clock: Clock | None) -> CountContent:
    """What is kept of content that a page sent: with the revision after, and when. What is missing is for the signature to say."""
    return replace(content, revision=content.revision + 1, missing=None, saved_utc=at_utc, clock=clock)


def is_saved_as(sent: CountContent, kept: CountContent) -> bool:
    """Whether `kept` is what saving `sent` led to: a save whose answer was lost on its way is sent again, and is no other window's."""
    return kept == saved(sent, kept.saved_utc or "", kept.clock)


def _read(document: Any) -> CountContent:
    marks = tuple(_mark(one) for one in _bounded(document["marks"], MAX_MARKS, "clicks"))
    position_s, missing = document["position_s"], document.get("missing")
    return CountContent(
        revision=_whole(document["revision"], "revision"),
        way=_way(document["way"]),
        marks=tuple(sorted(marks, key=lambda one: one.at_s)),
        lost=merged(_interval(one) for one in _bounded(document["lost"], MAX_INTERVALS, "intervals")),
        seen=merged(_interval(one) for one in _bounded(document["seen"], MAX_INTERVALS, "intervals")),
        notes={_minute(minute): _note(text) for minute, text in document["notes"].items()},
        typed={_minute(minute): _typed(one) for minute, one in document["typed"].items()},
        position_s=None if position_s is None else _second(position_s),
        missing=None if missing is None else merged(_interval(one) for one in _bounded(missing, MAX_INTERVALS, "intervals")),
        saved_utc=_time(document.get("saved_utc")),
        clock=read_clock(document.get("clock")),
    )


def merged(intervals: Any) -> tuple[tuple[float, float], ...]:
    """Intervals in order, those that touch or overlap as one."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return tuple(found)


def _bounded(values: Any, most: int, what: str) -> Any:
    if not isinstance(values, list) or len(values) > most:
        raise ValueError(f"at most {most} {what} are kept")
    return values


def _mark(one: Any) -> Mark:
    at_s, image_id, feature, x, y, marked_utc = one
    if feature not in FEATURES:
        raise ValueError(f"{feature!r} is no feature")
    if not isinstance(marked_utc, str) or len(marked_utc) > MAX_TIME_CHARACTERS:
        raise ValueError("a click has no time")
    whole = None if image_id is None else _whole(image_id, "image")
    return Mark(at_s=_second(at_s), image_id=whole, feature=feature, x=_part(x), y=_part(y), marked_utc=marked_utc)


def _interval(one: Any) -> tuple[float, float]:
    begin, end = _second(one[0]), _second(one[1])
    if end < begin:
        raise ValueError(f"{begin} to {end} s is no interval")
    return begin, end


def _typed(one: Any) -> TypedMinute:
    systems, lost_s, inside, outside = one
    lost = _number(lost_s)
    if lost > MINUTE_S:
        raise ValueError(f"{lost} s of a minute cannot be lost")
    return TypedMinute(
        systems=_number(systems),
        lost_s=lost,
        nephrops_in=None if inside is None else _whole(inside, "Nephrops"),
        nephrops_out=None if outside is None else _whole(outside, "Nephrops"),
    )


def _way(value: Any) -> Way:
    if value == "frames":
        return "frames"
    if value == "typed":
        return "typed"
    raise ValueError(f"{value!r} is no way of counting")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no number of 0 or more")
    return float(value)


def _second(value: Any) -> float:
    seconds = _number(value)
    if seconds > MAX_AT_S:
        raise ValueError(f"{seconds} s is beyond any tow")
    return round(seconds, 3)


def _time(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > MAX_TIME_CHARACTERS):
        raise ValueError(f"{value!r} is no time")
    return value


def _part(value: Any) -> float | None:
    if value is None:
        return None
    part = _number(value)
    if part > 1:
        raise ValueError(f"{part} is outside of the frame")
    return round(part, 5)


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise ValueError(f"{value!r} is no {what}")
    return value


def _minute(value: str) -> int:
    minute = int(value)
    if not 1 <= minute <= MAX_MINUTE:
        raise ValueError(f"there is no minute {minute}")
    return minute


def _note(text: Any) -> str:
    if not isinstance(text, str) or len(text) > MAX_NOTE_CHARACTERS:
        raise ValueError(f"a note has at most {MAX_NOTE_CHARACTERS} characters")
    return text
