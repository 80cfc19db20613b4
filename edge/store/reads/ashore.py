"""Results as they go ashore: the rows of bundles' tables, by what the outbox names. Nothing that is sealed is read here.

A table is a name of `sync.bundle.schema`; the values of its rows are in the order of the columns there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from edge.store.sqlite import Connection

Tables = dict[str, list[tuple[Any, ...]]]


class Waiting(NamedTuple):
    """A row of the outbox: `subject` is the UUID of the result."""

    id: int
    kind: str
    subject: str


def waiting(connection: Connection, kinds: Sequence[str], *, now_utc: str, limit: int, priority: int | None = None) -> list[Waiting]:
    """What goes next: the most urgent first, then the oldest; all of one priority, of that one if it is named."""
    rows = connection.execute(
        "SELECT id, kind, substr(dedup_key, length(kind) + 2), priority FROM outbox WHERE state = 'waiting' "
        "AND (?4 IS NULL OR priority = ?4) AND kind IN (SELECT value FROM json_each(?1)) "
        "AND (not_before_utc IS NULL OR not_before_utc <= ?2) ORDER BY priority, id LIMIT ?3",
        (json.dumps(list(kinds)), now_utc, limit, priority),
    ).fetchall()
    return [Waiting(*row[:3]) for row in rows if row[3] == rows[0][3]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDelivery:
    """A bundle that a far side has not confirmed. `upload`: where an upload in parts stands."""

    bundle_id: int
    sequence: int
    sha256: str
    size_bytes: int
    priority: int
    made_utc: str
    attempts: int
    upload: dict[str, Any] | None


def open_deliveries(connection: Connection, sink: str, *, now_utc: str, limit: int) -> list[OpenDelivery]:
    """What a far side gets next: the most urgent first, then the oldest; without what has to wait or was refused."""
    rows = connection.execute(
        "SELECT b.id AS bundle_id, b.sequence, b.sha256, b.size_bytes, b.priority, b.made_utc, d.attempts, d.upload_json "
        "FROM deliveries AS d JOIN bundles AS b ON b.id = d.bundle_id "
        "WHERE d.sink = ? AND d.state IN ('waiting', 'sending') AND (d.next_try_utc IS NULL OR d.next_try_utc <= ?) "
        "ORDER BY b.priority, b.sequence LIMIT ?",
        (sink, now_utc, limit),
    )
    found = [dict(zip(row.keys(), row, strict=True)) for row in rows]
    return [OpenDelivery(upload=json.loads(one.pop("upload_json") or "null"), **one) for one in found]


def kept_bundles(connection: Connection) -> set[str]:
    """SHA-256 of the bundles whose files have to be there."""
    return {row[0] for row in connection.execute("SELECT sha256 FROM bundles WHERE dropped_utc IS NULL")}


def count_waiting(connection: Connection) -> dict[tuple[int, str, str], int]:
    """How many results are in which state of the outbox, by (priority, kind, state)."""
    return {
        (row[0], row[1], row[2]): row[3]
        for row in connection.execute("SELECT priority, kind, state, count(*) FROM outbox GROUP BY priority, kind, state")
    }


def runs_ashore(connection: Connection, uuids: Sequence[str]) -> Tables:
    """Runs with their images, objects and models; with each also the other runs of its image, one of which is the current one no more."""
    chosen = json.dumps(list(uuids))
    tables = {"models": _MODELS, "images": _IMAGES, "runs": _RUNS, "objects": _OBJECTS}
    return {name: [tuple(row) for row in connection.execute(query, (chosen,))] for name, query in tables.items()}


_CHOSEN = "SELECT id, image_id, model_id FROM runs WHERE uuid IN (SELECT value FROM json_each(?1)) AND object_count IS NOT NULL"

_MODELS = f"""
    SELECT m.name, m.version, m.title, m.task, m.manifest_sha256,
           (SELECT json_group_array(json_object('name', l.name, 'aphia_id', l.aphia_id)) FROM
               (SELECT name, aphia_id FROM labels WHERE model_id = m.id ORDER BY label_index) AS l),
           m.installed_utc, m.removed_utc
    FROM models AS m WHERE m.id IN (SELECT model_id FROM ({_CHOSEN})) ORDER BY m.id
"""

# Of several names of a content the first: that name and its folder stand for it ashore, as they do in exports.
_IMAGES = f"""
    SELECT i.uuid, i.sha256, i.size_bytes, i.format, i.width_px, i.height_px, i.capture_time_utc, i.capture_time_local,
           i.capture_time_source, f.relative_path, s.name
    FROM images AS i
    LEFT JOIN sightings AS s ON s.id = (SELECT min(id) FROM sightings WHERE image_id = i.id)
    LEFT JOIN folders AS f ON f.id = s.folder_id
    WHERE i.id IN (SELECT image_id FROM ({_CHOSEN})) ORDER BY i.id
"""

_RUNS = f"""
    SELECT r.uuid, i.uuid, r.recipe, r.recipe_sha256, m.name, m.version, r.weights_sha256, r.runtime, r.precision, r.software_version,
           r.score_threshold, r.object_count, r.candidate_count, r.mean_luminance, r.contrast, r.sharpness, r.finished_utc, r.is_current
    FROM runs AS r JOIN images AS i ON i.id = r.image_id JOIN models AS m ON m.id = r.model_id
    WHERE r.image_id IN (SELECT image_id FROM ({_CHOSEN})) AND r.object_count IS NOT NULL ORDER BY r.id
"""

_OBJECTS = f"""
    SELECT r.uuid, o.ordinal, l.name, o.score, o.x_min_px, o.y_min_px, o.x_max_px - o.x_min_px, o.y_max_px - o.y_min_px
    FROM objects AS o JOIN runs AS r ON r.id = o.run_id JOIN labels AS l ON l.id = o.label_id
    WHERE o.run_id IN (SELECT id FROM ({_CHOSEN})) ORDER BY o.run_id, o.ordinal
"""
