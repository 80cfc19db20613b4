"""Is the file whole? Each format is walked by its own structure, without decoding pixels.

What this sees: a file cut anywhere; a tail of zeros that an interrupted copy left, except in an uncompressed TIFF or BMP,
where zeros are black; in PNG every changed bit (CRC); in JPEG lost or reordered restart intervals.
What decoding sees besides: most damage inside a JPEG's data, see `decode`.
What nobody sees: changed pixels of an uncompressed TIFF or BMP, and damage in a JPEG that happens to decode to the very end.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import TiffImagePlugin

from edge.errors import InputError, Reason
from edge.pipeline.facts import open_header
from edge.values import ImageFacts, UInt8Array

_SOI, _EOI, _SOS, _DRI, _TEM = 0xD8, 0xD9, 0xDA, 0xDD, 0x01
_RST = range(0xD0, 0xD8)
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegLayout:
    """Where a JPEG's parts lie.

    Attributes:
        end_offset: of the EOI marker that ends the (first) image.
        frame_marker: the SOF marker: 0xC0 baseline, 0xC1 extended, 0xC2 progressive.
        scan_count: number of SOS segments.
    """

    end_offset: int
    frame_marker: int
    scan_count: int


def check_whole(data: bytes, facts: ImageFacts) -> None:
    """Refuse a file whose end is missing or whose structure is broken.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    _CHECKS[facts.format](data)


def jpeg_layout(data: bytes) -> JpegLayout:
    """Walk the segments of a JPEG from SOI to the EOI that ends the image; one inside a thumbnail is skipped with its segment.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    position, frame_marker, scan_count = 2, 0, 0
    while True:
        marker, position = _next_marker(data, position)
        if marker == _EOI:
            break
        if marker == _TEM or marker in _RST:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        if position + max(length, 2) > len(data):
            raise InputError(Reason.TRUNCATED, "the JPEG ends inside a header segment")
        if length < 2 or marker == _SOI:
            raise InputError(Reason.CORRUPT, f"the JPEG has a broken segment at byte {position - 2}")
        position += length
        if marker in _SOF:
            frame_marker = marker
        if marker == _SOS:
            scan_count += 1
            position = _scan_end(data, position)
    if not (frame_marker and scan_count):
        raise InputError(Reason.CORRUPT, "the JPEG holds no image")
    return JpegLayout(end_offset=position - 2, frame_marker=frame_marker, scan_count=scan_count)


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at `position` and the offset after it; a marker may be preceded by any number of 0xFF."""
    if position >= len(data):
        raise InputError(Reason.TRUNCATED, "the JPEG ends before its end marker")
    if data[position] != 0xFF:
        raise InputError(Reason.CORRUPT, f"the JPEG has no marker at byte {position}")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise InputError(Reason.TRUNCATED, "the JPEG ends before its end marker")
    return data[position], position + 1


def _scan_end(data: bytes, position: int) -> int:
    """Offset of the first marker after entropy-coded data that is no restart marker.

    In such data 0xFF is followed by 0x00 (stuffing) or by a restart marker, which count 0 to 7 in turn (ITU-T T.81, B.1.1).
    """
    scan: UInt8Array = np.frombuffer(data, np.uint8)[position:]
    high = np.flatnonzero(scan[:-1] == 0xFF)
    following = scan[high + 1]
    is_restart = (following & 0xF8) == 0xD0
    ends = np.flatnonzero((following != 0) & (following != 0xFF) & ~is_restart)
    if len(ends) == 0:
        raise InputError(Reason.TRUNCATED, "the JPEG ends inside its image data")
    restarts = following[: ends[0]][is_restart[: ends[0]]] & 0x07
    if (restarts != np.arange(len(restarts)) % 8).any():
        raise InputError(Reason.CORRUPT, "a part of the JPEG's image data is missing")
    return position + int(high[ends[0]])


def _check_jpeg(data: bytes) -> None:
    jpeg_layout(data)


def _check_png(data: bytes) -> None:
    """Every chunk whole and with the right CRC, up to IEND (PNG specification, 5.3)."""
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            break
        kind = data[position + 4 : position + 8]
        if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            # A tail of zeros breaks a checksum too; without the last chunk it is the end that is missing.
            reason = Reason.CORRUPT if _PNG_END in data[position:] else Reason.TRUNCATED
            raise InputError(reason, f"the PNG's checksum is wrong at byte {position}")
        if kind == b"IEND":
            return
        position = end
    raise InputError(Reason.TRUNCATED, "the PNG ends before its last chunk")


def _check_tiff(data: bytes) -> None:
    """Every strip or tile of the first image lies inside the file (TIFF 6.0, sections 3 and 15)."""
    with open_header(data, "tiff") as image:
        if not isinstance(image, TiffImagePlugin.TiffImageFile):
            raise InputError(Reason.CORRUPT, "the TIFF header cannot be read")
        tags = image.tag_v2
        offsets, counts = tags.get(273) or tags.get(324), tags.get(279) or tags.get(325)
    if not offsets or not counts or len(offsets) != len(counts):
        raise InputError(Reason.CORRUPT, "the TIFF does not say where its pixels are")
    if any(offset + count > len(data) for offset, count in zip(offsets, counts, strict=True)):
        raise InputError(Reason.TRUNCATED, "the TIFF's pixels end beyond the file")
    if any(count == 0 or offset == 0 for offset, count in zip(offsets, counts, strict=True)):
        raise InputError(Reason.CORRUPT, "a part of the TIFF's pixels was never written")
    if tags.get(259, 1) == 1:
        row_bits = tags[256] * tags.get(277, 1) * max(tags.get(258, (1,)))
        if sum(counts) < (row_bits + 7) // 8 * tags[257]:
            raise InputError(Reason.TRUNCATED, "the TIFF holds fewer pixels than its header says")


def _check_bmp(data: bytes) -> None:
    """The rows that the header announces are there (Windows BITMAPINFOHEADER)."""
    pixel_offset = int.from_bytes(data[10:14], "little")
    if int.from_bytes(data[14:18], "little") < 40:
        raise InputError(Reason.UNSUPPORTED_PIXELS, "an OS/2 bitmap is not read")
    width_px = int.from_bytes(data[18:22], "little", signed=True)
    height_px = abs(int.from_bytes(data[22:26], "little", signed=True))
    bits_per_pixel = int.from_bytes(data[28:30], "little")
    if int.from_bytes(data[30:34], "little") not in (0, 3):
        raise InputError(Reason.UNSUPPORTED_PIXELS, "a compressed bitmap is not read")
    row_bytes = (width_px * bits_per_pixel + 31) // 32 * 4
    if pixel_offset + row_bytes * height_px > len(data):
        raise InputError(Reason.TRUNCATED, "the bitmap ends before its last row")


_CHECKS: dict[str, Callable[[bytes], None]] = {"jpeg": _check_jpeg, "png": _check_png, "tiff": _check_tiff, "bmp": _check_bmp}
