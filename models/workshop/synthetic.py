"""Rendered UWTV stills with true boxes of burrow openings, for training, calibration, tests and the demonstration.

    still = render_still(seed=7)             one still with its boxes
    stills = render_tow(seed=7, n_stills=25) two seconds of a tow: the seabed moves down, openings stay the same
    write_tow(folder, seed=7, n_stills=25)   the same, as JPEG files named like the recorder's
    write_dataset(folder, ...)               YOLO layout: images/ and labels/ for train and val

Everything follows from the seed; numpy and OpenCV are all it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.workshop.scene import facts
from models.workshop.scene.camera import Camera, Image, burn_in, mount, shoot
from models.workshop.scene.noise import Field
from models.workshop.scene.seabed import Seabed, lay_out

_TOW_START_UTC = datetime(2023, 6, 3, 16, 26, 7, 584_023, tzinfo=UTC)
_CLOCK_LAG = timedelta(seconds=1)
_LEAST_VISIBLE_SHARE = 0.35
_LEAST_SIDE_PX = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedStill:
    """One still.

    `image` (691, 1229, 3) uint8 BGR, as decoded from `jpeg`; `boxes_xyxy_px` (N, 4) float32, origin top left, half open;
    `opening_id` (N,) int32, the same number for the same opening in every still of a tow; `seabed_shift_px` rows by which the
    seabed moved down since the previous still (0 for the first).
    """

    image: Image
    jpeg: bytes
    boxes_xyxy_px: npt.NDArray[np.float32]
    opening_id: npt.NDArray[np.int32]
    captured_utc: datetime
    seabed_shift_px: int

    @property
    def file_name(self) -> str:
        """Name in the recorder's style, `image_D2023-06-03T16-26-07-584023Z_0.jpg`."""
        return f"image_D{self.captured_utc:%Y-%m-%dT%H-%M-%S-%f}Z_0.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """Where the camera is at one still: first strip row in view, rows moved since the last still, time, range reading."""

    top_px: int
    shift_px: int
    captured_utc: datetime
    range_reading: int


def render_still(*, seed: int) -> RenderedStill:
    """Render one still with a seabed, camera and water of its own."""
    return next(iter_tow(seed=seed, n_stills=1))


def render_tow(*, seed: int, n_stills: int) -> list[RenderedStill]:
    """Render `n_stills` consecutive stills of one tow at 12.5 stills per second."""
    return list(iter_tow(seed=seed, n_stills=n_stills))


def iter_tow(*, seed: int, n_stills: int) -> Iterator[RenderedStill]:
    """Render a tow one still at a time. Memory grows with the seabed strip: 0.25 MB per still."""
    rng = np.random.default_rng([seed, 0])
    shifts_px = _shifts_px(n_stills, rng)
    seabed = lay_out(facts.STILL_HEIGHT_PX + int(shifts_px.sum()), rng)
    camera = mount(rng)
    tops_px = int(shifts_px.sum()) - np.cumsum(shifts_px)
    start_utc = _TOW_START_UTC + timedelta(seconds=int(rng.integers(0, 180)) if n_stills == 1 else 0)
    range_reading = int(rng.integers(78, 96))
    for number in range(n_stills):
        still_rng = np.random.default_rng([seed, 1 + number])
        captured_utc = start_utc + timedelta(milliseconds=80 * number, microseconds=int(still_rng.integers(0, 17)) if number else 0)
        step = _Step(top_px=int(tops_px[number]), shift_px=int(shifts_px[number]), captured_utc=captured_utc, range_reading=range_reading)
        yield _still(seabed, camera, step, still_rng)


def write_tow(out_dir: Path, *, seed: int, n_stills: int) -> list[Path]:
    """Write a tow as JPEG files and return their paths in order of capture."""
    out_dir.mkdir(parents=True, exist_ok=True)
    paths = []
    for still in iter_tow(seed=seed, n_stills=n_stills):
        path = out_dir / still.file_name
        path.write_bytes(still.jpeg)
        paths.append(path)
    return paths


def write_dataset(out_dir: Path, *, seed: int, n_train: int, n_val: int, workers: int = 1) -> Path:
    """Write stills and labels in YOLO layout with `workers` processes and return the data file.

    Seeds run from `seed` upwards, training stills first, so sets with disjoint seed ranges share no scene. Stills that are
    there already are kept; a still bears its final name only when it is whole and its label written.
    """
    scenes = zip(["train"] * n_train + ["val"] * n_val, range(seed, seed + n_train + n_val), strict=True)
    for part in ("train", "val"):
        for kind in ("images", "labels"):
            (out_dir / kind / part).mkdir(parents=True, exist_ok=True)
    missing = [(part, number) for part, number in scenes if not _image_path(out_dir, part, number).exists()]
    if workers > 1 and missing:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            list(pool.map(_write_scene, repeat(out_dir), *zip(*missing, strict=True), chunksize=8))
    else:
        for part, number in missing:
            _write_scene(out_dir, part, number)
    data = out_dir / "data.yaml"
    data.write_text(f"path: {out_dir.resolve()}\ntrain: images/train\nval: images/val\nnames:\n  0: burrow opening\n", encoding="utf-8")
    return data


def _image_path(out_dir: Path, part: str, number: int) -> Path:
    return out_dir / "images" / part / f"scene_{number:07d}.jpg"


def _write_scene(out_dir: Path, part: str, number: int) -> None:
    still = render_still(seed=number)
    image_path = _image_path(out_dir, part, number)
    (out_dir / "labels" / part / f"{image_path.stem}.txt").write_text(_yolo_lines(still.boxes_xyxy_px), encoding="utf-8")
    unfinished = image_path.with_suffix(".part")
    unfinished.write_bytes(still.jpeg)
    unfinished.replace(image_path)


def _shifts_px(n_stills: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Rows per step: a mean speed with swell on top, always inside the measured range; the first step is 0."""
    low, high = (v / facts.STILLS_PER_S for v in facts.SEABED_SPEED_PX_PER_S)
    swell = np.sin(np.arange(n_stills) / facts.STILLS_PER_S * 2 * np.pi / rng.uniform(4.0, 8.0) + rng.uniform(0, 2 * np.pi))
    speed = (low + high) / 2 + (high - low) / 2 * 0.9 * swell
    shifts = np.clip(np.round(speed), low, high).astype(np.int64)
    shifts[0] = 0
    return shifts


def _still(seabed: Seabed, camera: Camera, step: _Step, rng: np.random.Generator) -> RenderedStill:
    picture, silt = shoot(seabed, step.top_px, camera, rng)
    burn_in(picture, f"{step.captured_utc - _CLOCK_LAG:%Y-%b-%d %H:%M:%S}", step.range_reading)
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])[1].tobytes()
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError("OpenCV could not decode the JPEG it had just encoded")
    boxes, ids = _visible(seabed.openings, step.top_px, silt)
    return RenderedStill(
        image=np.asarray(decoded, np.uint8),
        jpeg=encoded,
        boxes_xyxy_px=boxes,
        opening_id=ids,
        captured_utc=step.captured_utc,
        seabed_shift_px=step.shift_px,
    )


def _visible(openings: npt.NDArray[np.float32], top_px: int, silt: Field) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Boxes of the openings a person could box in this still, clipped to it, and their numbers."""
    moved = openings - np.array([0, top_px, 0, top_px], np.float32)
    clipped = moved.copy()
    clipped[:, 0::2] = np.clip(moved[:, 0::2], 0, facts.STILL_WIDTH_PX)
    clipped[:, 1::2] = np.clip(moved[:, 1::2], 0, facts.STILL_HEIGHT_PX)
    sides = clipped[:, 2:] - clipped[:, :2]
    whole = np.prod(moved[:, 2:] - moved[:, :2], axis=1)
    keep = (sides.min(axis=1) >= _LEAST_SIDE_PX) & (np.prod(np.clip(sides, 0, None), axis=1) >= _LEAST_VISIBLE_SHARE * whole)
    keep &= clipped[:, 3] > facts.OVERLAY_HEIGHT_PX
    for index in np.flatnonzero(keep):
        x0, y0, x1, y1 = clipped[index].astype(int)
        keep[index] = float(silt[y0:y1, x0:x1].mean()) < 0.5
    return clipped[keep], np.flatnonzero(keep).astype(np.int32)


def _yolo_lines(boxes_xyxy_px: npt.NDArray[np.float32]) -> str:
    size = np.array([facts.STILL_WIDTH_PX, facts.STILL_HEIGHT_PX], np.float64)
    centres = (boxes_xyxy_px[:, :2] + boxes_xyxy_px[:, 2:]) / 2 / size
    sides = (boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]) / size
    return "".join("0 {:.6f} {:.6f} {:.6f} {:.6f}\n".format(*row) for row in np.hstack([centres, sides]))
