"""What the health checks ask of the database; each answer is small and comes from an index."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveVariant:
    """A variant of a pack that serves a recipe, as this machine judged it. `name` is None if none was judged yet."""

    recipe: str
    model: str
    version: str
    name: str | None
    offered: bool | None
    reason: str | None


def newest_time_utc(connection: Connection) -> str | None:
    """The latest time that anything was written, or None in a new database."""
    row = connection.execute(
        "SELECT max(at_utc) FROM (SELECT max(finished_utc) AS at_utc FROM runs "
        "UNION ALL SELECT at_utc FROM (SELECT at_utc FROM audit ORDER BY id DESC LIMIT 1) "
        "UNION ALL SELECT stored_utc FROM (SELECT stored_utc FROM images ORDER BY id DESC LIMIT 1))"
    ).fetchone()
    return None if row[0] is None else str(row[0])


def active_variants(connection: Connection, machine: str) -> tuple[ActiveVariant, ...]:
    """The variants of every pack that serves a recipe, by recipe."""
    rows = connection.execute(
        "SELECT a.recipe, m.name AS model, m.version, v.name, v.offered, v.reason "
        "FROM active_models AS a JOIN models AS m ON m.id = a.model_id LEFT JOIN variants AS v ON v.model_id = m.id AND v.machine = ? "
        "ORDER BY a.recipe, v.id",
        (machine,),
    )
    return as_values(ActiveVariant, rows)


def quarantined_by_recipe_and_reason(connection: Connection) -> dict[tuple[str, str], int]:
    """How many files are quarantined, by recipe and reason."""
    rows = connection.execute("SELECT recipe, coalesce(reason, ''), count(*) FROM sightings WHERE state = 'quarantined' GROUP BY 1, 2")
    return {(recipe, reason): files for recipe, reason, files in rows}


def count_failed_reprocessing(connection: Connection) -> dict[str, int]:
    """How many images failed when they were processed again, by recipe; their earlier result stands."""
    rows = connection.execute("SELECT recipe, count(*) FROM jobs WHERE state = 'quarantined' AND kind = 'reprocess' GROUP BY recipe")
    return dict(rows.fetchall())
