"""The intake thread: from files that appear to contents that are queued.

One loop: follow the hints, look at changed folders, now and then at everything, and take what has settled. Taking stops
while the disk is low; nothing is dropped, the files wait where they are.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.errors import EdgeError, InputError, Reason, StoreError
from edge.ingest.inventory import FileKey, FolderIdentity, Inventory, WatchedRoot, folder_identity, told
from edge.ingest.looks import FileLook, is_wanted, is_watched_folder, look_at_file
from edge.ingest.settle import SettleTracker
from edge.ingest.take import Taken, sweep_copies, take_copy, take_in_place
from edge.ingest.watcher import Hints, Watcher
from edge.settings import Settings
from edge.store import files
from edge.store.connection import open_reader
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.values import CaptureTime

log = structlog.get_logger()

_BATCH = 64
_COLLAPSE_S = 0.02
_IMPATIENT_LOOKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RootStatus:
    """A root as pages show it. `troubles` are sentences; empty means: looked, and all was readable."""

    root_id: int
    path: str
    recipe: str
    intake: files.Intake
    events: bool
    file_count: int
    ignored: int
    troubles: tuple[str, ...]
    looked_utc: str | None


class Intake:
    """Owns inventory, watcher and settle tracker; runs in a thread of its own, or step by step in a test."""

    def __init__(
        self,
        settings: Settings,
        home: Path,
        database: Path,
        writer: Writer,
        *,
        may_take: Callable[[], bool],
        patient: bool = True,
        time_in_name: Callable[[str], CaptureTime | None] = lambda _: None,
    ) -> None:
        """`patient` waits for files that still grow; `time_in_name` reads the capture time that a file's name says."""
        self._time_in_name = time_in_name
        self._settings = settings
        self._media = home / "media"
        self._database = database
        self._writer = writer
        self._may_take = may_take
        self._patient = patient
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._hints = Hints(self._wake)
        self._watcher = Watcher(self._hints)
        limit_s = settings.growing_limit_s if patient else _IMPATIENT_LOOKS * settings.settle_s
        self._tracker: SettleTracker[FileKey] = SettleTracker(settings.settle_s, limit_s)
        self._roots: dict[int, WatchedRoot] = {}
        self._events: dict[int, bool] = {}
        self._watched_folders: dict[int, FolderIdentity | None] = {}
        self._full_due_s = 0.0
        self._rescan_due_s = 0.0
        self._inventories = 0
        self._busy = False
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def add_root(self, root: files.Root, extensions: frozenset[bytes], *, start: bytes = b"", watch: bool = True) -> None:
        """Take files from a root, or only from the folder `start` in it. Events are asked for before the first look."""
        self._roots[root.root_id] = WatchedRoot(root=root, extensions=extensions, start=start)
        self._events[root.root_id] = False
        if watch:
            self._watched_folders[root.root_id] = None
            self._watch_what_is_there(root)

    def start(self) -> None:
        """Begin to watch and take."""
        self._thread.start()

    def stop(self) -> None:
        """End after the file in hand."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._watcher.stop()

    def rescan(self) -> None:
        """Look at everything soon."""
        self._full_due_s = 0.0
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Files that are seen and not yet whole."""
        return len(self._tracker)

    @property
    def idle(self) -> bool:
        """Nothing settles, nothing is being looked at, no hint is open, and no failure is left to be made good."""
        return not self._tracker and not self._busy and not self._wake.is_set() and self._failed is None

    @property
    def inventories(self) -> int:
        """How many full inventories have ended."""
        return self._inventories

    @property
    def failure(self) -> str | None:
        """Why a look or a take failed, until everything was looked at again; or that the thread is no longer there."""
        if self._thread.ident is not None and not self._thread.is_alive() and not self._stopping.is_set():
            return "it has ended; start the appliance anew"
        return self._failed

    def status(self) -> tuple[RootStatus, ...]:
        """Every root as it was last seen."""
        return tuple(
            RootStatus(
                root_id=watched.root.root_id,
                path=files.shown(watched.root.path_bytes),
                recipe=watched.root.recipe,
                intake=watched.root.intake,
                events=self._events[watched.root.root_id],
                file_count=watched.file_count,
                ignored=sum(watched.ignored.copy().values()),
                troubles=tuple(watched.troubles.copy().values()),
                looked_utc=watched.looked_utc,
            )
            for watched in list(self._roots.values())
        )

    def _run(self) -> None:
        reader = open_reader(self._database)
        try:
            inventory = Inventory(self._writer, reader, self._tracker)
            while not self._stopping.is_set():
                self._wake.wait(self._idle_s())
                self._busy = True
                self._wake.clear()
                self._step_safely(inventory, reader)
                self._busy = False
        finally:
            reader.close()

    def _step_safely(self, inventory: Inventory, reader: Connection) -> None:
        """One step; a failure, of the store or a disk mostly, is told and tried again, it never ends the thread."""
        try:
            before = self._inventories
            self.step(inventory)
            if self._inventories > before:
                self._failed = None
        except Exception as error:  # the thread's border: SQLite's own errors come through the reader
            log.exception("intake_failed")
            self._failed = str(error) or type(error).__name__
            self._full_due_s = time.monotonic() + self._settings.settle_s
            self._tracker.plan_again()
            self._stopping.wait(1.0)

    def step(self, inventory: Inventory) -> None:
        """Look where there is reason to, then take a batch of what has settled."""
        now_s = time.monotonic()
        if now_s >= self._full_due_s:
            self._full_due_s = now_s + self._settings.full_rescan_s  # first: a rescan asked for meanwhile must not be lost
            if not self._inventories:
                sweep_copies(self._media)
            self._hints.drain()
            for watched in self._roots.values():
                self._watch_what_is_there(watched.root)
                inventory.look_at_root(watched)
            self._rescan_due_s = now_s + self._settings.rescan_s
            self._inventories += 1
        elif now_s >= self._rescan_due_s:
            for watched in self._roots.values():
                if self._watch_what_is_there(watched.root):
                    inventory.look_at_root(watched)
                else:
                    inventory.look_at_changed_folders(watched)
            self._rescan_due_s = now_s + self._settings.rescan_s
        self._follow_hints(inventory)
        self._take_settled()

    def _watch_what_is_there(self, root: files.Root) -> bool:
        """Events belong to the folder that was there when they were asked for: ask again when a medium came or went.

        Returns:
            True if this is another folder than before, or if events were missed.
        """
        if root.root_id not in self._watched_folders:
            return False
        before, folder = self._watched_folders[root.root_id], folder_identity(root.path_bytes)
        if folder == before and (folder is None or self._watcher.listens(root.path)):
            return False
        self._watched_folders[root.root_id] = folder
        self._events[root.root_id] = folder is not None and self._watcher.watch(root.path)
        return folder != before or self._events[root.root_id]

    def _idle_s(self) -> float:
        due_s = min(self._full_due_s, self._rescan_due_s)
        settle_due_s = self._tracker.next_due_s()
        if settle_due_s is not None:
            due_s = min(due_s, settle_due_s) if self._may_take() else max(min(due_s, settle_due_s), time.monotonic() + 1.0)
        return max(0.0, due_s - time.monotonic())

    def _follow_hints(self, inventory: Inventory) -> None:
        hints = self._hints.drain()
        if not hints:
            return
        for folder, names in hints.items():
            watched, relative = self._place(folder)
            if watched is None:
                continue
            if names is None:
                inventory.look_at_tree(watched, relative)
                continue
            for name in names:
                if is_wanted(name, watched.extensions):
                    inventory.look_at_name(watched, relative, name)
        self._stopping.wait(_COLLAPSE_S)  # a burst of events for one file costs one look, not one each

    def _place(self, folder: bytes) -> tuple[WatchedRoot | None, bytes]:
        for watched in self._roots.values():
            root = watched.root.path_bytes
            if folder == root:
                return watched, b""
            if folder.startswith(root + os.fsencode(os.sep)):
                relative = os.path.relpath(folder, root)
                entered = all(is_watched_folder(part) for part in relative.split(os.fsencode(os.sep)))
                return (watched, relative) if entered else (None, b"")
        return None, b""

    def _take_settled(self) -> None:
        if self._stopping.is_set() or not self._may_take():
            return
        due = self._tracker.pop_due(time.monotonic(), _BATCH)
        self._store([piece for key in due if (piece := self._take(key)) is not None])

    def _take(self, key: FileKey) -> Callable[[Connection], object] | None:
        """Look a second time; if the file is whole, hash it. Returns what the store shall write of it, if anything."""
        root_id, folder, name = key
        watched = self._roots[root_id]
        path = os.path.join(watched.path_of(folder), name)
        try:
            look = look_at_file(watched.path_of(folder), name)
        except OSError as error:
            watched.troubles[folder] = told(watched.path_of(folder), error)
            look = None
        if look is None:
            self._tracker.forget(key)
            return None
        seen = self._seen(watched, folder, look)
        if not look.is_regular:
            self._tracker.forget(key)
            return _failure(seen, Reason.NOT_A_REGULAR_FILE, "not a regular file")
        if not self._tracker.settled(key, look, time.monotonic()):
            return self._list_if_overdue(key, look, seen)
        try:
            taken = self._read(watched, path, look)
        except InputError as error:
            if error.reason is Reason.CHANGED_WHILE_READ:
                self._hints.add(watched.path_of(folder), name)
            self._tracker.forget(key)
            return None if error.reason in (Reason.CHANGED_WHILE_READ, Reason.VANISHED) else _failure(seen, error.reason, str(error))
        self._tracker.forget(key)
        copy_path = None if taken.copy_path is None else str(taken.copy_path)
        return lambda connection: files.store_file(connection, seen, sha256=taken.sha256, copy_path=copy_path)

    def _list_if_overdue(self, key: FileKey, look: FileLook, seen: files.SeenFile) -> Callable[[Connection], object] | None:
        overdue = self._tracker.overdue(key, time.monotonic())
        if look.size_bytes == 0 and (overdue or not self._patient):
            self._tracker.forget(key)
            return _failure(seen, Reason.EMPTY_FILE, "the file has no bytes")
        if not overdue:
            return None
        if not self._patient:
            self._tracker.forget(key)
        detail = f"still changing, {look.size_bytes} bytes at the last look"
        return lambda connection: files.fail_file(connection, seen, reason=Reason.STILL_GROWING, detail=detail, waiting=True)

    def _read(self, watched: WatchedRoot, path: bytes, look: FileLook) -> Taken:
        limit = self._settings.max_file_bytes
        if watched.root.intake == "copy":
            return take_copy(path, look, self._media, max_file_bytes=limit)
        return take_in_place(path, look, max_file_bytes=limit)

    def _store(self, pieces: list[Callable[[Connection], object]]) -> None:
        """Write a batch in one commit. After a failure everything is looked at again: nothing was recorded of these files."""
        futures = [self._writer.submit(piece) for piece in pieces]
        failures = [failure for future in futures if (failure := future.exception()) is not None]
        if failures:
            self._full_due_s = time.monotonic() + self._settings.settle_s
            first = failures[0]
            raise first if isinstance(first, EdgeError) else StoreError(str(first))

    def _seen(self, watched: WatchedRoot, folder: bytes, look: FileLook) -> files.SeenFile:
        if folder not in watched.folder_ids:
            root_id = watched.root.root_id
            watched.folder_ids[folder] = self._writer.call(lambda connection: files.add_folder(connection, root_id, folder))
        return files.SeenFile(
            folder_id=watched.folder_ids[folder],
            recipe=watched.root.recipe,
            folder_path_bytes=watched.path_of(folder),
            name_bytes=look.name_bytes,
            size_bytes=look.size_bytes,
            mtime_ns=look.mtime_ns,
            inode=look.inode,
            capture_time=self._time_in_name(files.shown(look.name_bytes)),
        )


def _failure(seen: files.SeenFile, reason: Reason, detail: str) -> Callable[[Connection], object]:
    return lambda connection: files.fail_file(connection, seen, reason=reason, detail=detail, waiting=False)
