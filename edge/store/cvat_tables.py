"""The tables of annotation in CVAT: tasks that went out, what they hold, and every version of what people made of them.

What a model found is never copied here: `cvat_proposals` names the object or opening that went out and has a digest of its shape, so that
"kept" and "moved" can be told when the task comes back, and nothing stands here that the seal of a blind station hides.
"""

from __future__ import annotations

from edge.store.blindness import BLIND_TOWS, image_is_blind

CVAT_TABLES = (
    """
    CREATE TABLE cvat_tasks (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        server_url TEXT NOT NULL,
        source TEXT NOT NULL CHECK (source IN ('station', 'scan', 'selection')),
        media TEXT NOT NULL CHECK (media IN ('images', 'clip', 'vignettes')),
        title TEXT NOT NULL,
        tow_id INTEGER REFERENCES tows (id),
        scan_id INTEGER REFERENCES zooscan_scans (id),
        recipe TEXT NOT NULL,
        model_id INTEGER REFERENCES models (id),
        with_model INTEGER NOT NULL CHECK (with_model IN (0, 1)),
        withheld TEXT NOT NULL,
        labels_json TEXT NOT NULL,
        job_size INTEGER NOT NULL CHECK (job_size >= 1),
        frames INTEGER NOT NULL CHECK (frames >= 1),
        step TEXT NOT NULL CHECK (step IN ('planned', 'created', 'uploaded', 'ready', 'sent')),
        sent_frames INTEGER NOT NULL DEFAULT 0 CHECK (sent_frames >= 0),
        upload_json TEXT,
        remote_id INTEGER,
        trouble TEXT NOT NULL DEFAULT '',
        trouble_code TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        next_try_utc TEXT,
        asked_by TEXT NOT NULL,
        asked_utc TEXT NOT NULL,
        sent_utc TEXT,
        cancelled_utc TEXT,
        gone_utc TEXT,
        CHECK ((source = 'station') <= (tow_id IS NOT NULL)),
        CHECK ((source = 'scan') = (scan_id IS NOT NULL))
    ) STRICT
    """,
    "CREATE INDEX cvat_tasks_tow ON cvat_tasks (tow_id) WHERE tow_id IS NOT NULL",
    "CREATE INDEX cvat_tasks_scan ON cvat_tasks (scan_id) WHERE scan_id IS NOT NULL",
    "CREATE INDEX cvat_tasks_model ON cvat_tasks (model_id) WHERE model_id IS NOT NULL",
    """
    CREATE TABLE cvat_frames (
        task_id INTEGER NOT NULL REFERENCES cvat_tasks (id),
        frame INTEGER NOT NULL CHECK (frame >= 0),
        name TEXT NOT NULL,
        image_id INTEGER REFERENCES images (id),
        object_key TEXT,
        width_px INTEGER NOT NULL CHECK (width_px >= 1),
        height_px INTEGER NOT NULL CHECK (height_px >= 1),
        is_deleted INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
        PRIMARY KEY (task_id, frame),
        CHECK ((image_id IS NULL) = (object_key IS NOT NULL))
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX cvat_frames_image ON cvat_frames (image_id) WHERE image_id IS NOT NULL",
    """
    CREATE TABLE cvat_proposals (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        task_id INTEGER NOT NULL REFERENCES cvat_tasks (id),
        frame INTEGER NOT NULL CHECK (frame >= 0),
        run_id INTEGER REFERENCES runs (id),
        ordinal INTEGER,
        opening_uuid TEXT,
        object_key TEXT,
        label TEXT NOT NULL,
        digest TEXT NOT NULL,
        keyframes_json TEXT
    ) STRICT
    """,
    "CREATE INDEX cvat_proposals_task ON cvat_proposals (task_id, frame)",
    "CREATE INDEX cvat_proposals_run ON cvat_proposals (run_id) WHERE run_id IS NOT NULL",
    """
    CREATE TABLE cvat_jobs (
        id INTEGER PRIMARY KEY,
        task_id INTEGER NOT NULL REFERENCES cvat_tasks (id),
        remote_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        first_frame INTEGER NOT NULL CHECK (first_frame >= 0),
        last_frame INTEGER NOT NULL,
        stage TEXT NOT NULL,
        state TEXT NOT NULL,
        assignee TEXT,
        remote_updated_utc TEXT,
        looked_utc TEXT NOT NULL,
        trouble TEXT NOT NULL DEFAULT '',
        gone_utc TEXT,
        UNIQUE (task_id, remote_id),
        CHECK (last_frame >= first_frame)
    ) STRICT
    """,
    """
    CREATE TABLE cvat_pulls (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        job_id INTEGER NOT NULL REFERENCES cvat_jobs (id),
        is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)),
        stage TEXT NOT NULL,
        state TEXT NOT NULL,
        assignee TEXT,
        remote_updated_utc TEXT,
        server_version TEXT NOT NULL,
        content_sha256 TEXT NOT NULL,
        content BLOB NOT NULL,
        pulled_by TEXT NOT NULL,
        pulled_utc TEXT NOT NULL,
        completed_utc TEXT
    ) STRICT
    """,
    "CREATE INDEX cvat_pulls_job ON cvat_pulls (job_id, id)",
    "CREATE UNIQUE INDEX cvat_pulls_current ON cvat_pulls (job_id) WHERE is_current = 1",
    """
    CREATE TABLE cvat_annotations (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        pull_id INTEGER NOT NULL REFERENCES cvat_pulls (id),
        frame INTEGER NOT NULL CHECK (frame >= 0),
        image_id INTEGER REFERENCES images (id),
        object_key TEXT,
        verdict TEXT NOT NULL CHECK (verdict IN ('kept', 'moved', 'relabelled', 'added', 'removed')),
        proposal_id INTEGER REFERENCES cvat_proposals (id),
        track INTEGER,
        shape TEXT CHECK (shape IN ('rectangle', 'polygon', 'polyline', 'points', 'ellipse', 'cuboid', 'mask', 'skeleton', 'tag')),
        label TEXT NOT NULL,
        points_json TEXT,
        rotation_deg REAL,
        x_min_px REAL,
        y_min_px REAL,
        x_max_px REAL,
        y_max_px REAL,
        is_outside INTEGER NOT NULL DEFAULT 0 CHECK (is_outside IN (0, 1)),
        is_occluded INTEGER NOT NULL DEFAULT 0 CHECK (is_occluded IN (0, 1)),
        attributes_json TEXT NOT NULL,
        made_by TEXT NOT NULL,
        CHECK ((verdict = 'removed') = (shape IS NULL)),
        CHECK ((verdict = 'added') <= (proposal_id IS NULL)),
        CHECK (x_min_px <= x_max_px AND y_min_px <= y_max_px)
    ) STRICT
    """,
    "CREATE INDEX cvat_annotations_pull ON cvat_annotations (pull_id, frame)",
    "CREATE INDEX cvat_annotations_image ON cvat_annotations (image_id) WHERE image_id IS NOT NULL",
    "CREATE INDEX cvat_annotations_proposal ON cvat_annotations (proposal_id) WHERE proposal_id IS NOT NULL",
    """
    CREATE VIEW v_cvat_tasks AS
    SELECT t.uuid AS task_uuid, t.title, t.source, t.media, v.name AS survey, e.name AS station, w.ordinal AS tow, p.name AS project,
           s.name AS scan, t.recipe, m.name AS model, m.version AS model_version, t.with_model, t.withheld, t.frames, t.step, t.server_url,
           t.remote_id AS cvat_task, count(j.id) AS jobs, count(j.id) FILTER (WHERE j.state = 'completed') AS completed_jobs,
           max(j.looked_utc) AS pulled_utc, t.asked_by, t.asked_utc, t.sent_utc, t.cancelled_utc, t.gone_utc
    FROM cvat_tasks AS t
    LEFT JOIN models AS m ON m.id = t.model_id
    LEFT JOIN tows AS w ON w.id = t.tow_id
    LEFT JOIN stations AS e ON e.id = w.station_id
    LEFT JOIN surveys AS v ON v.id = e.survey_id
    LEFT JOIN zooscan_scans AS s ON s.id = t.scan_id
    LEFT JOIN zooscan_projects AS p ON p.id = s.project_id
    LEFT JOIN cvat_jobs AS j ON j.task_id = t.id AND j.gone_utc IS NULL AND j.kind = 'annotation'
    GROUP BY t.id
    """,
    # What became of what a model found tells what it found: nothing of an image that is counted blind, or waits for a station.
    f"""
    CREATE VIEW v_cvat_annotations AS
    SELECT a.uuid AS annotation_uuid, t.uuid AS task_uuid, t.title, v.name AS survey, e.name AS station, w.ordinal AS tow, a.frame,
           f.name AS frame_name, i.uuid AS image_uuid, i.sha256, a.object_key, a.verdict, o.uuid AS edge_id, a.track, a.shape, a.label,
           a.x_min_px, a.y_min_px, a.x_max_px, a.y_max_px, a.rotation_deg, a.is_outside, a.is_occluded, a.made_by,
           j.remote_id AS cvat_job, j.stage, j.state, j.assignee, q.pulled_utc, q.server_version, m.name AS model,
           m.version AS model_version
    FROM cvat_pulls AS q
    CROSS JOIN cvat_jobs AS j ON j.id = q.job_id AND j.gone_utc IS NULL AND j.kind = 'annotation'
    CROSS JOIN cvat_tasks AS t ON t.id = j.task_id
    CROSS JOIN cvat_annotations AS a ON a.pull_id = q.id
    CROSS JOIN cvat_frames AS f ON f.task_id = t.id AND f.frame = a.frame
    LEFT JOIN cvat_proposals AS o ON o.id = a.proposal_id
    LEFT JOIN images AS i ON i.id = a.image_id
    LEFT JOIN models AS m ON m.id = t.model_id
    LEFT JOIN tows AS w ON w.id = t.tow_id
    LEFT JOIN stations AS e ON e.id = w.station_id
    LEFT JOIN surveys AS v ON v.id = e.survey_id
    WHERE q.is_current = 1 AND NOT coalesce(t.tow_id IN ({BLIND_TOWS}), 0)
          AND NOT (a.image_id IS NOT NULL AND {image_is_blind("a.image_id")})
    """,
)
