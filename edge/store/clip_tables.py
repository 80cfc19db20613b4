"""The tables of footage: clips, what was read of them, and what a tow's openings and systems came to.

What a model saw in a clip is kept sealed for good, part by part (`edge.footage_pack` says how it is packed): a frame's boxes are
raw material. The openings of a tow, made from them, stand in plain tables once nobody counts the tow blind any more.
"""

from __future__ import annotations

CLIP_TABLES = (
    """
    CREATE TABLE clips (
        image_id INTEGER PRIMARY KEY REFERENCES images (id),
        container TEXT NOT NULL,
        codec TEXT NOT NULL,
        first_pts_s REAL NOT NULL,
        duration_s REAL CHECK (duration_s >= 0),
        frame_rate_hz REAL CHECK (frame_rate_hz > 0),
        is_interlaced INTEGER NOT NULL CHECK (is_interlaced IN (0, 1)),
        is_variable_rate INTEGER NOT NULL CHECK (is_variable_rate IN (0, 1)),
        start_utc TEXT,
        start_local TEXT,
        faults_json TEXT NOT NULL DEFAULT '[]'
    ) STRICT
    """,
    """
    CREATE TABLE readings (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        image_id INTEGER NOT NULL REFERENCES clips (image_id),
        job_id INTEGER NOT NULL REFERENCES jobs (id),
        recipe TEXT NOT NULL,
        recipe_sha256 TEXT NOT NULL,
        model_id INTEGER NOT NULL REFERENCES models (id),
        weights_sha256 TEXT NOT NULL,
        runtime TEXT NOT NULL,
        precision TEXT NOT NULL,
        software_version TEXT NOT NULL,
        score_threshold REAL NOT NULL,
        rate_hz REAL NOT NULL CHECK (rate_hz > 0),
        state TEXT NOT NULL CHECK (state IN ('reading', 'done', 'abandoned')),
        frames INTEGER NOT NULL DEFAULT 0,
        read_to_s REAL NOT NULL DEFAULT 0,
        wall_s REAL NOT NULL DEFAULT 0,
        began_utc TEXT NOT NULL,
        finished_utc TEXT,
        is_current INTEGER NOT NULL DEFAULT 0 CHECK (is_current IN (0, 1))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX readings_current ON readings (image_id, recipe) WHERE is_current = 1",
    "CREATE INDEX readings_image ON readings (image_id)",
    "CREATE INDEX readings_job ON readings (job_id)",
    "CREATE INDEX readings_model ON readings (model_id)",
    """
    CREATE TABLE reading_parts (
        id INTEGER PRIMARY KEY,
        reading_id INTEGER NOT NULL REFERENCES readings (id),
        ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
        to_s REAL NOT NULL,
        frames INTEGER NOT NULL CHECK (frames >= 0),
        sealed BLOB NOT NULL,
        UNIQUE (reading_id, ordinal)
    ) STRICT
    """,
    # Not sealed: a picture of what the camera saw, made without a model, and told by no count.
    """
    CREATE TABLE strip_tiles (
        id INTEGER PRIMARY KEY,
        reading_id INTEGER NOT NULL REFERENCES readings (id),
        part INTEGER NOT NULL CHECK (part >= 0),
        number INTEGER NOT NULL CHECK (number >= 0),
        columns INTEGER NOT NULL CHECK (columns >= 0),
        width_px INTEGER NOT NULL CHECK (width_px > 0),
        px_per_column REAL NOT NULL CHECK (px_per_column > 0),
        moments BLOB NOT NULL,
        jpeg BLOB NOT NULL,
        UNIQUE (reading_id, part, number)
    ) STRICT
    """,
    """
    CREATE TABLE tow_analyses (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        made_from_sha256 TEXT NOT NULL,
        made_from_json TEXT NOT NULL,
        model_id INTEGER REFERENCES models (id),
        tracker TEXT NOT NULL,
        software_version TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'refused', 'failed')),
        reason TEXT NOT NULL DEFAULT '',
        frames INTEGER NOT NULL DEFAULT 0,
        seen_s REAL NOT NULL DEFAULT 0,
        openings REAL CHECK (openings >= 0),
        openings_sd REAL CHECK (openings_sd >= 0),
        systems REAL CHECK (systems >= 0),
        systems_sd REAL CHECK (systems_sd >= 0),
        sealed BLOB,
        made_utc TEXT NOT NULL,
        is_current INTEGER NOT NULL CHECK (is_current IN (0, 1))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX tow_analyses_current ON tow_analyses (tow_id) WHERE is_current = 1",
    "CREATE INDEX tow_analyses_tow ON tow_analyses (tow_id)",
    "CREATE INDEX tow_analyses_model ON tow_analyses (model_id)",
    """
    CREATE TABLE tow_systems (
        id INTEGER PRIMARY KEY,
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        ordinal INTEGER NOT NULL,
        crossing_s REAL,
        openings INTEGER NOT NULL CHECK (openings >= 1),
        confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
        UNIQUE (analysis_id, ordinal)
    ) STRICT
    """,
    """
    CREATE TABLE tow_openings (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        ordinal INTEGER NOT NULL,
        system_id INTEGER REFERENCES tow_systems (id),
        first_s REAL NOT NULL,
        last_s REAL NOT NULL,
        crossing_s REAL,
        along_px REAL NOT NULL,
        across_px REAL NOT NULL,
        along_sd_px REAL NOT NULL,
        along_m REAL,
        across_m REAL,
        score REAL NOT NULL,
        confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
        frames INTEGER NOT NULL CHECK (frames >= 1),
        missed INTEGER NOT NULL CHECK (missed >= 0),
        is_extrapolated INTEGER NOT NULL CHECK (is_extrapolated IN (0, 1)),
        label_index INTEGER NOT NULL CHECK (label_index >= 0),
        boxes BLOB NOT NULL,
        UNIQUE (analysis_id, ordinal)
    ) STRICT
    """,
    "CREATE INDEX tow_openings_system ON tow_openings (system_id)",
    """
    CREATE TABLE tow_minutes (
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        minute INTEGER NOT NULL CHECK (minute >= 1),
        openings REAL NOT NULL CHECK (openings >= 0),
        openings_sd REAL NOT NULL CHECK (openings_sd >= 0),
        systems REAL NOT NULL CHECK (systems >= 0),
        systems_sd REAL NOT NULL CHECK (systems_sd >= 0),
        hidden_s REAL NOT NULL CHECK (hidden_s BETWEEN 0 AND 60),
        PRIMARY KEY (analysis_id, minute)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE tow_seconds (
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        second INTEGER NOT NULL CHECK (second >= 0),
        frames INTEGER NOT NULL CHECK (frames >= 0),
        speed_px_per_s REAL,
        width_m REAL CHECK (width_m > 0),
        width_sd_m REAL CHECK (width_sd_m >= 0),
        mean_luminance REAL, contrast REAL, sharpness REAL, silt_fraction REAL, dark_fraction REAL,
        not_countable INTEGER NOT NULL CHECK (not_countable IN (0, 1)),
        PRIMARY KEY (analysis_id, second)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE review_actions (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        what TEXT NOT NULL CHECK (what IN ('decide', 'group', 'split', 'carry', 'undo')),
        undoes INTEGER UNIQUE REFERENCES review_actions (id),
        done_by TEXT NOT NULL,
        done_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX review_actions_analysis ON review_actions (analysis_id, id)",
    """
    CREATE TABLE opening_decisions (
        id INTEGER PRIMARY KEY,
        opening_id INTEGER NOT NULL REFERENCES tow_openings (id),
        decision TEXT NOT NULL CHECK (decision IN ('accepted', 'rejected', 'unsure', 'cleared')),
        decided_by TEXT NOT NULL,
        decided_utc TEXT NOT NULL,
        action_id INTEGER REFERENCES review_actions (id),
        carried_from INTEGER REFERENCES opening_decisions (id)
    ) STRICT
    """,
    "CREATE INDEX opening_decisions_opening ON opening_decisions (opening_id, id)",
    "CREATE INDEX opening_decisions_action ON opening_decisions (action_id)",
    "CREATE INDEX opening_decisions_carried ON opening_decisions (carried_from)",
    """
    CREATE TABLE opening_groups (
        id INTEGER PRIMARY KEY,
        opening_id INTEGER NOT NULL REFERENCES tow_openings (id),
        system_number INTEGER CHECK (system_number >= 1),
        grouped_by TEXT NOT NULL,
        grouped_utc TEXT NOT NULL,
        action_id INTEGER REFERENCES review_actions (id),
        carried_from INTEGER REFERENCES opening_groups (id)
    ) STRICT
    """,
    "CREATE INDEX opening_groups_opening ON opening_groups (opening_id, id)",
    "CREATE INDEX opening_groups_action ON opening_groups (action_id)",
    "CREATE INDEX opening_groups_carried ON opening_groups (carried_from)",
    """
    CREATE TABLE miss_checks (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        analysis_id INTEGER NOT NULL REFERENCES tow_analyses (id),
        footage_sha256 TEXT NOT NULL,
        seed TEXT NOT NULL,
        pool_json TEXT NOT NULL,
        minutes_json TEXT NOT NULL,
        line_height REAL NOT NULL,
        width_px INTEGER NOT NULL CHECK (width_px > 0),
        height_px INTEGER NOT NULL CHECK (height_px > 0),
        state TEXT NOT NULL CHECK (state IN ('open', 'done', 'declined')),
        reason TEXT NOT NULL DEFAULT '',
        revision INTEGER NOT NULL DEFAULT 0,
        content_json TEXT NOT NULL DEFAULT '',
        counter TEXT NOT NULL,
        drawn_by TEXT NOT NULL,
        drawn_utc TEXT NOT NULL,
        ended_by TEXT,
        ended_utc TEXT,
        UNIQUE (tow_id, footage_sha256)
    ) STRICT
    """,
    "CREATE INDEX miss_checks_analysis ON miss_checks (analysis_id)",
)
