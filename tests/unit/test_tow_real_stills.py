"""The tracker on the real stills of 2023-06-03, boxes drawn by people and the seabed registered between the stills."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.footage import FootageFrame
from edge.pipeline.plan import Mask
from edge.pipeline.seabed.observer import SeabedObserver
from edge.survey.tow.plane import moved
from edge.survey.tow.systems import SystemSettings, group_systems
from edge.survey.tow.tracker import SeabedTracker
from edge.survey.tow.tracks import TowTracks, TrackSettings, check_tracks
from edge.values import Detections, UInt8Array

LINE_HEIGHT = 0.83
NEAR_S = 0.25


@pytest.fixture(scope="module")
def tow(real_stills: list[Path]) -> list[FootageFrame]:
    """The stills of one tow: runs of some tenths of a second, with gaps of seconds between them."""
    run = [path for path in real_stills if "2023-06-03T16" in path.name]
    labels = [path.parents[1] / "labels" / f"{path.stem}.txt" for path in run]
    if len(run) < 20 or not all(label.is_file() for label in labels):
        pytest.skip("the labelled run of 2023-06-03 16:26 to 16:29 is not among the stills")
    frames: list[FootageFrame] = []
    observer: SeabedObserver | None = None
    begin = _taken(run[0])
    for path, label in zip(run, labels, strict=True):
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        height, width = image.shape[:2]
        if observer is None:
            mask = Mask(y_max_px=22)
            observer = SeabedObserver(width, height, masks=(mask,), line_height=LINE_HEIGHT, rate_hz=12.5)
        at_s = (_taken(path) - begin).total_seconds()
        frames.append(_frame(observer, image, label, at_s))
    return frames


def _taken(path: Path) -> datetime:
    """`image_D2023-06-03T16-26-07-584023Z_0.jpg`."""
    return datetime.strptime(path.stem.split("_D")[1].split("Z")[0], "%Y-%m-%dT%H-%M-%S-%f").replace(tzinfo=UTC)


def _frame(observer: SeabedObserver, image: UInt8Array, label: Path, at_s: float) -> FootageFrame:
    height, width = image.shape[:2]
    rows = np.loadtxt(label, ndmin=2)
    centre, side = rows[:, 1:3] * [width, height], rows[:, 3:5] * [width, height]
    box = np.clip(np.column_stack([centre - side / 2, centre + side / 2]), 0, [width, height] * 2).astype(np.float32)
    found = Detections(xyxy=box, score=np.full(len(box), 0.9, np.float32), label_index=np.zeros(len(box), np.int32))
    seen = observer.observe(image, at_s)
    return FootageFrame(
        at_s=at_s,
        width_px=width,
        height_px=height,
        detections=found,
        motion=seen.motion,
        lasers=seen.lasers,
        visibility=seen.visibility,
    )


@pytest.fixture(scope="module")
def tracks(tow: list[FootageFrame]) -> TowTracks:
    return check_tracks(SeabedTracker().track(tow, line_height=LINE_HEIGHT, settings=TrackSettings()), tow)


def test_openings_of_neighbouring_stills_are_the_same_ones(tow: list[FootageFrame], tracks: TowTracks) -> None:
    """Of the boxes that must still be in the next picture, how many it has at that place, and in how many the track goes on."""
    owner = {(int(f), int(d)): one.id for one in tracks.tracks for f, d in zip(one.frames, one.detections, strict=True)}
    there = kept = 0
    for number in range(1, len(tow)):
        frame, before = tow[number], tow[number - 1]
        if frame.motion is None or frame.motion.source != "registered" or frame.at_s - before.at_s > NEAR_S:
            continue
        centre = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (before.detections.xyxy, frame.detections.xyxy)]
        landed = moved(frame.motion.homography, centre[0].astype(np.float64))
        for place, (x, y) in enumerate(landed):
            if not (20 < x < frame.width_px - 20 and 20 < y < frame.height_px - 20):
                continue
            away = np.hypot(*(centre[1] - [x, y]).T)
            if away.min() < 12:  # a person drew it in both
                there += 1
                kept += owner.get((number - 1, place)) == owner.get((number, int(away.argmin())))
    assert there > 150
    assert kept / there > 0.97


def test_unique_openings_are_plausible_against_the_boxes(tow: list[FootageFrame], tracks: TowTracks) -> None:
    boxes = sum(len(frame.detections) for frame in tow)
    runs = np.split(np.arange(len(tow)), [n for n in range(1, len(tow)) if tow[n].motion is None])
    least = sum(max(len(tow[n].detections) for n in run) for run in runs)
    assert least <= len(tracks.tracks) < 0.85 * boxes


def test_real_openings_lie_so_dense_that_no_grouping_of_them_is_sure(tracks: TowTracks) -> None:
    found = group_systems(tracks, SystemSettings())
    assert np.mean([join.probability > 0.9 for join in found.joins]) < 0.1
