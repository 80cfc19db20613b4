"""Open the database: one connection that writes, others that only read.

Pragmas as measured against power cuts: WAL with synchronous=FULL lost no acknowledged row in any cut. sqlite-utils
begins deferred transactions, which fail at once when two writers meet, so work that writes uses `immediate`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.errors import StoreCorruptError, StoreError, StoreNewerError
from edge.store.migrations import APPLICATION_ID, MIGRATION_SET, MIGRATIONS, migrations
from edge.store.sqlite import Connection, Row, sqlite3

DATABASE_NAME = "edge.db"
_STEPS_BETWEEN_LOOKS = 100_000

_EVERY_CONNECTION = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
)
_WRITING_CONNECTION = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = ON",  # what was sealed or deleted leaves no copy in free pages
)


def open_writer(path: Path) -> Connection:
    """The one connection that writes. Creates the file; applies no migration.

    Raises:
        StoreError: the file cannot be opened, or is no database of ours.
        StoreCorruptError: SQLite finds it damaged.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.row_factory = Row
        for pragma in _EVERY_CONNECTION + _WRITING_CONNECTION:
            connection.execute(pragma)
    except sqlite3.DatabaseError as error:
        raise _store_error(path, error) from error
    return connection


def open_reader(path: Path) -> Connection:
    """A connection that can only read, for one thread.

    Raises:
        StoreError: there is no database, or it cannot be opened.
    """
    if not path.is_file():
        raise StoreError(f"there is no database at {path}", advice="Start the appliance once, or check --home.")
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.DatabaseError as error:
        raise _store_error(path, error) from error
    try:
        connection.row_factory = Row
        for pragma in _EVERY_CONNECTION:
            connection.execute(pragma)
        check_version(path, connection)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _store_error(path, error) from error
    except StoreError:
        connection.close()
        raise
    return connection


@contextmanager
def immediate(connection: Connection) -> Iterator[Connection]:
    """A transaction that takes the write lock at once; rolled back if the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def snapshot(connection: Connection) -> Iterator[Connection]:
    """A read transaction: every query in the block sees the same moment."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


def applied_migrations(connection: Connection) -> list[str]:
    """Names of the migrations that this database has, in the order they were applied."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlite_migrations'").fetchone():
        return []
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid", (MIGRATION_SET,))
    return [name for (name,) in rows]


def pending_migrations(connection: Connection) -> list[str]:
    """Names of the migrations that this database still lacks, in order."""
    applied = applied_migrations(connection)
    return [name for name in MIGRATIONS if name not in applied]


def migrate(connection: Connection) -> None:
    """Apply what is pending, each in one transaction with the row that records it."""
    from sqlite_utils import Database

    migrations().apply(Database(connection))


def check_version(path: Path, connection: Connection) -> None:
    """Refuse a database that is not ours, or that a newer version wrote.

    Raises:
        StoreNewerError: it holds a migration that this version does not know.
        StoreError: it belongs to another program.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'").fetchone()
    if tables and application_id != APPLICATION_ID:
        raise StoreError(f"{path} belongs to another program", advice="Give --home a folder of the appliance, or an empty one.")
    unknown = set(applied_migrations(connection)) - set(MIGRATIONS)
    if unknown:
        raise StoreNewerError(f"{path} was written by a newer version (it has {', '.join(sorted(unknown))})")


def check_integrity(path: Path, connection: Connection, *, limit_s: float) -> bool:
    """SQLite's quick check, given up after a time: a large database is checked while the appliance already works.

    Returns:
        True if the check came to its end, False if the time was over.

    Raises:
        StoreCorruptError: with what SQLite found.
    """
    end_s = time.monotonic() + limit_s
    connection.set_progress_handler(lambda: int(time.monotonic() > end_s), _STEPS_BETWEEN_LOOKS)
    try:
        findings = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return False
        raise _store_error(path, error) from error
    finally:
        connection.set_progress_handler(None, 0)
    if findings != ["ok"]:
        raise StoreCorruptError(f"{path} is damaged: {'; '.join(findings)}")
    return True


def _store_error(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorruptError(f"{path} is damaged: {error}")
    return StoreError(f"{path} cannot be used: {error}")
