"""Open the bytes of a file for showing: only what the database recorded, never through a link.

A name is data. The path is built from the recorded bytes, each folder below the root is opened without following
links, and what was opened must be a regular file with the recorded size and time.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from edge.store.reads.files import Original, StoredAt
from edge.web.errors import Problem, RequestError

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)


def open_bytes(home: Path, stored: StoredAt) -> BinaryIO:
    """Our own copy if there is one, else the original.

    Raises:
        RequestError: 410, they are gone or not what was processed.
    """
    if stored.copy_path is not None:
        return _open_copy(home, Path(stored.copy_path), stored)
    if stored.original is Original.CHANGED:
        raise _gone("original_changed", "the original was overwritten with another content after it was processed")
    try:
        handle = os.fdopen(_open_beneath(stored), "rb")
    except OSError as error:
        why = "is no longer where it was" if isinstance(error, FileNotFoundError) else f"cannot be opened: {error.strerror or error}"
        raise _gone("original_gone", f"the original {why}") from error
    found = os.fstat(handle.fileno())
    if not stat.S_ISREG(found.st_mode) or (found.st_size, found.st_mtime_ns) != (stored.size_bytes, stored.mtime_ns):
        handle.close()
        raise _gone("original_changed", "the original is no longer what was processed: its size or time differ")
    return handle


def path_of(home: Path, stored: StoredAt) -> Path:
    """Where the bytes lie, for a process that opens them itself; looked at as `open_bytes` does.

    Raises:
        RequestError: 410, they are gone or not what was processed.
    """
    open_bytes(home, stored).close()
    if stored.copy_path is not None:
        return home / stored.copy_path
    return Path(*map(os.fsdecode, (stored.root_path_bytes, stored.relative_path_bytes, stored.name_bytes)))


def _open_copy(home: Path, path: Path, stored: StoredAt) -> BinaryIO:
    path = home / path
    if not path.resolve().is_relative_to(home.resolve()):
        raise _gone("copy_gone", "the copy does not lie in the home folder")
    try:
        handle = os.fdopen(os.open(path, _FLAGS), "rb")
    except OSError as error:
        raise _gone("copy_gone", f"the copy cannot be opened: {error.strerror}") from error
    found = os.fstat(handle.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size != stored.image_size_bytes:
        handle.close()
        raise _gone("copy_changed", "the copy in the home folder is no longer what was processed")
    return handle


def _open_beneath(stored: StoredAt) -> int:
    folders = [part for part in stored.relative_path_bytes.split(os.fsencode(os.sep)) if part not in {b"", b"."}]
    if b".." in folders or stored.name_bytes in {b"", b".", b".."}:
        raise OSError(None, "its recorded name leads out of the watched folder")
    if os.open not in os.supports_dir_fd:  # Windows: links need privileges there, the size and time still decide
        return os.open(os.fsencode(os.sep).join((stored.root_path_bytes, *folders, stored.name_bytes)), _FLAGS)
    folder = os.open(stored.root_path_bytes, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(stored.name_bytes, _FLAGS, dir_fd=folder)
    finally:
        os.close(folder)


def _gone(code: str, message: str) -> RequestError:
    advice = "To see the picture, put the original back under its recorded name (Path). A result that is recorded stays."
    return RequestError(410, Problem(code=code, message=message, advice=advice))
