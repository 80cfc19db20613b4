"""Which of our objects a category of EcoTaxa belongs to. An object's id there is `<scan>_<key>`, and keys survive processing anew.

Nothing is dropped: what belongs to nothing here is listed, with why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from edge.store.reads.zooscan_uploads import ScanKeys
from edge.store.zooscan.labels import Added, LabelStatus, NewLabel, no_category
from edge.zooscan.ecotaxa.categories import Categorised

LISTED = 10_000
_STATES = ("predicted", "validated", "dubious", "discarded")
_KEY = re.compile(r"(?P<scan>.+)_(?P<key>x[0-9A-F]+y[0-9A-F]+w[0-9A-F]+h[0-9A-F]+(?:p[0-9A-F]{8})?)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<scan>.+)_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownScan:
    """A scan that categories may belong to."""

    scan_id: int
    keys: ScanKeys


@dataclass(slots=True, kw_only=True)
class Matched:
    """What an export comes to.

    Attributes:
        labels: by scan.
        by_status: how many objects of ours in each status.
        unclassified: ids of ours that have no category, or a status that EcoTaxa does not have.
        retired: ids of objects that are no more; their labels are kept.
        numbered: ids that end in a number, as older software gave them: which object that is cannot be told.
        unknown: ids of a scan of ours, but of no object that it ever had.
        foreign: ids of no scan of ours.
        contradictory: ids that the export calls several things.
        absent: ids of objects that stand here and that the export lacks, of scans that it has others of.
    """

    labels: dict[int, list[NewLabel]] = field(default_factory=dict)
    by_status: dict[str, int] = field(default_factory=dict)
    unclassified: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    numbered: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    contradictory: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """How many objects of ours have a category."""
        return sum(label.category is not None for labels in self.labels.values() for label in labels)

    def report(self, *added: Added) -> dict[str, Any]:
        """It as JSON: figures, and the ids of what has none, or was not taken.

        Args:
            added: what became of the labels of each scan.
        """
        new = sum(one.new for one in added)
        lists = ("retired", "unclassified", "numbered", "unknown", "foreign", "contradictory", "absent")
        ids: dict[str, list[str]] = {name: getattr(self, name) for name in lists}
        ids |= {"reset": [name for one in added for name in one.reset], "older": [name for one in added for name in one.older]}
        found: dict[str, Any] = {"objects": self.objects, "new_labels": new, "by_status": dict(sorted(self.by_status.items()))}
        return found | {name: {"count": len(found_ids), "ids": found_ids[:LISTED]} for name, found_ids in ids.items()}


def match(rows: Iterable[Categorised], scans: Mapping[str, KnownScan]) -> Matched:
    """Find the object of each row.

    Args:
        rows: of one or several exports.
        scans: ours, by name.
    """
    matched = Matched()
    by_id: dict[str, Categorised] = {}
    contradictory = set()
    for row in rows:
        if by_id.setdefault(row.object_id, row)[1:] != row[1:]:
            contradictory.add(row.object_id)
    for object_id, row in by_id.items():
        if object_id in contradictory:
            matched.contradictory.append(object_id)
        else:
            _match_one(matched, row, scans)
    _find_absent(matched, by_id, scans)
    return matched


def _find_absent(matched: Matched, ids: Iterable[str], scans: Mapping[str, KnownScan]) -> None:
    """Objects of ours that an export of their scan does not have."""
    seen: dict[str, set[str]] = {}
    for object_id in ids:
        if keyed := _KEY.fullmatch(object_id):
            seen.setdefault(keyed["scan"], set()).add(_as_written(keyed["key"]))
    for name, keys in seen.items():
        if name in scans:
            matched.absent += [f"{name}_{key}" for key in sorted(scans[name].keys.standing - keys)]


def _match_one(matched: Matched, row: Categorised, scans: Mapping[str, KnownScan]) -> None:
    keyed = _KEY.fullmatch(row.object_id)
    scan = scans.get(keyed["scan"]) if keyed else None
    if keyed is None or scan is None:
        numbered = _NUMBERED.fullmatch(row.object_id)
        is_ours = numbered is not None and numbered["scan"] in scans
        (matched.numbered if is_ours else matched.foreign).append(row.object_id)
        return
    key = _as_written(keyed["key"])
    if key not in scan.keys.standing and key not in scan.keys.retired:
        matched.unknown.append(row.object_id)
        return
    has_category = bool(row.category or row.category_id)
    if not has_category:
        matched.labels.setdefault(scan.scan_id, []).append(no_category(key))
    if not has_category or row.status not in _STATES:
        matched.unclassified.append(row.object_id)
        return
    if key not in scan.keys.standing:
        matched.retired.append(row.object_id)
    matched.by_status[row.status] = matched.by_status.get(row.status, 0) + 1
    matched.labels.setdefault(scan.scan_id, []).append(
        NewLabel(
            object_key=key,
            category=row.category or f"category {row.category_id}",
            category_id=row.category_id or None,
            hierarchy=row.hierarchy or None,
            status=cast("LabelStatus", row.status),
            labelled_by=row.person or None,
            labelled_at=row.at or None,
        )
    )


def _as_written(key: str) -> str:
    """A key whose letters somebody's software made small, or large."""
    return re.sub(r"[XYWHP]", lambda letter: letter[0].lower(), key.upper())
