"""A second copy: verified by reading it back, resumed, cancelled, on a full disk and without its medium; never called done unless it is."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.raw_copies import RawFile, begin_copy, raw_files
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import RawCopyRow, raw_copies
from edge.store.surveys import Attachment, attach_images
from edge.survey import raw_copy
from edge.survey.copy_desk import CopyDesk
from edge.survey.copy_manifest import INCOMPLETE_NAME, MANIFEST_NAME, check_ours, copy_names, read_manifest
from edge.survey.raw_copy import CopyOutcome, CopyStoppedError, Progress, make_copy, verify_copy
from tests.helpers.seed import add_model, add_station, done
from tests.unit.test_media import Ship


def raw(path: Path, content: bytes, *, image_id: int = 1, name: str | None = None) -> RawFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return RawFile(
        image_id=image_id,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        name=name or path.name,
        shown_path=str(path),
        paths=(path,),
    )


@pytest.fixture
def files(tmp_path: Path) -> list[RawFile]:
    return [raw(tmp_path / "in" / f"{number}.jpg", os.urandom(5000 + number), image_id=number) for number in range(1, 4)]


def copy(files: list[RawFile], to: Path, *, cancel_at: int | None = None) -> CopyOutcome:
    told: list[Progress] = []
    return make_copy(files, to, {"station": "125"}, tell=told.append, is_cancelled=lambda: cancel_at is not None and len(told) > cancel_at)


def test_every_byte_is_there_and_the_manifest_says_so(files: list[RawFile], tmp_path: Path) -> None:
    outcome = copy(files, tmp_path / "out")
    text = (tmp_path / "out" / MANIFEST_NAME).read_bytes()
    manifest = json.loads(text)
    assert hashlib.sha256(text).hexdigest() == outcome.manifest_sha256
    assert (manifest["station"], manifest["size_bytes"], outcome.files) == ("125", 15006, 3)
    for file, entry in zip(files, manifest["files"], strict=True):
        assert (entry["sha256"], entry["size_bytes"], entry["original"]) == (file.sha256, file.size_bytes, file.shown_path)
        assert hashlib.sha256((tmp_path / "out" / entry["name"]).read_bytes()).hexdigest() == file.sha256
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.jpg", "2.jpg", "3.jpg", MANIFEST_NAME]


def test_names_that_collide_or_that_a_disk_does_not_take_are_told_apart(tmp_path: Path) -> None:
    names = ["a.jpg", "A.JPG", "manifest.json", "a:b?.jpg", "con.txt", "dot.", "x" * 251 + ".jpg", "\x07bell.png", "..", "r\u00e9p.tif"]
    some = [raw(tmp_path / "in" / str(at), str(at).encode(), image_id=at, name=name) for at, name in enumerate(names)]
    given = copy_names(some, None)
    assert len({name.casefold() for name in given.values()} | {MANIFEST_NAME}) == len(names) + 1
    assert (given[0], given[3], given[4], given[5], given[9]) == ("a.jpg", "a_b_.jpg", "_con.txt", "dot", "r\u00e9p.tif")
    assert all(len(os.fsencode(name)) <= 255 and "/" not in name for name in given.values())
    assert copy(some, tmp_path / "out").failures == ()


def test_a_copy_that_was_cancelled_goes_on_and_reads_everything_back(files: list[RawFile], tmp_path: Path) -> None:
    with pytest.raises(raw_copy.CopyCancelledError):
        copy(files, tmp_path / "out", cancel_at=1)
    assert not (tmp_path / "out" / MANIFEST_NAME).exists()
    assert not (tmp_path / "out" / "2.jpg").exists()
    kept = (tmp_path / "out" / "1.jpg").stat()
    assert copy(files, tmp_path / "out").failures == ()
    assert (tmp_path / "out" / "1.jpg").stat().st_mtime_ns == kept.st_mtime_ns


def test_a_file_that_is_there_but_differs_is_written_again(files: list[RawFile], tmp_path: Path) -> None:
    copy(files, tmp_path / "out")
    path = tmp_path / "out" / "2.jpg"
    path.write_bytes(bytes(path.stat().st_size))
    copy(files, tmp_path / "out")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == files[1].sha256


def test_a_copy_is_verified_by_its_manifest_alone(files: list[RawFile], tmp_path: Path) -> None:
    assert verify_copy(tmp_path).state == "none"
    copy(files, tmp_path / "out")
    found = verify_copy(tmp_path / "out")
    assert (found.state, found.files, found.size_bytes, found.whose, found.faults) == ("complete", 3, 15006, "station 125", ())
    (tmp_path / "out" / "2.jpg").write_bytes(b"rotten")
    found = verify_copy(tmp_path / "out")
    assert (found.state, found.files) == ("damaged", 2)
    assert found.faults[0].startswith("2.jpg ")


@pytest.mark.parametrize("when", ["plan", "before", "after"])
def test_from_the_first_write_on_the_folder_says_that_it_is_incomplete(
    files: list[RawFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A second run that replaces files and is cut off at any write leaves nothing that looks whole."""
    out = tmp_path / "out"
    copy(files, out)
    (out / "2.jpg").write_bytes(bytes(files[1].size_bytes))
    real = Path.replace

    class PowerCutError(BaseException):
        pass

    def cut(self: Path, target: Path) -> Path:
        if target.name == "2.jpg":
            if when == "after":
                real(self, target)
            raise PowerCutError
        return real(self, target)

    def cut_plan(*_: object) -> None:
        raise PowerCutError

    if when == "plan":
        monkeypatch.setattr("edge.survey.copy_manifest.write_durably", cut_plan)
    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(PowerCutError):
        copy(files, out)
    monkeypatch.undo()
    assert not (out / MANIFEST_NAME).exists()
    assert verify_copy(out).state == "incomplete"
    assert copy(files, out).manifest_sha256 is not None
    assert verify_copy(out).state == "complete"


def test_a_run_that_changes_nothing_leaves_a_whole_copy_whole(files: list[RawFile], tmp_path: Path) -> None:
    copy(files, tmp_path / "out")
    with pytest.raises(raw_copy.CopyCancelledError):
        copy(files, tmp_path / "out", cancel_at=1)
    assert verify_copy(tmp_path / "out").state == "complete"


def test_a_file_keeps_its_name_whatever_comes_or_goes(tmp_path: Path) -> None:
    first, second = (raw(tmp_path / str(number) / "a.jpg", b"%d" % number, image_id=number) for number in (1, 2))
    out = tmp_path / "out"
    copy([second], out)
    copy([first, second], out)
    known = read_manifest(out)
    assert known is not None
    names = {one.sha256: one.name for one in known.entries}
    assert names == {second.sha256: "a.jpg", first.sha256: f"a_{first.sha256[:12]}.jpg"}
    copy([first], out)
    known = read_manifest(out)
    assert known is not None
    assert {one.sha256: one.name for one in known.entries} == {first.sha256: f"a_{first.sha256[:12]}.jpg"}


def test_a_folder_of_another_tow_or_of_other_files_is_refused_and_not_touched(files: list[RawFile], tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_copy(files, out, {"tow_uuid": "one", "station": "125"}, tell=lambda _: None, is_cancelled=lambda: False)
    check_ours(out, files, "one")
    with pytest.raises(SettingsError, match=r"the copy of another tow \(station 125\)"):
        check_ours(out, files, "two")
    (out / MANIFEST_NAME).unlink()
    with pytest.raises(SettingsError, match=r"no manifest, and 3 files of these names, such as 1\.jpg"):
        check_ours(out, files, "one")
    (out / MANIFEST_NAME).write_text('{"files": [{"name": "../x", "sha256": "", "size_bytes": 1}]}')
    with pytest.raises(SettingsError, match="is no manifest of a copy"):
        check_ours(out, files, "one")
    check_ours(tmp_path / "new", files, "two")


def test_originals_that_are_gone_or_changed_are_told_and_the_others_copied(files: list[RawFile], tmp_path: Path) -> None:
    files[0].paths[0].unlink()
    files[1].paths[0].write_bytes(b"other")
    outcome = copy(files, tmp_path / "out")
    assert outcome.manifest_sha256 is None
    assert [("cannot be read" in one, "has changed since" in one) for one in outcome.failures] == [(True, False), (False, True)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["3.jpg", INCOMPLETE_NAME]
    assert verify_copy(tmp_path / "out").state == "incomplete"


def test_another_place_of_the_same_bytes_will_do(files: list[RawFile], tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.jpg"
    files[0].paths[0].rename(other)
    moved = files[0]._replace(paths=(files[0].paths[0], other))
    assert copy([moved], tmp_path / "out").failures == ()


def test_a_medium_that_lies_is_caught(files: list[RawFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rot(target: Path) -> None:
        content = bytearray(target.read_bytes())
        content[100] ^= 1
        target.write_bytes(content)

    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        moved = real(self, target)
        if target.name == "2.jpg":
            rot(target)
        return moved

    monkeypatch.setattr(Path, "replace", replace)
    outcome = copy(files, tmp_path / "out")
    assert outcome.manifest_sha256 is None
    assert "the medium is not sound" in outcome.failures[0]


def test_a_full_disk_ends_it_with_the_reason(files: list[RawFile]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(CopyStoppedError, match="is full"):
        raw_copy._on_medium(full, lambda: _write_to(full))
    with pytest.raises(CopyStoppedError, match="cannot be written"):
        copy(files, full / "below")


def _write_to(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(b"x")


class Hold(Ship):
    """A ship with three files of tow 125 on disk and a copy desk."""

    def __init__(self, home: Path, disk: Path) -> None:
        super().__init__(home)
        inbox = home.parent / "card"
        folder = add_station(self.db, inbox, b"125", make=True)
        pack = add_model(self.db, version="2.0.0")
        self.paths = []
        made = []
        for number in range(3):
            content = os.urandom(4000)
            self.paths.append(inbox / "125" / f"{number}.jpg")
            self.paths[-1].write_bytes(content)
            image_id = done(self.db, folder, f"{number}.jpg".encode(), pack, content=content).image_id
            made.append(Attachment(image_id=image_id, tow_id=self.tows["125"], camera_id=None, how="hand", at_s=None))
        with immediate(self.db):
            attach_images(self.db, made, actor="mary")
        self.disk = disk
        self.copies = CopyDesk(home, self, self.reader)

    def copy(self, **options: object) -> RawCopyRow:
        return self.copies.wait(self.copies.begin(self.tows["125"], self.disk, "mary", **options))  # type: ignore[arg-type]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    hold = Hold(tmp_path / "home", tmp_path / "usb")
    yield hold
    hold.copies.close()
    hold.db.close()


def test_a_copy_is_on_record_with_its_manifest(hold: Hold) -> None:
    row = hold.copy()
    folder = hold.disk / "CV20017" / "125" / "tow-1"
    assert (row.state, row.files, row.size_bytes, row.destination, row.asked_by) == ("done", 3, 12000, str(folder), "mary")
    assert "on the same disk as the originals" in row.detail
    assert row.manifest_sha256 == hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()
    actions = [one["action"] for one in hold.db.execute("SELECT action FROM audit WHERE action LIKE 'raw_copy%' ORDER BY id")]
    assert actions == ["raw_copy_begin", "raw_copy_end"]


def test_a_copy_that_lacks_a_file_is_failed_and_says_which(hold: Hold) -> None:
    hold.paths[1].unlink()
    row = hold.copy()
    assert (row.state, row.files, row.manifest_sha256) == ("failed", 2, None)
    assert "1 of 3 files could not be copied: 1.jpg" in row.detail


def test_a_medium_that_is_pulled_out_ends_it(hold: Hold) -> None:
    def pull(progress: Progress) -> None:
        if progress.files == 1:
            folder = hold.disk / "CV20017" / "125" / "tow-1"
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()

    row = hold.copy(tell=pull)
    assert (row.state, row.files) == ("failed", 1)
    assert "cannot be written or read back" in row.detail
    assert "it goes on" in row.detail
    assert hold.copy().state == "done"


def test_cancel_ends_it_and_another_goes_on(hold: Hold) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold_up(progress: Progress) -> None:
        if progress.files == 1:
            begun.set()
            assert go_on.wait(60)

    copy_id = hold.copies.begin(hold.tows["125"], hold.disk, "mary", tell=hold_up)
    assert begun.wait(60)
    with pytest.raises(SettingsError, match="being made already"):
        hold.copies.begin(hold.tows["125"], hold.disk, "tom")
    hold.copies.cancel(copy_id, "tom")
    go_on.set()
    row = hold.copies.wait(copy_id)
    assert (row.state, row.files) == ("cancelled", 1)
    with pytest.raises(SettingsError, match="is not being made"):
        hold.copies.cancel(copy_id, "tom")
    assert hold.copy().state == "done"


def test_what_ran_when_the_appliance_ended_is_told_as_failed(hold: Hold) -> None:
    with immediate(hold.db):
        begin_copy(hold.db, hold.tows["125"], "/usb", actor="mary")
    CopyDesk(hold.home, hold, hold.reader)
    (row,) = raw_copies(hold.db, hold.tows["125"])
    assert (row.state, "ended meanwhile" in row.detail) == ("failed", True)


def test_a_place_that_cannot_be_is_refused_before_anything_is_written(hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = hold.copies.begin
    tow_id = hold.tows["125"]
    for place, why in ((Path("usb"), "no absolute path"), (tmp_path / "card", "is watched"), (tmp_path / "home" / "x", "is watched")):
        with pytest.raises(SettingsError, match=why):
            begin(tow_id, place, "mary")
    with pytest.raises(SettingsError, match="no files"):
        begin(hold.tows["130"], hold.disk, "mary")
    with pytest.raises(SettingsError, match="no tow 99"):
        begin(99, hold.disk, "mary")
    monkeypatch.setattr(raw_copy, "SPARE_BYTES", 1 << 60)
    with pytest.raises(SettingsError, match="MiB free"):
        begin(tow_id, hold.disk, "mary")
    assert raw_copies(hold.db, tow_id) == ()
    assert not hold.disk.exists()


def test_two_stations_whose_folders_are_one_do_not_mix(hold: Hold) -> None:
    assert hold.copy().state == "done"
    with immediate(hold.db):
        hold.db.execute("UPDATE stations SET name = '1:2' WHERE name = '130'")
        hold.db.execute("UPDATE stations SET name = '1/2' WHERE name = '125'")
        (image_id,) = hold.db.execute("SELECT image_id FROM tow_images LIMIT 1").fetchone()
        moved = Attachment(image_id=image_id, tow_id=hold.tows["130"], camera_id=None, how="hand", at_s=None)
        attach_images(hold.db, [moved], actor="mary")
    assert hold.copy().state == "done"
    with pytest.raises(SettingsError, match="the copy of another tow"):
        hold.copies.begin(hold.tows["130"], hold.disk, "mary")


def test_names_do_not_depend_on_which_media_are_in(hold: Hold) -> None:
    def names() -> list[str]:
        return [one.name for one in raw_files(hold.db, hold.tows["125"])]

    before = names()
    hold.db.execute("UPDATE sightings SET original = 'gone'")
    assert (names(), before) == (before, ["0.jpg", "1.jpg", "2.jpg"])
    assert all(one.paths == () for one in raw_files(hold.db, hold.tows["125"]))


def test_reads_know_the_tow(hold: Hold) -> None:
    assert len(reads.tow_images(hold.db, hold.tows["125"])) == 3
    assert surveys.find_ground(hold.db, 1, "none") is None
