"""The `Recounts` table of the Marine Institute: one row per counter and minute.

    RecountID, Video_Line_Name, SurveyID, VideoOperatorID, Minute, BurrowCount, NephropsIn, NephropsOut, StopTime, StartTime, Unusuable

`Unusuable` is the table's own spelling. `StopTime` and `StartTime` are when a counter paused and went on, in the footage's
time with the date 1899-12-30, or NA. One without the other says of a pause, but not how long it was: such a row is refused, unless
its minute is unusable anyway. Numbers from a spreadsheet may carry a decimal point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from edge.survey.agreement import PAUSE_LIMIT_S
from edge.survey.mi.dialects import NOT_AVAILABLE, RECOUNTS
from edge.survey.mi.reading import Faults, TableRow, table_rows

MAX_MINUTE = 24 * 60
MAX_COUNT = 1e6
MINUTE_S = 60.0
_TRUE = frozenset({"1", "TRUE", "T", "YES", "Y", "-1"})  # Access writes -1
_FALSE = frozenset({"0", "FALSE", "F", "NO", "N"})
_TIME = re.compile(r"(?:\S+\s+)?(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d+)?)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCounts:
    """What was counted on one line. `counts`: counter -> minute -> systems, counters in the order of the table."""

    survey: str
    station: str
    counts: Mapping[str, Mapping[int, float]]
    unusable_minutes: frozenset[int] = field(default_factory=frozenset)


class Recount(NamedTuple):
    """A row of the table.

    Attributes:
        row: its number in the file, the header being row 1.
        recount_id: the table's own key, "" where it has none.
        stopped_s, went_on_s: seconds since the start of the line; None where the counter did not pause, or it was not noted.
        unusable: what the table says, None where it says nothing.
    """

    row: int
    recount_id: str
    station: str
    survey: str
    counter: str
    minute: int
    systems: float
    nephrops_in: int | None
    nephrops_out: int | None
    stopped_s: float | None
    went_on_s: float | None
    unusable: bool | None

    @property
    def lost_s(self) -> float:
        """Seconds in which nothing was counted: all of an unusable minute, else the pause."""
        if self.unusable:
            return MINUTE_S
        if self.stopped_s is None or self.went_on_s is None:
            return 0.0
        return min(self.went_on_s - self.stopped_s, MINUTE_S)


def recount_rows(path: Path, faults: Faults) -> list[Recount]:
    """The rows of a table in its order; what cannot be read is noted in `faults` and left out.

    Raises:
        TableError: it is no such table at all.
    """
    found: list[Recount] = []
    seen: dict[tuple[str, str, str, int], int] = {}
    for row in table_rows(path, RECOUNTS, faults):
        one = _recount(row)
        if one is None:
            continue
        first = seen.setdefault((one.survey, one.station, one.counter, one.minute), one.row)
        if first != one.row:
            row.refuse("Minute", f"counter {one.counter} has minute {one.minute} of station {one.station} twice: in row {first} too")
            continue
        found.append(one)
    return found


def read_recounts(path: Path) -> list[StationCounts]:
    """The stations of a table, in the order of their first rows.

    Raises:
        TableError: columns are missing, a value cannot be read, or a counter has a minute twice; it names the rows.
    """
    faults = Faults()
    rows = recount_rows(path, faults)
    faults.raise_any(path.name)
    return by_station(rows)


def by_station(rows: Iterable[Recount]) -> list[StationCounts]:
    """Rows as stations, in the order of their first rows."""
    counts: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    unusable: dict[tuple[str, str], set[int]] = {}
    for one in rows:
        key = (one.survey, one.station)
        counts.setdefault(key, {}).setdefault(one.counter, {})[one.minute] = one.systems
        if one.lost_s >= PAUSE_LIMIT_S:  # whoever pauses misses what passes for everybody
            unusable.setdefault(key, set()).add(one.minute)
    return [
        StationCounts(survey=survey, station=station, counts=of_station, unusable_minutes=frozenset(unusable.get((survey, station), ())))
        for (survey, station), of_station in counts.items()
    ]


def recount_cells(one: Recount) -> dict[str, str | int | float]:
    """A row as the original writes it."""
    return {
        "RecountID": int(one.recount_id) if one.recount_id.isdecimal() else one.recount_id or one.row,
        "Video_Line_Name": _number_or_text(one.station),
        "SurveyID": one.survey,
        "VideoOperatorID": _number_or_text(one.counter),
        "Minute": one.minute,
        "BurrowCount": one.systems,
        "NephropsIn": NOT_AVAILABLE if one.nephrops_in is None else one.nephrops_in,
        "NephropsOut": NOT_AVAILABLE if one.nephrops_out is None else one.nephrops_out,
        "StopTime": _time_cell(one.stopped_s),
        "StartTime": _time_cell(one.went_on_s),
        "Unusuable": NOT_AVAILABLE if one.unusable is None else int(one.unusable),
    }


def _recount(row: TableRow) -> Recount | None:
    station, counter = row.needed_text("Video_Line_Name"), row.needed_text("VideoOperatorID")
    minute, systems = row.needed_whole("Minute", 0, MAX_MINUTE), row.needed_number("BurrowCount", 0, MAX_COUNT)
    nephrops_in, nephrops_out = (row.whole_or_none(name, 0, int(MAX_COUNT)) for name in ("NephropsIn", "NephropsOut"))
    stopped_s, went_on_s = _time_s(row, "StopTime"), _time_s(row, "StartTime")
    unusable = _flag(row)
    _check_pause(row, unusable=unusable is True)
    if stopped_s is not None and went_on_s is not None and went_on_s < stopped_s:
        row.refuse("StartTime", f"StartTime is {row.raw('StartTime')!r}, before StopTime")
    if station is None or counter is None or minute is None or systems is None:
        return None
    return Recount(
        row=row.number,
        recount_id=row.text("RecountID").removesuffix(".0"),
        station=station,
        survey=row.text("SurveyID"),
        counter=counter,
        minute=minute,
        systems=systems,
        nephrops_in=nephrops_in,
        nephrops_out=nephrops_out,
        stopped_s=stopped_s,
        went_on_s=went_on_s,
        unusable=unusable,
    )


def _check_pause(row: TableRow, *, unusable: bool) -> None:
    """A pause has two ends: half of it as 0 s would make a minute look counted that was not."""
    missing = [column for column in ("StopTime", "StartTime") if row.is_missing(column)]
    if len(missing) == 1 and not unusable:
        there = "StartTime" if missing == ["StopTime"] else "StopTime"
        why = f"{there} is {row.raw(there)!r} without a {missing[0]}: how long the counter paused is not known"
        row.refuse(missing[0], f"{why}; give both, or mark the minute as unusable")


def _flag(row: TableRow) -> bool | None:
    text = row.raw("Unusuable").upper()
    if row.is_missing("Unusuable"):
        return None
    if text not in _TRUE | _FALSE:
        row.refuse("Unusuable", f"Unusuable is {row.raw('Unusuable')!r}, which is neither 0, 1 nor NA")
    return text in _TRUE


def _time_s(row: TableRow, column: str) -> float | None:
    if row.is_missing(column):
        return None
    found = _TIME.fullmatch(row.raw(column))
    if found is None:
        row.refuse(column, f"{column} is {row.raw(column)!r}; a time is written as 00:03:05, with or without a date")
        return None
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _time_cell(seconds: float | None) -> str:
    """A time of the footage as Access writes it: on its day zero."""
    if seconds is None:
        return NOT_AVAILABLE
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    fraction = f".{milliseconds:03d}" if milliseconds else ""
    return f"1899-12-30 {whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{fraction}"


def _number_or_text(name: str) -> str | int:
    """Keys that are numbers are numbers in the original; a leading zero makes a text of them."""
    return int(name) if name.isascii() and name.isdecimal() and str(int(name)) == name else name
