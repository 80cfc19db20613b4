"""Is there a backup of the database that is recent enough?"""

from __future__ import annotations

from datetime import timedelta

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.backup import list_backups

TITLE = "Backups are recent"
CODES = frozenset({IssueCode.BACKUP_MISSING, IssueCode.BACKUP_TOO_OLD})

_INTERVALS = 2  # one interval may pass while the disk is low or the ship's power is off
_ADVICE = "Free space on the disk, then run `imagine-edge backup`; the log says why the last one failed."


def run_check(context: HealthContext) -> list[Issue]:
    """A backup older than two intervals is an issue, and so is none at all. Those dated in the future do not count."""
    made = [backup.made_utc for backup in list_backups(context.home) if backup.made_utc <= context.now_utc]
    if not made:
        message = "There is no backup of the database yet."
        return [Issue(code=IssueCode.BACKUP_MISSING, severity=Severity.NOTICE, message=message, advice=_ADVICE)]
    age = context.now_utc - max(made)
    if age <= timedelta(hours=_INTERVALS * context.backup_every_h):
        return []
    message = f"The newest backup is {age / timedelta(hours=1):.0f} h old; one is due every {context.backup_every_h:g} h."
    return [Issue(code=IssueCode.BACKUP_TOO_OLD, severity=Severity.WARNING, message=message, advice=_ADVICE)]
