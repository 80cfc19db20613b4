"""Open a home folder's store: checked, backed up before it is changed, brought to this version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from edge.errors import StoreError, StoreLostError
from edge.store.backup import backup_before_migration, list_backups
from edge.store.connection import DATABASE_NAME, check_integrity, immediate, migrate, open_reader, open_writer, pending_migrations
from edge.store.facts import record_quick_check
from edge.store.restore import finish_restore
from edge.store.sqlite import sqlite3
from edge.store.writer import Writer

log = structlog.get_logger()

START_CHECK_S = 1.0


def open_store(home: Path, *, on_commit: Callable[[], None], on_full: Callable[[], None] | None = None) -> Writer:
    """The writer of a home folder's database, made if there is none. The caller holds the home's lock.

    Raises:
        StoreLostError: it is not there, but there are backups of it.
        StoreNewerError: a newer version wrote it.
        StoreCorruptError: it is damaged.
        StoreError: it cannot be opened.
    """
    path = home / DATABASE_NAME
    finish_restore(home)
    prepare_database(home, path)
    writer = Writer(path, on_commit=on_commit, on_full=on_full)
    writer.start()
    return writer


def prepare_database(home: Path, path: Path) -> None:
    """Check, back up and migrate.

    Raises:
        StoreError: as `open_store`; a database that is not ours, or newer, is left as it was, byte for byte.
    """
    is_new = not path.exists()
    check_there(home)
    finished = True
    if not is_new:
        open_reader(path).close()  # refuses what is not ours before a writer turns it into a WAL database
    connection = open_writer(path)
    try:
        if not is_new:
            finished = check_integrity(path, connection, limit_s=START_CHECK_S)
            log.info("store_checked", finished=finished)
        pending = pending_migrations(connection)
        if pending and not is_new:
            backup_before_migration(home, pending)
        if pending:
            log.info("store_migrating", pending=pending)
            migrate(connection)
        if finished:
            with immediate(connection):
                record_quick_check(connection, [])
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be prepared: {error}") from error
    finally:
        connection.close()


def check_there(home: Path) -> None:
    """Refuse to take a home folder for a new one that has backups of a database, and no database.

    Raises:
        StoreLostError: so it is.
    """
    path = home / DATABASE_NAME
    if not path.exists() and list_backups(home):
        advice = "`imagine-edge restore --latest` brings the newest back. To begin with an empty database, move the folder backups away."
        raise StoreLostError(f"there is no database at {path}, but there are backups of one", advice=advice)
