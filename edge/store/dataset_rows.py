"""Stills that people reviewed as a whole, for a training set: where each lies and which station it is of. None that is counted blind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.store.blindness import image_is_blind
from edge.store.reads.decisions import ReviewedObject, reviewed_images, reviewed_objects
from edge.store.reads.typed import as_value
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedStill:
    """A reviewed still.

    Attributes:
        station_uuid: None where it is attached to no tow: then its folder stands for the station.
        at_s: seconds on the tow's clock, where known.
    """

    image_id: int
    uuid: str
    sha256: str
    name: str
    format: str
    width_px: int
    height_px: int
    folder: str
    capture_time_utc: str | None
    at_s: float | None
    survey: str | None
    station_uuid: str | None
    station: str | None
    tow_uuid: str | None
    model: str
    model_version: str
    weights_sha256: str


_STILL = f"""
    SELECT i.id AS image_id, i.uuid, i.sha256, coalesce(s.name, i.sha256) AS name, i.format, i.width_px, i.height_px,
           coalesce(d.path || '/' || f.relative_path, '') AS folder, i.capture_time_utc, a.at_s, v.name AS survey,
           e.uuid AS station_uuid, e.name AS station, t.uuid AS tow_uuid, m.name AS model, m.version AS model_version, r.weights_sha256
    FROM images AS i JOIN runs AS r ON r.id = ?2 JOIN models AS m ON m.id = r.model_id
    LEFT JOIN sightings AS s ON s.id = (SELECT n.id FROM sightings AS n WHERE n.image_id = i.id ORDER BY n.original = 'present' DESC, n.id
                                        DESC LIMIT 1)
    LEFT JOIN folders AS f ON f.id = s.folder_id LEFT JOIN roots AS d ON d.id = f.root_id
    LEFT JOIN tow_images AS a ON a.image_id = i.id LEFT JOIN tows AS t ON t.id = a.tow_id LEFT JOIN stations AS e ON e.id = t.station_id
    LEFT JOIN surveys AS v ON v.id = e.survey_id
    WHERE i.id = ?1 AND i.width_px IS NOT NULL AND NOT {image_is_blind("i.id")} AND (?3 IS NULL OR v.name = ?3)
"""


def reviewed_stills(
    connection: Connection, *, recipe: str, survey: str | None
) -> Iterator[tuple[ReviewedStill, str, tuple[ReviewedObject, ...]]]:
    """Every still that somebody called right as a whole, who did, and what stands on it; of one survey if it is named."""
    for one in reviewed_images(connection, recipe=recipe):
        row = connection.execute(_STILL, (one.image_id, one.run_id, survey)).fetchone()
        if row is not None:
            yield as_value(ReviewedStill, row), one.reviewed_by, reviewed_objects(connection, one.image_id, recipe=recipe)
