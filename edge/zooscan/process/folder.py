"""A folder that is there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.errors import DiskFullError
from edge.store.durable import sync_file, sync_folder

VIGNETTES_NAME = "vignettes.zip"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_UNFINISHED = ".unfinished"
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A place to fill; it gets its name, durably, when everything in it is durable and the block has ended well.

    What is left of a folder of this name that was not finished, because the machine lost its power, is taken away first.

    Args:
        folder: must not be there; its parents are made.

    Raises:
        FileExistsError: it is there already.
        DiskFullError: there is no room for it.
        OSError: the disk is broken.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    place = folder.with_name(f".{folder.name}{_UNFINISHED}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
        sync_folder(place)
        place.rename(folder)
        sync_folder(folder.parent)
    except BaseException as error:
        shutil.rmtree(place, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise DiskFullError(f"there is no room for {folder}") from error
        raise


def forget_unfinished(parent: Path) -> None:
    """Take away what is left in a folder of folders that were never finished. Nobody may be filling one."""
    with contextlib.suppress(FileNotFoundError):
        for place in parent.iterdir():
            if place.name.startswith(".") and place.name.endswith(_UNFINISHED):
                shutil.rmtree(place, ignore_errors=True)


class VignetteArchive:
    """An archive of pictures, stored as they are; the same bytes for the same pictures. Durable when it was left."""

    def __init__(self, path: Path) -> None:
        """`path`: is replaced."""
        self._path = path
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the archive."""
        self._archive.close()
        if kind is None:
            sync_file(self._path)

    def add(self, member: str, data: bytes) -> None:
        """One more picture."""
        about = zipfile.ZipInfo(member, _NO_TIME)
        about.external_attr = 0o644 << 16
        about.create_system = 3 if os.name == "posix" else about.create_system
        self._archive.writestr(about, data)
