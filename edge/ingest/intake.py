"""The intake thread: from files that appear to contents that are queued.

One loop: follow the hints, look at changed folders, now and then at everything, and take what has settled. A look at a
whole season takes minutes, so it advances a moment at a time between the hints and the takes. Taking stops while the
disk is low; nothing is dropped, the files wait where they are.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.errors import EdgeError, StoreError
from edge.ingest.inventory import MOST_WAITING, FileKey, Inventory
from edge.ingest.looks import Pieces, is_wanted, is_watched_folder
from edge.ingest.media import FolderIdentity, folder_identity
from edge.ingest.settle import SettleTracker, patience
from edge.ingest.take import sweep_copies
from edge.ingest.taker import Taker
from edge.ingest.watched import WatchedRoot
from edge.ingest.watcher import Hints, Watcher
from edge.settings import Settings
from edge.store import files
from edge.store.connection import open_reader
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.values import CaptureTime

log = structlog.get_logger()

_BATCH = 64
_MOMENT_S = 0.2
_COLLAPSE_S = 0.02
_AGAIN_S = 1.0
_STOP_LIMIT_S = 10.0
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
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`patient` waits for files that still grow; `time_in_name` reads the capture time that a file's name says.

        No more than `most_waiting` files are in hand at a time.
        """
        self._settings = settings
        self._media = home / "media"
        self._database = database
        self._writer = writer
        self._may_take = may_take
        self._most_waiting = most_waiting
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._hints = Hints(self._wake)
        self._watcher = Watcher(self._hints)
        limit_s = settings.growing_limit_s if patient else _IMPATIENT_LOOKS * settings.settle_s
        # Who asks for a folder to be taken now says that its clips are finished.
        clip_patience = patience(settings.settle_s, settings.clip_settle_s, time.time) if patient else None
        self._tracker: SettleTracker[FileKey] = SettleTracker(settings.settle_s, limit_s, clip_patience)
        self._taker = Taker(
            settings,
            self._media,
            writer,
            self._tracker,
            patient=patient,
            time_in_name=time_in_name,
            look_again=self._hints.add,
            stopping=self._stopping.is_set,
        )
        self._roots: dict[int, WatchedRoot] = {}
        self._events: dict[int, bool] = {}
        self._watched_folders: dict[int, FolderIdentity | None] = {}
        self._full_due_s = 0.0
        self._rescan_due_s = 0.0
        self._inventories = 0
        self._round: Pieces[None] | None = None
        self._asked: deque[Pieces[None]] = deque()
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
        """End at once; a file in hand is taken at the next start. A share that hangs is not waited for."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_LIMIT_S)
            if self._thread.is_alive():
                log.warning("intake_left_behind", reason="a watched folder does not answer")
        self._watcher.stop()

    def rescan(self) -> None:
        """Look at everything soon."""
        self._full_due_s = 0.0
        self._wake.set()

    def look_at_changes(self) -> None:
        """Look soon at what changed and at what could not be read."""
        self._rescan_due_s = 0.0
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Files that are seen and not yet taken."""
        return len(self._tracker) + sum(sum(watched.unfinished.copy().values()) for watched in list(self._roots.values()))

    @property
    def idle(self) -> bool:
        """Nothing settles, nothing is being looked at, no hint is open, and no failure is left to be made good."""
        if self._busy or self._round is not None or self._asked or self._wake.is_set() or self._failed is not None:
            return False
        return self.waiting == 0

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
        while not self._stopping.is_set():
            try:
                self._work()
            except Exception as error:  # the thread's border: SQLite's own errors come through the reader
                log.exception("intake_failed")
                self._begin_again(error)

    def _work(self) -> None:
        reader = open_reader(self._database)
        try:
            inventory = Inventory(self._writer, reader, self._tracker, most_waiting=self._most_waiting)
            while not self._stopping.is_set():
                self._wake.wait(self._idle_s())
                self._busy = True
                self._wake.clear()
                self.step(inventory)
                self._busy = False
        finally:
            self._drop_looks()
            reader.close()

    def _begin_again(self, error: Exception) -> None:
        """A failure, of the store or a disk mostly, is told, and everything is looked at again; it never ends the thread."""
        self._failed = str(error) or type(error).__name__
        self._full_due_s = time.monotonic() + self._settings.settle_s
        self._tracker.plan_again()
        self._busy = False
        self._stopping.wait(_AGAIN_S)

    def _drop_looks(self) -> None:
        for look in (*self._asked, *(() if self._round is None else (self._round,))):
            look.close()
        self._asked.clear()
        self._round = None

    def step(self, inventory: Inventory) -> None:
        """Begin the looks that are due, go on with those in hand, then take a batch of what has settled."""
        self._begin_round(inventory)
        self._follow_hints(inventory)
        self._advance()
        self._take_settled()

    def _begin_round(self, inventory: Inventory) -> None:
        if self._round is not None:
            return
        now_s, roots = time.monotonic(), list(self._roots.values())
        if now_s >= self._full_due_s:
            self._full_due_s = now_s + self._settings.full_rescan_s  # first: a rescan asked for meanwhile must not be lost
            self._hints.drain()
            self._round = self._look_at_everything(inventory, roots)
        elif now_s >= self._rescan_due_s or any(watched.is_due for watched in roots):
            self._rescan_due_s = now_s + self._settings.rescan_s
            self._round = self._look_at_what_changed(inventory, roots)
        elif (unfinished := self._unfinished()) is not None:
            self._round = inventory.look_at_unfinished(unfinished)

    def _look_at_everything(self, inventory: Inventory, roots: list[WatchedRoot]) -> Pieces[None]:
        if not self._inventories:
            sweep_copies(self._media)
        for watched in roots:
            self._watch_what_is_there(watched.root)
            yield from inventory.look_at_root(watched)
        self._rescan_due_s = time.monotonic() + self._settings.rescan_s
        self._inventories += 1
        self._failed = None

    def _look_at_what_changed(self, inventory: Inventory, roots: list[WatchedRoot]) -> Pieces[None]:
        for watched in roots:
            if self._watch_what_is_there(watched.root) or watched.is_due:
                yield from inventory.look_at_root(watched)
            else:
                yield from inventory.look_at_changed_folders(watched)

    def _unfinished(self) -> WatchedRoot | None:
        """A root of which more files can be taken in hand now, if there is one."""
        if len(self._tracker) > self._most_waiting // 2:
            return None
        return next((watched for watched in self._roots.values() if watched.unfinished), None)

    def _advance(self) -> None:
        """Go on for a moment with the looks in hand, those that hints asked for first."""
        end_s = time.monotonic() + _MOMENT_S
        while time.monotonic() < end_s and not self._stopping.is_set():
            look = self._asked[0] if self._asked else self._round
            if look is None:
                return
            if next(look, look) is not look:
                continue
            if self._asked:
                self._asked.popleft()
            else:
                self._round = None

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
        if self._round is not None or self._asked or self._unfinished() is not None:
            return 0.0
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
                self._asked.append(inventory.look_at_tree(watched, relative))
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
        """Take what has settled, for a moment at most: then it is time to look at the hints again."""
        pieces: list[Callable[[Connection], object]] = []
        begun_s = time.monotonic()
        while len(pieces) < _BATCH and time.monotonic() - begun_s < _MOMENT_S and self._may_take() and not self._stopping.is_set():
            due = self._tracker.pop_due(begun_s, 1)
            if not due:
                break
            if (piece := self._taker.take(self._roots[due[0][0]], due[0])) is not None:
                pieces.append(piece)
        self._store(pieces)

    def _store(self, pieces: list[Callable[[Connection], object]]) -> None:
        """Write a batch in one commit. After a failure everything is looked at again: nothing was recorded of these files."""
        futures = [self._writer.submit(piece) for piece in pieces]
        failures = [failure for future in futures if (failure := future.exception()) is not None]
        if failures:
            self._full_due_s = time.monotonic() + self._settings.settle_s
            first = failures[0]
            raise first if isinstance(first, EdgeError) else StoreError(str(first))
