"""Vignettes of a scan out of the archives of its run: their sizes, and their bytes as files for as long as they are sent."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.errors import InputError, Reason

_HEAD_BYTES = 24
_MAGIC = b"\x89PNG\r\n\x1a\n"


class VignetteFiles:
    """The archives of one run; closed at the end of a `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._archives: dict[str, zipfile.ZipFile] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        for archive in self._archives.values():
            archive.close()

    def size(self, vignette: str) -> tuple[int, int]:
        """Width and height of a vignette, pixels. `vignette`: archive and member, as the database has it.

        Raises:
            InputError: it is not there, or no PNG.
        """
        head = self._read(vignette, _HEAD_BYTES)
        if len(head) < _HEAD_BYTES or not head.startswith(_MAGIC):
            raise InputError(Reason.CORRUPT, f"{vignette} is no PNG")
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")

    def content(self, vignette: str) -> bytes:
        """The bytes of a vignette.

        Raises:
            InputError: it is not there.
        """
        return self._read(vignette, -1)

    def _read(self, vignette: str, count: int) -> bytes:
        name, _, member = vignette.partition("/")
        try:
            if name not in self._archives:
                self._archives[name] = zipfile.ZipFile(self._folder / name)
            with self._archives[name].open(member) as file:
                return file.read(count)
        except FileNotFoundError as error:
            raise InputError(Reason.VANISHED, f"{name} of the run is not there") from error
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(Reason.CORRUPT, f"{name} holds no sound {member}") from error
