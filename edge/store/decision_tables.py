"""The tables of what people decided about objects on images: a log that only grows, beside what models found.

A decision is about an object of a run (`object_id`), about an object that a person added (`added_uuid`), or about the whole image
(neither: `reviewed`, `reopened`). It carries the whole state from then on, so the newest row of an object says all that holds.
"""

from __future__ import annotations

DECISION_TABLES = (
    """
    CREATE TABLE object_decisions (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        image_id INTEGER NOT NULL REFERENCES images (id),
        run_id INTEGER NOT NULL REFERENCES runs (id),
        object_id INTEGER REFERENCES objects (id),
        added_uuid TEXT,
        decision TEXT NOT NULL CHECK (decision IN
            ('confirmed', 'rejected', 'moved', 'relabelled', 'added', 'cleared', 'reviewed', 'reopened')),
        label TEXT,
        x_min_px REAL,
        y_min_px REAL,
        x_max_px REAL,
        y_max_px REAL,
        decided_by TEXT NOT NULL,
        decided_utc TEXT NOT NULL,
        CHECK (object_id IS NULL OR added_uuid IS NULL),
        CHECK ((decision IN ('reviewed', 'reopened')) = (object_id IS NULL AND added_uuid IS NULL)),
        CHECK ((x_min_px IS NULL) = (y_min_px IS NULL) AND (x_min_px IS NULL) = (x_max_px IS NULL)
               AND (x_min_px IS NULL) = (y_max_px IS NULL)),
        CHECK (x_min_px < x_max_px AND y_min_px < y_max_px)
    ) STRICT
    """,
    "CREATE INDEX object_decisions_image ON object_decisions (image_id, id)",
    "CREATE INDEX object_decisions_run ON object_decisions (run_id)",
    "CREATE INDEX object_decisions_object ON object_decisions (object_id, id) WHERE object_id IS NOT NULL",
    "CREATE INDEX object_decisions_added ON object_decisions (added_uuid, id) WHERE added_uuid IS NOT NULL",
    "CREATE INDEX object_decisions_label ON object_decisions (label) WHERE label IS NOT NULL",
    """
    CREATE TABLE sealed_decisions (
        id INTEGER PRIMARY KEY,
        image_id INTEGER NOT NULL REFERENCES images (id),
        sealed BLOB NOT NULL,
        sealed_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sealed_decisions_image ON sealed_decisions (image_id)",
    # The run that a review is about is the run of its newest row: a later result of a model changes no review by itself.
    """
    CREATE VIEW v_reviewed_images AS
    SELECT i.uuid AS image_uuid, i.sha256,
           (SELECT s.path FROM sightings AS s WHERE s.image_id = i.id AND s.recipe = r.recipe ORDER BY s.id LIMIT 1) AS path,
           r.recipe, r.uuid AS run_uuid, m.name AS model, m.version AS model_version, n.decisions,
           d.decision = 'reviewed' AS is_reviewed,
           CASE WHEN d.decision = 'reviewed' THEN d.decided_by END AS reviewed_by,
           CASE WHEN d.decision = 'reviewed' THEN d.decided_utc END AS reviewed_utc,
           n.image_id, r.id AS run_id
    FROM (SELECT e.image_id, max(e.id) AS id, count(*) AS decisions FROM object_decisions AS e JOIN runs AS q ON q.id = e.run_id
          GROUP BY e.image_id, q.recipe) AS n
    JOIN object_decisions AS d ON d.id = n.id
    JOIN runs AS r ON r.id = d.run_id AND r.object_count IS NOT NULL
    JOIN images AS i ON i.id = n.image_id
    JOIN models AS m ON m.id = r.model_id
    """,
    """
    CREATE VIEW v_reviewed_objects AS
    SELECT o.id AS object_id, NULL AS added_uuid, w.image_uuid, w.sha256, w.path, w.recipe, w.run_uuid,
           CASE WHEN d.decision IS NULL OR d.decision = 'cleared' THEN 'model'
                WHEN d.x_min_px IS NOT NULL AND d.label IS NOT NULL THEN 'model, moved and relabelled'
                WHEN d.x_min_px IS NOT NULL THEN 'model, moved'
                WHEN d.label IS NOT NULL THEN 'model, relabelled'
                ELSE 'model, confirmed' END AS origin,
           coalesce(d.label, l.name) AS label,
           CASE WHEN d.label IS NULL OR d.label = l.name THEN l.aphia_id
                ELSE (SELECT k.aphia_id FROM labels AS k WHERE k.model_id = l.model_id AND k.name = d.label LIMIT 1) END AS aphia_id,
           o.score, coalesce(d.x_min_px, o.x_min_px) AS x_min_px, coalesce(d.y_min_px, o.y_min_px) AS y_min_px,
           coalesce(d.x_max_px, o.x_max_px) AS x_max_px, coalesce(d.y_max_px, o.y_max_px) AS y_max_px,
           CASE WHEN d.decision <> 'cleared' THEN d.decided_by END AS decided_by,
           CASE WHEN d.decision <> 'cleared' THEN d.decided_utc END AS decided_utc,
           w.is_reviewed, w.reviewed_by, w.reviewed_utc, w.model, w.model_version, w.image_id
    FROM v_reviewed_images AS w
    JOIN runs AS r ON r.id = w.run_id
    JOIN objects AS o ON o.run_id = w.run_id
    JOIN labels AS l ON l.id = o.label_id
    LEFT JOIN object_decisions AS d ON d.id = (SELECT max(x.id) FROM object_decisions AS x WHERE x.object_id = o.id)
    WHERE CASE WHEN d.decision IS NULL OR d.decision = 'cleared' THEN o.score >= r.score_threshold ELSE d.decision <> 'rejected' END
    UNION ALL
    SELECT NULL, d.added_uuid, w.image_uuid, w.sha256, w.path, w.recipe, w.run_uuid, 'person', d.label,
           (SELECT k.aphia_id FROM labels AS k WHERE k.model_id = r.model_id AND k.name = d.label LIMIT 1), NULL,
           d.x_min_px, d.y_min_px, d.x_max_px, d.y_max_px, d.decided_by, d.decided_utc,
           w.is_reviewed, w.reviewed_by, w.reviewed_utc, w.model, w.model_version, w.image_id
    FROM v_reviewed_images AS w
    JOIN runs AS r ON r.id = w.run_id
    JOIN object_decisions AS d ON d.image_id = w.image_id AND d.added_uuid IS NOT NULL
         AND d.id = (SELECT max(x.id) FROM object_decisions AS x WHERE x.added_uuid = d.added_uuid)
    JOIN runs AS a ON a.id = d.run_id AND a.recipe = w.recipe
    WHERE d.decision NOT IN ('cleared', 'rejected')
    """,
)
