"""One name for SQLite: the `pysqlite3` wheel where the platform has one, else the interpreter's own.

SQLite before 3.51.3 can damage a WAL database (https://sqlite.org/wal.html#walresetbug); Debian 12's Python 3.11
brings 3.40.1, the wheel 3.53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import pysqlite3 as sqlite3
    except ImportError:
        import sqlite3

FIRST_SAFE_WAL_VERSION = (3, 51, 3)

Connection = sqlite3.Connection
Row = sqlite3.Row


def wal_is_safe() -> bool:
    """Whether this SQLite is free of the WAL-reset bug."""
    return sqlite3.sqlite_version_info >= FIRST_SAFE_WAL_VERSION


__all__ = ["FIRST_SAFE_WAL_VERSION", "Connection", "Row", "sqlite3", "wal_is_safe"]
