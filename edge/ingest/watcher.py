"""File system events as hints: they say where to look soon, never what is there.

Events get lost (an overflowing queue drops them without a word, network shares send none), so the inventory stays the
truth and a lost hint costs time, not a file.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import structlog
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

log = structlog.get_logger()

_TELLING_EVENTS = {"created", "modified", "moved", "deleted", "closed"}
_MANY_NAMES = 256


class Hints:
    """Where something happened: names by folder, or the whole folder once there are many. Thread safe."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._names: dict[bytes, set[bytes] | None] = {}

    def add(self, folder: bytes, name: bytes | None) -> None:
        """Something happened to a name in a folder, or (None) to the folder as a whole."""
        with self._lock:
            names = self._names.setdefault(folder, set())
            if name is None or (names is not None and len(names) >= _MANY_NAMES):
                self._names[folder] = None
            elif names is not None:
                names.add(name)
        self._wake.set()

    def drain(self) -> dict[bytes, set[bytes] | None]:
        """Take all hints; None stands for a whole folder with what lies below it."""
        with self._lock:
            names, self._names = self._names, {}
            return names


class Watcher:
    """Turns watchdog events below the roots into hints. A root that cannot be watched is only rescanned."""

    def __init__(self, hints: Hints) -> None:
        self._handler = _Handler(hints)
        self._observer: BaseObserver = Observer()
        self._watches: dict[Path, ObservedWatch] = {}
        self._refused: set[Path] = set()

    def watch(self, root: Path) -> bool:
        """Listen below a root, afresh if it was watched before; returns whether events can be had there."""
        self.unwatch(root)
        if not self._observer.is_alive():
            self._observer.start()  # first: one root that cannot be watched must not keep the others from it
        try:
            self._watches[root] = self._observer.schedule(self._handler, os.fspath(root), recursive=True)
        except OSError as error:
            if root not in self._refused:
                log.warning("watch_refused", root=str(root), error=str(error))
            self._refused.add(root)
            return False
        self._refused.discard(root)
        return True

    def listens(self, root: Path) -> bool:
        """Whether events below a root still arrive; a watch ends with its folder, or where the system grants no more."""
        watch = self._watches.get(root)
        return any(emitter.watch == watch and emitter.is_alive() for emitter in self._observer.emitters)

    def unwatch(self, root: Path) -> None:
        """Stop listening below a root."""
        watch = self._watches.pop(root, None)
        if watch is not None:
            try:
                self._observer.unschedule(watch)
            except (OSError, KeyError) as error:
                log.info("unwatch_failed", root=str(root), error=str(error))

    def stop(self) -> None:
        """Stop listening."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _TELLING_EVENTS:
            return  # reading a file makes events too, ours among them
        for path in filter(None, (event.src_path, event.dest_path)):
            raw = path if isinstance(path, bytes) else os.fsencode(str(path))
            if event.is_directory:
                if event.event_type in ("created", "moved", "deleted"):
                    self._hints.add(raw, None)
            else:
                self._hints.add(os.path.dirname(raw), os.path.basename(raw))
