"""The folder of an export: written beside its place under a hidden name, put there whole, never over someone's work."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.errors import SettingsError
from edge.store.durable import sync_folder
from edge.store.lock import LOCK_NAME, HomeLock
from edge.store.out_folder import check_not_watched, os_errors_named

MANIFEST_NAME = "export_manifest.json"
MADE_BY = "imagine-edge export"


@contextlib.contextmanager
def replaced_folder(out_dir: Path, *, watched: Iterable[Path], may_replace: bool = True) -> Iterator[Path]:
    """A folder to write into, which becomes `out_dir` if the block ends well, and is removed if not.

    `may_replace`: an untouched earlier export is replaced; else only a new or empty folder will do.

    Raises:
        SettingsError: `out_dir` holds something that is not an untouched earlier export, or lies in a watched folder.
        BusyError: another export to the same place is being written.
        DiskFullError: no room.
    """
    out_dir = out_dir.absolute()
    _check_place(out_dir, watched, may_replace=may_replace)
    part = out_dir.with_name(f".{out_dir.name}.part")
    with os_errors_named(out_dir):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir(exist_ok=True)
        lock = HomeLock(part)
        lock.acquire()
        try:
            _empty(part)  # what a killed export left
            yield part
            _make_durable(part)
        except BaseException:
            _empty(part)
            _give_up(part, lock)
            raise
        lock.release()
        (part / LOCK_NAME).unlink()
        _put_in_place(part, out_dir)


def count_entries(folder: Path) -> dict[str, int]:
    """Names at the top of a folder, each with how many files it is or holds."""
    return {
        entry.name: sum(1 for _ in os.scandir(entry)) if entry.is_dir() else 1
        for entry in sorted(folder.iterdir())
        if entry.name != LOCK_NAME
    }


def _check_place(out_dir: Path, watched: Iterable[Path], *, may_replace: bool) -> None:
    check_not_watched(out_dir, watched)
    if out_dir.is_symlink() or (out_dir.exists() and not out_dir.is_dir()):
        raise SettingsError(f"{out_dir} is not a folder", advice="Name a new folder.")
    if os.path.ismount(out_dir):
        raise SettingsError(f"{out_dir} is a disk of its own and cannot be replaced as a whole", advice="Name a new folder on it.")
    if not may_replace and out_dir.exists() and any(out_dir.iterdir()):
        raise SettingsError(f"{out_dir} is not empty", advice="Name a new folder, or move this one away.")
    if out_dir.exists() and any(out_dir.iterdir()) and not _is_untouched_export(out_dir):
        raise SettingsError(
            f"{out_dir} is not empty, and not an export as it was written: it would be replaced as a whole",
            advice="Name a new folder, or move this one away.",
        )


def _is_untouched_export(folder: Path) -> bool:
    """Whether a folder holds exactly what an earlier export wrote, nothing added and nothing changed since."""
    try:
        manifest_path = folder / MANIFEST_NAME
        manifest = json.loads(manifest_path.read_text("utf-8"))
        if manifest["made_by"] != MADE_BY or manifest["entries"] | {MANIFEST_NAME: 1} != count_entries(folder):
            return False
        written_ns = manifest_path.stat().st_mtime_ns
        newest_ns = max(entry.stat(follow_symlinks=False).st_mtime_ns for entry in _files(folder))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return newest_ns <= written_ns


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry))
            else:
                yield entry


def _empty(part: Path) -> None:
    for entry in part.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK_NAME:
            entry.unlink()


def _give_up(part: Path, lock: HomeLock) -> None:
    lock.release()
    with contextlib.suppress(OSError):
        (part / LOCK_NAME).unlink()
        part.rmdir()


def _make_durable(folder: Path) -> None:
    """An empty label file means "found nothing": it must not be what a power cut left of a full one."""
    if hasattr(os, "sync"):
        os.sync()
        return
    for entry in _files(folder):
        with open(entry, "rb+") as file:  # noqa: PTH123 (an entry is no path object)
            os.fsync(file.fileno())


def _put_in_place(part: Path, out_dir: Path) -> None:
    before = out_dir.with_name(f".{out_dir.name}.before")
    if before.exists():
        shutil.rmtree(before)
    if out_dir.exists():
        out_dir.rename(before)
    part.rename(out_dir)
    sync_folder(out_dir.parent)
    shutil.rmtree(before, ignore_errors=True)
