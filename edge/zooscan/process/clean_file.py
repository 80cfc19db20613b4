"""The clean picture as a file: an uncompressed TIFF whose rows lie one after the other, so that it can be mapped into memory."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile

from edge.errors import InputError, Reason
from edge.values import UInt8Array

CLEAN_NAME = "clean.tif"
_PIXELS_BEGIN = 4096
_ROWS_TOGETHER = 256
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_ENTRY = struct.Struct("<HHII")
_PARTS_OF_AN_INCH = 1000


def write_clean(path: Path, image: UInt8Array, resolution_dpi: float) -> None:
    """Write a picture and make its content durable.

    Args:
        path: is replaced.
        image: (H, W) uint8, at most 4 GB.
        resolution_dpi: pixels per inch.

    Raises:
        OSError: the disk is full, or broken.
    """
    with path.open("wb") as file:
        write_rows(file, image, resolution_dpi)
        file.flush()
        os.fsync(file.fileno())


def write_rows(file: BinaryIO, image: UInt8Array, resolution_dpi: float) -> None:
    """Write a picture into an open, empty file."""
    file.write(_header(image.shape[0], image.shape[1], resolution_dpi).ljust(_PIXELS_BEGIN, b"\0"))
    file.writelines(np.ascontiguousarray(image[top : top + _ROWS_TOGETHER]).data for top in range(0, image.shape[0], _ROWS_TOGETHER))


def open_clean(path: Path) -> UInt8Array:
    """(H, W) uint8, a clean picture mapped into memory, to be read only.

    Raises:
        InputError: VANISHED, UNREADABLE_FILE, or CORRUPT where this is no clean picture.
    """
    try:
        mapped = tifffile.memmap(path, mode="r")
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, f"{path.name} is not there") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"{path.name} could not be opened: {error.strerror}") from error
    except (tifffile.TiffFileError, ValueError, TypeError, IndexError, KeyError) as error:
        raise InputError(Reason.CORRUPT, f"{path.name}: {error}") from error
    if mapped.ndim != 2 or mapped.dtype != np.uint8:
        raise InputError(Reason.CORRUPT, f"{path.name} is no 8-bit grey picture")
    return mapped


def _header(height_px: int, width_px: int, resolution_dpi: float) -> bytes:
    """One directory, one strip; TIFF 6.0, little-endian."""
    tags = [
        (256, _LONG, 1, width_px),
        (257, _LONG, 1, height_px),
        (258, _SHORT, 1, 8),
        (259, _SHORT, 1, 1),
        (262, _SHORT, 1, 1),
        (273, _LONG, 1, _PIXELS_BEGIN),
        (277, _SHORT, 1, 1),
        (278, _LONG, 1, height_px),
        (279, _LONG, 1, height_px * width_px),
        (282, _RATIONAL, 1, 0),
        (283, _RATIONAL, 1, 0),
        (296, _SHORT, 1, 2),
    ]
    begins = 8
    rational = begins + 2 + _ENTRY.size * len(tags) + 4
    entries = (_ENTRY.pack(tag, kind, count, rational if kind == _RATIONAL else value) for tag, kind, count, value in tags)
    per_inch = struct.pack("<II", round(resolution_dpi * _PARTS_OF_AN_INCH), _PARTS_OF_AN_INCH)
    return b"II*\0" + struct.pack("<IH", begins, len(tags)) + b"".join(entries) + struct.pack("<I", 0) + per_inch
