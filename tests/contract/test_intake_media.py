"""Media that come and go under the intake: unmounted, pulled, exchanged; and copies of what they held."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
import time
from pathlib import Path

from tests.helpers.small_disk import small_disk
from tests.helpers.watching import Watching, wait_until, watching


class TestVanishedMount:
    """A medium is pulled out and comes back: nothing is concluded from its absence, and it is watched again."""

    def fill(self, root: Path) -> dict[str, str]:
        (root / "tow 1").mkdir()
        for path in (root / "a.jpg", root / "tow 1" / "b.jpg"):
            path.write_bytes(path.name.encode())
        return {"a.jpg": "queued", "b.jpg": "queued"}

    def assert_events_work(self, appliance: Watching, root: Path, states: dict[str, str]) -> None:
        wait_until(lambda: appliance.status.events)
        appliance.rest()
        appliance.intake._full_due_s = appliance.intake._rescan_due_s = time.monotonic() + 3600
        (root / "tow 1" / "after.jpg").write_bytes(b"after")
        appliance.until({**states, "after.jpg": "queued"})

    def test_the_folder_is_renamed_away_and_back(self, appliance: Watching, root: Path, tmp_path: Path) -> None:
        states = self.fill(root)
        appliance.until(states)
        root.rename(tmp_path / "away")
        wait_until(lambda: appliance.status.troubles)
        appliance.rest()
        assert appliance.states() == states
        (tmp_path / "away").rename(root)
        wait_until(lambda: not appliance.status.troubles)
        self.assert_events_work(appliance, root, states)

    def test_the_folder_is_deleted_and_made_again(self, appliance: Watching, root: Path) -> None:
        states = self.fill(root)
        appliance.until(states)
        shutil.rmtree(root)
        wait_until(lambda: appliance.status.troubles)
        appliance.rest()
        root.mkdir()
        (root / "tow 1").mkdir()
        (root / "tow 1" / "new.jpg").write_bytes(b"new")
        wait_until(lambda: appliance.states().get("new.jpg") == "queued")
        wait_until(lambda: not appliance.status.troubles)
        self.assert_events_work(appliance, root, appliance.states())

    def test_a_disk_is_unmounted_and_mounted_again(self, home: Path, tmp_path: Path) -> None:
        """What stays behind is an empty folder that looks healthy."""
        with small_disk(tmp_path / "disk", 8) as disk:
            root = tmp_path / "mnt"
            root.mkdir()
            states = self.fill(disk)
            subprocess.run(["mount", "--bind", disk, root], check=True)
            with watching(home, root) as appliance:
                try:
                    appliance.until(states)
                    subprocess.run(["umount", "-l", root], check=True)
                    wait_until(lambda: appliance.status.troubles)
                    appliance.rest()
                    assert appliance.states() == states
                    subprocess.run(["mount", "--bind", disk, root], check=True)
                    wait_until(lambda: not appliance.status.troubles)
                    self.assert_events_work(appliance, root, states)
                finally:
                    subprocess.run(["umount", "-l", root], check=False)

    def test_a_disk_is_missing_at_the_start(self, home: Path, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", 8) as disk:
            root = tmp_path / "mnt"
            root.mkdir()
            states = self.fill(disk)
            subprocess.run(["mount", "--bind", disk, root], check=True)
            with watching(home, root) as appliance:
                appliance.until(states)
            subprocess.run(["umount", "-l", root], check=True)
            with watching(home, root) as appliance:
                try:
                    assert appliance.status.troubles
                    assert appliance.states() == states
                    subprocess.run(["mount", "--bind", disk, root], check=True)
                    wait_until(lambda: not appliance.status.troubles)
                    self.assert_events_work(appliance, root, states)
                finally:
                    subprocess.run(["umount", "-l", root], check=False)

    def test_a_disk_mounted_below_the_root_is_unmounted(self, appliance: Watching, root: Path, tmp_path: Path) -> None:
        (root / "own.jpg").write_bytes(b"own")
        with small_disk(tmp_path / "disk", 8) as disk:
            self.fill(disk)
            (root / "stick").mkdir()
            subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
            states = {"a.jpg": "queued", "b.jpg": "queued", "own.jpg": "queued"}
            try:
                appliance.until(states)
                subprocess.run(["umount", "-l", root / "stick"], check=True)
                wait_until(lambda: appliance.status.troubles)
                appliance.rest()
                assert appliance.states() == states
                subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
                wait_until(lambda: not appliance.status.troubles)
                appliance.rest()
                assert appliance.states() == states
            finally:
                subprocess.run(["umount", "-l", root / "stick"], check=False)

    def test_a_disk_mounted_below_the_root_is_missing_at_the_start(self, home: Path, root: Path, tmp_path: Path) -> None:
        """What is left is an empty folder of the disk that the root lies on, and no memory of the process tells otherwise."""
        (root / "own.jpg").write_bytes(b"own")
        (root / "stick").mkdir()
        states = {"a.jpg": "queued", "b.jpg": "queued", "own.jpg": "queued"}
        with small_disk(tmp_path / "disk", 8) as disk:
            self.fill(disk)
            subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
            with watching(home, root) as appliance:
                appliance.until(states)
            subprocess.run(["umount", "-l", root / "stick"], check=True)
            with watching(home, root) as appliance:
                try:
                    appliance.rest()
                    assert "is its medium there" in appliance.status.troubles[0]
                    assert appliance.states() == states
                    assert appliance.away() == {"stick": 1, "stick/tow 1": 1}
                    (root / "own 2.jpg").write_bytes(b"another")
                    states["own 2.jpg"] = "queued"
                    appliance.until(states)
                    subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
                    wait_until(lambda: not appliance.status.troubles)
                    appliance.rest()
                    assert appliance.states() == states
                    wait_until(lambda: appliance.away() == {})
                finally:
                    subprocess.run(["umount", "-l", root / "stick"], check=False)

    def test_a_mount_point_that_a_person_removed_is_no_lost_medium(self, home: Path, root: Path, tmp_path: Path) -> None:
        """Desktops remove the folder when a stick is ejected: its files are gone, and back when the stick is."""
        with small_disk(tmp_path / "disk", 8) as disk:
            self.fill(disk)
            (root / "own.jpg").write_bytes(b"own")
            (root / "stick").mkdir()
            subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
            states = {"a.jpg": "queued", "b.jpg": "queued", "own.jpg": "queued"}
            with watching(home, root) as appliance:
                try:
                    appliance.until(states)
                    subprocess.run(["umount", "-l", root / "stick"], check=True)
                    (root / "stick").rmdir()
                    appliance.until({"a.jpg": "queued, gone", "b.jpg": "queued, gone", "own.jpg": "queued"})
                    wait_until(lambda: appliance.away() == {})
                    (root / "stick").mkdir()
                    subprocess.run(["mount", "--bind", disk, root / "stick"], check=True)
                    appliance.until(states)
                finally:
                    subprocess.run(["umount", "-l", root / "stick"], check=False)

    def test_what_waits_on_a_medium_that_is_out_is_not_leased(self, appliance: Watching, root: Path, tmp_path: Path) -> None:
        states = self.fill(root)
        appliance.until(states)
        root.rename(tmp_path / "away")
        wait_until(lambda: appliance.away() == {"": 1, "tow 1": 1})
        assert appliance.lease() == []
        assert appliance.states() == states
        (tmp_path / "away").rename(root)
        wait_until(lambda: appliance.away() == {})
        assert sorted(appliance.lease()) == ["a.jpg", "b.jpg"]

    def test_a_folder_that_a_worker_found_away_is_looked_at_again(self, appliance: Watching, root: Path) -> None:
        """It was away for a moment only, and between two looks: nobody but the worker saw it."""
        self.fill(root)
        appliance.until({"a.jpg": "queued", "b.jpg": "queued"})
        appliance.rest()
        appliance.writer.call(lambda connection: connection.execute("UPDATE folders SET away_utc = first_seen_utc"))
        wait_until(lambda: appliance.away() == {})

    def test_the_folder_appears_only_later(self, home: Path, tmp_path: Path) -> None:
        root = tmp_path / "not yet"
        with watching(home, root) as appliance:
            assert appliance.status.troubles
            root.mkdir()
            states = self.fill(root)
            appliance.until(states)
            wait_until(lambda: not appliance.status.troubles)
            self.assert_events_work(appliance, root, states)

    def test_what_could_not_be_read_meanwhile_is_queued_again(self, appliance: Watching, root: Path, tmp_path: Path) -> None:
        """A worker asked for the file while the medium was out; nothing was marked gone, so nothing comes back either."""
        (root / "a.jpg").write_bytes(b"a")
        appliance.until({"a.jpg": "queued"})
        root.rename(tmp_path / "away")
        wait_until(lambda: appliance.status.troubles)
        appliance.writer.call(
            lambda connection: connection.execute("UPDATE jobs SET state = 'quarantined', reason = 'vanished', detail = 'gone'")
        )
        (tmp_path / "away").rename(root)
        appliance.until({"a.jpg": "queued"})


def test_emptied_by_a_person(appliance: Watching, root: Path) -> None:
    """The very folder that held files is empty: they were removed, no medium was pulled."""
    (root / "a.jpg").write_bytes(b"a")
    appliance.until({"a.jpg": "queued"})
    appliance.rest()
    (root / "a.jpg").unlink()
    appliance.until({"a.jpg": "queued, gone"})
    appliance.rest()
    assert appliance.status.troubles == ()


def test_copy_mode_keeps_a_verified_copy(home: Path, root: Path) -> None:
    home.mkdir()
    (home / "media").mkdir()
    (home / "media" / ".1-2.part").write_bytes(b"cut short by a kill")
    (root / "a.jpg").write_bytes(b"a")
    with watching(home, root, intake="copy") as appliance:
        appliance.until({"a.jpg": "queued"})
    copies = [path for path in (home / "media").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in copies] == [b"a"]
    assert copies[0].name == f"{hashlib.sha256(b'a').hexdigest()}.jpg"


def test_a_single_pass_ends_though_files_grow(home: Path, root: Path) -> None:
    (root / "whole.jpg").write_bytes(b"whole")
    (root / "empty.jpg").touch()
    stop = threading.Event()

    def grow() -> None:
        with (root / "growing.jpg").open("wb", buffering=0) as file:
            while not stop.is_set():
                file.write(b"more")
                time.sleep(0.02)

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        wait_until((root / "growing.jpg").exists)
        with watching(home, root, watch=False, patient=False) as appliance:
            wait_until(lambda: appliance.intake.idle)
            assert appliance.states() == {"whole.jpg": "queued", "empty.jpg": "quarantined", "growing.jpg": "seen"}
            assert appliance.reasons() == {"whole.jpg": None, "empty.jpg": "empty_file", "growing.jpg": "still_growing"}
    finally:
        stop.set()
        growing.join()
