"""Rows of the five tables of the Marine Institute, from what a survey holds. What is not known is NA, never 0."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from edge import __version__
from edge.store.reads import surveys, tables
from edge.store.reads.tables import KeptMark, MarkRow
from edge.store.sqlite import Connection
from edge.survey.density import MINUTE_S, density, viewed_area_m2
from edge.survey.exchange.gather import Gathered, GatheredCount, GatheredStation, LeftOut, line_of
from edge.survey.mi.clicks import FRAME_PX, REFERENCE, Click, table_feature
from edge.survey.mi.dialects import DIALECTS, Dialect
from edge.survey.mi.recounts import Recount
from edge.survey.mi.stations import DistanceSource, StationRecord, record_of

_NO_CLICKS = "counted without clicks"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SOURCES: dict[str, DistanceSource] = {
    "usbl": "usbl",
    "ship": "ship",
    "odometer": "odometer",
    "observed": "observed",
    "estimated": "estimated",
}


def recounts(gathered: Gathered) -> tuple[list[Recount], list[LeftOut]]:
    """Rows of the Recounts table, in the order in which the counts came; and what they leave out."""
    number = gathered.largest_row_id
    rows: list[Recount] = []
    for one in gathered.counts:
        for minute in one.count.minutes.values():
            kept = one.kept.get(minute.minute)
            row_id = kept.table_row if kept is not None else ""
            if not row_id:
                number += 1
                row_id = str(number)
            stopped_s, went_on_s = _pause(one, minute.minute, minute.lost_s)
            rows.append(
                Recount(
                    row=len(rows) + 2,
                    recount_id=row_id,
                    station=one.line,
                    survey=gathered.survey.name,
                    counter=one.count.counter,
                    minute=minute.minute,
                    systems=minute.systems,
                    nephrops_in=minute.nephrops_in,
                    nephrops_out=minute.nephrops_out,
                    stopped_s=stopped_s,
                    went_on_s=went_on_s,
                    unusable=None if kept is None or kept.unusable is None else bool(kept.unusable),
                )
            )
    return rows, list(gathered.left_out)


def _pause(one: GatheredCount, minute: int, lost_s: float) -> tuple[float | None, float | None]:
    """When a counter stopped and went on: as the table had it; else, as the originals note it, from the begin of the minute."""
    kept = one.kept.get(minute)
    if one.count.origin == "imported":
        return (None, None) if kept is None else (kept.stopped_s, kept.went_on_s)
    begin_s = (minute - 1) * MINUTE_S
    return (begin_s, begin_s + lost_s) if lost_s > 0 else (None, None)


def clicks(connection: Connection, gathered: Gathered) -> tuple[list[Click], list[LeftOut]]:
    """Rows of the click table; references of footage are rows of REF. Counts that were typed have no clicks and are left out."""
    rows: list[Click] = []
    left_out = list(gathered.left_out)
    times: dict[int, tuple[float, ...]] = {}  # of a tow's stills: each tow has several counts
    for one in gathered.counts:
        marks = tables.marks(connection, one.count.id)
        if not marks and any(minute.systems for minute in one.count.minutes.values()):
            left_out.append(LeftOut(one.tow.station, one.count.counter, _NO_CLICKS))
        if one.tow.id not in times and any(mark.marked_utc for mark in marks):
            times[one.tow.id] = surveys.still_times_s(connection, one.tow.id)
        stills = times.get(one.tow.id, ())
        named = (gathered.survey.name, one.line, one.count.counter, one.operator or one.count.counter)
        rows += [_click(mark, named, stills, len(rows) + place) for place, mark in enumerate(marks, start=2)]
    if gathered.holds_references:
        for station in gathered.stations:
            for tow in surveys.tows(connection, station.station.id):
                for operator, mark in tables.reference_marks(connection, tow.id):
                    rows.append(_kept_click(mark, (gathered.survey.name, line_of(tow), REFERENCE, operator), len(rows) + 2))
    return rows, left_out


def click_count(connection: Connection, gathered: Gathered) -> tuple[int, list[LeftOut]]:
    """How many rows `clicks` gives, and what it leaves out: a page asks for no more, and a survey has 60,000."""
    by_count = tables.mark_counts(connection, gathered.survey.id)
    left_out = [
        LeftOut(one.tow.station, one.count.counter, _NO_CLICKS)
        for one in gathered.counts
        if one.count.id not in by_count and any(minute.systems for minute in one.count.minutes.values())
    ]
    count = sum(by_count.get(one.count.id, 0) for one in gathered.counts)
    if gathered.holds_references:
        tows = [tow for station in gathered.stations for tow in surveys.tows(connection, station.station.id)]
        count += sum(len(tables.reference_marks(connection, tow.id)) for tow in tows)
    return count, [*gathered.left_out, *left_out]


def _click(mark: MarkRow, named: tuple[str, str, str, str], stills: Sequence[float], row: int) -> Click:
    if mark.marked_local is not None:
        kept = KeptMark(mark.at_s, mark.minute, mark.feature, mark.x_fraction, mark.y_fraction, mark.marked_local, mark.still_number)
        return _kept_click(kept, named, row)
    place = bisect_left(stills, mark.at_s - 1e-6)
    still = place + 1 if place < len(stills) else None
    own = KeptMark(
        float(int(mark.at_s)), mark.minute, mark.feature, mark.x_fraction, mark.y_fraction, _app_time(mark.marked_utc or ""), still
    )
    return _kept_click(own, named, row)


def _kept_click(mark: KeptMark, named: tuple[str, str, str, str], row: int) -> Click:
    survey, line, counter, operator = named
    return Click(
        row=row,
        survey=survey,
        station=line,
        counter=counter,
        at_s=mark.at_s,
        still_number=mark.still_number,
        feature=table_feature(mark.feature),
        x_px=None if mark.x_fraction is None else round(mark.x_fraction * FRAME_PX[0], 3),
        y_px=None if mark.y_fraction is None else round(mark.y_fraction * FRAME_PX[1], 3),
        annotated=mark.marked_local,
        operator=operator,
        minute=mark.minute,
    )


def _app_time(moment_utc: str) -> str:
    """A moment as the annotation app writes it, in UTC."""
    when = datetime.fromisoformat(moment_utc).astimezone(UTC)
    return f"{when.day:02d}-{_MONTHS[when.month - 1]}-{when.year} {when:%H:%M:%S}"


def station_records(gathered: Gathered, dialect: Dialect) -> tuple[list[StationRecord], list[LeftOut]]:
    """Rows of a table of stations: counted here, else as a table of others has it, else left out with the reason."""
    records: list[StationRecord] = []
    left_out: list[LeftOut] = []
    for one in gathered.stations:
        record = _own_record(gathered, one) if not one.absence else None
        if record is None and one.has_usable_rows:
            record = _kept_record(gathered, one, dialect)
        if record is None:
            left_out.append(LeftOut(one.station.name, "", one.absence))
        else:
            records.append(record)
    if any(one.rows for one in gathered.stations):  # as the table was, so that it comes back as it came
        records.sort(key=lambda record: (record.row == 0, record.row))
    return records, left_out


def _kept_record(gathered: Gathered, one: GatheredStation, dialect: Dialect) -> StationRecord | None:
    """What a table of others says: the same dialect's as it was written, another one's by its meaning."""
    row = one.rows.get(dialect.name) or next(iter(one.rows.values()), None)
    found = None if row is None else record_of(json.loads(row.cells_json), DIALECTS[row.format], row.row_number)
    return found if found is None or row is None or row.format == dialect.name else _completed(found, gathered)


def _completed(record: StationRecord, gathered: Gathered) -> StationRecord:
    """With what its own dialect has no column for: the survey's names, and area and raw density by formulas (3) and (4)."""
    area_m2, raw = record.area_m2, record.raw_per_m2
    if area_m2 is None and record.distance_m is not None and record.width_m is not None:
        area_m2 = viewed_area_m2([(record.distance_m, record.width_m)])
    if raw is None and area_m2 is not None:
        raw = density(record.systems, area_m2).raw_per_m2
    survey = gathered.survey
    return replace(
        record,
        survey=record.survey or survey.name,
        functional_unit=record.functional_unit or survey.functional_unit,
        vessel=record.vessel or survey.vessel,
        area_m2=area_m2,
        raw_per_m2=raw,
    )


def _own_record(gathered: Gathered, one: GatheredStation) -> StationRecord:
    result, tow = one.result, one.tow
    assert tow is not None  # else its absence says so
    assert result.systems is not None
    ground = gathered.grounds.get(one.station.ground or "")
    year = gathered.survey.year or (int(tow.start_utc[:4]) if tow.start_utc else None)
    area = result.area_m2
    width = area / result.distance_m if area is not None and result.distance_m else one.width_m
    return StationRecord(
        row=0,
        survey=gathered.survey.name,
        year=year,
        station=one.station.name,
        systems=result.systems,
        distance_m=result.distance_m,
        distance_source=_SOURCES.get(one.distance_source or ""),
        width_m=width,
        area_m2=area,
        raw_per_m2=result.density_raw_per_m2,
        adjusted_per_m2=result.density_adjusted_per_m2,
        latitude_deg=None if one.middle is None else one.middle.latitude_deg,
        longitude_deg=None if one.middle is None else one.middle.longitude_deg,
        functional_unit=gathered.survey.functional_unit,
        ground=one.station.ground or "",
        vessel=gathered.survey.vessel,
        source=f"iMagine Edge {__version__}",
        ground_area_km2=None if ground is None else ground.area_km2,
    )
