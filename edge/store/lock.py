"""One process per home folder: a lock that the operating system drops when its holder ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from edge.errors import BusyError, StoreError

LOCK_NAME = "edge.lock"


class HomeLock:
    """Held from `acquire` to `release`; the file holds the holder's process id for people to read."""

    def __init__(self, home: Path) -> None:
        self._path = home / LOCK_NAME
        self._file: BinaryIO | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            BusyError: another process holds it.
            StoreError: the home folder cannot be written.
        """
        try:
            file = self._path.open("a+b")
        except OSError as error:
            advice = "Check the permissions of the home folder."
            raise StoreError(f"{self._path} cannot be written: {error.strerror}", advice=advice) from error
        try:
            _lock(file)
        except OSError as error:
            file.seek(0)
            holder = file.read(32).decode("ascii", "replace").strip()
            file.close()
            raise BusyError(f"{self._path.parent} is in use by process {holder or 'unknown'}") from error
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(1 << 20)  # Windows locks are mandatory: lock a byte behind the text, so that others can read who holds it
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
