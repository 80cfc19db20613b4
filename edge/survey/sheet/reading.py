"""What a tow's sheet says: the columns it is read into, and for every field that cannot be read the reason and what that does."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from edge.store.clock import utc_text
from edge.survey.sheet.fields import BY_KEY, FIELDS, Field, effect_of
from edge.survey.sheet.moments import DateOrder, read_date, read_moment, read_time, read_zone
from edge.survey.sheet.positions import Axis, read_position
from edge.survey.sheet.words import Unreadable, is_nothing, read_code, read_flag, read_number, read_text, tidy

Value = str | float | bool | None

LONGEST_TOW_S = 2 * 3600.0
FASTEST_TOW_M_PER_S = 2.6  # five knots: a sledge is towed at about one, and wrong minutes or signs give far more
EARTH_RADIUS_M = 6_371_009.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong with a field. `kind` tells a value that is not read from one that is read and hardly can be."""

    field: str
    kind: Literal["unreadable", "implausible"]
    message: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A sheet as it was read: a value for every column of `tows` that the sheet fills, the station's, and the faults by field.

    `planned_deg`: latitude and longitude where the station is planned, each None where nothing readable is stated.
    """

    columns: Mapping[str, Value]
    ground: str
    planned_deg: tuple[float | None, float | None]
    faults: Mapping[str, Fault]


def read_sheet(cells: Mapping[str, str], *, grounds: Collection[str] | None = None) -> Reading:
    """Read everything that stands in a tow's sheet.

    Args:
        cells: field key -> what was typed; fields that nobody filled may be missing.
        grounds: the names that the survey knows; None: any name will do.
    """
    faults: dict[str, Fault] = {}
    columns: dict[str, Value] = {}
    for field in FIELDS:
        if field.kind in {"text", "long_text", "number", "flag", "code"}:
            value = _single(field, cells.get(field.key, ""), faults)
            if field.column:
                columns[field.column] = value
    if columns["in_analysis"] is None:
        columns["in_analysis"] = True
    moments = {side: _moment(cells, side, faults) for side in ("start", "end")}
    for side, moment in moments.items():
        columns[f"{side}_utc"] = None if moment is None else utc_text(moment)
        for axis in _AXES:
            columns[f"{side}_{axis}_deg"] = _position(cells, side, axis, faults)
    _check_line(moments["start"], moments["end"], columns, faults)
    ground = read_text(cells.get("ground", ""))
    if ground and grounds is not None and ground not in grounds:
        message = f"the survey has no ground {ground!r}: choose one of its grounds, or add this one on the survey's page"
        faults["ground"] = Fault(field="ground", kind="unreadable", message=message, effect=effect_of("ground"))
        ground = ""
    planned = (_position(cells, "planned", "latitude", faults), _position(cells, "planned", "longitude", faults))
    return Reading(columns=columns, ground=ground, planned_deg=planned, faults=faults)


def distance_m(a_deg: tuple[float, float], b_deg: tuple[float, float]) -> float:
    """Metres between two positions (latitude, longitude) on a sphere of the earth's mean radius, by the haversine formula."""
    (lat_a, lon_a), (lat_b, lon_b) = (tuple(map(math.radians, one)) for one in (a_deg, b_deg))
    half = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


_AXES: tuple[Axis, ...] = ("latitude", "longitude")


def _single(field: Field, text: str, faults: dict[str, Fault]) -> Value:
    try:
        if field.kind == "number":
            return read_number(text, low=field.low, high=field.high, unit=field.unit)
        if field.kind == "flag":
            return read_flag(text)
        if field.kind == "code":
            return read_code(text, field.codes)
        return read_text(text)
    except Unreadable as fault:
        faults[field.key] = _unreadable(field.key, fault)
        return "" if field.kind == "code" else None


def _moment(cells: Mapping[str, str], side: str, faults: dict[str, Fault]) -> datetime | None:
    """Reads date and time each for itself first: so the fault stands at the one that has it."""
    keys = f"{side}_date", f"{side}_time"
    texts = [cells.get(key, "") for key in keys]
    order, zone_min = _order(cells, faults), _zone(cells, faults)
    for key, text in zip(keys, texts, strict=True):
        try:
            if key.endswith("date"):
                read_date(text, order)
            else:
                read_time(text)
        except Unreadable as fault:
            faults[key] = _unreadable(key, fault)
    if faults.keys() & {*keys, "utc_offset", "date_order"}:
        return None
    try:
        moment = read_moment(*texts, order=order, zone_min=zone_min)
    except Unreadable as fault:
        faults[keys[1]] = _unreadable(keys[1], fault)
        return None
    if moment is None and any(not is_nothing(text) for text in texts):
        missing = keys[is_nothing(texts[1])]
        faults[missing] = _unreadable(missing, Unreadable("this is missing" if missing == keys[0] else "the time is missing"))
    return moment


def _order(cells: Mapping[str, str], faults: dict[str, Fault]) -> DateOrder | None:
    try:
        code = read_code(cells.get("date_order", ""), BY_KEY["date_order"].codes)
    except Unreadable as fault:
        faults["date_order"] = _unreadable("date_order", fault)
        return None
    return DateOrder(code) if code else None


def _zone(cells: Mapping[str, str], faults: dict[str, Fault]) -> int:
    text = tidy(cells.get("utc_offset", ""))
    try:
        return (0 if text in {"0", "+0", "00:00"} else read_zone(text)) or 0
    except Unreadable as fault:
        faults["utc_offset"] = _unreadable("utc_offset", fault)
        return 0


def _position(cells: Mapping[str, str], side: str, axis: Axis, faults: dict[str, Fault]) -> float | None:
    keys = [f"{side}_{axis}_{part}" for part in ("degrees", "minutes", "letter")]
    degrees, minutes, letter = (cells.get(key, "") for key in keys)
    try:
        return read_position(degrees, minutes, letter, axis)
    except Unreadable as fault:
        faults[keys[0]] = _unreadable(keys[0], fault)
        return None


def _unreadable(key: str, fault: Unreadable) -> Fault:
    return Fault(field=key, kind="unreadable", message=str(fault), effect=effect_of(key))


def _check_line(start: datetime | None, end: datetime | None, columns: dict[str, Value], faults: dict[str, Fault]) -> None:
    """What start and end say together: a line goes forward in time and no faster than a sledge is towed."""
    if start is None or end is None:
        return
    duration_s = (end - start).total_seconds()
    if duration_s <= 0:
        message = "the line ends before it begins" + (": was it the next day?" if duration_s > -86_400 else "")
        faults["end_time"] = Fault(field="end_time", kind="unreadable", message=message, effect=_BACKWARDS)
        columns["end_utc"] = None
        return
    if duration_s > LONGEST_TOW_S:
        message = f"the line lasts {duration_s / 3600:.1f} h: is it the right day?"
        effect = "Files of other stations may fall into it; they are attached to none as long as two lines claim them."
        faults["end_time"] = Fault(field="end_time", kind="implausible", message=message, effect=effect)
    ends = [columns[f"{side}_{axis}_deg"] for side in ("start", "end") for axis in _AXES]
    if all(isinstance(one, float) for one in ends):
        lat_a, lon_a, lat_b, lon_b = (float(one or 0.0) for one in ends)
        length_m = distance_m((lat_a, lon_a), (lat_b, lon_b))
        if length_m > FASTEST_TOW_M_PER_S * duration_s:
            message = f"start and end are {length_m:,.0f} m apart, {length_m / duration_s:.1f} m/s over the line: one of them is wrong"
            faults["end_latitude_degrees"] = Fault(field="end_latitude_degrees", kind="implausible", message=message, effect=_TOO_FAR)


_BACKWARDS = "No file is attached by time and no speed is computed until start and end are in order."
_TOO_FAR = "A distance from start to end would be wrong and with it area and density; the map shows the station in a wrong place."
