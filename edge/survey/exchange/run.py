"""Write one of a survey's tables or maps, with a text beside it that tells what it is, what it is made from and what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import __version__
from edge.cells import Cell
from edge.errors import SettingsError
from edge.store.clock import utc_now
from edge.store.connection import snapshot
from edge.store.sqlite import Connection
from edge.survey.agreement import CCC_LIMIT
from edge.survey.counting.judge import counts_agreement
from edge.survey.exchange import geojson, minutes, plots, summary, tables
from edge.survey.exchange.gather import Gathered, GatheredCount, GatheredStation, LeftOut, gather
from edge.survey.exchange.methods import ANY, Choice, Chosen, choose, method_of_count, method_of_station, methods_of
from edge.survey.exchange.place import file_stem, put_export
from edge.survey.exchange.workbook import write_workbook
from edge.survey.method import Method
from edge.survey.mi.clicks import FRAME_PX, click_cells
from edge.survey.mi.dialects import CLICKS, DIALECTS, RECOUNTS, Dialect
from edge.survey.mi.recounts import recount_cells
from edge.survey.mi.stations import station_cells
from edge.survey.mi.writing import write_table
from edge.survey.overview import survey_overview

Rows = list[dict[str, str | int | float]]

FORMATS: dict[str, tuple[str, str]] = {
    **{one.name: (".csv", one.title) for one in DIALECTS.values()},
    "minutes": (".csv", "Counts by minute: one row per counter and minute"),
    "geojson": (".geojson", "Stations as points and tracks as lines, WGS 84"),
    "workbook": (".xlsx", "All tables as one workbook, with means and CV"),
    "ccc-plot": (".svg", "Lin's CCC by station, without names of counters"),
    "minutes-plot": (".svg", "Every minute of two counters against each other, without names"),
}
_NOTES = {
    "mi-view": "AdjustedBurrowDensity is raw density over the correction factor. FOVMultiplier is the width of view in metres: "
    "count / (DistanceOverGround * FOVMultiplier) is the raw density.",
    "mi-analysis": "Density is adjusted, density.unadj is raw: the other way round than in mi-fu2021.",
    "mi-fu2021": "Density is raw, Density_Adjusted is adjusted: the other way round than in mi-analysis.",
    "mi-recounts": "Only revealed counts. StopTime and StartTime of counts made here: the seconds lost, from the begin of the minute.",
    "mi-clicks": f"Only revealed counts. x and y are pixels of a frame of {FRAME_PX[0]} x {FRAME_PX[1]}, whatever the camera; "
    "annotation_time of counts made here is UTC.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What is asked for.

    Attributes:
        station: only this one; None for all.
        choice: which methods; nothing chosen where there is only one.
        sees_tables: whether whoever asks may see what tables of others say of stations that wait for blind counts: administrators.
    """

    survey: str
    format: str
    station: str | None = None
    choice: Choice = ANY
    sees_tables: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written. `methods`: of the figures in it; `rows`: without the header; `left_out`: what is not in it, with the reason."""

    survey: str
    format: str
    file: Path
    sidecar: Path
    methods: tuple[Method, ...]
    rows: int
    sha256: str
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an export would be. `refused`: why there would be none, "" if there would; several methods there mean that one is to be chosen.

    Attributes:
        methods: those that are there, whatever is chosen.
        rows: of the file; None where it is refused.
    """

    format: str
    methods: tuple[Method, ...]
    rows: int | None
    left_out: tuple[LeftOut, ...]
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A format made ready: how it is written, how many rows it has, and what it leaves out."""

    write: Callable[[Path], object]
    rows: int
    left_out: list[LeftOut]
    columns: Sequence[str]


def export(connection: Connection, request: ExportRequest, out_dir: Path, *, watched: Iterable[Path] = ()) -> ExportReport:
    """Write a table or map of a survey and its sidecar into a folder.

    Args:
        connection: a reader's.
        request: which.
        out_dir: the folder.
        watched: folders that it must not lie in.

    Raises:
        SeveralMethodsError: the file would hold several methods, and nobody chose.
        SettingsError: there is no such format, survey, station or method, or the folder cannot be used.
        DiskFullError: no room.
    """
    if request.format not in FORMATS:
        raise SettingsError(f"there is no format {request.format}", advice=f"The formats are {', '.join(FORMATS)}.")
    suffix, title = FORMATS[request.format]
    with snapshot(connection):
        gathered = gather(connection, request.survey, request.station, sees_tables=request.sees_tables)
        chosen = choose(gathered, request.format, request.choice)
        ready = _ready(connection, chosen, request.format)
    own = "" if suffix == f".{request.format}" else request.format
    stem = file_stem(request.survey, request.station or "", chosen.slug, own)
    name, sidecar = f"{stem}{suffix}", f"{stem}.json" if own else f"{stem}{suffix}.json"
    about = {"format": request.format, "title": title, **_about(chosen, ready)}
    if request.format in _NOTES:
        about["reading"] = _NOTES[request.format]
    identity = (request.survey, request.station or "", *filter(None, (chosen.slug,)), request.format)
    sha256 = put_export(
        out_dir,
        name,
        sidecar,
        write=lambda path: _drop(ready.write(path)),
        told={"file": name, **about},
        identity=identity,
        watched=watched,
    )
    return ExportReport(
        survey=gathered.survey.name,
        format=request.format,
        file=out_dir / name,
        sidecar=out_dir / sidecar,
        methods=chosen.methods,
        rows=ready.rows,
        sha256=sha256,
        left_out=tuple(ready.left_out),
    )


def preview(connection: Connection, survey: str, station: str | None, choice: Choice = ANY, *, sees_tables: bool = False) -> list[Preview]:
    """For every format how many rows an export would have, and what it would leave out.

    Raises:
        SettingsError: there is no such survey or station.
    """
    with snapshot(connection):
        gathered = gather(connection, survey, station, sees_tables=sees_tables)
        return [_previewed(connection, gathered, name, choice) for name in FORMATS]


def _previewed(connection: Connection, gathered: Gathered, format_name: str, choice: Choice) -> Preview:
    methods = methods_of(gathered, format_name)
    try:
        chosen = choose(gathered, format_name, choice)
        rows, left_out = _looked_at(connection, chosen, format_name)
    except SettingsError as error:  # of the choice: survey and station are there
        return Preview(format=format_name, methods=methods, rows=None, left_out=(), refused=str(error))
    return Preview(format=format_name, methods=methods, rows=rows, left_out=tuple(left_out), refused="")


def _looked_at(connection: Connection, chosen: Chosen, format_name: str) -> tuple[int, list[LeftOut]]:
    """How many rows a file would have, and what it would leave out. Clicks are many: they are counted, and not made."""
    if format_name == CLICKS.name:
        return tables.click_count(connection, chosen.gathered)
    if format_name == "geojson":
        return geojson.feature_count(connection, chosen.gathered)
    if format_name == "workbook":
        count, left_out = tables.click_count(connection, chosen.gathered)
        sheets = _sheets(connection, chosen, clicks=([], left_out))
        return count + sum(len(rows) for _, _, rows in sheets), list(chosen.gathered.left_out)
    ready = _ready(connection, chosen, format_name)
    return ready.rows, ready.left_out


def _drop(_: object) -> None:
    """What a writer returns is known before."""


def _ready(connection: Connection, chosen: Chosen, format_name: str) -> Written:
    gathered = chosen.gathered
    if format_name in DIALECTS:
        dialect = DIALECTS[format_name]
        rows, left_out = _table(connection, gathered, dialect)
        return Written(write=lambda path: _write_csv(path, dialect, rows), rows=len(rows), left_out=left_out, columns=dialect.columns)
    if format_name == "minutes":
        count = len(minutes.minute_rows(gathered))
        return Written(
            write=lambda path: minutes.write_minutes(path, gathered), rows=count, left_out=list(gathered.left_out), columns=minutes.COLUMNS
        )
    if format_name == "geojson":
        found, nowhere = geojson.features(connection, gathered)
        return Written(write=lambda path: geojson.write_geojson(path, gathered, found), rows=len(found), left_out=nowhere, columns=())
    if format_name == "workbook":
        sheets = _sheets(connection, chosen, clicks=_table(connection, gathered, CLICKS))
        count = sum(len(rows) for _, _, rows in sheets)
        return Written(write=lambda path: write_workbook(path, sheets), rows=count, left_out=list(gathered.left_out), columns=())
    stations = agreements(gathered)
    drawing = _drawing(chosen, stations, format_name)
    return Written(
        write=lambda path: path.write_text(drawing, encoding="utf-8"), rows=len(stations), left_out=list(gathered.left_out), columns=()
    )


def _drawing(chosen: Chosen, stations: Sequence[plots.StationAgreement], format_name: str) -> str:
    survey = chosen.gathered.survey
    if format_name == "minutes-plot":
        letters = plots.anonymous([name for one in stations for name in one.counts], survey.uuid)
        return plots.minutes_plot(stations, letters, f"Minutes of two counters, {survey.name}")
    limits = {one.version: one.ccc_limit for one in chosen.gathered.protocols}
    limit = limits.get(max((one.version or 0 for one in chosen.methods), default=0), CCC_LIMIT)
    return plots.ccc_plot(stations, limit, f"CCC by station, {survey.name}")


def _table(connection: Connection, gathered: Gathered, dialect: Dialect) -> tuple[Rows, list[LeftOut]]:
    if dialect is RECOUNTS:
        recounts, left_out = tables.recounts(gathered)
        return [recount_cells(one) for one in recounts], left_out
    if dialect is CLICKS:
        clicks, left_out = tables.clicks(connection, gathered)
        return [click_cells(one) for one in clicks], left_out
    records, left_out = tables.station_records(gathered, dialect)
    return [station_cells(one, dialect) for one in records], left_out


def _write_csv(path: Path, dialect: Dialect, rows: Rows) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_table(file, dialect, rows)


def agreements(gathered: Gathered) -> list[plots.StationAgreement]:
    """The agreement of the first two counters of each tow, under the protocol that they counted by; each method for itself."""
    by_tow: dict[tuple[int, Method], list[GatheredCount]] = {}
    for one in gathered.counts:
        by_tow.setdefault((one.tow.id, method_of_count(one)), []).append(one)
    found = []
    for of_tow in by_tow.values():
        ordered = sorted(of_tow, key=lambda one: one.count.ordinal)
        protocol = ordered[0].protocol
        if protocol is None:
            continue
        systems = {one.count.counter: {minute: at.systems for minute, at in one.count.minutes.items()} for one in ordered}
        agreement = counts_agreement([one.count for one in ordered], protocol)
        found.append(plots.StationAgreement(station=ordered[0].line, agreement=agreement, counts=systems))
    return sorted(found, key=lambda one: (len(one.station), one.station))


def _sheets(
    connection: Connection, chosen: Chosen, *, clicks: tuple[Rows, list[LeftOut]]
) -> list[tuple[str, Sequence[str], list[Sequence[Cell]]]]:
    gathered = chosen.gathered
    sheets: list[tuple[str, Sequence[str], list[Sequence[Cell]]]] = [
        ("About", ("what", "value"), [(name, value) for name, value in _about_rows(chosen)]),
        ("Summary", summary.COLUMNS, _summary_rows(connection, gathered)),
        ("Agreement", ("station", "counter_1", "counter_2", "total_1", "total_2", "minutes", "ccc", "state"), _agreement_rows(gathered)),
        ("Minutes", minutes.COLUMNS, list(minutes.minute_rows(gathered))),
    ]
    left_out = list(gathered.left_out)
    for dialect in DIALECTS.values():
        rows, missing = clicks if dialect is CLICKS else _table(connection, gathered, dialect)
        left_out += [LeftOut(one.station, one.counter, f"{dialect.name}: {one.reason}") for one in missing if one not in gathered.left_out]
        sheets.append((dialect.name, dialect.columns, [[row[column] for column in dialect.columns] for row in rows]))
    sheets.append(("Left out", ("station", "counter", "reason"), [tuple(one) for one in left_out]))
    return sheets


def _summary_rows(connection: Connection, gathered: Gathered) -> list[Sequence[Cell]]:
    """Each method for itself: the means and the CV of the stations that were counted by it."""
    results = {one.station.id: one.result for one in gathered.stations}
    only = {one.station.id for one in gathered.stations if not one.absence}
    return summary.summary_rows(survey_overview(connection, gathered.survey.id, only=only, results=results))


def _agreement_rows(gathered: Gathered) -> list[Sequence[Cell]]:
    rows: list[Sequence[Cell]] = []
    for one in agreements(gathered):
        counters, totals = [*one.agreement.counters, "", ""][:2], [*one.agreement.totals, None, None][:2]
        rows.append((one.station, *counters, *totals, len(one.agreement.minutes), one.agreement.ccc, str(one.agreement.state)))
    return rows


def _about_rows(chosen: Chosen) -> list[tuple[str, Cell]]:
    gathered, survey = chosen.gathered, chosen.gathered.survey
    rows: list[tuple[str, Cell]] = [
        ("survey", survey.name),
        ("kind", survey.kind),
        ("functional unit", survey.functional_unit),
        ("vessel", survey.vessel),
        ("year", survey.year),
        *(("method", one.words) for one in chosen.methods),
        ("written, UTC", utc_now()),
        ("software", f"iMagine Edge {__version__}"),
    ]
    for protocol in reversed(gathered.protocols):
        for field, value in protocol._asdict().items():
            rows.append((f"protocol {protocol.version}: {field}", value))
    return [*rows, *((f"in {name}", note) for name, note in _NOTES.items())]


def _about(chosen: Chosen, ready: Written) -> dict[str, Any]:
    """What a sidecar says beyond the file's name."""
    gathered, survey = chosen.gathered, chosen.gathered.survey
    told = "; ".join(one.words for one in chosen.methods)
    notes = [f"this file holds several methods, each row is of one of them: {told}"] if len(chosen.methods) > 1 else []
    return {
        "columns": list(ready.columns),
        "rows": ready.rows,
        "exported_utc": utc_now(),
        "software_version": __version__,
        "survey": {name: getattr(survey, name) for name in ("name", "uuid", "kind", "functional_unit", "vessel", "year")},
        "station": gathered.station,
        "methods": [{"origin": one.origin, "protocol_version": one.version, "what": one.words} for one in chosen.methods],
        "protocols": [protocol._asdict() for protocol in gathered.protocols],
        "sources": {one.station.name: _sources(gathered, one) for one in gathered.stations},
        "left_out": [one._asdict() for one in ready.left_out],
        "notes": notes,
    }


def _sources(gathered: Gathered, one: GatheredStation) -> dict[str, Any]:
    method = method_of_station(one)
    return {
        "uuid": one.station.uuid,
        "method": None if method is None else method.slug,
        "counts": [
            {"uuid": each.count.uuid, "counter": each.count.counter, "origin": each.count.origin, "signed_utc": each.count.signed_utc}
            for each in gathered.counts
            if each.tow.station_id == one.station.id
        ],
        "result": dict(one.result.sources) if not one.absence else None,
        "position": None if one.middle is None else one.middle.source,
        "tables": [{"format": row.format, "file": row.file_name, "sha256": row.sha256, "row": row.row_number} for row in one.rows.values()],
        "reasons": list(one.result.reasons),
        "flags": list(one.result.flags),
    }
