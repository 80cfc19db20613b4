"""Presentation times of decoded frames, where the container does not give one to each.

* AVI knows only that one chunk follows the other at an even rate. Where frames are stored out of order (H.264, HEVC), the chunks' times
  belong to the frames in the order in which they are shown.
* A program stream may give a time to some frames only. Those between two that have one lie evenly between them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from edge.pipeline.video.opening import OpenClip

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

_MOST_HELD = 32


class Stamps:
    """Gives frames their times. Must see each packet before what is decoded from it."""

    def __init__(self, clip: OpenClip) -> None:
        self._by_chunk = clip.counts_chunks
        self._chunks: list[int] = []
        self.untimed = 0

    def note(self, packet: Packet[Any]) -> None:
        """A packet goes to the decoder."""
        moment = packet.dts if packet.dts is not None else packet.pts
        if self._by_chunk and moment is not None:
            heapq.heappush(self._chunks, moment)

    def note_failure(self) -> None:
        """A packet brought no frame."""
        if self._chunks:
            self._chunks.remove(max(self._chunks))  # what the decoder still holds was stored, and mostly is shown, before it
            heapq.heapify(self._chunks)

    def stamped(self, frames: Iterable[tuple[int, VideoFrame]]) -> Iterator[tuple[int, int, VideoFrame]]:
        """Time, number as given, frame; those that cannot have a time are counted in `untimed`."""
        before: int | None = None
        step = 0
        held: list[tuple[int, VideoFrame]] = []
        for number, frame in frames:
            pts = self._own(frame)
            if pts is None:
                held.append((number, frame))
                if len(held) > _MOST_HELD or before is None:
                    self.untimed += len(held)
                    held = []
                continue
            if held and before is not None:
                step = (pts - before) // (len(held) + 1) if pts > before else step
                yield from ((before + (index + 1) * step, *between) for index, between in enumerate(held))
                held = []
            yield pts, number, frame
            before = pts
        if step > 0 and before is not None:
            yield from ((before + (index + 1) * step, *behind) for index, behind in enumerate(held))
        else:
            self.untimed += len(held)

    def _own(self, frame: VideoFrame) -> int | None:
        if self._by_chunk:
            return heapq.heappop(self._chunks) if self._chunks else None
        return frame.pts if frame.pts is not None else frame.dts
