"""Open a clip: its content and name agree, its end is looked at, its picture can be decoded within the memory that is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import InputError, Reason
from edge.formats import HEAD_BYTES, check_extension, is_clip_format, sniff
from edge.pipeline.video.ends import FileEnd, file_end
from edge.pipeline.video.ffmpeg import VIDEO_DECODERS, av, decoder_limit, open_container, open_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PIXELS = 100_000_000
_INTRA_ONLY = frozenset(("mjpeg", "prores", "dvvideo", "ffv1"))
_FIELD_ORDER_UNKNOWN = 0
_FIELD_ORDER_PROGRESSIVE = 1
_DV_LINES = 576
_FIELD_ORDERS_BOTTOM_FIRST = (3, 4)  # AV_FIELD_BB, AV_FIELD_TB: the bottom field is shown first


@dataclass(slots=True, kw_only=True, eq=False)
class OpenClip:
    """A clip that is open for reading, by one thread at a time."""

    path: Path
    max_pixels: int
    threads: int
    file: FileIO
    clip_format: str
    container: InputContainer
    stream: VideoStream
    end: FileEnd
    times_ascend: bool = True

    @property
    def time_base(self) -> Fraction:
        """Seconds of one unit of the stream's times."""
        return self.stream.time_base or Fraction(1, 90_000)

    @property
    def codec(self) -> str:
        """Name of the codec, such as "h264"."""
        return self.stream.codec_context.name

    @property
    def is_intra_only(self) -> bool:
        """Whether every frame stands for itself."""
        return self.codec in _INTRA_ONLY

    @property
    def counts_chunks(self) -> bool:
        """Whether a frame's time is told by how many chunks lie before it, and not by the chunk that it is in."""
        return self.clip_format == "avi" and self.codec in ("h264", "hevc", "mpeg1video")

    @property
    def may_have_fields(self) -> bool:
        """Whether the header leaves it open that two fields make a frame."""
        return self.stream.codec_context.field_order != _FIELD_ORDER_PROGRESSIVE

    @property
    def is_bottom_first(self) -> bool:
        """Whether the field of the even lines counted from one is the earlier one.

        DV of standard definition always is (IEC 61834-2, SMPTE 314M), and its containers rarely say so.
        """
        context = self.stream.codec_context
        if self.codec == "dvvideo" and context.field_order == _FIELD_ORDER_UNKNOWN:
            return context.height <= _DV_LINES
        return context.field_order in _FIELD_ORDERS_BOTTOM_FIRST

    def rewind(self) -> None:
        """Begin again, as if nothing had been read.

        Raises:
            InputError: see `open_clip`.
        """
        self.container.close()
        self.file.seek(0)
        self.container, self.stream = _decodable(self.file, self.clip_format, self.end, max_pixels=self.max_pixels, threads=self.threads)

    def close(self) -> None:
        """Give the file back."""
        self.container.close()
        self.file.close()


@contextmanager
def clip_opened(path: Path, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> Iterator[OpenClip]:
    """`open_clip`, closed at the end."""
    clip = open_clip(path, max_pixels=max_pixels, threads=threads)
    try:
        yield clip
    finally:
        clip.close()


def open_clip(path: Path, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> OpenClip:
    """Open a clip for reading from its beginning.

    Args:
        path: its file; nothing else is opened, whatever the clip refers to.
        max_pixels: a clip with larger frames is refused before one is decoded.
        threads: how many decode.

    Raises:
        InputError: VANISHED, NOT_A_REGULAR_FILE, UNREADABLE_FILE, EMPTY_FILE, UNKNOWN_FORMAT, EXTENSION_MISMATCH, UNFINISHED, TRUNCATED,
            CORRUPT, NO_VIDEO_STREAM, UNSUPPORTED_CODEC or TOO_MANY_PIXELS.
    """
    file = open_file(path)
    try:
        return _open(file, path, max_pixels, threads)
    except BaseException:
        file.close()
        raise


def _open(file: FileIO, path: Path, max_pixels: int, threads: int) -> OpenClip:
    try:
        head = file.read(HEAD_BYTES) or b""
        clip_format = sniff(head)
        check_extension(path.suffix, clip_format)
        if not is_clip_format(clip_format):
            raise InputError(Reason.UNKNOWN_FORMAT, f"the content is {clip_format}, not a clip")
        end = file_end(file, clip_format)
        file.seek(0)
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror or error}") from error
    if not end.has_index:
        raise InputError(Reason.UNFINISHED, "the clip has no table of contents (moov)" + (f"; {end.missing}" if end.missing else ""))
    container, stream = _decodable(file, clip_format, end, max_pixels=max_pixels, threads=threads)
    return OpenClip(
        path=path,
        max_pixels=max_pixels,
        threads=threads,
        file=file,
        clip_format=clip_format,
        container=container,
        stream=stream,
        end=end,
    )


def _decodable(file: FileIO, clip_format: str, end: FileEnd, *, max_pixels: int, threads: int) -> tuple[InputContainer, VideoStream]:
    """The container, and the stream of its picture made ready to be decoded."""
    container = _container(file, clip_format, max_pixels, end)
    try:
        stream = _picture(container, max_pixels)
    except BaseException:
        container.close()
        raise
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    context = stream.codec_context
    context.options = {"max_pixels": decoder_limit(max_pixels)}
    if context.name == "hevc" or context.name in _INTRA_ONLY:
        context.options |= {"err_detect": "explode"}  # else these decoders fill what they cannot read without a word
    context.thread_count = threads
    context.thread_type = "AUTO"
    return container, stream


def check_size(clip: OpenClip) -> None:
    """Ask why a clip has no frame: a decoder that meets more pixels than it may have says no more than that it failed.

    Raises:
        InputError: TOO_MANY_PIXELS.
    """
    clip.file.seek(0)
    with _container(clip.file, clip.clip_format, None, clip.end) as container:
        for stream in container.streams.video:
            _check_pixels(stream.codec_context.width, stream.codec_context.height, clip.max_pixels)


def _check_pixels(width_px: int, height_px: int, max_pixels: int) -> None:
    if width_px * height_px > max_pixels:
        raise InputError(Reason.TOO_MANY_PIXELS, f"{width_px} x {height_px} pixels are more than the {max_pixels} allowed")


def _container(file: FileIO, clip_format: str, max_pixels: int | None, end: FileEnd) -> InputContainer:
    try:
        return open_container(file, clip_format, max_pixels=max_pixels)
    except (av.error.InvalidDataError, av.error.EOFError, av.error.PatchWelcomeError) as error:
        reason, why = (Reason.TRUNCATED, end.missing) if end.missing else (Reason.CORRUPT, error.strerror or "its header is broken")
        raise InputError(reason, f"the {clip_format} cannot be opened: {why}") from error
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise InputError(Reason.CORRUPT, f"the {clip_format} cannot be opened: {error.strerror}") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror or error}") from error


def _picture(container: InputContainer, max_pixels: int) -> VideoStream:
    """The moving picture among the streams: the largest that is no cover picture."""
    covers = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [stream for stream in container.streams if stream.type == "video" and not stream.disposition & covers]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise InputError(Reason.NO_VIDEO_STREAM, f"the clip has no moving picture; in it: {kinds}")
    readable = [stream for stream in container.streams.video if stream in streams and _decoder(stream) in VIDEO_DECODERS]
    if not readable:
        names = sorted({_decoder(stream) or "unknown to the decoder" for stream in container.streams.video})
        raise InputError(Reason.UNSUPPORTED_CODEC, f"the codec of the picture is {', '.join(names) or 'unknown'}")
    best = max(readable, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    _check_pixels(best.codec_context.width, best.codec_context.height, max_pixels)
    return best


def _decoder(stream: VideoStream) -> str | None:
    """Name of the decoder; None if FFmpeg has none, whatever its types promise."""
    name: str | None = getattr(stream.codec_context, "name", None)
    return name
