"""Counters against reference footage: counted blind like any station, then held against the reference.

A person is qualified who counted every tow of the set that has a reference, or as many as its rule asks for, and whose coefficient
(Lin's) over all their minutes is high enough; the one of each tow says where it went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from edge.store.counts import NewQualification
from edge.store.reads.counts import CountedMinute
from edge.store.reads.qualifications import QualificationRow
from edge.survey.agreement import PAUSE_LIMIT_S, lin_ccc


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceStation:
    """One tow of the set against its reference, over the minutes that both have.

    `station`: its name, with the tow where that is not the first. `bias`: by which part of the reference more was counted; None
    where the reference is zero.
    """

    tow_id: int
    station: str
    ccc: float | None
    bias: float | None
    counted: float
    reference: float
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedTow:
    """What a person counted of a tow of the set. `station`: as it is told to people."""

    tow_id: int
    station: str
    minutes: Mapping[int, CountedMinute]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A person against a whole reference set. `needed`: how many stations they have to count; 0 where none has a reference."""

    ccc: float | None
    bias: float | None
    stations: tuple[ReferenceStation, ...]
    needed: int

    @property
    def done(self) -> int:
        """How many of them can be held against a reference."""
        return sum(one.minutes > 0 for one in self.stations)

    def passes(self, ccc_limit: float) -> bool:
        """Whether that is enough; without a coefficient, or before enough stations, it is not."""
        return 0 < self.needed <= self.done and self.ccc is not None and self.ccc >= ccc_limit


def standing(counted: Sequence[CountedTow], reference: Mapping[int, Mapping[int, float]], needed: int | None = None) -> Standing:
    """Hold what a person counted against the reference.

    Args:
        counted: their tows; minutes in which the person lost 30 s or more are left out.
        reference: tow -> minute -> systems, of every tow of the set that has a reference.
        needed: how many stations the rule asks for; None for every tow with a reference.
    """
    stations, all_counted, all_reference = [], [], []
    for one in counted:
        minutes, known = one.minutes, reference.get(one.tow_id, {})
        common = sorted(minute for minute, cell in minutes.items() if minute in known and cell.lost_s < PAUSE_LIMIT_S)
        x, y = [minutes[minute].systems for minute in common], [known[minute] for minute in common]
        stations.append(
            ReferenceStation(
                tow_id=one.tow_id,
                station=one.station,
                ccc=_ccc(x, y),
                bias=_bias(x, y),
                counted=sum(x),
                reference=sum(y),
                minutes=len(common),
            )
        )
        all_counted += x
        all_reference += y
    return Standing(
        ccc=_ccc(all_counted, all_reference),
        bias=_bias(all_counted, all_reference),
        stations=tuple(stations),
        needed=sum(map(bool, reference.values())) if needed is None else needed,
    )


def qualification(found: Standing, *, person_id: int, survey_id: int, ccc_limit: float) -> NewQualification:
    """The row that keeps it. It holds totals and coefficients of the person's own counts and of no minute of the reference."""
    detail = [{name: value for name, value in asdict(one).items() if name != "reference"} for one in found.stations]
    return NewQualification(
        person_id=person_id,
        survey_id=survey_id,
        ccc=found.ccc,
        bias=found.bias,
        stations=found.done,
        passed=found.passes(ccc_limit),
        detail_json=json.dumps({"ccc_limit": ccc_limit, "needed": found.needed, "stations": detail}),
    )


def qualification_words(row: QualificationRow) -> str:
    """A kept result in words: qualified, or what is missing."""
    detail = json.loads(row.detail_json)
    needed, limit = int(detail["needed"]), float(detail["ccc_limit"])
    if row.passed:
        return "qualified"
    if needed == 0:
        return "not qualified yet: no footage of the set has a reference"
    if row.stations < needed:
        return f"not qualified yet: {row.stations} of {needed} stations counted"
    if row.ccc is None:
        return "not qualified: no coefficient can be computed"
    return f"not qualified: CCC {row.ccc:.2f} is below {limit:.2f}"


def _ccc(x: list[float], y: list[float]) -> float | None:
    return lin_ccc(tuple(x), tuple(y)) if x else None


def _bias(x: list[float], y: list[float]) -> float | None:
    return (sum(x) - sum(y)) / sum(y) if sum(y) else None
