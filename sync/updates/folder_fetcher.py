"""Signed files from a stick or a share, where the same folder lies that a web server would serve."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

_PIECE_BYTES = 256 * 1024
_NOT_THERE = 404


class FolderFetcher(FetcherInterface):
    """Reads below one folder, plain files only. Names come as addresses that begin with `base`."""

    base = "folder:/"

    def __init__(self, folder: Path) -> None:
        """`folder`: holds `metadata` and `targets`, or a folder `public` that does."""
        self._folder = folder / "public" if (folder / "public" / "metadata").is_dir() else folder

    def begin(self) -> None:
        """Raises DownloadError: nothing of ours lies there, because the stick is out for instance."""
        if not (self._folder / "metadata" / "timestamp.json").is_file():
            raise DownloadError(f"{self._folder} holds no signed models (it has no metadata/timestamp.json)")

    def drop(self, url: str) -> None:
        """See `HttpFetcher`; here nothing is kept in parts."""

    def close(self) -> None:
        """Nothing is held open."""

    def _fetch(self, url: str) -> Iterator[bytes]:
        """See `FetcherInterface`."""
        path = self._path(url)
        try:
            descriptor = os.open(
                path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
            )
        except FileNotFoundError as error:
            self.begin()  # a stick that was pulled has no end of its roots
            raise DownloadHTTPError(f"there is no {path}", _NOT_THERE) from error
        except OSError as error:
            raise DownloadError(f"{path} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise DownloadError(f"{path} is no plain file")
            try:
                while piece := file.read(_PIECE_BYTES):
                    yield piece
            except OSError as error:
                raise DownloadError(f"{path} broke off: {error.strerror}") from error

    def _path(self, url: str) -> Path:
        parts = unquote(url.removeprefix(self.base)).split("/")
        if not url.startswith(self.base) or any(part in {"", ".", ".."} or "\\" in part or ":" in part for part in parts):
            raise DownloadError(f"{url} names nothing in this folder")
        return self._folder.joinpath(*parts)
