"""From a path to pixels: read the bytes, read the header, refuse what is not whole, decode.

    data = read_bytes(path, max_file_bytes=...)
    facts = read_facts(data, path.name);  check_pixels(facts, max_pixels)
    check_whole(data, facts)
    image = decode(data, facts)

Sixteen-bit values become eight-bit ones by round(value * 255 / 65535), without stretching. Grey becomes three equal channels,
black and white become 0 and 255, a palette its colours. CMYK becomes RGB as (255 - C)(255 - K) / 255; colour profiles are left
out. Alpha is dropped: the colours count as they are stored. The image is turned upright as its EXIF orientation says. Of a JPEG
with a second one behind it, the first is read.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from edge.errors import InputError, Reason
from edge.pipeline.bmp import bmp_header
from edge.pipeline.facts import check_pixels, read_facts, stored_size_px
from edge.pipeline.jpeg import jpeg_layout, without_metadata
from edge.pipeline.tiff import JPEG, TiffImage, bare_tiff, pieces, read_tiff
from edge.pipeline.whole import check_whole
from edge.values import ImageFacts, UInt8Array
from models.runtime.vision import cv2

# `check_pixels` has the only say on size; Pillow's own limit warns where ours should refuse.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
# libjpeg looks up to 8 bytes ahead of what it decodes.
_LOOKAHEAD = bytes(16)
_CV_OUT_OF_MEMORY = -4
_STAYS_LARGER = 2
# What Pillow is known to raise on pixels that are not what they should be.
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Warning,
)

__all__ = ["check_pixels", "check_whole", "decode", "read_bytes", "read_facts", "reduction"]


def read_bytes(path: Path, *, max_file_bytes: int) -> bytes:
    """The whole file, which must be a regular one and no link.

    Raises:
        InputError: VANISHED, NOT_A_REGULAR_FILE, UNREADABLE_FILE, TOO_MANY_BYTES or EMPTY_FILE.
    """
    # Without O_NONBLOCK opening a pipe would wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise InputError(Reason.NOT_A_REGULAR_FILE, "this is a link")
        with os.fdopen(os.open(path, flags), "rb") as stream:
            facts = os.fstat(stream.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise InputError(Reason.NOT_A_REGULAR_FILE, "this is not a regular file")
            if facts.st_size > max_file_bytes:
                raise InputError(Reason.TOO_MANY_BYTES, f"{facts.st_size} bytes are more than the {max_file_bytes} allowed")
            # One more than allowed: a file that grew since is refused too.
            data = stream.read(max_file_bytes + 1)
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, "the file is gone") from error
    except IsADirectoryError as error:
        raise InputError(Reason.NOT_A_REGULAR_FILE, "this is a folder") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror}") from error
    if len(data) > max_file_bytes:
        raise InputError(Reason.TOO_MANY_BYTES, f"the file has more than the {max_file_bytes} bytes allowed")
    if not data:
        raise InputError(Reason.EMPTY_FILE, "the file has no bytes")
    return data


def reduction(facts: ImageFacts, *, content_width_px: int, content_height_px: int) -> int:
    """The largest of 8, 4, 2 by which a JPEG may shrink while it is decoded and still be twice as large as the network sees it.

    Twice, so that the last step is the same average over areas as after decoding in full (docs/decisions/0015).
    """
    if facts.format == "jpeg" and facts.channels != 4:
        for factor in (8, 4, 2):
            if min(facts.width_px / content_width_px, facts.height_px / content_height_px) >= _STAYS_LARGER * factor:
                return factor
    return 1


def decode(data: bytes, facts: ImageFacts, *, reduce: int = 1) -> UInt8Array:
    """Pixels (H, W, 3) uint8 BGR of a file that `check_whole` has passed.

    Args:
        reduce: 1, 2, 4 or 8: decode a JPEG at that fraction of its size, rounded up. Other formats ignore it.

    Raises:
        InputError: CORRUPT.
        MemoryError: no room for the pixels.
    """
    reduce = reduce if facts.format == "jpeg" else 1
    pixels = _DECODERS[facts.format](data, facts, reduce)
    width_px, height_px = stored_size_px(facts)
    if pixels.shape != (-(-height_px // reduce), -(-width_px // reduce), 3):
        raise InputError(Reason.CORRUPT, f"the header says {width_px} x {height_px} pixels, the data {pixels.shape}")
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    if pixels.dtype != np.uint8:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"pixels of the kind {pixels.dtype} are not read")
    return _upright(pixels, facts.orientation)


def _decode_jpeg(data: bytes, facts: ImageFacts, reduce: int) -> Any:
    if facts.channels == 4:
        return _by_pillow(without_metadata(_without_end(data)), "jpeg")  # OpenCV's white is 254 there
    return _by_opencv(_without_end(data), "jpeg", _REDUCED[reduce])


def _decode_png(data: bytes, _facts: ImageFacts, _reduce: int) -> Any:
    return _by_opencv(data, "png", cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)


def _decode_bmp(data: bytes, _facts: ImageFacts, _reduce: int) -> Any:
    header = bmp_header(data)
    if header.bits_per_pixel == 24:
        return _by_opencv(data, "bmp", cv2.IMREAD_COLOR)
    return _by_pillow(data, "bmp")  # OpenCV knows neither 16 bits of other fields nor the masks of 32


def _decode_tiff(data: bytes, facts: ImageFacts, _reduce: int) -> Any:
    """Eight bits by Pillow: OpenCV 5.0 decodes such a file past damage without a word, and multiplies its colours with its alpha."""
    image = read_tiff(data)
    if image.compression == JPEG:
        _check_jpeg_pieces(data, image)
    bare = bare_tiff(data, image)
    if facts.bits_per_channel == 8:
        return _by_pillow(bare, "tiff")
    pixels = _by_opencv(bare, "tiff", cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    # OpenCV 5.0 does not know that zero can be white.
    return cv2.bitwise_not(pixels) if image.photometric == 0 else pixels


def _check_jpeg_pieces(data: bytes, image: TiffImage) -> None:
    """Decode each strip or tile by itself, because libtiff makes missing rows up like libjpeg."""
    tables = image.jpeg_tables[:-2] if image.jpeg_tables[:2] == b"\xff\xd8" else b"\xff\xd8"
    for offset, count in pieces(image):
        _by_opencv(_without_end(tables + data[offset + 2 : offset + count]), "tiff", cv2.IMREAD_GRAYSCALE)


def _without_end(data: bytes) -> bytes:
    """A JPEG whose decoder must fail, instead of filling with grey, when it runs out of data.

    libjpeg answers damage inside the data with a warning that nobody sees: it reaches the end marker too early and makes the
    missing rows up. Behind a one-scan image we therefore leave no end marker, only the few bytes that libjpeg looks ahead.
    Progressive images need their end marker to be decoded at all.
    """
    layout = jpeg_layout(data)
    if layout.frame_marker in _SEQUENTIAL_FRAMES and layout.scan_count == 1:
        return data[: layout.end_offset] + _LOOKAHEAD
    return data


def _by_opencv(data: bytes, image_format: str, flags: int) -> Any:
    """(H, W, 3) BGR, or (H, W) for IMREAD_GRAYSCALE, as stored, not turned."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        if error.code == _CV_OUT_OF_MEMORY:
            raise MemoryError(str(error)) from error
        raise InputError(Reason.CORRUPT, f"the data cannot be decoded: {error.err}") from error
    if pixels is None:
        raise InputError(Reason.CORRUPT, f"the {image_format} data cannot be decoded to its end")
    return pixels


def _by_pillow(data: bytes, image_format: str) -> UInt8Array:
    """(H, W, 3) uint8 BGR, as stored, not turned."""
    try:
        with Image.open(io.BytesIO(data), formats=[image_format.upper()]) as image:
            rgb = np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"the {image_format} has pixels of a kind that is not read") from error
    except _UNREADABLE as error:
        raise InputError(Reason.CORRUPT, f"the {image_format} data cannot be decoded: {type(error).__name__}") from error
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _upright(pixels: UInt8Array, orientation: int) -> UInt8Array:
    """The stored rows and columns as the picture is to be seen (EXIF 2.32, 4.6.4.A, Orientation)."""
    turns: dict[int, Callable[[UInt8Array], Any]] = {
        2: lambda image: cv2.flip(image, 1),
        3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
        4: lambda image: cv2.flip(image, 0),
        5: cv2.transpose,
        6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
        7: lambda image: cv2.flip(cv2.transpose(image), -1),
        8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    }
    upright: UInt8Array = turns[orientation](pixels) if orientation in turns else pixels
    return upright


_DECODERS: dict[str, Callable[[bytes, ImageFacts, int], Any]] = {
    "jpeg": _decode_jpeg,
    "png": _decode_png,
    "tiff": _decode_tiff,
    "bmp": _decode_bmp,
}
