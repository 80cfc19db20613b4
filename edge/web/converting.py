"""A file's picture as a JPEG for a page: the pixels that the model saw, but sixteen bits stretched so that a person sees them.

Who says what is in the file is `edge.pipeline.facts`, as for a result; Pillow decodes, because OpenCV would make the process of the
pages heavy. It is shown nothing but what pixels need.
"""

from __future__ import annotations

import io
import tempfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge.errors import InputError
from edge.pipeline.facts import read_facts
from edge.pipeline.jpeg import without_metadata
from edge.pipeline.tiff import bare_tiff, read_tiff
from edge.units import mib_to_bytes
from edge.values import ImageFacts

MAX_CONVERTED_PIXELS = 100_000_000
STRETCH_PERCENT = (0.5, 99.5)
_LOOKED_AT = 1_000_000  # pixels that the stretch is found from
_IN_MEMORY_BYTES = mib_to_bytes(256)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# `read_facts` has the say on size, before anything is decoded; Pillow would warn where we refuse.
Image.MAX_IMAGE_PIXELS = None


class TooManyPixelsError(Exception):
    """The picture is too large to be converted for a page."""


def convert(data: bytes, *, longest_px: int, jpeg_quality: int) -> bytes:
    """A JPEG, upright, no side longer than `longest_px`.

    Raises:
        TooManyPixelsError: more than `MAX_CONVERTED_PIXELS`.
        InputError: the file is none that is read.
        OSError, ValueError, SyntaxError: what Pillow raises on pixels that it cannot decode.
    """
    facts = read_facts(data, "")
    if facts.width_px * facts.height_px > MAX_CONVERTED_PIXELS:
        raise TooManyPixelsError(f"{facts.width_px} x {facts.height_px} pixels are too many to convert")
    with Image.open(io.BytesIO(_bare(data, facts)), formats=[facts.format.upper()]) as image:
        image.draft(None, (longest_px, longest_px))  # JPEG: decode at a fraction of the size
        shown = _eight_bits(image, white_is_zero=_white_is_zero(data, facts)) if facts.bits_per_channel == 16 else _colours(image)
    shown.thumbnail((longest_px, longest_px), reducing_gap=2.0)
    if facts.orientation in _TURNS:
        shown = shown.transpose(_TURNS[facts.orientation])
    return _as_jpeg(shown, jpeg_quality)


def _bare(data: bytes, facts: ImageFacts) -> bytes:
    if facts.format == "tiff":
        return bare_tiff(data, read_tiff(data))
    return without_metadata(data) if facts.format == "jpeg" else data


def _white_is_zero(data: bytes, facts: ImageFacts) -> bool:
    """Whether Pillow leaves the turning round to us: it does for sixteen bits."""
    return facts.format == "tiff" and read_tiff(data).photometric == 0


def _colours(image: Image.Image) -> Image.Image:
    """Grey or RGB; alpha is dropped, as it is for the model."""
    return image.convert("L" if image.mode in {"1", "L", "LA"} else "RGB")


def _eight_bits(image: Image.Image, *, white_is_zero: bool) -> Image.Image:
    """Stretched from the `STRETCH_PERCENT` of its levels to black and white; of colour, of which Pillow keeps eight bits, those."""
    levels: NDArray[np.uint16] | NDArray[np.uint8]
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.uint16)
        levels = np.invert(levels) if white_is_zero else levels
    else:
        levels = np.asarray(_colours(image))
    step = max(1, levels.size // _LOOKED_AT)
    black, white = np.percentile(levels.ravel()[::step], STRETCH_PERCENT)
    table = (np.arange(np.iinfo(levels.dtype).max + 1) - black) * (255 / max(white - black, 1))
    return Image.fromarray(np.clip(np.rint(table), 0, 255).astype(np.uint8)[levels])


def _as_jpeg(image: Image.Image, quality: int) -> bytes:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as out:
        image.save(out, "JPEG", quality=quality)
        out.seek(0)
        return out.read()


__all__ = ["MAX_CONVERTED_PIXELS", "STRETCH_PERCENT", "InputError", "TooManyPixelsError", "convert"]
