"""Frames of an open clip in the order in which they are shown, with the damaged stretches left out and told.

What is given always moves forward in time. What does not fit is counted, never smoothed over:

* Damage: after a packet that cannot be decoded, or a frame in which the decoder had to make something up, nothing is given until the
  next key frame, because what is predicted from a guess is one.
* Frames without a time, and frames that are shown no later than the one before them, are left out.
* A time far ahead of all others is taken for a fault of one frame if those behind it do not follow.
* Where the clock jumps back, reading ends: nothing tells how much later the rest was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge.errors import InputError, Reason
from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.planner import Coded, Need, Planned, Planner
from edge.pipeline.video.stamps import Stamps

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

JUMP_BACK_S = Fraction(1)
LEAP_AHEAD_S = Fraction(10)
_MOST_ERRORS_RUNNING = 64
_LEANING_PACKETS = 64  # far more than any group of frames has that are shown before its key frame
_PLANNABLE = frozenset(("mp4", "matroska", "mpeg-ts"))  # the other containers give no time, or a guessed one, to part of their packets


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
        self.tally = Tally()
        self._clip = clip
        self._context = clip.stream.codec_context
        self._stamps = Stamps(clip)
        self._planner = planner if planner is not None and can_plan(clip) else None
        self._from_key = from_key
        self._key_pts: int | None = None
        self._passed = 0
        self.is_planned = self._planner is not None
        self._last: int | None = None
        self._in_damage = False
        self._size: tuple[int, int] | None = None
        jump = JUMP_BACK_S / clip.time_base
        self._jump_units = int(jump)
        self._leap_units = int(LEAP_AHEAD_S / clip.time_base)

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
                    self.tally.misplaced += 1  # those behind it do not follow it
                else:
                    self._last = held.pts
                    yield held
                held = None
            if self._last is not None and shown.pts <= self._last:
                if self._last - shown.pts > self._jump_units:
                    self.tally.jumped_back = (self._last, shown.pts)
                    return
                self.tally.misplaced += 1
            elif self._last is not None and shown.pts - self._last > self._leap_units:
                held = shown
            else:
                self._last = shown.pts
                yield shown
        if held is not None:
            yield held
        self.tally.untimed = self._stamps.untimed

    def _sound(self) -> Iterator[Shown]:
        """Frames that are what was recorded, in the order of the decoder."""
        for pts, frame in self._stamps.stamped(self._decoded()):
            if frame.is_corrupt:
                self._note_damage()
                continue
            if self._in_damage and not (frame.key_frame or self._clip.is_intra_only):
                continue
            size = (frame.width, frame.height)
            if self._size is not None and size != self._size:
                self.tally.resized = size
                return
            self._size = size
            if self._in_damage:
                self.tally.damaged[-1] = (self.tally.damaged[-1][0], pts)
            yield Shown(pts=pts, frame=frame, follows_damage=self._in_damage)
            self._in_damage = False

    def _note_damage(self) -> None:
        if not self._in_damage:
            self._in_damage = True
            self.tally.damaged.append((self._last, None))

    def _decoded(self) -> Iterator[VideoFrame]:
        for planned in self._planned():
            if planned.need is Need.NOTHING:
                continue
            if planned.anew:
                yield from self._drain()
            if self.is_planned:
                self._context.skip_frame = "DEFAULT" if planned.need is Need.FRAME else "NONREF"
            self._stamps.note(planned.packet)
            yield from self._decode(planned.packet)
        yield from self._drain()

    def _decode(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        try:
            return self._context.decode(packet)
        except MemoryError:
            raise
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self._note_damage()
            self._stamps.note_failure()
            return []

    def _drain(self) -> Iterator[VideoFrame]:
        """What the decoder still holds; afterwards it can begin anew at a key frame."""
        while frames := self._decode(None):
            yield from frames
        self._context.flush_buffers()

    def _planned(self) -> Iterator[Planned[Packet[Any]]]:
        for packet in self._packets():
            if packet.pts is not None:
                self.tally.last_pts = packet.pts if self.tally.last_pts is None else max(self.tally.last_pts, packet.pts)
            planner = self._planner
            if planner is None:
                yield Planned(packet=packet, need=Need.FRAME)
            elif packet.pts is None:
                yield from planner.rest()
                self._stop_planning()
                yield Planned(packet=packet, need=Need.FRAME)
            else:
                hidden = packet.is_discard
                yield from planner.add(
                    Coded(packet=packet, pts=packet.pts, dts=packet.dts, is_key=packet.is_keyframe, size_bytes=packet.size, hidden=hidden)
                )
        if self._planner is not None:
            yield from self._planner.rest()

    def _stop_planning(self) -> None:
        self._planner = None
        self.is_planned = False
        self._context.skip_frame = "DEFAULT"

    def _packets(self) -> Iterator[Packet[Any]]:
        errors = 0
        while True:
            try:
                for packet in self._clip.container.demux(self._clip.stream):
                    if packet.size:  # an empty one says: as before
                        errors = 0
                        if not self._passes_over(packet):
                            yield packet
                return
            except MemoryError:
                raise
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UnknownError):
                self._note_damage()
                errors += 1
                if errors > _MOST_ERRORS_RUNNING:
                    return
            except OSError as error:
                raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror or error}") from error

    def _passes_over(self, packet: Packet[Any]) -> bool:
        """Whether a packet lies before the key frame at which reading begins, or leans on what does."""
        if not self._from_key:
            return False
        if self._key_pts is None:
            if not packet.is_keyframe or packet.pts is None or packet.is_discard:
                return True
            self._key_pts = packet.pts
            return False
        self._passed += 1
        self._from_key = self._passed < _LEANING_PACKETS
        return packet.pts is not None and packet.pts < self._key_pts


def can_plan(clip: OpenClip) -> bool:
    """Whether the times of packets are those of frames, one frame to a packet (of HEVC each field is a frame to the decoder, too)."""
    if clip.clip_format not in _PLANNABLE:
        return False
    return clip.is_intra_only or clip.codec == "hevc" or not clip.may_have_fields
