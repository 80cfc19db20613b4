"""Categories that come back from EcoTaxa: rows are only added, the newest of an object stands.

An object that was set back to unclassified there gets a row too: one without a category. So what it was called before does not stand on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge.store import audit
from edge.store.clock import utc_now, uuid7
from edge.store.outbox import put_out
from edge.store.sqlite import Connection

LabelStatus = Literal["predicted", "validated", "dubious", "discarded"]


class NewLabel(NamedTuple):
    """What EcoTaxa says of an object; None where it does not say. `category` and `status` are None together: it has no category there."""

    object_key: str
    category: str | None
    category_id: str | None
    hierarchy: str | None
    status: LabelStatus | None
    labelled_by: str | None
    labelled_at: str | None


class Added(NamedTuple):
    """What became of labels.

    Attributes:
        new: how many stand now that did not before; those that were set back are not among them.
        reset: ids of objects that had a category here and have none any more.
        older: ids of objects whose label was not taken: what stands was said later.
    """

    new: int
    reset: tuple[str, ...]
    older: tuple[str, ...]


def no_category(object_key: str) -> NewLabel:
    """What is said of an object that has no category."""
    return NewLabel(object_key, None, None, None, None, None, None)


def add_labels(
    connection: Connection, scan_id: int, labels: Sequence[NewLabel], *, source: str, actor: str, as_of_now: bool = False
) -> Added:
    """Add the labels that differ from what stands.

    Args:
        connection: the writer's.
        scan_id: the scan.
        labels: at most one of each object.
        source: the server and project, or the file.
        actor: who asked.
        as_of_now: this is how it stands there now; else a label that was given before the standing one is not taken.
    """
    scan, scan_uuid = connection.execute("SELECT name, uuid FROM zooscan_scans WHERE id = ?", (scan_id,)).fetchone()
    standing, moments = _standing(connection, scan_id)
    differing = [label for label in labels if _differs(label, standing.get(label.object_key))]
    old = set() if as_of_now else {label.object_key for label in differing if _is_older(label, standing, moments)}
    new = [label for label in differing if label.object_key not in old]
    now = utc_now()
    connection.executemany(
        "INSERT INTO zooscan_labels (scan_id, object_key, category, category_id, hierarchy, status, labelled_by, labelled_at, source, "
        "pulled_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(scan_id, *label, source, now) for label in new],
    )
    if new:
        put_out(connection, "zooscan_labels", f"{scan_uuid}/{uuid7()}")
    about = {"source": source, "labels": len(labels), "new": len(new), "older": len(old)}
    audit.append(connection, actor, "zooscan_labels", f"zooscan_scan/{scan_id}", about)
    return Added(
        new=sum(label.category is not None for label in new),
        reset=tuple(f"{scan}_{label.object_key}" for label in new if label.category is None),
        older=tuple(f"{scan}_{key}" for key in sorted(old)),
    )


def _standing(connection: Connection, scan_id: int) -> tuple[dict[str, NewLabel], dict[str, str]]:
    """By object what stands, and when the last label with a date was given."""
    standing: dict[str, NewLabel] = {}
    moments: dict[str, str] = {}
    for row in connection.execute(
        "SELECT object_key, category, category_id, hierarchy, status, labelled_by, labelled_at FROM zooscan_labels "
        "WHERE scan_id = ? ORDER BY id",
        (scan_id,),
    ):
        label = NewLabel._make(row)
        standing[label.object_key] = label
        if label.labelled_at:
            moments[label.object_key] = label.labelled_at
    return standing, moments


def _differs(label: NewLabel, standing: NewLabel | None) -> bool:
    """Whether a label says something else than the one that stands; what it does not say is no difference."""
    if standing is None or label.category is None:
        return label.category != (standing.category if standing else None)
    return any(ours is not None and ours != theirs for ours, theirs in zip(label, standing, strict=True))


def _is_older(label: NewLabel, standing: dict[str, NewLabel], moments: dict[str, str]) -> bool:
    """Whether what stands was said after a label. What was set back there, without a date, is at least younger than what it had been."""
    ours = _digits(label.labelled_at)
    stands = standing.get(label.object_key)
    if stands is None:
        return False
    if stands.category is None:
        theirs = _digits(moments.get(label.object_key))
        return bool(ours and theirs) and _cut(ours, theirs) <= _cut(theirs, ours)
    theirs = _digits(stands.labelled_at)
    return bool(ours and theirs) and _cut(ours, theirs) < _cut(theirs, ours)


def _digits(moment: str | None) -> str:
    """The digits of a date and time, which tables write as 20260701 100000 or 2026-07-01 10:00:00."""
    return "".join(letter for letter in moment or "" if letter.isascii() and letter.isdigit())


def _cut(moment: str, other: str) -> str:
    """As many digits as both have: of a day without a time nobody can say what was later on it."""
    return moment[: min(len(moment), len(other))]
