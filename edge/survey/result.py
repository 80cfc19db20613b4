"""What is known of a station: its count, distance, area and density, each with the rows that it came from.

A figure that cannot be given is None, and `reasons` says why; zero systems in counted minutes are a result like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ResultState(StrEnum):
    """How far a station has come."""

    DRAFT = "draft"  # of no survey: nothing can be counted on it
    NO_TOW = "no_tow"
    NOT_COUNTED = "not_counted"
    SEALED = "sealed"  # fewer signatures than the protocol asks for
    THIRD_COUNT = "third_count"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteResult:
    """One minute of the window.

    Attributes:
        systems: mean over the counters present, None where the minute does not count; `left_out` says why.
        by_counter: counter -> systems as counted, those that the result does not use too.
        lost_s: counter -> seconds lost.
        distance_m: over ground, None where nothing measured it.
    """

    minute: int
    systems: float | None
    by_counter: Mapping[str, float]
    lost_s: Mapping[str, float]
    distance_m: float | None
    left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationResult:
    """A station as the tables of the assessment see it.

    Attributes:
        openings: what the model saw, summed over the station's stills; advisory, and no number of burrow systems.
        systems: formula (1); None until it is counted by as many as the protocol asks for, and revealed.
        distance_m: over ground in the minutes that count, formula (2).
        area_m2: distance times width at the counting row, formula (3).
        density_raw_per_m2: formula (4).
        density_adjusted_per_m2: formula (5); None unless people counted and the protocol names a factor and its source.
        sources: what each figure was made from: `counts`, `protocol`, `minutes`, `distance`, `width`, `factor`, `agreement`.
        reasons: sentences; why what is None is None.
        flags: sentences; what is unusual about the figures that are given.
        model_systems: what a model counted, advisory; None until one can.
    """

    station: str
    survey: str | None
    station_id: int | None
    tow_id: int | None
    state: ResultState
    ground: str | None = None
    openings: int | None = None
    systems: float | None = None
    per_minute: tuple[MinuteResult, ...] = ()
    distance_m: float | None = None
    area_m2: float | None = None
    density_raw_per_m2: float | None = None
    density_adjusted_per_m2: float | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    model_systems: float | None = None
