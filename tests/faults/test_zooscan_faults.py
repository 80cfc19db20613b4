"""Scans and power cuts, killed processes, full disks: each ends as a result or as a listed failure, once, and nothing is left half done."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from edge.errors import Reason
from edge.store.reads import zooscan as reads
from tests.helpers.scan_lab import ScanLab, scan_lab
from tests.helpers.small_disk import fill_disk, small_disk
from tests.helpers.tiny_home import SETTINGS, RunningAppliance, make_tiny_home, wait_until
from tests.helpers.zooscan import write_project


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ScanLab]:
    with scan_lab(tmp_path / "home", tmp_path / "scans") as opened:
        write_project(opened.folder / "Zooscan_test_sn033", objects=12)
        yield opened


@contextmanager
def killing_children(times: int, when: Callable[[], bool] = lambda: True) -> Iterator[list[int]]:
    """Kill the first processes that this one spawns, as the machine does that runs out of memory."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not over.is_set() and len(killed) < times:
            for child in () if not when() else psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if child.pid not in killed and "spawn_main" in " ".join(child.cmdline()):
                        child.kill()
                        killed.append(child.pid)
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def test_a_scan_whose_process_is_killed_is_tried_again(lab: ScanLab) -> None:
    lab.look()
    with killing_children(1, when=lambda: bool(lab.run_folders())) as killed:
        lab.desk.process_next()
    assert (len(killed), lab.scan().state, lab.scan().attempts) == (1, "queued", 1)
    assert lab.run_folders() == [], "half a result is taken away"
    lab.desk.process_next()
    assert (lab.scan().state, lab.scan().objects, len(lab.run_folders())) == ("done", 12, 1)


def test_a_scan_whose_process_is_killed_three_times_has_failed(lab: ScanLab) -> None:
    lab.look()
    with killing_children(3):
        for _ in range(3):
            lab.desk.process_next()
    row = lab.scan()
    assert (row.state, row.reason, row.attempts) == ("failed", Reason.WORKER_DIED, 3)
    assert lab.desk.process_next() is None
    assert lab.desk.retry(row.uuid, actor="mary") == 1
    lab.desk.process_next()
    assert (lab.scan().state, len(lab.run_folders())) == ("done", 1)


def test_a_stop_puts_the_scan_down_and_counts_no_attempt(lab: ScanLab) -> None:
    lab.look()
    threading.Timer(0.3, lab.desk._stopping.set).start()  # what the service does first
    lab.desk.process_next()
    if lab.scan().state != "done":  # it may have been quicker
        assert (lab.scan().state, lab.scan().attempts, lab.run_folders()) == ("queued", 0, [])


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.0])
def test_a_kill_at_any_moment_leaves_one_result_in_the_end(tmp_path: Path, after_s: float) -> None:
    """The command is the appliance here: it holds the home and writes."""
    home, project = tmp_path / "home", tmp_path / "Zooscan_test_sn033"
    home.mkdir()
    (home / "settings.toml").write_text(SETTINGS)
    write_project(project, objects=12)
    command = [str(Path(sys.executable).with_name("imagine-edge")), "--home", str(home), "zooscan", "process", str(project), "--json"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: any(home.glob("zooscan/*/.*")) or first.poll() is not None, "it writes its result")
    time.sleep(after_s)
    family = [] if first.poll() is not None else psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    psutil.wait_procs(family, timeout=30)
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE], "no child outlives it"
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    with scan_lab(home, tmp_path / "none") as lab:
        (row,) = lab.scans()
        assert (row.state, row.objects) == ("done", 12)
        assert len(lab.run_folders()) == 1
        with lab.desk.reader() as connection:
            assert [run.folder for run in reads.runs_of(connection, row.id)] == lab.run_folders()
            assert connection.execute("SELECT count(*) FROM outbox WHERE kind = 'zooscan_run'").fetchone()[0] == 1


def test_what_an_appliance_left_half_done_is_taken_away_and_begun_anew(lab: ScanLab) -> None:
    lab.look()
    row = lab.scan()
    from edge.store.zooscan.scans import begin

    lab.writer.call(lambda connection: begin(connection, row.id))
    for name in ("01a20173-b733-72f2-a090-be749772fbff", ".01a20173-b733-72f2-a090-be749772fbff.unfinished"):
        (lab.home / "zooscan" / row.uuid / name).mkdir(parents=True)
    (lab.home / "zooscan" / "kept by others").mkdir()
    lab.desk.reclaim()
    assert (lab.scan().state, lab.scan().attempts) == ("queued", 1)
    assert lab.run_folders() == []
    assert (lab.home / "zooscan" / "kept by others").exists()
    lab.desk.process_next()
    lab.desk.reclaim()
    assert (lab.scan().state, len(lab.run_folders())) == ("done", 1)


def test_a_full_disk_puts_the_scan_off_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24) as disk, scan_lab(disk / "home", tmp_path / "scans") as lab:
        write_project(lab.folder / "Zooscan_test_sn033", objects=12)
        lab.look()
        filler = fill_disk(disk, leave_bytes=1_500_000)
        lab.desk.process_next()
        assert (lab.scan().state, lab.scan().attempts) == ("queued", 0)
        assert lab.run_folders() == []
        filler.unlink()
        lab.desk.process_next()
        assert (lab.scan().state, lab.scan().objects) == ("done", 12)


def test_the_appliance_takes_a_dropped_project_and_survives_a_kill(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    write_project(tmp_path / "made", objects=12)
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    os.replace(tmp_path / "made", home / "inbox" / "zooscan" / "Zooscan_test_sn033")
    wait_until(lambda: any(home.glob("zooscan/*/.*")) or any(home.glob("zooscan/*/*")), "it has begun")
    children = appliance.kill()
    psutil.wait_procs(children, timeout=30)
    appliance = RunningAppliance(home)
    try:
        wait_until(lambda: _state(home) == "done", "the scan is done")
    finally:
        assert appliance.stop() == 0
    with scan_lab(home, tmp_path / "none") as lab:
        assert (lab.scan().objects, len(lab.run_folders())) == (12, 1)


def _state(home: Path) -> str:
    from edge.store.connection import DATABASE_NAME, open_reader

    connection = open_reader(home / DATABASE_NAME)
    try:
        return "".join(reads.count_scans(connection))
    finally:
        connection.close()
