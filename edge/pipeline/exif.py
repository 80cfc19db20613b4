"""What EXIF data say about a picture: how it was held, and when it was taken."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import InputError
from edge.pipeline.directory import Directories, Directory

_ORIENTATION, _EXIF_DIRECTORY = 0x0112, 0x8769
_TIME, _OFFSET, _SUBSECOND = 0x9003, 0x9011, 0x9291  # DateTimeOriginal, OffsetTimeOriginal, SubSecTimeOriginal


@dataclass(frozen=True, slots=True, kw_only=True)
class Exif:
    """What we use of EXIF data.

    Attributes:
        orientation: 1 to 8, how the stored rows and columns lie in the picture (EXIF 2.32, 4.6.4.A).
        time_local: DateTimeOriginal verbatim, followed by SubSecTimeOriginal and OffsetTimeOriginal where the camera wrote
            them, such as "2023:06:03 16:32:07.504+02:00".
    """

    orientation: int = 1
    time_local: str | None = None


def read_exif(data: bytes) -> Exif:
    """From EXIF data, without the "Exif" in front of them; damaged ones count as none, for they are no fault of the picture."""
    try:
        directories = Directories(data)
        return exif_of(directories, directories.read(directories.first_offset))
    except InputError:
        return Exif()


def exif_of(directories: Directories, first: Directory) -> Exif:
    """From the directories of a TIFF file, or of EXIF data. One that is damaged leaves out what it holds."""
    orientation = _orientation(directories, first)
    try:
        pointer = directories.number(first.fields.get(_EXIF_DIRECTORY), 0)
        return Exif(orientation=orientation, time_local=_time(directories, directories.read(pointer)) if pointer else None)
    except InputError:
        return Exif(orientation=orientation)


def _orientation(directories: Directories, first: Directory) -> int:
    try:
        value = directories.number(first.fields.get(_ORIENTATION), 1)
    except InputError:
        return 1
    return value if 1 <= value <= 8 else 1


def _time(directories: Directories, exif: Directory) -> str | None:
    time_local = directories.text(exif.fields.get(_TIME))
    if time_local is None:
        return None
    subsecond = directories.text(exif.fields.get(_SUBSECOND)) or ""
    offset = directories.text(exif.fields.get(_OFFSET)) or ""
    time_local += f".{subsecond}" if re.fullmatch(r"\d{1,9}", subsecond) else ""
    return time_local + (offset if re.fullmatch(r"[+-]\d\d:\d\d", offset) else "")
