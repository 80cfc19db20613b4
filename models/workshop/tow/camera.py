"""What stays with the camera of a tow: its light, haze, lasers, suspended particles, sensor noise and the burnt-in text.

The recipe is the one of `scene.camera`, whose ranges were measured on real stills; here it is made for many frames of any size: what
does not change is worked out once, and a frame is whole-number arithmetic on 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np

from models.workshop.scene import facts
from models.workshop.scene.camera import mount
from models.workshop.scene.noise import Field
from models.workshop.tow.paint import PLAIN_MUD, Picture
from models.workshop.tow.path import Floats
from models.workshop.tow.water import at_points

_GAIN = 180.0
_CLOCK_LAG = timedelta(seconds=1)
_LASERS_OUT_EVERY_S = 120.0
_NOISE_ROOM_PX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The water and the lens of one tow, as `scene.camera.mount` draws them."""

    veil: float
    blur_px: float
    noise_grey: float
    haze_top: float
    laser_power: float
    laser_halo_px: float
    snow_per_frame: float
    range_reading: int


class Camera:
    """The camera of one tow at one frame size."""

    def __init__(self, *, seed: int, seconds: float, width_px: int, height_px: int, start_utc: datetime) -> None:
        rng = np.random.default_rng([seed, 40])
        mounted = mount(rng)
        self.look = Look(
            veil=mounted.veil,
            blur_px=mounted.sharpness_px,
            noise_grey=mounted.noise_grey,
            haze_top=mounted.haze_top,
            laser_power=mounted.laser_power,
            laser_halo_px=mounted.laser_halo_px * width_px / facts.STILL_WIDTH_PX,
            snow_per_frame=mounted.snow_per_still,
            range_reading=int(rng.integers(78, 96)),
        )
        self.width_px, self.height_px = width_px, height_px
        self.lasers_out = _outages(seconds, np.random.default_rng([seed, 42]))
        self.jpeg_quality = mounted.jpeg_quality
        self._seed = seed
        self._start_utc = start_utc
        light = np.asarray(cv2.resize(mounted.light, (width_px, height_px), interpolation=cv2.INTER_LINEAR), np.float32)
        clear = np.linspace(1.0 - self.look.haze_top, 1.0, height_px, dtype=np.float32)[:, None, None]
        self._gain = np.clip(np.round(light * clear / PLAIN_MUD * _GAIN), 0, 255).astype(np.uint8)
        self._haze = np.clip(np.round(light * (1 - clear)), 0, 255).astype(np.uint8)
        self._smoke = np.clip(light * np.float32(rng.uniform(0.55, 0.75)), 0, 255).astype(np.uint8)
        self._noise, level = self._make_noise(rng)
        self._noise_level = np.full((height_px, width_px, 3), level, np.uint8)
        self._glow = _glow(self.look.laser_halo_px)
        self._text: tuple[str, Picture] | None = None

    def shoot(self, view: Picture, *, at_s: float, lasers_px: Floats, silt: Field | None) -> Picture:
        """The frame: painted mud (H, W, 3) uint8 as the lens sees it, under this camera's light and through this water.

        Args:
            lasers_px: (3, 2) left, right, upper.
            silt: density on a coarse grid, as `water.Silt.density` gives it.
        """
        rng = np.random.default_rng([self._seed, 41, round(at_s * 10_000)])
        picture = np.asarray(cv2.multiply(view, self._gain, scale=1.0 / _GAIN), np.uint8)
        cv2.add(picture, self._haze, dst=picture)
        if silt is not None:
            picture = self._cover(picture, silt)
        self._add_lasers(picture, at_s, lasers_px, at_points(silt, lasers_px, width_px=self.width_px, height_px=self.height_px), rng)
        self._add_snow(picture, rng)
        y, x = (int(v) for v in rng.integers(0, _NOISE_ROOM_PX, 2))
        noise = self._noise[int(rng.integers(len(self._noise)))][y : y + self.height_px, x : x + self.width_px]
        cv2.add(picture, noise, dst=picture)
        cv2.subtract(picture, self._noise_level, dst=picture)
        self._burn_in(picture, at_s)
        return picture

    def lasers_shown(self, at_s: float, lasers_px: Floats, silt: Field | None) -> Floats:
        """(3,) how much of each laser there is to see: 0 where it is out or behind silt, 1 in clear water."""
        shown = 1.0 - at_points(silt, lasers_px, width_px=self.width_px, height_px=self.height_px)
        if not self.is_right_laser_lit(at_s):
            shown[1] = 0.0
        return shown

    def is_right_laser_lit(self, at_s: float) -> bool:
        """Whether the right laser gives light; the left one always does."""
        return not any(start_s <= at_s < end_s for start_s, end_s in self.lasers_out)

    def _make_noise(self, rng: np.random.Generator) -> tuple[list[Picture], int]:
        """Frames of sensor noise larger than the frame by some room, all of them lifted by a level that keeps them positive."""
        level = int(np.ceil(4 * self.look.noise_grey))
        shape = (self.height_px + _NOISE_ROOM_PX, self.width_px + _NOISE_ROOM_PX)
        frames = []
        for _ in range(4):
            grey = np.round(level + self.look.noise_grey * rng.standard_normal(shape, dtype=np.float32))
            frames.append(np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
        return frames, level

    def _cover(self, picture: Picture, silt: Field) -> Picture:
        dense = np.asarray(cv2.resize(silt, (self.width_px, self.height_px), interpolation=cv2.INTER_CUBIC), np.float32)
        dense = np.clip(dense, 0.0, 1.0)
        return np.asarray(cv2.blendLinear(picture, self._smoke, 1.0 - dense, dense), np.uint8)

    def _add_lasers(self, picture: Picture, at_s: float, lasers_px: Floats, silt: Floats, rng: np.random.Generator) -> None:
        """Red dots: a nearly white core, a red halo, a weak wide glow; in a cloud they are weak and drawn out into streaks."""
        flicker = rng.uniform(0.88, 1.08, 3)
        for number in range(3):
            if number == 1 and not self.is_right_laser_lit(at_s):
                continue
            power = self.look.laser_power * flicker[number] * (1.0 - 0.75 * silt[number])
            size = 0.6 if number == 2 else 1.0
            stretch = 1.0 + 4.0 * max(silt[number] - 0.25, 0.0)
            _lay_glow(picture, self._glow, lasers_px[number] - 0.5, power, (size * stretch, size))

    def _add_snow(self, picture: Picture, rng: np.random.Generator) -> None:
        """Particles close to the lens: bright points and short streaks, and now and then a large one out of focus."""
        scale = self.width_px / facts.STILL_WIDTH_PX
        for _ in range(rng.poisson(self.look.snow_per_frame)):
            x, y = rng.uniform((0, 0), (self.width_px, self.height_px))
            bright = tuple(float(v) for v in rng.uniform(110, 230) * np.array([1.0, 0.98, 0.93]))
            streak = scale * rng.normal(0, 1.5, 2) if rng.random() < 0.5 else np.zeros(2)
            cv2.line(picture, (int(x), int(y)), (int(x + streak[0]), int(y + streak[1])), bright, max(round(scale), 1))
        if rng.random() < 0.6:
            radius = int(scale * rng.integers(5, 18)) + 1
            x, y = (int(v) for v in rng.uniform((2 * radius, 2 * radius), (self.width_px - 2 * radius, self.height_px - 2 * radius)))
            part = picture[y - 2 * radius : y + 2 * radius, x - 2 * radius : x + 2 * radius]
            spot = np.zeros(part.shape, np.uint8)
            cv2.circle(spot, (2 * radius, 2 * radius), radius, (float(rng.uniform(3, 12)),) * 3, -1)
            cv2.add(part, cv2.GaussianBlur(spot, (0, 0), radius / 3), dst=part)

    def _burn_in(self, picture: Picture, at_s: float) -> None:
        """The overlay of the recorder: a clock of whole seconds that runs behind, and the range reading."""
        clock = f"{self._start_utc + timedelta(seconds=at_s) - _CLOCK_LAG:%Y-%b-%d %H:%M:%S}"
        if self._text is None or self._text[0] != clock:
            self._text = (clock, self._letters(clock))
        letters = self._text[1]
        top = picture[: letters.shape[0]]
        np.maximum(top, letters, out=top)

    def _letters(self, clock: str) -> Picture:
        scale = self.width_px / facts.STILL_WIDTH_PX
        letters = np.zeros((round(facts.OVERLAY_HEIGHT_PX * scale), self.width_px, 3), np.uint8)
        font, size, thick = cv2.FONT_HERSHEY_COMPLEX_SMALL, 0.75 * scale, 1
        for text, is_right in ((f"T:{clock}", False), (f"R:{self.look.range_reading}", True)):
            (wide, _), _ = cv2.getTextSize(text, font, size, thick)
            origin = (self.width_px - wide - 1 if is_right else 1, round(14 * scale))
            cv2.putText(letters, text, origin, font, size, (250, 225, 250), thick, cv2.LINE_AA)
        return letters


def _outages(seconds: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """(start, end) in seconds of the times in which the right laser is out."""
    found: list[tuple[float, float]] = []
    at_s = float(rng.exponential(_LASERS_OUT_EVERY_S))
    while at_s < seconds:
        found.append((at_s, at_s + float(rng.uniform(0.4, 2.5))))
        at_s = found[-1][1] + float(rng.exponential(_LASERS_OUT_EVERY_S))
    return tuple(found)


def _glow(halo_px: float) -> Field:
    """Light of one laser at power 1, (n, n, 3) float32 grey levels, its middle in the middle pixel."""
    reach = int(halo_px * 6) + 4
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    r = np.hypot(x, y)
    core, halo = np.exp(-((r / (0.35 * halo_px)) ** 2)), np.exp(-r / halo_px)
    return np.asarray(np.stack([60 * core + 22 * halo, 55 * core - 6 * halo, 130 * core + 120 * halo], axis=-1), np.float32)


def _lay_glow(picture: Picture, glow: Field, at_px: Floats, power: float, size: tuple[float, float]) -> None:
    """Add a laser at pixel centre (x, y), to a fraction of a pixel; `size` stretches it."""
    reach_x, reach_y = (int(glow.shape[0] / 2 * share) + 2 for share in size)
    left, top = int(np.floor(at_px[0])) - reach_x, int(np.floor(at_px[1])) - reach_y
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + 2 * reach_x + 1, picture.shape[1]), min(top + 2 * reach_y + 1, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    middle = glow.shape[0] // 2
    place = np.array([[size[0], 0, at_px[0] - x0 - size[0] * middle], [0, size[1], at_px[1] - y0 - size[1] * middle]])
    part = picture[y0:y1, x0:x1]
    light = cv2.warpAffine(glow, place, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    part[:] = np.clip(part + np.float32(power) * light, 0, 255).astype(np.uint8)
