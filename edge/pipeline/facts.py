"""What the header of an image file says, before anything is decoded.

Pillow reads headers lazily: it never touches the pixels here, and it knows the dialects of EXIF and TIFF.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import PurePath
from typing import Literal

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from edge.errors import InputError, Reason
from edge.formats import check_extension, sniff
from edge.pipeline.jpeg import jpeg_layout
from edge.values import ImageFacts

# `check_pixels` has the only say on size; Pillow's own limit warns where ours should refuse.
Image.MAX_IMAGE_PIXELS = None
# Damaged EXIF data is no fault of the image, and our reasons say more than Pillow's warnings.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_CHANNELS = {"L": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "RGB": 3, "P": 3, "RGBA": 4}
PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_BMP_HEADER_BYTES = 54
_SWAPPED_ORIENTATIONS = (5, 6, 7, 8)
_TIFF_PHOTOMETRIC_READ = (0, 1, 2, 3)  # white is zero, black is zero, RGB, palette
# What Pillow is known to raise on a header that is not what it should be.
UNREADABLE = (
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


def read_facts(data: bytes, name: str) -> ImageFacts:
    """Format (by content), size, depth, channels and EXIF time of an image file.

    Args:
        data: the whole file; only its header is read.
        name: the file's name, for its extension.

    Raises:
        InputError: EMPTY_FILE, UNKNOWN_FORMAT, EXTENSION_MISMATCH, TRUNCATED, CORRUPT or UNSUPPORTED_PIXELS.
    """
    image_format = sniff(data)
    check_extension(PurePath(name).suffix, image_format)
    with open_header(data, image_format) as image:
        bits = _bits(image, data, image_format)
        channels = _CHANNELS.get(image.mode)
        if channels is None or bits not in (8, 16):
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"pixels of the kind {image.mode} with {bits} bits are not read")
        width_px, height_px = image.size
        if min(width_px, height_px) < 1:
            raise InputError(Reason.CORRUPT, f"the header says {width_px} x {height_px} pixels")
        orientation, time_local = _exif(image, data)
        # Pillow turns the size of a TIFF by itself.
        if orientation in _SWAPPED_ORIENTATIONS and image_format != "tiff":
            width_px, height_px = height_px, width_px
    return ImageFacts(
        format=image_format,
        width_px=width_px,
        height_px=height_px,
        bits_per_channel=bits,
        channels=channels,
        exif_time_local=time_local,
    )


def check_pixels(facts: ImageFacts, max_pixels: int) -> None:
    """Refuse an image that would decode to more than `max_pixels`.

    Raises:
        InputError: TOO_MANY_PIXELS.
    """
    if facts.width_px * facts.height_px > max_pixels:
        raise InputError(Reason.TOO_MANY_PIXELS, f"{facts.width_px} x {facts.height_px} pixels are more than the {max_pixels} allowed")


def open_header(data: bytes, image_format: str) -> Image.Image:
    """Pillow's view of the header.

    Raises:
        InputError: TRUNCATED or CORRUPT.
    """
    try:
        return Image.open(io.BytesIO(data), formats=[image_format.upper()])
    except UNREADABLE as error:
        _refuse_cut_header(data, image_format)
        raise InputError(Reason.CORRUPT, f"the {image_format} header cannot be read: {type(error).__name__}") from error


def _refuse_cut_header(data: bytes, image_format: str) -> None:
    """Raise TRUNCATED where a header cannot be read because the file ends before it does."""
    if image_format == "jpeg":
        jpeg_layout(data)
    order: Literal["big", "little"] = "little" if data.startswith(b"II") else "big"
    is_cut = {
        "jpeg": False,
        "png": PNG_END not in data,
        "tiff": len(data) < 8 or int.from_bytes(data[4:8], order) >= len(data),
        "bmp": len(data) < _BMP_HEADER_BYTES,
    }
    if is_cut[image_format]:
        raise InputError(Reason.TRUNCATED, f"the {image_format} ends inside its header")


def _bits(image: Image.Image, data: bytes, image_format: str) -> int:
    if image_format == "png":
        # Pillow shows 16-bit colour as 8-bit; the header's 25th byte is the depth (PNG specification, 11.2.1 IHDR).
        depth = data[24]
        return 16 if depth == 16 else 8
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        if tags.get(262) not in _TIFF_PHOTOMETRIC_READ:
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"a TIFF of photometric kind {tags.get(262)} is not read")
        depths = set(tags.get(258, (1,)))
        return int(max(depths)) if len(depths) == 1 else 0
    return 8


def _exif(image: Image.Image, data: bytes) -> tuple[int, str | None]:
    """Orientation (1 to 8) and DateTimeOriginal verbatim; damaged EXIF data counts as none."""
    try:
        if isinstance(image, PngImagePlugin.PngImageFile):
            # Its own getexif would decode all pixels to see what lies behind them: 1.2 GB for a bomb of a megabyte.
            if (found := _png_exif(data)) is not None:
                image.info["exif"] = found
            exif = Image.Image.getexif(image)
        else:
            exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        time_local = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    except UNREADABLE:
        return 1, None
    text = time_local.strip("\0 ") if isinstance(time_local, str) else ""
    return orientation if isinstance(orientation, int) else 1, text or None


def _png_exif(data: bytes) -> bytes | None:
    """The eXIf chunk, before or behind the pixels (PNG specification, 11.3.3.2), as Pillow wants it."""
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"eXIf":
            return b"Exif\0\0" + data[position + 8 : position + 8 + length]
        position += 12 + length
    return None
