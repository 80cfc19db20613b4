"""The towed camera: light that falls off, water that veils, lasers, silt, snow, blur, sensor noise and the burnt-in text."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.animals import blend
from models.workshop.scene.noise import Field, fractal, sigmoid, value_noise
from models.workshop.scene.seabed import Seabed

Image = npt.NDArray[np.uint8]
_SHAPE = (facts.STILL_HEIGHT_PX, facts.STILL_WIDTH_PX)
# Mean colour of mud at the centre of the light, BGR: the grey-blue of most stills and the olive of a few.
_GREY_BLUE = np.array([129.0, 125.0, 121.0], np.float32)
_OLIVE = np.array([104.0, 137.0, 132.0], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What stays the same during a tow. `light` (H, W, 3) float32 is the grey level of plain mud; lasers are (x, y) pixels."""

    light: Field
    veil: float
    sharpness_px: float
    noise_grey: float
    jpeg_quality: int
    lasers_px: tuple[tuple[float, float], ...]
    laser_power: float
    laser_halo_px: float
    haze_top: float
    snow_per_still: float


def mount(rng: np.random.Generator) -> Camera:
    """A camera with its light, water and laser set-up drawn at random within the measured ranges."""
    return Camera(
        light=_light(rng),
        veil=float(rng.uniform(0.0, 0.22)),
        sharpness_px=float(rng.uniform(0.4, 0.95)),
        noise_grey=float(rng.uniform(0.4, 1.6)),
        jpeg_quality=int(rng.integers(58, 88)),
        lasers_px=_lasers(rng),
        laser_power=float(rng.uniform(0.7, 1.3)),
        laser_halo_px=float(rng.choice([3.0, 10.0, 14.0]) * rng.uniform(0.7, 1.3)),
        haze_top=float(rng.uniform(0.0, 0.4)),
        snow_per_still=float(rng.choice([2.0, 10.0, 60.0], p=[0.6, 0.3, 0.1])),
    )


def _light(rng: np.random.Generator) -> Field:
    """Falloff fitted to the mean of the real stills: 0.44 at the sides, 0.78 at the top, 0.68 at the bottom of the frame."""
    x = (np.arange(_SHAPE[1], dtype=np.float32) - _SHAPE[1] / 2 - rng.normal(0, 15)) / (680.0 * rng.uniform(0.93, 1.07))
    y = np.arange(_SHAPE[0], dtype=np.float32) - rng.normal(330, 15)
    below = np.where(y < 0, 600.0 * rng.uniform(0.92, 1.08), 610.0 * rng.uniform(0.92, 1.08)).astype(np.float32)
    falloff = np.exp(-(np.abs(x) ** 1.7)[None, :] - (np.abs(y / below) ** 1.8)[:, None])
    falloff *= 1.0 + 0.03 * value_noise(_SHAPE, 300.0, rng)
    olive = float(np.clip(rng.normal(0.9, 0.15), 0, 1)) if rng.random() < 0.12 else float(rng.uniform(0.0, 0.12))
    mud = (_GREY_BLUE * (1 - olive) + _OLIVE * olive) * rng.normal(1.02, 0.05)
    # Thin light is bluer: at the top and sides blue falls off more slowly than green and red.
    blue = 1.0 + (0.14 * (1.0 - falloff) + np.linspace(0.06, -0.02, _SHAPE[0], dtype=np.float32)[:, None]) * (1 - olive)
    light = falloff[..., None] * mud
    light[..., 0] *= blue
    light[..., 1] *= 1.0 - 0.03 * (1.0 - falloff) * (1 - olive)
    return np.asarray(light, np.float32)


def _lasers(rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    gap = float(np.clip(rng.normal(790, 45), *facts.LASER_GAP_PX))
    middle, level = rng.normal(605, 8), rng.normal(365, 15)
    left, right = (middle - gap / 2, level), (middle + gap / 2, level + rng.uniform(4, 18))
    return (left, right, (rng.normal(626, 4), level - rng.uniform(110, 150)))


def shoot(seabed: Seabed, top_px: int, camera: Camera, rng: np.random.Generator) -> tuple[Image, Field]:
    """Picture of the strip's rows from `top_px`, and how much of each pixel silt hides, (H, W) float32 in 0..1."""
    rows = seabed.log_reflectance[top_px : top_px + facts.STILL_HEIGHT_PX]
    haze = np.linspace(1.0 - camera.haze_top, 1.0, _SHAPE[0], dtype=np.float32)[:, None] * np.float32(1.0 - camera.veil)
    # Shadow in water is bluish: blue light scatters in from all sides.
    shades = np.array([0.93, 1.0, 1.02], np.float32)
    reflectance = np.exp(np.clip(rows * haze, -1.4, 0.6)[..., None] * shades)
    blend(reflectance, seabed.sprites, top_px)
    picture = reflectance * camera.light
    silt = _silt(rng)
    _cover(picture, silt, camera, rng)
    _add_lasers(picture, camera, rng)
    _add_snow(picture, camera, rng)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), camera.sharpness_px), np.float32)
    picture += np.float32(camera.noise_grey) * rng.standard_normal(_SHAPE, dtype=np.float32)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8), silt


def _silt(rng: np.random.Generator) -> Field:
    """Share of the view hidden by stirred-up mud: billows from a side or the bottom in about one still of six."""
    if rng.random() > 0.16:
        return np.zeros(_SHAPE, np.float32)
    x, y = np.meshgrid(np.linspace(0, 1, _SHAPE[1], dtype=np.float32), np.linspace(0, 1, _SHAPE[0], dtype=np.float32))
    from_x, from_y = float(rng.choice([-0.05, 1.05, rng.random()])), float(rng.uniform(0.6, 1.1))
    reach = rng.uniform(0.12, 0.45)
    distance = np.hypot((x - from_x), (y - from_y) * 0.7) + 0.06 * fractal(_SHAPE, [160, 70, 30, 14], [0.8, 0.6, 0.4, 0.2], rng)
    density = rng.uniform(0.35, 0.95)
    return np.asarray(density * sigmoid((np.float32(reach) - distance) * np.float32(rng.choice([25.0, 60.0]))), np.float32)


def _cover(picture: Field, silt: Field, camera: Camera, rng: np.random.Generator) -> None:
    if not silt.any():
        return
    smoke = camera.light * np.float32(rng.uniform(0.5, 0.75)) * (1.0 + 0.05 * fractal(_SHAPE, [90, 35, 12], [1, 0.7, 0.4], rng))[..., None]
    picture += silt[..., None] * (smoke - picture)


def _add_lasers(picture: Field, camera: Camera, rng: np.random.Generator) -> None:
    """Red dots: a nearly white core, a red halo, a weak wide glow."""
    lasers = camera.lasers_px if rng.random() > 0.04 else camera.lasers_px[:1]
    for number, (mean_x, mean_y) in enumerate(lasers):
        x, y = mean_x + rng.normal(0, 1.0), mean_y + rng.normal(0, 1.0)
        halo_px = camera.laser_halo_px * (0.6 if number == 2 else 1.0)
        reach = int(halo_px * 6) + 4
        x0, y0 = max(int(x) - reach, 0), max(int(y) - reach, 0)
        part = picture[y0 : int(y) + reach, x0 : int(x) + reach]
        yy, xx = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]].astype(np.float32)
        r = np.hypot(xx - np.float32(x), yy - np.float32(y))
        power = np.float32(camera.laser_power * rng.uniform(0.85, 1.1))
        core, halo = np.exp(-((r / (0.35 * halo_px)) ** 2)), np.exp(-r / halo_px)
        glow = np.stack([60 * core + 22 * halo, 55 * core - 6 * halo, 130 * core + 120 * halo], axis=-1)
        part += power * glow.astype(np.float32)


def _add_snow(picture: Field, camera: Camera, rng: np.random.Generator) -> None:
    """Particles close to the lens: bright points, short streaks, and a few large ones out of focus."""
    for _ in range(rng.poisson(camera.snow_per_still)):
        x, y = rng.uniform((0, 0), (_SHAPE[1], _SHAPE[0]))
        bright = tuple(float(v) for v in rng.uniform(110, 230) * np.array([1.0, 0.98, 0.93]))
        streak = rng.normal(0, 1.5, 2) if rng.random() < 0.5 else np.zeros(2)
        cv2.line(picture, (int(x), int(y)), (int(x + streak[0]), int(y + streak[1])), bright, 1)
    for _ in range(rng.poisson(1.0)):
        x, y = rng.uniform((20, 20), (_SHAPE[1] - 20, _SHAPE[0] - 20))
        radius = int(rng.integers(5, 18))
        x0, y0 = max(int(x) - 2 * radius, 0), max(int(y) - 2 * radius, 0)
        part = picture[y0 : int(y) + 2 * radius, x0 : int(x) + 2 * radius]
        spot = np.zeros(part.shape[:2], np.float32)
        cv2.circle(spot, (part.shape[1] // 2, part.shape[0] // 2), radius, 1.0, -1)
        part += cv2.GaussianBlur(spot, (0, 0), radius / 3)[..., None] * np.float32(rng.uniform(3, 12))


def burn_in(picture: Image, clock: str, range_reading: int) -> None:
    """Write the overlay of the survey's recorder into the top rows, in place."""
    for text, right in ((f"T:{clock}", False), (f"R:{range_reading}", True)):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_COMPLEX_SMALL, 0.75, 1)
        origin = (facts.STILL_WIDTH_PX - width - 1 if right else 1, 14)
        cv2.putText(picture, text, origin, cv2.FONT_HERSHEY_COMPLEX_SMALL, 0.75, (250, 225, 250), 1, cv2.LINE_AA)
