"""Counters against reference footage: counted blind like any station, then held against the reference.

A person is qualified by Lin's coefficient over all minutes of the set; the one of each station says where it went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from edge.store.counts import NewQualification
from edge.store.reads.counts import CountedMinute
from edge.survey.agreement import PAUSE_LIMIT_S, lin_ccc


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceStation:
    """One station of the set against its reference, over the minutes that both have.

    `bias`: by which part of the reference more was counted; None where the reference is zero.
    """

    station: str
    ccc: float | None
    bias: float | None
    counted: float
    reference: float
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A person against a whole reference set."""

    ccc: float | None
    bias: float | None
    stations: tuple[ReferenceStation, ...]

    def passes(self, ccc_limit: float) -> bool:
        """Whether that is enough; without a coefficient it is not."""
        return self.ccc is not None and self.ccc >= ccc_limit


def standing(counted: Mapping[str, Mapping[int, CountedMinute]], reference: Mapping[str, Mapping[int, float]]) -> Standing:
    """Hold what a person counted against the reference.

    Args:
        counted: station -> minute -> what was counted; minutes in which the person lost 30 s or more are left out.
        reference: station -> minute -> systems.
    """
    stations, all_counted, all_reference = [], [], []
    for station, minutes in counted.items():
        known = reference.get(station, {})
        common = sorted(minute for minute, one in minutes.items() if minute in known and one.lost_s < PAUSE_LIMIT_S)
        x, y = [minutes[minute].systems for minute in common], [known[minute] for minute in common]
        stations.append(
            ReferenceStation(station=station, ccc=_ccc(x, y), bias=_bias(x, y), counted=sum(x), reference=sum(y), minutes=len(common))
        )
        all_counted += x
        all_reference += y
    return Standing(ccc=_ccc(all_counted, all_reference), bias=_bias(all_counted, all_reference), stations=tuple(stations))


def qualification(found: Standing, *, person_id: int, survey_id: int, ccc_limit: float) -> NewQualification:
    """The row that keeps it. It holds totals and coefficients of the person's own counts and of no minute of the reference."""
    detail = [{name: value for name, value in asdict(one).items() if name != "reference"} for one in found.stations]
    return NewQualification(
        person_id=person_id,
        survey_id=survey_id,
        ccc=found.ccc,
        bias=found.bias,
        stations=len(found.stations),
        passed=found.passes(ccc_limit),
        detail_json=json.dumps({"ccc_limit": ccc_limit, "stations": detail}),
    )


def _ccc(x: list[float], y: list[float]) -> float | None:
    return lin_ccc(tuple(x), tuple(y)) if x else None


def _bias(x: list[float], y: list[float]) -> float | None:
    return (sum(x) - sum(y)) / sum(y) if sum(y) else None
