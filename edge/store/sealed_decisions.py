"""What people decided about the objects on an image, sealed while the image belongs to a tow that is counted blind.

Nobody decides about a blind image; but one that people had reviewed may become part of a blind tow later, and its decisions tell
as much as the model's objects do. They go into one blob for each image, before the objects, and come back after them: the
objects may have other ids then, so a decision is kept by the run and the ordinal of its object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import structlog

from edge.errors import StoreError
from edge.store.clock import utc_now
from edge.store.facts import put_fact
from edge.store.seal import RUN_STEP_BYTES, Seal
from edge.store.sqlite import Connection

log = structlog.get_logger()

_COLUMNS = (
    *("uuid", "run_id", "added_uuid", "decision", "label", "x_min_px", "y_min_px", "x_max_px", "y_max_px"),
    *("decided_by", "decided_utc"),
)
_NAMED = ", ".join(_COLUMNS)


def seal_decisions(connection: Connection, seal: Seal, tow_id: int, *, fact: str) -> None:
    """Seal the decisions about every image of a tow. `fact` is written where there were some: the log holds them still."""
    images = [
        row[0]
        for row in connection.execute(
            "SELECT DISTINCT a.image_id FROM tow_images AS a JOIN object_decisions AS d ON d.image_id = a.image_id WHERE a.tow_id = ?",
            (tow_id,),
        )
    ]
    for image_id in images:
        rows = connection.execute(
            f"SELECT {', '.join(f'd.{name}' for name in _COLUMNS)}, o.ordinal FROM object_decisions AS d "
            "LEFT JOIN objects AS o ON o.id = d.object_id WHERE d.image_id = ? ORDER BY d.id",
            (image_id,),
        )
        content = json.dumps([tuple(row) for row in rows]).encode()
        connection.execute(
            "INSERT INTO sealed_decisions (image_id, sealed, sealed_utc) VALUES (?, ?, ?)",
            (image_id, seal.close(content, _subject(connection, image_id), step_bytes=RUN_STEP_BYTES), utc_now()),
        )
    if images:
        _wipe(connection, images)
        put_fact(connection, fact, utc_now())


def open_decisions(connection: Connection, seal: Seal, image_ids: Iterable[int]) -> None:
    """Bring back the decisions about images of which no run is sealed any more. Where a key is not here they stay sealed."""
    for image_id in image_ids:
        rows = connection.execute(
            "SELECT id, sealed FROM sealed_decisions WHERE image_id = ?1 AND NOT EXISTS "
            "(SELECT 1 FROM sealed_runs AS z JOIN runs AS r ON r.id = z.run_id WHERE r.image_id = ?1) ORDER BY id",
            (image_id,),
        ).fetchall()
        for row_id, sealed in rows:
            try:
                found = json.loads(seal.open(sealed, _subject(connection, image_id)))
            except StoreError as error:
                log.warning("seal_does_not_open", image_id=image_id, reason=str(error))
                continue
            connection.executemany(
                f"INSERT INTO object_decisions ({_NAMED}, image_id, object_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                "(SELECT id FROM objects WHERE run_id = ? AND ordinal = ?))",
                [(*one[:-1], image_id, one[1], one[-1]) for one in found],
            )
            connection.execute("DELETE FROM sealed_decisions WHERE id = ?", (row_id,))


def _wipe(connection: Connection, image_ids: list[int]) -> None:
    """Overwritten where they stand, then deleted, as `edge.store.sealed_runs` does with objects and for its reasons."""
    here = "image_id IN (SELECT value FROM json_each(?))"
    chosen = (json.dumps(image_ids),)
    connection.execute(
        "UPDATE object_decisions SET label = substr(hex(zeroblob(length(CAST(label AS BLOB)))), 1, length(CAST(label AS BLOB))) "
        f"WHERE label IS NOT NULL AND {here}",
        chosen,
    )
    connection.execute(
        "UPDATE object_decisions SET x_min_px = 0.25, y_min_px = 0.25, x_max_px = 0.5, y_max_px = 0.5 "
        f"WHERE x_min_px IS NOT NULL AND {here}",
        chosen,
    )
    connection.execute(f"DELETE FROM object_decisions WHERE {here}", chosen)


def _subject(connection: Connection, image_id: int) -> str:
    row = connection.execute("SELECT uuid FROM images WHERE id = ?", (image_id,)).fetchone()
    return f"decisions/{row[0]}"
