"""Totals of files and objects, kept by triggers, so that a page never counts millions of rows."""

from __future__ import annotations

COUNTER_TABLES = (
    """
    CREATE TABLE counters (
        kind TEXT NOT NULL,
        recipe TEXT NOT NULL,
        name TEXT NOT NULL,
        total INTEGER NOT NULL,
        PRIMARY KEY (kind, recipe, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TRIGGER count_sighting AFTER INSERT ON sightings BEGIN
        INSERT INTO counters (kind, recipe, name, total) VALUES ('files', NEW.recipe, NEW.state, 1)
        ON CONFLICT (kind, recipe, name) DO UPDATE SET total = total + 1;
    END
    """,
    """
    CREATE TRIGGER recount_sighting AFTER UPDATE OF state ON sightings WHEN OLD.state <> NEW.state BEGIN
        UPDATE counters SET total = total - 1 WHERE kind = 'files' AND recipe = OLD.recipe AND name = OLD.state;
        INSERT INTO counters (kind, recipe, name, total) VALUES ('files', NEW.recipe, NEW.state, 1)
        ON CONFLICT (kind, recipe, name) DO UPDATE SET total = total + 1;
    END
    """,
    """
    CREATE TRIGGER count_run AFTER INSERT ON runs WHEN NEW.is_current = 1 BEGIN
        INSERT INTO counters (kind, recipe, name, total) VALUES ('objects', NEW.recipe, 'counted', coalesce(NEW.object_count, 0))
        ON CONFLICT (kind, recipe, name) DO UPDATE SET total = total + coalesce(NEW.object_count, 0);
    END
    """,
    """
    CREATE TRIGGER recount_run AFTER UPDATE OF is_current ON runs WHEN OLD.is_current = 1 AND NEW.is_current = 0 BEGIN
        UPDATE counters SET total = total - coalesce(OLD.object_count, 0)
        WHERE kind = 'objects' AND recipe = OLD.recipe AND name = 'counted';
    END
    """,
    # While counters count blind, the figures of their station's runs are sealed: NULL here, out of the totals.
    """
    CREATE TRIGGER seal_run AFTER UPDATE OF object_count ON runs WHEN NEW.is_current = 1 AND OLD.is_current = 1 BEGIN
        UPDATE counters SET total = total - coalesce(OLD.object_count, 0) + coalesce(NEW.object_count, 0)
        WHERE kind = 'objects' AND recipe = NEW.recipe AND name = 'counted';
    END
    """,
    """
    CREATE TRIGGER job_moves_sightings AFTER UPDATE OF state ON jobs WHEN NEW.kind = 'ingest' BEGIN
        UPDATE sightings SET state = NEW.state, reason = NEW.reason, detail = NEW.detail
        WHERE image_id = NEW.image_id AND recipe = NEW.recipe;
    END
    """,
)
