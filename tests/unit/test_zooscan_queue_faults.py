"""What goes wrong around a scan in hand: a full disk, no process to be had, files that change; and what a signature freezes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
from structlog.testing import capture_logs

from edge.errors import DiskFullError, ModelError, Reason, ScanRefusedError
from edge.store.durable import file_sha256
from edge.store.reads import zooscan as reads
from edge.store.writer import Work, Writes
from edge.zooscan.desk.queueing import CLEAN_PICTURES
from edge.zooscan.engine.engine import PixelEngine
from edge.zooscan.process.clean_file import CLEAN_NAME
from edge.zooscan.process.pictures import OVERVIEW_NAME
from tests.helpers.scan_lab import ScanLab, scan_lab
from tests.helpers.zooscan import meta_text, write_project

T = TypeVar("T")
RAW = "Zooscan_scan/_raw/st66_d1_raw_1.tif"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ScanLab]:
    with scan_lab(tmp_path / "home", tmp_path / "scans") as opened:
        yield opened


def project_of(lab: ScanLab) -> Path:
    return lab.folder / "Zooscan_test_sn033"


class FullWriter:
    """A writer whose disk is full for some calls."""

    def __init__(self, writer: Writes) -> None:
        self._writer = writer
        self.refuses = 0

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        if self.refuses:
            self.refuses -= 1
            raise DiskFullError("the disk has no room")
        return self._writer.call(work, quiet=quiet)


def test_a_result_that_cannot_be_written_is_made_again_when_there_is_room(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    writer = FullWriter(lab.writer)
    lab.desk.writer = writer
    stage = lab.desk._set_stage

    def fill_up(name: str) -> None:
        stage(name)
        writer.refuses = 3  # the result, and twice that it is queued again

    lab.desk._set_stage = fill_up  # type: ignore[assignment]
    with pytest.raises(DiskFullError):
        lab.desk._work_once()
    assert (lab.scan().state, lab.run_folders()) == ("processing", [])
    lab.desk._set_stage = stage  # type: ignore[method-assign]
    done = lab.desk._work_once()
    assert done is not None
    assert (done.state, done.attempts, len(lab.run_folders())) == ("done", 1, 1)


def test_a_fault_of_the_appliances_own_is_no_endless_loop(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()

    def break_down(*_: object) -> NoReturn:
        raise RuntimeError("a fault")

    lab.desk.engine.process = break_down  # type: ignore[assignment]
    for _ in range(4):
        lab.desk._guarded(lab.desk._work_once)
    row = lab.scan()
    assert (row.state, row.reason, row.attempts) == ("failed", Reason.WORKER_DIED, 3)
    assert "a fault" in row.detail


def test_a_process_that_cannot_be_started_is_an_attempt_and_the_scan_is_queued(lab: ScanLab, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()

    def no_process(_: object) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr("multiprocessing.context.SpawnProcess._Popen", staticmethod(no_process))
        row = lab.desk.process_next()
    assert row is not None
    assert (row.state, row.attempts, lab.run_folders()) == ("queued", 1, [])
    row = lab.desk.process_next()
    assert row is not None
    assert (row.state, row.attempts) == ("done", 2)


def test_no_process_is_left_when_the_classifier_cannot_be_had(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    engine = lab.desk.engine
    assert isinstance(engine, PixelEngine)

    def refuse() -> NoReturn:
        raise ModelError("no variant works here")

    engine._classifier = refuse
    done = lab.desk._work_once()
    assert done is not None
    assert (done.state, done.run_id, lab.run_folders()) == ("failed", None, [])
    assert "no variant works here" in (done.detail or "")
    assert not multiprocessing.active_children()


def test_whatever_goes_wrong_a_scan_is_in_hand_no_more(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()

    def break_down(*_: object) -> NoReturn:
        raise OSError(12, "Cannot allocate memory")

    lab.desk.engine.process = break_down  # type: ignore[assignment]
    with pytest.raises(OSError, match="allocate"):
        lab.desk.process_next()
    assert (lab.scan().state, lab.scan().attempts) == ("queued", 1)
    lab.writer.call(lambda connection: connection.execute("UPDATE zooscan_scans SET state = 'processing'"))
    lab.desk.may_begin = lambda: False
    lab.desk._work_once()
    assert lab.scan().state == "queued", "what nobody works on is reclaimed while the appliance runs"


def test_a_project_that_goes_while_its_scan_is_in_hand_is_told_as_away_and_not_as_changed(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    stage = lab.desk._set_stage

    def unplug(name: str) -> None:
        stage(name)
        if name == "measure":
            project_of(lab).rename(lab.folder.parent / "away")

    lab.desk._set_stage = unplug  # type: ignore[assignment]
    with capture_logs() as told:
        row = lab.desk.process_next()
    assert row is not None
    assert (row.state, row.attempts, lab.run_folders()) == ("queued", 0, [])
    (why,) = (one["why"] for one in told if one["event"] == "scan_put_back")
    assert "its medium is out" in why
    assert "its medium is out" in row.project_trouble


def test_a_background_that_changes_while_it_is_read_is_noticed_and_both_are_kept_by_their_hashes(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    first, second = sorted((project_of(lab) / "Zooscan_back").iterdir())
    stage = lab.desk._set_stage

    def touch(name: str) -> None:
        stage(name)
        os.utime(second, ns=(1, 1))

    lab.desk._set_stage = touch  # type: ignore[assignment]
    row = lab.desk.process_next()
    assert row is not None
    assert (row.state, lab.run_folders()) == ("queued", [])
    lab.desk._set_stage = stage  # type: ignore[method-assign]
    lab.desk.process_next()
    with lab.desk.reader() as connection:
        run = reads.current_run(connection, lab.scan().id)
    assert run is not None
    assert [run.background1_sha256, run.background2_sha256] == [file_sha256(first), file_sha256(second)]


def test_only_the_current_result_keeps_its_clean_picture(lab: ScanLab) -> None:
    assert CLEAN_PICTURES == (CLEAN_NAME, OVERVIEW_NAME)
    write_project(project_of(lab), objects=3)
    lab.look()
    for _ in range(2):
        lab.desk.process_next()
        lab.desk.reprocess(lab.scan().uuid, actor="mary")
    lab.desk.process_next()
    with lab.desk.reader() as connection:
        newest, *older = reads.runs_of(connection, lab.scan().id)
    assert (lab.home / newest.folder / CLEAN_NAME).exists()
    assert [sorted(path.name for path in (lab.home / run.folder).iterdir()) for run in older] == [["vignettes.zip"]] * 2


def test_the_result_before_a_failure_is_not_signed(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    lab.desk.process_next()
    lab.desk.reprocess(lab.scan().uuid, actor="mary")
    content = (project_of(lab) / RAW).read_bytes()
    (project_of(lab) / RAW).write_bytes(content[: len(content) // 2])
    lab.look()
    lab.desk.process_next()
    assert (lab.scan().state, lab.scan().objects) == ("failed", 3)
    with pytest.raises(ScanRefusedError, match="signed is what is done"):
        lab.desk.sign(lab.scan().uuid, actor="mary")


def test_a_meta_corrected_while_it_was_signed_holds_when_the_signature_is_withdrawn(lab: ScanLab) -> None:
    write_project(project_of(lab), objects=3)
    lab.look()
    lab.desk.process_next()
    row = lab.scan()

    def held() -> bytes | None:
        with lab.desk.reader() as connection:
            return reads.scan_texts(connection, row.id).meta

    lab.desk.sign(row.uuid, actor="mary")
    corrected = meta_text(Vol="7").encode()
    (project_of(lab) / "Zooscan_scan/_raw/st66_d1_1_meta.txt").write_bytes(corrected)
    lab.look()
    assert held() != corrected
    lab.desk.withdraw(row.uuid, reason="wrong volume", actor="mary")
    lab.look()
    assert held() == corrected
