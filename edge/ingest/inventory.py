"""Compare what the watched folders hold with what the store knows: the truth behind all hints.

New and changed files go to the settle tracker; names that are no longer there are marked gone. Nothing is concluded from
a folder that cannot be read, nor from one that suddenly holds nothing and is another folder than before: a medium that was
pulled out leaves an empty mount point behind.

A season is two million stills, so everything goes folder by folder and in pieces: what is in memory at a time is one
folder's listing, and whoever drives a look may stop or do something else between two pieces. What may have changed
meanwhile is looked at once more before anything is concluded from its absence.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right

from edge.ingest.looks import FileLook, FolderLook, Pieces, look_at_file, look_at_folder
from edge.ingest.media import folder_identity, is_missing, is_mount, is_within, lost_medium, step_below
from edge.ingest.settle import SettleTracker
from edge.ingest.watched import WatchedRoot, told
from edge.store import files
from edge.store.clock import utc_now
from edge.store.sqlite import Connection
from edge.store.writer import Writer

FileKey = tuple[int, bytes, bytes]  # root id, folder relative to the root, name

# More files than this need not wait for their second look at a time: the others are seen again when these are taken.
MOST_WAITING = 20_000
# A folder whose time is this fresh may still change within the file system's clock tick.
_FRESH_NS = 2_000_000_000
_NAMES_PER_PIECE = 1000
_FOLDERS_PER_PIECE = 100
_MEDIUM_GONE = "is empty, but files were known in it: is its medium there?"


class Inventory:
    """Looks at roots, folders and names, and tells the tracker and the store. Used by one thread only."""

    def __init__(self, writer: Writer, reader: Connection, tracker: SettleTracker[FileKey], *, most_waiting: int = MOST_WAITING) -> None:
        self._writer = writer
        self._reader = reader
        self._tracker = tracker
        self._most_waiting = most_waiting

    def look_at_root(self, watched: WatchedRoot) -> Pieces[None]:
        """Walk the whole tree of a root."""
        watched.is_due = False
        watched.recall(self._reader)
        root = watched.root.path_bytes
        identity = folder_identity(root)
        if identity != watched.identity and self._was_filled(watched):
            doubt = yield from self._doubt(watched)
            if doubt is not None:
                watched.refuse(self._writer, watched.start, doubt)
                return
        watched.identity = identity
        visited: set[bytes] = set()
        file_count = 0
        entering = [watched.start]
        while entering:
            folder = entering.pop()
            look = yield from self._look(watched, folder)
            if folder_identity(root) != identity:
                watched.refuse(self._writer, watched.start, f"{files.shown(root)} was exchanged while it was looked at")
                return
            if look is not None:
                visited.add(folder)
                file_count += len(look.files)
                yield from self._compare(watched, folder, look)
                entering.extend(os.path.join(folder, name) for name in reversed(look.subfolders))
        if watched.start not in visited:
            return
        known = watched.folder_ids.keys() | watched.folder_mtimes_ns.keys() | watched.troubles.keys()
        yield from self._forget_folders(watched, {folder for folder in known if is_within(folder, watched.start)} - visited)
        watched.file_count = file_count
        watched.looked_utc = utc_now()

    def look_at_changed_folders(self, watched: WatchedRoot) -> Pieces[None]:
        """Look again at those folders whose own time has changed, so names came or went, and at those with troubles."""
        if watched.start in watched.troubles or watched.is_exchanged():
            yield from self.look_at_root(watched)
            return
        watched.recall(self._reader)
        for folder in sorted(watched.troubles.keys() | watched.away):
            if folder in watched.troubles or folder in watched.away:  # not looked at on the way to another one
                yield from self.look_at_tree(watched, folder)
        for number, (folder, seen_ns) in enumerate(list(watched.folder_mtimes_ns.items())):
            if number % _FOLDERS_PER_PIECE == 0:
                yield
            if folder in watched.folder_mtimes_ns and _folder_mtime_ns(watched.path_of(folder)) != seen_ns:
                yield from self.look_at_tree(watched, folder)

    def look_at_unfinished(self, watched: WatchedRoot) -> Pieces[None]:
        """Look again at the newest of the folders that held more files than could be taken in hand."""
        if watched.unfinished:
            folder, _ = watched.unfinished.popitem()
            yield from self.look_at_tree(watched, folder)

    def look_at_tree(self, watched: WatchedRoot, folder: bytes) -> Pieces[None]:
        """Look at one folder, enter what is new below it, and forget what is missing there. If it is missing, its parent says so."""
        while folder != watched.start and is_missing(watched.root.path_bytes, folder):
            if folder not in watched.folder_mtimes_ns.keys() | watched.troubles.keys() | watched.away:
                return
            folder = os.path.dirname(folder)
        entering = [folder]
        while entering:
            folder = entering.pop()
            look = yield from self._look(watched, folder)
            if watched.is_exchanged():
                watched.is_due = True
                return
            if look is None:
                continue
            yield from self._compare(watched, folder, look)
            below = {os.path.join(folder, name) for name in look.subfolders}
            seen = watched.folder_mtimes_ns.keys() | watched.troubles.keys()
            lost = {known for known in seen | watched.away if (step := step_below(known, folder)) is not None and step not in below}
            yield from self._forget_folders(watched, lost)
            entering.extend(sorted((below - seen) | (below & watched.away), reverse=True))

    def look_at_name(self, watched: WatchedRoot, folder: bytes, name: bytes) -> None:
        """Look at one file that a hint named."""
        if watched.is_exchanged():
            watched.is_due = True
            return
        if folder != watched.start and is_missing(watched.root.path_bytes, folder):
            return  # its own hint, or its parent's, tells what became of it
        if not watched.folder_ids:
            watched.recall(self._reader)
        known = files.known_file(self._reader, watched.folder_id(self._writer, folder), name)
        try:
            look = look_at_file(watched.path_of(folder), name)
        except OSError as error:
            watched.refuse(self._writer, folder, told(watched.path_of(folder), error))
            return
        if look is not None:
            if not self._feed(watched, folder, look, known):
                watched.unfinished[folder] = watched.unfinished.get(folder, 0) + 1
        elif os.path.isdir(watched.path_of(folder)):
            self._tracker.forget((watched.root.root_id, folder, name))
            if known is not None and known.original == "present":
                self._mark_gone([known])

    def _doubt(self, watched: WatchedRoot) -> Pieces[str | None]:
        """Why another folder than before should not be taken for the root; None if any file of use is in it."""
        entering = [watched.start]
        while entering:
            path = watched.path_of(folder := entering.pop())
            try:
                look = yield from look_at_folder(path, watched.extensions, enough=1)
            except OSError as error:
                if folder == watched.start:
                    return told(path, error)
                continue
            if look.files:
                return None
            entering.extend(os.path.join(folder, name) for name in reversed(look.subfolders))
            yield
        return f"{files.shown(watched.root.path_bytes)} {_MEDIUM_GONE}"

    def _look(self, watched: WatchedRoot, folder: bytes) -> Pieces[FolderLook | None]:
        yield
        if any(is_within(folder, trouble) for trouble in watched.troubles if trouble != folder):
            return None
        path, begun_ns = watched.path_of(folder), time.time_ns()
        try:
            mounted = is_mount(path)
            look = yield from look_at_folder(path, watched.extensions)
            mounted = mounted or is_mount(path)  # some are mounted only when they are listed
        except OSError as error:
            lost = lost_medium(watched.root.path_bytes, folder, watched.mounts)
            watched.refuse(self._writer, folder if lost is None else lost, told(path, error))
            return None
        if folder in watched.mounts and not mounted and not look.files and not look.subfolders and self._holds_known(watched, folder):
            watched.refuse(self._writer, folder, f"{files.shown(path)} {_MEDIUM_GONE}")
            return None
        watched.note_mount(self._writer, folder, mounted=mounted)
        watched.folder_mtimes_ns[folder] = -1 if begun_ns - look.mtime_ns < _FRESH_NS else look.mtime_ns
        return look

    def _was_filled(self, watched: WatchedRoot) -> bool:
        return watched.start == b"" and files.present_count(self._reader, watched.root.root_id) > 0

    def _holds_known(self, watched: WatchedRoot, folder: bytes) -> bool:
        ids = [folder_id for known, folder_id in watched.folder_ids.items() if is_within(known, folder)]
        return any(files.is_any_present(self._reader, folder_id) for folder_id in ids)

    def _compare(self, watched: WatchedRoot, folder: bytes, look: FolderLook) -> Pieces[None]:
        """Tell the tracker what is new or changed, the store what went or came back; as many names at a time as make a piece."""
        folder_id = watched.folder_id(self._writer, folder) if look.files else watched.folder_ids.get(folder)
        waiting, begin, after = 0, 0, b""
        while True:
            known = {} if folder_id is None else files.known_files(self._reader, folder_id, after=after, limit=_NAMES_PER_PIECE)
            is_last = len(known) < _NAMES_PER_PIECE
            after = after if is_last else next(reversed(known))
            end = len(look.files) if is_last else bisect_right(look.files, after, lo=begin, key=_name)
            waiting += self._compare_names(watched, folder, look.files[begin:end], known)
            self._conclude(watched, folder, known)
            if is_last:
                break
            begin = end
            yield
        if waiting:
            watched.unfinished[folder] = waiting
        else:
            watched.unfinished.pop(folder, None)
        if look.ignored:
            watched.ignored[folder] = look.ignored
        else:
            watched.ignored.pop(folder, None)
        watched.accept(self._writer, folder)

    def _compare_names(self, watched: WatchedRoot, folder: bytes, seen: tuple[FileLook, ...], known: dict[bytes, files.KnownFile]) -> int:
        """Take what is there out of `known`; returns how many new or changed files could not be taken in hand."""
        back: list[int] = []
        waiting = 0
        for file in seen:
            before = known.pop(file.name_bytes, None)
            if before is not None and before.original == "gone" and _is_same(before, file) and before.image_id is not None:
                back.append(before.sighting_id)
            elif not self._feed(watched, folder, file, before):
                waiting += 1
        if back:
            self._writer.call(lambda connection: files.mark_present(connection, back))
        return waiting

    def _conclude(self, watched: WatchedRoot, folder: bytes, unseen: dict[bytes, files.KnownFile]) -> None:
        """Names that the listing lacks are gone, if they are not there now either and no medium went meanwhile."""
        gone = [
            known for known in unseen.values() if known.original == "present" and _is_no_file(watched.path_of(folder), known.name_bytes)
        ]
        if gone and self._may_conclude(watched, folder):
            for known in gone:
                self._tracker.forget((watched.root.root_id, folder, known.name_bytes))
            self._mark_gone(gone)

    def _may_conclude(self, watched: WatchedRoot, folder: bytes) -> bool:
        return not watched.is_exchanged() and lost_medium(watched.root.path_bytes, folder, watched.mounts) is None

    def _feed(self, watched: WatchedRoot, folder: bytes, look: FileLook, known: files.KnownFile | None) -> bool:
        """Give a new or changed file to the tracker; False if that has its hands full."""
        if known is not None and known.original == "present" and not _wants_another_try(known) and _is_same(known, look):
            return True
        key = (watched.root.root_id, folder, look.name_bytes)
        if len(self._tracker) >= self._most_waiting and key not in self._tracker:
            return False
        self._tracker.look(key, look, time.monotonic())
        return True

    def _mark_gone(self, gone: list[files.KnownFile]) -> None:
        ids = [known.sighting_id for known in gone]
        self._writer.call(lambda connection: files.mark_gone(connection, ids))

    def _forget_folders(self, watched: WatchedRoot, folders: set[bytes]) -> Pieces[None]:
        """These folders are no longer there, and so are their files; unless they, or one above them, only cannot be read."""
        for folder in sorted(folders):
            yield
            if not is_missing(watched.root.path_bytes, folder) or not self._may_conclude(watched, folder):
                continue
            if any(is_within(folder, trouble) for trouble in watched.troubles if trouble != folder):
                continue
            for remembered in (watched.folder_mtimes_ns, watched.ignored, watched.unfinished):
                remembered.pop(folder, None)
            yield from self._forget_names(watched, folder)
            watched.accept(self._writer, folder)

    def _forget_names(self, watched: WatchedRoot, folder: bytes) -> Pieces[None]:
        folder_id, after = watched.folder_ids.get(folder), b""
        while folder_id is not None:
            known = files.known_files(self._reader, folder_id, after=after, limit=_NAMES_PER_PIECE)
            if gone := [before for before in known.values() if before.original == "present"]:
                self._mark_gone(gone)
            if len(known) < _NAMES_PER_PIECE:
                return
            after = next(reversed(known))
            yield


def _name(look: FileLook) -> bytes:
    return look.name_bytes


def _is_same(known: files.KnownFile, look: FileLook) -> bool:
    return known.size_bytes == look.size_bytes and known.mtime_ns == look.mtime_ns


def _wants_another_try(known: files.KnownFile) -> bool:
    """Not whole when last seen, or it failed only for not being there."""
    return known.state == "seen" or (known.state == "quarantined" and known.reason in files.REASONS_OF_ABSENCE)


def _is_no_file(folder: bytes, name: bytes) -> bool:
    """Whether there is certainly nothing of this name that could be taken."""
    try:
        return look_at_file(folder, name) is None or os.path.isdir(os.path.join(folder, name))
    except OSError:
        return False


def _folder_mtime_ns(path: bytes) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
