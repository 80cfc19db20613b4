"""From a decoded frame to pixels: upright, square pixels, one field of two, the size that is asked for.

Of an interlaced frame the field that was taken first is shown, its lines filled up to the full height: the sledge moves between the
fields, so both together show combs, and the time of the frame is that of its first field. Colours follow what the clip says of
itself; a clip that says nothing has those of its size (ITU-R BT.709 from 720 lines, BT.601 below).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import InputError, Reason
from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import OpenClip, check_size
from edge.pipeline.video.reading import FrameReader
from edge.values import UInt8Array

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_UNSPECIFIED = 2
_ITU709, _ITU601 = 1, 5
_HIGH_DEFINITION_LINES = 720
_SCALING = av.video.reformatter.Interpolation.BILINEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the first frame of a clip tells.

    Attributes:
        pts: its presentation time in units of the stream.
        width_px, height_px: of the picture as it is shown: upright, with square pixels.
        turn_deg: by which it is turned counterclockwise to stand upright: 0, 90, 180 or 270.
        is_interlaced: whether it has two fields.
    """

    pts: int
    width_px: int
    height_px: int
    turn_deg: int
    is_interlaced: bool


def start_of(clip: OpenClip) -> Start:
    """Decode on to the first sound frame of a clip that was just opened.

    Raises:
        InputError: NO_FRAMES, NO_TIMES or TOO_MANY_PIXELS where there is none.
    """
    reader = FrameReader(clip)
    for shown in reader.frames():
        frame = shown.frame
        aspect = clip.stream.sample_aspect_ratio or Fraction(1)
        width_px, height_px = max(1, round(frame.width * aspect)) if aspect > 0 else frame.width, frame.height
        turn_deg = round(frame.rotation / 90) % 4 * 90
        if turn_deg in (90, 270):
            width_px, height_px = height_px, width_px
        return Start(pts=shown.pts, width_px=width_px, height_px=height_px, turn_deg=turn_deg, is_interlaced=frame.interlaced_frame)
    if reader.tally.untimed:
        raise InputError(Reason.NO_TIMES, f"none of {reader.tally.untimed} frames has a time")
    if reader.tally.damaged:
        check_size(clip)
    damaged = ", and what is in it cannot be decoded" if reader.tally.damaged else ""
    cut = f": {clip.end.missing}" if clip.end.missing else ""
    raise InputError(Reason.NO_FRAMES, f"the clip has no frame{damaged}{cut}")


class Darkroom:
    """Makes pixels of the frames of one clip; used by one thread at a time."""

    def __init__(self, clip: OpenClip, start: Start, size_px: tuple[int, int] | None) -> None:
        """`size_px`: width and height of what is made; None for the size as shown."""
        self._start = start
        self._size_px = size_px or (start.width_px, start.height_px)
        self._time_base = clip.time_base
        self._first_field = "bottom" if clip.is_bottom_first else "top"
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._splitter: tuple[tuple[int, int, str], Any] | None = None

    def pixels(self, frame: VideoFrame) -> UInt8Array:
        """(H, W, 3) uint8 BGR, contiguous."""
        width_px, height_px = reversed(self._size_px) if self._start.turn_deg in (90, 270) else self._size_px
        source = self._one_field(frame) if frame.interlaced_frame else frame
        converted = self._reformatter.reformat(
            source,
            width=width_px,
            height=height_px,
            format="bgr24",
            src_colorspace=_guessed_colorspace(frame),
            interpolation=_SCALING,
            threads=1,
        )
        return np.ascontiguousarray(np.rot90(np.asarray(converted.to_ndarray(), np.uint8), self._start.turn_deg // 90))

    def _one_field(self, frame: VideoFrame) -> VideoFrame:
        key = (frame.width, frame.height, frame.format.name)
        if self._splitter is None or self._splitter[0] != key:
            graph = av.filter.Graph()
            source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=self._time_base)
            field = graph.add("field", self._first_field)
            source.link_to(field)
            field.link_to(graph.add("buffersink"))
            graph.configure()
            self._splitter = (key, graph)
        graph = self._splitter[1]
        frame.time_base = self._time_base
        graph.push(frame)
        half = graph.pull()
        assert isinstance(half, av.VideoFrame)
        return half


def _guessed_colorspace(frame: VideoFrame) -> int | None:
    """What to take for the matrix of colours where the clip does not say."""
    if frame.colorspace != _UNSPECIFIED or frame.format.name.startswith(("rgb", "bgr", "gbr", "gray", "pal")):
        return None
    return _ITU709 if frame.height >= _HIGH_DEFINITION_LINES else _ITU601
