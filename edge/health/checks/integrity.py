"""What did SQLite's own check of the database say last?"""

from __future__ import annotations

from datetime import datetime, timedelta

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.facts import SOUND, last_quick_check

TITLE = "The database is sound"
CODES = frozenset({IssueCode.DATABASE_DAMAGED, IssueCode.DATABASE_UNCHECKED})

_MAX_AGE = timedelta(days=14)


def run_check(context: HealthContext) -> list[Issue]:
    """Damage that was found is an error; a check that is two weeks old, a notice."""
    last = last_quick_check(context.connection)
    if last is None:
        return []
    if last.result != SOUND:
        message = f"SQLite found the database damaged at {last.checked_utc}: {last.result}"
        advice = "Stop the appliance and run `imagine-edge restore --latest`; originals are untouched and are read again."
        return [Issue(code=IssueCode.DATABASE_DAMAGED, severity=Severity.ERROR, message=message, advice=advice)]
    if context.now_utc - datetime.fromisoformat(last.checked_utc) > _MAX_AGE:
        message = f"The database was last checked at {last.checked_utc}."
        advice = "It is checked weekly while the appliance runs; the log says why that did not end. `imagine-edge doctor` checks it now."
        return [Issue(code=IssueCode.DATABASE_UNCHECKED, severity=Severity.NOTICE, message=message, advice=advice)]
    return []
