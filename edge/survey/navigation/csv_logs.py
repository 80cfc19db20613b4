"""Tables of positions, told apart by their header row.

    id,datetime,depth,heading,lon,lat,videotime                    BIVIEDES (BIIGLE's video workflow): DD/MM/YYYY HH:MM:SS, UTC
    timestamp,utc,latitude,longitude,fix_quality,...               Seattle Aquarium, GGA
    time,latitude,longitude and other names of `_NAMES`            anybody's; a column `date` may stand beside `time`; , ; or tabs

`timestamp,heading` (Seattle Aquarium, HDT) and `timestamp,position_valid,x,y,z,...` (their acoustic positions, in metres from a
receiver whose place the table does not say) hold no position on Earth: they are refused with that reason.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from edge.survey.navigation.fixes import MAX_POINTS, Faults, Fix, LogError, NavigationLog, Stream, Window, is_nowhere

Source = Literal["usbl", "ship"]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": ("datetime", "timestamp", "time", "time_utc", "datetime_utc", "date_time"),
    "latitude": ("latitude", "lat", "latitude_deg"),
    "longitude": ("longitude", "lon", "long", "longitude_deg"),
    "depth": ("depth", "depth_m"),
    "heading": ("heading", "heading_deg"),
    "quality": ("fix_quality",),
    "date": ("date", "date_utc"),
}
_EPOCH = re.compile(r"\d{9,10}(\.\d+)?")
_MAX_YEARS = 400 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    time: str
    latitude: str
    longitude: str
    depth: str | None
    heading: str | None
    quality: str | None
    date: str | None

    def when(self, row: Mapping[str, str]) -> str:
        """Date and time of a row, also where they stand apart."""
        return f"{row[self.date].strip()} {row[self.time].strip()}" if self.date else row[self.time]


def is_table(header: str) -> bool:
    """Whether a first line is a header of names and not a sentence."""
    names = [name.strip().strip('"').lower() for name in re.split("[,;\t]", header)]
    return len(names) > 1 and any(name in _NAMES["time"] for name in names)


def read_table(lines: Iterator[str], window: Window, source: Source) -> NavigationLog:
    """Read a table of positions; whose they are it does not say, so `source` does.

    Raises:
        LogError: it has no positions, no dates that can be told apart, or none in the window.
    """
    first = next(lines)
    delimiter = max(",;\t", key=first.count)
    names = [name.strip().strip('"').removeprefix("\ufeff") for name in first.strip().split(delimiter)]
    columns = _columns(names)
    rows = list(_rows(lines, names, delimiter))
    day_first = _day_first([columns.when(row) for _, row in rows])
    faults, fixes, wanted = Faults(), [], 0
    for number, row in rows:
        try:
            fix = _fix(row, columns, day_first=day_first)
        except ValueError as error:
            faults.add(str(error), number, delimiter.join(str(value) for value in row.values()))
            continue
        wanted += 1
        if window.holds(fix.at):
            fixes.append(fix)
    _check(fixes, wanted, faults, len(rows))
    return NavigationLog(
        kind="CSV",
        streams={Stream(source=source, name="table"): fixes},
        rows_read=len(rows),
        rows_refused=faults.refused,
        faults=faults.lines(),
    )


def _columns(names: Sequence[str]) -> _Columns:
    by_lower = {name.lower(): name for name in names}
    found = {what: next((by_lower[name] for name in known if name in by_lower), None) for what, known in _NAMES.items()}
    time, latitude, longitude = found["time"], found["latitude"], found["longitude"]
    if time is None or latitude is None or longitude is None:
        if {"x", "y"} <= set(by_lower):
            raise LogError(
                "the table has positions in metres from a receiver, not latitudes and longitudes",
                advice="Export what the system calls its global position; a track needs degrees.",
            )
        lacks = [what for what in ("time", "latitude", "longitude") if found[what] is None]
        raise LogError(
            f"the table has no column for {', '.join(lacks)}", advice="Give it a header with time, latitude and longitude (WGS84, degrees)."
        )
    return _Columns(
        time=time,
        latitude=latitude,
        longitude=longitude,
        depth=found["depth"],
        heading=found["heading"],
        quality=found["quality"],
        date=found["date"],
    )


def _rows(lines: Iterator[str], names: Sequence[str], delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader((line.replace("\0", "") for line in lines), delimiter=delimiter)
    try:
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if reader.line_num > 4 * MAX_POINTS:
                raise LogError(
                    f"the table has more than {4 * MAX_POINTS} rows", advice="Cut it to the day of the tow, or give the log as NMEA 0183."
                )
            yield reader.line_num + 1, dict(zip(names, (*values, *[""] * (len(names) - len(values))), strict=False))
    except csv.Error as error:
        raise LogError(f"the table cannot be read: {error}", advice="Export it again as CSV (UTF-8).") from error


def _day_first(times: Sequence[str]) -> bool | None:
    """Whether `07/01/2021` is the 7th of January; None where no row is written so.

    Raises:
        LogError: rows contradict each other, or none of them says.
    """
    slashed = [match for text in times if (match := re.match(r"\s*(\d{1,2})[/.](\d{1,2})[/.]\d{4}", text))]
    if not slashed:
        return None
    day_first = any(int(match[1]) > 12 for match in slashed)
    month_first = any(int(match[2]) > 12 for match in slashed)
    if day_first and month_first:
        raise LogError(
            "dates in this table have the day first in some rows and the month first in others", advice="Write them all as YYYY-MM-DD."
        )
    return not month_first  # the header that has such dates writes the day first


def _fix(row: Mapping[str, str], columns: _Columns, *, day_first: bool | None) -> Fix:
    at = read_time(columns.when(row), day_first=day_first is not False)
    latitude, longitude = _number(row[columns.latitude]), _number(row[columns.longitude])
    if latitude is None or longitude is None:
        raise ValueError("no position")
    if columns.quality is not None and row[columns.quality].strip() == "0":
        raise ValueError("no fix")
    if is_nowhere(latitude, longitude):
        raise ValueError("position 0/0, or none on Earth")
    depth = _number(row[columns.depth]) if columns.depth else None
    heading = _number(row[columns.heading]) if columns.heading else None
    return Fix(at=at, latitude_deg=latitude, longitude_deg=longitude, depth_m=depth, heading_deg=heading)


def read_time(text: str, *, day_first: bool) -> datetime:
    """ISO 8601, seconds since 1970, or a date with slashes; without a zone it is UTC.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip().strip('"')
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    slashed = re.fullmatch(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})[ T](\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)", text)
    try:
        if slashed:
            day, month = (slashed[1], slashed[2]) if day_first else (slashed[2], slashed[1])
            text = f"{slashed[3]}-{int(month):02d}-{int(day):02d}T{slashed[4].zfill(len(slashed[4]) + (slashed[4][1] == ':'))}"
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("no time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _number(text: str) -> float | None:
    text = text.strip().strip('"')
    if not text or text.upper() in {"NA", "NAN", "NULL"}:
        return None
    try:
        value = float(text.replace(",", "."))  # between semicolons a comma is the decimal one
    except ValueError:
        raise ValueError("a value that is no number") from None
    if not math.isfinite(value):
        raise ValueError("a value that is no number")
    return value


def _check(fixes: Sequence[Fix], wanted: int, faults: Faults, rows: int) -> None:
    if fixes:
        return
    if not rows:
        raise LogError("the table has no rows", advice="Export it again.")
    if wanted:
        raise LogError(
            "the table has positions, but none within the tow's time",
            advice="Check the tow's times; dates are read as UTC, and 07/01/2021 as the 7th of January.",
        )
    raise LogError(f"the table has no position that can be used ({'; '.join(faults.lines())})", advice="Correct the named rows.")
