"""What a rendered tow is recorded as: codec, container, frame size, rate; and which of them go together. No image library here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from models.workshop.tow.path import Floats

STILLS: Final = "stills"
CONTAINERS: Final = ("mp4", "mov", "mkv", "avi", "mpg", "ts", "mts", STILLS)
CODECS: Final = ("h264", "hevc", "mpeg2", "mpeg4", "mjpeg")
VARIABLE: Final = "vfr"
UNFINISHED: Final = ".unfinished"
"""Until a tow is whole it lies in a folder of this name below the one that was asked for."""
STILLS_PER_S: Final = Fraction(25, 2)

_GO_INTO: dict[str, tuple[str, ...]] = {
    "mp4": ("h264", "hevc", "mpeg4"),
    "mov": ("h264", "hevc", "mpeg4", "mjpeg"),
    "mkv": CODECS,
    "avi": ("mjpeg", "mpeg4"),
    "mpg": ("mpeg2",),
    "ts": ("h264", "hevc", "mpeg2"),
    "mts": ("h264", "mpeg2"),
    STILLS: ("jpeg",),
}
_VARIABLE_IN = ("mp4", "mov", "mkv")
_INTERLACED = ("h264", "mpeg2")
_NAMED_RATES = {"23.976": Fraction(24000, 1001), "29.97": Fraction(30000, 1001), "59.94": Fraction(60000, 1001)}
_MPEG2_RATES = {Fraction(24), Fraction(25), Fraction(30), Fraction(50), Fraction(60), *_NAMED_RATES.values()}
_LEAST_PX, _MOST_PX = 64, 4096
# Milliseconds between frames of a recorder that drops some: mostly 40, now and then one, two or four frames late.
_STEPS_MS = (33, 40, 40, 40, 40, 41, 47, 80, 120, 160)


# Bytes per pixel of a frame, measured on rendered tows, rounded up.
_BYTES_PER_PX = {"h264": 0.025, "hevc": 0.025, "mpeg2": 0.06, "mpeg4": 0.08, "mjpeg": 0.08, "jpeg": 0.08}
_BYTES_BESIDES = 20_000_000


class FilmError(ValueError):
    """A recording that cannot be made as asked. `advice` says what can."""

    def __init__(self, message: str, *, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """How a tow is recorded.

    `rate_hz` is None for a variable rate. `is_interlaced`: two fields of two moments in each frame.
    """

    codec: str
    container: str
    width_px: int
    height_px: int
    rate_hz: Fraction | None
    is_interlaced: bool = False

    @property
    def is_stills(self) -> bool:
        """Whether it is a folder of JPEG stills instead of a video."""
        return self.container == STILLS

    @property
    def is_upper_first(self) -> bool:
        """Which field is the earlier one; FFmpeg's encoder of MPEG-2 takes the lower one for it."""
        return self.codec != "mpeg2"

    def about_bytes(self, seconds: float) -> int:
        """How much room a tow of so many seconds takes, about."""
        frames = seconds * float(self.rate_hz or 25)
        return int(frames * self.width_px * self.height_px * _BYTES_PER_PX[self.codec]) + _BYTES_BESIDES

    def times_s(self, seconds: float, *, seed: int) -> Floats:
        """Presentation times of the frames from 0 on, (T,) float64."""
        if self.is_stills:
            number = np.arange(max(int(np.ceil(seconds * float(STILLS_PER_S) - 1e-9)), 1))
            late_us = np.random.default_rng([seed, 70]).integers(0, 17, len(number))
            return np.asarray(number * 0.08 + np.where(number > 0, late_us, 0) * 1e-6, np.float64)
        if self.rate_hz is None:
            steps = np.random.default_rng([seed, 71]).choice(_STEPS_MS, int(seconds * 1000 / min(_STEPS_MS)) + 2)
            at_ms = np.concatenate([[0], np.cumsum(steps)])
            return np.asarray(at_ms[at_ms < seconds * 1000] / 1000, np.float64)
        count = max(int(np.ceil(seconds * self.rate_hz - Fraction(1, 10**9))), 1)
        return np.array([float(number / self.rate_hz) for number in range(count)], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A tow that is to be rendered."""

    seed: int
    seconds: float
    density_per_m2: float
    silt_every_s: float | None
    start_utc: datetime
    film: Film


def discard(out: Path, *, has_made: bool) -> None:
    """Take an unfinished tow away; and its folder, where it was made for it."""
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    if has_made and out.is_dir() and not any(out.iterdir()):
        out.rmdir()


def film_of(*, codec: str | None, container: str, size: str, rate: str, is_interlaced: bool) -> Film:
    """A film from words: `size` as 1920x1080, `rate` as 25, 29.97 or vfr.

    Raises:
        FilmError: a word is unknown, or they do not go together.
    """
    if container not in CONTAINERS:
        raise FilmError(f"there is no container {container}", advice=f"It is one of {', '.join(CONTAINERS)}.")
    codec = codec or _GO_INTO[container][0]
    if codec not in (*CODECS, "jpeg"):
        raise FilmError(f"there is no codec {codec}", advice=f"It is one of {', '.join(CODECS)}.")
    if codec not in _GO_INTO[container]:
        raise FilmError(f"{codec} does not go into {container}", advice=f"Into {container} goes {' or '.join(_GO_INTO[container])}.")
    width_px, height_px = _size_of(size, is_even=container != STILLS)
    rate_hz = _rate_of(rate)
    if container == STILLS:
        if rate not in {"25", "12.5"} or is_interlaced:
            raise FilmError("stills come at 12.5 per second, each of them whole", advice="Leave the rate and the fields out.")
        rate_hz = STILLS_PER_S
    if rate_hz is None and container not in _VARIABLE_IN:
        raise FilmError(f"{container} has no variable frame rate", advice=f"Take one of {', '.join(_VARIABLE_IN)}.")
    if codec == "mpeg2" and rate_hz not in _MPEG2_RATES:
        raise FilmError(f"MPEG-2 has no frame rate of {rate}", advice="Take 25, 29.97, 50 or 59.94.")
    if is_interlaced and (codec not in _INTERLACED or rate_hz is None):
        raise FilmError(f"{codec} at {rate} is not recorded interlaced here", advice=f"Take {' or '.join(_INTERLACED)} at 25 or 29.97.")
    return Film(codec=codec, container=container, width_px=width_px, height_px=height_px, rate_hz=rate_hz, is_interlaced=is_interlaced)


def _size_of(text: str, *, is_even: bool) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise FilmError(f"{text} is no frame size", advice="Write it as 1920x1080.")
    size = int(width), int(height)
    if min(size) < _LEAST_PX or max(size) > _MOST_PX or (is_even and (size[0] % 2 or size[1] % 2)) or not 1.0 <= size[0] / size[1] <= 2.5:
        raise FilmError(
            f"a frame of {text} cannot be rendered",
            advice=f"Sides of a video's frame are even, all {_LEAST_PX} to {_MOST_PX} px; it is 1 to 2.5 times as wide as high.",
        )
    return size


def _rate_of(text: str) -> Fraction | None:
    if text == VARIABLE:
        return None
    try:
        rate = _NAMED_RATES.get(text) or Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= 120:
        raise FilmError(f"{text} is no frame rate", advice="Write it as 25, 29.97 or 50, or as vfr for a variable one; 1 to 120.")
    return rate
