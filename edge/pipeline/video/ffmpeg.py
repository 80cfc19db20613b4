"""PyAV, set up once for every module that uses it: `from edge.pipeline.video.ffmpeg import av`.

FFmpeg says much, to stderr and about damage that we count ourselves: its messages are dropped. What it may open is decided here:
one file that we opened ourselves, by the one demuxer that its first bytes name, and nothing else. There is no path and no address
that FFmpeg could follow, whatever a file says that it is or refers to.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import av
import av.error
import av.logging

from edge.errors import InputError, Reason

if TYPE_CHECKING:
    from av.container import InputContainer

__all__ = ["DEMUXERS", "VIDEO_DECODERS", "av", "decoder_limit", "open_container", "open_file"]

av.logging.set_level(None)

DEMUXERS = {
    "mp4": "mov",
    "avi": "avi",
    "matroska": "matroska",
    "mpeg-ps": "mpeg",
    "mpeg-ts": "mpegts",
    "mpeg-video": "mpegvideo",
}
VIDEO_DECODERS = frozenset(
    ("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v2", "msmpeg4", "mjpeg", "prores", "dvvideo", "ffv1")
)
# Sound is never decoded, but a container is understood faster where its sound can be.
_SOUND_DECODERS = ("aac", "ac3", "eac3", "mp1float", "mp2float", "mp3float", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_bluray", "pcm_dvd")
_BUFFER_BYTES = 256 * 1024


def open_file(path: Path) -> FileIO:
    """A clip's file, which must be a regular one and no link.

    Raises:
        InputError: VANISHED, NOT_A_REGULAR_FILE, UNREADABLE_FILE or EMPTY_FILE.
    """
    # Without O_NONBLOCK opening a pipe would wait for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise InputError(Reason.NOT_A_REGULAR_FILE, "this is a link")
        file = FileIO(os.open(path, flags), "rb")
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, "the file is gone") from error
    except IsADirectoryError as error:
        raise InputError(Reason.NOT_A_REGULAR_FILE, "this is a folder") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the file cannot be read: {error.strerror}") from error
    status = os.fstat(file.fileno())
    reason = None if stat.S_ISREG(status.st_mode) else Reason.NOT_A_REGULAR_FILE
    reason = Reason.EMPTY_FILE if reason is None and status.st_size == 0 else reason
    if reason is not None:
        file.close()
        raise InputError(reason, "the file has no bytes" if reason is Reason.EMPTY_FILE else "this is not a regular file")
    return file


def open_container(file: FileIO, clip_format: str, *, max_pixels: int | None) -> InputContainer:
    """Hand an open file to FFmpeg.

    Args:
        file: at its beginning; goes on belonging to the caller.
        clip_format: as `edge.formats.sniff` names it.
        max_pixels: no frame may have more, not even while FFmpeg looks for what is in the file; None: no frame is decoded for that.

    Raises:
        av.error.FFmpegError, OSError: what FFmpeg or the disk says.
    """
    demuxer = DEMUXERS[clip_format]
    options = {
        "format_whitelist": demuxer,
        "codec_whitelist": ",".join((*sorted(VIDEO_DECODERS), *_SOUND_DECODERS)),
        "protocol_whitelist": "none",
    }
    return av.open(
        file,
        mode="r",
        format=demuxer,
        options={"threads": "1", **({"skip_frame": "all"} if max_pixels is None else {"max_pixels": decoder_limit(max_pixels)})},
        container_options=options,
        metadata_errors="backslashreplace",
        buffer_size=_BUFFER_BYTES,
        io_open=_refuse,
    )


def decoder_limit(max_pixels: int) -> str:
    """What to tell FFmpeg for a largest frame: it counts the rows and columns that it fills up with, too."""
    return str(max_pixels + max_pixels // 4 + 256 * 256)


def _refuse(url: str, _flags: int, _options: dict[str, str]) -> NoReturn:
    raise InputError(Reason.CORRUPT, f"the clip asks for another file or address ({url[:80]!r}), which is not opened")
