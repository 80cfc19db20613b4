"""From a file that waits to what the store shall write of it: taken, failed, or nothing yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from edge.errors import InputError, Reason
from edge.formats import is_clip_name
from edge.ingest.inventory import FileKey
from edge.ingest.looks import FileLook, look_at_file
from edge.ingest.settle import SettleTracker
from edge.ingest.take import Taken, TakingStoppedError, take_copy, take_in_place
from edge.ingest.watched import WatchedRoot, told
from edge.settings import Settings
from edge.store import files
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.values import CaptureTime


class Taker:
    """Takes one file at a time; used by one thread only."""

    def __init__(
        self,
        settings: Settings,
        media: Path,
        writer: Writer,
        tracker: SettleTracker[FileKey],
        *,
        patient: bool,
        time_in_name: Callable[[str], CaptureTime | None],
        look_again: Callable[[bytes, bytes], None],
        stopping: Callable[[], bool],
    ) -> None:
        """`look_again` is told folder and name of a file that changed while it was read; `stopping` ends what is being read."""
        self._settings = settings
        self._media = media
        self._writer = writer
        self._tracker = tracker
        self._patient = patient
        self._time_in_name = time_in_name
        self._look_again = look_again
        self._stopping = stopping

    def take(self, watched: WatchedRoot, key: FileKey) -> Callable[[Connection], object] | None:
        """Look a second time; if the file is whole, hash it. Returns what the store shall write of it, if anything."""
        _, folder, name = key
        path = os.path.join(watched.path_of(folder), name)
        try:
            look = look_at_file(watched.path_of(folder), name)
        except OSError as error:
            watched.refuse(self._writer, folder, told(watched.path_of(folder), error))
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
        except TakingStoppedError:
            return None
        except InputError as error:
            if error.reason is Reason.CHANGED_WHILE_READ:
                self._look_again(watched.path_of(folder), name)
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
        is_clip = is_clip_name(os.fsdecode(path))
        limit = self._settings.max_clip_bytes if is_clip else self._settings.max_file_bytes
        if watched.root.intake == "copy":
            return take_copy(path, look, self._media, max_file_bytes=limit, stopping=self._stopping)
        return take_in_place(path, look, max_file_bytes=limit, stopping=self._stopping)

    def _seen(self, watched: WatchedRoot, folder: bytes, look: FileLook) -> files.SeenFile:
        return files.SeenFile(
            folder_id=watched.folder_id(self._writer, folder),
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
