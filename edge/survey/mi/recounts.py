"""The `Recounts` table of the Marine Institute: one row per counter and minute.

    RecountID, Video_Line_Name, SurveyID, VideoOperatorID, Minute, BurrowCount, NephropsIn, NephropsOut, StopTime, StartTime, Unusuable

`Unusuable` is the table's own spelling. `StopTime` and `StartTime` are when a counter paused and went on, in the footage's
time with the date 1899-12-30, or NA. Numbers from a spreadsheet may carry a decimal point.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import InputError, Reason
from edge.survey.agreement import PAUSE_LIMIT_S

COLUMNS = (
    "RecountID",
    "Video_Line_Name",
    "SurveyID",
    "VideoOperatorID",
    "Minute",
    "BurrowCount",
    "NephropsIn",
    "NephropsOut",
    "StopTime",
    "StartTime",
    "Unusuable",
)
NEEDED = ("Video_Line_Name", "VideoOperatorID", "Minute", "BurrowCount")
NOT_AVAILABLE = frozenset({"", "NA", "NULL", "N/A"})
_TRUE = frozenset({"1", "TRUE", "T", "YES", "Y", "-1"})  # Access writes -1
_FALSE = frozenset({"0", "FALSE", "F", "NO", "N"})


class TableError(InputError):
    """A survey table that cannot be taken as it is."""

    code = "table_invalid"

    def __init__(self, message: str, *, advice: str) -> None:
        super().__init__(Reason.CORRUPT, message, advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCounts:
    """What was counted on one line. `counts`: counter -> minute -> systems, counters in the order of the table."""

    survey: str
    station: str
    counts: Mapping[str, Mapping[int, float]]
    unusable_minutes: frozenset[int] = field(default_factory=frozenset)


def read_recounts(path: Path) -> list[StationCounts]:
    """The stations of a table, in the order of their first rows.

    Raises:
        TableError: columns are missing, a value cannot be read, or a counter has a minute twice; it names the row.
    """
    counts: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    unusable: dict[tuple[str, str], set[int]] = {}
    for number, row in _rows(path):
        key = (row.get("SurveyID", "").strip(), _text(row, "Video_Line_Name", number))
        counter, minute = _text(row, "VideoOperatorID", number), _minute(row, number)
        of_counter = counts.setdefault(key, {}).setdefault(counter, {})
        if minute in of_counter:
            raise TableError(
                f"row {number}: counter {counter} has minute {minute} of station {key[1]} twice",
                advice="Leave the row that is right and remove the other; nothing was taken.",
            )
        of_counter[minute] = _count(row, number)
        if _is_unusable(row, number):
            unusable.setdefault(key, set()).add(minute)
    if not counts:
        raise TableError(f"{path.name} has no rows", advice="Export the table again; an empty table is no station with zero burrows.")
    return [
        StationCounts(survey=survey, station=station, counts=of_station, unusable_minutes=frozenset(unusable.get((survey, station), ())))
        for (survey, station), of_station in counts.items()
    ]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Row numbers as a spreadsheet shows them, and values by column."""
    advice = "Export the table as CSV (UTF-8, comma) with its header row."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            if missing:
                raise TableError(f"{path.name} lacks the columns {', '.join(missing)}", advice=advice)
            for row in reader:
                if None in row or None in row.values():
                    raise TableError(f"row {reader.line_num}: it has not as many values as the header has columns", advice=advice)
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path.name} cannot be read: {error}", advice=advice) from error


def _text(row: dict[str, str], name: str, number: int) -> str:
    value = row[name].strip()
    if value.upper() in NOT_AVAILABLE:
        raise TableError(f"row {number}: {name} is missing", advice=f"Fill in {name}; nothing was taken.")
    return value.removesuffix(".0")


def _minute(row: dict[str, str], number: int) -> int:
    value = _number(row, "Minute", number)
    if value != int(value) or not 0 <= value <= 24 * 60:
        raise TableError(f"row {number}: Minute is {row['Minute']!r}", advice="A minute is a whole number from the start of the line.")
    return int(value)


def _count(row: dict[str, str], number: int) -> float:
    value = _number(row, "BurrowCount", number)
    if value < 0:
        raise TableError(f"row {number}: BurrowCount is {row['BurrowCount']!r}", advice="A count is zero or more.")
    return value


def _number(row: dict[str, str], name: str, number: int) -> float:
    text = _text(row, name, number)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -1e9 < value < 1e9:
        raise TableError(f"row {number}: {name} is {row[name]!r}, not a number", advice=f"Correct {name}; nothing was taken.")
    return value


def _is_unusable(row: dict[str, str], number: int) -> bool:
    """Marked so, or paused in for `PAUSE_LIMIT_S` or more: whoever pauses misses what passes for everybody."""
    marked = row.get("Unusuable", "").strip().upper()
    if marked not in NOT_AVAILABLE | _TRUE | _FALSE:
        raise TableError(f"row {number}: Unusuable is {row['Unusuable']!r}", advice="It is 0, 1 or NA.")
    stop_s, start_s = (_time_of_day_s(row.get(name, ""), name, number) for name in ("StopTime", "StartTime"))
    paused = stop_s is not None and start_s is not None and start_s - stop_s >= PAUSE_LIMIT_S
    return marked in _TRUE or paused


def _time_of_day_s(text: str, name: str, number: int) -> float | None:
    if text.strip().upper() in NOT_AVAILABLE:
        return None
    try:
        hours, minutes, seconds = text.rsplit(maxsplit=1)[-1].split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except (ValueError, IndexError):
        raise TableError(f"row {number}: {name} is {text!r}", advice="A time is written as 00:03:05, with or without a date.") from None
