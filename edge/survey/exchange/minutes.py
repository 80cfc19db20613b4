"""Counts by minute, as they were counted: one row per counter and minute of every revealed count."""

from __future__ import annotations

from pathlib import Path

from edge.cells import Cell, CsvFile
from edge.survey.exchange.gather import Gathered

COLUMNS = (
    "survey",
    "station",
    "tow",
    "video_line",
    "in_analysis",
    "counter",
    "count_ordinal",
    "origin",
    "count_uuid",
    "protocol_version",
    "minute",
    "in_window",
    "systems",
    "lost_s",
    "nephrops_in",
    "nephrops_out",
    "note",
)


def minute_rows(gathered: Gathered) -> list[tuple[Cell, ...]]:
    """The rows, by station and tow, then in the order of the counts; None is not recorded."""
    rows: list[tuple[Cell, ...]] = []
    places = {one.station.name: place for place, one in enumerate(gathered.stations)}
    for one in sorted(gathered.counts, key=lambda each: (places[each.tow.station], each.tow.ordinal, each.count.ordinal)):
        tow, count, protocol = one.tow, one.count, one.protocol
        for minute in count.minutes.values():
            in_window = None if protocol is None else int(minute.minute in protocol.minutes)
            rows.append(
                (
                    gathered.survey.name,
                    tow.station,
                    tow.ordinal,
                    one.line,
                    int(tow.in_analysis),
                    count.counter,
                    count.ordinal,
                    count.origin,
                    count.uuid,
                    None if protocol is None else protocol.version,
                    minute.minute,
                    in_window,
                    _number(minute.systems),
                    _number(minute.lost_s),
                    minute.nephrops_in,
                    minute.nephrops_out,
                    minute.note,
                )
            )
    return rows


def write_minutes(path: Path, gathered: Gathered) -> int:
    """Write the table. Returns how many rows."""
    with CsvFile(path, COLUMNS) as file:
        for row in minute_rows(gathered):
            file.write(row)
        return file.rows


def _number(value: float) -> Cell:
    return int(value) if value == int(value) else value
