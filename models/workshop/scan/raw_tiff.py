"""A 16-bit grey TIFF as the scanner's program writes it, rows at a time."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

_SHORT, _LONG, _RATIONAL = 3, 4, 5
_HEADER_BYTES = 8
MOST_BYTES = 2**32 - 2**20


def write_raw(
    path: Path, strips: Iterable[npt.NDArray[np.uint16]], *, width_px: int, height_px: int, dpi: int, rows_per_strip: int
) -> None:
    """Write a whole picture, durably.

    Args:
        path: a new file.
        strips: from the top, each (rows_per_strip, width) uint16; the last may have fewer rows.
        width_px, height_px: of the picture.
        dpi: its resolution.
        rows_per_strip: of them.

    Raises:
        OSError: it cannot be written.
        ValueError: it is too large for a TIFF, or the strips do not make up the picture.
    """
    if width_px * height_px * 2 > MOST_BYTES:
        raise ValueError(f"{width_px} x {height_px} pixels of 16 bits are too large for a TIFF")
    count = -(-height_px // rows_per_strip)
    offsets, sizes, rows = [], [], 0
    with path.open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, 0))
        for strip in strips:
            data = np.ascontiguousarray(strip, "<u2")
            offsets.append(file.tell())
            sizes.append(data.nbytes)
            rows += len(data)
            file.write(data.data)
        if rows != height_px or len(offsets) != count:
            raise ValueError(f"{rows} rows in {len(offsets)} strips for {height_px} rows in {count}")
        place = file.tell()
        file.write(_directory(place, offsets, sizes, width_px=width_px, height_px=height_px, dpi=dpi, rows_per_strip=rows_per_strip))
        file.seek(4)
        file.write(struct.pack("<I", place))
        file.flush()
        os.fsync(file.fileno())


def _directory(place: int, offsets: list[int], sizes: list[int], *, width_px: int, height_px: int, dpi: int, rows_per_strip: int) -> bytes:
    """The tags, as if they began at `place`; lists follow them."""
    count = len(offsets)
    tags: list[tuple[int, int, int, int | list[int] | tuple[int, int]]] = [
        (256, _LONG, 1, width_px),
        (257, _LONG, 1, height_px),
        (258, _SHORT, 1, 16),
        (259, _SHORT, 1, 1),
        (262, _SHORT, 1, 1),
        (273, _LONG, count, offsets),
        (277, _SHORT, 1, 1),
        (278, _LONG, 1, rows_per_strip),
        (279, _LONG, count, sizes),
        (282, _RATIONAL, 1, (dpi, 1)),
        (283, _RATIONAL, 1, (dpi, 1)),
        (296, _SHORT, 1, 2),
    ]
    behind = place + 2 + 12 * len(tags) + 4
    entries, lists = b"", b""
    for tag, kind, number, value in tags:
        if isinstance(value, int):
            entries += struct.pack("<HHII", tag, kind, number, value)
        elif isinstance(value, list) and number == 1:
            entries += struct.pack("<HHII", tag, kind, number, value[0])
        else:
            entries += struct.pack("<HHII", tag, kind, number, behind + len(lists))
            lists += struct.pack(f"<{len(value)}I", *value)
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0) + lists
