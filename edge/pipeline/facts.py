"""What the header of an image file says, before anything is decoded.

Our own short readers of four formats: each is bounded by the file's size, whatever the header claims.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from edge.errors import InputError, Reason
from edge.formats import check_extension, sniff
from edge.pipeline.bmp import bmp_header
from edge.pipeline.exif import Exif, read_exif
from edge.pipeline.jpeg import check_kind, jpeg_layout
from edge.pipeline.png import png_exif, png_header
from edge.pipeline.tiff import read_tiff
from edge.values import ImageFacts

_TURNED_ORIENTATIONS = (5, 6, 7, 8)


def read_facts(data: bytes, name: str) -> ImageFacts:
    """Format (by content), size, depth, channels, orientation and EXIF time of an image file.

    Args:
        data: the whole file; only its headers are read, of a JPEG the markers to its end.
        name: the file's name, for its extension.

    Raises:
        InputError: EMPTY_FILE, UNKNOWN_FORMAT, EXTENSION_MISMATCH, TRUNCATED, CORRUPT, SEVERAL_IMAGES or UNSUPPORTED_PIXELS.
    """
    image_format = sniff(data)
    check_extension(PurePath(name).suffix, image_format)
    if image_format not in _READERS:
        raise InputError(Reason.UNKNOWN_FORMAT, f"the content is a clip ({image_format}) under a name that says nothing of it")
    facts = _READERS[image_format](data)
    if min(facts.width_px, facts.height_px) < 1:
        raise InputError(Reason.CORRUPT, f"the header says {facts.width_px} x {facts.height_px} pixels")
    return facts


def check_pixels(facts: ImageFacts, max_pixels: int) -> None:
    """Refuse an image that would decode to more than `max_pixels`.

    Raises:
        InputError: TOO_MANY_PIXELS.
    """
    if facts.width_px * facts.height_px > max_pixels:
        raise InputError(Reason.TOO_MANY_PIXELS, f"{facts.width_px} x {facts.height_px} pixels are more than the {max_pixels} allowed")


def stored_size_px(facts: ImageFacts) -> tuple[int, int]:
    """Width and height as the file stores them, before it is turned upright."""
    if facts.orientation in _TURNED_ORIENTATIONS:
        return facts.height_px, facts.width_px
    return facts.width_px, facts.height_px


def _facts(image_format: str, size_px: tuple[int, int], *, bits: int, channels: int, exif: Exif) -> ImageFacts:
    width_px, height_px = reversed(size_px) if exif.orientation in _TURNED_ORIENTATIONS else size_px
    return ImageFacts(
        format=image_format,
        width_px=width_px,
        height_px=height_px,
        bits_per_channel=bits,
        channels=channels,
        exif_time_local=exif.time_local,
        orientation=exif.orientation,
    )


def _jpeg(data: bytes) -> ImageFacts:
    layout = jpeg_layout(data)
    check_kind(layout)
    exif = read_exif(data[slice(*layout.exif)]) if layout.exif else Exif()
    return _facts("jpeg", (layout.width_px, layout.height_px), bits=layout.bits, channels=layout.channels, exif=exif)


def _png(data: bytes) -> ImageFacts:
    header, found = png_header(data), png_exif(data)
    exif = read_exif(found) if found else Exif()
    return _facts("png", (header.width_px, header.height_px), bits=max(8, header.depth), channels=header.channels, exif=exif)


def _tiff(data: bytes) -> ImageFacts:
    image = read_tiff(data)
    channels = 3 if image.photometric == 3 else image.samples  # a palette's entries are colours
    return _facts("tiff", (image.width_px, image.height_px), bits=max(8, image.bits), channels=channels, exif=image.exif)


def _bmp(data: bytes) -> ImageFacts:
    header = bmp_header(data)
    channels = 4 if header.bits_per_pixel == 32 else 3
    return _facts("bmp", (header.width_px, header.height_px), bits=8, channels=channels, exif=Exif())


_READERS: dict[str, Callable[[bytes], ImageFacts]] = {"jpeg": _jpeg, "png": _png, "tiff": _tiff, "bmp": _bmp}
