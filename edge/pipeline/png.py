"""The structure of a PNG file (PNG specification, third edition), walked without inflating anything."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from edge.errors import InputError, Reason

PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # grey, RGB, palette, grey and alpha, RGB and alpha (table 11.1)
_MAX_CHUNKS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PngHeader:
    """What IHDR says (11.2.1). `depth` is 1, 2, 4, 8 or 16 bits per sample."""

    width_px: int
    height_px: int
    depth: int
    channels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Where a chunk lies: its kind, and its data from `begin` to `end`, half open."""

    kind: bytes
    begin: int
    end: int


def png_header(data: bytes) -> PngHeader:
    """Size and pixels.

    Raises:
        InputError: TRUNCATED, CORRUPT, or SEVERAL_IMAGES for an animation.
    """
    if len(data) < 33:
        raise InputError(Reason.TRUNCATED, "the PNG ends inside its header")
    channels, depth = _CHANNELS.get(data[25]), data[24]
    if data[8:16] != b"\0\0\0\x0dIHDR" or channels is None or depth not in (1, 2, 4, 8, 16):
        raise InputError(Reason.CORRUPT, "the PNG does not begin with a header that makes sense")
    for chunk in png_chunks(data):
        if chunk.kind == b"acTL" and int.from_bytes(data[chunk.begin : chunk.begin + 4], "big") > 1:
            raise InputError(Reason.SEVERAL_IMAGES, "the PNG is an animation")
        if chunk.kind == b"IDAT":
            break
    width_px, height_px = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return PngHeader(width_px=width_px, height_px=height_px, depth=depth, channels=channels)


def png_chunks(data: bytes) -> Iterator[Chunk]:
    """Chunks that lie whole in the file, in order.

    Raises:
        InputError: CORRUPT, there are more than any picture has.
    """
    position = 8
    for _ in range(_MAX_CHUNKS):
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if end + 4 > len(data):
            return
        yield Chunk(kind=data[position + 4 : position + 8], begin=position + 8, end=end)
        position = end + 4
    raise InputError(Reason.CORRUPT, f"the PNG is cut into more than {_MAX_CHUNKS} pieces")


def png_exif(data: bytes) -> bytes | None:
    """The eXIf chunk, before or behind the pixels (11.3.3.2)."""
    for chunk in png_chunks(data):
        if chunk.kind == b"eXIf":
            return data[chunk.begin : chunk.end]
    return None


def check_png(data: bytes) -> None:
    """Every chunk whole and with the right checksum, up to IEND (5.3).

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    view = memoryview(data)
    for chunk in png_chunks(data):
        if zlib.crc32(view[chunk.begin - 4 : chunk.end]) != int.from_bytes(data[chunk.end : chunk.end + 4], "big"):
            # A tail of zeros breaks a checksum too; without the last chunk it is the end that is missing.
            reason = Reason.CORRUPT if PNG_END in data[chunk.begin - 8 :] else Reason.TRUNCATED
            raise InputError(reason, f"the PNG's checksum is wrong at byte {chunk.begin - 8}")
        if chunk.kind == b"IEND":
            return
    raise InputError(Reason.TRUNCATED, "the PNG ends before its last chunk")
