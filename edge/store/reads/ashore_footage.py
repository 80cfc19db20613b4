"""What goes ashore of footage: that a clip was read, what a tow came to, and what people decided about that.

Of an opening that is where, when and how sure; its box in every frame stays aboard. Nothing that is sealed is read here.
"""

from __future__ import annotations

from edge.store.blindness import BLIND_TOWS, image_is_blind
from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_places import images_of, models_of, places_of_images, places_of_tows


def tow_is_blind(tow: str) -> str:
    """A condition in SQL: a tow, or one that a file of it is or was of, is counted blind; exports leave out the same."""
    return (
        f"({tow} IN ({BLIND_TOWS}) OR EXISTS (SELECT 1 FROM tow_images AS file_of WHERE file_of.tow_id = {tow} "
        f"AND {image_is_blind('file_of.image_id')}))"
    )


def analysis_is_shown(analysis: str) -> str:
    """A condition in SQL: everybody may see an analysis. `analysis`: the name of its row in the query."""
    return f"{analysis}.sealed IS NULL AND NOT {tow_is_blind(f'{analysis}.tow_id')}"


_READ = f"""
    SELECT r.id, r.image_id, r.model_id FROM readings AS r
    WHERE r.uuid IN (SELECT value FROM json_each(?1)) AND r.state = 'done' AND NOT {image_is_blind("r.image_id")}
"""

READING: Queries = {
    "models": models_of(f"SELECT model_id FROM ({_READ})"),
    "images": images_of(f"SELECT image_id FROM ({_READ})"),
    **places_of_images(f"SELECT image_id FROM ({_READ})"),
    "clips": f"""
    SELECT i.uuid AS image_uuid, c.container, c.codec, c.first_pts_s, c.duration_s, c.frame_rate_hz, c.is_interlaced, c.is_variable_rate,
           c.start_utc, c.start_local, c.faults_json
    FROM clips AS c JOIN images AS i ON i.id = c.image_id WHERE c.image_id IN (SELECT image_id FROM ({_READ})) ORDER BY i.id
    """,
    "readings": f"""
    SELECT r.uuid AS reading_uuid, i.uuid AS image_uuid, r.recipe, r.recipe_sha256, m.name AS model, m.version AS model_version,
           r.weights_sha256, r.runtime, r.precision, r.software_version, r.score_threshold, r.rate_hz, r.frames, r.read_to_s, r.began_utc,
           r.finished_utc, r.is_current
    FROM readings AS r JOIN images AS i ON i.id = r.image_id JOIN models AS m ON m.id = r.model_id
    WHERE r.image_id IN (SELECT image_id FROM ({_READ})) AND r.state = 'done' ORDER BY r.id
    """,
}

_CHOSEN = f"""
    SELECT a.id, a.tow_id, a.model_id FROM tow_analyses AS a
    WHERE a.uuid IN (SELECT value FROM json_each(?1)) AND {analysis_is_shown("a")}
"""
_OF_CHOSEN = f"IN (SELECT id FROM ({_CHOSEN}))"

TOW_ANALYSIS: Queries = {
    "models": models_of(f"SELECT model_id FROM ({_CHOSEN})"),
    **places_of_tows(f"SELECT tow_id FROM ({_CHOSEN})"),
    "tow_analyses": f"""
    SELECT a.uuid AS analysis_uuid, t.uuid AS tow_uuid, m.name AS model, m.version AS model_version, a.made_from_sha256, a.tracker,
           a.software_version, a.state, a.reason, a.frames, a.seen_s, a.openings, a.openings_sd, a.systems, a.systems_sd, a.made_utc,
           a.is_current
    FROM tow_analyses AS a JOIN tows AS t ON t.id = a.tow_id LEFT JOIN models AS m ON m.id = a.model_id
    WHERE a.tow_id IN (SELECT tow_id FROM ({_CHOSEN})) AND a.sealed IS NULL ORDER BY a.id
    """,
    "tow_openings": f"""
    SELECT a.uuid AS analysis_uuid, o.ordinal, s.ordinal AS system, o.first_s, o.last_s, o.crossing_s, o.along_px, o.across_px,
           o.along_sd_px, o.along_m, o.across_m, o.score, o.confidence, o.frames, o.missed, o.is_extrapolated, l.name AS label
    FROM tow_openings AS o JOIN tow_analyses AS a ON a.id = o.analysis_id LEFT JOIN tow_systems AS s ON s.id = o.system_id
    LEFT JOIN labels AS l ON l.model_id = a.model_id AND l.label_index = o.label_index
    WHERE o.analysis_id {_OF_CHOSEN} ORDER BY o.analysis_id, o.ordinal
    """,
    "tow_systems": f"""
    SELECT a.uuid AS analysis_uuid, s.ordinal, s.crossing_s, s.openings, s.confidence
    FROM tow_systems AS s JOIN tow_analyses AS a ON a.id = s.analysis_id WHERE s.analysis_id {_OF_CHOSEN} ORDER BY a.id, s.ordinal
    """,
    "tow_minutes": f"""
    SELECT a.uuid AS analysis_uuid, n.minute, n.openings, n.openings_sd, n.systems, n.systems_sd, n.hidden_s
    FROM tow_minutes AS n JOIN tow_analyses AS a ON a.id = n.analysis_id WHERE n.analysis_id {_OF_CHOSEN} ORDER BY a.id, n.minute
    """,
    "tow_seconds": f"""
    SELECT a.uuid AS analysis_uuid, n.second, n.frames, n.speed_px_per_s, n.width_m, n.width_sd_m, n.mean_luminance, n.contrast,
           n.sharpness, n.silt_fraction, n.dark_fraction, n.not_countable
    FROM tow_seconds AS n JOIN tow_analyses AS a ON a.id = n.analysis_id WHERE n.analysis_id {_OF_CHOSEN} ORDER BY a.id, n.second
    """,
}
"""With each analysis also that there are others of its tow: one of them is the current one no more."""

_ACTIONS = f"""
    SELECT w.id FROM review_actions AS w JOIN tow_analyses AS a ON a.id = w.analysis_id
    WHERE w.uuid IN (SELECT value FROM json_each(?1)) AND {analysis_is_shown("a")}
"""

REVIEW_ACTION: Queries = {
    "review_actions": f"""
    SELECT w.uuid AS action_uuid, a.uuid AS analysis_uuid,
           (SELECT count(*) FROM review_actions AS e WHERE e.analysis_id = w.analysis_id AND e.id <= w.id) AS place,
           w.what, u.uuid AS undoes_uuid, w.done_by, w.done_utc
    FROM review_actions AS w JOIN tow_analyses AS a ON a.id = w.analysis_id LEFT JOIN review_actions AS u ON u.id = w.undoes
    WHERE w.id IN ({_ACTIONS}) ORDER BY w.id
    """,
    "opening_decisions": f"""
    SELECT w.uuid AS action_uuid, o.ordinal AS opening, d.decision, d.decided_by, d.decided_utc
    FROM opening_decisions AS d JOIN review_actions AS w ON w.id = d.action_id JOIN tow_openings AS o ON o.id = d.opening_id
    WHERE d.action_id IN ({_ACTIONS}) ORDER BY d.id
    """,
    "opening_groups": f"""
    SELECT w.uuid AS action_uuid, o.ordinal AS opening, g.system_number, g.grouped_by, g.grouped_utc
    FROM opening_groups AS g JOIN review_actions AS w ON w.id = g.action_id JOIN tow_openings AS o ON o.id = g.opening_id
    WHERE g.action_id IN ({_ACTIONS}) ORDER BY g.id
    """,
}

MISS_CHECK: Queries = {
    "miss_checks": f"""
    SELECT k.uuid AS check_uuid, t.uuid AS tow_uuid, a.uuid AS analysis_uuid, k.footage_sha256, k.seed, k.pool_json, k.minutes_json,
           k.line_height, k.state, k.reason, k.content_json, k.counter, k.drawn_utc, k.ended_utc
    FROM miss_checks AS k JOIN tows AS t ON t.id = k.tow_id JOIN tow_analyses AS a ON a.id = k.analysis_id
    WHERE k.uuid IN (SELECT value FROM json_each(?1)) AND k.state <> 'open' AND {analysis_is_shown("a")} ORDER BY k.id
    """,
}
