"""What the check page asks of a scan's pictures, and what it is given: values and the seam, without anything that decodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.store.reads.zooscan_check import CheckRun, ObjectPlace
from edge.values import Int32Array

CROP_MARGIN_PX = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CropPlace:
    """The part of a scan that an enlarged object is shown in, pixels of the clean picture."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutPart:
    """What a line leaves of an object.

    Attributes:
        x_px, y_px, width_px, height_px: its box in the clean picture.
        area_px2: its pixels with its holes.
        outline: (N, 2) int32, x and y in the box, clockwise.
    """

    x_px: int
    y_px: int
    width_px: int
    height_px: int
    area_px2: int
    outline: Int32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutPreview:
    """What would become of an object if a line were kept; nothing is changed.

    Attributes:
        pixels: (N, 2) int32, of the line, x and y in the clean picture.
        parts: by the row and column of their first pixel.
    """

    pixels: Int32Array
    parts: tuple[CutPart, ...]

    @property
    def cuts(self) -> bool:
        """Whether the object does not stay one."""
        return len(self.parts) > 1


class Boxed(Protocol):
    """Whatever has a box in the clean picture."""

    @property
    def x_px(self) -> int:
        """Left."""

    @property
    def y_px(self) -> int:
        """Top."""

    @property
    def width_px(self) -> int:
        """How wide."""

    @property
    def height_px(self) -> int:
        """How high."""


def crop_place(run: CheckRun, place: Boxed) -> CropPlace:
    """The box of an object with a little around it."""
    left, top = max(0, place.x_px - CROP_MARGIN_PX), max(0, place.y_px - CROP_MARGIN_PX)
    right = min(run.width_px, place.x_px + place.width_px + CROP_MARGIN_PX)
    bottom = min(run.height_px, place.y_px + place.height_px + CROP_MARGIN_PX)
    return CropPlace(x_px=left, y_px=top, width_px=right - left, height_px=bottom - top)


class CheckPictures(Protocol):
    """The pictures of scans, and what a line would cut. For any thread."""

    def vignette(self, run: CheckRun, member: str) -> bytes:
        """A vignette as PNG; `member` as `zooscan_objects.vignettes` has it.

        Raises:
            InputError: VANISHED, UNREADABLE_FILE or CORRUPT.
        """

    def crop(self, run: CheckRun, place: ObjectPlace) -> bytes:
        """What the clean picture shows around an object (`crop_place`), as PNG, one pixel of it for one of the scan.

        Raises:
            InputError: the clean picture is not there, or is none.
        """

    def tile(self, run: CheckRun, level: int, column: int, row: int) -> bytes | None:
        """A tile of the clean picture, reduced 2**level times, as PNG; None if it lies outside.

        Raises:
            InputError: the clean picture is not there, or is none.
        """

    def preview(self, run: CheckRun, place: ObjectPlace, points: Sequence[tuple[int, int]]) -> CutPreview:
        """What a line through these pixels of the clean picture would make of an object.

        Raises:
            InputError: the clean picture is not there, or is none.
        """

    def propose(self, run: CheckRun, place: ObjectPlace) -> CutPreview:
        """What the separator would make of an object.

        Raises:
            InputError: the clean picture is not there, or is none.
            ModelError: the separator failed.
        """
