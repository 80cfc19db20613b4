"""Image files made byte by byte, of the kinds that no library here writes.

data = tiff_of(page_of(pixels))                        one uncompressed page
data = tiff_of(page_of(a), page_of(b), is_big=True)    a BigTIFF of two
data = bmp_of(rows, bits=4, palette=[...])
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SHORT, LONG = 3, 4
_SIZE_BYTES = {1: 1, 2: 1, SHORT: 2, LONG: 4, 7: 1, 16: 8}
_CODES = {1: "B", 2: "B", SHORT: "H", LONG: "I", 7: "B", 16: "Q"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Tags (kind and values by number) and the strips or tiles, whose places are filled in."""

    tags: dict[int, tuple[int, Sequence[int]]]
    pieces: Sequence[bytes]
    is_tiled: bool = False
    exif: dict[int, tuple[int, Sequence[int]]] = field(default_factory=dict)


def page_of(
    image: NDArray[Any],
    *,
    photometric: int | None = None,
    order: Literal["<", ">"] = "<",
    pieces: Sequence[bytes] | None = None,
    **extra: Any,
) -> Page:
    """An image (H, W) or (H, W, C) as one strip; `extra` holds further tags as t339=(3, [1])."""
    samples = 1 if image.ndim == 2 else image.shape[2]
    stored = image.astype(image.dtype.newbyteorder(order))
    tags: dict[int, tuple[int, Sequence[int]]] = {
        256: (LONG, [image.shape[1]]),
        257: (LONG, [image.shape[0]]),
        258: (SHORT, [8 * image.dtype.itemsize] * samples),
        259: (SHORT, [1]),
        262: (SHORT, [(1 if samples <= 2 else 2) if photometric is None else photometric]),
        277: (SHORT, [samples]),
        278: (LONG, [image.shape[0]]),
    }
    tags |= {int(name[1:]): value for name, value in extra.items() if name[0] == "t"}
    return Page(tags=tags, pieces=[stored.tobytes()] if pieces is None else pieces, is_tiled=324 in tags or extra.get("is_tiled", False))


def tiff_of(*pages: Page, order: Literal["<", ">"] = "<", is_big: bool = False) -> bytes:
    """A TIFF or BigTIFF file of pages in a chain."""
    pointer, pointer_bytes, first = ("Q", 8, 8) if is_big else ("I", 4, 4)
    mark = b"II" if order == "<" else b"MM"
    header = struct.pack(order + "HHHQ", 43, 8, 0, 0) if is_big else struct.pack(order + "HI", 42, 0)
    data = bytearray(mark + header)
    link = first
    for page in pages:
        tags = dict(page.tags)
        offsets = []
        for piece in page.pieces:
            offsets.append(len(data))
            data += piece + bytes(len(piece) % 2)
        place = (324, 325) if page.is_tiled else (273, 279)
        tags.setdefault(place[0], (LONG, offsets))
        tags.setdefault(place[1], (LONG, [len(piece) for piece in page.pieces]))
        if page.exif:
            tags[0x8769] = (LONG, [_write_directory(data, page.exif, order, pointer, pointer_bytes)[0]])
        begin, after = _write_directory(data, tags, order, pointer, pointer_bytes)
        struct.pack_into(order + pointer, data, link, begin)
        link = after
    return bytes(data)


def _write_directory(
    data: bytearray, tags: dict[int, tuple[int, Sequence[int]]], order: str, pointer: str, pointer_bytes: int
) -> tuple[int, int]:
    """Append a directory; where it begins, and where the offset of the next one stands."""
    entries = b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        value = struct.pack(f"{order}{len(values)}{_CODES[kind]}", *values)
        if len(value) > pointer_bytes:
            place = len(data)
            data += value + bytes(len(value) % 2)
            value = struct.pack(order + pointer, place)
        entries += struct.pack(order + "HH" + pointer, tag, kind, len(values)) + value.ljust(pointer_bytes, b"\0")
    begin = len(data)
    data += struct.pack(order + ("Q" if pointer == "Q" else "H"), len(tags)) + entries + bytes(pointer_bytes)
    return begin, len(data) - pointer_bytes


def bmp_of(
    rows: NDArray[np.uint32],
    *,
    bits: int,
    palette: Sequence[tuple[int, int, int]] = (),
    masks: Sequence[int] = (),
    top_down: bool = False,
    compression: int = 0,
) -> bytes:
    """A bitmap whose pixels (H, W) hold palette indices, or the bits of the colours; `palette` in BGR."""
    height_px, width_px = rows.shape
    lines = []
    for row in rows if top_down else rows[::-1]:
        if bits < 8:
            unpacked = ((row[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8).ravel()
            line = np.packbits(unpacked).tobytes()
        else:
            line = b"".join(int(value).to_bytes(bits // 8, "little") for value in row)
        lines.append(line + bytes(-len(line) % 4))
    tables = b"".join(struct.pack("<I", mask) for mask in masks) + b"".join(bytes((*colour, 0)) for colour in palette)
    offset = 14 + 40 + len(tables)
    pixels = b"".join(lines)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width_px, -height_px if top_down else height_px, 1, bits, 3 if masks else compression, 0, 0, 0, len(palette), 0
    )
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + tables + pixels
