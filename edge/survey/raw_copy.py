"""Make a second copy of files and prove it: each is written, made durable, read back from the medium and compared by its SHA-256.

A copy that was interrupted goes on where it was: a file that is there is read back like any other. Only when every file has been
read back is `manifest.json` written; a folder without one is no second copy.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge.errors import EdgeError, SettingsError
from edge.store.durable import sync_folder, write_durably
from edge.store.raw_copies import RawFile

T = TypeVar("T")

MANIFEST_NAME = "manifest.json"
PIECE_BYTES = 4 * 1024 * 1024
SPARE_BYTES = 16 * 1024 * 1024
NAME_LIMIT = 180
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
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


def copy_names(files: Iterable[RawFile]) -> dict[int, str]:
    """A name in the copy for each image: its own where every file system takes it, told apart from others by its hash if need be."""
    names: dict[int, str] = {}
    taken: set[str] = {MANIFEST_NAME}
    for file in files:
        name = _FORBIDDEN.sub("_", file.name).rstrip(". ") or "_"
        name = f"_{name}" if _RESERVED.fullmatch(name) else name
        stem = Path(name).stem.encode()[:NAME_LIMIT].decode(errors="ignore")
        suffix = Path(name).suffix[:20]
        name = f"{stem}{suffix}"
        if name.casefold() in taken:
            name = f"{stem}_{file.sha256[:12]}{suffix}"
        taken.add(name.casefold())
        names[file.image_id] = name
    return names


def check_destination(destination: Path, files: Sequence[RawFile], watched: Iterable[Path]) -> None:
    """Refuse a place before anything is written.

    Raises:
        SettingsError: it is no absolute path, lies in a watched folder, or has not enough room.
    """
    if not destination.is_absolute():
        raise SettingsError(f"{destination} is no absolute path", advice="Begin it with the drive or with /.")
    for folder in watched:
        if destination.is_relative_to(folder) or folder.is_relative_to(destination):
            raise SettingsError(f"{destination} lies with {folder}, which is watched", advice="Copy to another disk.")
    if not files:
        raise SettingsError("the tow has no files", advice="Attach its files first.")
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
        CopyStoppedError: the destination is full or gone.
        CopyCancelledError: `is_cancelled` said so.
    """
    names = copy_names(files)
    failures: list[str] = []
    entries: list[dict[str, object]] = []
    done_bytes = 0
    _on_medium(destination, lambda: destination.mkdir(parents=True, exist_ok=True))
    for file in files:
        name = names[file.image_id]
        tell(Progress(files=len(entries), of=len(files), size_bytes=done_bytes, name=name))
        failure = _copy_one(file, destination / name, destination, is_cancelled)
        if failure is not None:
            failures.append(f"{file.name}: {failure}")
            continue
        done_bytes += file.size_bytes
        entries.append({"name": name, "original": file.shown_path, "sha256": file.sha256, "size_bytes": file.size_bytes})
    if failures:
        return CopyOutcome(files=len(entries), size_bytes=done_bytes, failures=tuple(failures), manifest_sha256=None)
    manifest = json.dumps({**about, "size_bytes": done_bytes, "files": entries}, indent=1, ensure_ascii=False) + "\n"
    _on_medium(destination, lambda: _write_manifest(destination, manifest))
    sha256 = hashlib.sha256(manifest.encode()).hexdigest()
    return CopyOutcome(files=len(entries), size_bytes=done_bytes, failures=(), manifest_sha256=sha256)


def _write_manifest(destination: Path, manifest: str) -> None:
    part = destination / f"{MANIFEST_NAME}.part"
    write_durably(part, manifest)
    part.replace(destination / MANIFEST_NAME)
    sync_folder(destination)


def _copy_one(file: RawFile, target: Path, destination: Path, is_cancelled: Callable[[], bool]) -> str | None:
    """Why a file could not be copied; None if it is there and was read back."""
    if _is_there(file, target, destination, is_cancelled):
        return None
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
        if _is_there(file, target, destination, is_cancelled):
            return None
        why = "what was read back from the copy differs from what was written: the medium is not sound"
    return why


def _is_there(file: RawFile, target: Path, destination: Path, is_cancelled: Callable[[], bool]) -> bool:
    def read() -> bool:
        if not target.is_file() or target.stat().st_size != file.size_bytes:
            return False
        digest = hashlib.sha256()
        with target.open("rb") as copy:
            _forget_cached(copy.fileno())
            while piece := copy.read(PIECE_BYTES):
                _go_on(is_cancelled)
                digest.update(piece)
        return digest.hexdigest() == file.sha256

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
