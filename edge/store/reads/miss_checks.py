"""Minutes that a reviewer counts blind to the model, and the openings that they are held against."""

from __future__ import annotations

from typing import NamedTuple

from edge.store.reads.reviews import COUNTS_FROM
from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection


class CheckRow(NamedTuple):
    """A check; see `miss_checks`."""

    id: int
    uuid: str
    tow_id: int
    footage_sha256: str
    seed: str
    pool_json: str
    minutes_json: str
    line_height: float
    width_px: int
    height_px: int
    state: str
    reason: str
    revision: int
    content_json: str
    counter: str
    drawn_by: str
    drawn_utc: str
    ended_by: str | None
    ended_utc: str | None


class CrossedRow(NamedTuple):
    """An opening that counts after review: when it crossed the line, and its x there."""

    id: int
    crossing_s: float
    across_px: float


class TouchedAnalysis(NamedTuple):
    """An analysis that somebody has seen. `is_shown`: all of it was shown but what a check hid; else only what was decided is known."""

    id: int
    is_shown: bool


class SeenRow(NamedTuple):
    """An opening by when it was in sight, seconds of its analysis. `is_decided`: somebody has decided about it, or grouped it."""

    first_s: float
    last_s: float
    crossing_s: float | None
    is_decided: int


_DECIDED = (
    "(EXISTS (SELECT 1 FROM opening_decisions AS d WHERE d.opening_id = o.id) "
    "OR EXISTS (SELECT 1 FROM opening_groups AS g WHERE g.opening_id = o.id))"
)


def checks_of_tow(connection: Connection, tow_id: int) -> tuple[CheckRow, ...]:
    """The checks of a tow, the newest first."""
    columns = ", ".join(CheckRow._fields)
    return as_values(CheckRow, connection.execute(f"SELECT {columns} FROM miss_checks WHERE tow_id = ? ORDER BY id DESC", (tow_id,)))


def is_begun(connection: Connection, tow_id: int) -> bool:
    """Whether somebody has begun to review a tow, whichever analysis of it: minutes were drawn, or something was decided."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM miss_checks WHERE tow_id = ?1) OR EXISTS (SELECT 1 FROM review_actions AS r "
        "JOIN tow_analyses AS a ON a.id = r.analysis_id WHERE a.tow_id = ?1)",
        (tow_id,),
    ).fetchone()
    return bool(row[0])


def countable_seconds(connection: Connection, analysis_id: int) -> tuple[int, ...]:
    """Seconds of an analysis with footage that can be counted."""
    rows = connection.execute("SELECT second FROM tow_seconds WHERE analysis_id = ? AND frames > 0 AND not_countable = 0", (analysis_id,))
    return tuple(row[0] for row in rows)


def speeds_of(connection: Connection, analysis_id: int) -> dict[int, float | None]:
    """Second -> speed of the seabed at the line, px/s."""
    return dict(connection.execute("SELECT second, speed_px_per_s FROM tow_seconds WHERE analysis_id = ?", (analysis_id,)).fetchall())


def touched_analyses(connection: Connection, tow_id: int) -> tuple[TouchedAnalysis, ...]:
    """The analyses of a tow that somebody has seen: minutes were drawn for it, or something of it was decided or grouped."""
    acted = "EXISTS (SELECT 1 FROM review_actions AS r WHERE r.analysis_id = a.id)"
    drawn = "EXISTS (SELECT 1 FROM miss_checks AS c WHERE c.analysis_id = a.id)"
    decided = f"EXISTS (SELECT 1 FROM tow_openings AS o WHERE o.analysis_id = a.id AND {_DECIDED})"
    rows = connection.execute(
        f"SELECT a.id, {acted} OR {drawn} AS is_shown FROM tow_analyses AS a WHERE a.tow_id = ? AND a.sealed IS NULL "
        f"AND ({acted} OR {drawn} OR {decided}) ORDER BY a.id",
        (tow_id,),
    )
    return as_values(TouchedAnalysis, rows)


def seen_openings(connection: Connection, analysis_id: int) -> tuple[SeenRow, ...]:
    """The openings of an analysis, by when they were in sight."""
    query = f"SELECT o.first_s, o.last_s, o.crossing_s, {_DECIDED} AS is_decided FROM tow_openings AS o WHERE o.analysis_id = ?"
    return tuple(map(SeenRow._make, connection.execute(query, (analysis_id,))))


def frame_size(connection: Connection, tow_id: int) -> tuple[int, int] | None:
    """Width and height of a tow's frames, pixels: what most of its files have; None if none says."""
    row = connection.execute(
        "SELECT i.width_px, i.height_px FROM tow_images AS a JOIN images AS i ON i.id = a.image_id WHERE a.tow_id = ? "
        "AND i.width_px IS NOT NULL AND i.height_px IS NOT NULL GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1",
        (tow_id,),
    ).fetchone()
    return None if row is None else (row[0], row[1])


def counted_openings(connection: Connection, analysis_id: int, *, from_s: float, to_s: float) -> tuple[CrossedRow, ...]:
    """The openings that count after review and crossed the line from `from_s` to before `to_s`."""
    decision = "(SELECT d.decision FROM opening_decisions AS d WHERE d.opening_id = o.id ORDER BY d.id DESC LIMIT 1)"
    rows = connection.execute(
        f"SELECT id, crossing_s, across_px FROM (SELECT o.id, o.crossing_s, o.across_px, o.confidence, {decision} AS decision "
        "FROM tow_openings AS o WHERE o.analysis_id = ? AND o.crossing_s >= ? AND o.crossing_s < ?) "
        "WHERE decision IS NOT 'rejected' AND (decision IS 'accepted' OR confidence >= ?) ORDER BY crossing_s",
        (analysis_id, from_s, to_s, COUNTS_FROM),
    )
    return as_values(CrossedRow, rows)
