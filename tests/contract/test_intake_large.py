"""A season of two million stills: looked at in pieces, with little in memory, and ended at once when asked."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.ingest import inventory as inventory_module
from edge.ingest import looks
from edge.ingest.inventory import FileKey, Inventory
from edge.ingest.looks import FileLook, look_at_file
from edge.ingest.settle import SettleTracker
from edge.ingest.watched import WatchedRoot
from edge.recipes.recipe import STILL_EXTENSIONS
from edge.store import files
from edge.store.sqlite import Connection
from tests.helpers.pieces import finish
from tests.helpers.watching import HINTS_ONLY, RECIPE, Watching, wait_until, watching

MOST_WAITING = 40


def fill(folder: Path, count: int) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{folder.name} {number:05d}.jpg").write_bytes(f"{folder} {number}".encode())
    return {f"{folder.name} {number:05d}.jpg": "queued" for number in range(count)}


class ByHand:
    """An inventory that the test itself drives, piece by piece."""

    def __init__(self, appliance: Watching) -> None:
        self.appliance = appliance
        self.tracker: SettleTracker[FileKey] = SettleTracker(0.2, 60)
        self.inventory = Inventory(appliance.writer, appliance.reader, self.tracker)
        (self.root,) = appliance.writer.call(files.list_roots)
        self.watched = WatchedRoot(root=self.root, extensions=STILL_EXTENSIONS)

    def look_at_root(self) -> None:
        finish(self.inventory.look_at_root(self.watched))

    def store(self, path: Path) -> None:
        look = look_at_file(os.fsencode(path.parent), os.fsencode(path.name))
        assert look is not None
        relative = os.path.relpath(path.parent, self.root.path)
        folder = b"" if relative == "." else os.fsencode(relative)

        def work(connection: Connection) -> None:
            seen = files.SeenFile(
                folder_id=files.add_folder(connection, self.root.root_id, folder),
                recipe=RECIPE,
                folder_path_bytes=os.fsencode(path.parent),
                name_bytes=look.name_bytes,
                size_bytes=look.size_bytes,
                mtime_ns=look.mtime_ns,
                inode=look.inode,
            )
            files.store_file(connection, seen, sha256=f"{hash(path) & 0xFFFF_FFFF:064x}", copy_path=None)

        self.appliance.writer.call(work)

    def store_all(self) -> None:
        for path in sorted(self.root.path.rglob("*.jpg")):
            self.store(path)


@contextmanager
def by_hand(home: Path, root: Path) -> Iterator[ByHand]:
    appliance = Watching(home, root)
    try:
        yield ByHand(appliance)
    finally:
        appliance.close()


def test_more_files_than_may_be_in_hand_are_all_taken(home: Path, root: Path) -> None:
    """Three stations, and one folder larger than everything that may wait; new ones come meanwhile."""
    expected = {name: "queued" for tow in ("tow 1", "tow 2", "large") for name in fill(root / tow, 300 if tow == "large" else 30)}
    with watching(home, root, most_waiting=MOST_WAITING, settle_s=0.1, **HINTS_ONLY) as appliance:
        assert appliance.intake.waiting > MOST_WAITING, "those that are not in hand are counted too"
        most: list[int] = []
        expected |= fill(root / "new", 100)

        def is_taken() -> bool:
            most.append(len(appliance.intake._tracker))
            return appliance.states() == expected

        wait_until(is_taken)
        assert 0 < max(most) <= MOST_WAITING
        wait_until(lambda: appliance.intake.idle)
        assert appliance.intake.waiting == 0


def test_they_wait_while_nothing_may_be_taken(home: Path, root: Path) -> None:
    """A low disk is no reason to look at the same folders again and again."""
    with watching(home, root, most_waiting=MOST_WAITING, watch=False, rescan_s=3600, full_rescan_s=86_400) as appliance:
        appliance.may_take.clear()
        expected = fill(root / "tow", 300)
        appliance.intake.rescan()
        wait_until(lambda: appliance.intake.waiting == 300)
        assert not appliance.intake.idle
        assert appliance.intake._idle_s() > 0
        appliance.may_take.set()
        appliance.until(expected)


def test_a_look_goes_in_small_pieces(home: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = looks._look

    def count(name: bytes, status: os.stat_result) -> FileLook:
        seen.append(1)
        return real(name, status)

    monkeypatch.setattr(looks, "_look", count)
    fill(root / "tow", 2500)
    with by_hand(home, root) as driven:
        before, most = 0, 0
        for _ in driven.inventory.look_at_root(driven.watched):
            most, before = max(most, len(seen) - before), len(seen)
        most = max(most, len(seen) - before)
        assert len(seen) == 2500
        assert most <= looks._ENTRIES_PER_PIECE


def test_the_end_comes_in_the_middle_of_a_look(home: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during the first look at a season on a slow share; the next start finds everything."""
    seen: list[int] = []
    enough, may_go_on = threading.Event(), threading.Event()
    real = looks._look

    def look_slowly(name: bytes, status: os.stat_result) -> FileLook:
        seen.append(1)
        if len(seen) == 1000:
            enough.set()
            may_go_on.wait(60)
        return real(name, status)

    expected = fill(root / "tow 1", 1500) | fill(root / "tow 2", 1500)
    appliance = Watching(home, root, watch=False)
    with monkeypatch.context() as patched:
        patched.setattr(looks, "_look", look_slowly)
        appliance.intake.start()
        assert enough.wait(60)
        stopping = threading.Thread(target=appliance.intake.stop)
        stopping.start()
        wait_until(appliance.intake._stopping.is_set)
        may_go_on.set()
        stopping.join(60)
        assert len(seen) <= 1000 + looks._ENTRIES_PER_PIECE
        assert appliance.states() == {}
    appliance.close()
    with watching(home, root, watch=False) as again:
        again.until(expected)


def test_what_came_after_the_listing_is_not_held_to_be_gone(home: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint has it taken while the look at its folder rests between two pieces."""
    monkeypatch.setattr(inventory_module, "_NAMES_PER_PIECE", 2)
    fill(root / "tow", 6)
    with by_hand(home, root) as driven:
        driven.store_all()
        (root / "tow" / "tow 00003.jpg").unlink()
        look = driven.inventory.look_at_root(driven.watched)
        while driven.watched.folder_mtimes_ns.get(b"tow") is None:
            next(look)
        (root / "tow" / "tow 99999.jpg").write_bytes(b"came meanwhile")
        driven.store(root / "tow" / "tow 99999.jpg")
        finish(look)
        states = driven.appliance.states()
        assert states.pop("tow 00003.jpg") == "queued, gone"
        assert set(states.values()) == {"queued"}
        assert len(states) == 6


def test_a_folder_that_came_during_the_look_is_not_forgotten(home: Path, root: Path) -> None:
    """The walk never saw it, and yet it is there."""
    fill(root / "tow 1", 3)
    with by_hand(home, root) as driven:
        driven.store_all()
        look = driven.inventory.look_at_root(driven.watched)
        while driven.watched.folder_mtimes_ns.get(b"") is None:
            next(look)
        fill(root / "tow 2", 3)
        driven.store_all()
        driven.watched.folder_ids = files.known_folders(driven.appliance.reader, driven.root.root_id)
        finish(look)
        assert set(driven.appliance.states().values()) == {"queued"}


def test_folders_nested_as_deep_as_the_system_allows(home: Path, root: Path) -> None:
    """Deeper than Python would call functions in one another."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    with open(os.open("deep.jpg", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor), "wb") as file:
        file.write(b"deep")
    os.close(descriptor)
    try:
        with watching(home, root, watch=False) as appliance:
            appliance.until({"deep.jpg": "queued"})
            (root / "d").rename(root / "e")
            wait_until(lambda: sorted(row["original"] for row in appliance.rows()) == ["gone", "present"])
    finally:
        subprocess.run(["rm", "-rf", "--", str(root)], check=True)  # pytest clears away by functions that call one another
