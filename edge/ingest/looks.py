"""Look at folders and files without touching them.

A folder that cannot be read raises; it is never reported as an empty one. Names are the file system's own bytes: they
may hold newlines, escapes or bytes that are no text.

A folder may hold a hundred thousand stills and lie on a slow share, so it is looked at in pieces: between any two the
caller may do something else, or stop.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Pieces = Generator[None, None, T]  # work that yields between its pieces and returns a T

HIDDEN_PREFIX = b"."
TEMPORARY_SUFFIXES = (b".part", b".tmp", b"~", b".filepart", b".crdownload", b".partial", b".download")
SYSTEM_FOLDERS = (b"System Volume Information", b"$RECYCLE.BIN", b"lost+found")
_ENTRIES_PER_PIECE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLook:
    """A name as it was at one moment. `is_regular` is false for a link, a pipe or a device."""

    name_bytes: bytes
    size_bytes: int
    mtime_ns: int
    inode: int
    is_regular: bool

    def equals(self, other: FileLook) -> bool:
        """Same size and same modification time."""
        return self.size_bytes == other.size_bytes and self.mtime_ns == other.mtime_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLook:
    """What a folder held at one moment, its subfolders not entered.

    Attributes:
        files: those that a recipe takes, by name.
        subfolders: those that are entered, by name.
        ignored: files of no use to the recipe.
        device: of the folder, as it was before the listing; so are the inode and the time.
        inode: of the folder.
        mtime_ns: of the folder.
    """

    files: tuple[FileLook, ...]
    subfolders: tuple[bytes, ...]
    ignored: int
    device: int
    inode: int
    mtime_ns: int


def look_at_folder(path: bytes, extensions: frozenset[bytes], *, enough: int | None = None) -> Pieces[FolderLook]:
    """List a folder, a piece of some hundred names at a time.

    Args:
        path: the folder.
        extensions: lower-case endings with their dot, such as `b".jpg"`.
        enough: with so many files the listing ends, whatever else there is; None lists all.

    Raises:
        OSError: the folder cannot be read, or a name in it cannot be examined.
    """
    files: list[FileLook] = []
    subfolders: list[bytes] = []
    ignored = 0
    status = os.stat(path)
    with os.scandir(path) as entries:
        for number, entry in enumerate(entries, start=1):
            if number % _ENTRIES_PER_PIECE == 0:
                yield
            if entry.is_dir(follow_symlinks=False):
                if is_watched_folder(entry.name):
                    subfolders.append(entry.name)
            elif is_wanted(entry.name, extensions):
                try:
                    files.append(_look(entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue  # gone between the listing and this line; the next look tells
            else:
                ignored += 1
            if enough is not None and len(files) >= enough:
                break
    files.sort(key=lambda look: look.name_bytes)
    return FolderLook(
        files=tuple(files),
        subfolders=tuple(sorted(subfolders)),
        ignored=ignored,
        device=status.st_dev,
        inode=status.st_ino,
        mtime_ns=status.st_mtime_ns,
    )


def look_at_file(folder: bytes, name: bytes) -> FileLook | None:
    """One file, or None if there is none.

    Raises:
        OSError: it cannot be examined.
    """
    try:
        return _look(name, os.stat(os.path.join(folder, name), follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_wanted(name: bytes, extensions: frozenset[bytes]) -> bool:
    """Whether a recipe takes files of this name: not hidden, not temporary, of a known extension."""
    if name.startswith(HIDDEN_PREFIX) or name.endswith(TEMPORARY_SUFFIXES):
        return False
    return name[name.rfind(b".") :].lower() in extensions


def is_watched_folder(name: bytes) -> bool:
    """Whether a subfolder of this name is entered."""
    return not name.startswith(HIDDEN_PREFIX) and name not in SYSTEM_FOLDERS


def _look(name: bytes, status: os.stat_result) -> FileLook:
    return FileLook(
        name_bytes=name,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino & 0x7FFF_FFFF_FFFF_FFFF,
        is_regular=stat.S_ISREG(status.st_mode),
    )
