"""Begin to read in the middle of a clip, at a key frame from which the wanted frame can be decoded exactly.

Containers promise little: an index counts decoding times, a stream is searched by guesses. So a place is only trusted once its first
key frame was seen to be shown no later than what is wanted; else we look further ahead, in the end from the beginning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import OpenClip
from edge.pipeline.video.planner import Planner
from edge.pipeline.video.reading import FrameReader

if TYPE_CHECKING:
    from av.packet import Packet

_STEPS_S = (0, 1, 3, 8, 20, 60)
_MOST_PACKETS = 1200
_SEARCHED = frozenset(("mpeg-ts", "mpeg-ps"))  # without an index: searched by time
_WITH_INDEX = frozenset(("mp4", "matroska"))
_LOOKS = 16
_LOOK_PACKETS = 3
_END_BYTES = 512 * 1024
_SLACK_S = Fraction(1)


def read_from(clip: OpenClip, first_pts: int, pts: int | None, planner: Callable[[], Planner[Packet[Any]]] | None = None) -> FrameReader:
    """A reader whose frames begin at or before the one shown at `pts`, or at the beginning of the clip (None).

    `first_pts` is the time of the clip's first frame.

    Raises:
        InputError: the clip cannot be opened anew.
    """
    if pts is not None and clip.times_ascend and not clip.counts_chunks:
        for step_s in _STEPS_S:
            target = pts - int(Fraction(step_s) / clip.time_base)
            key_pts = _key_behind(clip, target)
            if key_pts is not None and key_pts <= pts and _seek(clip, target):
                return FrameReader(clip, planner=planner() if planner else None, from_key=True)
    # Where a table of contents leads back to the first frame, the clip need not be opened anew.
    if not (clip.clip_format in _WITH_INDEX and _key_behind(clip, first_pts) == first_pts and _seek(clip, first_pts)):
        clip.rewind()
    return FrameReader(clip, planner=planner() if planner else None)


def look_at_order(clip: OpenClip) -> None:
    """Note in `clip.times_ascend` whether its times ascend from its beginning to its end, as far as some looks into it tell.

    Where the clock of a stream jumps back, a search by time may end behind the jump. Such a clip is only read from its beginning.
    """
    if clip.clip_format not in _SEARCHED:
        return
    size_bytes = clip.file.seek(0, os.SEEK_END)
    times: list[int] = []
    for part in range(_LOOKS + 1):
        offset = min(size_bytes * part // _LOOKS, size_bytes - min(_END_BYTES, size_bytes // _LOOKS))
        try:
            clip.container.seek(offset, stream=clip.stream, unsupported_byte_offset=True)
            times += [max(found)] if (found := list(islice(_times(clip), _LOOK_PACKETS))) else []
        except (av.error.FFmpegError, OverflowError):
            break
    slack = int(_SLACK_S / clip.time_base)
    clip.times_ascend = all(after >= before - slack for before, after in pairwise(times))
    clip.rewind()


def _times(clip: OpenClip) -> Iterator[int]:
    return (packet.pts for packet in clip.container.demux(clip.stream) if packet.size and packet.pts is not None)


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
