"""Space held back for the worst moment: SQLite cannot even roll back or checkpoint on a disk without room."""

from __future__ import annotations

import errno
import os
from pathlib import Path

BALLAST_NAME = "ballast.bin"
_CHUNK_BYTES = 1024 * 1024


class Ballast:
    """A file of allocated blocks in the home folder. `release` gives the room back, `hold` takes it again."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    @property
    def size_bytes(self) -> int:
        """How much is to be held back."""
        return self._size_bytes

    def held_bytes(self) -> int:
        """How much is held back now, by blocks really allocated where the file system tells."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return 0
        allocated_bytes = getattr(status, "st_blocks", None)
        return status.st_size if allocated_bytes is None else min(status.st_size, allocated_bytes * 512)

    def hold(self) -> bool:
        """Take the space, unless it is held already; False if the disk has not got it (nothing is held then).

        Raises:
            OSError: for any other reason than room.
        """
        if self.held_bytes() >= self._size_bytes:
            return True
        try:
            with self._path.open("wb") as file:
                _allocate(file.fileno(), self._size_bytes)
                os.fsync(file.fileno())
        except OSError as error:
            self.release()
            if _is_want_of_room(error):
                return False
            raise
        return True

    def release(self) -> int:
        """Give the space back; returns how many bytes that was. Needs no room itself."""
        held_bytes = self.held_bytes()
        self._path.unlink(missing_ok=True)
        return held_bytes


def _allocate(descriptor: int, size_bytes: int) -> None:
    if size_bytes == 0:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)
        return
    chunk = bytes(_CHUNK_BYTES)
    written_bytes = 0
    while written_bytes < size_bytes:
        written_bytes += os.write(descriptor, chunk[: size_bytes - written_bytes])


def _is_want_of_room(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
