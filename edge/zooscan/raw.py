"""A raw scan as the scanner wrote it: 16-bit grey TIFF, read a few rows at a time."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from tifffile import TiffFile, TiffFileError, TiffPage

from edge.errors import InputError, Reason
from edge.zooscan.grey import UInt16Array

_BITS = 16
_CM_PER_INCH = 2.54
_PER_INCH, _PER_CM = 2, 3
_NOT_COMPRESSED = 1
_WHITE_IS_ZERO = 0
MAX_PIXELS = 600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHeader:
    """What a raw scan says of itself.

    Attributes:
        width_px, height_px: as the scanner's carriage went, rows first: the height is the way of the carriage.
        resolution_dpi: pixels per inch; None if the file does not say.
        grey: the dtype of its pixels, 16 bits in its byte order.
        rows_per_strip: rows that lie together.
        offsets: where each strip begins, bytes.
    """

    width_px: int
    height_px: int
    resolution_dpi: float | None
    grey: np.dtype[np.uint16]
    rows_per_strip: int
    offsets: tuple[int, ...]


class RawScan:
    """An open raw scan; reading is safe from several threads."""

    def __init__(self, file: FileIO, header: RawHeader, name: str) -> None:
        """Take an open file.

        Args:
            file: the TIFF.
            header: what it says.
            name: for messages.
        """
        self.header = header
        self._file = file
        self._lock = threading.Lock()
        self._name = name

    def rows(self, top: int, bottom: int) -> UInt16Array:
        """(bottom - top, W) uint16, rows from one to before another.

        Raises:
            InputError: UNREADABLE_FILE or TRUNCATED, the file changed or the medium failed since it was opened.
        """
        header = self.header
        rows = np.empty((bottom - top, header.width_px), header.grey)
        y = top
        while y < bottom:
            strip, within = divmod(y, header.rows_per_strip)
            end = min(bottom, (strip + 1) * header.rows_per_strip)
            self._read(rows[y - top : end - top], header.offsets[strip] + within * header.width_px * rows.itemsize)
            y = end
        return rows.astype(np.uint16, copy=False)

    def _read(self, into: UInt16Array, offset: int) -> None:
        view = memoryview(into.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
        with self._lock:
            try:
                self._file.seek(offset)
                while view:
                    count = self._file.readinto(view)
                    if not count:
                        raise InputError(Reason.TRUNCATED, f"{self._name} ends in the middle of its picture")
                    view = view[count:]
            except OSError as error:
                raise InputError(Reason.UNREADABLE_FILE, f"{self._name} could not be read: {error.strerror}") from error


@contextmanager
def open_raw(path: Path) -> Iterator[RawScan]:
    """Open a raw scan and look whether it is one, and whole.

    Raises:
        InputError: VANISHED, UNREADABLE_FILE, UNKNOWN_FORMAT, CORRUPT, SEVERAL_IMAGES, UNSUPPORTED_PIXELS, TOO_MANY_PIXELS, TRUNCATED.
    """
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, f"{path.name} is not there") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"{path.name} could not be opened: {error.strerror}") from error
    with file:
        yield RawScan(file, _header(file, path.name), path.name)


def _header(file: FileIO, name: str) -> RawHeader:
    if file.read(4) not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        raise InputError(Reason.UNKNOWN_FORMAT, f"{name} is no TIFF")
    file.seek(0)
    try:
        with TiffFile(file) as tiff:
            pages = [page for page in tiff.pages if isinstance(page, TiffPage) and not page.is_reduced]
            if not pages:
                there = os.fstat(file.fileno()).st_size
                raise InputError(
                    Reason.TRUNCATED, f"{name} ends before its directory, after {there:,} bytes: no picture can be found in it"
                )
            if len(pages) != 1:
                raise InputError(Reason.SEVERAL_IMAGES, f"{name} holds {len(pages)} pictures")
            header = _checked(pages[0], tiff.byteorder, name)
    except (TiffFileError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, OverflowError, struct.error) as error:
        raise InputError(Reason.CORRUPT, f"{name}: {error}") from error
    needed = header.offsets[-1] + ((header.height_px - 1) % header.rows_per_strip + 1) * header.width_px * 2
    there = os.fstat(file.fileno()).st_size
    if there < needed:
        raise InputError(Reason.TRUNCATED, f"{name} has {there:,} of at least {needed:,} bytes")
    return header


def _checked(page: TiffPage, byte_order: str, name: str) -> RawHeader:
    height_px, width_px = page.imagelength, page.imagewidth
    if page.bitspersample != _BITS or page.samplesperpixel != 1 or page.photometric == _WHITE_IS_ZERO or page.is_tiled:
        seen = f"{page.bitspersample} bits, {page.samplesperpixel} channels, {getattr(page.photometric, 'name', page.photometric)}"
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"{name} has {seen}; a raw scan has 16-bit grey in strips, black is 0")
    if page.compression != _NOT_COMPRESSED:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"{name} is compressed (scheme {int(page.compression)}); save it without compression")
    if width_px * height_px > MAX_PIXELS:
        raise InputError(Reason.TOO_MANY_PIXELS, f"{name} is {width_px} x {height_px} pixels; a scan has at most {MAX_PIXELS:,}")
    rows_per_strip = min(page.rowsperstrip or height_px, height_px)
    offsets = tuple(int(offset) for offset in page.dataoffsets)
    if len(offsets) != -(-height_px // rows_per_strip):
        raise InputError(Reason.CORRUPT, f"{name} has {len(offsets)} strips of {rows_per_strip} rows for {height_px} rows")
    return RawHeader(
        width_px=width_px,
        height_px=height_px,
        resolution_dpi=_resolution(page),
        grey=np.dtype(np.uint16).newbyteorder(">" if byte_order == ">" else "<"),
        rows_per_strip=rows_per_strip,
        offsets=offsets,
    )


def _resolution(page: TiffPage) -> float | None:
    unit, resolution = page.tags.get("ResolutionUnit"), page.tags.get("XResolution")
    if resolution is None:
        return None
    numerator, denominator = resolution.value
    if not numerator or not denominator:
        return None
    per_unit = float(numerator / denominator)
    kind = int(unit.value) if unit is not None else _PER_INCH
    return {_PER_INCH: per_unit, _PER_CM: per_unit * _CM_PER_INCH}.get(kind)
