"""Is the end of a clip there? Told from the structure of its container, without decoding.

MP4 and QuickTime are rows of boxes, AVI of chunks, Matroska of elements: each says how long it is. An MPEG stream says nothing of
its length; all that can be seen is a last packet that is cut.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import FileIO

_MANY_BOXES = 10_000
_TS_PERIODS = {0: 188, 4: 192}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnd:
    """What the structure of a file says of its end.

    Attributes:
        missing: what is not there, in words; None if nothing is known to be missing.
        has_index: whether an MP4 has its table of contents (moov). True for other containers, which can be read without.
    """

    missing: str | None
    has_index: bool = True


def file_end(file: FileIO, clip_format: str) -> FileEnd:
    """Look at the end of a file. Its position is where it was afterwards.

    Raises:
        OSError: the disk cannot be read.
    """
    before = file.tell()
    size_bytes = file.seek(0, os.SEEK_END)
    try:
        if clip_format == "mp4":
            return _boxes(file, size_bytes)
        if clip_format == "avi":
            return FileEnd(missing=_riff(file, size_bytes))
        if clip_format == "matroska":
            return FileEnd(missing=_segment(file, size_bytes))
        if clip_format == "mpeg-ts":
            return FileEnd(missing=_transport(file, size_bytes))
        return FileEnd(missing=None)
    finally:
        file.seek(before)


def _boxes(file: FileIO, size_bytes: int) -> FileEnd:
    """ISO/IEC 14496-12, 4.2: size (32 bits; 1: the next 64 are it; 0: to the end of the file), then four letters."""
    offset, kinds, missing = 0, set(), None
    for _ in range(_MANY_BOXES):
        header = _at(file, offset, 16)
        if len(header) < 8:
            missing = None if not header else "the file ends within the header of a box"
            break
        kind, length = header[4:8], int.from_bytes(header[:4])
        kinds.add(kind)
        if length == 1:
            length = int.from_bytes(header[8:16])
        elif length == 0:
            length = size_bytes - offset
        if length < 8:
            missing = f"the boxes are broken at byte {offset}"
            break
        if offset + length > size_bytes:
            missing = _lacks(offset + length - size_bytes)
            break
        offset += length
    return FileEnd(missing=missing, has_index=b"moov" in kinds)


def _riff(file: FileIO, size_bytes: int) -> str | None:
    """Chunks RIFF, and further ones above 2 GB (OpenDML): four letters, then size (32 bits, little end first)."""
    offset = 0
    for _ in range(_MANY_BOXES):
        header = _at(file, offset, 8)
        if header[:4] != b"RIFF" or len(header) < 8:
            return None  # what recorders leave behind the chunks is no part of the clip
        length = int.from_bytes(header[4:8], "little")
        if length == 0:
            return "the recorder did not write how long the clip is"
        if offset + 8 + length > size_bytes:
            return _lacks(offset + 8 + length - size_bytes)
        offset += 8 + length + length % 2
    return None


def _segment(file: FileIO, size_bytes: int) -> str | None:
    """RFC 8794: an element is an id, a length and that many bytes; all bits of the length set: not known."""
    data = _at(file, 0, 4096)
    position = 4
    length, used = _vint(data, position)
    position += used + (length or 0)  # behind the EBML header
    if data[position : position + 4] != b"\x18\x53\x80\x67":
        return None
    length, used = _vint(data, position + 4)
    end = None if length is None else position + 4 + used + length
    return None if end is None or end <= size_bytes else _lacks(end - size_bytes)


def _vint(data: bytes, position: int) -> tuple[int | None, int]:
    """Length (None: not known) and how many bytes say it."""
    first = data[position] if position < len(data) else 0
    width = 9 - first.bit_length()
    if first == 0 or position + width > len(data):
        return None, 1
    value = int.from_bytes(data[position : position + width]) & ((1 << (7 * width)) - 1)
    return (None if value == (1 << (7 * width)) - 1 else value), width


def _transport(file: FileIO, size_bytes: int) -> str | None:
    head = _at(file, 0, 5)
    period = next((period for first, period in _TS_PERIODS.items() if head[first : first + 1] == b"\x47"), 188)
    return "the last packet of the stream is cut" if size_bytes % period else None


def _lacks(missing_bytes: int) -> str:
    return f"the file lacks {missing_bytes} bytes at its end"


def _at(file: FileIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count) or b""
