"""Make a second copy of files and prove it: each is written, made durable, read back from the medium and compared by its SHA-256.

A copy that was interrupted goes on where it was: a file that is there is read back like any other. Before anything in the folder is
written or overwritten its manifest says that it is incomplete; only when every file has been read back is `manifest.json` there; a
folder without one is no second copy (see `edge.survey.copy_manifest`).
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from edge.errors import EdgeError, SettingsError
from edge.store.durable import sync_folder
from edge.store.raw_copies import RawFile
from edge.survey.copy_manifest import check_ours, copy_names, read_manifest, write_complete, write_plan

T = TypeVar("T")

PIECE_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 16 * 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class CopyStoppedError(EdgeError):
    """The medium of the copy cannot take any more: it is full, or it is gone."""

    code = "raw_copy_stopped"
    default_advice = "What was copied stays. Free space or plug the medium in again, then ask for the copy again: it goes on."


class CopyCancelledError(EdgeError):
    """A person has cancelled it."""

    code = "raw_copy_cancelled"
    default_advice = "Ask for the copy again and it goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a copy is: files that were read back, of how many, their bytes, and the file in hand."""

    files: int
    of: int
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOutcome:
    """What became of a copy. `failures` are sentences; with any of them there is no manifest."""

    files: int
    size_bytes: int
    failures: tuple[str, ...]
    manifest_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCheck:
    """What a folder is: a whole copy, one that is not finished, one with files that differ, or none. `faults` are sentences."""

    state: Literal["complete", "incomplete", "damaged", "none"]
    files: int
    size_bytes: int
    whose: str
    faults: tuple[str, ...]


def check_destination(destination: Path, files: Sequence[RawFile], watched: Iterable[Path], tow_uuid: str) -> None:
    """Refuse a place before anything is written.

    Raises:
        SettingsError: it is no absolute path, lies in a watched folder, holds the copy of another tow or files that are nobody's copy,
            or has not enough room.
    """
    if not destination.is_absolute():
        raise SettingsError(f"{destination} is no absolute path", advice="Begin it with the drive or with /.")
    for folder in watched:
        if destination.is_relative_to(folder) or folder.is_relative_to(destination):
            raise SettingsError(f"{destination} lies with {folder}, which is watched", advice="Copy to another disk.")
    if not files:
        raise SettingsError("the tow has no files", advice="Attach its files first.")
    check_ours(destination, files, tow_uuid)
    there = next((one for one in (destination, *destination.parents) if one.is_dir()), None)
    needed = sum(file.size_bytes for file in files) - sum(one.stat().st_size for one in destination.glob("*") if one.is_file())
    free = shutil.disk_usage(there).free if there else 0
    if needed + SPARE_BYTES > free:
        message = f"{destination} has {free >> 20} MiB free, and {max(needed, 0) >> 20} MiB are to be copied"
        raise SettingsError(message, advice="Free space there, or copy to another disk.")


def make_copy(
    files: Sequence[RawFile],
    destination: Path,
    about: dict[str, object],
    *,
    tell: Callable[[Progress], None],
    is_cancelled: Callable[[], bool],
) -> CopyOutcome:
    """Copy files and read every one of them back.

    Args:
        files: what to copy.
        destination: the folder; made if it is not there.
        about: what the manifest says besides the files.
        tell: called after every file.
        is_cancelled: asked for every few megabytes.

    Raises:
        SettingsError: the folder's manifest cannot be read.
        CopyStoppedError: the destination is full or gone.
        CopyCancelledError: `is_cancelled` said so.
    """
    known = _on_medium(destination, lambda: read_manifest(destination))
    names = copy_names(files, known)
    document = {**about, "size_bytes": sum(file.size_bytes for file in files), "files": [_entry(file, names) for file in files]}
    failures: list[str] = []
    count = done_bytes = 0
    is_same = known is not None and known.is_complete and {one.sha256 for one in known.entries} == {file.sha256 for file in files}
    begin = _Once(lambda: write_plan(destination, document), destination)
    _on_medium(destination, lambda: destination.mkdir(parents=True, exist_ok=True))
    if not is_same:
        begin()
    for file in files:
        name = names[file.image_id]
        tell(Progress(files=count, of=len(files), size_bytes=done_bytes, name=name))
        failure = _copy_one(file, destination / name, destination, begin, is_cancelled)
        if failure is not None:
            failures.append(f"{file.name}: {failure}")
            continue
        done_bytes += file.size_bytes
        count += 1
    if failures:
        begin()
        return CopyOutcome(files=count, size_bytes=done_bytes, failures=tuple(failures), manifest_sha256=None)
    sha256 = _on_medium(destination, lambda: write_complete(destination, document))
    return CopyOutcome(files=count, size_bytes=done_bytes, failures=(), manifest_sha256=sha256)


def verify_copy(folder: Path, *, tell: Callable[[Progress], None] = lambda _: None) -> CopyCheck:
    """Read every file of a copy back and compare it with the manifest. Needs no database: any machine can do it.

    Raises:
        SettingsError: its manifest cannot be read.
        CopyStoppedError: the medium cannot be read.
    """
    known = _on_medium(folder, lambda: read_manifest(folder))
    if known is None:
        return CopyCheck(state="none", files=0, size_bytes=0, whose="", faults=("there is no manifest in this folder",))
    faults: list[str] = []
    count = size_bytes = 0
    for entry in known.entries:
        tell(Progress(files=count, of=len(known.entries), size_bytes=size_bytes, name=entry.name))
        if _holds(folder / entry.name, entry.sha256, entry.size_bytes, folder, lambda: False):
            count, size_bytes = count + 1, size_bytes + entry.size_bytes
        else:
            faults.append(f"{entry.name} is not there, or is not the file that was copied")
    if not known.is_complete:
        faults.insert(0, f"the copy was not finished: {count} of {len(known.entries)} files are there and equal")
    state: Literal["complete", "incomplete", "damaged"] = "incomplete" if not known.is_complete else "damaged" if faults else "complete"
    return CopyCheck(state=state, files=count, size_bytes=size_bytes, whose=known.whose, faults=tuple(faults))


class _Once:
    """Something on the medium that is done at the first call only."""

    def __init__(self, work: Callable[[], None], destination: Path) -> None:
        self._work = work
        self._destination = destination
        self._is_done = False

    def __call__(self) -> None:
        if not self._is_done:
            _on_medium(self._destination, self._work)
            self._is_done = True


def _entry(file: RawFile, names: Mapping[int, str]) -> dict[str, object]:
    return {"name": names[file.image_id], "original": file.shown_path, "sha256": file.sha256, "size_bytes": file.size_bytes}


def _copy_one(file: RawFile, target: Path, destination: Path, begin: Callable[[], None], is_cancelled: Callable[[], bool]) -> str | None:
    """Why a file could not be copied; None if it is there and was read back. `begin` is called before anything is written."""
    if _holds(target, file.sha256, file.size_bytes, destination, is_cancelled):
        return None
    begin()
    why = "its original is not there any more; plug its medium in again"
    for source in file.paths:
        part = target.with_name(f"{target.name}.part")
        try:
            found = _copied_sha256(source, part, destination, is_cancelled)
        except _SourceError as error:
            why = str(error)
            continue
        if found != file.sha256:
            why = f"{source} has changed since it was taken"
            _on_medium(destination, part.unlink)
            continue
        _on_medium(destination, lambda part=part: part.replace(target))  # type: ignore[misc]
        _on_medium(destination, lambda: sync_folder(destination))
        if _holds(target, file.sha256, file.size_bytes, destination, is_cancelled):
            return None
        why = "what was read back from the copy differs from what was written: the medium is not sound"
    return why


def _holds(target: Path, sha256: str, size_bytes: int, destination: Path, is_cancelled: Callable[[], bool]) -> bool:
    def read() -> bool:
        if not target.is_file() or target.stat().st_size != size_bytes:
            return False
        digest = hashlib.sha256()
        with target.open("rb") as copy:
            _forget_cached(copy.fileno())
            while piece := copy.read(PIECE_BYTES):
                _go_on(is_cancelled)
                digest.update(piece)
        return digest.hexdigest() == sha256

    return _on_medium(destination, read)


class _SourceError(Exception):
    """An original cannot be read."""


def _copied_sha256(source: Path, part: Path, destination: Path, is_cancelled: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    try:
        original = source.open("rb")
    except OSError as error:
        raise _SourceError(f"{source} cannot be read: {error.strerror}") from error
    with original:
        out = _on_medium(destination, lambda: part.open("wb"))
        try:
            while piece := _read_piece(source, original.read):
                _go_on(is_cancelled)
                digest.update(piece)
                _on_medium(destination, lambda piece=piece: out.write(piece))  # type: ignore[misc]
            _on_medium(destination, lambda: _make_durable(out.fileno(), out.flush))
        finally:
            _on_medium(destination, out.close)
    return digest.hexdigest()


def _read_piece(source: Path, read: Callable[[int], bytes]) -> bytes:
    try:
        return read(PIECE_BYTES)
    except OSError as error:
        raise _SourceError(f"{source} cannot be read: {error.strerror}") from error


def _make_durable(descriptor: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(descriptor)
    _forget_cached(descriptor)


def _forget_cached(descriptor: int) -> None:
    """Reading back shall read the medium, not what the system still holds of it."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _go_on(is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise CopyCancelledError("the copy was cancelled")


def _on_medium(destination: Path, work: Callable[[], T]) -> T:
    """What fails on the copy's own medium ends the copy: no other file would fare better."""
    try:
        return work()
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise CopyStoppedError(f"the disk of {destination} is full") from error
        raise CopyStoppedError(f"{destination} cannot be written or read back: {error.strerror}") from error
