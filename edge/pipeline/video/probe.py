"""What a clip says of itself, and a first frame as the proof that it can be shown."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

from edge.footage import ClipFacts
from edge.pipeline.video.beginning import Beginning, beginning_in_picture, beginning_of
from edge.pipeline.video.faults import declared_s
from edge.pipeline.video.ffmpeg import av
from edge.pipeline.video.opening import MAX_PIXELS, OpenClip, clip_opened
from edge.pipeline.video.picture import start_of

_LOOKED_AT = 3000
_UNEVEN = 0.1  # of a frame's duration
_FIRST_PACKETS = 3


def probe_clip(path: Path, *, max_pixels: int = MAX_PIXELS) -> ClipFacts:
    """Look at the header of a clip and decode its first frame.

    Args:
        path: its file; nothing else is opened, whatever the clip refers to.
        max_pixels: a clip with larger frames is refused before one is decoded.

    Raises:
        InputError: VANISHED, NOT_A_REGULAR_FILE, UNREADABLE_FILE, EMPTY_FILE, UNKNOWN_FORMAT, EXTENSION_MISMATCH, UNFINISHED, TRUNCATED,
            CORRUPT, NO_VIDEO_STREAM, UNSUPPORTED_CODEC, TOO_MANY_PIXELS, NO_FRAMES or NO_TIMES.
    """
    with clip_opened(path, max_pixels=max_pixels) as clip:
        start = start_of(clip)
        stream = clip.stream
        begun = _beginning(clip)
        return ClipFacts(
            container=clip.clip_format,
            codec=clip.codec,
            width_px=start.width_px,
            height_px=start.height_px,
            first_pts_s=float(start.pts * clip.time_base),
            duration_s=declared_s(clip),
            frames_declared=stream.frames or None,
            average_rate_hz=float(stream.average_rate) if stream.average_rate else None,
            is_interlaced=start.is_interlaced,
            is_variable_rate=_is_uneven(clip),
            start_utc=begun.utc,
            start_local=begun.local,
        )


def _is_uneven(clip: OpenClip) -> bool:
    """From the table of contents where the clip has one in its header, else from the two rates that its beginning gives."""
    times = [entry.timestamp for entry in islice(iter(clip.stream.index_entries), _LOOKED_AT)] if clip.clip_format == "mp4" else []
    steps = sorted(after - before for before, after in pairwise(times))
    if len(steps) > 1:
        usual = steps[len(steps) // 2]
        return steps[-2] - steps[0] > max(2, _UNEVEN * usual)  # the last frame of a clip may be long
    average, base = clip.stream.average_rate, clip.stream.base_rate
    if clip.codec == "mpeg1video":
        return False  # its header knows no other rate than an even one; FFmpeg takes fields for its base
    return bool(average and base and abs(float(average / base) - 1) > _UNEVEN)


def _beginning(clip: OpenClip) -> Beginning:
    tags = {**clip.stream.metadata, **clip.container.metadata}
    found = beginning_of(tags, clip.clip_format)
    if found.source is not None or clip.codec != "h264" or clip.clip_format != "mpeg-ts":
        return found
    clip.rewind()
    try:
        for packet in islice(clip.container.demux(clip.stream), _FIRST_PACKETS):
            if (written := beginning_in_picture(bytes(packet))) is not None:
                return written
    except av.error.FFmpegError:
        pass
    return found
