"""Is the file whole? Each format is walked by its own structure, without decoding pixels.

What this sees: a file cut anywhere; a tail of zeros that an interrupted copy left, except in an uncompressed TIFF or BMP,
where zeros are black; in PNG every changed bit (CRC), in a deflated TIFF every changed pixel (Adler-32); in JPEG, and in the
strips and tiles of a TIFF that are JPEGs, lost or reordered restart intervals.
What decoding sees besides: most damage inside the data of a JPEG or an LZW TIFF, see `decode`.
What nobody sees: changed pixels of an uncompressed or PackBits TIFF or a BMP; damage in a JPEG that happens to decode to the very
end, or that lies in a progressive one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from edge.errors import InputError, Reason
from edge.pipeline.bmp import check_bmp
from edge.pipeline.jpeg import check_kind, jpeg_layout
from edge.pipeline.png import check_png
from edge.pipeline.tiff import DEFLATE, JPEG, TiffImage, check_tiff, piece_bytes, pieces, read_tiff
from edge.values import ImageFacts

_CHUNK_BYTES = 1024 * 1024


def check_whole(data: bytes, facts: ImageFacts) -> None:
    """Refuse a file whose end is missing or whose structure is broken.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    _CHECKS[facts.format](data)


def _walked_already(_: bytes) -> None:
    """The facts of a JPEG come from walking all of it."""


def _check_tiff(data: bytes) -> None:
    image = read_tiff(data)
    check_tiff(data, image)
    for index, (offset, count) in enumerate(pieces(image)):
        if image.compression in DEFLATE:
            _check_deflated(data[offset : offset + count], piece_bytes(image, index), offset)
        elif image.compression == JPEG:
            _check_jpeg_piece(data[offset : offset + count], image)


def _check_deflated(data: bytes, wanted_bytes: int, offset: int) -> None:
    """The checksum of a strip or tile, which libtiff never looks at: it stops once it has enough pixels."""
    inflate, waiting, inflated_bytes = zlib.decompressobj(), data, 0
    try:
        while waiting and not inflate.eof and inflated_bytes <= 2 * wanted_bytes + _CHUNK_BYTES:
            inflated_bytes += len(inflate.decompress(waiting, _CHUNK_BYTES))
            waiting = inflate.unconsumed_tail
    except zlib.error as error:
        raise InputError(Reason.CORRUPT, f"the TIFF's pixels at byte {offset} are damaged: {error}") from error
    if not inflate.eof:
        raise InputError(Reason.CORRUPT, f"the TIFF's pixels at byte {offset} end too early or not where they should")


def _check_jpeg_piece(data: bytes, image: TiffImage) -> None:
    """A strip or tile that is a JPEG of its own, but for tables that all have in common."""
    if data[:2] != b"\xff\xd8":
        raise InputError(Reason.CORRUPT, "a part of the TIFF's pixels is not the JPEG that it should be")
    layout = jpeg_layout(data)
    check_kind(layout)
    if layout.width_px > image.piece_px[0] or layout.height_px > image.piece_px[1]:
        raise InputError(Reason.CORRUPT, f"a part of the TIFF says {layout.width_px} x {layout.height_px} pixels")


_CHECKS: dict[str, Callable[[bytes], None]] = {"jpeg": _walked_already, "png": check_png, "tiff": _check_tiff, "bmp": check_bmp}
