"""The image of a call: base64 of a file as CVAT keeps it, which is a JPEG, a PNG of a video's frame, or whatever a task was made from.

What the appliance itself takes (JPEG, PNG, TIFF, BMP) is read as its pipeline reads it: the header first, with the cap on pixels, then
whether the file is whole, then the pixels, turned upright as EXIF says. WebP, GIF, JPEG 2000, AVIF and PNM, of which CVAT makes
tasks as well, are read by Pillow in the same order.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from annotator_bridge.functions.function import BadCallError
from edge.errors import InputError, Reason
from edge.formats import HEAD_BYTES, is_clip_format, sniff
from edge.pipeline.decode import check_pixels, check_whole, decode, read_facts
from edge.pipeline.detect import decode_for
from edge.values import ImageFacts, UInt8Array
from models.runtime.tiling import View

_OTHERS = ("WEBP", "GIF", "JPEG2000", "AVIF", "PPM")
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_NO_NAME = ""  # a call has none, so no extension to disagree with


@dataclass(frozen=True, slots=True, kw_only=True)
class SentImage:
    """An image of a call, its header read and passed, its pixels not decoded yet.

    Attributes:
        data: the file.
        facts: of its header; None of a format that Pillow reads.
        width_px, height_px: as it is to be seen.
    """

    data: bytes
    facts: ImageFacts | None
    width_px: int
    height_px: int

    def pixels(self) -> UInt8Array:
        """(H, W, 3) uint8 BGR.

        Raises:
            BadCallError: the pixels are damaged or of a kind that is not read.
        """
        if self.facts is None:
            return _by_pillow(self.data)
        try:
            return decode(self.data, self.facts)
        except InputError as error:
            raise _refused(error) from error

    def pixels_for(self, views: tuple[View, ...]) -> UInt8Array:
        """The same for a network: a large JPEG of which it sees the whole comes reduced (docs/decisions/0015), as in the pipeline.

        Raises:
            BadCallError: the pixels are damaged or of a kind that is not read.
        """
        if self.facts is None:
            return _by_pillow(self.data)
        try:
            return decode_for(views, self.data, self.facts)
        except InputError as error:
            raise _refused(error) from error


def decode_image(text: object, *, max_pixels: int) -> UInt8Array:
    """Pixels (H, W, 3) uint8 BGR of the image in a call.

    Args:
        text: base64 of an image file, bare or as a data URL.
        max_pixels: an image with more is refused before it is decoded.

    Raises:
        BadCallError: it is no text, no base64, no image, not whole, or too large; says which.
    """
    return read_image(text, max_pixels=max_pixels).pixels()


def read_image(text: object, *, max_pixels: int) -> SentImage:
    """The image in a call, without its pixels; arguments and errors as of `decode_image`."""
    data = _from_base64(text)
    try:
        image_format = sniff(data[:HEAD_BYTES])
    except InputError as error:
        if error.reason is not Reason.UNKNOWN_FORMAT:
            raise _refused(error) from error
        return _read_other(data, max_pixels=max_pixels)
    if is_clip_format(image_format):
        return _read_other(data, max_pixels=max_pixels)  # AVIF is of the family of MP4
    try:
        facts = read_facts(data, _NO_NAME)
        check_pixels(facts, max_pixels)
        check_whole(data, facts)
    except InputError as error:
        raise _refused(error) from error
    return SentImage(data=data, facts=facts, width_px=facts.width_px, height_px=facts.height_px)


def _from_base64(text: object) -> bytes:
    if text is None:
        raise BadCallError("the call has no image")
    if not isinstance(text, str):
        raise BadCallError(f"the image of the call is a {type(text).__name__}, not base64 in a text")
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise BadCallError("the image of the call is a data URL without base64")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = _from_lines(text)
    if not data:
        raise BadCallError("the image of the call is empty")
    return data


def _from_lines(text: str) -> bytes:
    """Base64 with line ends (RFC 2045), as some programs write it; anything else that is none is refused."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadCallError(f"the image of the call is not base64: {error}") from error


def _read_other(data: bytes, *, max_pixels: int) -> SentImage:
    """The header of a format that Pillow reads."""
    try:
        with Image.open(io.BytesIO(data), formats=_OTHERS) as image:
            width_px, height_px = image.size
            turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    except UnidentifiedImageError as error:
        raise BadCallError(f"what the call holds is no image: it begins with {data[:8].hex(' ')}") from error
    except _UNREADABLE as error:
        raise BadCallError(f"the header of the image is damaged: {type(error).__name__}") from error
    if width_px * height_px > max_pixels:
        raise BadCallError(f"{width_px} x {height_px} pixels are more than the {max_pixels} allowed")
    if turned:
        width_px, height_px = height_px, width_px
    return SentImage(data=data, facts=None, width_px=width_px, height_px=height_px)


def _by_pillow(data: bytes) -> UInt8Array:
    try:
        with Image.open(io.BytesIO(data), formats=_OTHERS) as image:
            rgb = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except _UNREADABLE as error:
        raise BadCallError(f"the image is damaged: {type(error).__name__}") from error
    return np.ascontiguousarray(rgb[:, :, ::-1])


def _refused(error: InputError) -> BadCallError:
    return BadCallError(f"the image of the call is not usable ({error.reason}): {error}")
