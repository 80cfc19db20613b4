"""The frame that is on the screen at a time, for a person who steps through a clip.

A clip stays open for a while after it was asked for, and so do the frames that were decoded last: the next frame, and the one before,
come at once. All of it is bounded: so many clips, so many bytes of frames each, and what nobody asks for is closed.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError, Reason
from edge.pipeline.video.opening import MAX_PIXELS, open_clip
from edge.pipeline.video.picture import Darkroom, start_of
from edge.pipeline.video.reading import Shown
from edge.pipeline.video.seeking import look_at_order, read_from
from edge.pipeline.video.ticks import Ticks
from edge.values import UInt8Array

if TYPE_CHECKING:
    from os import stat_result

_KEPT_BYTES = 64 * 1024 * 1024
_READ_ON_S = 3.0
_AHEAD_S = (0.0, 10.0, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactFrame:
    """A frame as it is shown: its own time, which is at or before the one that was asked for.

    Attributes:
        at_s: seconds since the first frame of the clip.
        pixels: (H, W, 3) uint8 BGR, upright, one field of two; the caller may write into it.
    """

    at_s: float
    pixels: UInt8Array


class ClipFrames:
    """Gives single frames of clips. Any thread may ask; each clip serves one at a time."""

    def __init__(self, *, most_open: int = 3, idle_s: float = 60.0, max_pixels: int = MAX_PIXELS) -> None:
        """Keep up to `most_open` clips open, each for `idle_s` after it was last asked for."""
        self._most_open = most_open
        self._idle_s = idle_s
        self._max_pixels = max_pixels
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[Path, int, int, int], _Shelf] = OrderedDict()

    def frame_at(self, path: Path, at_s: float, *, step: int = 0, size_px: tuple[int, int] | None = None) -> ExactFrame:
        """The frame that is on the screen at `at_s`, or one that lies `step` frames behind (negative: before) it.

        Before the first frame that is the first, behind the last frame the last; where frames are damaged it is the sound one before.

        Args:
            path: the clip.
            at_s: seconds since its first frame.
            step: how many frames on.
            size_px: width and height of the pixels; None for the clip's own.

        Raises:
            InputError: the clip cannot be read, see `open_clip`; NO_FRAMES or NO_TIMES.
        """
        while True:
            shelf = self._shelf(path)
            with shelf.lock:
                if shelf.is_closed:
                    continue  # it was closed between the two lines above
                return shelf.frame_at(at_s, step, size_px)

    def close_idle(self) -> None:
        """Close what nobody has asked for lately. Also done whenever a frame is asked for."""
        self._drop(lambda shelf: time.monotonic() - shelf.used_s > self._idle_s)

    def close(self) -> None:
        """Close everything."""
        self._drop(lambda _: True)

    def _shelf(self, path: Path) -> _Shelf:
        try:
            status = path.stat()
        except OSError as error:
            reason = Reason.VANISHED if isinstance(error, FileNotFoundError) else Reason.UNREADABLE_FILE
            raise InputError(reason, f"the file cannot be read: {error.strerror or error}") from error
        key = (path, *_identity(status))
        self.close_idle()
        with self._lock:
            shelf = self._open.get(key)
            if shelf is None:
                shelf = self._open[key] = _Shelf(path, self._max_pixels)
            shelf.used_s = time.monotonic()
            self._open.move_to_end(key)
            outdated = [known for known in self._open if known[0] == path and known != key]
            crowded = list(self._open)[: max(0, len(self._open) - self._most_open)]
            dropped = [self._open.pop(known) for known in {*outdated, *crowded}]
        for other in dropped:
            other.close()
        return shelf

    def _drop(self, condition: Callable[[_Shelf], bool]) -> None:
        with self._lock:
            dropped = [self._open.pop(key) for key in [key for key, shelf in self._open.items() if condition(shelf)]]
        for shelf in dropped:  # not under the lock: one that is being looked at is waited for
            shelf.close()


class _Shelf:
    """One open clip and the frames of it that were decoded last, without a gap."""

    def __init__(self, path: Path, max_pixels: int) -> None:
        self.lock = threading.Lock()
        self.used_s = time.monotonic()
        self.is_closed = False
        self._path = path
        self._max_pixels = max_pixels
        self._opened: _Opened | None = None

    def frame_at(self, at_s: float, step: int, size_px: tuple[int, int] | None) -> ExactFrame:
        """See `ClipFrames.frame_at`; the lock is held."""
        if self._opened is None:
            self._opened = _Opened(self._path, self._max_pixels)
        self.used_s = time.monotonic()
        opened = self._opened
        shown = opened.on_screen(opened.ticks.pts_at(at_s))
        for _ in range(abs(step)):
            shown = opened.behind(shown) if step > 0 else opened.on_screen(shown.pts - 1)
        return ExactFrame(at_s=opened.ticks.at_s(shown.pts), pixels=Darkroom(opened.clip, opened.start, size_px).pixels(shown.frame))

    def close(self) -> None:
        """Give the file back once nobody looks at it."""
        with self.lock:
            self.is_closed = True
            if self._opened is not None:
                self._opened.clip.close()
                self._opened = None


class _Opened:
    def __init__(self, path: Path, max_pixels: int) -> None:
        self.clip = open_clip(path, max_pixels=max_pixels)
        try:
            self.start = start_of(self.clip)
            look_at_order(self.clip)
        except BaseException:
            self.clip.close()
            raise
        self.ticks = Ticks(self.start.pts, self.clip.time_base, 1.0)
        self._frames: Iterator[Shown] = iter(())
        self._recent: deque[Shown] = deque()
        self._bytes = 0
        self._is_over = False

    def on_screen(self, pts: int) -> Shown:
        """The last frame shown at or before `pts`; the first of the clip if there is none."""
        pts = max(pts, self.start.pts)
        if not self._holds(pts):
            for ahead_s in (None,) if self._is_near(pts) else _AHEAD_S:
                if ahead_s is not None:
                    self._begin(pts, ahead_s)
                while not self._holds(pts) and self._read_on():
                    pass
                if self._recent and self._recent[0].pts <= pts:
                    break  # else the frames behind the key frame are damaged: what is on the screen lies before it
        found = [shown for shown in self._recent if shown.pts <= pts]
        if not found and not self._recent:
            raise InputError(Reason.NO_FRAMES, "there is no frame at this time")
        return found[-1] if found else self._recent[0]

    def behind(self, shown: Shown) -> Shown:
        """The frame after one that was given just now; itself at the end of the clip."""
        while self._recent[-1].pts <= shown.pts and self._read_on():
            pass
        return next((other for other in self._recent if other.pts > shown.pts), shown)

    def _holds(self, pts: int) -> bool:
        """Whether what is on the screen then is certain: frames on both sides of it are here, or the clip ends."""
        if not self._recent or self._recent[0].pts > pts:
            return False
        return self._is_over or self._recent[-1].pts > pts

    def _is_near(self, pts: int) -> bool:
        """Whether reading on leads there sooner than beginning anew."""
        return bool(self._recent) and 0 <= pts - self._recent[-1].pts <= _READ_ON_S / self.clip.time_base

    def _begin(self, pts: int, ahead_s: float) -> None:
        self._recent.clear()
        self._bytes = 0
        self._is_over = False
        target = self.start.pts if math.isinf(ahead_s) else pts - int(ahead_s / self.clip.time_base)
        self._frames = read_from(self.clip, self.start.pts, target if target > self.start.pts else None).frames()

    def _read_on(self) -> bool:
        shown = next(self._frames, None)
        if shown is None:
            self._is_over = True
            return False
        if shown.pts >= self.start.pts:
            self._recent.append(shown)
            self._bytes += _bytes(shown)
        while self._bytes > _KEPT_BYTES and len(self._recent) > 2:
            self._bytes -= _bytes(self._recent.popleft())
        return True


def _bytes(shown: Shown) -> int:
    return sum(plane.buffer_size for plane in shown.frame.planes)


def _identity(status: stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino
