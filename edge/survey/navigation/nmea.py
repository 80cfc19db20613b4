"""Logs of NMEA 0183: any talkers, any logger's text before the `$`, dates from RMC, ZDA or USBL, midnight within the file.

A log may be a whole leg (1 GB): it is read once, line by line, and only what lies in the window is parsed and kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from edge.survey.navigation.fixes import MAX_POINTS, Faults, Fix, LogError, NavigationLog, Stream, Window, is_nowhere
from edge.survey.navigation.sentences import Said, SentenceError, check_sum, read_sentence, time_s_of

HALF_DAY_S = 43_200.0
DAY_S = 86_400.0
FRESH_S = 10.0
# A sentence of a kind that is needed, wherever a logger lets it begin; cut ones are told from other instruments' by their head.
_WANTED = re.compile(rb"\$(?:[A-OQ-Z].(GGA|RMC|VTG|HDT|DBT|DPT|ZDA)|(PTSAG|PSONLLD)),")
_CUT = re.compile(rb"\$(?:[A-OQ-Z].(?:GGA|RMC|ZDA)|PTSAG|PSONLLD)\s*$")
_UNTIMED = frozenset({b"VTG", b"HDT", b"DBT", b"DPT"})
_TIME_FIELD = {b"GGA": 1, b"RMC": 1, b"ZDA": 1, b"PTSAG": 2, b"PSONLLD": 1}
_LOGGER_DAY = re.compile(rb"(\d{4})-(\d{2})-(\d{2})[T ]\d{2}:\d{2}")


def read_nmea(lines: Iterable[bytes], window: Window) -> NavigationLog:
    """Read a log.

    Args:
        lines: as they stand in the file, with any line ends.
        window: what is wanted of it.

    Raises:
        LogError: it has no usable position, more positions than `MAX_POINTS`, or no date anywhere.
    """
    reader = _Reader(window)
    for number, line in enumerate(lines, start=1):
        reader.take(number, line)
    return reader.finish()


class _Reader:
    """What is known at a line of the log: the day, and what instruments last said."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._of_day = window.of_day()
        self._is_inside = True  # whether the last sentence with a time lay in the window
        self._faults = Faults()
        self._streams: dict[Stream, list[Fix]] = {}
        self._undated: list[tuple[Stream, int, Said]] = []
        self._rows = 0
        self._kept = 0
        self._positions = 0
        self._time_s: float | None = None
        self._turns = 0  # midnights since the start of the file
        self._first_day: date | None = None
        self._logger_day: date | None = None
        self._latest: dict[str, tuple[float, float]] = {}

    def take(self, number: int, line: bytes) -> None:
        """One line."""
        found = _WANTED.search(line)
        if found is None:
            self._count_other(number, line)
            return
        self._rows += 1
        start = found.start()
        kind = found[1] or found[2]
        if not self._is_inside and kind in _UNTIMED:
            return
        sentence = line[start:].rstrip(b"\r\n\0 ")
        try:
            time_s = self._clock(kind, sentence)
            if time_s is not None and not self._is_wanted(kind, time_s):
                self._positions += 1
                return
            check_sum(sentence)
            if time_s is not None:
                self._pass_midnight(time_s)
            if start and self._first_day is None and (told := _LOGGER_DAY.search(line[:start])):
                self._logger_day = self._logger_day or date(*(int(part) for part in told.groups()))
            self._use(read_sentence(kind, sentence + b"\r\n"))
        except SentenceError as error:
            self._faults.add(str(error), number, sentence.decode("ascii", "replace"))
        except ValueError:
            self._faults.add("a field cannot be read", number, sentence.decode("ascii", "replace"))

    def _count_other(self, number: int, line: bytes) -> None:
        """A line that holds no sentence that is needed: an instrument of another kind, or none at all."""
        if b"$" in line or b"!" in line:
            self._rows += 1
            if _CUT.search(line):
                self._faults.add("no check sum", number, line.decode("ascii", "replace").strip())
        elif line.strip():
            self._rows += 1
            self._faults.add("no sentence", number, line.decode("ascii", "replace").strip())

    def _clock(self, kind: bytes, sentence: bytes) -> float | None:
        """The time that a sentence has, without parsing the rest of it."""
        place = _TIME_FIELD.get(kind)
        if place is None:
            return None
        fields = sentence.split(b",", place + 1)
        if len(fields) <= place:
            raise SentenceError("no check sum")
        text = fields[place]
        return None if not text else time_s_of(text)

    def _is_wanted(self, kind: bytes, time_s: float) -> bool:
        """Whether it may lie in the window; dates are wanted from everywhere until one is known, and from ZDA always."""
        if self._of_day is None:
            return True
        first_s, last_s = self._of_day
        self._is_inside = first_s <= time_s <= last_s if first_s <= last_s else time_s >= first_s or time_s <= last_s
        if self._is_inside or kind == b"ZDA" or (kind in {b"RMC", b"PTSAG"} and self._first_day is None):
            return True
        self._pass_midnight(time_s)
        return False

    def _pass_midnight(self, time_s: float) -> None:
        if self._time_s is not None:
            if time_s < self._time_s - HALF_DAY_S:
                self._turns += 1
            elif time_s > self._time_s + HALF_DAY_S:  # a sentence that was held back over midnight
                self._turns -= 1
        self._time_s = time_s

    def _use(self, said: Said) -> None:
        if said.day is not None:
            self._take_day(said.day)
        now_s = self._now_s()
        for name in ("depth_m", "heading_deg", "speed_m_per_s"):
            value = getattr(said, name)
            if value is not None and (said.stream is None or said.stream[0] == "ship"):
                self._latest[name] = (now_s, value)
        if said.stream is None or said.latitude_deg is None or said.longitude_deg is None:
            return
        self._positions += 1
        if is_nowhere(said.latitude_deg, said.longitude_deg):
            raise SentenceError("position 0/0, or none on Earth")
        stream = Stream(source=said.stream[0], name=said.stream[1])
        self._place(stream, self._turns, self._completed(said, now_s))

    def _now_s(self) -> float:
        return self._turns * DAY_S + (self._time_s or 0.0)

    def _take_day(self, day: date) -> None:
        """A date holds for the day that the file is in; one that is off the count starts the count anew."""
        self._first_day = day - timedelta(days=self._turns)
        for stream, turns, said in self._undated:
            self._place(stream, turns, said)
        self._undated.clear()

    def _completed(self, said: Said, now_s: float) -> Said:
        """A ship's fix with what its other instruments said within the last seconds; a sledge's heading is not the ship's."""
        if said.stream is None or said.stream[0] != "ship":
            return said
        fresh = {name: value for name, (at_s, value) in self._latest.items() if now_s - at_s <= FRESH_S}
        return replace(
            said,
            depth_m=fresh.get("depth_m") if said.depth_m is None else said.depth_m,
            heading_deg=fresh.get("heading_deg") if said.heading_deg is None else said.heading_deg,
            speed_m_per_s=fresh.get("speed_m_per_s") if said.speed_m_per_s is None else said.speed_m_per_s,
        )

    def _place(self, stream: Stream, turns: int, said: Said) -> None:
        assert said.time_s is not None  # a position has a time
        assert said.latitude_deg is not None
        assert said.longitude_deg is not None
        if self._first_day is None:
            self._undated.append((stream, turns, said))
            self._count()
            return
        midnight = datetime.combine(self._first_day + timedelta(days=turns), datetime.min.time(), tzinfo=UTC)
        at = midnight + timedelta(seconds=said.time_s)
        if not self._window.holds(at):
            return
        self._streams.setdefault(stream, []).append(
            Fix(
                at=at,
                latitude_deg=said.latitude_deg,
                longitude_deg=said.longitude_deg,
                depth_m=said.depth_m,
                heading_deg=said.heading_deg,
                speed_m_per_s=said.speed_m_per_s,
            )
        )
        self._count()

    def _count(self) -> None:
        self._kept += 1
        if self._kept > 4 * MAX_POINTS:
            raise LogError(
                f"the log has more than {4 * MAX_POINTS} positions in the wanted time",
                advice="Type the tow's start and end first: then only that part of the log is read.",
            )

    def finish(self) -> NavigationLog:
        """The log; what never met a date gets the logger's, or that of the tow."""
        if self._undated:
            self._date_the_undated()
        if not self._streams:
            raise self._why_none()
        return NavigationLog(
            kind="NMEA 0183",
            streams=self._streams,
            rows_read=self._rows,
            rows_refused=self._faults.refused,
            faults=self._faults.lines(),
        )

    def _date_the_undated(self) -> None:
        _, turns, said = self._undated[0]
        day = self._logger_day or self._nearest_day(said)
        if day is None:
            raise LogError(
                "the log has times but no date (no RMC, no ZDA)", advice="Type the tow's start and end first; its date is then taken."
            )
        told = "the logger's own" if self._logger_day else "that of the tow"
        self._faults.note(f"No sentence has a date; {told} was taken: {day.isoformat()}.")
        self._take_day(day + timedelta(days=self._turns - turns))

    def _nearest_day(self, said: Said) -> date | None:
        """The day on which a time lies nearest to the tow's start."""
        start = self._window.start
        if start is None or said.time_s is None:
            return None
        days = [start.date() + timedelta(days=days) for days in (-1, 0, 1)]
        seconds = timedelta(seconds=said.time_s)
        return min(days, key=lambda day: abs(datetime.combine(day, datetime.min.time(), tzinfo=UTC) + seconds - start))

    def _why_none(self) -> LogError:
        faults = "; ".join(self._faults.lines())
        if self._positions and not self._faults.refused:
            start, end = self._window.start, self._window.end
            when = f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC" if start and end else "the wanted time"
            return LogError(
                f"the log has positions, but none within the tow ({when})",
                advice="Check the tow's times and the log's date; a logger whose clock was off needs a time offset.",
            )
        if not self._rows:
            return LogError("the log is empty", advice="Copy it again from the logger.")
        return LogError(
            f"the log has no position that can be used ({faults or 'no sentence with a position'})",
            advice="It needs GGA, RMC, $PTSAG or $PSONLLD sentences with check sums, or a CSV of a known header (docs/guides/track.md).",
        )
