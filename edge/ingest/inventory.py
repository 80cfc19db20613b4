"""Compare what the watched folders hold with what the store knows: the truth behind all hints.

New and changed files go to the settle tracker; names that are no longer there are marked gone. Nothing is concluded from
a folder that cannot be read, nor from a root that suddenly holds nothing: a medium that was pulled out leaves an empty
folder behind.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import structlog

from edge.ingest.looks import FileLook, FolderLook, look_at_file, look_at_folder
from edge.ingest.settle import SettleTracker
from edge.store import files
from edge.store.clock import utc_now
from edge.store.sqlite import Connection
from edge.store.writer import Writer

log = structlog.get_logger()

FileKey = tuple[int, bytes, bytes]  # root id, folder relative to the root, name

# A folder whose time is this fresh may still change within the file system's clock tick.
_FRESH_NS = 2_000_000_000


@dataclass(slots=True)
class WatchedRoot:
    """A root and what is remembered of it between two looks."""

    root: files.Root
    extensions: frozenset[bytes]
    start: bytes = b""
    folder_ids: dict[bytes, int] = field(default_factory=dict)
    folder_mtimes_ns: dict[bytes, int] = field(default_factory=dict)
    ignored: dict[bytes, int] = field(default_factory=dict)
    troubles: dict[bytes, str] = field(default_factory=dict)
    held_files: bool = False
    file_count: int = 0
    looked_utc: str | None = None

    def path_of(self, folder: bytes) -> bytes:
        """A folder relative to the root, as a full path."""
        return os.path.join(self.root.path_bytes, folder) if folder else self.root.path_bytes


class Inventory:
    """Looks at roots, folders and names, and tells the tracker and the store. Used by one thread only."""

    def __init__(self, writer: Writer, reader: Connection, tracker: SettleTracker[FileKey]) -> None:
        self._writer = writer
        self._reader = reader
        self._tracker = tracker

    def look_at_root(self, watched: WatchedRoot) -> None:
        """Walk the whole tree of a root."""
        watched.troubles.clear()
        looks = self._walk(watched, watched.start)
        if watched.start in watched.troubles:
            return
        watched.file_count = sum(len(look.files) for look in looks.values())
        watched.ignored = {folder: look.ignored for folder, look in looks.items() if look.ignored}
        if watched.file_count == 0 and not watched.held_files and self._was_filled(watched):
            watched.troubles[watched.start] = "the folder is empty, but files were known in it: is its medium there?"
            return
        watched.held_files = watched.held_files or watched.file_count > 0
        for folder, look in looks.items():
            self._compare(watched, folder, look)
        self._mark_missing_folders(watched, looks)
        watched.looked_utc = utc_now()

    def look_at_changed_folders(self, watched: WatchedRoot) -> None:
        """Look again at those folders whose own time has changed: names came or went."""
        if not os.path.isdir(watched.root.path_bytes):
            self.look_at_root(watched)
            return
        for folder, seen_ns in list(watched.folder_mtimes_ns.items()):
            if _folder_mtime_ns(watched.path_of(folder)) != seen_ns:
                self.look_at_tree(watched, folder)

    def look_at_tree(self, watched: WatchedRoot, folder: bytes) -> None:
        """Look at one folder and what lies below it."""
        if not os.path.isdir(watched.path_of(folder)):
            self.look_at_root(watched)
            return
        watched.troubles.pop(folder, None)
        known = set(watched.folder_mtimes_ns)
        look = self._look(watched, folder)
        if look is None:
            return
        self._compare(watched, folder, look)
        for name in look.subfolders:
            below = os.path.join(folder, name)
            if below not in known:
                self.look_at_tree(watched, below)

    def look_at_name(self, watched: WatchedRoot, folder: bytes, name: bytes) -> None:
        """Look at one file that a hint named."""
        folder_id = self._folder_id(watched, folder)
        known = files.known_file(self._reader, folder_id, name)
        try:
            look = look_at_file(watched.path_of(folder), name)
        except OSError as error:
            watched.troubles[folder] = f"{error.strerror or error}"
            return
        if look is not None:
            self._compare_file(watched, folder, look, known)
        elif os.path.isdir(watched.path_of(folder)):
            self._tracker.forget((watched.root.root_id, folder, name))
            if known is not None and known.original == "present":
                self._writer.call(lambda connection: files.mark_gone(connection, [known.sighting_id]))

    def _walk(self, watched: WatchedRoot, start: bytes) -> dict[bytes, FolderLook]:
        looks: dict[bytes, FolderLook] = {}
        folders = [start]
        while folders:
            folder = folders.pop()
            look = self._look(watched, folder)
            if look is not None:
                looks[folder] = look
                folders.extend(os.path.join(folder, name) for name in reversed(look.subfolders))
        return looks

    def _look(self, watched: WatchedRoot, folder: bytes) -> FolderLook | None:
        path = watched.path_of(folder)
        before_ns = _folder_mtime_ns(path)
        try:
            look = look_at_folder(path, watched.extensions)
        except OSError as error:
            log.warning("folder_unreadable", folder=files.shown(path), error=error.strerror)
            watched.troubles[folder] = f"{files.shown(path)} cannot be read: {error.strerror or error}"
            watched.folder_mtimes_ns.pop(folder, None)
            return None
        fresh = before_ns is None or time.time_ns() - before_ns < _FRESH_NS
        watched.folder_mtimes_ns[folder] = -1 if fresh or before_ns is None else before_ns
        return look

    def _was_filled(self, watched: WatchedRoot) -> bool:
        return watched.start == b"" and files.present_count(self._reader, watched.root.root_id) > 0

    def _compare(self, watched: WatchedRoot, folder: bytes, look: FolderLook) -> None:
        folder_id = self._folder_id(watched, folder) if look.files else watched.folder_ids.get(folder)
        known = {} if folder_id is None else files.known_files(self._reader, folder_id)
        back: list[int] = []
        for file in look.files:
            before = known.pop(file.name_bytes, None)
            if before is not None and before.original == "gone" and _is_same(before, file) and before.image_id is not None:
                back.append(before.sighting_id)
            else:
                self._compare_file(watched, folder, file, before)
        gone = [before.sighting_id for before in known.values() if before.original == "present"]
        for name in known:
            self._tracker.forget((watched.root.root_id, folder, name))
        if back:
            self._writer.call(lambda connection: files.mark_present(connection, back))
        if gone:
            self._writer.call(lambda connection: files.mark_gone(connection, gone))

    def _compare_file(self, watched: WatchedRoot, folder: bytes, look: FileLook, known: files.KnownFile | None) -> None:
        if known is not None and known.original == "present" and known.state != "seen" and _is_same(known, look):
            return
        self._tracker.look((watched.root.root_id, folder, look.name_bytes), look, time.monotonic())

    def _mark_missing_folders(self, watched: WatchedRoot, looks: dict[bytes, FolderLook]) -> None:
        below = watched.start + b"/" if watched.start else b""
        for folder, folder_id in watched.folder_ids.items():
            inside = folder == watched.start or folder.startswith(below)
            if inside and folder not in looks and not _is_below(folder, watched.troubles):
                watched.folder_mtimes_ns.pop(folder, None)
                known = files.known_files(self._reader, folder_id)
                gone = [before.sighting_id for before in known.values() if before.original == "present"]
                if gone:
                    self._writer.call(lambda connection, gone=gone: files.mark_gone(connection, gone))  # type: ignore[misc]

    def _folder_id(self, watched: WatchedRoot, folder: bytes) -> int:
        if not watched.folder_ids:
            watched.folder_ids = files.known_folders(self._reader, watched.root.root_id)
        if folder not in watched.folder_ids:
            watched.folder_ids[folder] = self._writer.call(lambda connection: files.add_folder(connection, watched.root.root_id, folder))
        return watched.folder_ids[folder]


def _is_same(known: files.KnownFile, look: FileLook) -> bool:
    return known.size_bytes == look.size_bytes and known.mtime_ns == look.mtime_ns


def _is_below(folder: bytes, troubles: dict[bytes, str]) -> bool:
    return any(folder == trouble or folder.startswith(trouble + b"/") or trouble == b"" for trouble in troubles)


def _folder_mtime_ns(path: bytes) -> int | None:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime_ns
    except OSError:
        return None
