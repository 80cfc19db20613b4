"""A tow in numbers: a seabed of systems and openings, a sledge that surges, stalls and yaws over it, and a detector that errs.

No pixels. Everything is known: which opening a detection is of, when each crossed the line, what moved where.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame, Motion, Visibility
from edge.values import Detections

Floats = NDArray[np.float64]
WIDTH_PX, HEIGHT_PX, LINE_HEIGHT = 1229, 691, 0.83
RATE_HZ = 6.0
FALSE = -1
_FOCAL = 1.15  # widths
_FINE_S = 1 / 60


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What is wrong with what is seen. `silt`: (from_s, to_s) in which nothing is seen and the motion is carried on."""

    missed: float = 0.0
    false: float = 0.0
    jitter_px: float = 0.0
    jitter_side: float = 0.0
    registration_px: float = 0.0
    blinks: float = 0.0  # share of frames in which half of all is missed together
    silt: tuple[tuple[float, float], ...] = ()


CLEAN = Noise()
NOISY = Noise(missed=0.10, false=0.10, jitter_px=2.0, jitter_side=0.05, registration_px=0.7, blinks=0.02)


@dataclass(frozen=True, kw_only=True)
class Sea:
    """What is there. `openings_in_view`: mean number in a frame. `speed_px_s` at the line, before surges and stalls."""

    openings_in_view: float = 28.8
    speed_px_s: float = 600.0
    surge: float = 0.3
    stalls: bool = True
    camera_deg: tuple[float, float] = (15.0, 30.0)
    shares: tuple[float, ...] = (0.30, 0.20, 0.19, 0.15, 0.10, 0.06)  # of systems with 1 to 6 openings
    reach_width: tuple[float, float] = (0.03, 0.105)  # of a system from its middle, widths of view


@dataclass(frozen=True, kw_only=True, eq=False)
class Crossing:
    opening: int
    system: int
    at_s: float
    x_px: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedTow:
    """`owners`: for each frame the opening of each detection, FALSE where there is none. `systems`: opening -> system."""

    frames: list[FootageFrame]
    owners: list[NDArray[np.int64]]
    crossings: tuple[Crossing, ...]
    systems: dict[int, int]
    along_px: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def n_systems(self) -> int:
        return len({one.system for one in self.crossings})


def simulate(seed: int, seconds: float = 120.0, *, noise: Noise = CLEAN, sea: Sea | None = None, rate_hz: float = RATE_HZ) -> SimulatedTow:
    """A tow of that many seconds; the same seed lays the same seabed and goes the same way whatever is seen of it."""
    sea = sea or Sea()
    rng = np.random.default_rng([seed, 1])
    times = np.arange(0.0, seconds, 1 / rate_hz)
    times[1:] += rng.uniform(-0.01, 0.01, len(times) - 1)
    fine = np.arange(0.0, times[-1] + _FINE_S, _FINE_S)
    ground = _way(np.unique(np.concatenate([fine, times])), sea, np.random.default_rng([seed, 2]))
    middles, sides, systems = _seabed(ground.travelled, sea, np.random.default_rng([seed, 3]))
    crossings = _crossings(ground, middles, systems)
    places = np.searchsorted(ground.at_s, times)
    frames, owners = _frames(ground, places, middles, sides, noise, np.random.default_rng([seed, 4]))
    return SimulatedTow(
        frames=frames,
        owners=owners,
        crossings=crossings,
        systems=dict(enumerate(systems.tolist())),
        along_px=ground.along[places] * WIDTH_PX,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    """`homography`: (T, 3, 3) from the ground (across, along, 1), in widths of view at the line, to pixels; `along`: (T,) of the line."""

    at_s: Floats
    homography: Floats
    along: Floats
    travelled: float


def _waves(at_s: Floats, period_s: float, rng: np.random.Generator) -> Floats:
    periods, phases = period_s * np.geomspace(0.6, 1.7, 5), rng.uniform(0, 2 * np.pi, 5)
    return np.asarray(np.sin(at_s[:, None] * 2 * np.pi / periods + phases).sum(axis=1) * np.sqrt(2 / 5))


def _way(at_s: Floats, sea: Sea, rng: np.random.Generator) -> _Way:
    speed = sea.speed_px_s / WIDTH_PX * (1 + sea.surge * _waves(at_s, 6.0, rng))
    if sea.stalls:
        begin = rng.uniform(5, 30)
        while begin < at_s[-1]:
            lasts = rng.uniform(1.0, 3.5)
            speed *= 1 - 1.08 * np.exp(-(((at_s - begin) / lasts) ** 4))  # a little backwards in the middle
            begin += rng.uniform(15, 50)
    along = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(at_s))])
    tilt = np.radians(rng.uniform(*sea.camera_deg)) + np.radians(0.2) * _waves(at_s, 15.0, rng)
    yaw = np.radians(1.0) * _waves(at_s, 20.0, rng)
    sway = 0.02 * _waves(at_s, 35.0, rng)
    lift = np.exp(0.08 * _waves(at_s, 28.0, rng))
    homography = np.array([_seen(*pose) for pose in zip(along, tilt, yaw, sway, lift, strict=True)])
    return _Way(at_s=at_s, homography=homography, along=along, travelled=float(along.max()))


def _seen(along: float, tilt: float, yaw: float, sway: float, lift: float) -> Floats:
    """Ground to pixels: the camera looks ahead by `tilt` from straight down, and the line is one width wide at a lift of 1."""
    focal, below = _FOCAL * WIDTH_PX, (LINE_HEIGHT - 0.5) * HEIGHT_PX
    down = tilt - np.arctan2(below, focal)  # of the line's ray from straight down
    height = np.cos(down) * np.hypot(focal, below) / WIDTH_PX  # so that one width of ground is one width of picture
    height = height * lift
    ahead = -np.tan(down) * height
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1.0]])
    # Camera axes: x to the right, y down the picture, z into it; the ground's along is up the picture.
    look = np.array([[1, 0, 0], [0, -np.cos(tilt), np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    place = np.array([[1, 0, -sway], [0, 1, -(along + ahead)], [0, 0, height]])
    lens = np.array([[focal, 0, WIDTH_PX / 2], [0, focal, HEIGHT_PX / 2], [0, 0, 1.0]])
    return np.asarray(lens @ look @ turn @ place)


def _seabed(travelled: float, sea: Sea, rng: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Openings: middles (N, 2) and sides (N,) in widths of view, and the system of each."""
    low, high = -1.0, travelled + 2.0
    per_system = float(np.dot(sea.shares, np.arange(1, len(sea.shares) + 1)))
    in_view = sea.openings_in_view / (HEIGHT_PX / WIDTH_PX * 1.1)  # per square width; the upper part of the picture shows more ground
    middles = np.zeros((0, 2))
    sides = np.zeros(0)
    systems: list[int] = []
    ahead = np.sort(rng.uniform(low, high, rng.poisson(in_view / per_system * 1.8 * (high - low))))
    for number, along in enumerate(ahead.tolist()):
        middle = np.array([rng.uniform(-0.9, 0.9), along])
        count = int(rng.choice(len(sea.shares), p=sea.shares)) + 1
        away = rng.uniform(*sea.reach_width) * rng.uniform(0.75, 1.3, count) if count > 1 else np.zeros(1)
        bearing = rng.uniform(0, 2 * np.pi) + (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
        for place in middle + (away * np.array([np.cos(bearing), np.sin(bearing)])).T:
            side = float(np.clip(44 / WIDTH_PX * np.exp(rng.normal(0, 0.45)), 11 / WIDTH_PX, 150 / WIDTH_PX))
            if not _crowded(place, side, middles[-200:], sides[-200:]):  # in order along: what is near was laid not long ago
                middles, sides = np.vstack([middles, place]), np.append(sides, side)
                systems.append(number)
    return middles, sides, np.array(systems, np.int64)


def _crowded(place: Floats, side: float, middles: Floats, sides: Floats) -> bool:
    """Whether two boxes would share more than a fifth of the smaller one; 98 of 100 boxes of the real stills share less."""
    gap = np.abs(middles - place)
    shared = np.clip((sides[:, None] + side) / 2 - gap, 0, np.minimum(sides, side)[:, None]).prod(axis=1)
    return bool((shared > np.minimum(sides, side) ** 2 / 5).any())


def _project(homography: Floats, points: Floats) -> Floats:
    mapped = points @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def _crossings(way: _Way, middles: Floats, systems: NDArray[np.int64]) -> tuple[Crossing, ...]:
    """The first time that each passes the line downwards inside the frame."""
    line = LINE_HEIGHT * HEIGHT_PX
    order = np.argsort(middles[:, 1])
    before = np.full((len(middles), 2), np.nan)
    found: dict[int, Crossing] = {}
    ahead = middles[order, 1]
    for k, homography in enumerate(way.homography):
        begin, end = np.searchsorted(ahead, [way.along[k] - 0.6, way.along[k] + 0.6])
        near = order[begin:end]
        now = _project(homography, middles[near])
        for n in np.flatnonzero((before[near, 1] < line) & (now[:, 1] >= line)).tolist():
            i = int(near[n])
            part = (line - before[i, 1]) / (now[n, 1] - before[i, 1])
            x = before[i, 0] + part * (now[n, 0] - before[i, 0])
            if 0 <= x < WIDTH_PX and i not in found:
                at_s = way.at_s[k - 1] + part * (way.at_s[k] - way.at_s[k - 1])
                found[i] = Crossing(opening=i, system=int(systems[i]), at_s=float(at_s), x_px=float(x))
        before[near] = now
    return tuple(sorted(found.values(), key=lambda one: one.at_s))


def _frames(
    way: _Way, places: NDArray[np.intp], middles: Floats, sides: Floats, noise: Noise, rng: np.random.Generator
) -> tuple[list[FootageFrame], list[NDArray[np.int64]]]:
    frames: list[FootageFrame] = []
    owners: list[NDArray[np.int64]] = []
    last: Motion | None = None
    guessed = 0
    for n, k in enumerate(places.tolist()):
        at_s = float(way.at_s[k])
        hidden = any(begin <= at_s < end for begin, end in noise.silt)
        motion: Motion | None = None
        if n:
            guessed = guessed + 1 if hidden else 0
            motion = _motion(way.homography[k] @ np.linalg.inv(way.homography[places[n - 1]]), noise, rng)
            if hidden and last is not None:
                way_px = abs(float(_project(last.homography, np.array([[WIDTH_PX / 2, LINE_HEIGHT * HEIGHT_PX]]))[0, 1]) - 573.5)
                motion = Motion(homography=last.homography, sd_px=8 + 0.15 * way_px * guessed**0.5, source="carried")
            else:
                last = motion
        near = np.flatnonzero(np.abs(middles[:, 1] - way.along[k]) < 1.5)
        boxes, owner = _boxes(way.homography[k], middles[near], sides[near], near)
        detections, whose = _detected(boxes, owner, noise, hidden, rng)
        frames.append(
            FootageFrame(
                at_s=at_s,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                detections=detections,
                motion=motion,
                lasers=None,
                visibility=Visibility(
                    mean_luminance=90.0, contrast=20.0, sharpness=50.0, silt_fraction=0.95 if hidden else 0.0, dark_fraction=0.0
                ),
            )
        )
        owners.append(whose)
    return frames, owners


def _motion(homography: Floats, noise: Noise, rng: np.random.Generator) -> Motion:
    """The true step, its corners off by the noise of registration."""
    if noise.registration_px:
        corners = np.array([[0.0, 0.0], [WIDTH_PX, 0], [WIDTH_PX, HEIGHT_PX], [0, HEIGHT_PX]])
        homography = _through(corners, _project(homography, corners) + rng.normal(0, noise.registration_px, (4, 2)))
    return Motion(
        homography=np.ascontiguousarray(homography / homography[2, 2]), sd_px=max(noise.registration_px, 0.2), source="registered"
    )


def _through(here: Floats, there: Floats) -> Floats:
    """The homography that takes four points to four others."""
    rows, right = [], []
    for (x, y), (u, v) in zip(here, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)


def _boxes(homography: Floats, middles: Floats, sides: Floats, names: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Boxes around the openings whose larger part lies in the frame: middle projected, sides by the scale there; cut by the border."""
    centre = _project(homography, middles)
    wide = np.abs(_project(homography, middles + [[0.005, 0]]) - _project(homography, middles - [[0.005, 0]]))[:, 0] * 100
    tall = np.abs(_project(homography, middles + [[0, 0.005]]) - _project(homography, middles - [[0, 0.005]]))[:, 1] * 100
    half = np.column_stack([wide, tall]) * sides[:, None] / 2
    inside = ((centre > -0.1 * half) & (centre < np.array([WIDTH_PX, HEIGHT_PX]) + 0.1 * half)).all(axis=1)
    box = np.column_stack([centre - half, centre + half])[inside]
    return box, names[inside]


def _detected(
    boxes: Floats, owner: NDArray[np.intp], noise: Noise, hidden: bool, rng: np.random.Generator
) -> tuple[Detections, NDArray[np.int64]]:
    if hidden:
        return Detections.empty(), np.zeros(0, np.int64)
    missed = noise.missed if rng.random() >= noise.blinks else 0.5
    small = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) < 20
    seen = rng.random(len(boxes)) >= np.minimum(missed * np.where(small, 1.6, 0.95), 0.9)
    boxes, owner = boxes[seen], owner[seen]
    wh = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, 2:] + boxes[:, :2]) / 2 + rng.normal(0, 1, (len(boxes), 2)) * noise.jitter_px
    wh = wh * np.exp(rng.normal(0, 1, wh.shape) * noise.jitter_side)
    n_false = rng.poisson(noise.false * max(len(boxes), 1)) if noise.false else 0
    middle = np.concatenate([middle, rng.uniform(0, 1, (n_false, 2)) * [WIDTH_PX, HEIGHT_PX]])
    wh = np.concatenate([wh, rng.uniform(15, 70, (n_false, 2))])
    score = np.concatenate([rng.beta(6, 2.5, len(boxes)), rng.beta(2.5, 4, n_false)])
    whose = np.concatenate([owner.astype(np.int64), np.full(n_false, FALSE, np.int64)])
    box = np.clip(np.column_stack([middle - wh / 2, middle + wh / 2]), 0, [WIDTH_PX, HEIGHT_PX] * 2)
    good = (box[:, 2] - box[:, 0] > 2) & (box[:, 3] - box[:, 1] > 2)
    box, score, whose = box[good], score[good], whose[good]
    order = np.argsort(-score, kind="stable")
    return (
        Detections(xyxy=box[order].astype(np.float32), score=score[order].astype(np.float32), label_index=np.zeros(len(order), np.int32)),
        whose[order],
    )


def with_silt(noise: Noise, *intervals: tuple[float, float]) -> Noise:
    """The same noise, and silt."""
    return replace(noise, silt=intervals)
