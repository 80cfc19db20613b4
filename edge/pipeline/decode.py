"""From a path to pixels: read the bytes, read the header, refuse what is not whole, decode.

    data = read_bytes(path, max_file_bytes=...)
    facts = read_facts(data, path.name);  check_pixels(facts, max_pixels)
    check_whole(data, facts)
    image = decode(data, facts)

Sixteen-bit values become eight-bit ones by round(value * 255 / 65535), without stretching. Grey becomes three equal channels.
Alpha is dropped: the colours count as they are stored. EXIF orientation is applied. Of a TIFF with several images, or a JPEG
with a second one behind it, the first is read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError, Reason
from edge.pipeline.facts import UNREADABLE, check_pixels, open_header, read_facts
from edge.pipeline.jpeg import jpeg_layout
from edge.pipeline.whole import check_whole
from edge.values import ImageFacts, UInt8Array
from models.runtime.vision import cv2

_REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
_SEQUENTIAL_FRAMES = (0xC0, 0xC1)
# libjpeg looks up to 8 bytes ahead of what it decodes.
_LOOKAHEAD = bytes(16)
_CV_OUT_OF_MEMORY = -4

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
    """The largest of 8, 4, 2 by which a JPEG may shrink while it is decoded and still be no smaller than the network sees it."""
    if facts.format == "jpeg":
        for factor in (8, 4, 2):
            if facts.width_px >= factor * content_width_px and facts.height_px >= factor * content_height_px:
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
    if facts.format == "tiff" and facts.bits_per_channel == 8:
        return _decode_eight_bit_tiff(data)
    if facts.format == "jpeg":
        pixels = _imdecode(_without_end(data), _REDUCED[reduce])
    else:
        reduce = 1
        pixels = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise InputError(Reason.CORRUPT, f"the {facts.format} data cannot be decoded to its end")
    if pixels.shape != (-(-facts.height_px // reduce), -(-facts.width_px // reduce), 3):
        raise InputError(Reason.CORRUPT, f"the header says {facts.width_px} x {facts.height_px} pixels, the data {pixels.shape}")
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    if pixels.dtype != np.uint8:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"pixels of the kind {pixels.dtype} are not read")
    image: UInt8Array = pixels
    return image


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


def _imdecode(data: bytes, flags: int) -> Any:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == _CV_OUT_OF_MEMORY:
            raise MemoryError(str(error)) from error
        raise InputError(Reason.CORRUPT, f"the data cannot be decoded: {error.err}") from error


def _decode_eight_bit_tiff(data: bytes) -> UInt8Array:
    """By Pillow: OpenCV 5.0 decodes such a file past damage without a word, and multiplies its colours with its alpha."""
    try:
        with open_header(data, "tiff") as image:
            rgb = np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        raise InputError(Reason.CORRUPT, f"the tiff data cannot be decoded: {type(error).__name__}") from error
    return np.ascontiguousarray(rgb[:, :, ::-1])
