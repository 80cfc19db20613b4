"""What a navigation log gives: fixes by stream, and what could not be used, counted and shown by example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge.errors import InputError, Reason

MARGIN_S = 120.0
MAX_POINTS = 50_000
_EXAMPLE_CHARACTERS = 60


class LogError(InputError):
    """A navigation log that cannot be taken as it is."""

    code = "log_invalid"

    def __init__(self, message: str, *, advice: str) -> None:
        super().__init__(Reason.CORRUPT, message, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A position at a time (aware, UTC). What rode along with it is None where the log did not say it."""

    at: datetime
    latitude_deg: float
    longitude_deg: float
    depth_m: float | None = None
    heading_deg: float | None = None
    speed_m_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stream:
    """Where fixes come from: `source` "usbl" or "ship", `name` such as "GPGGA" or "beacon 24"."""

    source: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is wanted, with `MARGIN_S` on both sides; None: everything, up to `MAX_POINTS`."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a fix of that time is wanted."""
        margin = timedelta(seconds=MARGIN_S)
        return (self.start is None or at >= self.start - margin) and (self.end is None or at <= self.end + margin)

    def of_day(self) -> tuple[float, float] | None:
        """First and last second of the day that are wanted (first > last: across midnight); None for all."""
        if self.start is None or self.end is None or (self.end - self.start).total_seconds() + 2 * MARGIN_S >= 86_400:
            return None
        day_s = 86_400.0
        return (seconds_of_day(self.start) - MARGIN_S) % day_s, (seconds_of_day(self.end) + MARGIN_S) % day_s


def seconds_of_day(at: datetime) -> float:
    """Seconds since midnight."""
    return at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6


class Faults:
    """Counts what could not be used by its kind; keeps the first line of each kind as an example."""

    def __init__(self) -> None:
        self.refused = 0
        self._kinds: dict[str, tuple[int, int, str]] = {}
        self._notes: list[str] = []

    def add(self, kind: str, line_number: int, text: str) -> None:
        """A line that cannot be used."""
        self.refused += 1
        count, first, example = self._kinds.get(kind, (0, line_number, text[:_EXAMPLE_CHARACTERS]))
        self._kinds[kind] = (count + 1, first, example)

    def note(self, text: str) -> None:
        """Something that whoever reads the result should know; no line is lost by it."""
        if text not in self._notes:
            self._notes.append(text)

    def lines(self) -> tuple[str, ...]:
        """The faults as sentences, the most frequent first, then the notes."""
        ordered = sorted(self._kinds.items(), key=lambda one: -one[1][0])
        told = [
            f"{kind}: {count} line{'s' if count > 1 else ''}, first line {first}: {example!r}" for kind, (count, first, example) in ordered
        ]
        return (*told, *self._notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationLog:
    """A log that was read.

    Attributes:
        kind: what it was taken for, such as "NMEA 0183".
        streams: fixes in the order of the file.
        rows_read: lines, rows or sentences looked at.
        rows_refused: those that could not be used; sentences of kinds that nothing here needs are not among them.
        faults: sentences, see `Faults.lines`.
    """

    kind: str
    streams: Mapping[Stream, Sequence[Fix]]
    rows_read: int
    rows_refused: int
    faults: tuple[str, ...] = field(default=())


def is_nowhere(latitude_deg: float, longitude_deg: float) -> bool:
    """Whether a receiver without a fix wrote this position: 0/0, or none on Earth."""
    on_earth = -90 <= latitude_deg <= 90 and -180 <= longitude_deg <= 180  # false for NaN too
    return not on_earth or (abs(latitude_deg) < 1e-4 and abs(longitude_deg) < 1e-4)
