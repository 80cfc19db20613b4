"""The frames of a clip at the ticks of a sampling rate, each with its true time.

    with ClipReader(path, rate_hz=6.0, threads=2) as reader:
        for frame in reader.frames(): ...
    reader.faults  # what was wrong on the way, in words

Which frame is picked is told in `edge.pipeline.video.ticks`, what is left out in `edge.pipeline.video.reading`, what need not be
decoded in `edge.pipeline.video.planner`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.pipeline.video.faults import ClipEnd, clip_end, promise_of
from edge.pipeline.video.opening import MAX_PIXELS, OpenClip, open_clip
from edge.pipeline.video.picture import Darkroom, start_of
from edge.pipeline.video.planner import Planner
from edge.pipeline.video.reading import FrameReader, Shown
from edge.pipeline.video.seeking import look_at_order, read_from
from edge.pipeline.video.ticks import Ticks
from edge.values import UInt8Array

_BREAK_S = 1.0
_BREAK_TICKS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledFrame:
    """A frame of a clip.

    Attributes:
        number: the tick that it is the frame of, 0 for the first frame of the clip; ascending, the same in every run.
        at_s: its presentation time less that of the clip's first frame, seconds.
        pixels: (H, W, 3) uint8 BGR, upright, one field of two; the caller may write into it.
        follows_break: so much lies between it and the frame given before (damage, a gap of more than a second and of three ticks)
            that the one does not tell how the seabed moved to the other.
    """

    number: int
    at_s: float
    pixels: UInt8Array
    follows_break: bool


class ClipReader:
    """Reads the sampled frames of one clip, once. Used by one thread."""

    def __init__(
        self,
        path: Path,
        *,
        rate_hz: float,
        from_s: float = 0.0,
        size_px: tuple[int, int] | None = None,
        threads: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """Open a clip.

        Args:
            path: its file.
            rate_hz: how many frames a second are given at most; above the clip's own rate all are.
            from_s: frames before this time are left out; those from it on are the same as without it.
            size_px: width and height of the pixels; None for the clip's own, upright and with square pixels.
            threads: how many decode.
            max_pixels: a clip with larger frames is refused before one is decoded.

        Raises:
            InputError: see `open_clip`; NO_FRAMES or NO_TIMES.
        """
        self._from_s = from_s
        self._size_px = size_px
        self._clip: OpenClip = open_clip(path, max_pixels=max_pixels, threads=threads)
        try:
            self._start = start_of(self._clip)
        except BaseException:
            self._clip.close()
            raise
        self._ticks = Ticks(self._start.pts, self._clip.time_base, rate_hz)
        self._break_s = max(_BREAK_S, _BREAK_TICKS / rate_hz)
        self._promise = promise_of(self._clip, self._start.pts)
        self._asked = -1
        self._reader = FrameReader(self._clip)
        self._is_complete = False

    def frames(self) -> Iterator[SampledFrame]:
        """The frames, in order; each is decoded when it is asked for.

        Raises:
            InputError: UNREADABLE_FILE, the disk failed.
            MemoryError: no room for a frame.
        """
        darkroom = Darkroom(self._clip, self._start, self._size_px)
        first = max(0, self._ticks.number(self._ticks.pts_at(self._from_s)) - 1) if self._from_s > 0 else 0
        given, given_at_s, broken = -1, None, False
        for shown in self._shown(first):
            number, at_s = self._ticks.number(shown.pts), self._ticks.at_s(shown.pts)
            broken = broken or shown.follows_damage
            if shown.pts < self._start.pts or number <= given:
                continue
            given = number
            if at_s < self._from_s:
                continue
            gap_s = 0.0 if given_at_s is None else at_s - given_at_s
            yield SampledFrame(number=number, at_s=at_s, pixels=darkroom.pixels(shown.frame), follows_break=broken or gap_s > self._break_s)
            given_at_s, broken = at_s, False
        if given < 0 and self._clip.threads > 1 and self._from_s <= 0:
            self._clip.threads, self._asked = 1, -1  # of a clip that ends at once, several threads lose the frames in their hands
            yield from self.frames()
        self._is_complete = True

    @property
    def end(self) -> ClipEnd:
        """How far the clip was read and what was wrong on the way; complete once `frames` has come to its end."""
        return clip_end(self._promise, self._reader.tally, is_over=self._is_complete)

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong on the way, in words; empty for a sound clip."""
        return self.end.faults

    def close(self) -> None:
        """Give the file back."""
        self._clip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _shown(self, first: int) -> Iterator[Shown]:
        """Frames from tick `first` on, the picked ones among them."""
        target = self._ticks.pts_of_tick(first) if first > 0 else None
        if target is not None:
            look_at_order(self._clip)
        self._reader = read_from(self._clip, self._start.pts, target, lambda: Planner(self._wants))
        return self._reader.frames()

    def _wants(self, pts: int) -> bool:
        """Whether a frame is the first of its tick; asked in order of presentation."""
        number = self._ticks.number(pts)
        if pts < self._start.pts or number <= self._asked:
            return False
        self._asked = number
        return True


def sampled_frames(
    path: Path, *, rate_hz: float, from_s: float = 0.0, size_px: tuple[int, int] | None = None, threads: int = 1
) -> Iterator[SampledFrame]:
    """`ClipReader.frames` where nobody asks for faults."""
    with ClipReader(path, rate_hz=rate_hz, from_s=from_s, size_px=size_px, threads=threads) as reader:
        yield from reader.frames()
