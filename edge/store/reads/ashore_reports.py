"""What a ship tells of itself: that it lives and how far it is, what needs a person, which models it has. Nothing of any result."""

from __future__ import annotations

from edge.store.reads.ashore import Queries
from edge.store.reads.ashore_places import models_of

RESOLVED_DAYS = 30
"""So long an issue that is resolved is told as such: that it was seen once is known ashore."""

_FILES = "(SELECT coalesce(sum(total), 0) FROM counters WHERE kind = 'files' AND name IN ({names}))"
_OPEN_BUNDLES = """
    bundles AS b WHERE b.dropped_utc IS NULL
        AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.bundle_id = b.id AND d.state <> 'confirmed')
"""

HEARTBEAT: Queries = {
    "heartbeats": f"""
    SELECT substr(x.dedup_key, length(x.kind) + 2) AS heartbeat_uuid, x.created_utc AS at_utc,
           {_FILES.format(names="'seen', 'queued', 'leased'")} AS files_waiting, {_FILES.format(names="'done'")} AS files_done,
           {_FILES.format(names="'quarantined'")} AS files_failed, (SELECT max(finished_utc) FROM runs) AS newest_result_utc,
           (SELECT count(*) FROM outbox WHERE state = 'waiting' AND priority > 0) AS results_waiting,
           (SELECT count(*) FROM {_OPEN_BUNDLES}) AS bundles_waiting,
           (SELECT coalesce(sum(b.size_bytes), 0) FROM {_OPEN_BUNDLES}) AS bundle_bytes_waiting,
           (SELECT count(*) FROM issues WHERE resolved_utc IS NULL) AS open_issues,
           (SELECT count(*) FROM issues WHERE resolved_utc IS NULL AND severity = 'error') AS open_errors
    FROM outbox AS x WHERE x.dedup_key IN (SELECT 'heartbeat/' || value FROM json_each(?1)) ORDER BY x.id
    """
}

HEALTH: Queries = {
    "issues": f"""
    SELECT code, reference, first_seen_utc, severity, message, advice, last_seen_utc, resolved_utc FROM issues
    WHERE json_array_length(?1) > 0 AND (resolved_utc IS NULL
        OR resolved_utc >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{RESOLVED_DAYS} days')) ORDER BY id
    """
}

MODELS: Queries = {
    "models": models_of("SELECT id FROM models WHERE json_array_length(?1) > 0"),
    "active_models": """
    SELECT a.recipe, m.name AS model, m.version AS model_version, p.name AS previous_model, p.version AS previous_model_version,
           a.since_utc
    FROM active_models AS a JOIN models AS m ON m.id = a.model_id LEFT JOIN models AS p ON p.id = a.previous_model_id
    WHERE json_array_length(?1) > 0 ORDER BY a.recipe
    """,
    "model_variants": """
    SELECT m.name AS model, m.version AS model_version, v.name AS variant, v.machine, v.runtime, v.precision, v.sha256 AS weights_sha256,
           v.device, v.offered AS is_offered, v.reason, v.latency_ms, v.images_per_s, v.checked_utc
    FROM variants AS v JOIN models AS m ON m.id = v.model_id WHERE json_array_length(?1) > 0 ORDER BY v.id
    """,
}
