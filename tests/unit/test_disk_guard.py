from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.health.disk import DiskFloor, DiskGuard, DiskLevel
from edge.settings import Settings
from edge.store.ballast import Ballast
from edge.units import mib_to_bytes
from tests.helpers.small_disk import fill_disk, small_disk

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("free", "before", "after"),
    [
        (1000, DiskLevel.OK, DiskLevel.OK),
        (999, DiskLevel.OK, DiskLevel.LOW),
        (1000, DiskLevel.LOW, DiskLevel.LOW),
        (1049, DiskLevel.LOW, DiskLevel.LOW),
        (1050, DiskLevel.LOW, DiskLevel.OK),
        (100, DiskLevel.LOW, DiskLevel.LOW),
        (99, DiskLevel.LOW, DiskLevel.FULL),
        (99, DiskLevel.OK, DiskLevel.FULL),
        (104, DiskLevel.FULL, DiskLevel.FULL),
        (105, DiskLevel.FULL, DiskLevel.LOW),
        (5000, DiskLevel.FULL, DiskLevel.OK),
        (0, DiskLevel.OK, DiskLevel.FULL),
    ],
)
def test_levels_and_their_margins(free: int, before: DiskLevel, after: DiskLevel) -> None:
    assert DiskFloor(floor_bytes=1000, full_bytes=100).judge(free, before) is after


@pytest.mark.parametrize(("floor_mib", "full_mib"), [(1024, 64), (256, 64), (16, 4)])
def test_full_is_below_the_floor(floor_mib: int, full_mib: int) -> None:
    assert DiskFloor.of_bytes(floor_mib * MIB).full_bytes == full_mib * MIB


def test_the_ballast_is_really_allocated(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast.bin", 3 * MIB + 7)
    assert ballast.held_bytes() == 0
    assert ballast.hold()
    assert ballast.held_bytes() == 3 * MIB + 7
    assert (tmp_path / "ballast.bin").stat().st_blocks * 512 >= 3 * MIB
    assert ballast.release() == 3 * MIB + 7
    assert not (tmp_path / "ballast.bin").exists()
    assert ballast.release() == 0


def test_a_ballast_that_is_only_a_hole_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "ballast.bin"
    with path.open("wb") as file:
        file.truncate(3 * MIB)
    ballast = Ballast(path, 3 * MIB)
    assert ballast.held_bytes() == 0
    assert ballast.hold()
    assert ballast.held_bytes() == 3 * MIB


def test_without_fallocate_the_ballast_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    ballast = Ballast(tmp_path / "ballast.bin", 2 * MIB + 5)
    assert ballast.hold()
    assert ballast.held_bytes() == 2 * MIB + 5


def test_no_ballast_at_all(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast.bin", 0)
    assert ballast.hold()
    assert ballast.release() == 0


def test_no_room_for_the_ballast_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        ballast = Ballast(disk / "ballast.bin", 5 * MIB)
        assert not ballast.hold()
        assert list(disk.iterdir()) == []


def test_the_guard_follows_a_disk_that_fills_and_empties(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 32) as home:
        ballast = Ballast(home / "ballast.bin", 8 * MIB)
        guard = DiskGuard(home, DiskFloor(floor_bytes=16 * MIB, full_bytes=2 * MIB), ballast)
        assert guard.level is DiskLevel.OK
        assert ballast.held_bytes() == 8 * MIB
        assert guard.total_bytes == 32 * MIB

        filler = fill_disk(home, leave_bytes=10 * MIB)
        assert guard.look() is DiskLevel.LOW
        assert ballast.held_bytes() == 8 * MIB

        filler.unlink()
        filler = fill_disk(home, leave_bytes=1 * MIB)
        assert guard.look() is DiskLevel.FULL
        assert ballast.held_bytes() == 0
        assert guard.look() is DiskLevel.FULL, "the room of the ballast is no room"
        assert guard.free_bytes <= 1 * MIB
        (home / "what SQLite needs").write_bytes(bytes(7 * MIB))

        filler.unlink()
        assert guard.look() is not DiskLevel.FULL
        (home / "what SQLite needs").unlink()
        assert guard.look() is DiskLevel.OK
        assert ballast.held_bytes() == 8 * MIB


def test_a_failed_write_releases_the_ballast_at_once(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast.bin", 1 * MIB)
    guard = DiskGuard(tmp_path, DiskFloor(floor_bytes=1000, full_bytes=100), ballast)
    guard.note_full()
    assert guard.level is DiskLevel.FULL
    assert ballast.held_bytes() == 0
    assert guard.look() is DiskLevel.OK
    assert ballast.held_bytes() == 1 * MIB


def test_the_guard_of_the_settings(tmp_path: Path) -> None:
    guard = DiskGuard.for_home(tmp_path, Settings(min_free_mb=16, ballast_mb=1))
    assert guard.floor_bytes == mib_to_bytes(16)
    assert (tmp_path / "ballast.bin").stat().st_size == MIB


def test_a_home_that_is_gone_is_an_error_not_a_full_disk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    guard = DiskGuard(home, DiskFloor(floor_bytes=1000, full_bytes=100), Ballast(home / "ballast.bin", 0))
    home.rmdir()
    with pytest.raises(FileNotFoundError):
        guard.look()
    assert guard.level is DiskLevel.OK
