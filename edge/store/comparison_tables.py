"""The tables of comparisons: two models on the same files, apart from the results of record (decision 0011)."""

from __future__ import annotations

COMPARISON_TABLES = (
    """
    CREATE TABLE comparisons (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        recipe TEXT NOT NULL,
        a_model_id INTEGER NOT NULL REFERENCES models (id),
        a_variant TEXT NOT NULL,
        a_device TEXT NOT NULL,
        a_score_threshold REAL NOT NULL,
        b_model_id INTEGER NOT NULL REFERENCES models (id),
        b_variant TEXT NOT NULL,
        b_device TEXT NOT NULL,
        b_score_threshold REAL NOT NULL,
        files_chosen TEXT NOT NULL,
        file_count INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'cancelled', 'failed', 'interrupted')),
        detail TEXT NOT NULL DEFAULT '',
        asked_by TEXT NOT NULL,
        asked_utc TEXT NOT NULL,
        finished_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX comparisons_a_model ON comparisons (a_model_id)",
    "CREATE INDEX comparisons_b_model ON comparisons (b_model_id)",
    """
    CREATE TABLE comparison_files (
        id INTEGER PRIMARY KEY,
        comparison_id INTEGER NOT NULL REFERENCES comparisons (id) ON DELETE CASCADE,
        sighting_id INTEGER NOT NULL REFERENCES sightings (id),
        state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'failed')),
        detail TEXT NOT NULL DEFAULT '',
        a_count INTEGER,
        b_count INTEGER,
        matched INTEGER,
        only_a INTEGER,
        only_b INTEGER,
        a_infer_ms REAL,
        b_infer_ms REAL,
        boxes_json TEXT,
        UNIQUE (comparison_id, sighting_id)
    ) STRICT
    """,
    "CREATE INDEX comparison_files_state ON comparison_files (comparison_id, state)",  # counted without reading the boxes
    "CREATE INDEX comparison_files_sighting ON comparison_files (sighting_id)",
)
