"""The frames of a clip by their number, as annotation tools count them: from 0, in the order in which they are shown.

Such a number is never a time times a rate: a clip may have any times. Where every packet of a clip is one frame with a time of its
own, the packets tell and nothing is decoded; else (fields in packets of their own, streams that time some frames only, AVI with
frames stored out of order) the clip is decoded once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import MAX_PIXELS, OpenClip, clip_opened
from edge.pipeline.video.picture import start_of
from edge.pipeline.video.reading import FrameReader
from edge.pipeline.video.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Iterable


def list_frame_times(path: Path, *, max_pixels: int = MAX_PIXELS) -> list[float]:
    """Seconds since the first frame of every frame of a clip, ascending: the frame at place n is frame number n.

    They are the very numbers that `ClipReader` and `ClipFrames` give. Frames in front of the first sound one have negative times.

    Raises:
        InputError: see `open_clip`; NO_FRAMES, NO_TIMES.
    """
    with clip_opened(path, max_pixels=max_pixels) as clip:
        ticks = Ticks(start_of(clip).pts, clip.time_base, 1.0)
        clip.rewind()
        stamps = None if clip.counts_chunks or clip.may_have_fields else _of_packets(clip)
        if stamps is None:
            clip.rewind()
            stamps = [shown.pts for shown in FrameReader(clip).frames()]
        return [ticks.at_s(pts) for pts in stamps]


def _of_packets(clip: OpenClip) -> list[int] | None:
    """Presentation times of the packets, ascending; None where they do not tell the frames one by one."""
    stamps: list[int] = []
    try:
        for packet in clip.container.demux(clip.stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None:
                return None
            stamps.append(packet.pts)
    except av.error.FFmpegError:
        return None
    stamps.sort()
    return stamps if stamps and _differ(stamps) else None


def _differ(stamps: Iterable[int]) -> bool:
    before: int | None = None
    for pts in stamps:
        if pts == before:
            return False
        before = pts
    return True
