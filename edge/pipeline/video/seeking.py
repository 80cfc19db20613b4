"""Begin to read in the middle of a clip, at a key frame from which the wanted frame can be decoded exactly.

Containers promise little: an index counts decoding times, a stream is searched by guesses. So a place is only trusted once its first
key frame was seen to be shown no later than what is wanted; else we look further ahead, in the end from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.planner import Planner
from edge.pipeline.video.reading import FrameReader

if TYPE_CHECKING:
    from av.packet import Packet

_STEPS_S = (0, 1, 3, 8, 20, 60)
_MOST_PACKETS = 1200


def read_from(clip: OpenClip, pts: int | None, planner: Callable[[], Planner[Packet[Any]]] | None = None) -> FrameReader:
    """A reader whose frames begin at or before the one shown at `pts`, or at the beginning of the clip (None).

    Raises:
        InputError: the clip cannot be opened anew.
    """
    if pts is not None:
        for step_s in _STEPS_S:
            target = pts - int(Fraction(step_s) / clip.time_base)
            key_pts = _key_behind(clip, target)
            if key_pts is not None and key_pts <= pts and _seek(clip, target):
                return FrameReader(clip, planner=planner() if planner else None, from_key=True)
    clip.rewind()
    return FrameReader(clip, planner=planner() if planner else None)


def _key_behind(clip: OpenClip, target: int) -> int | None:
    """When the first key frame behind the place that a seek finds is shown; None if there is no place or no such frame."""
    if not _seek(clip, target):
        return None
    try:
        for number, packet in enumerate(clip.container.demux(clip.stream)):
            if packet.size and packet.is_keyframe and packet.pts is not None and not packet.is_discard:
                return packet.pts
            if number >= _MOST_PACKETS:
                return None
    except av.error.FFmpegError:
        return None
    return None


def _seek(clip: OpenClip, target: int) -> bool:
    try:
        clip.container.seek(target, stream=clip.stream, backward=True)
    except (av.error.FFmpegError, OverflowError):
        return False
    return True
