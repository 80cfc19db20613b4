"""Openings followed along a tow: what a tracker returns, and what it is held to.

The line is a row of the frame, `line_height` of its height from the top. An opening crosses it when the centre of its box passes
that row downwards inside the frame (0 <= x < width) between the first and the last frame; only the first such moment counts.
Distances in the seabed frame are pixels at the scale of the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame
from edge.values import Float32Array, Int32Array

Float64Array = NDArray[np.float64]
BORDER_SLACK_PX = 1.0  # detectors round a box at the frame's edge


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSettings:
    """What a tracker is told. Lengths are parts of the frame's width, so that a frame of twice the size tracks the same.

    Attributes:
        jitter_width: standard deviation of where a detector puts a box's centre; 2 px of 1229.
        jitter_box: what comes on top, as a part of the box's side.
        detection_rate: share of the openings in clear view that the detector finds, until the tow itself tells.
        duplicate_iou: two boxes of one frame that share so much are one opening.
        longest_gap_s: over a longer time without a known motion no opening is recognised again.
        min_confidence: from it on a track counts as an opening.
        least_score: from it on the detector itself counts what it found. A thing that is seen again and again is there, but may be no
            opening: where its best score is below this, the track's confidence is halved, and falls on with that score.
    """

    jitter_width: float = 0.0016
    jitter_box: float = 0.04
    detection_rate: float = 0.85
    duplicate_iou: float = 0.4
    longest_gap_s: float = 3.0
    min_confidence: float = 0.5
    least_score: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: a length or a time that is not positive, or a share or score outside 0..1.
        """
        if not all(value > 0 for value in (self.jitter_width, self.jitter_box, self.longest_gap_s)):
            raise ValueError("jitter and gap must be positive")
        if not all(0 < value < 1 for value in (self.detection_rate, self.duplicate_iou, self.min_confidence)):
            raise ValueError("rate, overlap and confidence lie between 0 and 1")
        if not 0 <= self.least_score <= 1:
            raise ValueError("a score lies between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpeningTrack:
    """One opening of the seabed, as far as it was seen.

    Attributes:
        id: of this track in its tow, never given twice.
        frames: (K,) int32, ascending, index of the frames in which it was detected; K >= 1.
        boxes: (K, 4) float32, its detections, pixels of the full frame.
        scores: (K,) float32.
        detections: (K,) int32, index of the detection within its frame.
        first_s, last_s: when it was first and last detected.
        crossing_s: when it crossed the line; None: it did not, it was first seen below it, or it was outside the frame's sides.
        crossing_sd_s: standard deviation of that time, 0 where there is none.
        is_extrapolated: it crossed where it was not seen (silt, missing frames): its place is where the motion takes it.
        along_px: how far the seabed had moved past the line since the first frame when it crossed, or would have; negative for an
            opening that was below the line from the beginning. Pixels at the line's scale.
        across_px: its x at the crossing, or where it would have crossed.
        drift_px: how far the seabed at the line had moved to the right by then: across_px - drift_px stays the same for a place.
        along_sd_px: standard deviation of `along_px` against its neighbours (what the whole tow's length is uncertain by is apart).
        side_px: square root of the area of its box at the line's scale, median of those not cut by the frame.
        confidence: probability that this is one real opening, 0..1.
        n_missed: frames in which it lay in clear view and was not detected.
    """

    id: int
    frames: Int32Array
    boxes: Float32Array
    scores: Float32Array
    detections: Int32Array
    first_s: float
    last_s: float
    crossing_s: float | None
    crossing_sd_s: float
    is_extrapolated: bool
    along_px: float
    across_px: float
    drift_px: float
    along_sd_px: float
    side_px: float
    confidence: float
    n_missed: int

    @property
    def sideways_px(self) -> float:
        """Its place across in the seabed frame, the same however the sledge drifted."""
        return self.across_px - self.drift_px


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeabedTravel:
    """How the seabed moved past the middle of the line; F frames.

    Attributes:
        at_s: (F,) float64, times of the frames.
        along_px: (F,) float64, towards the camera since the first frame; it falls where the sledge went back.
        drift_px: (F,) float64, to the right since the first frame.
        sd_px: (F,) float64, standard deviation of the step into each frame.
        is_carried: (F,) bool: the step into the frame was not seen.
        row_scale: how much larger than at the line a length is drawn per pixel further down (1 / px); 0 for a camera that looks
            straight down.
    """

    at_s: Float64Array
    along_px: Float64Array
    drift_px: Float64Array
    sd_px: Float64Array
    is_carried: NDArray[np.bool_]
    row_scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TowTracks:
    """All openings of a tow, in the order in which they lie along it.

    Attributes:
        tracker, version: who made them.
        settings: with what.
        line_px: the row of the line.
    """

    tracker: str
    version: str
    settings: TrackSettings
    width_px: int
    height_px: int
    line_px: float
    travel: SeabedTravel
    tracks: tuple[OpeningTrack, ...]

    @property
    def counted(self) -> tuple[OpeningTrack, ...]:
        """Those that crossed the line and are more likely an opening than not, in order of crossing."""
        found = [one for one in self.tracks if one.crossing_s is not None and one.confidence >= self.settings.min_confidence]
        return tuple(sorted(found, key=lambda one: (one.crossing_s or 0.0, one.id)))


class Tracker(Protocol):
    """Tells which detections are one opening."""

    def track(self, frames: Sequence[FootageFrame], *, line_height: float, settings: TrackSettings) -> TowTracks:
        """Follow the openings of a tow.

        Args:
            frames: in order of time, all of one size; gone through once.
            line_height: the line, as a part of the frame's height from its top, above 0 and up to 1.
            settings: see there.

        Raises:
            ValueError: no frame, times that do not ascend, frames of several sizes, or a line outside the frame.
        """
        ...


def check_frames(frames: Sequence[FootageFrame], line_height: float) -> None:
    """What every tracker asks of its frames.

    Raises:
        ValueError: see `Tracker.track`.
    """
    if not frames:
        raise ValueError("a tow without a frame")
    if not 0 < line_height <= 1:
        raise ValueError(f"a line at {line_height} of the height is outside the frame")
    size = (frames[0].width_px, frames[0].height_px)
    before = -np.inf
    for number, frame in enumerate(frames):
        if not np.isfinite(frame.at_s) or frame.at_s <= before:
            raise ValueError(f"frame {number} at {frame.at_s} s does not come after {before} s")
        if (frame.width_px, frame.height_px) != size:
            raise ValueError(f"frame {number} is {frame.width_px} x {frame.height_px} px, the first is {size[0]} x {size[1]}")
        before = frame.at_s


def check_tracks(found: TowTracks, frames: Sequence[FootageFrame]) -> TowTracks:
    """The driver of trackers: hold what one returned against the frames it was given, and pass it on.

    Raises:
        ValueError: an id twice, a detection in two tracks or in none of its frame, a box that is not its detection's or lies outside
            the frame, times that do not ascend or are not the frames', a confidence outside 0..1, a crossing outside the tow or
            the frame's sides.
    """
    ids = [one.id for one in found.tracks]
    if len(set(ids)) != len(ids):
        raise ValueError("a track's id was given twice")
    if len(found.travel.at_s) != len(frames):
        raise ValueError(f"travel of {len(found.travel.at_s)} frames for {len(frames)}")
    taken: set[tuple[int, int]] = set()
    for track in found.tracks:
        _check_track(track, frames, found)
        for key in zip(track.frames.tolist(), track.detections.tolist(), strict=True):
            if key in taken:
                raise ValueError(f"detection {key[1]} of frame {key[0]} is in two tracks")
            taken.add(key)
    return found


def _check_track(track: OpeningTrack, frames: Sequence[FootageFrame], found: TowTracks) -> None:
    name, count = f"track {track.id}", len(track.frames)
    shapes = (track.boxes.shape == (count, 4), track.scores.shape == (count,), track.detections.shape == (count,))
    if not count or not all(shapes):
        raise ValueError(f"{name}: frames, boxes, scores and detections are not of one length above 0")
    if (np.diff(track.frames) <= 0).any() or track.frames[0] < 0 or track.frames[-1] >= len(frames):
        raise ValueError(f"{name}: its frames do not ascend within the tow")
    for frame, box, score, place in zip(track.frames, track.boxes, track.scores, track.detections, strict=True):
        seen = frames[frame].detections
        if not 0 <= place < len(seen) or not np.array_equal(seen.xyxy[place], box) or seen.score[place] != score:
            raise ValueError(f"{name}: frame {frame} has no such detection")
    slack = BORDER_SLACK_PX
    outside = (track.boxes < -slack).any() or (track.boxes[:, 0::2] > found.width_px + slack).any()
    if outside or (track.boxes[:, 1::2] > found.height_px + slack).any():
        raise ValueError(f"{name}: a box lies outside of the frame")
    if track.first_s != frames[track.frames[0]].at_s or track.last_s != frames[track.frames[-1]].at_s:
        raise ValueError(f"{name}: its times are not those of its frames")
    if not 0 <= track.confidence <= 1 or track.n_missed < 0:
        raise ValueError(f"{name}: confidence {track.confidence}, missed {track.n_missed}")
    places = (track.along_px, track.across_px, track.drift_px, track.along_sd_px, track.side_px, track.crossing_sd_s)
    if not np.isfinite(places).all() or track.along_sd_px < 0 or track.crossing_sd_s < 0:
        raise ValueError(f"{name}: a place that is no number")
    if track.crossing_s is not None:
        inside = frames[0].at_s <= track.crossing_s <= frames[-1].at_s and 0 <= track.across_px < found.width_px
        if not inside or track.crossing_s < track.first_s:
            raise ValueError(f"{name}: crosses at {track.crossing_s} s, x {track.across_px}, outside of the tow or before it was seen")
