"""Is this SQLite free of the bug that can damage a WAL database?"""

from __future__ import annotations

from edge.health.context import HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.sqlite import FIRST_SAFE_WAL_VERSION, sqlite3

TITLE = "SQLite is safe"
CODES = frozenset({IssueCode.SQLITE_UNSAFE})


def run_check(_context: HealthContext) -> list[Issue]:
    """SQLite before 3.51.3 can damage a database in WAL mode (https://sqlite.org/wal.html#walresetbug)."""
    return judge_version(sqlite3.sqlite_version_info)


def judge_version(version: tuple[int, ...]) -> list[Issue]:
    """The issue of a version, if it has the bug."""
    if version >= FIRST_SAFE_WAL_VERSION:
        return []
    told, safe = (".".join(map(str, one)) for one in (version, FIRST_SAFE_WAL_VERSION))
    message = f"SQLite {told} can damage the database when a crash meets a checkpoint; {safe} and later cannot."
    advice = "Install the package `pysqlite3`, or a Python with a newer SQLite. Backups are taken daily."
    return [Issue(code=IssueCode.SQLITE_UNSAFE, severity=Severity.WARNING, message=message, advice=advice)]
