"""The header of a Windows or OS/2 bitmap (BITMAPCOREHEADER to BITMAPV5HEADER)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge.errors import InputError, Reason

_CORE_BYTES = 12
_INFO_BYTES = (40, 52, 56, 64, 108, 124)
_BITS = (1, 4, 8, 16, 24, 32)
_PLAIN, _BIT_FIELDS = 0, 3
_COMPRESSED = {1: "run-length encoded (RLE8)", 2: "run-length encoded (RLE4)", 4: "a JPEG in a bitmap", 5: "a PNG in a bitmap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BmpHeader:
    """Size, bits per pixel, whether bit fields say which bits are which colour, and where the pixels begin."""

    width_px: int
    height_px: int
    bits_per_pixel: int
    has_bit_fields: bool
    pixel_offset: int


def bmp_header(data: bytes) -> BmpHeader:
    """Size and pixels.

    Raises:
        InputError: TRUNCATED, CORRUPT or UNSUPPORTED_PIXELS.
    """
    header_bytes = _number(data, 14, 4)
    if header_bytes == _CORE_BYTES:
        width_px, height_px, bits, compression = _number(data, 18, 2), _number(data, 20, 2), _number(data, 24, 2), _PLAIN
    elif header_bytes in _INFO_BYTES:
        width_px, height_px = _number(data, 18, 4, signed=True), abs(_number(data, 22, 4, signed=True))
        bits, compression = _number(data, 28, 2), _number(data, 30, 4)
    else:
        raise InputError(Reason.CORRUPT, f"the bitmap has a header of {header_bytes} bytes, which none has")
    if compression in _COMPRESSED:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the bitmap is {_COMPRESSED[compression]}")
    if bits not in _BITS or compression not in (_PLAIN, _BIT_FIELDS) or (compression == _BIT_FIELDS and bits not in (16, 32)):
        raise InputError(Reason.CORRUPT, f"the bitmap has {bits} bits per pixel of kind {compression}, which none has")
    return BmpHeader(
        width_px=width_px,
        height_px=height_px,
        bits_per_pixel=bits,
        has_bit_fields=compression == _BIT_FIELDS,
        pixel_offset=_number(data, 10, 4),
    )


def check_bmp(data: bytes) -> None:
    """The rows that the header announces are there.

    Raises:
        InputError: TRUNCATED, CORRUPT or UNSUPPORTED_PIXELS.
    """
    header = bmp_header(data)
    row_bytes = (header.width_px * header.bits_per_pixel + 31) // 32 * 4
    if header.pixel_offset < 14 + _CORE_BYTES:
        raise InputError(Reason.CORRUPT, "the bitmap's pixels begin inside its header")
    if header.pixel_offset + row_bytes * header.height_px > len(data):
        raise InputError(Reason.TRUNCATED, "the bitmap ends before its last row")


def _number(data: bytes, offset: int, size_bytes: Literal[2, 4], *, signed: bool = False) -> int:
    if offset + size_bytes > len(data):
        raise InputError(Reason.TRUNCATED, "the bitmap ends inside its header")
    return int.from_bytes(data[offset : offset + size_bytes], "little", signed=signed)
