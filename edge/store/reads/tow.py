"""The files of one folder and what was found in them: the table that the demo prints."""

from __future__ import annotations

import os
from typing import NamedTuple

from edge.store.sqlite import Connection


class StillResult(NamedTuple):
    """A still; the figures are None while it has no result."""

    name: str
    state: str
    reason: str | None
    object_count: int | None
    mean_luminance: float | None
    infer_ms: float | None


_IN_FOLDER = (
    "FROM sightings AS s JOIN folders AS f ON f.id = s.folder_id JOIN roots AS d ON d.id = f.root_id "
    "LEFT JOIN runs AS r ON r.image_id = s.image_id AND r.recipe = s.recipe AND r.is_current = 1 "
    "WHERE d.path || :separator || f.relative_path = :folder AND s.original <> 'changed'"
)


def ended_below(connection: Connection, folder: str) -> int:
    """How many files of a folder have ended, as a result or as a listed failure."""
    query = f"SELECT count(*) {_IN_FOLDER} AND s.state IN ('done', 'quarantined')"
    return int(connection.execute(query, {"folder": folder, "separator": os.sep}).fetchone()[0])


def results_below(connection: Connection, folder: str) -> list[StillResult]:
    """The files of a folder by name."""
    query = f"SELECT s.name, s.state, s.reason, r.object_count, r.mean_luminance, r.infer_ms {_IN_FOLDER} ORDER BY s.name"
    return [StillResult(*row) for row in connection.execute(query, {"folder": folder, "separator": os.sep})]
