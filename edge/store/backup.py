"""Backups of the database: made while the appliance works, kept in a ring.

A backup is a compact copy that `VACUUM INTO` writes under a temporary name; it is made durable and hashed, and only then
renamed, so what carries a backup's name is whole. Names sort by time:

    backups/edge-20261121T024200123Z-daily.db           the copy
    backups/edge-20261121T024200123Z-daily.db.sha256    its hash, in the format of sha256sum

Daily ones are a ring; those before a migration and before a restore are rings of three; manual ones are never pruned.
The hash matters: bytes that rot inside a text or a number are invisible to SQLite's own check.
"""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import structlog

from edge.errors import DiskFullError, StoreCorruptError, StoreError
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.durable import file_sha256, sync_file, sync_folder, write_durably
from edge.store.lock import HomeLock
from edge.store.sqlite import Connection, sqlite3
from edge.units import bytes_to_mib

log = structlog.get_logger()

BACKUPS_FOLDER = "backups"
KEPT_DAILY = 7
KEPT_BEFORE_CHANGES = 3
PART_SUFFIX = ".part"
HASH_SUFFIX = ".sha256"
_STEPS_BETWEEN_LOOKS = 100_000

_NAME = re.compile(r"edge-(\d{8}T\d{9})Z-(daily|migration|restore|manual)\.db")


class BackupKind(StrEnum):
    """Why a backup was taken."""

    DAILY = "daily"
    MIGRATION = "migration"
    RESTORE = "restore"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup on disk."""

    path: Path
    kind: BackupKind
    made_utc: datetime
    size_bytes: int


def make_backup(
    home: Path,
    kind: BackupKind,
    *,
    now_utc: datetime | None = None,
    kept_daily: int = KEPT_DAILY,
    reserve_bytes: int = 0,
    stopping: Callable[[], bool] = lambda: False,
) -> Backup:
    """Copy the database into the ring, then prune the ring.

    Args:
        home: the home folder.
        kind: why; decides how long the backup stays.
        now_utc: the time that the name carries; now if None.
        kept_daily: how many daily backups stay.
        reserve_bytes: free space that the backup must leave.
        stopping: asked now and then while the copy is written; the backup is given up when it says so.

    Raises:
        BusyError: another backup of this home folder is being made.
        DiskFullError: there is no room for it; nothing is left behind.
        StoreCorruptError: the database is damaged.
        StoreError: there is no database, or the folder cannot be written.
    """
    folder = home / BACKUPS_FOLDER
    now_utc = now_utc or datetime.now(UTC)
    with os_errors_named(folder):
        folder.mkdir(exist_ok=True)
        with _only_one(folder):
            _remove_leftovers(folder)
            _check_room(home, folder, reserve_bytes)
            backup = _copy_into(folder, home / DATABASE_NAME, kind, now_utc, stopping)
            _prune(home, kind, now_utc, kept_daily)
    log.info("backup_made", path=str(backup.path), kind=kind.value, size_bytes=backup.size_bytes)
    return backup


def rescue(home: Path, connection: Connection) -> Backup:
    """Keep what a connection still sees of a database whose file was deleted or exchanged under it; never pruned.

    Raises:
        StoreError: as `make_backup`.
    """
    folder = home / BACKUPS_FOLDER
    with os_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder):
            backup = _keep(folder, connection, BackupKind.MANUAL, datetime.now(UTC), lambda: False)
    log.warning("database_rescued", path=str(backup.path), size_bytes=backup.size_bytes)
    return backup


def backup_before_migration(home: Path, pending: Sequence[str]) -> Backup:
    """What the database was before these migrations.

    Raises:
        StoreError: as `make_backup`; the migration must not go on then.
    """
    log.info("backup_before_migration", pending=list(pending))
    return make_backup(home, BackupKind.MIGRATION)


def list_backups(home: Path) -> tuple[Backup, ...]:
    """The backups of a home folder, newest first; unfinished ones are not listed.

    Raises:
        StoreError: the folder exists and cannot be read.
    """
    folder = home / BACKUPS_FOLDER
    if not folder.exists():
        return ()
    with os_errors_named(folder):
        found = [_backup(path, match) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return tuple(sorted(found, key=lambda backup: backup.made_utc, reverse=True))


def is_backup_due(home: Path, *, now_utc: datetime, every_h: float) -> bool:
    """Whether the newest daily backup is older than the interval. One dated in the future (the clock was wrong) is not seen."""
    made = [backup.made_utc for backup in list_backups(home) if backup.kind is BackupKind.DAILY and backup.made_utc <= now_utc]
    return not made or now_utc - max(made) >= timedelta(hours=every_h)


def check_hash(path: Path) -> None:
    """Compare a backup with the hash that was written beside it; a file without one passes.

    Raises:
        StoreCorruptError: they differ.
    """
    hash_path = path.with_name(path.name + HASH_SUFFIX)
    if not hash_path.exists():
        return
    if file_sha256(path) != hash_path.read_text("utf-8", errors="replace").split(" ")[0]:
        raise StoreCorruptError(f"{path} is not what was backed up: its bytes have changed", advice="Restore an older backup.")


def copy_database(source: Connection, target: Path, *, stopping: Callable[[], bool] = lambda: False) -> str:
    """Write what a connection sees into a new, durable file; given up, as a StoreError, when `stopping` says so.

    Returns:
        The SHA-256 of the file.

    Raises:
        DiskFullError, StoreCorruptError, StoreError: it failed; nothing is left behind.
    """
    source.set_progress_handler(lambda: int(stopping()), _STEPS_BETWEEN_LOOKS)
    try:
        source.execute("VACUUM INTO ?", (str(target),))
        sync_file(target)
        return file_sha256(target)
    except BaseException as error:
        for leftover in (target, target.with_name(target.name + "-journal")):
            leftover.unlink(missing_ok=True)
        if isinstance(error, sqlite3.DatabaseError):
            raise _named(target, error) from error
        raise


def time_in_name(moment_utc: datetime) -> str:
    """UTC to the millisecond, sortable and free of colons, which Windows forbids in names."""
    moment_utc = moment_utc.astimezone(UTC)
    return f"{moment_utc:%Y%m%dT%H%M%S}{moment_utc.microsecond // 1000:03d}Z"


@contextlib.contextmanager
def os_errors_named(folder: Path) -> Iterator[None]:
    """Errors of the operating system as errors of the store."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"the disk of {folder} is full") from error
        raise StoreError(f"{folder} cannot be used: {error.strerror or error}", advice="Check the disk and its permissions.") from error


def _copy_into(folder: Path, database: Path, kind: BackupKind, now_utc: datetime, stopping: Callable[[], bool]) -> Backup:
    connection = open_reader(database)
    try:
        return _keep(folder, connection, kind, now_utc, stopping)
    finally:
        connection.close()


def _keep(folder: Path, connection: Connection, kind: BackupKind, now_utc: datetime, stopping: Callable[[], bool]) -> Backup:
    path = _free_path(folder, kind, now_utc)
    part_path = path.with_name(path.name + PART_SUFFIX)
    sha256 = copy_database(connection, part_path, stopping=stopping)
    write_durably(path.with_name(path.name + HASH_SUFFIX), f"{sha256}  {path.name}\n")
    part_path.replace(path)
    sync_folder(folder)
    (backup,) = (backup for backup in list_backups(folder.parent) if backup.path == path)
    return backup


def _free_path(folder: Path, kind: BackupKind, now_utc: datetime) -> Path:
    while True:
        path = folder / f"edge-{time_in_name(now_utc)}-{kind}.db"
        if not path.exists():
            return path
        now_utc += timedelta(milliseconds=1)


def _backup(path: Path, match: re.Match[str]) -> Backup:
    made_utc = datetime.strptime(f"{match[1]}000+0000", "%Y%m%dT%H%M%S%f%z")
    return Backup(path=path, kind=BackupKind(match[2]), made_utc=made_utc, size_bytes=path.stat().st_size)


def _named(target: Path, error: sqlite3.DatabaseError) -> StoreError:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return DiskFullError(f"no room for {target}")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorruptError(f"the database is damaged and cannot be copied: {error}")
    return StoreError(f"{target} could not be written: {error}")


def _check_room(home: Path, folder: Path, reserve_bytes: int) -> None:
    sources = [home / f"{DATABASE_NAME}{suffix}" for suffix in ("", "-wal")]
    need_bytes = sum(source.stat().st_size for source in sources if source.exists()) + reserve_bytes
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < need_bytes:
        raise DiskFullError(f"a backup needs {bytes_to_mib(need_bytes):.0f} MiB free, {bytes_to_mib(free_bytes):.0f} MiB are left")


def _prune(home: Path, kind: BackupKind, now_utc: datetime, kept_daily: int) -> None:
    if kind is BackupKind.MANUAL:
        return
    same_kind = [backup for backup in list_backups(home) if backup.kind is kind]
    same_kind.sort(key=lambda backup: backup.made_utc > now_utc + timedelta(minutes=1))  # those of a wrong clock go first
    for backup in same_kind[kept_daily if kind is BackupKind.DAILY else KEPT_BEFORE_CHANGES :]:
        backup.path.unlink()
        backup.path.with_name(backup.path.name + HASH_SUFFIX).unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed backup left; called only while no other one is being made."""
    for path in folder.glob(f"*{PART_SUFFIX}*"):
        path.unlink()
    for path in folder.glob(f"*{HASH_SUFFIX}"):
        if not path.with_name(path.name.removesuffix(HASH_SUFFIX)).exists():
            path.unlink()


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    lock = HomeLock(folder)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
