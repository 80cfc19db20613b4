"""The schema, as migrations that never change once they have shipped.

Every table is STRICT, every foreign key is indexed, every time, length and duration carries its unit in its name.
The tables and views are public: docs/schema.md describes them, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.store.blind_tables import BLIND_TABLES
from edge.store.clip_tables import CLIP_TABLES
from edge.store.comparison_tables import COMPARISON_TABLES
from edge.store.counter_tables import COUNTER_TABLES
from edge.store.crop_tables import CROP_TABLES
from edge.store.cvat_tables import CVAT_TABLES
from edge.store.decision_tables import DECISION_TABLES
from edge.store.sqlite import Connection
from edge.store.survey_tables import SURVEY_TABLES
from edge.store.sync_tables import SYNC_TABLES
from edge.store.zooscan_tables import ZOOSCAN_TABLES

if TYPE_CHECKING:  # sqlite-utils loads NumPy: only whoever applies migrations waits for it
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x694D4547  # "iMEG" in the database header: this file belongs to the appliance

MIGRATION_SET = "imagine-edge"


def m001_appliance(db: Database) -> None:
    """Files, queue, runs, objects, packs, health, audit, outbox and comparisons."""
    connection: Connection = db.conn
    for statement in _TABLES + COMPARISON_TABLES + COUNTER_TABLES + _VIEWS:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def m002_survey(db: Database) -> None:
    """People, surveys, stations, tows, their media, tracks and counts."""
    connection: Connection = db.conn
    for statement in SURVEY_TABLES + BLIND_TABLES:
        connection.execute(statement)


def m003_footage(db: Database) -> None:
    """Clips, what was read of them, the openings and systems of tows, and what people decided about objects on stills."""
    connection: Connection = db.conn
    for statement in CLIP_TABLES + DECISION_TABLES:
        connection.execute(statement)


def m004_zooscan(db: Database) -> None:
    """Projects, scans, their objects, and what people and EcoTaxa said of those; crops that other imagers made."""
    connection: Connection = db.conn
    for statement in (*ZOOSCAN_TABLES, *CROP_TABLES):
        connection.execute(statement)


def m005_cvat(db: Database) -> None:
    """Tasks in CVAT, and what people made of them there."""
    connection: Connection = db.conn
    for statement in CVAT_TABLES:
        connection.execute(statement)


def m006_sync(db: Database) -> None:
    """Bundles of results, where each has to arrive, and what the link costs; the outbox knows what is sealed."""
    connection: Connection = db.conn
    for statement in SYNC_TABLES:
        connection.execute(statement)


MIGRATIONS: dict[str, Callable[[Database], None]] = {
    "m001_appliance": m001_appliance,
    "m002_survey": m002_survey,
    "m003_footage": m003_footage,
    "m004_zooscan": m004_zooscan,
    "m005_cvat": m005_cvat,
    "m006_sync": m006_sync,
}
"""All of them by name, in their order."""


def migrations() -> Migrations:
    """All of them as sqlite-utils applies them."""
    from sqlite_utils import Migrations

    found = Migrations(MIGRATION_SET)
    for name, migration in MIGRATIONS.items():
        found(name=name)(migration)
    return found


_TABLES = (
    """
    CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        path_bytes BLOB NOT NULL UNIQUE,
        recipe TEXT NOT NULL,
        intake TEXT NOT NULL CHECK (intake IN ('in_place', 'copy')),
        added_utc TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE folders (
        id INTEGER PRIMARY KEY,
        root_id INTEGER NOT NULL REFERENCES roots (id),
        relative_path TEXT NOT NULL,
        relative_path_bytes BLOB NOT NULL,
        first_seen_utc TEXT NOT NULL,
        is_mount INTEGER NOT NULL DEFAULT 0 CHECK (is_mount IN (0, 1)),
        away_utc TEXT,
        UNIQUE (root_id, relative_path_bytes)
    ) STRICT
    """,
    "CREATE INDEX folders_away ON folders (root_id, id) WHERE away_utc IS NOT NULL",
    """
    CREATE TABLE images (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        sha256 TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        format TEXT,
        width_px INTEGER,
        height_px INTEGER,
        bits_per_channel INTEGER,
        channels INTEGER,
        capture_time_utc TEXT,
        capture_time_local TEXT,
        capture_time_source TEXT CHECK (capture_time_source IN ('exif', 'file_name', 'container')),
        copy_path TEXT,
        stored_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX images_capture_time ON images (capture_time_utc)",
    """
    CREATE TABLE sightings (
        id INTEGER PRIMARY KEY,
        folder_id INTEGER NOT NULL REFERENCES folders (id),
        recipe TEXT NOT NULL,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        name_bytes BLOB NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL,
        image_id INTEGER REFERENCES images (id),
        state TEXT NOT NULL CHECK (state IN ('seen', 'queued', 'leased', 'done', 'quarantined')),
        reason TEXT,
        detail TEXT,
        original TEXT NOT NULL DEFAULT 'present' CHECK (original IN ('present', 'gone', 'changed')),
        original_utc TEXT,
        replaced_by_id INTEGER REFERENCES sightings (id),
        first_seen_utc TEXT NOT NULL,
        settled_utc TEXT
    ) STRICT
    """,
    # The newest row of a path is the one that is not 'changed'; overwritten contents stay as history.
    "CREATE UNIQUE INDEX sightings_path ON sightings (folder_id, name_bytes) WHERE original <> 'changed'",
    "CREATE INDEX sightings_image ON sightings (image_id, recipe)",
    "CREATE INDEX sightings_state ON sightings (state, id)",
    "CREATE INDEX sightings_recipe_state ON sightings (recipe, state, id)",
    "CREATE INDEX sightings_folder ON sightings (folder_id, id)",
    "CREATE INDEX sightings_failed ON sightings (reason, id) WHERE state = 'quarantined'",
    "CREATE INDEX sightings_original ON sightings (original, id) WHERE original <> 'present'",
    "CREATE INDEX sightings_replaced_by ON sightings (replaced_by_id) WHERE replaced_by_id IS NOT NULL",
    """
    CREATE TABLE models (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        title TEXT NOT NULL,
        task TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL,
        manifest_json TEXT NOT NULL,
        pack_path TEXT NOT NULL,
        installed_utc TEXT NOT NULL,
        removed_utc TEXT,
        UNIQUE (name, version)
    ) STRICT
    """,
    """
    CREATE TABLE labels (
        id INTEGER PRIMARY KEY,
        model_id INTEGER NOT NULL REFERENCES models (id),
        label_index INTEGER NOT NULL,
        name TEXT NOT NULL,
        aphia_id INTEGER,
        UNIQUE (model_id, label_index)
    ) STRICT
    """,
    """
    CREATE TABLE variants (
        id INTEGER PRIMARY KEY,
        model_id INTEGER NOT NULL REFERENCES models (id),
        name TEXT NOT NULL,
        runtime TEXT NOT NULL,
        precision TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        machine TEXT NOT NULL,
        device TEXT NOT NULL,
        offered INTEGER NOT NULL CHECK (offered IN (0, 1)),
        reason TEXT NOT NULL,
        latency_ms REAL,
        images_per_s REAL,
        goldens_json TEXT NOT NULL,
        checked_utc TEXT NOT NULL,
        UNIQUE (model_id, name, machine)
    ) STRICT
    """,
    """
    CREATE TABLE active_models (
        recipe TEXT PRIMARY KEY,
        model_id INTEGER NOT NULL REFERENCES models (id),
        previous_model_id INTEGER REFERENCES models (id),
        since_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX active_models_model ON active_models (model_id)",
    "CREATE INDEX active_models_previous ON active_models (previous_model_id)",
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        image_id INTEGER NOT NULL REFERENCES images (id),
        recipe TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('ingest', 'reprocess')),
        folder_id INTEGER NOT NULL REFERENCES folders (id),
        state TEXT NOT NULL CHECK (state IN ('queued', 'leased', 'done', 'quarantined')),
        priority INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT,
        leased_utc TEXT,
        reason TEXT,
        detail TEXT,
        queued_utc TEXT NOT NULL,
        finished_utc TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX jobs_once ON jobs (image_id, recipe) WHERE kind = 'ingest'",
    "CREATE UNIQUE INDEX jobs_reprocess_once ON jobs (image_id, recipe) WHERE kind = 'reprocess' AND state IN ('queued', 'leased')",
    "CREATE INDEX jobs_image ON jobs (image_id)",
    "CREATE INDEX jobs_folder ON jobs (folder_id)",
    "CREATE INDEX jobs_order ON jobs (recipe, priority, folder_id DESC, id) WHERE state = 'queued'",
    "CREATE INDEX jobs_suspect ON jobs (recipe, priority, folder_id DESC, id) WHERE state = 'queued' AND attempts > 0",
    "CREATE INDEX jobs_leased ON jobs (lease_owner) WHERE state = 'leased'",
    "CREATE INDEX jobs_failed ON jobs (kind, id) WHERE state = 'quarantined'",
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        image_id INTEGER NOT NULL REFERENCES images (id),
        job_id INTEGER NOT NULL UNIQUE REFERENCES jobs (id),
        recipe TEXT NOT NULL,
        recipe_sha256 TEXT NOT NULL,
        model_id INTEGER NOT NULL REFERENCES models (id),
        weights_sha256 TEXT NOT NULL,
        runtime TEXT NOT NULL,
        precision TEXT NOT NULL,
        software_version TEXT NOT NULL,
        score_threshold REAL NOT NULL,
        object_count INTEGER,
        candidate_count INTEGER,
        mean_luminance REAL NOT NULL,
        contrast REAL NOT NULL,
        sharpness REAL NOT NULL,
        read_ms REAL NOT NULL,
        decode_ms REAL NOT NULL,
        infer_ms REAL NOT NULL,
        merge_ms REAL NOT NULL,
        finished_utc TEXT NOT NULL,
        is_current INTEGER NOT NULL CHECK (is_current IN (0, 1))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX runs_current ON runs (image_id, recipe) WHERE is_current = 1",
    "CREATE INDEX runs_image ON runs (image_id)",
    "CREATE INDEX runs_model ON runs (model_id)",
    "CREATE INDEX runs_finished ON runs (finished_utc)",
    """
    CREATE TABLE objects (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs (id),
        ordinal INTEGER NOT NULL,
        label_id INTEGER NOT NULL REFERENCES labels (id),
        score REAL NOT NULL,
        x_min_px REAL NOT NULL,
        y_min_px REAL NOT NULL,
        x_max_px REAL NOT NULL,
        y_max_px REAL NOT NULL,
        UNIQUE (run_id, ordinal)
    ) STRICT
    """,
    "CREATE INDEX objects_label ON objects (label_id)",
    """
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        dedup_key TEXT NOT NULL UNIQUE,
        priority INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'bundled', 'sent')),
        attempts INTEGER NOT NULL DEFAULT 0,
        last_error TEXT,
        created_utc TEXT NOT NULL,
        not_before_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX outbox_waiting ON outbox (priority, id) WHERE state = 'waiting'",
    """
    CREATE TABLE issues (
        id INTEGER PRIMARY KEY,
        code TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('notice', 'warning', 'error')),
        reference TEXT NOT NULL,
        message TEXT NOT NULL,
        advice TEXT NOT NULL,
        first_seen_utc TEXT NOT NULL,
        last_seen_utc TEXT NOT NULL,
        resolved_utc TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX issues_open ON issues (code, reference) WHERE resolved_utc IS NULL",
    "CREATE INDEX issues_resolved ON issues (resolved_utc)",
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at_utc TEXT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail_json TEXT NOT NULL DEFAULT '{}'
    ) STRICT
    """,
    "CREATE INDEX audit_subject ON audit (subject, id)",
    """
    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT
    """,
)

_VIEWS = (
    """
    CREATE VIEW v_files AS
    SELECT s.id AS file_id, s.path, s.name, s.recipe, f.relative_path AS folder, i.sha256, s.state, s.reason, s.detail,
           s.original, s.size_bytes, i.uuid AS image_uuid, i.format, i.width_px, i.height_px, i.bits_per_channel,
           i.capture_time_utc, i.capture_time_local, i.capture_time_source, r.uuid AS run_uuid, r.object_count,
           r.mean_luminance, r.contrast, r.sharpness, s.first_seen_utc, r.finished_utc AS done_utc,
           n.path AS replaced_by_path, ni.sha256 AS replaced_by_sha256
    FROM sightings AS s
    JOIN folders AS f ON f.id = s.folder_id
    LEFT JOIN images AS i ON i.id = s.image_id
    LEFT JOIN runs AS r ON r.image_id = s.image_id AND r.recipe = s.recipe AND r.is_current = 1
    LEFT JOIN sightings AS n ON n.id = s.replaced_by_id
    LEFT JOIN images AS ni ON ni.id = n.image_id
    """,
    """
    CREATE VIEW v_runs AS
    SELECT r.uuid AS run_uuid, r.recipe, r.recipe_sha256, i.sha256, i.uuid AS image_uuid,
           (SELECT s.path FROM sightings AS s WHERE s.image_id = r.image_id AND s.recipe = r.recipe ORDER BY s.id LIMIT 1) AS path,
           m.name AS model, m.version AS model_version, r.weights_sha256, r.runtime, r.precision, r.software_version,
           r.score_threshold, r.object_count, r.candidate_count, r.mean_luminance, r.contrast, r.sharpness,
           r.read_ms, r.decode_ms, r.infer_ms, r.merge_ms, r.finished_utc, r.is_current
    FROM runs AS r
    JOIN images AS i ON i.id = r.image_id
    JOIN models AS m ON m.id = r.model_id
    """,
    """
    CREATE VIEW v_objects AS
    SELECT o.id AS object_id, r.uuid AS run_uuid, o.ordinal, i.sha256, i.uuid AS image_uuid,
           (SELECT s.path FROM sightings AS s WHERE s.image_id = r.image_id AND s.recipe = r.recipe ORDER BY s.id LIMIT 1) AS path,
           r.recipe, l.name AS label, l.aphia_id, o.score, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px,
           i.capture_time_utc, i.capture_time_local, m.name AS model, m.version AS model_version, r.weights_sha256,
           r.runtime, r.precision, r.score_threshold
    FROM objects AS o
    JOIN runs AS r ON r.id = o.run_id AND r.is_current = 1
    JOIN images AS i ON i.id = r.image_id
    JOIN labels AS l ON l.id = o.label_id
    JOIN models AS m ON m.id = r.model_id
    WHERE o.score >= r.score_threshold
    """,
)
