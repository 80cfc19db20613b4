from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.errors import BusyError, DiskFullError, StoreCorruptError, StoreError
from edge.store.backup import (
    BACKUPS_FOLDER,
    KEPT_BEFORE_CHANGES,
    BackupKind,
    backup_before_migration,
    is_backup_due,
    list_backups,
    make_backup,
)
from edge.store.connection import DATABASE_NAME, check_integrity, open_reader
from edge.store.durable import file_sha256
from edge.store.lock import HomeLock
from edge.store.sqlite import Connection
from tests.helpers.seed import add_model, add_station, done, fill, open_database
from tests.helpers.small_disk import fill_disk, small_disk

NOON = datetime(2026, 6, 3, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Connection:
    connection = open_database(tmp_path)
    station = add_station(connection, tmp_path / "inbox")
    pack = add_model(connection)
    done(connection, station, b"one.jpg", pack, boxes=[(1, 2, 3, 4, 0.9, 0)])
    fill(connection, station, pack, images=50, objects_per_image=20)
    return connection


def count_objects(path: Path) -> int:
    connection = open_reader(path)
    try:
        check_integrity(path, connection, limit_s=60)
        return int(connection.execute("SELECT count(*) FROM objects").fetchone()[0])
    finally:
        connection.close()


def test_a_backup_holds_what_was_committed_though_it_lies_in_the_wal(tmp_path: Path, database: Connection) -> None:
    assert (tmp_path / "edge.db-wal").stat().st_size > 0
    backup = make_backup(tmp_path, BackupKind.MANUAL, now_utc=NOON)
    assert backup.path.name == "edge-20260603T120000250Z-manual.db"
    assert (backup.kind, backup.made_utc, backup.size_bytes) == (BackupKind.MANUAL, NOON, backup.path.stat().st_size)
    assert count_objects(backup.path) == 1001
    assert list_backups(tmp_path) == (backup,)


def test_the_hash_beside_a_backup_is_what_sha256sum_checks(tmp_path: Path, database: Connection) -> None:
    backup = make_backup(tmp_path, BackupKind.DAILY)
    hash_path = backup.path.with_name(backup.path.name + ".sha256")
    assert hash_path.read_text() == f"{file_sha256(backup.path)}  {backup.path.name}\n"


def test_a_backup_is_taken_while_a_writer_is_in_the_middle(tmp_path: Path, database: Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM objects")
    backup = make_backup(tmp_path, BackupKind.DAILY)
    database.execute("ROLLBACK")
    assert count_objects(backup.path) == 1001


def test_only_the_last_seven_daily_ones_stay_and_manual_ones_all(tmp_path: Path, database: Connection) -> None:
    for day in range(9):
        make_backup(tmp_path, BackupKind.DAILY, now_utc=NOON + timedelta(days=day))
        make_backup(tmp_path, BackupKind.MANUAL, now_utc=NOON + timedelta(days=day))
    kinds = [backup.kind for backup in list_backups(tmp_path)]
    assert (kinds.count(BackupKind.DAILY), kinds.count(BackupKind.MANUAL)) == (7, 9)
    daily = [backup.made_utc for backup in list_backups(tmp_path) if backup.kind is BackupKind.DAILY]
    assert daily == [NOON + timedelta(days=day) for day in range(8, 1, -1)]
    assert len(list((tmp_path / BACKUPS_FOLDER).glob("*.sha256"))) == 16


def test_backups_dated_by_a_wrong_clock_do_not_push_out_new_ones(tmp_path: Path, database: Connection) -> None:
    for day in range(7):
        make_backup(tmp_path, BackupKind.DAILY, now_utc=NOON.replace(year=2040) + timedelta(days=day))
    new = make_backup(tmp_path, BackupKind.DAILY, now_utc=NOON)
    assert new in list_backups(tmp_path)
    assert not is_backup_due(tmp_path, now_utc=NOON + timedelta(hours=1), every_h=24)


def test_backups_before_migrations_are_a_ring_of_their_own(tmp_path: Path, database: Connection) -> None:
    daily = make_backup(tmp_path, BackupKind.DAILY)
    made = [backup_before_migration(tmp_path, ["m002_stations"]) for _ in range(KEPT_BEFORE_CHANGES + 2)]
    assert set(list_backups(tmp_path)) == {daily, *made[-KEPT_BEFORE_CHANGES:]}


def test_two_backups_of_one_millisecond_are_two(tmp_path: Path, database: Connection) -> None:
    made = {make_backup(tmp_path, BackupKind.MANUAL, now_utc=NOON) for _ in range(3)}
    assert set(list_backups(tmp_path)) == made
    assert len(made) == 3


@pytest.mark.parametrize(("age_h", "due"), [(0, False), (23.9, False), (24, True), (-1, True)])
def test_a_daily_backup_is_due_after_a_day_or_when_it_is_dated_ahead(tmp_path: Path, database: Connection, age_h: float, due: bool) -> None:
    make_backup(tmp_path, BackupKind.DAILY, now_utc=NOON)
    assert is_backup_due(tmp_path, now_utc=NOON + timedelta(hours=age_h), every_h=24) is due


def test_a_manual_backup_does_not_put_off_the_daily_one(tmp_path: Path, database: Connection) -> None:
    make_backup(tmp_path, BackupKind.MANUAL, now_utc=NOON)
    assert is_backup_due(tmp_path, now_utc=NOON, every_h=24)


def test_what_a_killed_backup_left_is_not_listed_and_goes_with_the_next(tmp_path: Path, database: Connection) -> None:
    folder = tmp_path / BACKUPS_FOLDER
    folder.mkdir()
    (folder / "edge-20260603T110000000Z-daily.db.part").write_bytes(b"half")
    (folder / "edge-20260603T110000000Z-daily.db.part-journal").write_bytes(b"half")
    (folder / "edge-20260603T110000000Z-daily.db.sha256").write_text("0  x\n")
    (folder / "notes.txt").write_text("mine")
    assert list_backups(tmp_path) == ()
    backup = make_backup(tmp_path, BackupKind.DAILY)
    assert {path.name for path in folder.iterdir()} == {backup.path.name, f"{backup.path.name}.sha256", "notes.txt", "edge.lock"}


BACK_UP = """
import sys
from pathlib import Path
from edge.store.backup import BackupKind, make_backup
while True:
    make_backup(Path(sys.argv[1]), BackupKind.DAILY)
    print("made", flush=True)
"""


def test_a_backup_killed_in_the_middle_leaves_only_whole_ones(tmp_path: Path, database: Connection, checkout: Path) -> None:
    for delay_s in (0.0, 0.004, 0.011):
        with subprocess.Popen([sys.executable, "-c", BACK_UP, str(tmp_path)], cwd=checkout, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay_s)
            child.kill()
        for backup in list_backups(tmp_path):
            assert count_objects(backup.path) == 1001
    assert list_backups(tmp_path)
    make_backup(tmp_path, BackupKind.DAILY)
    assert not list((tmp_path / BACKUPS_FOLDER).glob("*.part*"))


def test_two_backups_at_once_are_refused(tmp_path: Path, database: Connection) -> None:
    (tmp_path / BACKUPS_FOLDER).mkdir()
    lock = HomeLock(tmp_path / BACKUPS_FOLDER)
    lock.acquire()
    with pytest.raises(BusyError):
        make_backup(tmp_path, BackupKind.DAILY)
    lock.release()
    make_backup(tmp_path, BackupKind.DAILY)


def test_a_damaged_database_gives_no_backup_and_loses_none(tmp_path: Path, database: Connection) -> None:
    good = make_backup(tmp_path, BackupKind.DAILY)
    database.close()
    path = tmp_path / DATABASE_NAME
    with path.open("rb+") as file:
        for page in range(10, path.stat().st_size // 4096, 5):
            file.seek(page * 4096)
            file.write(os.urandom(2048))
    with pytest.raises(StoreCorruptError):
        make_backup(tmp_path, BackupKind.DAILY)
    assert list_backups(tmp_path) == (good,)
    assert not list((tmp_path / BACKUPS_FOLDER).glob("*.part*"))


def test_no_database_is_an_error_not_an_empty_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        make_backup(tmp_path, BackupKind.MANUAL)
    assert list_backups(tmp_path) == ()


def test_room_that_must_stay_free_is_left_alone(tmp_path: Path, database: Connection) -> None:
    with pytest.raises(DiskFullError, match="MiB free"):
        make_backup(tmp_path, BackupKind.DAILY, reserve_bytes=1 << 60)
    assert list_backups(tmp_path) == ()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as home:
        connection = open_database(home)
        fill(connection, add_station(connection, home / "inbox"), add_model(connection), images=100, objects_per_image=100)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        filler = fill_disk(home, leave_bytes=200_000)
        with pytest.raises(DiskFullError):
            make_backup(home, BackupKind.DAILY)
        with pytest.raises(DiskFullError, match="no room"):
            make_backup(home, BackupKind.DAILY, reserve_bytes=-(1 << 40))  # past the count of room: it runs out in the middle
        assert {path.name for path in (home / BACKUPS_FOLDER).iterdir()} <= {"edge.lock"}
        filler.unlink()
        assert make_backup(home, BackupKind.DAILY).size_bytes > 0
        connection.close()


LIMITED = """
import resource, sys
from pathlib import Path
from edge.errors import StoreError
from edge.store.backup import BackupKind, list_backups, make_backup
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    make_backup(Path(sys.argv[1]), BackupKind.DAILY)
except StoreError as error:
    print(type(error).__name__, list_backups(Path(sys.argv[1])), [p.name for p in Path(sys.argv[1], "backups").glob("*.part*")])
"""


def test_a_file_size_limit_fails_the_backup_and_leaves_nothing(tmp_path: Path, database: Connection, checkout: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    ran = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], cwd=checkout, capture_output=True, text=True, check=True)
    assert ran.stdout.strip().splitlines()[-1] in ("StoreError () []", "DiskFullError () []")
    assert make_backup(tmp_path, BackupKind.DAILY).size_bytes > 100_000
