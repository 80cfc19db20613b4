"""The picture of one object alone, with a scale bar: what people sort and EcoTaxa is given. Domain: Zooprocess, section a6."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np

from edge.values import UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY
from edge.zooscan.segment import MM_PER_INCH
from models.runtime.vision import cv2

FOOTER_PX = 31
_LARGER = 1.4
_BAR_LEFT_PX, _BAR_THICK_PX, _BAR_ABOVE_BOTTOM_PX, _BESIDE_BAR_PX = 9, 2, 5, 20
_BAR_GREY, _LEGACY_BAR_GREY = 85, 0
_TEXT_LEFT_PX, _TEXT_ABOVE_BOTTOM_PX = 11, 16
_TEXT = (
    ".#....................",
    "##....................",
    ".#.....######..######.",
    ".#.....#..#..#.#..#..#",
    ".#.....#..#..#.#..#..#",
    ".#.....#..#..#.#..#..#",
    ".#.....#..#..#.#..#..#",
)
_INK = np.array([[mark == "#" for mark in row] for row in _TEXT])
_M_PER_INCH = MM_PER_INCH / 1000
# Signature, length, type, content and checksum of the header chunk.
_AFTER_PNG_HEADER = 8 + 4 + 4 + 13 + 4
# A third of the time that OpenCV's own choice takes, and a little smaller: vignettes are mostly white.
_FASTEST = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
]
_BEST_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 100]
# Where a JFIF header has unit and density, after the markers, its length and its name.
_JFIF_DENSITY = slice(13, 18)
_DOTS_PER_INCH = 1
_MOST_JFIF_DENSITY = 65_535


def vignette(alone: UInt8Array, resolution_dpi: float, bar_grey: int = _BAR_GREY) -> UInt8Array:
    """An object in the middle of white, a bar of 1 mm below it.

    Args:
        alone: (H, W) uint8, its box with white around it and in its holes (`Particle.alone`).
        resolution_dpi: of the scan.
        bar_grey: of bar and text.

    Returns:
        (H', W') uint8; the lowest 31 rows are the bar's.
    """
    height, width = alone.shape
    bar_px = resolution_dpi / MM_PER_INCH
    canvas_height, canvas_width = round(_LARGER * height + FOOTER_PX), round(max(_LARGER * width, bar_px + _BESIDE_BAR_PX))
    canvas = np.full((canvas_height, canvas_width), BACKGROUND_GREY, np.uint8)
    top, left = (canvas_height - FOOTER_PX - height) // 2, (canvas_width - width) // 2
    canvas[top : top + height, left : left + width] = alone
    bar_top, bar_right = canvas_height - _BAR_ABOVE_BOTTOM_PX, _BAR_LEFT_PX + math.ceil(bar_px) + 1
    canvas[bar_top : bar_top + _BAR_THICK_PX, _BAR_LEFT_PX:bar_right] = bar_grey
    text_top = canvas_height - _TEXT_ABOVE_BOTTOM_PX
    space = canvas[text_top : text_top + _INK.shape[0], _TEXT_LEFT_PX : _TEXT_LEFT_PX + _INK.shape[1]]
    space[_INK[:, : space.shape[1]]] = bar_grey
    return canvas


def vignette_png(alone: UInt8Array, resolution_dpi: float) -> bytes:
    """A vignette as an 8-bit grey PNG that says its resolution; the same bytes for the same pixels."""
    done, data = cv2.imencode(".png", vignette(alone, resolution_dpi), _FASTEST)
    if not done:
        raise ValueError(f"no PNG of an object of {alone.shape[1]} x {alone.shape[0]} pixels")
    png = data.tobytes()
    per_m = round(resolution_dpi / _M_PER_INCH)
    physical = b"pHYs" + struct.pack(">IIB", per_m, per_m, 1)
    chunk = struct.pack(">I", len(physical) - 4) + physical + struct.pack(">I", zlib.crc32(physical))
    return png[:_AFTER_PNG_HEADER] + chunk + png[_AFTER_PNG_HEADER:]


def legacy_jpeg(alone: UInt8Array, resolution_dpi: float) -> bytes:
    """A vignette as Zooprocess keeps it in its work folder: a JPEG of the best quality, the bar black."""
    return jpeg_of_vignette(vignette(alone, resolution_dpi, _LEGACY_BAR_GREY), resolution_dpi)


def jpeg_of_vignette(canvas: UInt8Array, resolution_dpi: float) -> bytes:
    """A finished vignette (H, W) uint8 as a JPEG of the best quality that says its resolution."""
    done, data = cv2.imencode(".jpg", canvas, _BEST_JPEG)
    if not done:
        raise ValueError(f"no JPEG of a vignette of {canvas.shape[1]} x {canvas.shape[0]} pixels")
    jpeg = bytearray(data.tobytes())
    density = min(round(resolution_dpi), _MOST_JFIF_DENSITY)
    jpeg[_JFIF_DENSITY] = struct.pack(">BHH", _DOTS_PER_INCH, density, density)
    return bytes(jpeg)
