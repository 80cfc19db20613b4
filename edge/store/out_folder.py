"""The folder that an export is put into: what it must not be, and what a failure of its disk is called."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.errors import DiskFullError, SettingsError


def check_not_watched(out_dir: Path, watched: Iterable[Path]) -> None:
    """Refuse a folder whose files would be taken in again.

    Raises:
        SettingsError: it lies in a watched folder.
    """
    for root in watched:
        if out_dir.resolve().is_relative_to(root.resolve()):
            raise SettingsError(
                f"{out_dir} lies in the watched folder {root}: the export would be taken for new files",
                advice=f"Give --out a folder outside of {root}; any other will do, one on a stick too.",
            )


def check_folder(out_dir: Path, watched: Iterable[Path]) -> None:
    """Refuse a folder that cannot take files beside those that it has.

    Raises:
        SettingsError: it lies in a watched folder, or is none.
    """
    check_not_watched(out_dir, watched)
    if out_dir.exists() and not out_dir.is_dir():
        raise SettingsError(f"{out_dir} is not a folder", advice="Name a folder.")


@contextlib.contextmanager
def os_errors_named(out_dir: Path) -> Iterator[None]:
    """Failures of the disk as errors of ours.

    Raises:
        DiskFullError: no room.
        SettingsError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFullError(
                f"the disk of {out_dir} has no room for the export", advice="Nothing was written; free space, or name a folder elsewhere."
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(f"{out_dir} cannot be written: {reason}", advice="Give --out a folder that can be written.") from error
