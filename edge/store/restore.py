"""Put a backup back in the place of the database. Nothing is deleted: the database before is moved aside, whole.

The steps, in an order that a power cut anywhere leaves either the old database or the new one:

1. the backup is checked: its hash, that it is ours, not newer than this version, and sound;
2. it is copied to `edge.db.restoring-<time>.part`, the copy is made durable and checked in turn, and everybody is signed out in it;
3. the present database goes into the ring of backups, if it can still be read;
4. the copy is renamed to `edge.db.restoring-<time>`: from here on the restore is decided;
5. `edge.db`, `-wal`, `-shm` and `-journal` move together into `set_aside/<time>/`, the copy becomes `edge.db`.

`finish_restore` does step 5, and completes one that was interrupted: call it before the database is opened. A WAL that
stayed beside a database it does not belong to would damage it, hence the one folder that takes all parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from edge.errors import StoreCorruptError, StoreError, StoreNewerError
from edge.store.backup import PART_SUFFIX, Backup, BackupKind, check_hash, copy_database, make_backup, os_errors_named, time_in_name
from edge.store.connection import DATABASE_NAME, immediate, open_reader
from edge.store.durable import sync_file, sync_folder
from edge.store.migrations import APPLICATION_ID
from edge.store.people import end_everybodys_sign_ins
from edge.store.sqlite import Connection, Row, sqlite3

log = structlog.get_logger()

SET_ASIDE_FOLDER = "set_aside"
_RESTORING = f"{DATABASE_NAME}.restoring-"
_ANOTHER = "Choose another file: `imagine-edge backup --list` shows the backups there are. The present database is untouched."
_PARTS = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did.

    Attributes:
        source: the backup that is the database now.
        set_aside: the folder that holds the database before, or None if there was none.
        saved: the backup of the database before, or None if it could not be read (or was not there).
    """

    source: Path
    set_aside: Path | None
    saved: Backup | None


def restore(home: Path, source: Path, *, now_utc: datetime | None = None) -> Restored:
    """Make a backup the database. The caller holds the home's lock: nothing else may have the database open.

    Args:
        home: the home folder; its database may be missing or damaged.
        source: a backup, or any database of ours.
        now_utc: the time that the moved files carry in their names; now if None.

    Raises:
        StoreNewerError: a newer version made the backup.
        StoreCorruptError: the backup is damaged. The present database stays.
        StoreError: the backup is not there or not ours, or the disk cannot take it. The present database stays.
    """
    with os_errors_named(home):
        home.mkdir(parents=True, exist_ok=True)
        finish_restore(home)
        for leftover in home.glob(f"{_RESTORING}*{PART_SUFFIX}*"):
            leftover.unlink()
        check_backup(source)
        ready_path = home / f"{_RESTORING}{time_in_name(now_utc or datetime.now(UTC))}"
        part_path = ready_path.with_name(ready_path.name + PART_SUFFIX)
        try:
            _copy_checked(source, part_path)
            saved = _save_present(home)
            part_path.replace(ready_path)
        finally:
            part_path.unlink(missing_ok=True)
        sync_folder(home)
        set_aside = finish_restore(home)
    log.info("database_restored", source=str(source), set_aside=str(set_aside), saved=saved and str(saved.path))
    return Restored(source=source, set_aside=set_aside, saved=saved)


def finish_restore(home: Path) -> Path | None:
    """Complete a restore that is decided, if there is one; the folder that took the database before, or None.

    Raises:
        StoreError: a file cannot be moved; calling again goes on where it stopped.
    """
    set_aside: Path | None = None
    with os_errors_named(home):
        for ready_path in sorted(path for path in home.glob(f"{_RESTORING}*") if PART_SUFFIX not in path.name):
            set_aside = _move_aside(home, ready_path.name.removeprefix(_RESTORING))
            ready_path.replace(home / DATABASE_NAME)
            sync_folder(home)
    return set_aside


def check_backup(path: Path) -> None:
    """Whether a file can take the place of the database.

    Raises:
        StoreNewerError: a newer version made it.
        StoreCorruptError: it is damaged.
        StoreError: it is not there, or not a database of the appliance.
    """
    if not path.is_file():
        raise StoreError(f"there is no backup at {path}", advice=_ANOTHER)
    check_hash(path)
    connection = _open_backup(path)
    try:
        _check_content(path, connection)
    finally:
        connection.close()


def _open_backup(path: Path) -> Connection:
    """A reader of a backup; refuses what is no database, and what another program or a newer version wrote."""
    try:
        return open_reader(path)
    except StoreNewerError:
        raise
    except StoreCorruptError as error:
        raise StoreCorruptError(f"{path} is no database, or its beginning is damaged", advice=_ANOTHER) from error
    except StoreError as error:
        raise StoreError(str(error), advice=_ANOTHER) from error


def _check_content(path: Path, connection: Connection) -> None:
    advice = _ANOTHER
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise StoreError(f"{path} is no database of the appliance", advice=advice)
        findings = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        findings += [
            f"a row of {row[0]} refers to a row of {row[2]} that is not there" for row in connection.execute("PRAGMA foreign_key_check")
        ]
    except sqlite3.DatabaseError as error:
        findings = [str(error)]
    if findings != ["ok"]:
        raise StoreCorruptError(f"{path} is damaged: {'; '.join(findings[:5])}", advice=advice)


def _copy_checked(source: Path, part_path: Path) -> None:
    connection = open_reader(source)
    try:
        copy_database(connection, part_path)
    finally:
        connection.close()
    check_backup(part_path)
    _sign_out(part_path)


def _sign_out(path: Path) -> None:
    """End every sign-in of a copy: one that was signed out, or whose person was retired, since the backup must not come to life again."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sign_ins'").fetchone():
            connection.row_factory = Row
            with immediate(connection):
                end_everybodys_sign_ins(connection, actor="cli", reason="a backup was restored")
    finally:
        connection.close()
    sync_file(path)


def _save_present(home: Path) -> Backup | None:
    """The present database as a backup; one that cannot be read or copied is only moved aside, which keeps it too."""
    if not (home / DATABASE_NAME).exists():
        return None
    try:
        return make_backup(home, BackupKind.RESTORE)
    except StoreError as error:
        log.warning("present_database_not_backed_up", error=str(error))
        return None


def _move_aside(home: Path, time_text: str) -> Path | None:
    parts = [home / f"{DATABASE_NAME}{part}" for part in _PARTS]
    folder = home / SET_ASIDE_FOLDER / time_text
    for part in parts:
        if part.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part.replace(folder / part.name)
    if not folder.exists():
        return None
    sync_folder(folder)
    return folder
