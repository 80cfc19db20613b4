"""A second copy over a real full disk, a medium that is unmounted under it, and kill -9: never called done, and it goes on."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads import surveys as reads
from edge.store.surveys import Attachment, attach_images
from edge.survey.copy_manifest import MANIFEST_NAME
from edge.survey.raw_copy import Progress, verify_copy
from tests.helpers.seed import add_model, add_station, done, open_database
from tests.helpers.small_disk import fill_disk, small_disk
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query, wait_until
from tests.unit.test_raw_copy import Hold

MIB = 1 << 20


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    hold = Hold(tmp_path / "home", tmp_path / "usb")
    yield hold
    hold.copies.close()
    hold.db.close()


def test_a_disk_that_fills_up_ends_it_and_room_lets_it_go_on(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(hold.disk, 2):
        filled: list[Path] = []

        def fill(progress: Progress) -> None:
            if progress.files == 1 and not filled:
                filled.append(fill_disk(hold.disk))

        monkeypatch.setattr("edge.survey.raw_copy.SPARE_BYTES", 0)
        row = hold.copy(tell=fill)
        assert (row.state, row.files) == ("failed", 1)
        assert "is full" in row.detail
        assert not (Path(row.destination) / MANIFEST_NAME).exists()
        filled[0].unlink()
        again = hold.copy()
        assert (again.state, again.detail) == ("done", "")


def test_a_medium_that_is_unmounted_ends_it(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.survey.raw_copy.SPARE_BYTES", 0)
    with small_disk(hold.disk, 2):

        def pull(progress: Progress) -> None:
            if progress.files == 1:
                subprocess.run(["umount", "-l", str(hold.disk)], check=True)

        row = hold.copy(tell=pull)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(hold.disk)], check=True)  # for the end of the block
    assert (row.state, row.files, row.manifest_sha256) == ("failed", 1, None)
    assert "cannot be written or read back" in row.detail


@pytest.mark.timeout(300)
def test_a_killed_appliance_leaves_no_copy_that_looks_whole(tmp_path: Path) -> None:
    home, card, usb = tmp_path / "home", tmp_path / "card", tmp_path / "usb"
    files = 300
    make_tiny_home(home, tmp_path / "pack")
    db = open_database(home)
    survey_id = surveys.add_survey(db, "CV20017", actor="mary")
    (tow,) = reads.tows(db, surveys.add_station(db, survey_id, "125", actor="mary"))
    folder, pack = add_station(db, card, b"125", make=True), add_model(db, serves=None)
    made = []
    for number in range(files):
        content = os.urandom(20_000)
        (card / "125" / f"{number}.jpg").write_bytes(content)
        image_id = done(db, folder, f"{number}.jpg".encode(), pack, content=content).image_id
        made.append(Attachment(image_id=image_id, tow_id=tow.id, camera_id=None, how="hand", at_s=None))
    with immediate(db):
        attach_images(db, made, actor="mary")
    db.close()
    destination = usb / "CV20017" / "125" / "tow-1"
    chance = random.Random(20261121)
    service = RunningAppliance(home)
    service.wait_ready()
    service.post(f"/api/tows/{tow.id}/copies", {"to": str(usb)})
    wait_until(lambda: destination.is_dir() and len(list(destination.iterdir())) > chance.randint(5, 50), "the copy is under way")
    service.kill()
    assert not (destination / MANIFEST_NAME).exists()
    assert verify_copy(destination).state == "incomplete"
    service = RunningAppliance(home)
    service.wait_ready()
    assert [tuple(row) for row in query(home, "SELECT state, detail FROM raw_copies")] == [
        ("failed", "the appliance ended meanwhile; ask for it again and it goes on")
    ]
    copy_id = service.post(f"/api/tows/{tow.id}/copies", {"to": str(usb)})["id"]
    wait_until(lambda: service.ask(f"/api/copies/{copy_id}")["state"] != "running", "the copy has ended")
    assert (service.ask(f"/api/copies/{copy_id}")["state"], service.ask(f"/api/copies/{copy_id}")["files"]) == ("done", files)
    assert len(list(destination.iterdir())) == files + 1
    assert verify_copy(destination).state == "complete"
    for number in range(0, files, 2):
        (destination / f"{number}.jpg").write_bytes(b"rotten")
    service.post(f"/api/tows/{tow.id}/copies", {"to": str(usb)})
    wait_until(lambda: (destination / "10.jpg").stat().st_size > 6, "the second run is replacing files")
    service.kill()
    found = verify_copy(destination)
    assert (found.state, found.files < files) == ("incomplete", True), "a run that was cut off while it replaced files is no second copy"
    service = RunningAppliance(home)
    service.wait_ready()
    copy_id = service.post(f"/api/tows/{tow.id}/copies", {"to": str(usb)})["id"]
    wait_until(lambda: service.ask(f"/api/copies/{copy_id}")["state"] != "running", "the copy has ended")
    assert verify_copy(destination).state == "complete"
    assert service.stop() == 0
