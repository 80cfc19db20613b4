"""The Marine Institute's tables of stations: the database view, the analysis table and the table of FU20-21.

One value serves all three. `Density` is raw in mi-fu2021 and adjusted in mi-analysis; FOVMultiplier of the view is taken for the
width of view in metres, which is an inference (0.75 and 1.01 occur in both), and so the area is distance times that, once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.survey.mi.dialects import ANALYSIS, FU2021, NOT_AVAILABLE, VIEW, Dialect
from edge.survey.mi.reading import Faults, TableRow, table_rows

DistanceSource = Literal["usbl", "ship", "odometer", "observed", "estimated"]
SOURCE_WORDS: dict[DistanceSource, str] = {
    "usbl": "USBL",
    "ship": "SHIP",
    "odometer": "Odometer",
    "observed": "observed",
    "estimated": "Estimated",
}
MAX_DISTANCE_M = 20_000.0
MAX_AREA_M2 = 100_000.0
MAX_COUNT = 1e6
MAX_DENSITY = 1e4
MAX_WIDTH_M = 10.0
DENSITY_TOLERANCE = 1e-5  # relative; the originals have nine decimals

Cell = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRecord:
    """A station as a table has it; None is what the table does not say, "" a text that it does not have. `year` is always read.

    Attributes:
        row: its number in the file, the header being row 1.
        systems: with its fraction; a mean over counters.
        width_m: of view: area over distance, or FOVMultiplier.
        raw_per_m2, adjusted_per_m2: systems per square metre as counted, and divided by the table's own correction factor.
        ground_area_km2: of the ground that the station lies on.
        cells: what is written, by column.
    """

    row: int
    survey: str
    year: int | None
    station: str
    systems: float
    distance_m: float | None
    distance_source: DistanceSource | None
    width_m: float | None
    area_m2: float | None
    raw_per_m2: float | None
    adjusted_per_m2: float | None
    latitude_deg: float | None
    longitude_deg: float | None
    functional_unit: str = ""
    ground: str = ""
    vessel: str = ""
    status: str = ""
    source: str = ""
    ground_area_km2: float | None = None
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What a dialect calls its columns; "" where it has none."""

    survey: str
    station: str
    systems: str
    distance: str
    distance_source: str
    area: str
    width: str
    raw: str
    adjusted: str
    latitude: str
    longitude: str
    functional_unit: str = ""
    vessel: str = ""
    status: str = ""
    source: str = ""
    ground_area: str = ""


_NAMES = {
    VIEW.name: _Names(
        survey="",
        station="StationNumber",
        systems="NephropsBurrowCount",
        distance="DistanceOverGround",
        distance_source="DistanceSource",
        area="",
        width="FOVMultiplier",
        raw="",
        adjusted="AdjustedBurrowDensity",
        latitude="SHIP_Mid_Latitude",
        longitude="Ship_Mid_Longitude",
    ),
    ANALYSIS.name: _Names(
        survey="Survey",
        station="Station",
        systems="Count_n",
        distance="DoG_m",
        distance_source="DoGSource",
        area="Area_m2",
        width="",
        raw="density.unadj",
        adjusted="Density",
        latitude="latitude",
        longitude="longitude",
        functional_unit="FU",
        status="Status",
        source="Source",
        ground_area="Area_km2",
    ),
    FU2021.name: _Names(
        survey="Survey",
        station="Station",
        systems="Count",
        distance="DoGm",
        distance_source="DoGSource",
        area="m2",
        width="",
        raw="Density",
        adjusted="Density_Adjusted",
        latitude="MidDegLat",
        longitude="MidDeglong",
        functional_unit="FU",
        vessel="Vessel",
    ),
}


def station_rows(path: Path, dialect: Dialect, faults: Faults) -> list[StationRecord]:
    """The rows of a table in its order; what cannot be read is noted in `faults` and left out.

    A view names no survey: its rows have "" there, and the year.

    Raises:
        TableError: it is no such table at all.
    """
    found: list[StationRecord] = []
    seen: dict[tuple[str, int | None, str, str], int] = {}
    for row in table_rows(path, dialect, faults):
        one = _record(row, _NAMES[dialect.name])
        if one is None:
            continue
        ground = one.ground if dialect is VIEW else ""  # a view holds every survey, and numbers stations by ground
        first = seen.setdefault((one.survey, one.year, ground, one.station), one.row)
        if first != one.row:
            row.refuse(_NAMES[dialect.name].station, f"station {one.station} is there twice: in row {first} too")
            continue
        found.append(one)
    return found


def record_of(cells: Mapping[str, str], dialect: Dialect, row_number: int) -> StationRecord | None:
    """A row that was kept as it was written; None where it is no row of the dialect."""
    return _record(TableRow(row_number, cells, Faults()), _NAMES[dialect.name])


def station_cells(one: StationRecord, dialect: Dialect) -> dict[str, Cell]:
    """A row as the dialect writes it; what is not known is NA, never 0."""
    names, name = _NAMES[dialect.name], one.station
    values: dict[str, Cell | None] = {
        names.survey: one.survey,
        names.station: int(name) if name.isascii() and name.isdecimal() and str(int(name)) == name else name,
        names.systems: one.systems,
        names.distance: one.distance_m,
        names.distance_source: None if one.distance_source is None else SOURCE_WORDS[one.distance_source],
        names.area: one.area_m2,
        names.width: one.width_m,
        names.raw: one.raw_per_m2,
        names.adjusted: one.adjusted_per_m2,
        names.latitude: one.latitude_deg,
        names.longitude: one.longitude_deg,
        names.functional_unit: one.functional_unit,
        names.vessel: one.vessel,
        names.status: one.status,
        names.source: one.source,
        names.ground_area: one.ground_area_km2,
        "Year": one.year,
        "Ground": one.ground,
    }
    cells: dict[str, Cell] = {}
    for column in dialect.columns:
        value = values[column]
        cells[column] = NOT_AVAILABLE if value is None or value == "" else value
    return cells


def _record(row: TableRow, names: _Names) -> StationRecord | None:
    survey = row.needed_text(names.survey) if names.survey else ""
    year, station = row.needed_whole("Year", 1900, 2200), row.needed_text(names.station)
    systems = row.needed_number(names.systems, 0, MAX_COUNT)
    distance_m = _positive(row, names.distance, MAX_DISTANCE_M)
    area_m2 = _positive(row, names.area, MAX_AREA_M2)
    width_m = _positive(row, names.width, MAX_WIDTH_M)
    if width_m is None and area_m2 is not None and distance_m is not None:
        width_m = area_m2 / distance_m
        if width_m > MAX_WIDTH_M:
            row.refuse(names.area, f"{names.area} is {area_m2:g} over {distance_m:g} m: a view {width_m:g} m wide")
    raw, adjusted = (_within(row, name, 0, MAX_DENSITY) for name in (names.raw, names.adjusted))
    _check_density(row, names, systems, area_m2, raw)
    latitude, longitude = _within(row, names.latitude, -90, 90), _within(row, names.longitude, -180, 180)
    source, ground_area = _distance_source(row, names.distance_source), _positive(row, names.ground_area, 1e6)
    if survey is None or year is None or station is None or systems is None:
        return None
    return StationRecord(
        row=row.number,
        survey=survey,
        year=year,
        station=station,
        systems=systems,
        distance_m=distance_m,
        distance_source=source,
        width_m=width_m,
        area_m2=area_m2,
        raw_per_m2=raw,
        adjusted_per_m2=adjusted,
        latitude_deg=latitude,
        longitude_deg=longitude,
        functional_unit=row.text(names.functional_unit),
        ground=row.text("Ground"),
        vessel=row.text(names.vessel),
        status=row.text(names.status),
        source=row.text(names.source),
        ground_area_km2=ground_area,
        cells={column: cell for column, cell in row.cells.items() if column},
    )


def _check_density(row: TableRow, names: _Names, systems: float | None, area_m2: float | None, raw: float | None) -> None:
    """A raw density is count over area; another one means another dialect, or a row that somebody changed in part."""
    if systems is None or area_m2 is None or raw is None:
        return
    if not math.isclose(systems / area_m2, raw, rel_tol=DENSITY_TOLERANCE, abs_tol=1e-8):
        row.refuse(names.raw, f"{names.raw} is {raw:g}, but {names.systems} over {names.area} is {systems / area_m2:.6g}")


def _distance_source(row: TableRow, column: str) -> DistanceSource | None:
    if row.is_missing(column):
        return None
    word = row.raw(column).casefold()
    for source, written in SOURCE_WORDS.items():
        if written.casefold() == word:
            return source
    row.refuse(column, f"{column} is {row.raw(column)!r}; known are {', '.join(SOURCE_WORDS.values())}")
    return None


def _within(row: TableRow, column: str, low: float, high: float) -> float | None:
    return row.number_or_none(column, low, high) if column else None


def _positive(row: TableRow, column: str, high: float) -> float | None:
    """A measure that is there is more than zero: a distance of 0 m is no distance, whatever was meant by it."""
    value = _within(row, column, 0, high)
    if value == 0:
        row.refuse(column, f"{column} is 0: a measure that is missing is NA")
        return None
    return value
