"""Densities as they go ashore: what a revealed tow comes to by its protocol, its distance and its width, as the station's page has it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edge.store.reads.ashore import Tables, collected
from edge.store.reads.ashore_counts import COUNTS, counted_tows
from edge.store.sqlite import Connection
from edge.survey.result import StationResult, station_result


def counts_ashore(connection: Connection, subjects: Sequence[str]) -> Tables:
    """Revealed counts, minute by minute, and the densities of their tows."""
    densities = [
        _density(tow_uuid, station_result(connection, tow_id, with_openings=False))
        for tow_id, tow_uuid in counted_tows(connection, subjects)
    ]
    return {**collected(connection, COUNTS, subjects), "densities": densities}


def _density(tow_uuid: str, result: StationResult) -> tuple[Any, ...]:
    sources = result.sources
    distance, width, factor = (sources[name] or {} for name in ("distance", "width", "factor"))
    used = [one["counter"] for one in sources["counts"] if one["used"]]
    return (
        tow_uuid,
        result.state.value,
        (sources["protocol"] or {}).get("protocol"),
        ", ".join(used),
        result.systems,
        len(sources["minutes"]),
        result.distance_m,
        distance.get("source"),
        distance.get("method"),
        width.get("width_m"),
        width.get("method"),
        result.area_m2,
        result.area_sd_m2,
        result.density_raw_per_m2,
        result.density_raw_sd_per_m2,
        result.density_adjusted_per_m2,
        result.density_adjusted_sd_per_m2,
        factor.get("value"),
        factor.get("source"),
        json.dumps(result.reasons, ensure_ascii=False),
        json.dumps(result.flags, ensure_ascii=False),
    )
