from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.errors import StoreCorruptError, StoreError, StoreNewerError
from edge.store.backup import Backup, BackupKind, list_backups, make_backup
from edge.store.connection import DATABASE_NAME, check_integrity, open_reader, open_writer
from edge.store.restore import finish_restore, restore
from tests.helpers.seed import add_model, add_station, done, fill, open_database
from tests.helpers.small_disk import fill_disk, small_disk

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    """A home with a backup of 51 results, and one more result after it, committed and only in the WAL."""
    connection = open_database(tmp_path)
    station = add_station(connection, tmp_path / "inbox")
    pack = add_model(connection)
    done(connection, station, b"one.jpg", pack, boxes=[(1, 2, 3, 4, 0.9, 0)])
    fill(connection, station, pack, images=50, objects_per_image=20)
    made = make_backup(tmp_path, BackupKind.DAILY, now_utc=NOON)
    done(connection, station, b"two.jpg", pack)
    _leave_as_a_kill_would(tmp_path)
    connection.close()
    for name in ("edge.db", "edge.db-wal", "edge.db-shm"):
        shutil.copy(tmp_path / "killed" / name, tmp_path / name)
    return made


def _leave_as_a_kill_would(home: Path) -> None:
    (home / "killed").mkdir()
    for name in ("edge.db", "edge.db-wal", "edge.db-shm"):
        shutil.copy(home / name, home / "killed" / name)


def count_runs(path: Path) -> int:
    connection = open_reader(path)
    try:
        check_integrity(path, connection, limit_s=60)
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
    finally:
        connection.close()


def damage(path: Path, *, start: int, length: int = 3000) -> None:
    with path.open("rb+") as file:
        file.seek(start)
        file.write(os.urandom(length))


def test_the_backup_is_the_database_and_the_one_before_is_kept_whole(tmp_path: Path, backup: Backup) -> None:
    restored = restore(tmp_path, backup.path, now_utc=NOON)
    assert count_runs(tmp_path / DATABASE_NAME) == 51
    assert restored.source == backup.path
    assert restored.set_aside == tmp_path / "set_aside" / "20260603T120000000Z"
    assert count_runs(restored.set_aside / DATABASE_NAME) == 52, "the WAL must move with its database"
    assert restored.saved is not None
    assert count_runs(restored.saved.path) == 52
    assert not list(tmp_path.glob("edge.db.restoring*"))
    assert not (tmp_path / "edge.db-wal").exists()


def test_a_restore_can_be_taken_back(tmp_path: Path, backup: Backup) -> None:
    saved = restore(tmp_path, backup.path).saved
    assert saved is not None
    restore(tmp_path, saved.path)
    assert count_runs(tmp_path / DATABASE_NAME) == 52
    assert len(list((tmp_path / "set_aside").iterdir())) == 2


def test_what_was_set_aside_can_be_restored_with_its_wal(tmp_path: Path, backup: Backup) -> None:
    restored = restore(tmp_path, backup.path)
    assert restored.set_aside is not None
    shutil.rmtree(tmp_path / "backups")
    restore(tmp_path, restored.set_aside / DATABASE_NAME)
    assert count_runs(tmp_path / DATABASE_NAME) == 52


def test_the_restored_database_is_written_to_as_before(tmp_path: Path, backup: Backup) -> None:
    restore(tmp_path, backup.path)
    connection = open_writer(tmp_path / DATABASE_NAME)
    done(connection, add_station(connection, tmp_path / "inbox"), b"three.jpg", add_model(connection))
    connection.close()
    assert count_runs(tmp_path / DATABASE_NAME) == 52


@pytest.mark.parametrize("start", [0, 40, 4096, 40_000])
def test_a_corrupt_database_is_replaced_and_kept(tmp_path: Path, backup: Backup, start: int) -> None:
    damage(tmp_path / DATABASE_NAME, start=start)
    ruins = (tmp_path / DATABASE_NAME).read_bytes()
    restored = restore(tmp_path, backup.path)
    assert count_runs(tmp_path / DATABASE_NAME) == 51
    assert restored.set_aside is not None
    assert (restored.set_aside / DATABASE_NAME).read_bytes() == ruins
    assert (restored.set_aside / "edge.db-wal").exists()


def test_a_missing_database_is_restored(tmp_path: Path, backup: Backup) -> None:
    (tmp_path / DATABASE_NAME).unlink()
    restored = restore(tmp_path, backup.path)
    assert count_runs(tmp_path / DATABASE_NAME) == 51
    assert restored.saved is None
    assert restored.set_aside is not None
    assert (restored.set_aside / "edge.db-wal").exists(), "a WAL without its database must not meet the restored one"


def test_into_an_empty_home(tmp_path: Path, backup: Backup) -> None:
    restored = restore(tmp_path / "new", backup.path)
    assert (restored.set_aside, restored.saved) == (None, None)
    assert count_runs(tmp_path / "new" / DATABASE_NAME) == 51


def assert_refused(home: Path, source: Path, error: type[StoreError], match: str) -> None:
    before = {path.name: path.read_bytes() for path in home.glob("edge.db*")}
    with pytest.raises(error, match=match):
        restore(home, source)
    assert {path.name: path.read_bytes() for path in home.glob("edge.db*")} == before
    assert not (home / "set_aside").exists()


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.95])
def test_a_backup_with_bytes_overwritten_is_refused(tmp_path: Path, backup: Backup, place: float) -> None:
    damage(backup.path, start=int(backup.size_bytes * place), length=64)
    assert_refused(tmp_path, backup.path, StoreCorruptError, "have changed")


def test_one_digit_rotten_in_a_text_is_found_by_the_hash_alone(tmp_path: Path, backup: Backup) -> None:
    content = backup.path.read_bytes()
    backup.path.write_bytes(content.replace(b"still-00000007.jpg", b"still-00000008.jpg", 1))
    assert count_runs(backup.path) == 51, "SQLite's own check sees nothing"
    assert_refused(tmp_path, backup.path, StoreCorruptError, "have changed")


def test_without_its_hash_a_damaged_backup_is_refused_by_sqlite(tmp_path: Path, backup: Backup) -> None:
    backup.path.with_name(backup.path.name + ".sha256").unlink()
    damage(backup.path, start=backup.size_bytes // 2 // 4096 * 4096, length=4096)
    assert_refused(tmp_path, backup.path, StoreCorruptError, "damaged")


def test_damage_that_a_copy_would_carry_along_is_found(tmp_path: Path, backup: Backup) -> None:
    backup.path.with_name(backup.path.name + ".sha256").unlink()
    reader = open_reader(backup.path)
    (page,) = reader.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_runs_1'").fetchone()
    reader.close()
    content = bytearray(backup.path.read_bytes())
    start, end = (page - 1) * 4096, page * 4096
    assert b"run-17" in content[start:end]
    content[start:end] = content[start:end].replace(b"run-17", b"run-xx")  # the index says what its table does not
    backup.path.write_bytes(content)
    assert count_runs(backup.path) == 51, "the quick check sees nothing"
    assert_refused(tmp_path, backup.path, StoreCorruptError, "damaged")


def test_a_backup_cut_short_is_refused(tmp_path: Path, backup: Backup) -> None:
    short = tmp_path / "short.db"
    short.write_bytes(backup.path.read_bytes()[: backup.size_bytes // 2])
    assert_refused(tmp_path, short, StoreCorruptError, "damaged")


def test_a_newer_backup_is_refused(tmp_path: Path, backup: Backup) -> None:
    copy = tmp_path / "newer.db"
    shutil.copy(backup.path, copy)
    connection = open_writer(copy)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "SELECT DISTINCT migration_set, 'm999_future', '' FROM _sqlite_migrations"
    )
    connection.close()
    assert_refused(tmp_path, copy, StoreNewerError, "m999_future")


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "no database of the appliance"), (b"not a database", "is damaged"), (b"SQLite format 3\0" + bytes(84), "is damaged")],
    ids=["empty", "text", "header only"],
)
def test_something_else_is_refused(tmp_path: Path, backup: Backup, content: bytes, match: str) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    assert_refused(tmp_path, other, StoreError, match)


def test_another_programs_database_is_refused(tmp_path: Path, backup: Backup) -> None:
    other = tmp_path / "other.db"
    connection = open_writer(other)
    connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.close()
    assert_refused(tmp_path, other, StoreError, "another program")


def test_a_backup_that_is_not_there_is_said_so(tmp_path: Path, backup: Backup) -> None:
    assert_refused(tmp_path, tmp_path / "absent.db", StoreError, "no backup")


@pytest.mark.parametrize("moved", [[], ["edge.db"], ["edge.db", "edge.db-wal"], ["edge.db", "edge.db-wal", "edge.db-shm"]])
def test_a_restore_cut_off_after_it_was_decided_is_completed(tmp_path: Path, backup: Backup, moved: list[str]) -> None:
    shutil.copy(backup.path, tmp_path / "edge.db.restoring-20260603T120000000Z")
    aside = tmp_path / "set_aside" / "20260603T120000000Z"
    for name in moved:
        aside.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).rename(aside / name)
    assert finish_restore(tmp_path) == aside
    assert count_runs(tmp_path / DATABASE_NAME) == 51
    assert count_runs(aside / DATABASE_NAME) == 52
    assert finish_restore(tmp_path) is None


def test_a_restore_cut_off_before_it_was_decided_changes_nothing(tmp_path: Path, backup: Backup) -> None:
    (tmp_path / "edge.db.restoring-20260603T120000000Z.part").write_bytes(b"half a copy")
    assert finish_restore(tmp_path) is None
    assert count_runs(tmp_path / DATABASE_NAME) == 52
    restore(tmp_path, backup.path)
    assert not list(tmp_path.glob("*.part*"))


RESTORE = """
import sys
from pathlib import Path
from edge.store.restore import restore
print("begun", flush=True)
restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_restore_killed_anywhere_leaves_one_whole_database(tmp_path: Path, backup: Backup, checkout: Path) -> None:
    for delay_s in (0.002, 0.01, 0.02, 0.03, 0.045, 0.07):
        with subprocess.Popen(
            [sys.executable, "-c", RESTORE, str(tmp_path), str(backup.path)], cwd=checkout, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay_s)
            child.kill()
        finish_restore(tmp_path)
        assert count_runs(tmp_path / DATABASE_NAME) in (51, 52)


def test_a_full_disk_leaves_the_present_database(tmp_path: Path, backup: Backup) -> None:
    with small_disk(tmp_path / "disk", 8) as home:
        connection = open_database(home)
        done(connection, add_station(connection, home / "inbox"), b"mine.jpg", add_model(connection))
        connection.close()
        filler = fill_disk(home, leave_bytes=100_000)
        with pytest.raises(StoreError, match="no room"):
            restore(home, backup.path)
        assert count_runs(home / DATABASE_NAME) == 1
        assert not list(home.glob("edge.db.restoring*"))
        assert not (home / "set_aside").exists()
        filler.unlink()
        restore(home, backup.path)
        assert count_runs(home / DATABASE_NAME) == 51


def test_the_ring_lists_what_was_before_the_restore(tmp_path: Path, backup: Backup) -> None:
    restore(tmp_path, backup.path)
    assert [made.kind for made in list_backups(tmp_path)] == [BackupKind.RESTORE, BackupKind.DAILY]
