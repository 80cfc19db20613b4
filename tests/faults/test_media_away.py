"""A medium is pulled out while its files wait to be processed: they wait as queued, told with the folder, and go on when it is back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.small_disk import small_disk
from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, query, states, wait_until, write_picture

STILLS = 40
OTHERS = 5
IN_HAND = 8  # what a dispatcher gives to a worker of two threads


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    make_tiny_home(folder, tmp_path / "pack")
    return folder


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Path]:
    """A medium of its own, with stills on it, mounted where `plug` says."""
    with small_disk(tmp_path / "stick", 16) as disk:
        for number in range(STILLS):
            write_picture(disk / f"tow {number % 3}", f"{number}.png", seed=number)
        yield disk


def plug(stick: Path, where: Path) -> None:
    subprocess.run(["mount", "--bind", stick, where], check=True)


def pull(where: Path) -> None:
    subprocess.run(["umount", "-l", where], check=False)


def watch(home: Path, folder: Path) -> None:
    with (home / "settings.toml").open("a") as settings:
        settings.write(f'[[watched]]\npath = "{folder}"\nrecipe = "burrows"\n')


def folder_issues(home: Path) -> list[tuple[str, str]]:
    rows = query(home, "SELECT reference, message FROM issues WHERE resolved_utc IS NULL AND code LIKE 'folder_%'")
    return [(reference, message) for reference, message in rows]


def waiting_with_reason(home: Path, folder: Path, count: int) -> bool:
    return any(reference == str(folder) and f"{count} queued files wait for it" in message for reference, message in folder_issues(home))


def done_of_others(home: Path) -> int:
    return int(query(home, "SELECT count(*) FROM v_files WHERE name LIKE 'other%' AND state = 'done'")[0][0])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("below", [False, True], ids=["the watched folder itself", "a folder in it"])
def test_files_wait_for_their_medium(home: Path, stick: Path, tmp_path: Path, below: bool) -> None:
    watched = tmp_path / "watched"
    mount = watched / "stick" if below else watched
    mount.mkdir(parents=True)
    watch(home, watched)
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        wait_until(lambda: appliance.worker_pid() is not None, "there is a worker")
        write_picture(home / "inbox" / "burrows", "other first.png", seed=999)
        wait_until(lambda: done_of_others(home) == 1, "it works")
        worker = appliance.worker_pid()
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        plug(stick, mount)
        wait_until(lambda: states(home) == {"done": 1, "queued": STILLS - IN_HAND, "leased": IN_HAND}, "all is queued")
        pull(mount)
        os.kill(worker, signal.SIGCONT)
        for number in range(OTHERS):
            write_picture(home / "inbox" / "burrows", f"other {number}.png", seed=1000 + number)
        wait_until(lambda: done_of_others(home) == 1 + OTHERS, "others go on")
        wait_until(lambda: waiting_with_reason(home, watched, STILLS), "the folder is told, and how much waits for it")
        assert states(home) == {"done": 1 + OTHERS, "queued": STILLS}
        assert appliance.stop() == 0

        appliance = RunningAppliance(home)
        appliance.wait_ready()
        write_picture(home / "inbox" / "burrows", "other again.png", seed=2000)
        wait_until(lambda: done_of_others(home) == 2 + OTHERS, "others go on after a restart without the medium")
        wait_until(lambda: waiting_with_reason(home, watched, STILLS), "it is told again")
        assert states(home) == {"done": 2 + OTHERS, "queued": STILLS}
        plug(stick, mount)
        wait_until(lambda: states(home) == {"done": 2 + OTHERS + STILLS}, "the files of the medium have their results")
        wait_until(lambda: folder_issues(home) == [], "nothing is told any more")
        assert appliance.stop() == 0
        assert_accounted_for(home, 2 + OTHERS + STILLS)
    finally:
        appliance.kill()
        pull(mount)


@pytest.mark.timeout(300)
def test_what_was_removed_by_a_person_does_not_wait(home: Path, tmp_path: Path) -> None:
    """The folder is there and can be read, the file is not in it: that is a failure with its reason."""
    inbox = home / "inbox" / "burrows"
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        write_picture(inbox, "first.png", seed=1)
        wait_until(lambda: states(home) == {"done": 1}, "it works")
        worker = appliance.worker_pid()
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        for number in range(4):
            write_picture(inbox / "tow", f"{number}.png", seed=10 + number)
        wait_until(lambda: states(home) == {"done": 1, "leased": 4}, "all are in the worker's hands")
        shutil.rmtree(inbox / "tow")
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: states(home) == {"done": 1, "quarantined": 4}, "they failed")
        assert query(home, "SELECT DISTINCT reason FROM v_files WHERE state = 'quarantined'") == [("vanished",)]
        assert appliance.stop() == 0
    finally:
        appliance.kill()
