"""The tables of what stays sealed: what models found on blind tows or on files that wait for one, the tows that images have left,
what was seen before, folders of no survey, releases, new rounds.
"""

from __future__ import annotations

BLIND_TABLES = (
    """
    CREATE TABLE sealed_runs (
        run_id INTEGER PRIMARY KEY REFERENCES runs (id),
        tow_id INTEGER REFERENCES tows (id),
        sealed BLOB NOT NULL,
        sealed_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sealed_runs_tow ON sealed_runs (tow_id)",
    """
    CREATE TRIGGER count_sealed_run AFTER INSERT ON sealed_runs BEGIN
        INSERT INTO counters (kind, recipe, name, total) SELECT 'objects', recipe, 'sealed', 1 FROM runs WHERE id = NEW.run_id
        ON CONFLICT (kind, recipe, name) DO UPDATE SET total = total + 1;
    END
    """,
    """
    CREATE TRIGGER uncount_sealed_run AFTER DELETE ON sealed_runs BEGIN
        UPDATE counters SET total = total - 1
        WHERE kind = 'objects' AND name = 'sealed' AND recipe = (SELECT recipe FROM runs WHERE id = OLD.run_id);
    END
    """,
    """
    CREATE TABLE former_tows (
        image_id INTEGER NOT NULL REFERENCES images (id),
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        left_utc TEXT NOT NULL,
        PRIMARY KEY (image_id, tow_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX former_tows_tow ON former_tows (tow_id)",
    """
    CREATE TABLE seen_files (
        image_id INTEGER PRIMARY KEY REFERENCES images (id),
        until_utc TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE folders_of_no_survey (
        folder_id INTEGER PRIMARY KEY REFERENCES folders (id),
        reason TEXT NOT NULL CHECK (reason <> ''),
        declared_by TEXT NOT NULL,
        declared_utc TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE releases (
        tow_id INTEGER PRIMARY KEY REFERENCES tows (id),
        reason TEXT NOT NULL CHECK (reason <> ''),
        released_by TEXT NOT NULL,
        released_utc TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE count_rounds (
        id INTEGER PRIMARY KEY,
        tow_id INTEGER NOT NULL REFERENCES tows (id),
        reason TEXT NOT NULL CHECK (reason <> ''),
        begun_by TEXT NOT NULL,
        begun_utc TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX count_rounds_tow ON count_rounds (tow_id)",
)
