"""The tables of crops that an imager made itself: what was measured of the particle, and how well each of the likeliest classes fits."""

from __future__ import annotations

from edge.store.zooscan_tables import FEATURE_COLUMNS

_FEATURES = ",\n".join(f"        {column} REAL" for column in FEATURE_COLUMNS.values())

CROP_TABLES = (
    # Of a run whose recipe measures; found 0 means: looked, and nothing is darker than the background.
    f"""
    CREATE TABLE crop_measures (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id),
        found INTEGER NOT NULL CHECK (found IN (0, 1)),
        x_px INTEGER,
        y_px INTEGER,
        width_px INTEGER CHECK (width_px > 0),
        height_px INTEGER CHECK (height_px > 0),
        background_grey REAL,
        threshold_grey INTEGER,
        touches_edge INTEGER CHECK (touches_edge IN (0, 1)),
{_FEATURES},
        CHECK ((found = 1) = (x_px IS NOT NULL))
    ) STRICT
    """,
    """
    CREATE TABLE class_scores (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs (id),
        ordinal INTEGER NOT NULL,
        label_id INTEGER NOT NULL REFERENCES labels (id),
        score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
        UNIQUE (run_id, ordinal)
    ) STRICT
    """,
    "CREATE INDEX class_scores_label ON class_scores (label_id)",
)
