"""The tables of ZooScan: projects, scans, what was typed about them, their objects, and what people and EcoTaxa said of those.

An object's `key` follows from its place in the scan, so that it is the same after the scan is processed again: lines, decisions and
categories hang on scan and key, not on a run. What is no longer there, such as an object that was cut in two, is retired and stays.
"""

from __future__ import annotations

FEATURE_COLUMNS = {
    "area": "area_px2",
    "mean": "mean_grey",
    "stddev": "stddev_grey",
    "mode": "mode_grey",
    "min": "min_grey",
    "max": "max_grey",
    "x": "centre_x_px",
    "y": "centre_y_px",
    "xm": "grey_centre_x_px",
    "ym": "grey_centre_y_px",
    "perim.": "perimeter_px",
    "major": "major_px",
    "minor": "minor_px",
    "angle": "angle_deg",
    "circ.": "circularity",
    "feret": "feret_px",
    "intden": "integrated_grey_px2",
    "median": "median_grey",
    "skew": "skewness",
    "kurt": "kurtosis",
    "%area": "holes_percent",
    "xstart": "start_x_px",
    "ystart": "start_y_px",
    "area_exc": "area_without_holes_px2",
    "fractal": "fractal",
    "skelarea": "skeleton_px2",
    "slope": "slope",
    "histcum1": "quartile1_grey",
    "histcum2": "quartile2_grey",
    "histcum3": "quartile3_grey",
    "nb1": "patches1",
    "nb2": "patches2",
    "nb3": "patches3",
    "symetrieh": "symmetry_h",
    "symetriev": "symmetry_v",
    "symetriehc": "symmetry_h_dark",
    "symetrievc": "symmetry_v_dark",
    "convperim": "hull_perimeter_px",
    "convarea": "hull_area_px2",
    "fcons": "contrast_grey",
    "thickr": "thickness_ratio",
}
"""The column of each measure by its legacy name, lower case; the box (bx, by, width, height) has columns of its own."""

_COLUMNS = ", ".join(f"o.{column}" for column in FEATURE_COLUMNS.values())
_FEATURES = ",\n".join(f"        {column} REAL" for column in FEATURE_COLUMNS.values())

ZOOSCAN_TABLES = (
    """
    CREATE TABLE zooscan_projects (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        folder TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        serial TEXT,
        seen_utc TEXT NOT NULL,
        trouble TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    # `waiting` lacks files (lacks_json names them); `failed` has reason, detail and advice.
    """
    CREATE TABLE zooscan_scans (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        project_id INTEGER NOT NULL REFERENCES zooscan_projects (id),
        name TEXT NOT NULL,
        raw_path TEXT,
        raw_bytes INTEGER,
        raw_mtime_ns INTEGER,
        log BLOB,
        meta BLOB,
        background TEXT,
        background_paths_json TEXT NOT NULL DEFAULT '[]',
        scanned_local TEXT,
        original TEXT NOT NULL DEFAULT 'present' CHECK (original IN ('present', 'gone', 'changed')),
        original_utc TEXT,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'processing', 'done', 'failed', 'gone')),
        lacks_json TEXT NOT NULL DEFAULT '[]',
        reason TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        seen_utc TEXT NOT NULL,
        changed_utc TEXT NOT NULL,
        UNIQUE (project_id, name)
    ) STRICT
    """,
    "CREATE INDEX zooscan_scans_state ON zooscan_scans (state)",
    # What was typed over a META, in the order in which it was typed; the last one of a field stands, NULL is back to the META's own.
    """
    CREATE TABLE zooscan_entries (
        id INTEGER PRIMARY KEY,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        field TEXT NOT NULL,
        value TEXT,
        actor TEXT NOT NULL,
        entered_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX zooscan_entries_scan ON zooscan_entries (scan_id, field)",
    # Every version of a scan's LOG and META that was seen; zooscan_scans has the ones that hold.
    """
    CREATE TABLE zooscan_texts (
        id INTEGER PRIMARY KEY,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        kind TEXT NOT NULL CHECK (kind IN ('log', 'meta')),
        sha256 TEXT NOT NULL,
        content BLOB NOT NULL,
        seen_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX zooscan_texts_scan ON zooscan_texts (scan_id, kind)",
    """
    CREATE TABLE zooscan_runs (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        raw_sha256 TEXT NOT NULL,
        background TEXT NOT NULL,
        background1_sha256 TEXT,
        background2_sha256 TEXT,
        software_version TEXT NOT NULL,
        settings_json TEXT NOT NULL,
        settings_sha256 TEXT NOT NULL,
        width_px INTEGER NOT NULL CHECK (width_px > 0),
        height_px INTEGER NOT NULL CHECK (height_px > 0),
        pixel_mm REAL NOT NULL CHECK (pixel_mm > 0),
        grey_min INTEGER NOT NULL,
        grey_max INTEGER NOT NULL,
        grey_median REAL,
        frame_json TEXT NOT NULL,
        black_share REAL NOT NULL,
        concerns_json TEXT NOT NULL DEFAULT '[]',
        classifier_model_id INTEGER REFERENCES models (id),
        multiple_threshold REAL CHECK (multiple_threshold BETWEEN 0 AND 1),
        separator TEXT NOT NULL DEFAULT '',
        stages_json TEXT NOT NULL DEFAULT '{}',
        elapsed_s REAL NOT NULL CHECK (elapsed_s >= 0),
        peak_rss_mib REAL NOT NULL CHECK (peak_rss_mib >= 0),
        folder TEXT NOT NULL,
        finished_utc TEXT NOT NULL,
        is_current INTEGER NOT NULL CHECK (is_current IN (0, 1))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX zooscan_runs_current ON zooscan_runs (scan_id) WHERE is_current = 1",
    "CREATE INDEX zooscan_runs_scan ON zooscan_runs (scan_id)",
    "CREATE INDEX zooscan_runs_model ON zooscan_runs (classifier_model_id)",
    # outline: the pixels of the outer border, (N, 2) little-endian uint16, x and y in the box, clockwise; holes: see docs/schema.md.
    f"""
    CREATE TABLE zooscan_objects (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        run_id INTEGER NOT NULL REFERENCES zooscan_runs (id),
        key TEXT NOT NULL,
        x_px INTEGER NOT NULL,
        y_px INTEGER NOT NULL,
        width_px INTEGER NOT NULL CHECK (width_px > 0),
        height_px INTEGER NOT NULL CHECK (height_px > 0),
{_FEATURES},
        outline BLOB NOT NULL,
        multiple_score REAL CHECK (multiple_score BETWEEN 0 AND 1),
        cut_from TEXT,
        vignettes TEXT NOT NULL,
        retired_utc TEXT,
        UNIQUE (run_id, key)
    ) STRICT
    """,
    # All that counting needs: the rows themselves are long.
    "CREATE INDEX zooscan_objects_standing ON zooscan_objects (run_id, retired_utc, key, multiple_score)",
    # The pixels of a separation line, (N, 2) little-endian int32, x and y in the scan.
    """
    CREATE TABLE zooscan_lines (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        run_id INTEGER REFERENCES zooscan_runs (id),
        object_key TEXT NOT NULL,
        pixels BLOB NOT NULL,
        score REAL CHECK (score BETWEEN 0 AND 1),
        made_by TEXT NOT NULL,
        is_human INTEGER NOT NULL CHECK (is_human IN (0, 1)),
        made_utc TEXT NOT NULL,
        erased_by TEXT,
        erased_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX zooscan_lines_scan ON zooscan_lines (scan_id, object_key)",
    "CREATE INDEX zooscan_lines_run ON zooscan_lines (run_id)",
    # What a person did at once: one line drawn or erased, or decisions about one or many objects. The newest not undone one can be undone.
    """
    CREATE TABLE zooscan_actions (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        what TEXT NOT NULL CHECK (what IN ('decide', 'draw', 'erase')),
        line_id INTEGER REFERENCES zooscan_lines (id),
        actor TEXT NOT NULL,
        done_utc TEXT NOT NULL,
        undone_by TEXT,
        undone_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX zooscan_actions_scan ON zooscan_actions (scan_id, id)",
    "CREATE INDEX zooscan_actions_line ON zooscan_actions (line_id)",
    """
    CREATE TABLE zooscan_decisions (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        action_id INTEGER NOT NULL REFERENCES zooscan_actions (id),
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        object_key TEXT NOT NULL,
        decision TEXT NOT NULL CHECK (decision IN ('single', 'multiple')),
        actor TEXT NOT NULL,
        made_utc TEXT NOT NULL,
        undone_by TEXT,
        undone_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX zooscan_decisions_scan ON zooscan_decisions (scan_id, object_key)",
    "CREATE INDEX zooscan_decisions_action ON zooscan_decisions (action_id)",
    """
    CREATE TABLE zooscan_signatures (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        run_id INTEGER NOT NULL REFERENCES zooscan_runs (id),
        objects INTEGER NOT NULL CHECK (objects >= 0),
        multiples INTEGER NOT NULL CHECK (multiples >= 0),
        content_sha256 TEXT NOT NULL,
        actor TEXT NOT NULL,
        signed_utc TEXT NOT NULL,
        withdrawn_by TEXT,
        withdrawn_utc TEXT,
        withdrawn_reason TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX zooscan_signatures_standing ON zooscan_signatures (scan_id) WHERE withdrawn_utc IS NULL",
    "CREATE INDEX zooscan_signatures_scan ON zooscan_signatures (scan_id)",
    "CREATE INDEX zooscan_signatures_run ON zooscan_signatures (run_id)",
    # Categories that came back; the newest of an object stands, older ones stay. Without a category: it was set back to unclassified.
    """
    CREATE TABLE zooscan_labels (
        id INTEGER PRIMARY KEY,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        object_key TEXT NOT NULL,
        category TEXT,
        category_id TEXT,
        hierarchy TEXT,
        status TEXT CHECK (status IN ('predicted', 'validated', 'dubious', 'discarded')),
        labelled_by TEXT,
        labelled_at TEXT,
        source TEXT NOT NULL,
        pulled_utc TEXT NOT NULL,
        CHECK ((category IS NULL) = (status IS NULL))
    ) STRICT
    """,
    "CREATE INDEX zooscan_labels_scan ON zooscan_labels (scan_id, object_key)",
    """
    CREATE TABLE zooscan_uploads (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        scan_id INTEGER NOT NULL REFERENCES zooscan_scans (id),
        kind TEXT NOT NULL CHECK (kind IN ('push', 'pull')),
        mode TEXT NOT NULL DEFAULT 'new' CHECK (mode IN ('new', 'add', 'update')),
        server TEXT NOT NULL,
        ecotaxa_project_id INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'importing', 'asking', 'done', 'failed', 'cancelled')),
        archive TEXT,
        archive_sha256 TEXT,
        run_uuid TEXT,
        signature_id INTEGER REFERENCES zooscan_signatures (id),
        remote_path TEXT,
        remote_job_id INTEGER,
        progress REAL CHECK (progress BETWEEN 0 AND 1),
        question_json TEXT,
        answer_json TEXT,
        report_json TEXT,
        detail TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        actor TEXT NOT NULL,
        asked_utc TEXT NOT NULL,
        changed_utc TEXT NOT NULL,
        not_before_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX zooscan_uploads_scan ON zooscan_uploads (scan_id)",
    "CREATE INDEX zooscan_uploads_signature ON zooscan_uploads (signature_id)",
    # The objects that stand, each with what people and EcoTaxa say of it; NULL in is_multiple: neither a model nor a person looked.
    f"""
    CREATE VIEW v_zooscan_objects AS
    SELECT o.id AS object_id, o.uuid AS object_uuid, s.id AS scan_id, s.name AS scan, p.name AS project, r.uuid AS run_uuid, o.key,
           o.x_px, o.y_px, o.width_px, o.height_px, r.pixel_mm,
           {_COLUMNS},
           o.multiple_score, o.cut_from, d.decision, d.actor AS decided_by,
           CASE d.decision WHEN 'multiple' THEN 1 WHEN 'single' THEN 0 ELSE o.multiple_score > r.multiple_threshold END AS is_multiple,
           l.category, l.category_id, l.hierarchy, l.status AS category_status
    FROM zooscan_runs AS r
    JOIN zooscan_scans AS s ON s.id = r.scan_id
    JOIN zooscan_projects AS p ON p.id = s.project_id
    CROSS JOIN zooscan_objects AS o ON o.run_id = r.id AND o.retired_utc IS NULL
    LEFT JOIN zooscan_decisions AS d ON d.id = (SELECT max(x.id) FROM zooscan_decisions AS x
         WHERE x.scan_id = r.scan_id AND x.object_key = o.key AND x.undone_utc IS NULL)
    LEFT JOIN zooscan_labels AS l ON l.id = (SELECT max(x.id) FROM zooscan_labels AS x
         WHERE x.scan_id = r.scan_id AND x.object_key = o.key)
    WHERE r.is_current = 1
    """,
)
