"""Compare what the watched folders hold with what the store knows: the truth behind all hints.

New and changed files go to the settle tracker; names that are no longer there are marked gone. Nothing is concluded from
a folder that cannot be read, nor from one that suddenly holds nothing and is another folder than before: a medium that was
pulled out leaves an empty mount point behind.
"""

from __future__ import annotations

import os
import stat
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
FolderIdentity = tuple[int, int]  # device and inode

# A folder whose time is this fresh may still change within the file system's clock tick.
_FRESH_NS = 2_000_000_000
_SEPARATOR = os.fsencode(os.sep)
_MEDIUM_GONE = "is empty, but files were known in it: is its medium there?"


@dataclass(slots=True)
class WatchedRoot:
    """A root and what is remembered of it between two looks. `identity` is the folder that its files were seen in."""

    root: files.Root
    extensions: frozenset[bytes]
    start: bytes = b""
    identity: FolderIdentity | None = None
    folder_ids: dict[bytes, int] = field(default_factory=dict)
    folder_mtimes_ns: dict[bytes, int] = field(default_factory=dict)
    folder_devices: dict[bytes, int] = field(default_factory=dict)
    ignored: dict[bytes, int] = field(default_factory=dict)
    troubles: dict[bytes, str] = field(default_factory=dict)
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
        watched.folder_ids = watched.folder_ids or files.known_folders(self._reader, watched.root.root_id)
        identity = folder_identity(watched.root.path_bytes)
        looks = self._walk(watched, watched.start)
        if watched.start not in looks:
            return
        if folder_identity(watched.root.path_bytes) != identity:
            watched.troubles[watched.start] = f"{files.shown(watched.root.path_bytes)} was exchanged while it was looked at"
            return
        watched.file_count = sum(len(look.files) for look in looks.values())
        watched.ignored = {folder: look.ignored for folder, look in looks.items() if look.ignored}
        if watched.file_count == 0 and identity != watched.identity and self._was_filled(watched):
            watched.troubles[watched.start] = f"{files.shown(watched.root.path_bytes)} {_MEDIUM_GONE}"
            return
        watched.identity = identity
        for folder, look in looks.items():
            watched.troubles.pop(folder, None)
            self._compare(watched, folder, look)
        known = watched.folder_ids.keys() | watched.folder_mtimes_ns.keys() | watched.troubles.keys()
        self._forget_folders(watched, {folder for folder in known if is_within(folder, watched.start)} - looks.keys())
        watched.looked_utc = utc_now()

    def look_at_changed_folders(self, watched: WatchedRoot) -> None:
        """Look again at those folders whose own time has changed, so names came or went, and at those with troubles."""
        if watched.start in watched.troubles or self._is_exchanged(watched):
            self.look_at_root(watched)
            return
        for folder in list(watched.troubles):
            self.look_at_tree(watched, folder)
        for folder, seen_ns in list(watched.folder_mtimes_ns.items()):
            if folder in watched.folder_mtimes_ns and _folder_mtime_ns(watched.path_of(folder)) != seen_ns:
                self.look_at_tree(watched, folder)

    def look_at_tree(self, watched: WatchedRoot, folder: bytes) -> None:
        """Look at one folder, enter what is new below it, and forget what is missing there."""
        if self._is_exchanged(watched):
            self.look_at_root(watched)
            return
        if folder != watched.start and _is_missing(watched.path_of(folder)):
            if folder in watched.folder_mtimes_ns or folder in watched.troubles:
                self.look_at_tree(watched, os.path.dirname(folder))  # its parent says so, unless that is a lost medium
            return
        look = self._look(watched, folder)
        if look is None:
            return
        watched.troubles.pop(folder, None)
        self._compare(watched, folder, look)
        below = {os.path.join(folder, name) for name in look.subfolders}
        known = watched.folder_mtimes_ns.keys() | watched.troubles.keys()
        self._forget_folders(watched, {lost for lost in known if (step := _step_below(lost, folder)) is not None and step not in below})
        for new in sorted(below - watched.folder_mtimes_ns.keys() - watched.troubles.keys()):
            self.look_at_tree(watched, new)

    def look_at_name(self, watched: WatchedRoot, folder: bytes, name: bytes) -> None:
        """Look at one file that a hint named."""
        if self._is_exchanged(watched):
            self.look_at_root(watched)
            return
        if folder != watched.start and _is_missing(watched.path_of(folder)):
            return  # its own hint, or its parent's, tells what became of it
        known = files.known_file(self._reader, self._folder_id(watched, folder), name)
        try:
            look = look_at_file(watched.path_of(folder), name)
        except OSError as error:
            watched.troubles[folder] = told(watched.path_of(folder), error)
            return
        if look is not None:
            self._compare_file(watched, folder, look, known)
        elif os.path.isdir(watched.path_of(folder)):
            self._tracker.forget((watched.root.root_id, folder, name))
            if known is not None and known.original == "present":
                self._writer.call(lambda connection: files.mark_gone(connection, [known.sighting_id]))

    def _is_exchanged(self, watched: WatchedRoot) -> bool:
        """Whether the root is another folder than its files were seen in, or none: a medium came or went."""
        return folder_identity(watched.root.path_bytes) != watched.identity

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
        try:
            before = os.stat(path)
            look = look_at_folder(path, watched.extensions)
        except OSError as error:
            self._refuse(watched, folder, told(path, error))
            return None
        if not look.files and not look.subfolders and self._lost_its_medium(watched, folder, before.st_dev):
            self._refuse(watched, folder, f"{files.shown(path)} {_MEDIUM_GONE}")
            return None
        watched.folder_devices[folder] = before.st_dev
        fresh = time.time_ns() - before.st_mtime_ns < _FRESH_NS
        watched.folder_mtimes_ns[folder] = -1 if fresh else before.st_mtime_ns
        return look

    def _refuse(self, watched: WatchedRoot, folder: bytes, trouble: str) -> None:
        if watched.troubles.get(folder) != trouble:
            log.warning("folder_unreadable", trouble=trouble)
        watched.troubles[folder] = trouble
        watched.folder_mtimes_ns.pop(folder, None)

    def _lost_its_medium(self, watched: WatchedRoot, folder: bytes, device: int) -> bool:
        """Whether something was mounted here, files were known on it, and now it is not."""
        if folder == watched.start or watched.folder_devices.get(folder, device) == device:
            return False
        return any(is_within(known, folder) for known in watched.folder_ids)

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
        if known is not None and known.original == "present" and not _wants_another_try(known) and _is_same(known, look):
            return
        self._tracker.look((watched.root.root_id, folder, look.name_bytes), look, time.monotonic())

    def _forget_folders(self, watched: WatchedRoot, folders: set[bytes]) -> None:
        """These folders are no longer there, and so are their files; unless they, or one above them, only cannot be read."""
        for folder in sorted(folders):
            if folder in watched.troubles and _is_missing(watched.path_of(folder)):
                del watched.troubles[folder]
            if any(is_within(folder, trouble) for trouble in watched.troubles):
                continue
            watched.folder_mtimes_ns.pop(folder, None)
            watched.folder_devices.pop(folder, None)
            watched.ignored.pop(folder, None)
            folder_id = watched.folder_ids.get(folder)
            known = {} if folder_id is None else files.known_files(self._reader, folder_id)
            gone = [before.sighting_id for before in known.values() if before.original == "present"]
            if gone:
                self._writer.call(lambda connection, gone=gone: files.mark_gone(connection, gone))  # type: ignore[misc]

    def _folder_id(self, watched: WatchedRoot, folder: bytes) -> int:
        if not watched.folder_ids:
            watched.folder_ids = files.known_folders(self._reader, watched.root.root_id)
        if folder not in watched.folder_ids:
            watched.folder_ids[folder] = self._writer.call(lambda connection: files.add_folder(connection, watched.root.root_id, folder))
        return watched.folder_ids[folder]


def folder_identity(path: bytes) -> FolderIdentity | None:
    """Which folder is there now: another one after a mount, an unmount or an exchange. None if none can be seen."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_within(folder: bytes, outer: bytes) -> bool:
    """Whether a folder is another one or lies in it; both relative to the same root, which is `b""`."""
    return outer in (b"", folder) or folder.startswith(outer + _SEPARATOR)


def told(path: bytes, error: OSError) -> str:
    """A sentence for the person who wonders why nothing comes from this folder."""
    return f"{files.shown(path)} cannot be read: {error.strerror or error}"


def _step_below(folder: bytes, outer: bytes) -> bytes | None:
    """The folder directly in `outer` that leads to `folder`; None if it does not lie in there."""
    if folder == outer or not is_within(folder, outer):
        return None
    first = folder[len(outer) + len(_SEPARATOR) if outer else 0 :].split(_SEPARATOR, 1)[0]
    return os.path.join(outer, first) if outer else first


def _is_same(known: files.KnownFile, look: FileLook) -> bool:
    return known.size_bytes == look.size_bytes and known.mtime_ns == look.mtime_ns


def _wants_another_try(known: files.KnownFile) -> bool:
    """Not whole when last seen, or it failed only for not being there."""
    return known.state == "seen" or (known.state == "quarantined" and known.reason in files.REASONS_OF_ABSENCE)


def _is_missing(path: bytes) -> bool:
    """Whether there is certainly no folder of this name; a link to one leads out of the tree and is none."""
    try:
        return not stat.S_ISDIR(os.stat(path, follow_symlinks=False).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def _folder_mtime_ns(path: bytes) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
