"""The tables of a survey: people, surveys, protocols, stations, tows, their media, tracks, widths and counts.

What a person typed is kept verbatim in `entries`, row after row; the columns of `tows` hold what it was read as. Rows that a
person withdrew are marked, not deleted. A count is one sealed blob until both counters have signed. What a table of others said
is kept beside: `table_rows` are its stations, `reference_marks` the clicks of a reference.
"""

from __future__ import annotations

SURVEY_TABLES = (
    """
    CREATE TABLE people (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        full_name TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('view', 'count', 'review', 'administer')),
        password_hash TEXT NOT NULL,
        pin_hash TEXT,
        failures INTEGER NOT NULL DEFAULT 0,
        pin_failures INTEGER NOT NULL DEFAULT 0,
        locked_until_utc TEXT,
        added_utc TEXT NOT NULL,
        retired_utc TEXT
    ) STRICT
    """,
    """
    CREATE TABLE sign_ins (
        id INTEGER PRIMARY KEY,
        token_sha256 TEXT NOT NULL UNIQUE,
        person_id INTEGER NOT NULL REFERENCES people (id),
        address TEXT NOT NULL,
        began_utc TEXT NOT NULL,
        last_seen_utc TEXT NOT NULL,
        ended_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX sign_ins_person ON sign_ins (person_id)",
    """
    CREATE TABLE surveys (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL DEFAULT 'survey' CHECK (kind IN ('survey', 'reference')),
        title TEXT NOT NULL DEFAULT '',
        functional_unit TEXT NOT NULL DEFAULT '',
        vessel TEXT NOT NULL DEFAULT '',
        year INTEGER,
        created_by TEXT NOT NULL,
        created_utc TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE grounds (
        id INTEGER PRIMARY KEY,
        survey_id INTEGER NOT NULL REFERENCES surveys (id),
        name TEXT NOT NULL,
        area_km2 REAL CHECK (area_km2 > 0),
        area_source TEXT NOT NULL DEFAULT '',
        stations_planned INTEGER CHECK (stations_planned >= 0),
        UNIQUE (survey_id, name)
    ) STRICT
    """,
    """
    CREATE TABLE protocols (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        survey_id INTEGER NOT NULL REFERENCES surveys (id),
        version INTEGER NOT NULL CHECK (version >= 1),
        first_minute INTEGER NOT NULL CHECK (first_minute >= 1),
        last_minute INTEGER NOT NULL CHECK (last_minute >= first_minute),
        minute_rule TEXT NOT NULL CHECK (minute_rule IN ('drop_minute', 'scale')),
        line_height REAL NOT NULL CHECK (line_height > 0 AND line_height <= 1),
        edge_rule TEXT NOT NULL CHECK (edge_rule IN ('any_opening_inside', 'centre_inside', 'whole_inside')),
        counters INTEGER NOT NULL CHECK (counters BETWEEN 1 AND 4),
        min_mean_per_minute REAL CHECK (min_mean_per_minute >= 0),
        ccc_limit REAL NOT NULL CHECK (ccc_limit BETWEEN 0 AND 1),
        correction_factor REAL CHECK (correction_factor > 0),
        correction_source TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL,
        made_by TEXT NOT NULL,
        made_utc TEXT NOT NULL,
        locked_utc TEXT,
        UNIQUE (survey_id, version)
    ) STRICT
    """,
    """
    CREATE TABLE stations (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        survey_id INTEGER REFERENCES surveys (id),
        name TEXT NOT NULL,
        ground_id INTEGER REFERENCES grounds (id),
        is_draft INTEGER NOT NULL DEFAULT 0 CHECK (is_draft IN (0, 1)),
        planned_latitude_deg REAL CHECK (planned_latitude_deg BETWEEN -90 AND 90),
        planned_longitude_deg REAL CHECK (planned_longitude_deg BETWEEN -180 AND 180),
        created_by TEXT NOT NULL,
        created_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX stations_name ON stations (coalesce(survey_id, 0), name)",
    "CREATE INDEX stations_survey ON stations (survey_id)",
    "CREATE INDEX stations_ground ON stations (ground_id)",
    """
    CREATE TABLE tows (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        station_id INTEGER NOT NULL REFERENCES stations (id),
        ordinal INTEGER NOT NULL CHECK (ordinal >= 1),
        line_name TEXT NOT NULL DEFAULT '',
        start_utc TEXT,
        end_utc TEXT,
        start_latitude_deg REAL CHECK (start_latitude_deg BETWEEN -90 AND 90),
        start_longitude_deg REAL CHECK (start_longitude_deg BETWEEN -180 AND 180),
        end_latitude_deg REAL CHECK (end_latitude_deg BETWEEN -90 AND 90),
        end_longitude_deg REAL CHECK (end_longitude_deg BETWEEN -180 AND 180),
        start_depth_m REAL CHECK (start_depth_m >= 0),
        end_depth_m REAL CHECK (end_depth_m >= 0),
        cable_out_m REAL CHECK (cable_out_m >= 0),
        video_operator TEXT NOT NULL DEFAULT '',
        visibility TEXT NOT NULL DEFAULT '',
        speed TEXT NOT NULL DEFAULT '',
        ground_type TEXT NOT NULL DEFAULT '',
        usbl TEXT NOT NULL DEFAULT '',
        marine_litter TEXT NOT NULL DEFAULT '',
        backup TEXT NOT NULL DEFAULT '',
        comments TEXT NOT NULL DEFAULT '',
        is_valid INTEGER CHECK (is_valid IN (0, 1)),
        in_analysis INTEGER NOT NULL DEFAULT 1 CHECK (in_analysis IN (0, 1)),
        UNIQUE (station_id, ordinal)
    ) STRICT
    """,
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        field TEXT NOT NULL,
        value TEXT NOT NULL,
        fault TEXT,
        source TEXT NOT NULL,
        entered_by TEXT NOT NULL,
        entered_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX entries_tow ON entries (tow_id, field, id)",
    """
    CREATE TABLE cameras (
        id INTEGER PRIMARY KEY,
        survey_id INTEGER NOT NULL REFERENCES surveys (id),
        name TEXT NOT NULL,
        time_offset_s REAL NOT NULL DEFAULT 0,
        time_offset_source TEXT NOT NULL DEFAULT '',
        folder_pattern TEXT NOT NULL DEFAULT '',
        laser_gap_m REAL CHECK (laser_gap_m > 0),
        laser_gap_source TEXT NOT NULL DEFAULT '',
        UNIQUE (survey_id, name)
    ) STRICT
    """,
    """
    CREATE TABLE tow_images (
        image_id INTEGER PRIMARY KEY REFERENCES images (id),
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        camera_id INTEGER REFERENCES cameras (id),
        how TEXT NOT NULL CHECK (how IN ('folder', 'time', 'station', 'hand')),
        at_s REAL,
        is_late INTEGER NOT NULL DEFAULT 0 CHECK (is_late IN (0, 1)),
        attached_by TEXT NOT NULL,
        attached_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX tow_images_tow ON tow_images (tow_id, at_s, image_id)",
    "CREATE INDEX tow_images_camera ON tow_images (camera_id)",
    """
    CREATE TABLE raw_copies (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        destination TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
        files INTEGER NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        manifest_sha256 TEXT,
        detail TEXT NOT NULL DEFAULT '',
        asked_by TEXT NOT NULL,
        asked_utc TEXT NOT NULL,
        finished_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX raw_copies_tow ON raw_copies (tow_id)",
    """
    CREATE TABLE tracks (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        source TEXT NOT NULL CHECK (source IN ('usbl', 'ship')),
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        time_offset_s REAL NOT NULL DEFAULT 0,
        rows_read INTEGER NOT NULL, rows_refused INTEGER NOT NULL,
        faults_json TEXT NOT NULL DEFAULT '[]',
        imported_by TEXT NOT NULL,
        imported_utc TEXT NOT NULL,
        withdrawn_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX tracks_tow ON tracks (tow_id)",
    """
    CREATE TABLE track_points (
        track_id INTEGER NOT NULL REFERENCES tracks (id),
        ordinal INTEGER NOT NULL,
        at_utc TEXT NOT NULL,
        latitude_deg REAL NOT NULL CHECK (latitude_deg BETWEEN -90 AND 90),
        longitude_deg REAL NOT NULL CHECK (longitude_deg BETWEEN -180 AND 180),
        depth_m REAL, heading_deg REAL, speed_m_per_s REAL,
        flag TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (track_id, ordinal)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE distances (
        id INTEGER PRIMARY KEY,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        source TEXT NOT NULL CHECK (source IN ('usbl', 'ship', 'odometer', 'observed', 'estimated')),
        distance_m REAL NOT NULL CHECK (distance_m > 0),
        covers TEXT NOT NULL DEFAULT 'tow' CHECK (covers IN ('tow', 'counted')),
        track_id INTEGER REFERENCES tracks (id),
        note TEXT NOT NULL DEFAULT '',
        entered_by TEXT NOT NULL,
        entered_utc TEXT NOT NULL,
        withdrawn_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX distances_tow ON distances (tow_id)",
    "CREATE INDEX distances_track ON distances (track_id)",
    """
    CREATE TABLE widths (
        id INTEGER PRIMARY KEY,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        method TEXT NOT NULL CHECK (method IN ('fixed', 'lasers', 'range_finder', 'table')),
        width_m REAL NOT NULL CHECK (width_m > 0),
        uncertainty_m REAL CHECK (uncertainty_m >= 0),
        row_height REAL NOT NULL CHECK (row_height > 0 AND row_height <= 1),
        source TEXT NOT NULL CHECK (source <> ''),
        detail_json TEXT NOT NULL DEFAULT '{}',
        entered_by TEXT NOT NULL,
        entered_utc TEXT NOT NULL,
        withdrawn_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX widths_tow ON widths (tow_id)",
    """
    CREATE TABLE table_imports (
        id INTEGER PRIMARY KEY,
        survey_id INTEGER NOT NULL REFERENCES surveys (id),
        format TEXT NOT NULL CHECK (format IN ('mi-recounts', 'mi-clicks', 'mi-fu2021', 'mi-view', 'mi-analysis')),
        file_name TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        imported_by TEXT NOT NULL,
        imported_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX table_imports_survey ON table_imports (survey_id)",
    """
    CREATE TABLE table_rows (
        id INTEGER PRIMARY KEY,
        import_id INTEGER NOT NULL REFERENCES table_imports (id),
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        format TEXT NOT NULL CHECK (format IN ('mi-fu2021', 'mi-view', 'mi-analysis')),
        row_number INTEGER NOT NULL,
        systems REAL NOT NULL CHECK (systems >= 0),
        distance_m REAL CHECK (distance_m > 0),
        width_m REAL CHECK (width_m > 0),
        raw_per_m2 REAL CHECK (raw_per_m2 >= 0),
        adjusted_per_m2 REAL CHECK (adjusted_per_m2 >= 0),
        latitude_deg REAL CHECK (latitude_deg BETWEEN -90 AND 90),
        longitude_deg REAL CHECK (longitude_deg BETWEEN -180 AND 180),
        cells_json TEXT NOT NULL,
        UNIQUE (tow_id, format)
    ) STRICT
    """,
    "CREATE INDEX table_rows_import ON table_rows (import_id)",
    """
    CREATE TABLE counts (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        protocol_id INTEGER NOT NULL REFERENCES protocols (id),
        person_id INTEGER REFERENCES people (id),
        counter TEXT NOT NULL,
        ordinal INTEGER NOT NULL CHECK (ordinal >= 1),
        state TEXT NOT NULL CHECK (state IN ('open', 'signed', 'set_aside')),
        origin TEXT NOT NULL CHECK (origin IN ('counted', 'imported')),
        sealed BLOB,
        opened_utc TEXT NOT NULL,
        signed_utc TEXT,
        revealed_utc TEXT,
        set_aside_reason TEXT NOT NULL DEFAULT '',
        not_blind TEXT NOT NULL DEFAULT '',
        clock_json TEXT,
        operator TEXT NOT NULL DEFAULT '',
        import_id INTEGER REFERENCES table_imports (id)
    ) STRICT
    """,
    "CREATE UNIQUE INDEX counts_once ON counts (tow_id, counter) WHERE state <> 'set_aside'",
    "CREATE INDEX counts_tow ON counts (tow_id, ordinal)",
    "CREATE INDEX counts_protocol ON counts (protocol_id)",
    "CREATE INDEX counts_person ON counts (person_id)",
    "CREATE INDEX counts_import ON counts (import_id)",
    """
    CREATE TABLE count_minutes (
        count_id INTEGER NOT NULL REFERENCES counts (id),
        minute INTEGER NOT NULL CHECK (minute >= 1),
        systems REAL NOT NULL CHECK (systems >= 0),
        lost_s REAL NOT NULL CHECK (lost_s BETWEEN 0 AND 60),
        nephrops_in INTEGER CHECK (nephrops_in >= 0),
        nephrops_out INTEGER CHECK (nephrops_out >= 0),
        note TEXT NOT NULL DEFAULT '',
        stopped_s REAL CHECK (stopped_s >= 0),
        went_on_s REAL CHECK (went_on_s >= stopped_s),
        unusable INTEGER CHECK (unusable IN (0, 1)),
        table_row TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (count_id, minute)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE count_marks (
        id INTEGER PRIMARY KEY,
        count_id INTEGER NOT NULL REFERENCES counts (id),
        image_id INTEGER REFERENCES images (id),
        at_s REAL NOT NULL,
        minute INTEGER NOT NULL CHECK (minute >= 1),
        feature TEXT NOT NULL,
        x_fraction REAL CHECK (x_fraction BETWEEN 0 AND 1),
        y_fraction REAL CHECK (y_fraction BETWEEN 0 AND 1),
        marked_utc TEXT,
        marked_local TEXT,
        still_number INTEGER,
        CHECK (marked_utc IS NOT NULL OR marked_local IS NOT NULL)
    ) STRICT
    """,
    "CREATE INDEX count_marks_count ON count_marks (count_id, at_s)",
    "CREATE INDEX count_marks_image ON count_marks (image_id)",
    """
    CREATE TABLE reference_minutes (
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        minute INTEGER NOT NULL CHECK (minute >= 1),
        systems REAL NOT NULL CHECK (systems >= 0),
        source TEXT NOT NULL CHECK (source <> ''),
        PRIMARY KEY (tow_id, minute)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE reference_marks (
        id INTEGER PRIMARY KEY,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        import_id INTEGER NOT NULL REFERENCES table_imports (id),
        operator TEXT NOT NULL,
        at_s REAL NOT NULL,
        minute INTEGER NOT NULL CHECK (minute >= 1),
        feature TEXT NOT NULL,
        x_fraction REAL CHECK (x_fraction BETWEEN 0 AND 1),
        y_fraction REAL CHECK (y_fraction BETWEEN 0 AND 1),
        marked_local TEXT NOT NULL,
        still_number INTEGER
    ) STRICT
    """,
    "CREATE INDEX reference_marks_tow ON reference_marks (tow_id, at_s)",
    "CREATE INDEX reference_marks_import ON reference_marks (import_id)",
    """
    CREATE TABLE qualifications (
        id INTEGER PRIMARY KEY,
        person_id INTEGER NOT NULL REFERENCES people (id),
        survey_id INTEGER NOT NULL REFERENCES surveys (id),
        ccc REAL,
        bias REAL,
        stations INTEGER NOT NULL,
        passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
        detail_json TEXT NOT NULL DEFAULT '{}',
        at_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX qualifications_person ON qualifications (person_id)",
    "CREATE INDEX qualifications_survey ON qualifications (survey_id)",
)
