"""What exports read of tows: analyses, openings with what people decided, clips and stills. Nothing of a tow that is counted blind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edge.store.blindness import BLIND_TOWS, image_is_blind
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTow:
    """A tow that has files, with its current analysis; the analysis' fields are None while it has none.

    Attributes:
        is_blind: people count it, or another tow that one of its files is or was of, blind: nothing of it may leave.
    """

    tow_id: int
    uuid: str
    ordinal: int
    station_id: int
    station_uuid: str
    station: str
    survey: str | None
    start_utc: str | None
    latitude_deg: float | None
    longitude_deg: float | None
    depth_m: float | None
    is_blind: int
    analysis_id: int | None
    analysis_uuid: str | None
    state: str | None
    reason: str | None
    made_from_json: str | None
    made_utc: str | None
    tracker: str | None
    software_version: str | None
    model: str | None
    model_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOpening:
    """A unique opening with what people made of it.

    Attributes:
        proposed: number of the system that the appliance proposed; `system`: of the one that it belongs to now.
        label, aphia_id: what the model took it for; None where the analysis names no model.
        decision: accepted, rejected or unsure; None where nobody decided.
        boxes: packed as `tow_openings` says.
    """

    id: int
    uuid: str
    ordinal: int
    first_s: float
    last_s: float
    crossing_s: float | None
    score: float
    confidence: float
    is_extrapolated: int
    label: str | None
    aphia_id: int | None
    proposed: int | None
    system: int | None
    decision: str | None
    decided_by: str | None
    decided_utc: str | None
    boxes: bytes


class FootageRow(NamedTuple):
    """A clip or still of a tow with what looked at it; `codec` and what follows is None for a still."""

    image_id: int
    uuid: str
    sha256: str
    name: str
    format: str
    width_px: int
    height_px: int
    capture_time_utc: str | None
    capture_time_local: str | None
    camera: str | None
    codec: str | None
    duration_s: float | None
    frame_rate_hz: float | None
    is_variable_rate: int | None
    faults_json: str | None
    weights_sha256: str | None
    precision: str | None
    runtime: str | None
    software_version: str | None
    score_threshold: float | None
    rate_hz: float | None


class SpeedRow(NamedTuple):
    """How fast the seabed passed the line in a second of a tow; None where that is not known."""

    second: int
    speed_px_per_s: float | None


_TOWS = f"""
    SELECT t.id AS tow_id, t.uuid, t.ordinal, s.id AS station_id, s.uuid AS station_uuid, s.name AS station, v.name AS survey, t.start_utc,
           coalesce(t.start_latitude_deg, s.planned_latitude_deg) AS latitude_deg,
           coalesce(t.start_longitude_deg, s.planned_longitude_deg) AS longitude_deg, t.start_depth_m AS depth_m,
           t.id IN ({BLIND_TOWS}) OR EXISTS (SELECT 1 FROM tow_images AS f WHERE f.tow_id = t.id AND {image_is_blind("f.image_id")})
               OR a.sealed IS NOT NULL AS is_blind,
           a.id AS analysis_id, a.uuid AS analysis_uuid, a.state, a.reason, a.made_from_json, a.made_utc, a.tracker, a.software_version,
           m.name AS model, m.version AS model_version
    FROM tows AS t JOIN stations AS s ON s.id = t.station_id LEFT JOIN surveys AS v ON v.id = s.survey_id
    LEFT JOIN tow_analyses AS a ON a.tow_id = t.id AND a.is_current = 1
    LEFT JOIN models AS m ON m.id = a.model_id
    WHERE EXISTS (SELECT 1 FROM tow_images AS f WHERE f.tow_id = t.id)
      AND (:survey IS NULL OR v.name = :survey) AND (:station IS NULL OR s.name = :station)
    ORDER BY v.name, s.name, t.ordinal, t.id
"""

_NEWEST = "(SELECT max(n.id) FROM {table} AS n WHERE n.opening_id = o.id)"
_OPENINGS = f"""
    SELECT o.id, o.uuid, o.ordinal, o.first_s, o.last_s, o.crossing_s, o.score, o.confidence, o.is_extrapolated,
           l.name AS label, l.aphia_id, s.ordinal AS proposed,
           coalesce(g.system_number, s.ordinal) AS system, nullif(d.decision, 'cleared') AS decision,
           CASE WHEN d.decision <> 'cleared' THEN d.decided_by END AS decided_by,
           CASE WHEN d.decision <> 'cleared' THEN d.decided_utc END AS decided_utc, o.boxes
    FROM tow_openings AS o JOIN tow_analyses AS a ON a.id = o.analysis_id LEFT JOIN tow_systems AS s ON s.id = o.system_id
    LEFT JOIN labels AS l ON l.model_id = a.model_id AND l.label_index = o.label_index
    LEFT JOIN opening_decisions AS d ON d.id = {_NEWEST.format(table="opening_decisions")}
    LEFT JOIN opening_groups AS g ON g.id = {_NEWEST.format(table="opening_groups")}
    WHERE o.analysis_id = ? ORDER BY o.ordinal
"""

_FOOTAGE = """
    SELECT i.id AS image_id, i.uuid, i.sha256, coalesce((SELECT n.name FROM sightings AS n WHERE n.image_id = i.id
               ORDER BY n.original = 'present' DESC, n.id DESC LIMIT 1), i.sha256) AS name,
           i.format, i.width_px, i.height_px, i.capture_time_utc, i.capture_time_local, k.name AS camera,
           c.codec, c.duration_s, c.frame_rate_hz, c.is_variable_rate, c.faults_json,
           coalesce(r.weights_sha256, u.weights_sha256) AS weights_sha256, coalesce(r.precision, u.precision) AS precision,
           coalesce(r.runtime, u.runtime) AS runtime, coalesce(r.software_version, u.software_version) AS software_version,
           coalesce(r.score_threshold, u.score_threshold) AS score_threshold, r.rate_hz
    FROM tow_images AS f JOIN images AS i ON i.id = f.image_id LEFT JOIN clips AS c ON c.image_id = i.id
    LEFT JOIN cameras AS k ON k.id = f.camera_id
    LEFT JOIN readings AS r ON r.image_id = i.id AND r.is_current = 1
    LEFT JOIN runs AS u ON u.image_id = i.id AND u.is_current = 1 AND u.recipe = 'burrows'
    WHERE f.tow_id = ? AND i.width_px IS NOT NULL ORDER BY i.id
"""


def export_tows(connection: Connection, *, survey: str | None = None, station: str | None = None) -> tuple[ExportTow, ...]:
    """The tows that have files, in the order of survey, station and tow; only those of a survey or of stations of that name."""
    return as_values(ExportTow, connection.execute(_TOWS, {"survey": survey, "station": station}))


def openings_of(connection: Connection, tow: ExportTow) -> tuple[ExportOpening, ...]:
    """The openings of a tow's analysis, in the order of the tow; none of a tow that is counted blind."""
    if tow.is_blind or tow.analysis_id is None:
        return ()
    return as_values(ExportOpening, connection.execute(_OPENINGS, (tow.analysis_id,)))


def opening_labels(connection: Connection) -> tuple[tuple[str | None, int | None], ...]:
    """Name and AphiaID of every label that an opening of a current analysis has; a name is None where an analysis names no model."""
    rows = connection.execute(
        "SELECT DISTINCT l.name, l.aphia_id FROM tow_analyses AS a JOIN tow_openings AS o ON o.analysis_id = a.id "
        "LEFT JOIN labels AS l ON l.model_id = a.model_id AND l.label_index = o.label_index WHERE a.is_current = 1 ORDER BY l.name"
    )
    return tuple((row[0], row[1]) for row in rows)


def footage_of(connection: Connection, tow: ExportTow) -> dict[int, FootageRow]:
    """The clips and stills of a tow by their number."""
    return {row.image_id: row for row in as_values(FootageRow, connection.execute(_FOOTAGE, (tow.tow_id,)))}


def speeds_of(connection: Connection, tow: ExportTow) -> tuple[SpeedRow, ...]:
    """How fast the seabed passed in each second of a tow; none of a tow that is counted blind."""
    if tow.is_blind or tow.analysis_id is None:
        return ()
    query = "SELECT second, speed_px_per_s FROM tow_seconds WHERE analysis_id = ? ORDER BY second"
    return as_values(SpeedRow, connection.execute(query, (tow.analysis_id,)))
