"""Stations as points and tracks as lines, in longitude and latitude of WGS 84 (EPSG:4326), as RFC 7946 says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge.store.durable import write_durably
from edge.store.reads import surveys
from edge.store.reads.surveys import TowRow
from edge.store.reads.tracks import line_counts
from edge.store.sqlite import Connection
from edge.survey.exchange.gather import Gathered, GatheredStation, LeftOut, track_lines
from edge.survey.exchange.methods import method_of_station

DECIMALS = 7  # a centimetre


def features(connection: Connection, gathered: Gathered) -> tuple[list[dict[str, Any]], list[LeftOut]]:
    """A point for each station and a line for each track that stands; and what has no place on a map."""
    found: list[dict[str, Any]] = []
    for one in gathered.stations:
        if one.middle is not None:
            place = [round(one.middle.longitude_deg, DECIMALS), round(one.middle.latitude_deg, DECIMALS)]
            found.append(_feature("Point", place, _station_properties(gathered, one)))
        found += _lines(connection, gathered, one)
    return found, _nowhere(gathered)


def feature_count(connection: Connection, gathered: Gathered) -> tuple[int, list[LeftOut]]:
    """How many `features` gives, and what it leaves out: a page asks for no more, and a season's tracks have 180,000 positions."""
    lines = line_counts(connection, gathered.survey.id)
    count = 0
    for one in gathered.stations:
        tows = surveys.tows(connection, one.station.id)
        count += (one.middle is not None) + sum(lines.get(tow.id, 0) or _has_ends(tow) for tow in tows)
    return count, _nowhere(gathered)


def _nowhere(gathered: Gathered) -> list[LeftOut]:
    why = "no position: nobody wrote one, and there is no track"
    return [LeftOut(one.station.name, "", why) for one in gathered.stations if one.middle is None]


def _has_ends(tow: TowRow) -> bool:
    return None not in {tow.start_longitude_deg, tow.start_latitude_deg, tow.end_longitude_deg, tow.end_latitude_deg}


def write_geojson(path: Path, gathered: Gathered, found: list[dict[str, Any]]) -> int:
    """Write a collection. Returns how many features."""
    collection = {"type": "FeatureCollection", "name": gathered.survey.name, "features": found}
    write_durably(path, json.dumps(collection, ensure_ascii=False, allow_nan=False) + "\n")
    return len(found)


def _station_properties(gathered: Gathered, one: GatheredStation) -> dict[str, Any]:
    result, method = one.result, method_of_station(one)
    is_counted = not one.absence
    return {
        "kind": "station",
        "survey": gathered.survey.name,
        "station": one.station.name,
        "ground": one.station.ground,
        "position_source": None if one.middle is None else one.middle.source,
        "state": str(result.state),
        "method": None if method is None else method.slug,
        "systems": result.systems if is_counted else None,
        "distance_m": result.distance_m if is_counted else None,
        "area_m2": result.area_m2 if is_counted else None,
        "density_raw_per_m2": result.density_raw_per_m2 if is_counted else None,
        "density_adjusted_per_m2": result.density_adjusted_per_m2 if is_counted else None,
        "why_no_result": one.absence or None,
        "table": {
            name: {"systems": row.systems, "density_raw_per_m2": row.raw_per_m2, "density_adjusted_per_m2": row.adjusted_per_m2}
            for name, row in one.rows.items()
        }
        or None,
    }


def _lines(connection: Connection, gathered: Gathered, one: GatheredStation) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    about: dict[str, Any]
    for tow in surveys.tows(connection, one.station.id):
        properties = {"kind": "track", "survey": gathered.survey.name, "station": one.station.name, "tow": tow.ordinal}
        tracks = [(track, points) for track, points in track_lines(connection, tow.id) if len(points) > 1]
        for track, points in tracks:
            places = [[round(longitude_deg, DECIMALS), round(latitude_deg, DECIMALS)] for _, latitude_deg, longitude_deg, _ in points]
            about = {"source": track.source, "file": track.file_name, "begin_utc": points[0][0], "end_utc": points[-1][0]}
            lines.append(_feature("LineString", places, {**properties, **about}))
        ends = (tow.start_longitude_deg, tow.start_latitude_deg, tow.end_longitude_deg, tow.end_latitude_deg)
        if not tracks and _has_ends(tow):
            about = {"source": "sheet", "file": None, "begin_utc": tow.start_utc, "end_utc": tow.end_utc}
            places = [[round(value or 0.0, DECIMALS) for value in end] for end in (ends[:2], ends[2:])]
            lines.append(_feature("LineString", places, {**properties, **about}))
    return lines


def _feature(kind: str, coordinates: list[Any], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
