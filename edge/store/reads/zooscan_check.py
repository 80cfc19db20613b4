"""What the check of a scan looks at: its objects as they stand, their outlines, separation lines, and how far the check is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from edge.store.reads.typed import as_values
from edge.store.sqlite import Connection

_STANDING = """
    WITH standing AS (
        SELECT object_key, decision, actor, made_utc, max(id) AS decision_id
        FROM zooscan_decisions WHERE scan_id = :scan AND undone_utc IS NULL GROUP BY object_key
    ), labels AS (
        SELECT object_key, category, status, max(id) AS label_id FROM zooscan_labels WHERE scan_id = :scan GROUP BY object_key
    )
"""

_PLACE = "key, x_px, y_px, width_px, height_px, outline, cut_from, vignettes, retired_utc"


class CheckRun(NamedTuple):
    """The run whose objects are checked.

    Attributes:
        folder: of its files, in the home folder or absolute.
        threshold: above which score an object is proposed as multiple; None: no classifier looked at them.
    """

    id: int
    uuid: str
    scan_id: int
    scan_uuid: str
    width_px: int
    height_px: int
    pixel_mm: float
    threshold: float | None
    separator: str
    folder: str


class CheckObject(NamedTuple):
    """An object with what holds of it.

    Attributes:
        multiple_score: what the classifier gave it, 0 to 1; None: it was not asked.
        cut_from: key of the object that it was a part of.
        vignettes: archive and member of its picture, "vignettes.zip/<member>".
        decision: "single" or "multiple"; None where nobody has looked, or took it back.
        label, label_status: what EcoTaxa calls it, if that was fetched.
    """

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    area_px2: float | None
    mean_grey: float | None
    feret_px: float | None
    multiple_score: float | None
    cut_from: str | None
    vignettes: str
    decision: str | None
    decided_by: str | None
    decided_utc: str | None
    label: str | None
    label_status: str | None


class ObjectPlace(NamedTuple):
    """Where an object lies, whether it stands or not; `outline` as `zooscan_objects` has it."""

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    outline: bytes
    cut_from: str | None
    vignettes: str
    retired_utc: str | None


class CheckTally(NamedTuple):
    """How far the check of a scan is.

    Attributes:
        objects: those that stand.
        decided: of which somebody said what they are.
        multiples: that hold as multiples now, by decision, else by score.
        proposed: multiples by score alone.
        parts: objects that were cut from others.
        lines: separation lines that stand, by people and by the separator.
    """

    objects: int
    decided: int
    multiples: int
    proposed: int
    parts: int
    human_lines: int
    separator_lines: int


def check_run(connection: Connection, scan_id: int) -> CheckRun | None:
    """The current run of a scan; None before the first."""
    row = connection.execute(
        """
        SELECT r.id, r.uuid, r.scan_id, s.uuid AS scan_uuid, r.width_px, r.height_px, r.pixel_mm, r.multiple_threshold AS threshold,
               r.separator, r.folder
        FROM zooscan_runs r JOIN zooscan_scans s ON s.id = r.scan_id WHERE r.scan_id = ? AND r.is_current = 1
        """,
        (scan_id,),
    ).fetchone()
    return None if row is None else CheckRun(**dict(zip(row.keys(), row, strict=True)))


def check_objects(connection: Connection, run: CheckRun) -> tuple[CheckObject, ...]:
    """Every object that stands, from the top of the scan to its bottom."""
    rows = connection.execute(
        f"""
        {_STANDING}
        SELECT o.key, o.x_px, o.y_px, o.width_px, o.height_px, o.area_px2, o.mean_grey, o.feret_px,
               o.multiple_score, o.cut_from, o.vignettes, d.decision,
               d.actor AS decided_by, d.made_utc AS decided_utc, l.category AS label, l.status AS label_status
        FROM zooscan_objects o LEFT JOIN standing d ON d.object_key = o.key LEFT JOIN labels l ON l.object_key = o.key
        WHERE o.run_id = :run AND o.retired_utc IS NULL ORDER BY o.y_px, o.x_px, o.key
        """,
        {"scan": run.scan_id, "run": run.id},
    )
    return as_values(CheckObject, rows)


def object_place(connection: Connection, run_id: int, key: str) -> ObjectPlace | None:
    """An object of a run by its key."""
    row = connection.execute(f"SELECT {_PLACE} FROM zooscan_objects WHERE run_id = ? AND key = ?", (run_id, key)).fetchone()
    return None if row is None else ObjectPlace(*row)


def parts_of(connection: Connection, run_id: int, key: str) -> tuple[ObjectPlace, ...]:
    """The objects that stand and were cut from one, from top to bottom."""
    rows = connection.execute(
        f"""
        SELECT {_PLACE} FROM zooscan_objects
        WHERE run_id = ? AND cut_from = ? AND retired_utc IS NULL ORDER BY y_px, x_px, key
        """,
        (run_id, key),
    )
    return tuple(ObjectPlace(*row) for row in rows)


def check_tally(connection: Connection, run: CheckRun) -> CheckTally:
    """How far the check of a scan is."""
    row = connection.execute(
        f"""
        {_STANDING}
        SELECT count(*) AS objects, count(d.decision) AS decided,
               coalesce(sum(coalesce(d.decision = 'multiple', o.multiple_score > :threshold)), 0) AS multiples,
               coalesce(sum(o.multiple_score > :threshold), 0) AS proposed,
               coalesce(sum(o.cut_from IS NOT NULL), 0) AS parts,
               (SELECT count(*) FROM zooscan_lines WHERE scan_id = :scan AND erased_utc IS NULL AND is_human = 1) AS human_lines,
               (SELECT count(*) FROM zooscan_lines WHERE scan_id = :scan AND erased_utc IS NULL AND run_id = :run) AS separator_lines
        FROM zooscan_objects o LEFT JOIN standing d ON d.object_key = o.key WHERE o.run_id = :run AND o.retired_utc IS NULL
        """,
        {"scan": run.scan_id, "run": run.id, "threshold": run.threshold},
    ).fetchone()
    return CheckTally(**dict(zip(row.keys(), row, strict=True)))


def check_revision(connection: Connection, run: CheckRun) -> str:
    """A text that changes with everything that the check shows: two that are equal show the same."""
    row = connection.execute(
        """
        SELECT coalesce(max(id), 0), count(undone_utc),
               (SELECT coalesce(max(id), 0) || '.' || count(withdrawn_utc) FROM zooscan_signatures WHERE scan_id = :scan),
               (SELECT coalesce(max(id), 0) FROM zooscan_labels WHERE scan_id = :scan),
               (SELECT coalesce(max(id), 0) FROM zooscan_entries WHERE scan_id = :scan),
               (SELECT coalesce(max(id), 0) FROM zooscan_texts WHERE scan_id = :scan)
        FROM zooscan_actions WHERE scan_id = :scan
        """,
        {"scan": run.scan_id},
    ).fetchone()
    return "-".join(map(str, (run.id, *row)))


def concerns(connection: Connection, run_id: int) -> tuple[str, ...]:
    """What may be wrong with a run, in words."""
    row = connection.execute("SELECT concerns_json FROM zooscan_runs WHERE id = ?", (run_id,)).fetchone()
    return tuple(json.loads(row["concerns_json"]))


class LatestTransfer(NamedTuple):
    """The newest transfer of a scan to or from EcoTaxa: `kind` is push or pull."""

    id: int
    kind: str
    state: str
    changed_utc: str


def latest_transfers(connection: Connection, scan_ids: Sequence[int]) -> dict[int, LatestTransfer]:
    """The newest transfer of each of these scans; a scan without one is not there."""
    rows = connection.execute(
        "SELECT scan_id, max(id) AS id, kind, state, changed_utc FROM zooscan_uploads "
        "WHERE scan_id IN (SELECT value FROM json_each(?)) GROUP BY scan_id",
        (json.dumps(list(scan_ids)),),
    )
    return {int(row["scan_id"]): LatestTransfer(row["id"], row["kind"], row["state"], row["changed_utc"]) for row in rows}


def quality_stamp(connection: Connection, scan_id: int) -> str:
    """A text that changes with everything that the checks of a scan look at, in the database: it, and the other scans of its project."""
    row = connection.execute(
        """
        WITH family AS (
            SELECT o.id, o.changed_utc, o.original FROM zooscan_scans s JOIN zooscan_scans o ON o.project_id = s.project_id
            WHERE s.id = :scan
        )
        SELECT (SELECT count(*) || '.' || max(changed_utc) || '.' || count(*) FILTER (WHERE original = 'present') FROM family),
               (SELECT coalesce(max(id), 0) FROM zooscan_entries WHERE scan_id IN (SELECT id FROM family)),
               (SELECT coalesce(max(id), 0) FROM zooscan_texts WHERE scan_id IN (SELECT id FROM family)),
               (SELECT coalesce(max(id), 0) FROM zooscan_runs WHERE scan_id IN (SELECT id FROM family)),
               (SELECT coalesce(max(id), 0) || '.' || count(undone_utc) FROM zooscan_actions WHERE scan_id = :scan),
               (SELECT coalesce(max(id), 0) || '.' || count(withdrawn_utc) FROM zooscan_signatures WHERE scan_id = :scan),
               (SELECT coalesce(max(id), 0) FROM zooscan_labels WHERE scan_id = :scan)
        """,
        {"scan": scan_id},
    ).fetchone()
    return "-".join(map(str, row))
