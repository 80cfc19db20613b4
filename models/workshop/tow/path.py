"""The way of a sledge over the seabed, and how its camera sees the plane below: a pose for every moment of a tow.

Everything is a function of the time alone, so a tow sampled at 6 Hz is the same tow as one filmed at 25 frames per second, and the
first minute of a long tow is the tow of one minute. Ground coordinates are metres on the plane of the seabed: across (to the right)
and along (ahead); along 0 is where the counting line lies in the first moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KNOT_M_PER_S = 1852 / 3600
MEAN_SPEED_M_PER_S = 0.8 * KNOT_M_PER_S
"""The usual towing speed of a UWTV sledge, 0.8 knots."""
MEAN_WIDTH_M = 1.01
"""Width of view at the counting line when the sledge lies as it should: FU20-21 in 2019 and 2020."""
LASER_GAP_M = 0.60
LINE_HEIGHT = 0.83
"""The counting line as a share of the frame's height."""
MOST_LIFT = 0.155
"""Natural logarithm of the largest change of height: the laser gap breathes by 16 % to either side."""

_FOCAL_WIDTHS = 1.15
_STEP_S = 0.005
_TOP_SPEED = 2.1
_STALL_EVERY_S = 75.0
_LASER_ROW = 0.53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waves:
    """A smooth random motion without an end: the sum of sines, each array (N,) float64. Its variance is 1."""

    period_s: Floats
    phase_rad: Floats

    def at(self, at_s: Floats) -> Floats:
        """Its value at times (T,)."""
        turns = at_s[:, None] * (2 * np.pi / self.period_s) + self.phase_rad
        return np.asarray(np.sin(turns).sum(axis=1) * np.sqrt(2.0 / len(self.period_s)), np.float64)


def waves(period_s: float, rng: np.random.Generator) -> Waves:
    """Motion of about this period: five sines, 0.6 to 1.7 times as long."""
    return Waves(period_s=period_s * np.geomspace(0.6, 1.7, 5) * rng.uniform(0.93, 1.07, 5), phase_rad=rng.uniform(0, 2 * np.pi, 5))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Poses:
    """Where the camera is at T moments.

    Attributes:
        at_s: (T,) seconds since the first frame.
        along_m: (T,) distance that the sledge has gone since then.
        homography: (T, 3, 3), [2, 2] = 1; takes (across_m, along_m, 1) on the ground to pixels (x, y) of the frame.
        width_m: (T,) width of view at the counting line.
        lasers_px: (T, 3, 2) x and y of the left, the right and the upper laser.
    """

    at_s: Floats
    along_m: Floats
    homography: Floats
    width_m: Floats
    lasers_px: Floats

    @property
    def laser_gap_px(self) -> Floats:
        """(T,) distance of the two lasers at the sides."""
        apart = self.lasers_px[:, 1] - self.lasers_px[:, 0]
        return np.asarray(np.hypot(apart[:, 0], apart[:, 1]), np.float64)


class Path:
    """The way of one tow; follows from its seed. `aspect` is height over width of the camera's frame."""

    def __init__(self, *, seed: int, seconds: float, aspect: float = 9 / 16) -> None:
        rng = np.random.default_rng([seed, 10])
        self._pitch_rad = float(np.radians(rng.uniform(15.0, 21.0)))
        self._swell = waves(float(rng.uniform(5.0, 7.0)), rng)
        self._swell_size = waves(45.0, rng)
        self._trim = {name: waves(period, rng) for name, period in (("speed", 60.0), ("lift", 28.0), ("yaw", 22.0), ("sway", 35.0))}
        self._tilt = {name: waves(period, rng) for name, period in (("pitch", 15.0), ("roll", 11.0))}
        self._turning = waves(420.0, rng)
        self._heading_deg = float(rng.uniform(0, 360))
        self._lag_s = float(rng.uniform(0.8, 1.6))
        self.stalls = _stalls(seconds, np.random.default_rng([seed, 11]))
        self._clock_s = np.arange(0.0, seconds + 2 * _STEP_S, _STEP_S)
        speed = self._speed(self._clock_s)
        self._along_m = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * _STEP_S)])
        self._line_ahead_m = 0.0
        self._line_ahead_m = self._look_ahead_m(aspect)

    def along_m(self, at_s: Floats) -> Floats:
        """Distance gone since the first frame, (T,)."""
        return np.asarray(np.interp(at_s, self._clock_s, self._along_m), np.float64)

    def heading_deg(self, at_s: Floats) -> Floats:
        """Course over ground, (T,) degrees."""
        return np.asarray((self._heading_deg + 5.0 * self._turning.at(at_s)) % 360, np.float64)

    def poses(self, at_s: Floats, *, width_px: int, height_px: int) -> Poses:
        """How a camera of this size sees the seabed at times (T,)."""
        along = self.along_m(at_s)
        swell = self._swell.at(at_s)
        pitch = self._pitch_rad + np.radians(0.25) * self._tilt["pitch"].at(at_s)
        yaw = np.radians(1.2 * self._trim["yaw"].at(at_s) + 0.3 * swell)
        roll = np.radians(0.3) * self._tilt["roll"].at(at_s)
        height = self._height_m(at_s, height_px / width_px)
        focal, middle = _FOCAL_WIDTHS * width_px, (width_px / 2, height_px / 2)
        turn = _rotations(yaw, pitch, roll)
        camera = np.zeros((len(at_s), 3, 3))
        camera[:, 0, 0] = camera[:, 1, 1] = 1.0
        camera[:, 0, 2] = -0.02 * self._trim["sway"].at(at_s)
        camera[:, 1, 2] = self._line_ahead_m - along
        camera[:, 2, 2] = -height
        lens = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1.0]])
        homography = lens @ turn @ camera
        homography /= homography[:, 2:, 2:]
        depth_m = _depth(pitch, height, (LINE_HEIGHT - 0.5) * height_px / focal)
        return Poses(
            at_s=np.asarray(at_s, np.float64),
            along_m=along,
            homography=homography,
            width_m=width_px * depth_m / focal,
            lasers_px=_lasers(turn, height, focal, middle, height_px),
        )

    def _speed(self, at_s: Floats) -> Floats:
        """Metres per second: the swell pulls the ship, the cable pulls the sledge, and mud holds it now and then."""
        size = 0.42 + 0.14 * np.clip(self._swell_size.at(at_s), -2, 2)
        share = 1.0 + 0.08 * self._trim["speed"].at(at_s) + size * self._swell.at(at_s)
        for start_s, held_s in self.stalls:
            since = at_s - start_s
            held = _step(since / 0.25) * _step((held_s - since) / 0.25)
            freed = np.where(since > held_s, np.exp(-np.clip(since - held_s, 0, None) / 1.2), 0.0)
            share = share * (1 - held) + 0.7 * freed * _step((since - held_s) / 0.25)
        return np.asarray(MEAN_SPEED_M_PER_S * np.clip(share, 0.0, _TOP_SPEED), np.float64)

    def _height_m(self, at_s: Floats, aspect: float) -> Floats:
        """Of the lens over the seabed: it sinks into soft mud, and is lifted as the swell pulls."""
        lift = 0.085 * self._trim["lift"].at(at_s) + 0.03 * self._swell.at(at_s - self._lag_s)
        depth_m = MEAN_WIDTH_M * _FOCAL_WIDTHS
        level_m = depth_m / _depth(np.array([self._pitch_rad]), np.ones(1), (LINE_HEIGHT - 0.5) * aspect / _FOCAL_WIDTHS)
        return np.asarray(level_m * np.exp(MOST_LIFT * np.tanh(lift / MOST_LIFT)), np.float64)

    def _look_ahead_m(self, aspect: float) -> float:
        """How far ahead of the camera the middle of the counting line meets the ground in the first moment."""
        first = self.poses(np.zeros(1), width_px=1920, height_px=round(1920 * aspect))
        spot = np.linalg.inv(first.homography[0]) @ np.array([960.0, LINE_HEIGHT * round(1920 * aspect), 1.0])
        return float(spot[1] / spot[2])


def project(homography: Floats, across_m: Floats, along_m: Floats) -> Floats:
    """Pixels (N, 2) of ground points (N,) by one homography (3, 3)."""
    ground = np.stack([across_m, along_m, np.ones_like(across_m)])
    seen = homography @ ground
    return np.asarray((seen[:2] / seen[2]).T, np.float64)


def _step(x: Floats) -> Floats:
    """Soft step from 0 to 1 around 0."""
    return np.asarray(0.5 * (1.0 + np.tanh(2.0 * np.clip(x, -10, 10))), np.float64)


def _stalls(seconds: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    """(start, length) in seconds of the moments in which the sledge is held."""
    found: list[tuple[float, float]] = []
    at_s = float(rng.exponential(_STALL_EVERY_S)) + 4.0
    while at_s < seconds:
        found.append((at_s, float(rng.uniform(1.2, 3.5))))
        at_s += found[-1][1] + 6.0 + float(rng.exponential(_STALL_EVERY_S))
    return tuple(found)


def _depth(pitch_rad: Floats, height_m: Floats, slope: float) -> Floats:
    """Depth in front of the lens, (T,) metres, where the row at `slope` (rows below the middle over the focal length) meets the ground."""
    return np.asarray(height_m / (np.cos(pitch_rad) + slope * np.sin(pitch_rad)), np.float64)


def _rotations(yaw_rad: Floats, pitch_rad: Floats, roll_rad: Floats) -> Floats:
    """(T, 3, 3) from ground axes (across, along, up) to the camera's (right, down, ahead of the lens)."""
    zero, one = np.zeros_like(yaw_rad), np.ones_like(yaw_rad)

    def rows(*values: Floats) -> Floats:
        return np.moveaxis(np.array(values).reshape(3, 3, -1), -1, 0)

    turned = rows(np.cos(yaw_rad), np.sin(yaw_rad), zero, -np.sin(yaw_rad), np.cos(yaw_rad), zero, zero, zero, one)
    tipped = rows(one, zero, zero, zero, -np.cos(pitch_rad), -np.sin(pitch_rad), zero, np.sin(pitch_rad), -np.cos(pitch_rad))
    rolled = rows(np.cos(roll_rad), -np.sin(roll_rad), zero, np.sin(roll_rad), np.cos(roll_rad), zero, zero, zero, one)
    return np.asarray(rolled @ tipped @ turned, np.float64)


def _lasers(turn: Floats, height_m: Floats, focal: float, middle: tuple[float, float], height_px: int) -> Floats:
    """Where three beams parallel to the optical axis meet the ground, (T, 3, 2) pixels.

    The pair at the sides is `LASER_GAP_M` apart, the third stands between them and further up the picture.
    """
    down_m = (_LASER_ROW - 0.5) * height_px / focal * MEAN_WIDTH_M * _FOCAL_WIDTHS
    beams = np.array([[-LASER_GAP_M / 2, down_m, 0], [LASER_GAP_M / 2, down_m, 0], [0.013, down_m - 0.115, 0]])
    up = turn[:, :, 2]
    # A beam point is beam + depth * axis; on the ground its height over it is 0: beam . up + depth * axis . up = -height.
    depth = (-height_m[:, None] - up @ beams.T) / up[:, 2:]
    return np.asarray(beams[None, :, :2] / depth[..., None] * focal + np.array(middle), np.float64)
