"""Frames of a tow made by hand, and the tracker on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.footage import FootageFrame, Motion
from edge.survey.tow.tracker import SeabedTracker
from edge.survey.tow.tracks import OpeningTrack, TowTracks, TrackSettings, check_tracks
from edge.values import Detections
from tests.simulators.tow import HEIGHT_PX, LINE_HEIGHT, WIDTH_PX

LINE_PX = LINE_HEIGHT * HEIGHT_PX


def track(frames: Sequence[FootageFrame], line_height: float = LINE_HEIGHT, least_score: float = 0.0) -> TowTracks:
    return check_tracks(SeabedTracker().track(frames, line_height=line_height, settings=TrackSettings(least_score=least_score)), frames)


def steady(
    places: Sequence[tuple[float, float]],
    steps: Sequence[float],
    *,
    hide: Sequence[int] = (),
    side: float = 40.0,
    interval_s: float = 1 / 6,
) -> list[FootageFrame]:
    """Openings at `places` in the first frame, all moved down by each of `steps` pixels; nothing is found in frames `hide`."""
    frames = []
    for number, moved in enumerate(np.cumsum([0.0, *steps])):
        centre = np.array(places, np.float64).reshape(-1, 2) + [0, moved]
        reach = 0.4 * side
        inside = ((centre >= -reach) & (centre < [WIDTH_PX + reach, HEIGHT_PX + reach])).all(axis=1) & (number not in hide)
        box = np.clip(np.column_stack([centre - side / 2, centre + side / 2])[inside], 0, [WIDTH_PX, HEIGHT_PX] * 2).astype(np.float32)
        motion = None
        if number:
            step = np.eye(3)
            step[1, 2] = steps[number - 1]
            motion = Motion(homography=step, sd_px=0.5, source="registered")
        frames.append(
            FootageFrame(
                at_s=number * interval_s,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
                detections=Detections(xyxy=box, score=np.full(len(box), 0.8, np.float32), label_index=np.zeros(len(box), np.int32)),
                motion=motion,
                lasers=None,
                visibility=None,
            )
        )
    return frames


def lone(frames: Sequence[FootageFrame]) -> OpeningTrack:
    found = track(frames).tracks
    assert len(found) == 1
    return found[0]
