"""A folder as a far side: a stick that goes ashore in a pocket, or a share of the ship's server.

A folder whose medium is out is often still there, empty, on the ship's own disk. So a folder is set up once, which leaves a marker in it,
and one without the marker is *away*, never "empty".
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.errors import LinkDownError
from edge.store.durable import sync_folder
from sync.sinks.sink import SinkAwayError, SinkFullError, Spend, Upload

MARKER_NAME = "imagine-edge-bundles.json"
_PIECE_BYTES = 1024 * 1024


class DirectorySink:
    """See `Sink`. Keys are paths below the folder."""

    def __init__(self, name: str, folder: Path) -> None:
        """`folder` must have been set up (`set_up`)."""
        self._name, self._folder = name, folder

    @property
    def name(self) -> str:
        """See `Sink`."""
        return self._name

    def set_up(self) -> None:
        """Mark the folder as a place for bundles.

        Raises:
            SinkAwayError: it is not there.
            SinkFullError: no room for the marker.
        """
        with self._told():
            if not self._folder.is_dir():
                raise SinkAwayError(f"there is no folder {self._folder}", advice="Put the stick in, or make the folder; then ask again.")
            if not (self._folder / MARKER_NAME).exists():
                text = json.dumps({"what": "bundles of imagine-edge", "sink": self._name}, indent=2)
                _write(self._folder / MARKER_NAME, f"{text}\n".encode())
                sync_folder(self._folder)

    def holds(self, key: str, *, size_bytes: int, sha256: str) -> bool:
        """See `Sink`. The file is read from the medium again, not from this machine's memory of it."""
        with self._told():
            path = self._path(key)
            if not path.is_file() or path.stat().st_size != size_bytes:
                return False
            return _sha256_on_medium(path) == sha256

    def put(self, key: str, path: Path, *, sha256: str, upload: Upload, spend: Spend) -> None:
        """See `Sink`."""
        with self._told():
            target = self._path(key)
            spend.sent(path.stat().st_size)
            self._make(target.parent)
            part = target.with_name(f".{target.name}.part")
            try:
                with path.open("rb") as source, part.open("wb") as file:
                    shutil.copyfileobj(source, file, _PIECE_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            except OSError:
                with suppress(OSError):
                    part.unlink()
                raise
            sync_folder(target.parent)

    def close(self) -> None:
        """See `Sink`."""

    def _path(self, key: str) -> Path:
        if not (self._folder / MARKER_NAME).is_file():
            raise SinkAwayError(f"{self._folder} is not the folder that was set up for bundles: its medium is out, or it is another one")
        return self._folder.joinpath(*key.split("/"))

    def _make(self, folder: Path) -> None:
        """Make folders durably, from the top down."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise SinkFullError(f"{self._folder} has no room") from error
            words = os.strerror(error.errno) if error.errno else str(error)
            if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
                advice = "Check whether the stick is write-protected, and who may write to the folder."
                raise SinkAwayError(f"{self._folder} cannot be written: {words}", advice=advice) from error
            raise LinkDownError(f"{self._folder} broke off: {words}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sha256_on_medium(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
