"""Does the clock agree with what was written before?"""

from __future__ import annotations

from datetime import datetime, timedelta

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.reads.health import newest_time_utc

TITLE = "The clock goes forward"
CODES = frozenset({IssueCode.CLOCK_BEHIND})

_TOLERANCE = timedelta(minutes=5)


def run_check(context: HealthContext) -> list[Issue]:
    """A clock behind the newest time in the database was wrong then or is wrong now."""
    newest = newest_time_utc(context.connection)
    if newest is None or datetime.fromisoformat(newest) - context.now_utc <= _TOLERANCE:
        return []
    message = f"The clock says {context.now_utc:%Y-%m-%d %H:%M} UTC, but results were written at {newest}."
    advice = "Set the clock (UTC and time zone). Capture times of the camera are not touched by this; audit times are."
    return [Issue(code=IssueCode.CLOCK_BEHIND, severity=Severity.WARNING, message=message, advice=advice)]
