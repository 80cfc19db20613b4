"""From a raw scan and two scans of the empty glass to a clean picture: the main path before anything is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge.errors import InputError, Reason
from edge.values import UInt8Array
from edge.zooscan.background import combine_backgrounds, smooth_background, without_background
from edge.zooscan.frame import SIDES, FrameLimits, black_share, clear_frame, find_frame
from edge.zooscan.frame_lines import is_closed, things_across
from edge.zooscan.grey import GreyWindow, UInt16Array, convert_upright, find_window, grey_table
from edge.zooscan.project.config import ProcessSettings
from edge.zooscan.raw import RawScan

RATIOS = (2, 4, 8)
MOST_BLACK = 0.25
_SAME_SIZE = (0.95, 1.05)


@dataclass(slots=True)
class Stopwatch:
    """How long each stage took, seconds, in the order in which they were done."""

    stages_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done within."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.stages_s[name] = self.stages_s.get(name, 0.0) + time.monotonic() - began_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CleanScan:
    """A scan in which only what lay on the glass is dark.

    Attributes:
        image: (H, W) uint8, upright, white outside the frame.
        window: of the scan's greys.
        frame: where the frame lies.
        black_share: pixels of objects over the others.
        concerns: what may be wrong with it, in words.
    """

    image: UInt8Array
    window: GreyWindow
    frame: FrameLimits
    black_share: float
    concerns: tuple[str, ...]


def clean_scan(
    raw: RawScan,
    backgrounds: tuple[RawScan, RawScan],
    settings: ProcessSettings,
    *,
    threads: int,
    watch: Stopwatch | None = None,
    check: Callable[[], None] = lambda: None,
) -> CleanScan:
    """Convert, take the background away, clear the frame.

    Args:
        raw: the scan.
        backgrounds: two of the empty glass.
        settings: of the project.
        threads: how many work at a time.
        watch: is told how long each stage took.
        check: is called before rows are read, which takes minutes from a slow share; what it raises ends the work.

    Raises:
        InputError: WRONG_RESOLUTION; BACKGROUND_MISMATCH, the backgrounds do not fit the scan; NO_FRAME or FRAME_CLOSED; TRUNCATED or
            UNREADABLE_FILE.
    """
    watch = watch or Stopwatch()
    _check_resolution(raw, backgrounds, settings.segment.resolution_dpi)
    ratio = _ratio(raw, backgrounds)
    with watch.stage("background"):
        empty = combine_backgrounds(*(_eight_bits(one, settings, threads, check)[0] for one in backgrounds))
    with watch.stage("convert"):
        image, window = _eight_bits(raw, settings, threads, check)
    with watch.stage("frame"):
        frame = find_frame(image, settings.segment.resolution_dpi, settings.frame_darker)
        if len(frame.missing) == len(SIDES):
            raise InputError(Reason.NO_FRAME, "no side of the frame was seen")
    with watch.stage("background"):
        image = without_background(image, smooth_background(empty, (image.shape[0], image.shape[1]), ratio), ratio, threads=threads)
    with watch.stage("frame"):
        image = clear_frame(image, frame)
        upper_grey = settings.segment.upper_grey
        share = black_share(image, upper_grey, threads=threads)
        if is_closed(image, frame, upper_grey):
            told = f"something dark lies along the frame on all four sides and closes its outline; the black/white ratio is {share:.3f}"
            raise InputError(Reason.FRAME_CLOSED, told)
        across = things_across(image, frame, settings.segment)
    concerns = tuple(_concerns(frame, share, across))
    return CleanScan(image=image, window=window, frame=frame, black_share=share, concerns=concerns)


def _check_resolution(raw: RawScan, backgrounds: tuple[RawScan, RawScan], asked_dpi: float) -> None:
    """A scan that does not say its resolution has that of its backgrounds, times how much larger it is; if these do not say it, it is
    believed to be right.
    """
    found_dpi, empty = raw.header.resolution_dpi, backgrounds[0].header
    if found_dpi is None and empty.resolution_dpi is not None:
        found_dpi = empty.resolution_dpi * raw.header.width_px / empty.width_px
    if found_dpi is not None and not _SAME_SIZE[0] <= found_dpi / asked_dpi <= _SAME_SIZE[1]:
        raise InputError(Reason.WRONG_RESOLUTION, f"the scan has {found_dpi:.0f} dpi, the project asks for {asked_dpi:.0f}")


def _eight_bits(raw: RawScan, settings: ProcessSettings, threads: int, check: Callable[[], None]) -> tuple[UInt8Array, GreyWindow]:
    height, width = raw.header.height_px, raw.header.width_px

    def rows(top: int, bottom: int) -> UInt16Array:
        check()
        return raw.rows(top, bottom)

    window = find_window(rows, height, width, settings.grey, threads=threads)
    return convert_upright(rows, height, width, grey_table(window), threads=threads), window


def _ratio(raw: RawScan, backgrounds: tuple[RawScan, RawScan]) -> int:
    """The scan's resolution over the backgrounds'."""
    first, second = (one.header for one in backgrounds)
    if (first.width_px, first.height_px) != (second.width_px, second.height_px):
        sizes = f"{first.width_px} x {first.height_px} and {second.width_px} x {second.height_px}"
        raise InputError(Reason.BACKGROUND_MISMATCH, f"the two backgrounds are of different sizes: {sizes} pixels")
    ratio = round(raw.header.width_px / first.width_px)
    covered = first.height_px * ratio / raw.header.height_px, first.width_px * ratio / raw.header.width_px
    if ratio not in RATIOS or not all(_SAME_SIZE[0] <= share <= _SAME_SIZE[1] for share in covered):
        sizes = f"{raw.header.width_px} x {raw.header.height_px} and {first.width_px} x {first.height_px}"
        raise InputError(Reason.BACKGROUND_MISMATCH, f"scan and background do not show the same glass: {sizes} pixels")
    return ratio


def _concerns(frame: FrameLimits, share: float, across: dict[str, int]) -> Iterator[str]:
    if frame.missing:
        yield f"no frame was seen on these sides: {', '.join(frame.missing)}"
    if across:
        sides = ", ".join(f"{side} {count}" for side, count in across.items())
        yield f"objects that lie across the frame are left out: {sides}"
    if share > MOST_BLACK:
        yield f"the black/white ratio is {share:.3f}, above {MOST_BLACK}: too much on the glass, or greys that do not fit"
