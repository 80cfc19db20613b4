"""A data set that came as a zip, unpacked where it stays until the program ends."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from models.datasets.draft import IMAGE_SUFFIXES
from models.datasets.errors import DatasetUnreadableError

_TAKEN_SUFFIXES = IMAGE_SUFFIXES | {".txt", ".json", ".xml", ".yaml", ".yml", ".names"}
_MAX_ENTRIES = 2_000_000
_NOT_A_SOUND_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, UnicodeError, NotImplementedError, RuntimeError, NotADirectoryError)

# Images are read for as long as the data set is used; these folders go when the interpreter ends.
_kept: list[tempfile.TemporaryDirectory[str]] = []


def unpack_dataset(archive_path: Path) -> Path:
    """Unpack images and labels of a zip into a temporary folder and return its top.

    Raises:
        DatasetUnreadableError: no sound zip, an entry that would leave the folder, or no room for it.
    """
    folder = tempfile.TemporaryDirectory(prefix="imagine-edge-dataset-")
    _kept.append(folder)
    top = Path(folder.name)
    try:
        with zipfile.ZipFile(archive_path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and _is_taken(entry, archive_path)]
            _check_room(entries, top, archive_path)
            for entry in entries:
                target = top.joinpath(*PurePosixPath(entry.filename).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
    except _NOT_A_SOUND_ZIP as error:
        raise DatasetUnreadableError(f"{archive_path} is not a sound zip file: {error}") from error
    except OSError as error:
        raise DatasetUnreadableError(f"{archive_path} cannot be unpacked: {error.strerror}") from error
    return _only_folder(top)


def _is_taken(entry: zipfile.ZipInfo, archive_path: Path) -> bool:
    name = entry.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
        raise DatasetUnreadableError(f"{archive_path} holds an entry outside its folder: {name!r}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return kind in (0, stat.S_IFREG) and path.suffix.lower() in _TAKEN_SUFFIXES


def _check_room(entries: list[zipfile.ZipInfo], top: Path, archive_path: Path) -> None:
    total_bytes, free_bytes = sum(entry.file_size for entry in entries), shutil.disk_usage(top).free
    if total_bytes > free_bytes or len(entries) > _MAX_ENTRIES:
        raise DatasetUnreadableError(
            f"{archive_path} unpacks to {len(entries)} files of {total_bytes} bytes; {free_bytes} are free in {top.parent}",
            advice="Unpack it yourself where there is room, and name the folder.",
        )


def _only_folder(top: Path) -> Path:
    """Many zips hold one folder with everything in it."""
    inside = [path for path in top.iterdir() if path.name != "__MACOSX"]
    return _only_folder(inside[0]) if len(inside) == 1 and inside[0].is_dir() and inside[0].name not in ("images", "labels") else top
