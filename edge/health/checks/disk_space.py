"""Is there room on the disk of the home folder?"""

from __future__ import annotations

from edge.health.context import HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import Issue, IssueCode, Severity
from edge.units import bytes_to_mib

TITLE = "The disk has room"
CODES = frozenset({IssueCode.DISK_LOW, IssueCode.DISK_FULL})


def run_check(context: HealthContext) -> list[Issue]:
    """Below the floor nothing new is taken; on a full disk nothing is processed."""
    left = f"{bytes_to_mib(context.free_bytes):.0f} MiB are left on the disk of {context.home}"
    advice = f"Free space until {bytes_to_mib(context.floor_bytes):.0f} MiB are left; work goes on by itself. Results are never deleted."
    if context.disk_level is DiskLevel.FULL:
        message = f"{left}: work is paused."
        return [Issue(code=IssueCode.DISK_FULL, severity=Severity.ERROR, message=message, advice=advice)]
    if context.disk_level is DiskLevel.LOW:
        message = f"{left}: no new files are taken."
        return [Issue(code=IssueCode.DISK_LOW, severity=Severity.WARNING, message=message, advice=advice)]
    return []
