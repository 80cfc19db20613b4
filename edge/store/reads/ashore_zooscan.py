"""What goes ashore of ZooScan: scans with their objects and measures, what people did about them, and what EcoTaxa says of them.

Outlines, lines' pixels and vignettes stay aboard. An object that a person's line cut, and the parts of it, go with what that person did.
"""

from __future__ import annotations

from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_places import models_of
from edge.store.zooscan_tables import FEATURE_COLUMNS

SCAN_UUID = 36
"""So many letters of the subject of labels name the scan."""

_MEASURES = ", ".join(f"o.{column}" for column in FEATURE_COLUMNS.values())
_OBJECTS = f"""
    SELECT r.uuid AS run_uuid, o.key AS object_key, o.x_px, o.y_px, o.width_px, o.height_px, {_MEASURES}, o.multiple_score, o.cut_from,
           o.retired_utc
    FROM zooscan_objects AS o JOIN zooscan_runs AS r ON r.id = o.run_id
"""


def _scans(ids: str) -> Queries:
    return {
        "zooscan_projects": f"""
    SELECT p.uuid AS project_uuid, p.name AS project, p.serial FROM zooscan_projects AS p
    WHERE p.id IN (SELECT project_id FROM zooscan_scans WHERE id IN ({ids})) ORDER BY p.id
    """,
        "zooscan_scans": f"""
    SELECT s.uuid AS scan_uuid, p.uuid AS project_uuid, s.name AS scan, s.scanned_local
    FROM zooscan_scans AS s JOIN zooscan_projects AS p ON p.id = s.project_id WHERE s.id IN ({ids}) ORDER BY s.id
    """,
    }


_CHOSEN = "SELECT id, scan_id, classifier_model_id FROM zooscan_runs WHERE uuid IN (SELECT value FROM json_each(?1))"

ZOOSCAN_RUN: Queries = {
    "models": models_of(f"SELECT classifier_model_id FROM ({_CHOSEN})"),
    **_scans(f"SELECT scan_id FROM ({_CHOSEN})"),
    "zooscan_runs": f"""
    SELECT r.uuid AS run_uuid, s.uuid AS scan_uuid, r.raw_sha256, r.background, r.software_version, r.settings_sha256, r.width_px,
           r.height_px, r.pixel_mm, r.grey_min, r.grey_max, r.grey_median, r.black_share, r.concerns_json, m.name AS model,
           m.version AS model_version, r.multiple_threshold, r.separator, r.finished_utc, r.is_current
    FROM zooscan_runs AS r JOIN zooscan_scans AS s ON s.id = r.scan_id LEFT JOIN models AS m ON m.id = r.classifier_model_id
    WHERE r.scan_id IN (SELECT scan_id FROM ({_CHOSEN})) ORDER BY r.id
    """,
    "zooscan_objects": f"{_OBJECTS} WHERE o.run_id IN (SELECT id FROM ({_CHOSEN})) ORDER BY o.id",
}
"""With each run also that there are others of its scan: one of them is the current one no more."""

_ACTIONS = "SELECT id FROM zooscan_actions WHERE uuid IN (SELECT value FROM json_each(?1))"

# A line cuts an object; taken back, that object stands again. Parts may be cut in turn: all that came of it goes.
_CUT = f"""
    WITH RECURSIVE cut (run_id, key) AS (
        SELECT r.id, l.object_key FROM zooscan_actions AS w JOIN zooscan_lines AS l ON l.id = w.line_id
        JOIN zooscan_runs AS r ON r.scan_id = w.scan_id AND r.is_current = 1 WHERE w.id IN ({_ACTIONS})
        UNION SELECT c.run_id, o.key FROM cut AS c JOIN zooscan_objects AS o ON o.run_id = c.run_id AND o.cut_from = c.key
    )
"""

ZOOSCAN_ACTION: Queries = {
    **_scans(f"SELECT scan_id FROM zooscan_actions WHERE id IN ({_ACTIONS})"),
    "zooscan_actions": f"""
    SELECT w.uuid AS action_uuid, s.uuid AS scan_uuid,
           (SELECT count(*) FROM zooscan_actions AS e WHERE e.scan_id = w.scan_id AND e.id <= w.id) AS place,
           w.what, l.object_key, w.actor, w.done_utc, w.undone_by, w.undone_utc
    FROM zooscan_actions AS w JOIN zooscan_scans AS s ON s.id = w.scan_id LEFT JOIN zooscan_lines AS l ON l.id = w.line_id
    WHERE w.id IN ({_ACTIONS}) ORDER BY w.id
    """,
    "zooscan_decisions": f"""
    SELECT d.uuid AS decision_uuid, w.uuid AS action_uuid, s.uuid AS scan_uuid, d.object_key, d.decision, d.actor, d.made_utc, d.undone_by,
           d.undone_utc
    FROM zooscan_decisions AS d JOIN zooscan_actions AS w ON w.id = d.action_id JOIN zooscan_scans AS s ON s.id = d.scan_id
    WHERE d.action_id IN ({_ACTIONS}) ORDER BY d.id
    """,
    "zooscan_objects": f"{_CUT} {_OBJECTS} JOIN cut AS c ON c.run_id = o.run_id AND c.key = o.key ORDER BY o.id",
}
"""Also of what is taken back: it goes again, with who took it back and what stands since."""

_SIGNED = "SELECT id FROM zooscan_signatures WHERE uuid IN (SELECT value FROM json_each(?1))"

ZOOSCAN_SIGNATURE: Queries = {
    **_scans(f"SELECT scan_id FROM zooscan_signatures WHERE id IN ({_SIGNED})"),
    "zooscan_signatures": f"""
    SELECT g.uuid AS signature_uuid, s.uuid AS scan_uuid, r.uuid AS run_uuid, g.objects, g.multiples, g.content_sha256, g.actor,
           g.signed_utc, g.withdrawn_by, g.withdrawn_utc, g.withdrawn_reason
    FROM zooscan_signatures AS g JOIN zooscan_scans AS s ON s.id = g.scan_id JOIN zooscan_runs AS r ON r.id = g.run_id
    WHERE g.id IN ({_SIGNED}) ORDER BY g.id
    """,
}

_LABELLED = f"SELECT id FROM zooscan_scans WHERE uuid IN (SELECT substr(value, 1, {SCAN_UUID}) FROM json_each(?1))"

ZOOSCAN_LABELS: Queries = {
    **_scans(_LABELLED),
    "zooscan_labels": f"""
    SELECT s.uuid AS scan_uuid, l.object_key, l.category, l.category_id, l.hierarchy, l.status, l.labelled_at, l.source, l.pulled_utc
    FROM zooscan_labels AS l JOIN zooscan_scans AS s ON s.id = l.scan_id
    WHERE l.id IN (SELECT max(x.id) FROM zooscan_labels AS x WHERE x.scan_id IN ({_LABELLED}) GROUP BY x.scan_id, x.object_key)
    ORDER BY l.id
    """,
}
"""What stands of every object of the scan; who said so in EcoTaxa stays there."""
