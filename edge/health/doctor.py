"""What `imagine-edge doctor` says: the checks of a home folder, whether or not the appliance runs on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.errors import EdgeError
from edge.health.context import HealthContext
from edge.health.disk import DiskFloor, DiskLevel
from edge.health.runner import CheckReport, run_checks
from edge.settings import Settings
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import quick_check
from edge.store.open import check_there
from edge.store.sqlite import Connection
from edge.units import mib_to_bytes
from models.runtime.machine import machine_fingerprint

_OWN_CHECK = "integrity"  # the doctor looks at the database itself, not at what the last check found


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's report. `advice` is empty where nothing is to be done."""

    severity: Literal["ok", "notice", "warning", "error"]
    code: str
    message: str
    advice: str


def examine(home: Path, settings: Settings) -> list[Finding]:
    """Check a home folder without changing it."""
    try:
        check_there(home)
        connection = open_reader(home / DATABASE_NAME)
    except EdgeError as error:
        return [Finding(severity="error", code=error.code, message=str(error), advice=error.advice())]
    try:
        return [*_examine_database(connection), *_examine_home(home, settings, connection)]
    finally:
        connection.close()


def _examine_database(connection: Connection) -> list[Finding]:
    findings = quick_check(connection)
    if findings:
        advice = "Stop the appliance and run `imagine-edge restore --latest`; originals are untouched and are read again."
        return [
            Finding(severity="error", code="database_damaged", message=f"The database is damaged: {'; '.join(findings)}", advice=advice)
        ]
    return [Finding(severity="ok", code="", message="The database is sound", advice="")]


def _examine_home(home: Path, settings: Settings, connection: Connection) -> list[Finding]:
    usage = shutil.disk_usage(home)
    floor = DiskFloor.of_bytes(mib_to_bytes(settings.min_free_mb))
    context = HealthContext(
        connection=connection,
        home=home,
        now_utc=datetime.now(UTC),
        disk_level=floor.judge(usage.free, DiskLevel.OK),
        free_bytes=usage.free,
        floor_bytes=floor.floor_bytes,
        backup_every_h=settings.backup_every_h,
        machine=machine_fingerprint(),
    )
    return [finding for report in run_checks(context) if report.name != _OWN_CHECK for finding in _findings(report)]


def _findings(report: CheckReport) -> list[Finding]:
    if not report.issues:
        return [Finding(severity="ok", code="", message=report.title, advice="")]
    return [
        Finding(severity=issue.severity.value, code=issue.code.value, message=issue.message, advice=issue.advice) for issue in report.issues
    ]
