"""Small clips made on the fly, with the number of each frame drawn into its picture so that a frame is known by what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

WIDTH_PX, HEIGHT_PX = 128, 96
_BITS = 8
_BLOCK_PX = 16
_UNSPECIFIED = 2
CLOCK = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a clip is made.

    Attributes:
        codec: of the encoder, such as "libx264".
        options: of the encoder.
        suffix: of the file, which decides on the container.
        gop: frames from one key frame to the next.
        b_frames: how many frames in a row may lean on later ones.
        pix_fmt: how pixels are stored.
        container_options: of the muxer.
    """

    codec: str = "libx264"
    suffix: str = ".mp4"
    options: dict[str, str] = field(default_factory=dict)
    gop: int = 12
    b_frames: int = 0
    pix_fmt: str = "yuv420p"
    container_options: dict[str, str] = field(default_factory=dict)

    @property
    def container(self) -> str:
        """Name of the muxer."""
        names = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".avi": "avi", ".mkv": "matroska", ".mpg": "mpeg", ".m2v": "mpeg2video"}
        return names.get(self.suffix, "mpegts")


def numbered(number: int, *, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of a moving pattern with its number in the top rows: eight blocks, and below them their contrary."""
    picture = _texture(width_px + 256, height_px)[:, number % 256 : number % 256 + width_px].copy()
    for bit in range(_BITS):
        value = 235 if number >> bit & 1 else 20
        columns = slice(bit * _BLOCK_PX, (bit + 1) * _BLOCK_PX)
        picture[:_BLOCK_PX, columns] = value
        picture[_BLOCK_PX : 2 * _BLOCK_PX, columns] = 255 - value
    return np.repeat(picture[:, :, None], 3, axis=2)


@cache
def _texture(width_px: int, height_px: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(60, 196, (height_px, width_px), np.uint8)


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that a picture shows."""
    number = 0
    for bit in range(_BITS):
        columns = slice(bit * _BLOCK_PX + 4, (bit + 1) * _BLOCK_PX - 4)
        upper = float(pixels[4 : _BLOCK_PX - 4, columns].mean())
        lower = float(pixels[_BLOCK_PX + 4 : 2 * _BLOCK_PX - 4, columns].mean())
        assert abs(upper - lower) > 100, f"no number can be read: {upper} {lower}"
        number |= (upper > lower) << bit
    return number


def even_times(count: int, rate: Fraction | int = 25, *, first: int = 0) -> list[int]:
    """Presentation times of evenly spaced frames, units of `CLOCK`."""
    return [first + round(number / Fraction(rate) / CLOCK) for number in range(count)]


def write_clip(
    path: Path,
    recipe: Recipe,
    times: Sequence[int],
    *,
    rate: Fraction | int = 25,
    pictures: Iterable[NDArray[np.uint8]] | None = None,
    rotation_deg: float | None = None,
    aspect: Fraction | None = None,
    metadata: dict[str, str] | None = None,
    matrix: str | None = None,
    repeat_times: AbstractSet[int] = frozenset(),
) -> Path:
    """Write a clip whose n-th frame shows n at `times[n]` (units of `CLOCK`); those in `repeat_times` have the time of the one before."""
    shown = list(pictures) if pictures is not None else [numbered(number % 256) for number in range(len(times))]
    shape = shown[0].shape if shown else (HEIGHT_PX, WIDTH_PX)
    with av.open(str(path), "w", format=recipe.container, options=recipe.container_options) as container:
        container.metadata.update(metadata or {})
        stream = _stream(container, recipe, rate, shape)
        if rotation_deg is not None:
            stream.set_display_rotation(rotation_deg)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        even = recipe.codec in ("mpeg1video", "mpeg2video", "mpeg4") or recipe.suffix == ".avi"  # their clock counts frames
        stream.codec_context.time_base = Fraction(1) / Fraction(rate) if even else CLOCK
        container.start_encoding()
        for number, (pts, picture) in enumerate(zip(times, shown, strict=True)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=recipe.pix_fmt, dst_colorspace=matrix)
            frame.colorspace = _UNSPECIFIED
            frame.pts = number if even else pts
            frame.time_base = stream.codec_context.time_base
            for packet in stream.encode(frame):
                if number in repeat_times and packet.pts is not None:
                    packet.pts = packet.dts = times[number - 1]
                container.mux(packet)
        container.mux(stream.encode(None))
    return path


def _stream(container: Any, recipe: Recipe, rate: Fraction | int, shape: tuple[int, ...]) -> Any:
    options = dict(recipe.options)
    if recipe.codec == "libx264":
        options = {"preset": "ultrafast", "crf": "18", "sc_threshold": "0"} | options
    if recipe.codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": f"log-level=none:scenecut=0:{options.pop('x265', '')}"} | options
    stream = container.add_stream(recipe.codec, rate=rate, options=options)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = recipe.pix_fmt
    context = stream.codec_context
    context.gop_size = recipe.gop
    context.max_b_frames = recipe.b_frames
    if recipe.codec in ("mpeg1video", "mpeg2video", "mpeg4", "mjpeg"):
        context.bit_rate = 4_000_000
    return stream


def write_sound(path: Path) -> Path:
    """A file of half a second of sound and nothing to see."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
