"""What goes ashore of images: runs with their objects, and what people decided about objects. Nothing that is sealed is read here."""

from __future__ import annotations

from edge.store.blindness import image_is_blind
from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_places import images_of, models_of, places_of_images

_CHOSEN = "SELECT id, image_id, model_id FROM runs WHERE uuid IN (SELECT value FROM json_each(?1)) AND object_count IS NOT NULL"

_RUNS = f"""
    SELECT r.uuid AS run_uuid, i.uuid AS image_uuid, r.recipe, r.recipe_sha256, m.name AS model, m.version AS model_version,
           r.weights_sha256, r.runtime, r.precision, r.software_version, r.score_threshold, r.object_count, r.candidate_count,
           r.mean_luminance, r.contrast, r.sharpness, r.finished_utc, r.is_current
    FROM runs AS r JOIN images AS i ON i.id = r.image_id JOIN models AS m ON m.id = r.model_id
    WHERE r.image_id IN (SELECT image_id FROM ({_CHOSEN})) AND r.object_count IS NOT NULL ORDER BY r.id
"""

_OBJECTS = """
    SELECT r.uuid AS run_uuid, o.ordinal, l.name AS label, o.score, o.x_min_px, o.y_min_px, o.x_max_px - o.x_min_px AS width_px,
           o.y_max_px - o.y_min_px AS height_px
    FROM objects AS o JOIN runs AS r ON r.id = o.run_id JOIN labels AS l ON l.id = o.label_id
    WHERE {objects} ORDER BY o.run_id, o.ordinal
"""
# Below the threshold a model finds four times as many: they stay aboard, but for those that a person decided about.
_COUNTED = f"o.run_id IN (SELECT id FROM ({_CHOSEN})) AND o.score >= r.score_threshold"

RUN: Queries = {
    "models": models_of(f"SELECT model_id FROM ({_CHOSEN})"),
    "images": images_of(f"SELECT image_id FROM ({_CHOSEN})"),
    "runs": _RUNS,
    "objects": _OBJECTS.format(objects=_COUNTED),
    **places_of_images(f"SELECT image_id FROM ({_CHOSEN})"),
}
"""With each run also the other runs of its image: one of them is the current one no more."""

# `place` is the place among all decisions about the image: the last one about an object holds.
_DECISIONS = f"""
    SELECT d.uuid AS decision_uuid, i.uuid AS image_uuid, r.uuid AS run_uuid, o.ordinal, d.added_uuid,
           (SELECT count(*) FROM object_decisions AS e WHERE e.image_id = d.image_id AND e.id <= d.id) AS place,
           d.decision, d.label, d.x_min_px, d.y_min_px, d.x_max_px - d.x_min_px AS width_px, d.y_max_px - d.y_min_px AS height_px,
           d.decided_by, d.decided_utc
    FROM object_decisions AS d JOIN images AS i ON i.id = d.image_id JOIN runs AS r ON r.id = d.run_id
    LEFT JOIN objects AS o ON o.id = d.object_id
    WHERE d.uuid IN (SELECT value FROM json_each(?1)) AND r.object_count IS NOT NULL AND NOT {image_is_blind("d.image_id")} ORDER BY d.id
"""
_DECIDED = f"""
    r.object_count IS NOT NULL AND NOT {image_is_blind("r.image_id")} AND o.id IN
        (SELECT object_id FROM object_decisions WHERE uuid IN (SELECT value FROM json_each(?1)))
"""

OBJECT_DECISION: Queries = {"object_decisions": _DECISIONS, "objects": _OBJECTS.format(objects=_DECIDED)}
