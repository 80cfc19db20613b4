"""Pictures of a clean scan for the pages: tiles at several scales, and any box of it. The scan is mapped into memory, not read.

A level halves the one before; a pixel of it is the mean of the 2^level x 2^level pixels that it covers. Tiles up to level 3 are made from
the scan; for coarser ones an overview at an eighth of its size, `overview.tif`, is written beside it once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import numpy as np

from edge.errors import InputError, Reason
from edge.values import UInt8Array
from edge.zooscan.particle import BACKGROUND_GREY
from edge.zooscan.process.clean_file import CLEAN_NAME, open_clean, write_clean
from models.runtime.vision import cv2

OVERVIEW_NAME = "overview.tif"
OVERVIEW_LEVEL = 3
TILE_SIDES_PX = (256, 512)
MAX_LEVEL = 12
MAX_CROP_PX = 16_000_000
Kind = Literal["png", "jpeg"]
_ROWS_TOGETHER = 512
_OPTIONS = {"png": [cv2.IMWRITE_PNG_COMPRESSION, 1], "jpeg": [cv2.IMWRITE_JPEG_QUALITY, 90]}
_ENDINGS = {"png": ".png", "jpeg": ".jpg"}


class CleanPictures:
    """Pictures of one clean scan. One thread at a time may ask."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of a run, see `process_scan`.

        Raises:
            InputError: VANISHED, the clean picture is not there; UNREADABLE_FILE or CORRUPT.
        """
        self._folder = folder
        self._clean = open_clean(folder / CLEAN_NAME)
        self._overview: UInt8Array | None = None

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the scan."""
        return int(self._clean.shape[1]), int(self._clean.shape[0])

    @property
    def levels(self) -> int:
        """How many levels there are, until a scan is one tile of 256 pixels."""
        return max(1, int(max(self.size_px) - 1).bit_length() - TILE_SIDES_PX[0].bit_length() + 2)

    def tile(self, level: int, column: int, row: int, *, side_px: int = 256, kind: Kind = "png") -> bytes:
        """A tile, cut where the scan ends.

        Args:
            level: 0 for full size.
            column, row: of the tile, from 0.
            side_px: 256 or 512.
            kind: of picture.

        Raises:
            InputError: UNSUPPORTED_PIXELS, there is no such tile.
        """
        if side_px not in TILE_SIDES_PX or not 0 <= level <= MAX_LEVEL or column < 0 or row < 0:
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"no tile of {side_px} pixels at level {level}, column {column}, row {row}")
        source, steps = (self._clean, level) if level < OVERVIEW_LEVEL else (self._overview_picture(), level - OVERVIEW_LEVEL)
        covered = side_px << steps
        part = source[row * covered : (row + 1) * covered, column * covered : (column + 1) * covered]
        if not part.size:
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"the scan has no tile at level {level}, column {column}, row {row}")
        return encoded(mean_of_squares(part, 1 << steps), kind)

    def crop(self, x_px: int, y_px: int, width_px: int, height_px: int, *, kind: Kind = "png") -> bytes:
        """A box of the scan at full size; white where it reaches beyond the scan.

        Raises:
            InputError: UNSUPPORTED_PIXELS, there is nothing in it; TOO_MANY_PIXELS, it has more than 16 megapixels.
        """
        if width_px < 1 or height_px < 1:
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"a box of {width_px} x {height_px} pixels")
        if width_px * height_px > MAX_CROP_PX:
            raise InputError(Reason.TOO_MANY_PIXELS, f"a box of {width_px} x {height_px} pixels; at most {MAX_CROP_PX:,} are shown")
        height, width = self._clean.shape
        left, top = max(0, x_px), max(0, y_px)
        right, bottom = min(width, x_px + width_px), min(height, y_px + height_px)
        if left >= right or top >= bottom:
            raise InputError(Reason.UNSUPPORTED_PIXELS, f"the box at {x_px}, {y_px} lies outside the scan")
        seen = np.full((height_px, width_px), BACKGROUND_GREY, np.uint8)
        seen[top - y_px : bottom - y_px, left - x_px : right - x_px] = self._clean[top:bottom, left:right]
        return encoded(seen, kind)

    def close(self) -> None:
        """Let go of the files."""
        self._overview = None
        self._clean = np.empty((0, 0), np.uint8)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _overview_picture(self) -> UInt8Array:
        """The scan at an eighth of its size; a damaged one, and one of another size, is made again."""
        if self._overview is None:
            path = self._folder / OVERVIEW_NAME
            factor = 1 << OVERVIEW_LEVEL
            height, width = (-(-side // factor) for side in self._clean.shape)
            try:
                self._overview = open_clean(path)
            except InputError:
                self._overview = None
            if self._overview is None or self._overview.shape != (height, width):
                self._overview = write_overview(self._clean, path)
        return self._overview


def write_overview(clean: UInt8Array, path: Path) -> UInt8Array:
    """Write a scan at an eighth of its size, whole or not at all.

    Where it cannot be written, as on a full disk, it is given all the same.

    Args:
        clean: (H, W) uint8.
        path: of the file.

    Returns:
        (H / 8, W / 8) uint8, rounded up.
    """
    rows = [mean_of_squares(clean[top : top + _ROWS_TOGETHER], 1 << OVERVIEW_LEVEL) for top in range(0, len(clean), _ROWS_TOGETHER)]
    overview = np.concatenate(rows)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        try:
            write_clean(Path(name), overview, 1)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return overview
    return overview


def mean_of_squares(image: UInt8Array, side_px: int) -> UInt8Array:
    """Each square of pixels as one, its mean rounded; squares that the picture's end cuts are the mean of what is there.

    Args:
        image: (H, W) uint8.
        side_px: of a square.
    """
    if side_px == 1:
        return np.ascontiguousarray(image)
    height, width = image.shape
    squares_high, squares_wide = -(-height // side_px), -(-width // side_px)
    whole_high, whole_wide = height // side_px, width // side_px
    reduced = np.empty((squares_high, squares_wide), np.uint8)
    for rows, columns, there in _parts(whole_high, whole_wide, side_px, (height, width)):
        reduced[rows, columns] = cv2.resize(
            image[there], (columns.stop - columns.start, rows.stop - rows.start), interpolation=cv2.INTER_AREA
        )
    return reduced


def _parts(whole_high: int, whole_wide: int, side_px: int, shape: tuple[int, int]) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
    """The whole squares, and those cut on the right, below, and in the corner: each with the pixels that it is made of."""
    for row_begin, row_end, y_begin, y_end in (
        (0, whole_high, 0, whole_high * side_px),
        (whole_high, whole_high + 1, whole_high * side_px, shape[0]),
    ):
        for column_begin, column_end, x_begin, x_end in (
            (0, whole_wide, 0, whole_wide * side_px),
            (whole_wide, whole_wide + 1, whole_wide * side_px, shape[1]),
        ):
            if y_end > y_begin and x_end > x_begin:
                yield slice(row_begin, row_end), slice(column_begin, column_end), (slice(y_begin, y_end), slice(x_begin, x_end))


def encoded(image: UInt8Array, kind: Kind) -> bytes:
    """A picture (H, W) uint8 as a file.

    Raises:
        InputError: UNSUPPORTED_PIXELS, it cannot be.
    """
    done, data = cv2.imencode(_ENDINGS[kind], image, _OPTIONS[kind])
    if not done:
        raise InputError(Reason.UNSUPPORTED_PIXELS, f"no {kind} of {image.shape[1]} x {image.shape[0]} pixels")
    return data.tobytes()
