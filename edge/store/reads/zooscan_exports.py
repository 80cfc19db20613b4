"""What an export of a scan reads beside its objects: who called them what, what is no more, its classifier, and the scans beside it."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.zooscan_objects import retired_keys
from edge.store.sqlite import Connection


class LabelRow(NamedTuple):
    """What an object is said to be, as it last came back."""

    category: str
    category_id: str | None
    hierarchy: str | None
    status: str
    labelled_by: str | None
    labelled_at: str | None


class RetiredKey(NamedTuple):
    """A key that no object has now; since when; whether it was cut; the keys of the standing objects that it was cut into."""

    key: str
    since_utc: str
    was_cut: bool
    became: tuple[str, ...]


class ModelName(NamedTuple):
    """A model pack."""

    name: str
    version: str
    manifest_sha256: str


class NeighbourRow(NamedTuple):
    """A scan of a project with its texts and what was typed is read apart.

    Attributes:
        raw_sha256: of its current result; None without one.
    """

    id: int
    uuid: str
    name: str
    raw_sha256: str | None
    log: bytes | None
    meta: bytes | None


def labels_of(connection: Connection, scan_id: int) -> dict[str, LabelRow]:
    """What stands of every object of a scan that has a category, by its key."""
    rows = connection.execute(
        "SELECT object_key, category, category_id, hierarchy, status, labelled_by, labelled_at FROM zooscan_labels "
        "WHERE id IN (SELECT max(id) FROM zooscan_labels WHERE scan_id = ? GROUP BY object_key) AND category IS NOT NULL",
        (scan_id,),
    )
    return {row["object_key"]: LabelRow._make(tuple(row)[1:]) for row in rows}


def retired_with_parts(connection: Connection, scan_id: int) -> tuple[RetiredKey, ...]:
    """Keys that no object has now, with what they were cut into; parts of parts stand for their parts."""
    rows = connection.execute(
        "SELECT o.key, o.cut_from, o.retired_utc IS NULL AS stands FROM zooscan_runs AS r JOIN zooscan_objects AS o ON o.run_id = r.id "
        "WHERE r.scan_id = ? AND r.is_current = 1 AND o.cut_from IS NOT NULL ORDER BY o.id",
        (scan_id,),
    ).fetchall()
    parts: dict[str, list[tuple[str, bool]]] = {}
    for row in rows:
        parts.setdefault(row["cut_from"], []).append((row["key"], bool(row["stands"])))

    def standing(key: str, seen: frozenset[str]) -> list[str]:
        found: list[str] = []
        for part, stands in parts.get(key, ()):
            if part not in seen:
                found += [part] if stands else standing(part, seen | {part})
        return found

    return tuple(
        RetiredKey(one.key, one.since_utc, one.was_cut, tuple(standing(one.key, frozenset({one.key}))))
        for one in retired_keys(connection, scan_id)
    )


def model_of_run(connection: Connection, model_id: int | None) -> ModelName | None:
    """The classifier of a run; None if there was none."""
    row = connection.execute("SELECT name, version, manifest_sha256 FROM models WHERE id = ?", (model_id,)).fetchone()
    return None if row is None else ModelName._make(row)


def neighbours(connection: Connection, project_id: int) -> tuple[NeighbourRow, ...]:
    """Every scan of a project, by name, with or without a result; one whose files are gone and that has none is left out."""
    rows = connection.execute(
        "SELECT s.id, s.uuid, s.name, r.raw_sha256, s.log, s.meta FROM zooscan_scans AS s "
        "LEFT JOIN zooscan_runs AS r ON r.scan_id = s.id AND r.is_current = 1 "
        "WHERE s.project_id = ? AND (s.state != 'gone' OR r.id IS NOT NULL) ORDER BY s.name",
        (project_id,),
    )
    return tuple(NeighbourRow._make(row) for row in rows)


def same_raw(connection: Connection, scan_id: int, raw_sha256: str) -> tuple[str, ...]:
    """Other scans whose raw picture has the same bytes, each as `project/name`."""
    rows = connection.execute(
        "SELECT p.name || '/' || s.name AS name FROM zooscan_runs AS r JOIN zooscan_scans AS s ON s.id = r.scan_id "
        "JOIN zooscan_projects AS p ON p.id = s.project_id "
        "WHERE r.is_current = 1 AND r.raw_sha256 = ? AND s.id != ? ORDER BY p.name, s.name",
        (raw_sha256, scan_id),
    )
    return tuple(row["name"] for row in rows)
