"""Transfers to and from EcoTaxa, and what of a scan its categories can belong to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from edge.store.sqlite import Connection

_SELECT = (
    "SELECT u.id, u.uuid, u.scan_id, s.name AS scan, s.uuid AS scan_uuid, p.name AS project, u.kind, u.mode, u.server, "
    "u.ecotaxa_project_id, u.state, u.archive, u.archive_sha256, u.run_uuid, u.signature_id, u.remote_path, u.remote_job_id, u.progress, "
    "u.question_json, u.answer_json, u.report_json, u.detail, u.attempts, u.actor, u.asked_utc, u.changed_utc, u.not_before_utc "
    "FROM zooscan_uploads AS u JOIN zooscan_scans AS s ON s.id = u.scan_id JOIN zooscan_projects AS p ON p.id = s.project_id"
)


class UploadRow(NamedTuple):
    """A transfer; see `zooscan_uploads` in docs/schema.md.

    Attributes:
        scan, project: the scan's name, and that of its project folder.
        run_uuid, signature_id: what the archive was made of, and under which signature.
        progress: of the present state, 0 to 1; None while it is not known.
        question, answer, report: as EcoTaxa's JSON has them; None if there is none.
    """

    id: int
    uuid: str
    scan_id: int
    scan: str
    scan_uuid: str
    project: str
    kind: str
    mode: str
    server: str
    ecotaxa_project_id: int
    state: str
    archive: str | None
    archive_sha256: str | None
    run_uuid: str | None
    signature_id: int | None
    remote_path: str | None
    remote_job_id: int | None
    progress: float | None
    question: dict[str, Any] | None
    answer: dict[str, Any] | None
    report: dict[str, Any] | None
    detail: str
    attempts: int
    actor: str
    asked_utc: str
    changed_utc: str
    not_before_utc: str | None


class ScanName(NamedTuple):
    """A scan and the project folder that it is of."""

    id: int
    uuid: str
    name: str
    project: str
    folder: str


class ScanKeys(NamedTuple):
    """The keys of a scan's objects: those that stand, and those that are no more."""

    standing: frozenset[str]
    retired: frozenset[str]


class Signed(NamedTuple):
    """What of a scan may leave: its result, and the signature under which that stands; None where there is none."""

    run_uuid: str | None
    signature_id: int | None


def signed_now(connection: Connection, scan_id: int) -> Signed:
    """What of a scan may leave as it is now."""
    row = connection.execute(
        "SELECT r.uuid, g.id FROM zooscan_runs AS r LEFT JOIN zooscan_signatures AS g ON g.run_id = r.id AND g.withdrawn_utc IS NULL "
        "WHERE r.scan_id = ? AND r.is_current = 1",
        (scan_id,),
    ).fetchone()
    return Signed(None, None) if row is None else Signed._make(row)


def upload_by_id(connection: Connection, upload_id: int) -> UploadRow | None:
    """One transfer."""
    row = connection.execute(f"{_SELECT} WHERE u.id = ?", (upload_id,)).fetchone()
    return None if row is None else _row(row)


def uploads(connection: Connection, *, limit: int = 200) -> tuple[UploadRow, ...]:
    """Transfers, newest first."""
    return tuple(_row(row) for row in connection.execute(f"{_SELECT} ORDER BY u.id DESC LIMIT ?", (limit,)))


def uploads_of(connection: Connection, scan_id: int) -> tuple[UploadRow, ...]:
    """Those of a scan, newest first."""
    return tuple(_row(row) for row in connection.execute(f"{_SELECT} WHERE u.scan_id = ? ORDER BY u.id DESC", (scan_id,)))


def open_uploads(connection: Connection) -> tuple[UploadRow, ...]:
    """Those that are not at their end, oldest first."""
    return tuple(
        _row(row) for row in connection.execute(f"{_SELECT} WHERE u.state IN ('queued', 'sending', 'importing', 'asking') ORDER BY u.id")
    )


def newest_transfers(connection: Connection) -> tuple[UploadRow, ...]:
    """Of each scan, direction and project there the newest, newest first."""
    newest = "SELECT max(id) FROM zooscan_uploads GROUP BY scan_id, kind, server, ecotaxa_project_id"
    return tuple(_row(row) for row in connection.execute(f"{_SELECT} WHERE u.id IN ({newest}) ORDER BY u.id DESC"))


def find_scans(connection: Connection, named: str) -> tuple[ScanName, ...]:
    """The scans of a name, uuid or `project/name`; several where projects have scans of one name."""
    rows = connection.execute(
        "SELECT s.id, s.uuid, s.name, p.name, p.folder FROM zooscan_scans AS s JOIN zooscan_projects AS p ON p.id = s.project_id "
        "WHERE s.name = :named OR s.uuid = :named OR p.name || '/' || s.name = :named ORDER BY s.id",
        {"named": named},
    )
    return tuple(ScanName._make(row) for row in rows)


def all_scans(connection: Connection) -> tuple[ScanName, ...]:
    """Every scan."""
    rows = connection.execute(
        "SELECT s.id, s.uuid, s.name, p.name, p.folder FROM zooscan_scans AS s "
        "JOIN zooscan_projects AS p ON p.id = s.project_id ORDER BY s.id"
    )
    return tuple(ScanName._make(row) for row in rows)


def keys_of_scan(connection: Connection, scan_id: int) -> ScanKeys:
    """What a category of a scan can belong to. An object of an earlier run that the present one does not have is retired too."""
    rows = connection.execute(
        "SELECT o.key, max(r.is_current = 1 AND o.retired_utc IS NULL) AS stands FROM zooscan_runs AS r "
        "JOIN zooscan_objects AS o ON o.run_id = r.id WHERE r.scan_id = ? GROUP BY o.key",
        (scan_id,),
    ).fetchall()
    standing = frozenset(row["key"] for row in rows if row["stands"])
    return ScanKeys(standing=standing, retired=frozenset(row["key"] for row in rows) - standing)


def keys_of_namesakes(connection: Connection, scan_id: int) -> dict[str, frozenset[str]]:
    """The keys that scans of the same name in other projects ever had, by the name of their project."""
    rows = connection.execute(
        "SELECT p.name AS project, o.key FROM zooscan_scans AS own "
        "JOIN zooscan_scans AS s ON s.name = own.name AND s.id <> own.id JOIN zooscan_projects AS p ON p.id = s.project_id "
        "JOIN zooscan_runs AS r ON r.scan_id = s.id JOIN zooscan_objects AS o ON o.run_id = r.id WHERE own.id = ?",
        (scan_id,),
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["project"], set()).add(row["key"])
    return {project: frozenset(keys) for project, keys in found.items()}


def _row(row: Iterable[Any]) -> UploadRow:
    values = list(row)
    names = UploadRow._fields
    for name in ("question", "answer", "report"):
        place = names.index(name)
        values[place] = None if values[place] is None else json.loads(values[place])
    return UploadRow._make(values)
