"""A sledge over rendered mud: frames of known motion, with what does not move with the seabed left where it is.

The camera looks down at an angle onto a plane, so that nearer rows move faster; it surges and stalls, sways, turns, pitches,
rolls and heaves. Light, text, lasers and specks on the lens stay where they are in the picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.footage import Float64Array
from edge.values import UInt8Array
from models.workshop.scene import facts
from models.workshop.scene.camera import burn_in, mount
from models.workshop.scene.noise import fractal, sigmoid
from models.workshop.scene.seabed import lay_out

Float32Array = NDArray[np.float32]
WIDTH_PX, HEIGHT_PX = facts.STILL_WIDTH_PX, facts.STILL_HEIGHT_PX
FOCAL_PX = 1050.0
LINE_HEIGHT = 0.83
STRIP_PX = 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where the camera is: ground coordinates in pixels of the strip (`along_px` grows forward), angles in radians.

    `pitch` is of the axis from straight down; `height_px` over the ground.
    """

    along_px: float
    across_px: float = 0.0
    yaw: float = 0.0
    pitch: float = np.radians(32.0)
    roll: float = 0.0
    height_px: float = 950.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """One frame and its truth: `homography` takes the frame before into this one (None for the first); `hidden` (H, W) 0..1."""

    image: UInt8Array
    at_s: float
    homography: Float64Array | None
    hidden: Float32Array
    lasers: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What stands between the camera and the seabed.

    `silt` is the share of the view that a cloud hides, by frame number; `bend` how much further out than on a straight lens a corner
    of the frame is seen, as a share: radial distortion of second degree.
    """

    silt: dict[int, float] = field(default_factory=dict)
    silt_drifts: bool = True
    text: bool = True
    lasers: bool = True
    texture: float = 1.0
    specks: int = 12
    bend: float = 0.0


def swell(frames: int, rate_hz: float, seed: int, *, mean: float = 600.0, surge: float = 350.0, unrest: float = 1.0) -> list[Pose]:
    """Poses of a sledge that surges around a mean speed (strip pixels per second at the line) and is never quite level."""
    rng = np.random.default_rng([seed, 77])
    t = np.arange(frames) / rate_hz
    phase = rng.uniform(0, 2 * np.pi, 7)
    speed = mean + surge * (0.7 * np.sin(t * 2 * np.pi / 5.1 + phase[0]) + 0.3 * np.sin(t * 2 * np.pi / 1.9 + phase[1]))
    along = np.cumsum(speed) / rate_hz

    def wave(size: float, period_s: float, number: int) -> Float64Array:
        return np.asarray(unrest * size * np.sin(t * 2 * np.pi / period_s + phase[number]), np.float64)

    return [
        Pose(along_px=a, across_px=x, yaw=y, pitch=np.radians(32.0) + p, roll=r, height_px=950.0 * (1 + h))
        for a, x, y, p, r, h in zip(
            along,
            wave(60, 7.0, 2),
            wave(np.radians(3), 6.1, 3),
            wave(np.radians(1.2), 4.3, 4),
            wave(np.radians(1.2), 3.7, 5),
            wave(0.04, 5.7, 6),
            strict=True,
        )
    ]


def ground_to_frame(pose: Pose) -> Float64Array:
    """(3, 3) homography from strip pixels (x across, y = -along) to frame pixels of a pinhole camera over a plane."""
    sin, cos = np.sin(pose.pitch), np.cos(pose.pitch)
    # Camera axes in ground axes (right, forward, up): straight down first, then tilted forward.
    right, down = np.array([1.0, 0.0, 0.0]), np.array([0.0, -cos, -sin])
    axis = np.array([0.0, sin, -cos])
    turn = np.array([[np.cos(pose.yaw), np.sin(pose.yaw), 0], [-np.sin(pose.yaw), np.cos(pose.yaw), 0], [0, 0, 1.0]])
    lean = np.array([[np.cos(pose.roll), -np.sin(pose.roll), 0], [np.sin(pose.roll), np.cos(pose.roll), 0], [0, 0, 1.0]])
    rotation = lean @ np.stack([right, down, axis]) @ turn
    centre = np.array([pose.across_px, pose.along_px, pose.height_px])
    intrinsics = np.array([[FOCAL_PX, 0, WIDTH_PX / 2], [0, FOCAL_PX, HEIGHT_PX / 2], [0, 0, 1.0]])
    to_frame = intrinsics @ np.column_stack([rotation[:, 0], -rotation[:, 1], -rotation @ centre])
    return np.asarray(to_frame / to_frame[2, 2], np.float64)


def between(before: Pose, now: Pose) -> Float64Array:
    """True motion of the seabed between two poses."""
    motion = ground_to_frame(now) @ np.linalg.inv(ground_to_frame(before))
    return np.asarray(motion / motion[2, 2], np.float64)


class Sledge:
    """Renders what a camera sees of one strip of mud. The strip repeats itself, mirrored, beyond its edges."""

    def __init__(self, seed: int, weather: Weather | None = None) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._weather = weather or Weather()
        relief = lay_out(3000, self._rng).log_reflectance
        self._strip = np.exp(np.clip(relief * self._weather.texture, -1.4, 0.6)).astype(np.float32)
        self._camera = mount(self._rng)
        self._cloud = fractal((HEIGHT_PX, 2 * WIDTH_PX), [160, 70, 30, 14], [0.8, 0.6, 0.4, 0.2], self._rng)
        self._specks = self._rng.uniform((0, 0), (WIDTH_PX, HEIGHT_PX), (self._weather.specks, 2))

    def sail(self, poses: list[Pose], rate_hz: float) -> Iterator[Sight]:
        """One sight per pose."""
        for number, (before, pose) in enumerate(itertools.pairwise([poses[0], *poses])):
            image, hidden = self._shoot(pose, number)
            yield Sight(
                image=image,
                at_s=number / rate_hz,
                homography=between(before, pose) if number else None,
                hidden=hidden,
                lasers=self._camera.lasers_px if self._weather.lasers else (),
            )

    def _shoot(self, pose: Pose, number: int) -> tuple[UInt8Array, Float32Array]:
        # Strip pixel (column, row) lies at ground (column - W/2, row): modulo its mirrored length by the border mode.
        to_frame = ground_to_frame(pose) @ np.array([[1.0, 0, -WIDTH_PX / 2], [0, -1.0, 0], [0, 0, 1]])
        columns, rows = self._sight_lines()
        back = np.linalg.inv(to_frame)
        depth = back[2, 0] * columns + back[2, 1] * rows + back[2, 2]
        x = (back[0, 0] * columns + back[0, 1] * rows + back[0, 2]) / depth
        y = (back[1, 0] * columns + back[1, 1] * rows + back[1, 2]) / depth
        strip = self._strip
        seen = cv2.remap(strip, _mirrored(x, strip.shape[1]), _mirrored(y, strip.shape[0]), cv2.INTER_LINEAR)
        picture = np.asarray(seen, np.float32)[..., None] * self._camera.light
        hidden = self._silt(number)
        if hidden.any():
            smoke = self._camera.light * np.float32(0.62) * (1.0 + 0.05 * self._cloud[:, :WIDTH_PX, None])
            picture += hidden[..., None] * (smoke - picture)
        self._add_fixed(picture)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self._camera.sharpness_px), np.float32)
        picture += np.float32(self._camera.noise_grey) * self._rng.standard_normal((HEIGHT_PX, WIDTH_PX), dtype=np.float32)[..., None]
        image = np.clip(picture, 0, 255).astype(np.uint8)
        if self._weather.text:
            burn_in(image, f"2023-Jun-03 16:{number // 360:02d}:{number // 6 % 60:02d}", 86)
        return image, hidden

    def _sight_lines(self) -> tuple[Float64Array, Float64Array]:
        """Where a straight lens would see what stands at each pixel of the frame (H, W), pixels measured at their edges."""
        columns, rows = np.meshgrid(np.arange(WIDTH_PX) + 0.5, np.arange(HEIGHT_PX) + 0.5)
        x, y = columns - WIDTH_PX / 2, rows - HEIGHT_PX / 2
        grown = 1 + self._weather.bend * (x * x + y * y) / (WIDTH_PX**2 / 4 + HEIGHT_PX**2 / 4)
        return WIDTH_PX / 2 + x * grown, HEIGHT_PX / 2 + y * grown

    def _silt(self, number: int) -> Float32Array:
        share = self._weather.silt.get(number, 0.0)
        if share <= 0:
            return np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
        drift = (7 * number) % WIDTH_PX if self._weather.silt_drifts else 0
        columns = np.linspace(0, 1, WIDTH_PX, dtype=np.float32)[None, :]
        edge = columns + 0.08 * self._cloud[:, drift : drift + WIDTH_PX]
        return np.asarray(0.95 * sigmoid((np.float32(np.quantile(edge, share)) - edge) * np.float32(40.0)), np.float32)

    def _add_fixed(self, picture: Float32Array) -> None:
        for x, y in self._specks:
            cv2.circle(picture, (int(x), int(y)), 3, (70.0, 70.0, 66.0), -1)
        if not self._weather.lasers:
            return
        for number, (x, y) in enumerate(self._camera.lasers_px):
            size = self._camera.laser_halo_px * (0.6 if number == 2 else 1.0)
            yy, xx = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
            r = np.hypot(xx - np.float32(x), yy - np.float32(y))
            core, halo = np.exp(-((r / (0.35 * size)) ** 2)), np.exp(-r / size)
            picture += np.stack([60 * core + 22 * halo, 55 * core - 6 * halo, 130 * core + 120 * halo], -1).astype(np.float32)


def _mirrored(at: Float64Array, length: int) -> Float32Array:
    """Coordinates folded back into 0..length-1, as if the strip were mirrored at its ends."""
    period = 2.0 * (length - 1)
    folded = np.mod(at, period)
    return np.where(folded > length - 1, period - folded, folded).astype(np.float32)
