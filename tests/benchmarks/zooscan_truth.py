"""What the appliance made of a rendered scan, beside what is true of it: objects, multiples, parts of cut ones."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads.zooscan import current_run, find_scan
from edge.store.reads.zooscan_objects import FamilyMember, members_of_run, standing_objects

Box = tuple[int, int, int, int]
_SAME = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRow:
    """An object of truth.csv: its box and how many things it is made of."""

    box: Box
    animals: int


def against_truth(home: Path, scan: str, project: Path) -> dict[str, Any]:
    """How many objects were found, told multiple, and cut into as many parts as they have."""
    truth = _truth(project / "truth.csv")
    connection = open_reader(home / DATABASE_NAME)
    try:
        (row,) = find_scan(connection, scan)
        run = current_run(connection, row.id)
        if run is None:
            raise RuntimeError(f"{scan} has no result")
        members = members_of_run(connection, run.id)
        flagged = {one.key for one in standing_objects(connection, row.id) if (one.multiple_score or 0.0) > (run.multiple_threshold or 2.0)}
    finally:
        connection.close()
    whole = [one for one in members.values() if one.cut_from is None]
    parts = {one.key: _standing_parts(one.key, members) for one in whole}
    pairs = [(true, next((one for one in whole if _shared(true.box, _box(one)) > _SAME), None)) for true in truth]
    found = [(true, one) for true, one in pairs if one is not None]
    touching = [one for true, one in found if true.animals > 1]
    single = [one for true, one in found if true.animals == 1]
    told = flagged | {one.key for one in whole if one.is_retired}
    return {
        "on_the_glass": len(truth),
        "found": len(found),
        "found_beside": len(whole) - len({one.key for _, one in found}),
        "touching": len(touching),
        "touching_told": sum(one.key in told for one in touching),
        "single_told": sum(one.key in told for one in single),
        "touching_cut": sum(one.is_retired for one in touching),
        "touching_cut_as_true": sum(parts[one.key] == true.animals for true, one in found if true.animals > 1),
        "single_cut": sum(one.is_retired for one in single),
        "things": sum(true.animals for true in truth),
        "objects_in_the_end": sum(parts.values()),
    }


def _truth(path: Path) -> list[TrueRow]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            TrueRow(
                box=(int(row["x_px"]), int(row["y_px"]), int(row["width_px"]), int(row["height_px"])),
                animals=int(row["animals"]),
            )
            for row in csv.DictReader(file)
        ]


def _standing_parts(key: str, members: Mapping[str, FamilyMember]) -> int:
    """How many objects stand of what an object was cut into; 1 for one that was not cut."""
    if not members[key].is_retired:
        return 1
    return sum(_standing_parts(one.key, members) for one in members.values() if one.cut_from == key)


def _box(one: FamilyMember) -> Box:
    return one.x_px, one.y_px, one.width_px, one.height_px


def _shared(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)
