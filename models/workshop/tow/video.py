"""Writes the frames of a rendered tow: a video by PyAV, or JPEG stills with the names of the field's recorder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.codec.context import Flags

from models.workshop.tow.film import Film
from models.workshop.tow.paint import Picture

VIDEO_STEM = "tow"
STILLS_FOLDER = "stills"

_ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg2": "mpeg2video", "mpeg4": "mpeg4", "mjpeg": "mjpeg"}
_MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "avi": "avi", "mpg": "vob", "ts": "mpegts", "mts": "mpegts"}
# The number of threads is fixed: the same frames become the same bytes on any machine with the same libraries.
_OPTIONS = {
    "h264": {"preset": "veryfast", "crf": "20", "threads": "2"},
    "hevc": {"preset": "ultrafast", "crf": "19", "x265-params": "log-level=none:pools=2:frame-threads=2"},
    "mpeg2": {"qscale": "3", "threads": "1"},
    "mpeg4": {"qscale": "3", "threads": "1"},
    "mjpeg": {"qscale": "3", "threads": "1"},
}
_GROUP_OF_PICTURES_S = 2
_VARIABLE_BASE = Fraction(1, 1000)


class Recorder(Protocol):
    """Takes frames in order; `file` is where the last one went, as the folder's reader names it."""

    file: str

    def take(self, picture: Picture, at_s: float) -> None:
        """Record a frame (H, W, 3) uint8 BGR with its presentation time."""


@contextmanager
def recording(folder: Path, film: Film, *, start_utc: datetime, jpeg_quality: int) -> Iterator[Recorder]:
    """A recorder that writes into `folder`; when the block ends well, everything is on disk.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    if film.is_stills:
        (folder / STILLS_FOLDER).mkdir()
        yield _Stills(folder / STILLS_FOLDER, start_utc, jpeg_quality)
        return
    with av.open(str(folder / f"{VIDEO_STEM}.{film.container}"), "w", format=_MUXERS[film.container]) as container:
        container.metadata["creation_time"] = start_utc.astimezone(UTC).isoformat()  # as a recorder with a right clock does
        recorder = _Video(container, film)
        yield recorder
        recorder.finish()


class _Stills:
    def __init__(self, folder: Path, start_utc: datetime, jpeg_quality: int) -> None:
        self._folder = folder
        self._start_utc = start_utc
        self._quality = jpeg_quality
        self.file = ""

    def take(self, picture: Picture, at_s: float) -> None:
        at = self._start_utc + timedelta(microseconds=round(at_s * 1e6))
        self.file = f"{STILLS_FOLDER}/image_D{at:%Y-%m-%dT%H-%M-%S-%f}Z_0.jpg"
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._quality])[1]
        (self._folder.parent / self.file).write_bytes(encoded.tobytes())


class _Video:
    def __init__(self, container: av.container.OutputContainer, film: Film) -> None:
        rate = film.rate_hz or Fraction(25)
        options = dict(_OPTIONS[film.codec])
        if film.is_interlaced:
            options |= {"x264-params": "tff=1"} if film.codec == "h264" else {"flags": "+ilme+ildct"}
        quality = options.pop("qscale", None)
        stream = container.add_stream(_ENCODERS[film.codec], rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = film.width_px, film.height_px
        stream.pix_fmt = "yuvj420p" if film.codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = round(rate * _GROUP_OF_PICTURES_S) if film.codec != "mpeg2" else 12
        if quality is not None:
            stream.codec_context.flags |= Flags.qscale
            stream.codec_context.global_quality = 118 * int(quality)
        self._base = 1 / rate if film.rate_hz else _VARIABLE_BASE
        stream.codec_context.time_base = self._base
        self._container, self._stream = container, stream
        self.file = f"{VIDEO_STEM}.{film.container}"

    def take(self, picture: Picture, at_s: float) -> None:
        if self._stream.pix_fmt == "yuv420p":
            # Not by PyAV's reformat: x264 then made other bytes of the same pictures from one run to the next.
            frame = av.VideoFrame.from_ndarray(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8), format="yuv420p")
        else:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=self._stream.pix_fmt)
        frame.pts = round(Fraction(at_s).limit_denominator(1_000_000) / self._base)
        frame.time_base = self._base
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
