"""When a link may be used: windows by day and hour in UTC, such as `mon-fri 22:00-06:00`, `sat,sun` or `12:00-13:30`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MIN = 24 * 60
_WINDOW = re.compile(r"(?P<days>[a-z,-]+)?(?:(?(days)\s+)(?P<times>\d\d:\d\d-\d\d:\d\d))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that begins on some days of the week.

    Attributes:
        days: on which it begins, Monday is 0.
        begin_min: minutes after midnight UTC.
        length_min: how long it is open; it may reach into the next day.
    """

    days: frozenset[int]
    begin_min: int
    length_min: int

    def is_open(self, at: datetime) -> bool:
        """Whether the moment (aware, UTC) lies in it."""
        return any(begin <= at < begin + timedelta(minutes=self.length_min) for begin in self._begins(at))

    def next_begin(self, at: datetime) -> datetime:
        """When it opens next, later than `at`."""
        return min(begin for begin in self._begins(at) if begin > at)

    def _begins(self, at: datetime) -> Iterable[datetime]:
        midnight = datetime.combine(at.date(), time(), at.tzinfo)
        for offset in range(-1, 8):
            day = midnight + timedelta(days=offset)
            if day.weekday() in self.days:
                yield day + timedelta(minutes=self.begin_min)


@dataclass(frozen=True, slots=True)
class Windows:
    """All windows of a link; without any it may always be used."""

    windows: tuple[Window, ...] = ()

    def is_open(self, at: datetime) -> bool:
        """Whether the link may be used at a moment (aware, UTC)."""
        return not self.windows or any(window.is_open(at) for window in self.windows)

    def next_open(self, at: datetime) -> datetime:
        """`at` itself if the link may be used then, else when it may next."""
        return at if self.is_open(at) else min(window.next_begin(at) for window in self.windows)


def read_windows(texts: Iterable[str]) -> Windows:
    """Windows as the settings have them.

    Raises:
        ValueError: one cannot be read; the message says which, and how they are written.
    """
    return Windows(tuple(_window(text) for text in texts))


def _window(text: str) -> Window:
    match = _WINDOW.fullmatch(text.strip().lower())
    days = _days(match["days"]) if match else None
    times = _times(match["times"]) if match else None
    if days is None or times is None or not text.strip():
        raise ValueError(f"{text!r} is no window; write it as `mon-fri 22:00-06:00`, `sat,sun` or `12:00-13:30` (UTC)")
    begin_min, end_min = times
    return Window(days=days, begin_min=begin_min, length_min=(end_min - begin_min) % _DAY_MIN or _DAY_MIN)


def _days(text: str | None) -> frozenset[int] | None:
    """None: one of them is no day."""
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            return None
        begin = DAYS.index(first)
        end = DAYS.index(last) if dash else begin
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def _times(text: str | None) -> tuple[int, int] | None:
    """Minutes after midnight of begin and end. None: they are no times of a day."""
    if text is None:
        return 0, _DAY_MIN
    hours_begin, minutes_begin, hours_end, minutes_end = map(int, re.split("[:-]", text))
    begin, end = hours_begin * 60 + minutes_begin, hours_end * 60 + minutes_end
    is_wrong = minutes_begin > 59 or minutes_end > 59 or begin >= _DAY_MIN or end > _DAY_MIN or begin == end
    return None if is_wrong else (begin, end)
