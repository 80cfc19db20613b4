"""From a container to decoded frames: packets are read, those that nobody needs are left out, the others are decoded.

Packets are numbered as they are stored, and each frame comes with the number of its packet: where one cannot be decoded, those numbers
tell which frames may lean on it. A frame is known by the time of its packet; one without counts as the latest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from edge.errors import InputError, Reason
from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.planner import Coded, Need, Planned, Planner

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_MOST_ERRORS_RUNNING = 64
_LEANING_PACKETS = 64  # far more than any group of frames has that are shown before its key frame
_MOST_NUMBERS = 256
_PLANNABLE = frozenset(("mp4", "matroska", "mpeg-ts"))  # the other containers give no time, or a guessed one, to part of their packets
_SKIP: dict[Need, Literal["DEFAULT", "NONREF"]] = {Need.FRAME: "DEFAULT", Need.REFERENCE: "NONREF"}


class Feeder:
    """Feeds the decoder of one clip from where its container stands.

    Attributes:
        last_pts: the latest time of any packet that was read; None before the first.
        is_planned: whether frames that the planner does not want may be missing.
        incomplete: numbers of packets of which the container says that a part is missing. What the decoder makes of them may look sound.
    """

    def __init__(
        self,
        clip: OpenClip,
        *,
        planner: Planner[Packet[Any]] | None,
        from_key: bool,
        on_packet: Callable[[Packet[Any]], None],
        on_failure: Callable[[int, int, bool], None],
    ) -> None:
        """Prepare to read.

        Args:
            clip: to read from.
            planner: tells which packets need not be decoded.
            from_key: begin at the next key frame, passing over what is stored or shown before it.
            on_packet: told of each packet before it is decoded.
            on_failure: told of the first and the last packet, by number, that may be the one which could not be read or decoded, and
                whether it was read.
        """
        self.last_pts: int | None = None
        self.incomplete: set[int] = set()
        self.is_planned = planner is not None and can_plan(clip)
        self._clip = clip
        self._context = clip.stream.codec_context
        self._planner = planner
        self._on_packet = on_packet
        self._on_failure = on_failure
        self._read = 0
        self._in_hand: deque[int] = deque([0], maxlen=max(1, clip.threads))
        self._numbers: dict[int, int] = {}
        self._last_dts: int | None = None
        self._from_key = from_key
        self._key_pts: int | None = None
        self._passed = 0

    def decoded(self) -> Iterator[tuple[int, VideoFrame]]:
        """What the decoder gives, in its order, each with the number of its packet.

        Raises:
            InputError: UNREADABLE_FILE, the disk failed.
            MemoryError: no room for a frame.
        """
        for planned in self._planned():
            if planned.need is Need.NOTHING:
                continue
            if planned.anew:
                yield from self._drain()
            if self.is_planned:
                self._context.skip_frame = _SKIP[planned.need]
            self._on_packet(planned.packet)
            self._in_hand.append(planned.number)
            if planned.packet.pts is not None:
                self._numbers[planned.packet.pts] = planned.number
                if len(self._numbers) > _MOST_NUMBERS:
                    del self._numbers[next(iter(self._numbers))]
            yield from self._decode(planned.packet)
        yield from self._drain()

    def _decode(self, packet: Packet[Any] | None) -> list[tuple[int, VideoFrame]]:
        try:
            return [(self._number(frame), frame) for frame in self._context.decode(packet)]
        except MemoryError:
            raise
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            self._on_failure(min(self._in_hand), max(self._in_hand), True)
            return []

    def _number(self, frame: VideoFrame) -> int:
        latest = self._in_hand[-1]
        return latest if frame.pts is None else self._numbers.get(frame.pts, latest)

    def _drain(self) -> Iterator[tuple[int, VideoFrame]]:
        """What the decoder still holds; afterwards it can begin anew at a key frame."""
        while frames := self._decode(None):
            yield from frames
        self._context.flush_buffers()

    def _planned(self) -> Iterator[Planned[Packet[Any]]]:
        for number, packet in self._packets():
            if packet.pts is not None:
                self.last_pts = packet.pts if self.last_pts is None else max(self.last_pts, packet.pts)
            if self._planner is None or not self.is_planned:
                yield Planned(packet=packet, number=number, need=Need.FRAME)
            elif packet.pts is None or self._steps_back(packet):
                yield from self._planner.rest()
                self.is_planned = False
                self._context.skip_frame = "DEFAULT"
                yield Planned(packet=packet, number=number, need=Need.FRAME)
            else:
                yield from self._planner.add(
                    Coded(
                        packet=packet,
                        number=number,
                        pts=packet.pts,
                        dts=packet.dts,
                        is_key=packet.is_keyframe,
                        size_bytes=packet.size,
                        hidden=packet.is_discard,
                    )
                )
        if self._planner is not None and self.is_planned:
            yield from self._planner.rest()

    def _steps_back(self, packet: Packet[Any]) -> bool:
        """Whether the clock goes back here, however little: a plan would take what follows for frames of ticks that are over."""
        if packet.dts is None:
            return False
        before, self._last_dts = self._last_dts, packet.dts
        return before is not None and packet.dts < before

    def _packets(self) -> Iterator[tuple[int, Packet[Any]]]:
        errors = 0
        while True:
            try:
                for packet in self._clip.container.demux(self._clip.stream):
                    if packet.size:  # an empty one says: as before
                        errors = 0
                        self._read += 1
                        if packet.is_corrupt:
                            self.incomplete.add(self._read)
                        if not self._passes_over(packet):
                            yield self._read, packet
                return
            except MemoryError:
                raise
            except (av.error.InvalidDataError, av.error.PatchWelcomeError, av.error.UnknownError):
                self._on_failure(self._read + 1, self._read, False)
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
