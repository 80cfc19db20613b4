"""What is found in watched folders: which scans wait for what, what is ready, gone, changed; a folder that is away is never empty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.store.zooscan import scans
from edge.zooscan.desk.watching import ScanWatch
from tests.helpers.zooscan import SCAN, log_text, meta_text, seed_scan, write_backgrounds

RAW = "Zooscan_scan/_raw/st66_d1_raw_1.tif"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    (tmp_path / "home").mkdir()
    store = open_store(tmp_path / "home", on_commit=lambda: None)
    yield store
    store.close()


class Look:
    """A watched folder with one project, its clock, and the database."""

    def __init__(self, folder: Path, writer: Writer) -> None:
        self.folder = folder
        self.project = folder / "Zooscan_test_sn033"
        self.writer = writer
        self.now_s = 0.0
        self.stops = False
        self.home = folder.parent / "home"
        self.watch = ScanWatch(writer=writer, reader=self.reader, settle_s=2.0)

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    def __call__(self, after_s: float = 2.0) -> ScanRow | None:
        self.now_s += after_s
        self.watch.look([self.folder], self.now_s)
        self.watch.compare_one(lambda: self.stops)
        with self.reader() as connection:
            rows = reads.list_scans(connection)
        return rows[0] if rows else None

    def scan(self, after_s: float = 2.0) -> ScanRow:
        row = self(after_s)
        assert row is not None
        return row

    def put(self, name: str, content: bytes) -> Path:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def put_all(self) -> None:
        """A project that looks whole; its pictures are only as large as they would be in relation to each other."""
        self.put(RAW, b"r" * 6400)
        self.put("Zooscan_scan/_raw/st66_d1_1_log.txt", log_text().encode())
        self.put("Zooscan_scan/_raw/st66_d1_1_meta.txt", meta_text().encode())
        for number in (1, 2):
            self.put(f"Zooscan_back/20260613_0805_back_large_raw_{number}.tif", b"b" * 100)

    def set_state(self, change: Callable[[Connection, int], object]) -> None:
        with self.reader() as connection:
            (row,) = reads.list_scans(connection)
        self.writer.call(lambda connection: change(connection, row.id))


@pytest.fixture
def look(tmp_path: Path, writer: Writer) -> Look:
    (tmp_path / "scans").mkdir()
    return Look(tmp_path / "scans", writer)


def test_a_scan_says_what_it_lacks_until_it_lacks_nothing(look: Look) -> None:
    assert look() is None
    look.put("Zooscan_scan/_raw/st66_d1_1_meta.txt", meta_text().encode())
    look()
    row = look.scan()
    assert (row.state, row.name) == ("waiting", SCAN)
    assert row.lacks == ("st66_d1_raw_1.tif", "st66_d1_1_log.txt")
    look.put("Zooscan_scan/_raw/st66_d1_1_log.txt", log_text().encode())
    look()
    assert look.scan().lacks == ("st66_d1_raw_1.tif", "both pictures of a background of the large frame dated 2026-06-13 09:15 or before")
    look.put_all()
    row = look.scan()
    assert row.state == "waiting"
    assert all("may still be copied" in lack for lack in row.lacks)
    assert look.watch.is_settling
    row = look.scan()
    assert (row.state, row.lacks, row.background) == ("queued", (), "20260613_0805_background_large_manual.tif")
    assert (row.scanned_local, row.serial, row.raw_bytes) == ("2026-06-13T09:15", "sn033", 6400)
    assert not look.watch.is_settling


def test_a_picture_that_grows_or_is_empty_waits(look: Look) -> None:
    look.put_all()
    look.put(RAW, b"")
    assert look.scan().lacks[0] == "the end of st66_d1_raw_1.tif, which may still be copied"
    assert look.scan().lacks == ("st66_d1_raw_1.tif, which is empty (0 bytes): copy or scan it again",), "it is never whole"
    assert not look.watch.is_settling, "and nobody looks at it every other second"
    for size in (100, 3000):
        look.put(RAW, b"r" * size)
        assert look.scan().state == "waiting"
    look.put(RAW, b"r" * 6400)
    assert look.scan().lacks == ("the end of st66_d1_raw_1.tif, which may still be copied",)
    assert look.scan(after_s=1.0).state == "waiting"
    assert look.scan(after_s=1.0).state == "queued"


def test_the_background_is_the_last_one_before_the_scan_of_its_frame(look: Look) -> None:
    look.put_all()
    for at, frame in (("20260613_0914", "narrow"), ("20260613_1000", "large"), ("20260612_1200", "large")):
        write_backgrounds(look.project / "Zooscan_back", at, frame=frame, height_px=16, width_px=16)
    look()
    assert look.scan().background == "20260613_0805_background_large_manual.tif"


def test_without_one_of_its_frame_a_background_that_fits_in_size_is_taken(look: Look) -> None:
    look.put_all()
    for number in (1, 2):
        (look.project / f"Zooscan_back/20260613_0805_back_large_raw_{number}.tif").unlink()
        look.put(f"Zooscan_back/20260612_0805_back_narrow_raw_{number}.tif", b"b" * 100)
        look.put(f"Zooscan_back/20260612_0905_back_narrow_raw_{number}.tif", b"b" * 170)
    look()
    assert look.scan().background == "20260612_0805_background_narrow_manual.tif"


def test_a_log_without_a_date_is_told(look: Look) -> None:
    look.put_all()
    look.put("Zooscan_scan/_raw/st66_d1_1_log.txt", b"PID\n[Image]\n")
    look()
    assert look.scan().lacks == ("a Scanning_date in st66_d1_1_log.txt, YYYYMMDD_HHMM",)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_a_log_of_any_windows_is_read_and_kept_to_the_letter(look: Look, encoding: str) -> None:
    look.put_all()
    content = (log_text() + "Scanop= Hélène\r\n").encode(encoding)
    look.put("Zooscan_scan/_raw/st66_d1_1_log.txt", content)
    look()
    row = look.scan()
    assert row.state == "queued"
    with look.reader() as connection:
        assert reads.scan_texts(connection, row.id).log == content


def test_folders_are_found_whatever_the_case_of_their_names(look: Look, tmp_path: Path) -> None:
    look.put_all()
    shutil.move(look.project / "Zooscan_scan", look.project / "zooscan_SCAN")
    shutil.move(look.project / "Zooscan_back", look.project / "ZOOSCAN_BACK")
    look.project.rename(tmp_path / "scans" / "zooscan_test_SN033")
    look()
    row = look.scan()
    assert (row.state, row.serial) == ("queued", "sn033")


def test_the_watched_folder_may_be_a_project_itself(look: Look) -> None:
    look.put_all()
    for _ in range(2):
        look.now_s += 2
        look.watch.look([look.project], look.now_s)
    assert look.scan().state == "queued"


def test_a_bare_scan_needs_a_background_and_no_texts(look: Look) -> None:
    (look.folder / "tow 7.tif").write_bytes(b"r" * 6400)
    look()
    assert look.scan().lacks == ("both pictures of a background",)
    write_backgrounds(look.folder, "20260613_0805", height_px=64, width_px=64)
    look()
    row = look.scan()
    assert (row.name, row.state, row.background, row.project) == ("tow 7", "queued", "20260613_0805_background_large_manual.tif", "scans")


def test_a_scan_whose_files_are_taken_away_is_gone_and_comes_back(look: Look) -> None:
    look.put_all()
    look()
    assert look.scan().state == "queued"
    for name in (RAW, "Zooscan_scan/_raw/st66_d1_1_log.txt", "Zooscan_scan/_raw/st66_d1_1_meta.txt"):
        (look.project / name).unlink()
    assert look.scan().state == "gone"
    look.put_all()
    look()
    assert look.scan().state == "queued"


@pytest.mark.parametrize("lost", ["", "Zooscan_scan", "Zooscan_scan/_raw"])
def test_a_folder_that_went_is_a_trouble_and_nothing_of_it_is_gone(look: Look, lost: str) -> None:
    look.put_all()
    look()
    assert look.scan().state == "queued"
    away = look.folder.parent / "away"
    shutil.move(look.project / lost, away)
    assert look.scan().state == "queued"
    (trouble,) = look.watch.troubles
    assert "its medium is out" in trouble.trouble
    with look.reader() as connection:
        (project,) = reads.list_projects(connection)
        assert project.trouble == trouble.trouble
        assert reads.next_queued(connection) is None, "what cannot be read is not begun"
    shutil.move(away, look.project / lost)
    assert look.scan().state == "queued"
    with look.reader() as connection:
        assert reads.next_queued(connection) is not None
    assert look.watch.troubles == ()


def test_a_watched_folder_that_is_not_there_is_a_trouble(look: Look) -> None:
    look.folder.rmdir()
    assert look() is None
    (trouble,) = look.watch.troubles
    assert "is not there" in trouble.trouble


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_trouble(look: Look) -> None:
    look.put_all()
    look()
    (look.project / "Zooscan_back").chmod(0)
    try:
        assert look.scan().state == "queued"
        assert "Zooscan_back cannot be read" in look.watch.troubles[0].trouble
    finally:
        (look.project / "Zooscan_back").chmod(0o755)


def test_a_picture_overwritten_after_the_result_is_marked_and_one_copied_again_is_not(look: Look) -> None:
    look.put_all()
    look()
    seeded = look.writer.call(lambda connection: seed_scan(connection, objects=1, project="Zooscan_test_sn033"))

    def point_here(connection: Connection, _: int) -> None:
        """The seeded result is of the picture in the watched folder."""
        import hashlib

        digest = hashlib.sha256(b"r" * 6400).hexdigest()
        connection.execute("UPDATE zooscan_runs SET raw_sha256 = ? WHERE id = ?", (digest, seeded.run_id))
        connection.execute("DELETE FROM zooscan_scans WHERE id <> ?", (seeded.scan_id,))
        connection.execute("DELETE FROM zooscan_projects WHERE id <> ?", (seeded.project_id,))
        connection.execute("UPDATE zooscan_projects SET folder = ? WHERE id = ?", (str(look.project), seeded.project_id))
        status = (look.project / RAW).stat()
        connection.execute("UPDATE zooscan_scans SET raw_bytes = ?, raw_mtime_ns = ?", (status.st_size, status.st_mtime_ns))

    look.writer.call(lambda connection: point_here(connection, 0))
    assert (look.scan().state, look.scan().original) == ("done", "present")
    look.stops = True
    os.utime(look.project / RAW, (1, 1))
    look()
    look()
    assert look.scan().raw_mtime_ns != 1_000_000_000, "what was not read to its end is neither the same nor another"
    assert look.watch.is_settling
    look.stops = False
    look()
    assert look.scan().raw_mtime_ns == 1_000_000_000
    look()
    assert look.scan().original == "present"
    look.put(RAW, b"R" * 6400)
    look()
    look()
    row = look.scan()
    assert (row.original, row.state, row.objects) == ("changed", "done", 1)
    (look.project / RAW).unlink()
    assert look.scan().original == "gone"
    look.put(RAW, b"r" * 6400)
    look()
    look()
    assert look.scan().original == "present"


def test_a_text_that_is_empty_or_still_copied_is_not_taken(look: Look) -> None:
    look.put_all()
    meta = look.put("Zooscan_scan/_raw/st66_d1_1_meta.txt", b"")
    look()
    assert look.scan().lacks == ("st66_d1_1_meta.txt, which is empty (0 bytes): copy it again",)
    meta.write_bytes(meta_text().encode())
    assert look.scan().state == "waiting"
    assert look.scan().state == "queued"
    meta.write_bytes(meta_text().encode()[:40])
    assert look.scan().state == "waiting"
    with look.reader() as connection:
        assert reads.scan_texts(connection, look.scan(after_s=1.0).id).meta == meta_text().encode()


def test_a_scan_that_failed_is_queued_again_when_it_has_another_picture(look: Look) -> None:
    from edge.errors import Reason

    look.put_all()
    look()
    assert look.scan().state == "queued"
    look.set_state(lambda connection, scan_id: scans.set_failed(connection, scan_id, Reason.TRUNCATED, "it ends too early"))
    assert look.scan().state == "failed"
    look.put(RAW, b"r" * 7000)
    assert look.scan().state == "failed", "it may still be copied"
    row = look.scan()
    assert (row.state, row.reason, row.raw_bytes) == ("queued", "", 7000)


def test_a_name_that_is_no_text_is_told_and_not_taken(look: Look) -> None:
    look.put_all()
    raw = os.fsencode(look.project / "Zooscan_scan" / "_raw")
    with open(os.path.join(raw, b"caf\xe9_raw_1.tif"), "wb") as file:
        file.write(b"r")
    look()
    assert look.scan().name == SCAN
    assert "a name is no text" in look.watch.troubles[0].trouble
