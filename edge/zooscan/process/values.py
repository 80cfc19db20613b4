"""What goes into the processing of a scan and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import EdgeError
from edge.values import Int32Array
from edge.zooscan.frame import FrameLimits
from edge.zooscan.grey import GreyWindow
from edge.zooscan.project.config import ProcessSettings

UInt16Array = NDArray[np.uint16]


class ScanStoppedError(EdgeError):
    """Somebody wanted the processing to end; nothing of it is left."""

    code = "scan_stopped"
    default_advice = "Process the scan again: it begins anew."


class MeasurerLostError(EdgeError):
    """A process that measured objects ended before it had answered; nothing of the scan is left."""

    code = "measurer_lost"
    default_advice = "Process the scan again. If it happens again, look whether the machine runs out of memory."


def _no_pixels() -> Int32Array:
    return np.zeros((0, 2), np.int32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScanInput:
    """What a scan is made from.

    Attributes:
        raw: the 16-bit picture.
        backgrounds: two 16-bit pictures of the empty glass.
        settings: of its project.
        human_lines: (N, 2) int32, x and y in the clean picture of all pixels that people drew and nobody erased, and of the lines of an
            earlier run's separator that people kept.
        spared: keys of objects that a person wants whole: they, and what is cut from them, are not given to a separator.
        wanted: keys of objects that a person called multiple: the separator is asked about them whatever their score.
    """

    raw: Path
    backgrounds: tuple[Path, Path]
    settings: ProcessSettings
    human_lines: Int32Array = field(default_factory=_no_pixels)
    spared: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundObject:
    """A measured object.

    Attributes:
        key: see `edge.zooscan.process.keys`.
        x_px, y_px, width_px, height_px: its box in the clean picture.
        outline: (N, 2) uint16, x and y in the box of the pixels of its outer border, clockwise as seen.
        measures: by legacy name in lower case (`edge.zooscan.measure.features`); NaN where something is not defined.
        multiple_score: 0..1 that it is several animals; None if no classifier was asked.
        cut_from: key of the object that it was a part of.
        vignette: its member of `vignettes.zip`.
    """

    key: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    outline: UInt16Array
    measures: Mapping[str, float]
    multiple_score: float | None
    cut_from: str | None
    vignette: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundLine:
    """What a separator took away from an object.

    Attributes:
        object_key: of the object that was cut.
        pixels: (N, 2) int32, x and y in the clean picture.
        score: the separator's, 0..1.
    """

    object_key: str
    pixels: Int32Array
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProcessedScan:
    """A scan with everything that was found on it.

    Attributes:
        raw_sha256: of the raw picture, as hexadecimal text.
        width_px, height_px: of the clean picture.
        pixel_mm: side of a pixel.
        window: of the raw greys.
        frame: where the frame lies.
        black_share: pixels of objects over the others.
        concerns: what may be wrong with it, in words.
        objects: that stand, by the row and column of their first pixel; parts after the others.
        lines: that the separator drew and that cut something.
        retired: objects that were cut and stand no more.
        peak_rss_mib: most memory in use: the sum of what each of its processes had at its own peak.
    """

    raw_sha256: str
    width_px: int
    height_px: int
    pixel_mm: float
    window: GreyWindow
    frame: FrameLimits
    black_share: float
    concerns: tuple[str, ...]
    objects: tuple[FoundObject, ...]
    lines: tuple[FoundLine, ...]
    retired: tuple[FoundObject, ...]
    peak_rss_mib: float
