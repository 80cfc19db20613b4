"""What a simulated CVAT makes of files: frames of stills as people see them (turned as EXIF says), and every frame of a video."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, ImageOps, UnidentifiedImageError


class MediaError(Exception):
    """Why the server could not make frames, in the words of its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame by the file that it came from."""

    name: str
    width: int
    height: int


def read_frames(path: Path) -> list[Frame]:
    """The frames of a file.

    Raises:
        MediaError: it is neither a picture nor a video.
    """
    kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
    if kind == "video":
        return _video(path)
    if kind != "image":
        raise MediaError("ValueError: No media data found")
    try:
        with Image.open(path) as image:
            turned = image.size if image.getexif().get(0x0112, 1) < 5 else ImageOps.exif_transpose(image).size
    except (UnidentifiedImageError, OSError) as error:
        raise MediaError(f"PIL.UnidentifiedImageError: cannot identify image file {path.name}") from error
    return [Frame(name=path.name, width=turned[0], height=turned[1])]


def _video(path: Path) -> list[Frame]:
    try:
        with av.open(str(path)) as container:
            return [Frame(name=path.name, width=frame.width, height=frame.height) for frame in container.decode(video=0)]
    except av.FFmpegError as error:
        raise MediaError(f"av.error: {error}") from error
