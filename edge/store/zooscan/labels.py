"""Categories that come back from EcoTaxa: rows are only added, the newest of an object stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from edge.store import audit
from edge.store.clock import utc_now
from edge.store.sqlite import Connection

LabelStatus = Literal["predicted", "validated", "dubious", "discarded"]


class NewLabel(NamedTuple):
    """What EcoTaxa says of an object; None where it does not say."""

    object_key: str
    category: str
    category_id: str | None
    hierarchy: str | None
    status: LabelStatus
    labelled_by: str | None
    labelled_at: str | None


def add_labels(connection: Connection, scan_id: int, labels: Sequence[NewLabel], *, source: str, actor: str) -> int:
    """Add the labels that differ from what stands. Returns how many those were."""
    rows = connection.execute(
        "SELECT object_key, category, category_id, hierarchy, status, labelled_by, labelled_at FROM zooscan_labels WHERE id IN "
        "(SELECT max(id) FROM zooscan_labels WHERE scan_id = ? GROUP BY object_key)",
        (scan_id,),
    )
    standing = {row["object_key"]: NewLabel._make(row) for row in rows}
    new = [label for label in labels if _differs(label, standing.get(label.object_key))]
    now = utc_now()
    connection.executemany(
        "INSERT INTO zooscan_labels (scan_id, object_key, category, category_id, hierarchy, status, labelled_by, labelled_at, source, "
        "pulled_utc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(scan_id, *label, source, now) for label in new],
    )
    about = {"source": source, "labels": len(labels), "new": len(new)}
    audit.append(connection, actor, "zooscan_labels", f"zooscan_scan/{scan_id}", about)
    return len(new)


def _differs(label: NewLabel, standing: NewLabel | None) -> bool:
    """Whether a label says something else than the one that stands; what it does not say is no difference."""
    if standing is None:
        return True
    return any(ours is not None and ours != theirs for ours, theirs in zip(label, standing, strict=True))
