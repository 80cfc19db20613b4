"""ZooScan scans as they stand: the list, one scan, its current run, what was typed about it, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from edge.store.sqlite import Connection, Row

ScanState = Literal["waiting", "queued", "processing", "done", "failed", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRow:
    """A project folder, with how many scans of it are in which state."""

    id: int
    uuid: str
    folder: str
    name: str
    serial: str | None
    trouble: str
    scans: int
    done: int
    waiting: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """A scan; the figures are None while it has no result.

    Attributes:
        lacks: what it waits for, in words.
        project_trouble: why the folder of its project cannot be looked at, as when its medium is out; "": it can.
        run_id, run_uuid: its current result.
        objects: that stand.
        multiples: of these, by decision, else by score; None if neither a model nor a person looked at any.
        undecided: standing objects that a model scored and nobody decided about.
        signed_by, signed_utc: the signature of its current result that stands.
        validated: standing objects whose category somebody validated in EcoTaxa.
    """

    id: int
    uuid: str
    project_id: int
    project: str
    project_folder: str
    project_trouble: str
    serial: str | None
    name: str
    raw_path: str | None
    raw_bytes: int | None
    raw_mtime_ns: int | None
    background: str | None
    background_paths: tuple[str, ...]
    scanned_local: str | None
    original: Literal["present", "gone", "changed"]
    original_utc: str | None
    state: ScanState
    lacks: tuple[str, ...]
    reason: str
    detail: str
    attempts: int
    seen_utc: str
    changed_utc: str
    run_id: int | None
    run_uuid: str | None
    finished_utc: str | None
    objects: int | None
    multiples: int | None
    undecided: int | None
    validated: int | None
    signed_by: str | None
    signed_utc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A result of a scan; see `zooscan_runs` in docs/schema.md. `folder` is below the home folder."""

    id: int
    uuid: str
    scan_id: int
    raw_sha256: str
    background: str
    background1_sha256: str | None
    background2_sha256: str | None
    software_version: str
    settings: Mapping[str, Any]
    settings_sha256: str
    width_px: int
    height_px: int
    pixel_mm: float
    grey_min: int
    grey_max: int
    grey_median: float | None
    frame: Mapping[str, Any]
    black_share: float
    concerns: tuple[str, ...]
    classifier_model_id: int | None
    multiple_threshold: float | None
    separator: str
    stages_s: Mapping[str, float]
    elapsed_s: float
    peak_rss_mib: float
    folder: str
    finished_utc: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTexts:
    """The texts of a scan, to the letter; None for one that is not there."""

    log: bytes | None
    meta: bytes | None


class TextRow(NamedTuple):
    """A version of a text of a scan that was seen: `kind` is log or meta."""

    kind: str
    sha256: str
    content: bytes
    seen_utc: str


class EntryRow(NamedTuple):
    """What was typed into a field; None lets the META's own value hold."""

    field: str
    value: str | None
    actor: str
    entered_utc: str


class HappenedRow(NamedTuple):
    """Something that happened to a scan: when, who (empty: the appliance), what, more about it, of decisions how many of each."""

    at_utc: str
    actor: str
    what: str
    detail: str
    multiples: int
    singles: int

    @property
    def objects(self) -> dict[str, int]:
        """How many objects were told to be of each kind."""
        return {kind: count for kind, count in (("multiple", self.multiples), ("single", self.singles)) if count}


class SignatureRow(NamedTuple):
    """A signature of a scan."""

    uuid: str
    run_id: int
    objects: int
    multiples: int
    content_sha256: str
    actor: str
    signed_utc: str
    withdrawn_by: str | None
    withdrawn_utc: str | None
    withdrawn_reason: str | None


def list_projects(connection: Connection) -> tuple[ProjectRow, ...]:
    """Every project that was ever seen, the newest first."""
    rows = connection.execute(f"{_PROJECT} GROUP BY p.id ORDER BY p.id DESC")
    return tuple(ProjectRow(**dict(zip(row.keys(), row, strict=True))) for row in rows)


def project_of_folder(connection: Connection, folder: str) -> ProjectRow | None:
    """The project in a folder; None if none was ever seen there."""
    row = connection.execute(f"{_PROJECT} WHERE p.folder = ? GROUP BY p.id", (folder,)).fetchone()
    return None if row is None else ProjectRow(**dict(zip(row.keys(), row, strict=True)))


def list_scans(
    connection: Connection, *, project_id: int | None = None, state: ScanState | None = None, limit: int = 200, offset: int = 0
) -> tuple[ScanRow, ...]:
    """Scans with their counts, the latest scanned first."""
    chosen = connection.execute(
        "SELECT id FROM zooscan_scans WHERE (?1 IS NULL OR project_id = ?1) AND (?2 IS NULL OR state = ?2) "
        "ORDER BY coalesce(scanned_local, seen_utc) DESC, id DESC LIMIT ?3 OFFSET ?4",
        (project_id, state, limit, offset),
    )
    return tuple(_scan(connection.execute(_SCAN, (row["id"],)).fetchone()) for row in chosen.fetchall())


def count_scans(connection: Connection) -> dict[ScanState, int]:
    """How many scans are in each state; a state that none is in is not there."""
    return dict(connection.execute("SELECT state, count(*) FROM zooscan_scans GROUP BY state").fetchall())


def find_scan(connection: Connection, scan: str, *, project: str | None = None) -> tuple[ScanRow, ...]:
    """Scans by uuid or by name; two projects may have scans of one name."""
    rows = connection.execute(
        "SELECT s.id FROM zooscan_scans AS s JOIN zooscan_projects AS p ON p.id = s.project_id "
        "WHERE (s.uuid = ?1 OR s.name = ?1) AND (?2 IS NULL OR ?2 IN (p.name, p.uuid, p.folder)) ORDER BY s.id",
        (scan, project),
    )
    return tuple(_scan(connection.execute(_SCAN, (row["id"],)).fetchone()) for row in rows.fetchall())


def scan_by_id(connection: Connection, scan_id: int) -> ScanRow | None:
    """A scan."""
    row = connection.execute(_SCAN, (scan_id,)).fetchone()
    return None if row is None else _scan(row)


def scan_by_uuid(connection: Connection, uuid: str) -> ScanRow | None:
    """A scan by its uuid."""
    row = connection.execute("SELECT id FROM zooscan_scans WHERE uuid = ?", (uuid,)).fetchone()
    return None if row is None else scan_by_id(connection, row["id"])


def scans_of_folder(connection: Connection, folder: str) -> tuple[ScanRow, ...]:
    """The scans of the project in a folder, by name; without their counts of objects."""
    rows = connection.execute(f"{_PLAIN} WHERE p.folder = ? ORDER BY s.name", (folder,))
    return tuple(_scan(row) for row in rows)


def next_queued(connection: Connection) -> int | None:
    """The scan whose turn it is: the latest scanned of the projects that can be read; None if none is queued."""
    row = connection.execute(
        "SELECT s.id FROM zooscan_scans AS s JOIN zooscan_projects AS p ON p.id = s.project_id WHERE s.state = 'queued' AND p.trouble = '' "
        "ORDER BY coalesce(s.scanned_local, s.seen_utc) DESC, s.id DESC LIMIT 1"
    ).fetchone()
    return None if row is None else int(row["id"])


def current_run(connection: Connection, scan_id: int) -> RunRow | None:
    """The newest result of a scan."""
    row = connection.execute("SELECT * FROM zooscan_runs WHERE scan_id = ? AND is_current = 1", (scan_id,)).fetchone()
    return None if row is None else _run(row)


def run_by_id(connection: Connection, run_id: int) -> RunRow:
    """A result of a scan that is known to be there, the current one or an earlier: results are never deleted."""
    return _run(connection.execute("SELECT * FROM zooscan_runs WHERE id = ?", (run_id,)).fetchone())


def count_cut(connection: Connection, run_id: int) -> int:
    """How many objects of a run were cut and stand no more."""
    row = connection.execute("SELECT count(*) FROM zooscan_objects WHERE run_id = ? AND retired_utc IS NOT NULL", (run_id,)).fetchone()
    return int(row[0])


def runs_of(connection: Connection, scan_id: int) -> tuple[RunRow, ...]:
    """Every result of a scan, the newest first."""
    return tuple(_run(row) for row in connection.execute("SELECT * FROM zooscan_runs WHERE scan_id = ? ORDER BY id DESC", (scan_id,)))


def run_folders(connection: Connection) -> frozenset[str]:
    """The folders of all results, below the home folder."""
    return frozenset(row["folder"] for row in connection.execute("SELECT folder FROM zooscan_runs"))


def superseded_folders(connection: Connection, scan_id: int | None = None) -> tuple[str, ...]:
    """The folders of results that are not their scan's current one, of one scan or of all."""
    rows = connection.execute("SELECT folder FROM zooscan_runs WHERE is_current = 0 AND (?1 IS NULL OR scan_id = ?1)", (scan_id,))
    return tuple(row["folder"] for row in rows)


def scan_texts(connection: Connection, scan_id: int) -> ScanTexts:
    """LOG and META of a scan as they were read."""
    row = connection.execute("SELECT log, meta FROM zooscan_scans WHERE id = ?", (scan_id,)).fetchone()
    return ScanTexts(log=row["log"], meta=row["meta"])


def texts_seen(connection: Connection, scan_id: int) -> tuple[TextRow, ...]:
    """Every version of LOG and META that was seen, in their order."""
    rows = connection.execute("SELECT kind, sha256, content, seen_utc FROM zooscan_texts WHERE scan_id = ? ORDER BY id", (scan_id,))
    return tuple(TextRow._make(row) for row in rows)


def entries_of(connection: Connection, scan_id: int) -> tuple[EntryRow, ...]:
    """Everything that was ever typed about a scan, in its order."""
    rows = connection.execute("SELECT field, value, actor, entered_utc FROM zooscan_entries WHERE scan_id = ? ORDER BY id", (scan_id,))
    return tuple(EntryRow._make(row) for row in rows)


def entries_standing(connection: Connection, scan_id: int) -> dict[str, str]:
    """What holds over the META, by field; a field that was given back to the META is not there."""
    rows = connection.execute(
        "SELECT field, value FROM zooscan_entries WHERE id IN (SELECT max(id) FROM zooscan_entries WHERE scan_id = ? GROUP BY field) "
        "AND value IS NOT NULL ORDER BY field",
        (scan_id,),
    )
    return dict(rows.fetchall())


def signatures_of(connection: Connection, scan_id: int) -> tuple[SignatureRow, ...]:
    """The signatures of a scan, the newest first; the one that stands was not withdrawn."""
    rows = connection.execute(
        "SELECT uuid, run_id, objects, multiples, content_sha256, actor, signed_utc, withdrawn_by, withdrawn_utc, withdrawn_reason "
        "FROM zooscan_signatures WHERE scan_id = ? ORDER BY id DESC",
        (scan_id,),
    )
    return tuple(SignatureRow._make(row) for row in rows)


def history(connection: Connection, scan_id: int, *, limit: int = 500) -> tuple[HappenedRow, ...]:
    """What happened to a scan, the newest first."""
    return tuple(HappenedRow._make(row) for row in connection.execute(_HISTORY, {"scan": scan_id, "limit": limit}))


_PROJECT = (
    "SELECT p.id, p.uuid, p.folder, p.name, p.serial, p.trouble, count(s.id) AS scans, "
    "count(s.id) FILTER (WHERE s.state = 'done') AS done, count(s.id) FILTER (WHERE s.state = 'waiting') AS waiting, "
    "count(s.id) FILTER (WHERE s.state = 'failed') AS failed "
    "FROM zooscan_projects AS p LEFT JOIN zooscan_scans AS s ON s.project_id = p.id"
)
_PLAIN = """
    SELECT s.id, s.uuid, s.project_id, p.name AS project, p.folder AS project_folder, p.trouble AS project_trouble, p.serial, s.name,
           s.raw_path, s.raw_bytes, s.raw_mtime_ns, s.background, s.background_paths_json, s.scanned_local, s.original, s.original_utc,
           s.state, s.lacks_json, s.reason, s.detail, s.attempts, s.seen_utc, s.changed_utc, r.id AS run_id, r.uuid AS run_uuid,
           r.finished_utc, NULL AS objects, NULL AS multiples, NULL AS undecided, NULL AS validated, g.actor AS signed_by, g.signed_utc
    FROM zooscan_scans AS s
    JOIN zooscan_projects AS p ON p.id = s.project_id
    LEFT JOIN zooscan_runs AS r ON r.scan_id = s.id AND r.is_current = 1
    LEFT JOIN zooscan_signatures AS g ON g.scan_id = s.id AND g.run_id = r.id AND g.withdrawn_utc IS NULL
"""
_SCAN = f"""
    WITH plain AS ({_PLAIN} WHERE s.id = ?1),
    decided AS (
        SELECT object_key, decision, max(id) FROM zooscan_decisions WHERE scan_id = ?1 AND undone_utc IS NULL GROUP BY object_key
    ),
    labelled AS (SELECT object_key, status, max(id) FROM zooscan_labels WHERE scan_id = ?1 GROUP BY object_key),
    counted AS (
        SELECT count(*) AS objects,
               sum(CASE d.decision WHEN 'multiple' THEN 1 WHEN 'single' THEN 0
                   ELSE o.multiple_score > r.multiple_threshold END) AS multiples,
               count(*) FILTER (WHERE o.multiple_score IS NOT NULL AND d.decision IS NULL) AS undecided,
               count(*) FILTER (WHERE l.status = 'validated') AS validated
        FROM zooscan_runs AS r CROSS JOIN zooscan_objects AS o ON o.run_id = r.id AND o.retired_utc IS NULL
        LEFT JOIN decided AS d ON d.object_key = o.key LEFT JOIN labelled AS l ON l.object_key = o.key
        WHERE r.scan_id = ?1 AND r.is_current = 1
    )
    SELECT s.id, s.uuid, s.project_id, s.project, s.project_folder, s.project_trouble, s.serial, s.name, s.raw_path, s.raw_bytes,
           s.raw_mtime_ns, s.background, s.background_paths_json, s.scanned_local, s.original, s.original_utc,
           s.state, s.lacks_json, s.reason, s.detail, s.attempts, s.seen_utc, s.changed_utc, s.run_id, s.run_uuid, s.finished_utc,
           iif(s.run_id IS NULL, NULL, c.objects) AS objects, c.multiples, iif(s.run_id IS NULL, NULL, c.undecided) AS undecided,
           iif(s.run_id IS NULL, NULL, c.validated) AS validated, s.signed_by, s.signed_utc
    FROM plain AS s CROSS JOIN counted AS c
"""
_HISTORY = """
    SELECT * FROM (
        SELECT a.done_utc AS at_utc, a.actor, a.what, CASE WHEN a.undone_utc IS NULL THEN '' ELSE 'undone by ' || a.undone_by END AS detail,
               count(*) FILTER (WHERE d.decision = 'multiple') AS multiples, count(*) FILTER (WHERE d.decision = 'single') AS singles
        FROM zooscan_actions AS a LEFT JOIN zooscan_decisions AS d ON d.action_id = a.id WHERE a.scan_id = :scan GROUP BY a.id
        UNION ALL SELECT undone_utc, undone_by, 'undo', what, 0, 0 FROM zooscan_actions WHERE scan_id = :scan AND undone_utc IS NOT NULL
        UNION ALL SELECT entered_utc, actor, 'entry', field || ' = ' || coalesce(value, '(as in the META)'), 0, 0
        FROM zooscan_entries WHERE scan_id = :scan
        UNION ALL SELECT seen_utc, '', 'text', upper(kind) || ' changed: SHA-256 ' || substr(sha256, 1, 12), 0, 0
        FROM zooscan_texts AS t WHERE scan_id = :scan
             AND EXISTS (SELECT 1 FROM zooscan_texts AS b WHERE b.scan_id = t.scan_id AND b.kind = t.kind AND b.id < t.id)
        UNION ALL SELECT finished_utc, '', 'run', 'processed with ' || background, 0, 0 FROM zooscan_runs WHERE scan_id = :scan
        UNION ALL SELECT signed_utc, actor, 'sign', objects || ' objects', 0, 0 FROM zooscan_signatures WHERE scan_id = :scan
        UNION ALL SELECT withdrawn_utc, withdrawn_by, 'withdraw', withdrawn_reason, 0, 0 FROM zooscan_signatures
        WHERE scan_id = :scan AND withdrawn_utc IS NOT NULL
        UNION ALL SELECT asked_utc, actor, kind, server || ' project ' || ecotaxa_project_id, 0, 0
        FROM zooscan_uploads WHERE scan_id = :scan
    ) ORDER BY at_utc DESC LIMIT :limit
"""


def _scan(row: Row) -> ScanRow:
    values = dict(zip(row.keys(), row, strict=True))
    values["background_paths"] = tuple(json.loads(values.pop("background_paths_json")))
    values["lacks"] = tuple(json.loads(values.pop("lacks_json")))
    return ScanRow(**values)


def _run(row: Row) -> RunRow:
    values = dict(zip(row.keys(), row, strict=True))
    for name in ("settings", "frame"):
        values[name] = json.loads(values.pop(f"{name}_json"))
    values["concerns"] = tuple(json.loads(values.pop("concerns_json")))
    values["stages_s"] = json.loads(values.pop("stages_json"))
    values["is_current"] = bool(values["is_current"])
    return RunRow(**values)
