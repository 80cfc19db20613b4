"""Is the file whole? Each format is walked by its own structure, without decoding pixels.

What this sees: a file cut anywhere; a tail of zeros that an interrupted copy left, except in an uncompressed TIFF or BMP,
where zeros are black; in PNG every changed bit (CRC), in a deflated TIFF every changed pixel (Adler-32); in JPEG lost or
reordered restart intervals.
What decoding sees besides: most damage inside the data of a JPEG or an LZW TIFF, see `decode`.
What nobody sees: changed pixels of an uncompressed or PackBits TIFF or a BMP; damage in a JPEG that happens to decode to the very
end, or that lies in a progressive one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from PIL import TiffImagePlugin

from edge.errors import InputError, Reason
from edge.pipeline.facts import PNG_END, open_header
from edge.pipeline.jpeg import jpeg_layout
from edge.values import ImageFacts

_TIFF_DEFLATE = (8, 32946)
_CHUNK_BYTES = 1024 * 1024


def check_whole(data: bytes, facts: ImageFacts) -> None:
    """Refuse a file whose end is missing or whose structure is broken.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    _CHECKS[facts.format](data)


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
            reason = Reason.CORRUPT if PNG_END in data[position:] else Reason.TRUNCATED
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
    if tags.get(259) in _TIFF_DEFLATE:
        _check_deflated(data, offsets, counts)
    if tags.get(259, 1) == 1:
        row_bits = tags[256] * tags.get(277, 1) * max(tags.get(258, (1,)))
        if sum(counts) < (row_bits + 7) // 8 * tags[257]:
            raise InputError(Reason.TRUNCATED, "the TIFF holds fewer pixels than its header says")


def _check_deflated(data: bytes, offsets: Sequence[int], counts: Sequence[int]) -> None:
    """The checksum of every strip, which libtiff never looks at: it stops once it has enough pixels."""
    for offset, count in zip(offsets, counts, strict=True):
        inflate = zlib.decompressobj()
        waiting = data[offset : offset + count]
        try:
            while waiting and not inflate.eof:
                inflate.decompress(waiting, _CHUNK_BYTES)
                waiting = inflate.unconsumed_tail
        except zlib.error as error:
            raise InputError(Reason.CORRUPT, f"the TIFF's pixels at byte {offset} are damaged: {error}") from error
        if not inflate.eof:
            raise InputError(Reason.CORRUPT, f"the TIFF's pixels at byte {offset} end too early")


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
