from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.errors import Reason
from edge.health.checks import (
    backups,
    clock,
    disk_space,
    failures,
    ignored_files,
    integrity,
    models,
    network_home,
    sqlite_version,
    watched_folders,
    workers,
)
from edge.health.context import FolderState, HealthContext
from edge.health.disk import DiskLevel
from edge.health.issue import Issue, IssueCode, Severity
from edge.store import audit, away
from edge.store.backup import BackupKind, make_backup
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import last_quick_check, put_fact, quick_check, record_quick_check
from edge.store.packs import VariantVerdict, record_verdicts
from edge.store.sqlite import Connection
from tests.helpers.seed import add_model, add_station, done, done_again, fill, open_database, quarantined, queued

MIB = 1024 * 1024
MakeContext = Callable[..., HealthContext]


@pytest.fixture
def database(tmp_path: Path) -> Connection:
    return open_database(tmp_path)


@pytest.fixture
def look(tmp_path: Path, database: Connection) -> MakeContext:
    """A context in which all is well, but for what is given."""

    def make(**changes: Any) -> HealthContext:
        fields: dict[str, Any] = {
            "connection": database,
            "home": tmp_path,
            "now_utc": datetime.now(UTC),
            "disk_level": DiskLevel.OK,
            "free_bytes": 5000 * MIB,
            "floor_bytes": 1024 * MIB,
            "backup_every_h": 24.0,
            "machine": "this machine",
        }
        return HealthContext(**(fields | changes))

    return make


def told(issues: list[Issue]) -> list[tuple[IssueCode, Severity, str]]:
    assert all(issue.message and issue.advice for issue in issues)
    return [(issue.code, issue.severity, issue.reference) for issue in issues]


# Disk ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (DiskLevel.OK, []),
        (DiskLevel.LOW, [(IssueCode.DISK_LOW, Severity.WARNING, "")]),
        (DiskLevel.FULL, [(IssueCode.DISK_FULL, Severity.ERROR, "")]),
    ],
)
def test_disk_space(look: MakeContext, level: DiskLevel, expected: list[Any]) -> None:
    issues = disk_space.run_check(look(disk_level=level, free_bytes=300 * MIB))
    assert told(issues) == expected
    assert all("300 MiB" in issue.message and "1024 MiB" in issue.advice for issue in issues)


# Watched folders -------------------------------------------------------------------------------------------------


def test_a_folder_that_holds_files_or_never_did_is_well(look: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    full = FolderState(path=tmp_path, known_files=True)
    new = FolderState(path=tmp_path / "inbox")
    assert watched_folders.run_check(look(folders=(full, new))) == []


def test_a_folder_that_is_gone_is_missing_not_empty(look: MakeContext, tmp_path: Path) -> None:
    gone = FolderState(path=tmp_path / "usb", known_files=True)
    assert told(watched_folders.run_check(look(folders=(gone,)))) == [(IssueCode.FOLDER_MISSING, Severity.ERROR, str(tmp_path / "usb"))]


def test_a_mount_point_without_its_mount_is_told(look: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    emptied = FolderState(path=tmp_path / "share", known_files=True)
    assert told(watched_folders.run_check(look(folders=(emptied,)))) == [
        (IssueCode.FOLDER_EMPTIED, Severity.ERROR, str(tmp_path / "share"))
    ]


def test_a_file_in_the_place_of_a_folder_is_missing(look: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("no folder")
    assert told(watched_folders.run_check(look(folders=(FolderState(path=tmp_path / "inbox"),))))[0][0] is IssueCode.FOLDER_MISSING


def test_a_folder_that_may_not_be_read(look: MakeContext, tmp_path: Path) -> None:
    unreadable = tmp_path / ("a" * 300)  # a name too long: even root gets an error other than "not there"
    assert told(watched_folders.run_check(look(folders=(FolderState(path=unreadable),))))[0][0] is IssueCode.FOLDER_UNREADABLE


def test_subfolders_with_troubles_are_named(look: MakeContext, tmp_path: Path) -> None:
    troubles = tuple(f"tow {number} cannot be read: Input/output error" for number in range(5))
    (issue,) = watched_folders.run_check(look(folders=(FolderState(path=tmp_path, troubles=troubles),)))
    assert issue.code is IssueCode.FOLDER_UNREADABLE
    assert "tow 2 cannot be read" in issue.message
    assert "and 2 more" in issue.message


# The database and its disk ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "safe"), [((3, 40, 1), False), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 4), True), ((4, 0, 0), True)]
)
def test_sqlite_version(version: tuple[int, ...], safe: bool) -> None:
    assert told(sqlite_version.judge_version(version)) == ([] if safe else [(IssueCode.SQLITE_UNSAFE, Severity.WARNING, "")])


def test_the_sqlite_that_runs_is_judged(look: MakeContext) -> None:
    from edge.store.sqlite import wal_is_safe

    assert (sqlite_version.run_check(look()) == []) is wal_is_safe()


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/home/ship/edge", "ext4", False),
        ("/mnt/nas/edge", "nfs4", True),
        ("/mnt/nas2/edge", "ext4", False),
        ("/mnt/nas/local/edge", "xfs", False),
        ("/media/win/edge", "cifs", True),
        ("/media/ssh", "fuse.sshfs", True),
        ("/media/ntfs/x", "fuseblk", False),
    ],
)
def test_the_longest_mount_above_the_home_decides(path: str, kind: str, network: bool) -> None:
    mounts = [("/", "rootfs"), ("/", "ext4"), ("/mnt/nas", "nfs4"), ("/mnt/nas/local", "xfs"), ("/media/win", "cifs")]
    mounts += [("/media/ssh", "fuse.sshfs"), ("/media/ntfs", "fuseblk")]
    assert network_home.file_system_of(Path(path), mounts) == kind
    assert network_home.is_network(path, kind) is network


def test_the_home_of_this_test_is_local(look: MakeContext) -> None:
    assert network_home.run_check(look()) == []


def test_integrity_follows_what_was_recorded(look: MakeContext, database: Connection) -> None:
    assert integrity.run_check(look()) == []
    record_quick_check(database, quick_check(database))
    assert integrity.run_check(look()) == []
    assert told(integrity.run_check(look(now_utc=datetime.now(UTC) + timedelta(days=15)))) == [
        (IssueCode.DATABASE_UNCHECKED, Severity.NOTICE, "")
    ]
    record_quick_check(database, ["row 7 missing from index runs_image", "wrong # of entries"])
    (issue,) = integrity.run_check(look())
    assert (issue.code, issue.severity) == (IssueCode.DATABASE_DAMAGED, Severity.ERROR)
    assert "row 7 missing" in issue.message


def test_a_quick_check_of_a_damaged_database_says_so(tmp_path: Path, database: Connection) -> None:
    fill(database, add_station(database, tmp_path / "inbox"), add_model(database), images=200, objects_per_image=10)
    assert quick_check(database) == []
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    path = tmp_path / DATABASE_NAME
    with path.open("rb+") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(4096))
    reader = open_reader(path)
    assert quick_check(reader) != []
    reader.close()
    assert last_quick_check(open_database(tmp_path / "other")) is None


# Clock and backups -----------------------------------------------------------------------------------------------


def test_a_clock_behind_what_was_written(look: MakeContext, database: Connection, tmp_path: Path) -> None:
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    assert clock.run_check(look(now_utc=long_ago)) == [], "a new database knows no time"
    done(database, add_station(database, tmp_path), b"a.jpg", add_model(database))
    assert clock.run_check(look()) == []
    assert clock.run_check(look(now_utc=datetime.now(UTC) - timedelta(minutes=4))) == []
    assert told(clock.run_check(look(now_utc=datetime.now(UTC) - timedelta(minutes=6)))) == [(IssueCode.CLOCK_BEHIND, Severity.WARNING, "")]


def test_the_audit_trail_tells_the_time_too(look: MakeContext, database: Connection) -> None:
    audit.append(database, "cli", "retry", "files", {})
    assert told(clock.run_check(look(now_utc=datetime(2001, 1, 1, tzinfo=UTC))))[0][0] is IssueCode.CLOCK_BEHIND


@pytest.mark.parametrize(("age_h", "expected"), [(1, []), (47, []), (49, [IssueCode.BACKUP_TOO_OLD]), (-2, [IssueCode.BACKUP_MISSING])])
def test_backups(look: MakeContext, tmp_path: Path, age_h: float, expected: list[IssueCode]) -> None:
    now = datetime.now(UTC)
    assert [issue.code for issue in backups.run_check(look())] == [IssueCode.BACKUP_MISSING]
    make_backup(tmp_path, BackupKind.MANUAL, now_utc=now - timedelta(hours=age_h))
    assert [issue.code for issue in backups.run_check(look(now_utc=now))] == expected


# Files and models ------------------------------------------------------------------------------------------------


def test_failures_by_recipe(look: MakeContext, database: Connection, tmp_path: Path) -> None:
    station = add_station(database, tmp_path / "inbox")
    pack = add_model(database)
    assert failures.run_check(look()) == []
    quarantined(database, station, b"a.jpg", reason=Reason.CORRUPT)
    quarantined(database, station, b"b.jpg", reason=Reason.TRUNCATED, content=b"b")
    (issue,) = failures.run_check(look())
    assert (issue.code, issue.reference) == (IssueCode.FAILURES_WAITING, "burrows")
    assert issue.message.startswith("2 files of burrows")
    again = done(database, station, b"c.jpg", pack)
    done_again(database, station, again.sha256, pack)
    database.execute("UPDATE jobs SET state = 'quarantined', reason = 'worker_died' WHERE kind = 'reprocess'")
    assert told(failures.run_check(look()))[1:] == [(IssueCode.REPROCESS_FAILED, Severity.NOTICE, "burrows")]


def test_ignored_files(look: MakeContext, tmp_path: Path) -> None:
    folders = (FolderState(path=tmp_path), FolderState(path=tmp_path / "usb", ignored_files=3))
    (issue,) = ignored_files.run_check(look(folders=folders))
    assert (issue.code, issue.severity, issue.reference) == (IssueCode.FILES_IGNORED, Severity.NOTICE, str(tmp_path / "usb"))
    assert "3 files" in issue.message


def verdict(name: str, offered: bool, reason: str = "") -> VariantVerdict:
    return VariantVerdict(
        name=name,
        runtime="openvino",
        precision="int8",
        sha256="0" * 64,
        device="CPU",
        offered=offered,
        reason=reason,
        latency_ms=None,
        images_per_s=None,
        goldens_json="[]",
    )


def test_a_model_that_was_not_judged_here_yet_is_no_issue(look: MakeContext, database: Connection) -> None:
    add_model(database)
    assert models.run_check(look()) == []


def test_a_model_of_which_one_variant_works_serves(look: MakeContext, database: Connection) -> None:
    pack = add_model(database)
    record_verdicts(database, pack.model_id, "this machine", [verdict("ir-int8", True), verdict("onnx-cuda", False, "no CUDA device")])
    (issue,) = models.run_check(look())
    assert (issue.code, issue.severity, issue.reference) == (IssueCode.VARIANT_REFUSED, Severity.NOTICE, "burrows")
    assert "onnx-cuda: no CUDA device" in issue.message
    assert models.run_check(look(machine="another machine")) == []


def test_a_model_that_works_in_no_variant(look: MakeContext, database: Connection) -> None:
    pack = add_model(database)
    record_verdicts(database, pack.model_id, "this machine", [verdict("ir-int8", False, "golden 1: 2 of 5 objects missing")])
    issues = models.run_check(look())
    assert told(issues) == [(IssueCode.MODEL_UNUSABLE, Severity.ERROR, "burrows")]
    assert "2 of 5 objects missing" in issues[0].message


def test_a_model_that_the_service_cannot_serve(look: MakeContext, database: Connection) -> None:
    pack = add_model(database)
    record_verdicts(database, pack.model_id, "this machine", [verdict("ir-int8", True)])
    issues = models.run_check(look(model_faults={"burrows": "the pack is damaged"}))
    assert told(issues) == [(IssueCode.MODEL_UNUSABLE, Severity.ERROR, "burrows")]
    assert "the pack is damaged" in issues[0].message


def test_files_that_a_model_failed_on(look: MakeContext, database: Connection, tmp_path: Path) -> None:
    station = add_station(database, tmp_path / "inbox")
    quarantined(database, station, b"a.jpg", reason=Reason.CORRUPT)
    assert models.run_check(look()) == []
    quarantined(database, station, b"b.jpg", reason=Reason.MODEL_FAILED, content=b"b")
    (issue,) = models.run_check(look())
    assert (issue.code, issue.reference) == (IssueCode.MODEL_FAILED, "burrows")
    assert "1 file." in issue.message


# Workers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("restarts", "issues"), [(0, 0), (2, 0), (3, 1), (50, 1)])
def test_workers(look: MakeContext, restarts: int, issues: int) -> None:
    assert len(workers.run_check(look(worker_restarts={"burrows": restarts, "litter": 0}))) == issues


def test_restarts_leave_the_window_after_ten_minutes() -> None:
    window = workers.RestartWindow()
    assert window.note(0, 0.0) == 0
    assert window.note(2, 10.0) == 2
    assert window.note(2, 20.0) == 2
    assert window.note(3, 300.0) == 3
    assert window.note(3, 609.0) == 3
    assert window.note(3, 611.0) == 1
    assert window.note(3, 901.0) == 0


def test_facts_are_replaced(database: Connection) -> None:
    put_fact(database, "quick_check_utc", "1")
    put_fact(database, "quick_check_utc", "2")
    assert [tuple(row) for row in database.execute("SELECT name, value FROM facts")] == [("quick_check_utc", "2")]


# Folders that are away --------------------------------------------------------------------------------------------


def test_what_waits_for_a_watched_folder_is_told_with_it(look: MakeContext, database: Connection, tmp_path: Path) -> None:
    station = add_station(database, tmp_path / "stick", b"tow 1")
    for number in range(3):
        queued(database, station, b"%d.jpg" % number)
    away.mark_away(database, [station.folder_id])
    (issue,) = watched_folders.run_check(look(folders=(FolderState(path=tmp_path / "stick"),)))
    assert issue.code is IssueCode.FOLDER_MISSING
    assert "3 queued files wait for it" in issue.message


def test_what_waits_for_a_folder_that_is_not_watched_any_longer_is_told_too(
    look: MakeContext, database: Connection, tmp_path: Path
) -> None:
    station = add_station(database, tmp_path / "stick", b"tow 1")
    queued(database, station, b"a.jpg")
    assert watched_folders.run_check(look()) == []
    away.mark_away(database, [station.folder_id])
    (issue,) = watched_folders.run_check(look())
    assert told([issue]) == [(IssueCode.FOLDER_MISSING, Severity.ERROR, str(tmp_path / "stick"))]
    assert "1 queued file waits for it" in issue.message


def test_an_empty_mount_point_of_the_start_is_an_emptied_folder(look: MakeContext, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    folder = FolderState(path=tmp_path / "stick", troubles=("it is empty, but files were known in it",))
    assert [issue.code for issue in watched_folders.run_check(look(folders=(folder,)))] == [IssueCode.FOLDER_EMPTIED]
