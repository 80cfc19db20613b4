"""A rendered tow, frame by frame, with everything that is true of it.

    for frame in render_tow(seed=1, seconds=20):                  pictures of 614 x 346 at 6 Hz with their true boxes
    for frame in render_tow(seed=1, seconds=20, pictures=False):  the boxes alone, a hundred times as fast

    tow = Tow(seed=1, seconds=20)
    frames = list(tow.frames(times_s(20, 6.0)))
    tow.tally.openings, tow.tally.systems                         how many burrows crossed the line, and which, and when

The world, the way of the sledge and the water follow from the seed and the time alone; the size of the frame and the rate do not
change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.tow.camera import Camera
from models.workshop.tow.paint import Ground, Picture
from models.workshop.tow.path import Floats, Path, Poses, project
from models.workshop.tow.tally import Tally
from models.workshop.tow.water import Silt, clear_in, hidden_fraction
from models.workshop.tow.world import BLOCK_M, FIRST_BLOCK, PX_PER_M, STRIP_PX, Opening, World

DEFAULT_DENSITY_PER_M2 = 0.4
DENSITY_OF_STILLS_PER_M2 = 17.0
"""Gives about as many openings in view as the real stills of 2023 show (28.8), most of them certainly no Nephrops."""
DEFAULT_SILT_EVERY_S = 50.0
DEFAULT_START_UTC = datetime(2026, 6, 14, 9, 40, 0, tzinfo=UTC)
SMALL_PX = (614, 346)
_CHUNK = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TowFrame:
    """One frame and what is true of it.

    Attributes:
        at_s: seconds since the first frame of the tow.
        image: (H, W, 3) uint8 BGR; None where only the truth was asked for.
        boxes_xyxy_px: (N, 4) float32 boxes of the openings that reach into the frame, origin top left, half open, not clipped: a
            box may reach beyond the frame, and its centre is where the opening's centre is.
        opening_id: (N,) int32.
        system_id: (N,) int32.
        visible: (N,) float32, share of the box inside the frame times the share of light that silt lets through.
        homography: (3, 3) float64, ground metres (across, along, 1) to pixels of this frame.
        along_m: distance that the sledge has gone since the first frame.
        width_m: width of view at the counting line.
        lasers_px: (3, 2) float64, left, right, upper.
        lasers_shown: (3,) float64, 0 where a laser is out or behind silt, 1 where it is clear.
        silt_fraction: share of the frame in which a cloud hides the seabed.
    """

    at_s: float
    image: Picture | None
    boxes_xyxy_px: npt.NDArray[np.float32]
    opening_id: npt.NDArray[np.int32]
    system_id: npt.NDArray[np.int32]
    visible: npt.NDArray[np.float32]
    homography: Floats
    along_m: float
    width_m: float
    lasers_px: Floats
    lasers_shown: Floats
    silt_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Near:
    """The openings around the view as arrays (N,), in order of their numbers."""

    blocks: range
    across_m: Floats
    along_m: Floats
    half_m: Floats
    opening_id: npt.NDArray[np.int32]
    system_id: npt.NDArray[np.int32]


class Tow:
    """One tow. Frames may be asked for once, in ascending order of time.

    Args:
        density_per_m2: burrow systems per square metre, single openings among them.
        silt_every_s: mean seconds between two clouds of silt; None for clear water.

    Raises:
        ValueError: a size, length or density that makes no sense.
    """

    def __init__(
        self,
        *,
        seed: int,
        seconds: float,
        size_px: tuple[int, int] = SMALL_PX,
        density_per_m2: float = DEFAULT_DENSITY_PER_M2,
        silt_every_s: float | None = DEFAULT_SILT_EVERY_S,
        start_utc: datetime = DEFAULT_START_UTC,
    ) -> None:
        if seconds <= 0 or min(size_px) < 64 or density_per_m2 < 0:
            raise ValueError("a tow has a length, frames of 64 px or more, and no density below 0")
        self.seed, self.seconds, self.start_utc = seed, seconds, start_utc
        self.width_px, self.height_px = size_px
        self.density_per_m2 = density_per_m2
        self.path = Path(seed=seed, seconds=seconds, aspect=self.height_px / self.width_px)
        self.silt = Silt(self.path, seed=seed, seconds=seconds, every_s=silt_every_s)
        self.world = World(seed=seed, density_per_m2=density_per_m2)
        self.camera = Camera(seed=seed, seconds=seconds, width_px=self.width_px, height_px=self.height_px, start_utc=start_utc)
        self.tally = Tally(width_px=self.width_px, height_px=self.height_px)
        self._ground: Ground | None = None
        self._near: _Near | None = None

    def frames(self, at_s: Floats, *, pictures: bool = True) -> Iterator[TowFrame]:
        """The frames at these times (T,), ascending seconds since the first frame."""
        for start in range(0, len(at_s), _CHUNK):
            poses = self.path.poses(at_s[start : start + _CHUNK], width_px=self.width_px, height_px=self.height_px)
            for place in range(len(poses.at_s)):
                yield self._frame(poses, place, pictures=pictures)

    def picture(self, at_s: float) -> Picture:
        """The frame at one moment, alone: the second field of an interlaced frame."""
        poses = self.path.poses(np.array([at_s]), width_px=self.width_px, height_px=self.height_px)
        return self._shoot(poses, 0, self.silt.density(at_s))

    def _frame(self, poses: Poses, place: int, *, pictures: bool) -> TowFrame:
        at_s, homography = float(poses.at_s[place]), poses.homography[place]
        near = self._openings_near(*_reach_m(homography, self.width_px, self.height_px))
        boxes = _boxes(near, homography)
        self.tally.look(at_s, near.opening_id, near.system_id, (boxes[:, :2] + boxes[:, 2:]) / 2)
        silt = self.silt.density(at_s)
        share = _share_inside(boxes, self.width_px, self.height_px)
        seen = np.flatnonzero(share > 0)
        clear = clear_in(silt, boxes[seen], width_px=self.width_px, height_px=self.height_px)
        self.tally.note_seen(near.opening_id[seen])
        return TowFrame(
            at_s=at_s,
            image=self._shoot(poses, place, silt) if pictures else None,
            boxes_xyxy_px=boxes[seen].astype(np.float32),
            opening_id=near.opening_id[seen],
            system_id=near.system_id[seen],
            visible=(share[seen] * clear).astype(np.float32),
            homography=homography,
            along_m=float(poses.along_m[place]),
            width_m=float(poses.width_m[place]),
            lasers_px=poses.lasers_px[place],
            lasers_shown=self.camera.lasers_shown(at_s, poses.lasers_px[place], silt),
            silt_fraction=hidden_fraction(silt),
        )

    def _shoot(self, poses: Poses, place: int, silt: npt.NDArray[np.float32] | None) -> Picture:
        homography = poses.homography[place]
        if self._ground is None:
            look, littered = self.camera.look, _littered(self.density_per_m2)
            self._ground = Ground(self.world, seed=self.seed, veil=look.veil, blur_px=look.blur_px, littered=littered)
        low_m, high_m = _reach_m(homography, self.width_px, self.height_px)
        canvas, top_px = self._ground.canvas(max(int(np.floor(low_m / BLOCK_M)), FIRST_BLOCK), int(np.floor(high_m / BLOCK_M)))
        # Canvas pixel (column, row), measured at pixel edges, is this far across and along.
        to_ground = np.array([[1 / PX_PER_M, 0, -STRIP_PX / 2 / PX_PER_M], [0, -1 / PX_PER_M, top_px / PX_PER_M], [0, 0, 1.0]])
        edge, centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]]), np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
        view = cv2.warpPerspective(
            canvas,
            centre @ homography @ to_ground @ edge,
            (self.width_px, self.height_px),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        return self.camera.shoot(np.asarray(view, np.uint8), at_s=float(poses.at_s[place]), lasers_px=poses.lasers_px[place], silt=silt)

    def _openings_near(self, low_m: float, high_m: float) -> _Near:
        """Openings of the blocks in view and of one more on either side."""
        first, last = int(np.floor(low_m / BLOCK_M)) - 1, int(np.floor(high_m / BLOCK_M)) + 1
        blocks = range(max(first, FIRST_BLOCK), last + 1)
        if self._near is None or self._near.blocks != blocks:
            self.world.forget_drawings(first - 1)
            found: list[Opening] = [opening for number in blocks for opening in self.world.block(number).openings]
            self._near = _Near(
                blocks=blocks,
                across_m=np.array([opening.across_m for opening in found], np.float64),
                along_m=np.array([opening.along_m for opening in found], np.float64),
                half_m=np.array([(opening.width_m / 2, opening.height_m / 2) for opening in found], np.float64).reshape(-1, 2),
                opening_id=np.array([opening.opening_id for opening in found], np.int32),
                system_id=np.array([opening.system_id for opening in found], np.int32),
            )
        return self._near


def times_s(seconds: float, rate_hz: float) -> Floats:
    """Times of the frames of so many seconds at an even rate, (T,)."""
    return np.asarray(np.arange(max(int(np.ceil(seconds * rate_hz - 1e-9)), 1)) / rate_hz, np.float64)


def render_tow(
    *,
    seed: int,
    seconds: float,
    rate_hz: float = 6.0,
    size_px: tuple[int, int] = SMALL_PX,
    density_per_m2: float = DEFAULT_DENSITY_PER_M2,
    silt_every_s: float | None = DEFAULT_SILT_EVERY_S,
    pictures: bool = True,
) -> Iterator[TowFrame]:
    """A tow in memory, frame by frame, without encoding.

    Args:
        pictures: False for the truth alone.

    Raises:
        ValueError: a size, length or density that makes no sense.
    """
    tow = Tow(seed=seed, seconds=seconds, size_px=size_px, density_per_m2=density_per_m2, silt_every_s=silt_every_s)
    yield from tow.frames(times_s(seconds, rate_hz), pictures=pictures)


def _littered(density_per_m2: float) -> float:
    """How strongly marked the mud is beside its openings: ground where few animals dig is less worked over."""
    return min(0.45 + 0.55 * density_per_m2 / DENSITY_OF_STILLS_PER_M2, 1.0)


def _reach_m(homography: Floats, width_px: int, height_px: int) -> tuple[float, float]:
    """How far along the view reaches: of the nearest and of the furthest corner."""
    corners = np.array([[0, 0, 1], [width_px, 0, 1], [0, height_px, 1], [width_px, height_px, 1]], np.float64)
    ground = np.linalg.inv(homography) @ corners.T
    along = ground[1] / ground[2]
    return float(along.min()), float(along.max())


def _boxes(near: _Near, homography: Floats) -> Floats:
    """(N, 4) boxes in the frame: around the projected centre, as wide and high as the projected corners reach."""
    centre = project(homography, near.across_m, near.along_m)
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    corners = np.stack(
        [project(homography, near.across_m + sx * near.half_m[:, 0], near.along_m + sy * near.half_m[:, 1]) for sx, sy in signs]
    )
    half = (corners.max(axis=0) - corners.min(axis=0)) / 2
    return np.hstack([centre - half, centre + half])


def _share_inside(boxes: Floats, width_px: int, height_px: int) -> Floats:
    """Share of each box that lies inside the frame."""
    low, high = np.clip(boxes[:, :2], 0, (width_px, height_px)), np.clip(boxes[:, 2:], 0, (width_px, height_px))
    return np.asarray(np.prod(high - low, axis=1) / np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.float64)
