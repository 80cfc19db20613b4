"""The click table of the Marine Institute's annotation app: one row per burrow system that a counter marked.

    survey, station, counter_ID, time, still_n, feature, x, y, annotation_time, VideoOperatorID, minute

`time` is minutes and seconds of the footage in whole seconds, `minute` counts from 1, `x` and `y` are pixels of a frame of 1229 x 691,
`annotation_time` is a clock's without a zone, in more than one notation: it is kept as it is written. Every cell of the original
is in quotation marks. A minute without a click has no row: which minutes were counted, the protocol says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from edge.survey.counting.content import FEATURES
from edge.survey.mi.dialects import CLICKS, NOT_AVAILABLE
from edge.survey.mi.reading import Faults, TableRow, table_rows

FRAME_PX = (1229, 691)
REFERENCE = "REF"
FEATURE = "BURROW"
MARK = "system"  # what the appliance calls the same
_MARKS = {FEATURE: MARK, **{name.upper(): name for name in FEATURES if name != MARK}}
_FEATURES = {mark: feature for feature, mark in _MARKS.items()}
MAX_STILL = 10_000_000
MAX_MINUTE = 24 * 60
MINUTE_S = 60
_TIME = re.compile(r"(\d{1,4}):([0-5]\d)(\.\d+)?", re.ASCII)


class Click(NamedTuple):
    """A row of the table.

    Attributes:
        row: its number in the file, the header being row 1.
        at_s: seconds since the start of the footage.
        still_number, x_px, y_px: None where the table has none.
        annotated: when it was marked, verbatim.
        operator: the number that the table knows the counter by.
    """

    row: int
    survey: str
    station: str
    counter: str
    at_s: float
    still_number: int | None
    feature: str
    x_px: float | None
    y_px: float | None
    annotated: str
    operator: str
    minute: int


def click_rows(path: Path, faults: Faults) -> list[Click]:
    """The rows of a table in its order; what cannot be read is noted in `faults` and left out.

    Raises:
        TableError: it is no such table at all.
    """
    found: list[Click] = []
    for row in table_rows(path, CLICKS, faults):
        one = _click(row)
        if one is not None:
            found.append(one)
    return found


def mark_of(feature: str) -> str:
    """What the appliance calls a feature of the table; one that it does not know keeps its name."""
    return _MARKS.get(feature, feature)


def table_feature(mark: str) -> str:
    """What the table calls a mark of the appliance."""
    return _FEATURES.get(mark, mark)


def click_cells(one: Click) -> dict[str, str | int | float]:
    """A row as the original writes it."""
    whole, fraction = divmod(round(one.at_s * 1000), 1000)
    part = f".{fraction:03d}".rstrip("0") if fraction else ""
    return {
        "survey": one.survey,
        "station": one.station,
        "counter_ID": one.counter,
        "time": f"{whole // 60:02d}:{whole % 60:02d}{part}",
        "still_n": NOT_AVAILABLE if one.still_number is None else one.still_number,
        "feature": one.feature,
        "x": NOT_AVAILABLE if one.x_px is None else one.x_px,
        "y": NOT_AVAILABLE if one.y_px is None else one.y_px,
        "annotation_time": one.annotated or NOT_AVAILABLE,
        "VideoOperatorID": one.operator,
        "minute": one.minute,
    }


def _click(row: TableRow) -> Click | None:
    survey, station, counter, feature = (row.needed_text(name) for name in ("survey", "station", "counter_ID", "feature"))
    minute, at_s = row.needed_whole("minute", 1, MAX_MINUTE), _time_s(row)
    still_number = row.whole_or_none("still_n", 0, MAX_STILL)
    x_px, y_px = row.number_or_none("x", 0, FRAME_PX[0]), row.number_or_none("y", 0, FRAME_PX[1])
    if minute is not None and at_s is not None and int(at_s // MINUTE_S) + 1 != minute:
        row.refuse("minute", f"minute is {minute}, but the time {row.raw('time')} is in minute {int(at_s // MINUTE_S) + 1}")
    if survey is None or station is None or counter is None or feature is None or minute is None or at_s is None:
        return None
    return Click(
        row=row.number,
        survey=survey,
        station=station,
        counter=counter,
        at_s=at_s,
        still_number=still_number,
        feature=feature,
        x_px=x_px,
        y_px=y_px,
        annotated=row.text("annotation_time"),
        operator=row.text("VideoOperatorID").removesuffix(".0"),
        minute=minute,
    )


def _time_s(row: TableRow) -> float | None:
    if row.is_missing("time"):
        row.refuse("time", "time is missing")
        return None
    found = _TIME.fullmatch(row.raw("time"))
    if found is None:
        row.refuse("time", f"time is {row.raw('time')!r}; it is written as minutes and seconds, such as 03:05")
        return None
    return int(found[1]) * MINUTE_S + int(found[2]) + float(found[3] or 0)
