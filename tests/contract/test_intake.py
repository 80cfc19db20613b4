"""From a folder to the queue: every defect that watchers are known for, by name.

The defects are those measured in the field (lost events, renames from outside, overflow, mounts that vanish) and those of
a well-known folder watcher that lists before it listens, takes what is half written, and forgets at restart.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.ingest.inventory import Inventory
from edge.ingest.looks import Pieces
from edge.ingest.watched import WatchedRoot
from tests.helpers.watching import HINTS_ONLY, Watching, wait_until, watching


@pytest.fixture
def by_events(home: Path, root: Path) -> Iterator[Watching]:
    """After the first look only events tell."""
    with watching(home, root, **HINTS_ONLY) as appliance:
        yield appliance


@pytest.fixture
def by_rescan(home: Path, root: Path) -> Iterator[Watching]:
    """No events at all, as on a network share."""
    with watching(home, root, watch=False) as appliance:
        yield appliance


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_missed_before_start(home: Path, root: Path) -> None:
    """The folder is looked at, not only listened to."""
    (root / "tow 1").mkdir()
    (root / "tow 1" / "a.jpg").write_bytes(b"a")
    (root / "b.jpg").write_bytes(b"b")
    with watching(home, root, **HINTS_ONLY) as appliance:
        appliance.until({"a.jpg": "queued", "b.jpg": "queued"})


def test_the_gap_between_listing_and_listening(home: Path, root: Path) -> None:
    """Files that arrive while the intake starts are in neither the listing nor, for a careless watcher, the events."""
    stop = threading.Event()
    written: list[str] = []

    def drop() -> None:
        while not stop.is_set() and len(written) < 2000:
            name = f"{len(written)}.jpg"
            (root / name).write_bytes(name.encode())
            written.append(name)

    dropping = threading.Thread(target=drop)
    dropping.start()
    try:
        with watching(home, root, **HINTS_ONLY) as appliance:
            stop.set()
            dropping.join()
            assert written
            appliance.until(dict.fromkeys(written, "queued"))
    finally:
        stop.set()
        dropping.join()


def test_dropped_while_watching(by_events: Watching, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"a")
    by_events.until({"a.jpg": "queued"})


def test_dropped_where_there_are_no_events(by_rescan: Watching, root: Path) -> None:
    (root / "tow 1").mkdir()
    (root / "tow 1" / "a.jpg").write_bytes(b"a")
    by_rescan.until({"a.jpg": "queued"})
    assert not by_rescan.status.events


def test_half_written(by_events: Watching, root: Path) -> None:
    """A slow copy is taken once, whole."""
    pieces = [os.urandom(5000) for _ in range(20)]
    with (root / "slow.jpg").open("wb", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
            time.sleep(0.08)
    by_events.until({"slow.jpg": "queued"})
    assert [row["sha256"] for row in by_events.rows()] == [sha256(b"".join(pieces))]


def test_a_copy_that_pauses_longer_than_the_settle_time(by_events: Watching, root: Path) -> None:
    """Half a file can pass for whole; once the rest is there the whole one counts, and the half is listed as what it was."""
    with (root / "slow.jpg").open("wb", buffering=0) as file:
        file.write(b"first half")
        wait_until(lambda: by_events.states() == {"slow.jpg": "queued"})
        file.write(b", second half")
    wait_until(lambda: [row["sha256"] for row in by_events.rows() if row["original"] == "present"] == [sha256(b"first half, second half")])
    old = by_events.rows()[0]
    assert (old["state"], old["reason"], old["original"]) == ("quarantined", "changed_while_read", "changed")
    assert old["replaced_by_sha256"] == sha256(b"first half, second half")


def test_rename_in_from_outside_the_tree(by_events: Watching, root: Path, tmp_path: Path) -> None:
    """inotify reports only `created`, never `closed`."""
    (tmp_path / "outside.jpg").write_bytes(b"a")
    (tmp_path / "outside.jpg").rename(root / "a.jpg")
    by_events.until({"a.jpg": "queued"})


def test_a_whole_folder_renamed_in_from_outside(by_events: Watching, root: Path, tmp_path: Path) -> None:
    (tmp_path / "tow" / "camera 2").mkdir(parents=True)
    (tmp_path / "tow" / "a.jpg").write_bytes(b"a")
    (tmp_path / "tow" / "camera 2" / "b.jpg").write_bytes(b"b")
    (tmp_path / "tow").rename(root / "tow")
    by_events.until({"a.jpg": "queued", "b.jpg": "queued"})


def test_a_temporary_name_is_renamed(by_events: Watching, root: Path) -> None:
    (root / "a.jpg.part").write_bytes(b"a")
    (root / ".b.jpg").write_bytes(b"b")
    by_events.rest()
    assert by_events.states() == {}
    (root / "a.jpg.part").rename(root / "a.jpg")
    (root / ".b.jpg").rename(root / "b.jpg")
    by_events.until({"a.jpg": "queued", "b.jpg": "queued"})


def test_a_new_subfolder_filled_at_once(by_events: Watching, root: Path) -> None:
    """Files that fall into a new folder before anybody listens there."""
    expected = {}
    for tow in range(20):
        folder = root / f"tow {tow}" / "camera" / "left"
        folder.mkdir(parents=True)
        for still in range(3):
            name = f"{tow}-{still}.jpg"
            (folder / name).write_bytes(name.encode())
            expected[name] = "queued"
    by_events.until(expected)


def test_a_removed_and_renamed_file(by_events: Watching, root: Path) -> None:
    for name in ("gone.jpg", "old name.jpg"):
        (root / name).write_bytes(name.encode())
    by_events.until({"gone.jpg": "queued", "old name.jpg": "queued"})
    (root / "gone.jpg").unlink()
    (root / "old name.jpg").rename(root / "new name.jpg")
    by_events.until({"gone.jpg": "queued, gone", "old name.jpg": "queued, gone", "new name.jpg": "queued"})
    assert by_events.reader.execute("SELECT count(*) FROM jobs").fetchone()[0] == 2, "a renamed file is the same content"


def test_restart_catches_up(home: Path, root: Path) -> None:
    """Whatever happened while the appliance was off is seen at the next start."""
    for name in ("stays.jpg", "goes.jpg", "changes.jpg"):
        (root / name).write_bytes(name.encode())
    (root / "tow 1").mkdir()
    (root / "tow 1" / "in a folder.jpg").write_bytes(b"folder")
    with watching(home, root) as appliance:
        wait_until(lambda: list(appliance.states().values()) == ["queued"] * 4)
    (root / "goes.jpg").unlink()
    (root / "changes.jpg").write_bytes(b"other bytes")
    (root / "comes.jpg").write_bytes(b"new")
    shutil.rmtree(root / "tow 1")
    with watching(home, root, **HINTS_ONLY) as appliance:
        appliance.until(
            {
                "stays.jpg": "queued",
                "goes.jpg": "queued, gone",
                "changes.jpg": "queued",
                "comes.jpg": "queued",
                "in a folder.jpg": "queued, gone",
            }
        )
        (old,) = [row for row in appliance.rows() if row["original"] == "changed"]
        assert (old["sha256"], old["replaced_by_sha256"]) == (sha256(b"changes.jpg"), sha256(b"other bytes"))


def test_all_files_of_the_top_folder_deleted_while_off(home: Path, root: Path) -> None:
    """The top folder is then empty, its subfolders are not: no doubt that the medium is there."""
    (root / "tow 1").mkdir()
    for path in (root / "a.jpg", root / "tow 1" / "b.jpg"):
        path.write_bytes(path.name.encode())
    with watching(home, root) as appliance:
        appliance.until({"a.jpg": "queued", "b.jpg": "queued"})
    (root / "a.jpg").unlink()
    with watching(home, root, **HINTS_ONLY) as appliance:
        appliance.until({"a.jpg": "queued, gone", "b.jpg": "queued"})


def test_restart_hashes_nothing_again(home: Path, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"a")
    with watching(home, root) as appliance:
        appliance.until({"a.jpg": "queued"})
        before = [tuple(row) for row in appliance.rows()]
    with watching(home, root) as appliance:
        appliance.rest()
        assert [tuple(row) for row in appliance.rows()] == before


def test_deleted_and_put_back(appliance: Watching, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"a")
    appliance.until({"a.jpg": "queued"})
    status = (root / "a.jpg").stat()
    (root / "a.jpg").unlink()
    appliance.until({"a.jpg": "queued, gone"})
    (root / "a.jpg").write_bytes(b"a")
    os.utime(root / "a.jpg", ns=(status.st_atime_ns, status.st_mtime_ns))
    appliance.until({"a.jpg": "queued"})
    assert len(appliance.rows()) == 1


def test_a_file_replaced_while_queued(appliance: Watching, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"first")
    appliance.until({"a.jpg": "queued"})
    (root / "b.tmp").write_bytes(b"second")
    (root / "b.tmp").replace(root / "a.jpg")
    wait_until(lambda: len(appliance.rows()) == 2)
    first, second = appliance.rows()
    assert (first["state"], first["reason"], first["original"]) == ("quarantined", "changed_while_read", "changed")
    assert first["replaced_by_sha256"] == sha256(b"second")
    assert (second["state"], second["original"], second["sha256"]) == ("queued", "present", sha256(b"second"))


def test_an_original_overwritten_later_keeps_its_result(appliance: Watching, root: Path) -> None:
    (root / "a.jpg").write_bytes(b"first")
    appliance.until({"a.jpg": "queued"})
    appliance.writer.call(lambda connection: connection.execute("UPDATE jobs SET state = 'done'"))
    (root / "a.jpg").write_bytes(b"second")
    wait_until(lambda: len(appliance.rows()) == 2)
    first, second = appliance.rows()
    assert (first["state"], first["original"], first["sha256"]) == ("done", "changed", sha256(b"first"))
    assert second["state"] == "queued"


def test_a_zero_byte_file_waits_and_is_then_listed(appliance: Watching, root: Path) -> None:
    (root / "empty.jpg").touch()
    wait_until(lambda: appliance.reasons() == {"empty.jpg": "empty_file"})
    (root / "empty.jpg").write_bytes(b"now it has some")
    appliance.until({"empty.jpg": "queued"})


def test_a_file_that_never_stops_growing_is_listed_and_taken_when_it_does(appliance: Watching, root: Path) -> None:
    with (root / "endless.jpg").open("wb", buffering=0) as file:
        until_s = time.monotonic() + 60
        while appliance.reasons() != {"endless.jpg": "still_growing"}:
            assert time.monotonic() < until_s
            file.write(b"more")
            time.sleep(0.05)
        assert appliance.states() == {"endless.jpg": "seen"}
    appliance.until({"endless.jpg": "queued"})


def test_links_and_pipes_are_listed_and_never_followed(appliance: Watching, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "other.jpg").write_bytes(b"other")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "folder").symlink_to(tmp_path / "outside", target_is_directory=True)
    os.mkfifo(root / "pipe.jpg")
    wait_until(lambda: appliance.reasons() == dict.fromkeys(("link.jpg", "pipe.jpg"), "not_a_regular_file"))
    appliance.rest()
    assert appliance.reader.execute("SELECT count(*) FROM images").fetchone()[0] == 0


def test_a_folder_exchanged_for_a_link_is_gone(appliance: Watching, root: Path, tmp_path: Path) -> None:
    (root / "tow").mkdir()
    (root / "tow" / "a.jpg").write_bytes(b"a")
    appliance.until({"a.jpg": "queued"})
    (root / "tow").rename(tmp_path / "elsewhere")
    (root / "tow").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "b.jpg").write_bytes(b"b")
    appliance.until({"a.jpg": "queued, gone"})
    appliance.rest()
    assert appliance.states() == {"a.jpg": "queued, gone"}


@pytest.mark.parametrize("folder", ["$RECYCLE.BIN", ".Trash-1000", "lost+found"])
def test_what_falls_into_a_bin_is_not_taken(appliance: Watching, root: Path, folder: str) -> None:
    (root / folder).mkdir()
    (root / "a.jpg").write_bytes(b"a")
    appliance.until({"a.jpg": "queued"})
    (root / "a.jpg").rename(root / folder / "a.jpg")
    (root / folder / "b.jpg").write_bytes(b"b")
    appliance.until({"a.jpg": "queued, gone"})
    appliance.rest()
    assert appliance.states() == {"a.jpg": "queued, gone"}


def test_hostile_names_are_taken_as_data(appliance: Watching, root: Path) -> None:
    folder = os.fsencode(root)
    names = [
        b"new\nline.jpg",
        b"\xff\xfe.jpg",
        "\u202egpj.jpg".encode(),
        b"n" * 251 + b".jpg",
        b"';DROP TABLE images;--.jpg",
        b"a%2f..%2f.jpg",
    ]
    os.mkdir(os.path.join(folder, b"tow\xff\n"))
    for name in names:
        for path in (os.path.join(folder, name), os.path.join(folder, b"tow\xff\n", name)):
            with open(path, "wb") as file:
                file.write(path)
    wait_until(lambda: len(appliance.rows()) == 2 * len(names))
    appliance.rest()
    rows = appliance.reader.execute("SELECT name_bytes, state FROM sightings").fetchall()
    assert sorted(bytes(row["name_bytes"]) for row in rows) == sorted(names * 2)
    assert {row["state"] for row in rows} == {"queued"}


def test_while_nothing_may_be_taken_files_wait_where_they_are(appliance: Watching, root: Path) -> None:
    appliance.may_take.clear()
    for number in range(10):
        (root / f"{number}.jpg").write_bytes(b"%d" % number)
    wait_until(lambda: appliance.intake.waiting == 10)
    assert appliance.states() == {}
    appliance.may_take.set()
    appliance.until({f"{number}.jpg": "queued" for number in range(10)})


def test_a_rescan_asked_for_during_an_inventory_is_not_lost(by_events: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retry button changes rows, then asks for a rescan: the inventory under way may have passed them already."""
    real = Inventory.look_at_root
    asked: list[int] = []

    def ask_meanwhile(self: Inventory, watched: WatchedRoot) -> Pieces[None]:
        yield from real(self, watched)
        if not asked:
            asked.append(by_events.intake.inventories)
            by_events.intake.rescan()

    monkeypatch.setattr(Inventory, "look_at_root", ask_meanwhile)
    by_events.intake.rescan()
    wait_until(lambda: bool(asked) and by_events.intake.inventories >= asked[0] + 2)


def test_an_unforeseen_fault_does_not_end_the_intake(by_events: Watching, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Inventory.look_at_name
    faults: list[bytes] = []

    def fail_once(self: Inventory, watched: WatchedRoot, folder: bytes, name: bytes) -> None:
        if not faults:
            faults.append(name)
            raise RuntimeError("a fault in our own code")
        real(self, watched, folder, name)

    monkeypatch.setattr(Inventory, "look_at_name", fail_once)
    (root / "a.jpg").write_bytes(b"a")
    wait_until(lambda: bool(faults))
    by_events.until({"a.jpg": "queued"})
    wait_until(lambda: by_events.intake.failure is None)


def test_a_deleted_folder_costs_no_walk_of_the_whole_tree(appliance: Watching, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A season is two million stills: removing an old station must not have everything looked at again and again."""
    for number in range(30):
        (root / f"empty {number}").mkdir()
        (root / f"tow {number}").mkdir()
        (root / f"tow {number}" / f"{number}.jpg").write_bytes(b"%d" % number)
    appliance.until({f"{number}.jpg": "queued" for number in range(30)})
    appliance.rest()
    appliance.intake._full_due_s = time.monotonic() + 3600
    walks: list[int] = []
    real = Inventory.look_at_root

    def count_and_walk(self: Inventory, watched: WatchedRoot) -> Pieces[None]:
        walks.append(1)
        yield from real(self, watched)

    monkeypatch.setattr(Inventory, "look_at_root", count_and_walk)
    for path in root.iterdir():
        shutil.rmtree(path)
    (root / "stays.jpg").write_bytes(b"stays")
    appliance.until({"stays.jpg": "queued", **{f"{number}.jpg": "queued, gone" for number in range(30)}})
    time.sleep(2.5)  # two more rescans
    assert len(walks) == 0
