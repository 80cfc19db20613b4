"""Take a settled file: give its content an identity, and in `copy` mode a verified copy in the home folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from edge.errors import DiskFullError, InputError, Reason
from edge.formats import HEAD_BYTES, check_extension, sniff
from edge.ingest.looks import FileLook
from edge.store.durable import sync_folder

CHUNK_BYTES = 1024 * 1024
_PART_SUFFIX = ".part"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The identity of a content, and where our copy of it is."""

    sha256: str
    copy_path: Path | None


class TakingStoppedError(Exception):
    """The appliance ends: the file was neither taken nor found bad."""


def take_in_place(path: bytes, look: FileLook, *, max_file_bytes: int, stopping: Callable[[], bool] = lambda: False) -> Taken:
    """Hash a file where it is.

    Raises:
        InputError: it cannot be read, is too large, or changed meanwhile.
        TakingStoppedError: `stopping` said so.
    """
    with _open_settled(path, look, max_file_bytes) as source:
        digest = hashlib.sha256()
        while chunk := _read(source, stopping):
            digest.update(chunk)
        _still_settled(source, look)
    return Taken(sha256=digest.hexdigest(), copy_path=None)


def take_copy(path: bytes, look: FileLook, media: Path, *, max_file_bytes: int, stopping: Callable[[], bool] = lambda: False) -> Taken:
    """Copy a file into `media`, read the copy back, and keep it under its content's name.

    Raises:
        InputError: the file cannot be read or changed meanwhile, or the copy differs from what was read.
        DiskFullError: there is no room; nothing is left behind.
        TakingStoppedError: `stopping` said so; nothing is left behind.
    """
    media.mkdir(parents=True, exist_ok=True)
    temporary = media / f".{os.getpid()}-{look.inode}{_PART_SUFFIX}"
    try:
        with _open_settled(path, look, max_file_bytes) as source:
            sha256 = _copy(source, temporary, stopping)
            _still_settled(source, look)
        if _sha256(temporary) != sha256:
            raise InputError(Reason.COPY_FAILED, "the copy does not equal what was read")
        extension = os.fsdecode(os.path.splitext(path)[1]).lower()
        target = media / sha256[:2] / f"{sha256}{extension}"
        target.parent.mkdir(exist_ok=True)
        os.replace(temporary, target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise DiskFullError(f"no room to copy {look.size_bytes} bytes into {media}") from error
        raise InputError(Reason.COPY_FAILED, f"the copy failed: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return Taken(sha256=sha256, copy_path=target)


def sweep_copies(media: Path) -> None:
    """Remove what copies that were cut short (a kill, a power cut) left behind. Nobody may be copying meanwhile."""
    for leftover in media.glob(f".*{_PART_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _open_settled(path: bytes, look: FileLook, max_file_bytes: int) -> BufferedReader:
    if not look.is_regular:
        raise InputError(Reason.NOT_A_REGULAR_FILE, "not a regular file")
    if look.size_bytes > max_file_bytes:
        raise InputError(Reason.TOO_MANY_BYTES, f"{look.size_bytes} bytes are more than {max_file_bytes}")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        source = os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, "the file is gone") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be opened: {error.strerror}") from error
    try:
        _still_settled(source, look)
        _check_name(path, source)
    except InputError:
        source.close()
        raise
    return source


def _check_name(path: bytes, source: BufferedReader) -> None:
    """A wrong extension is the fault of this name, not of its content, which may be sound under another name."""
    try:
        image_format = sniff(source.peek(HEAD_BYTES)[:HEAD_BYTES])
    except OSError as error:
        raise _unreadable(error) from error
    except InputError:
        return  # the worker, which knows the whole content, says what is wrong with it
    check_extension(os.fsdecode(os.path.splitext(path)[1]), image_format)


def _still_settled(source: BinaryIO, look: FileLook) -> None:
    status = os.fstat(source.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise InputError(Reason.NOT_A_REGULAR_FILE, "not a regular file")
    if status.st_size != look.size_bytes or status.st_mtime_ns != look.mtime_ns:
        raise InputError(Reason.CHANGED_WHILE_READ, "the file changed while it was read")


def _read(source: BinaryIO, stopping: Callable[[], bool]) -> bytes:
    if stopping():
        raise TakingStoppedError
    try:
        return source.read(CHUNK_BYTES)
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> InputError:
    return InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror}")


def _copy(source: BinaryIO, temporary: Path, stopping: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    with temporary.open("wb") as copy:
        while chunk := _read(source, stopping):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # read back from the medium, not from the cache
        return hashlib.file_digest(file, "sha256").hexdigest()
