"""The tables of what goes ashore: bundles as they were made, where each has to arrive, and how many bytes that cost.

`outbox` is made anew here with two more things to say: that a result is sealed at present, and in which bundle it went.
"""

from __future__ import annotations

SYNC_TABLES = (
    """
    CREATE TABLE bundles (
        id INTEGER PRIMARY KEY,
        sequence INTEGER NOT NULL UNIQUE,
        sha256 TEXT NOT NULL UNIQUE,
        priority INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL CHECK (size_bytes >= 1),
        results INTEGER NOT NULL CHECK (results >= 1),
        rows_json TEXT NOT NULL,
        made_utc TEXT NOT NULL,
        dropped_utc TEXT
    ) STRICT
    """,
    """
    CREATE TABLE deliveries (
        bundle_id INTEGER NOT NULL REFERENCES bundles (id),
        sink TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'confirmed', 'refused')),
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        error TEXT NOT NULL DEFAULT '',
        error_code TEXT NOT NULL DEFAULT '',
        next_try_utc TEXT,
        upload_json TEXT,
        confirmed_utc TEXT,
        PRIMARY KEY (bundle_id, sink)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX deliveries_open ON deliveries (sink, state, bundle_id) WHERE state IN ('waiting', 'sending')",
    """
    CREATE TABLE link_days (
        day TEXT NOT NULL,
        link TEXT NOT NULL,
        up_bytes INTEGER NOT NULL DEFAULT 0 CHECK (up_bytes >= 0),
        down_bytes INTEGER NOT NULL DEFAULT 0 CHECK (down_bytes >= 0),
        PRIMARY KEY (day, link)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE link_contacts (
        id INTEGER PRIMARY KEY,
        link TEXT NOT NULL,
        at_utc TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('reached', 'failed')),
        code TEXT NOT NULL DEFAULT '',
        words TEXT NOT NULL DEFAULT ''
    ) STRICT
    """,
    "CREATE INDEX link_contacts_link ON link_contacts (link, id)",
    """
    CREATE TABLE outbox_anew (
        id INTEGER PRIMARY KEY,
        uuid TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        dedup_key TEXT NOT NULL UNIQUE,
        priority INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sealed', 'bundled', 'sent', 'left')),
        bundle_id INTEGER REFERENCES bundles (id),
        attempts INTEGER NOT NULL DEFAULT 0,
        last_error TEXT,
        created_utc TEXT NOT NULL,
        not_before_utc TEXT,
        CHECK ((state IN ('bundled', 'sent')) = (bundle_id IS NOT NULL))
    ) STRICT
    """,
    """
    INSERT INTO outbox_anew (id, uuid, kind, dedup_key, priority, attempts, last_error, created_utc, not_before_utc)
    SELECT id, uuid, kind, dedup_key, priority, attempts, last_error, created_utc, not_before_utc FROM outbox
    """,
    """
    UPDATE outbox_anew SET state = 'sealed' WHERE dedup_key IN
        (SELECT 'run/' || r.uuid FROM sealed_runs AS z JOIN runs AS r ON r.id = z.run_id
         UNION ALL SELECT 'tow_analysis/' || uuid FROM tow_analyses WHERE sealed IS NOT NULL)
    """,
    "DROP TABLE outbox",
    "ALTER TABLE outbox_anew RENAME TO outbox",
    "CREATE INDEX outbox_waiting ON outbox (priority, id) WHERE state = 'waiting'",
    "CREATE INDEX outbox_bundle ON outbox (bundle_id) WHERE bundle_id IS NOT NULL",
)
