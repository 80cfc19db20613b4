"""Frames of an open clip in the order in which they are shown, with the damaged stretches left out and told.

What is given always moves forward in time. What does not fit is counted, never smoothed over:

* Damage: after a packet that cannot be decoded, or a frame in which the decoder had to make something up, nothing is given that may
  lean on it, up to the next key frame.
* Frames without a time, and frames that are shown no later than the one before them, are left out.
* A time far ahead of all others is taken for a fault of one frame if those behind it do not follow.
* Where the clock jumps back, or the size of the frames changes, reading ends: nothing tells how much later the rest was taken.

What nobody sees: damage that decodes to something. The arithmetic coding of H.264 and HEVC hides much of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge.pipeline.video.feeding import Feeder
from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.planner import Planner
from edge.pipeline.video.stamps import Stamps

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_JUMP_BACK_S = Fraction(1)
_LEAP_AHEAD_S = Fraction(10)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What went wrong while a clip was read; times are presentation times in units of the stream.

    Attributes:
        damaged: from the last sound frame before damage to the first one behind it; None where there is no such frame.
        misplaced: frames that are shown no later than one before them, or far ahead of all others.
        untimed: frames without a time.
        jumped_back: presentation times before and behind the place where reading ended.
        resized: size of the frame at which reading ended, because it is another than before.
        last_pts: the latest time of any packet, decoded or not.
    """

    damaged: list[tuple[int | None, int | None]] = field(default_factory=list)
    misplaced: int = 0
    untimed: int = 0
    jumped_back: tuple[int, int] | None = None
    resized: tuple[int, int] | None = None
    last_pts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A sound frame and its presentation time. `follows_damage`: frames between it and the one before it were left out."""

    pts: int
    frame: VideoFrame
    follows_damage: bool


class FrameReader:
    """Reads on from where the clip stands.

    With a planner, frames that it does not want may be left out where that saves decoding. With `from_key` reading begins at the next
    key frame: what is stored before it, or shown before it, is passed over.
    """

    def __init__(self, clip: OpenClip, *, planner: Planner[Packet[Any]] | None = None, from_key: bool = False) -> None:
        self._tally = Tally()
        self._is_intra_only = clip.is_intra_only
        self._counts_chunks = clip.counts_chunks
        self._stamps = Stamps(clip)
        self._feeder = Feeder(clip, planner=planner, from_key=from_key, on_packet=self._stamps.note, on_failure=self._note_failure)
        self._last: int | None = None
        self._suspects: tuple[int, int] | None = None
        self._has_begun = False
        self._size: tuple[int, int] | None = None
        self._jump_units = int(_JUMP_BACK_S / clip.time_base)
        self._leap_units = int(_LEAP_AHEAD_S / clip.time_base)

    @property
    def tally(self) -> Tally:
        """What went wrong so far."""
        self._tally.untimed = self._stamps.untimed
        self._tally.last_pts = self._feeder.last_pts
        return self._tally

    @property
    def is_planned(self) -> bool:
        """Whether frames that the planner does not want may be missing."""
        return self._feeder.is_planned

    def frames(self) -> Iterator[Shown]:
        """Sound frames, each shown later than the one before.

        Raises:
            InputError: UNREADABLE_FILE, the disk failed.
            MemoryError: no room for a frame.
        """
        held: Shown | None = None
        for shown in self._sound():
            if held is not None:
                if self._last is not None and self._last < shown.pts <= held.pts:
                    self._tally.misplaced += 1  # those behind it do not follow it
                else:
                    self._last = held.pts
                    yield held
                held = None
            if self._last is not None and shown.pts <= self._last:
                if self._last - shown.pts > self._jump_units:
                    self._tally.jumped_back = (self._last, shown.pts)
                    return
                self._tally.misplaced += 1
            elif self._last is not None and shown.pts - self._last > self._leap_units:
                held = shown
            else:
                self._last = shown.pts
                yield shown
        if held is not None:
            yield held

    def _sound(self) -> Iterator[Shown]:
        """Frames that are what was recorded, in the order of the decoder."""
        for pts, number, frame in self._stamps.stamped(self._feeder.decoded()):
            if frame.is_corrupt or number in self._feeder.incomplete:
                self._note_damage(0 if self._counts_chunks else number, number)
                continue
            is_key = frame.key_frame or self._is_intra_only
            if not is_key and (not self._has_begun or self._is_suspect(number)):
                continue
            size = (frame.width, frame.height)
            if self._size is not None and size != self._size:
                self._tally.resized = size
                return
            self._size = size
            self._has_begun = True
            yield Shown(pts=pts, frame=frame, follows_damage=self._mend(number, pts, is_key=is_key))

    def _note_failure(self, first: int, last: int, was_read: bool) -> None:  # noqa: FBT001
        if was_read:
            self._stamps.note_failure()
        self._note_damage(0 if self._counts_chunks else first, last)  # where frames are counted, one that is missing moves the others

    def _note_damage(self, first: int, last: int) -> None:
        """One of these packets is damaged: what is stored behind it may lean on it, until a key frame that is stored behind all."""
        if self._suspects is None:
            self._tally.damaged.append((self._last, None))
            self._suspects = (first, last)
        else:
            self._suspects = (min(first, self._suspects[0]), max(last, self._suspects[1]))

    def _is_suspect(self, number: int) -> bool:
        return self._suspects is not None and number >= self._suspects[0]

    def _mend(self, number: int, pts: int, *, is_key: bool) -> bool:
        """Note a frame that is given; returns whether it is the first one behind damage."""
        if self._suspects is None:
            return False
        begun, _ = self._tally.damaged[-1]
        if is_key and number > self._suspects[1]:
            self._tally.damaged[-1] = (begun, pts)
            self._suspects = None
            return True
        self._tally.damaged[-1] = (pts, None)  # stored before the damage, or a key frame that is itself sound
        return False
