"""What a frame's boxes say of where openings are: one box for each opening, its centre, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame
from edge.survey.tow.assign import pairs_within
from edge.survey.tow.tracks import Float64Array, TrackSettings
from edge.values import Float32Array, Int32Array

_CUT_SLACK = 0.002  # of the width: a box that ends so near to the border is taken as cut by it
_CUT_SD = 0.2  # of its longer side: how far the centre of a cut box may be from where it is taken to be
_INSIDE_SHARE = 0.75  # of the smaller box inside the larger one: a part of the same opening
_LEAST_RATIO = 0.2  # of the areas; a small opening inside the box of a large one is one of its own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sightings:
    """The openings that one frame shows; N of them.

    Attributes:
        place: (N,) int32, index of the detection.
        box, score: (N, 4) and (N,) float32, as detected.
        xy: (N, 2) float64 centres, pixels.
        wh: (N, 2) float64 sides.
        var: (N, 2) float64 variance of the centres, px^2.
        is_cut: (N,) bool, the box ends at the border of the frame.
    """

    place: Int32Array
    box: Float32Array
    score: Float32Array
    xy: Float64Array
    wh: Float64Array
    var: Float64Array
    is_cut: NDArray[np.bool_]


def sightings(frame: FootageFrame, settings: TrackSettings) -> Sightings:
    """The openings of a frame, each by its best box."""
    found = frame.detections
    place = np.flatnonzero(~_repeats(found.xyxy.astype(np.float64), found.score, settings.duplicate_iou))
    box = found.xyxy[place].astype(np.float64)
    wh = np.maximum(box[:, 2:] - box[:, :2], 1.0)
    cut = cut_sides(box, frame.width_px, frame.height_px)
    sd = settings.jitter_width * frame.width_px + settings.jitter_box * wh
    longer = wh.max(axis=1, initial=0.0, keepdims=True)
    sd = np.where(cut, sd + _CUT_SD * longer, sd)
    return Sightings(
        place=place.astype(np.int32),
        box=found.xyxy[place],
        score=found.score[place],
        xy=_centres(box, longer, cut, frame.width_px, frame.height_px),
        wh=wh,
        var=sd**2,
        is_cut=np.asarray(cut.any(axis=1)),
    )


def _centres(box: Float64Array, longer: Float64Array, cut: NDArray[np.bool_], width_px: int, height_px: int) -> Float64Array:
    """(N, 2) centres of openings. One that the border cuts is taken to be as wide as it is tall, and lies further out than its box."""
    middle = (box[:, :2] + box[:, 2:]) / 2
    near_end = middle < np.array([width_px, height_px]) / 2
    whole = np.where(near_end, box[:, 2:] - longer / 2, box[:, :2] + longer / 2)
    return np.asarray(np.where(cut, whole, middle))


def cut_sides(box: Float64Array, width_px: int, height_px: int) -> NDArray[np.bool_]:
    """(N, 2) bool: the boxes (N, 4) that end at the left or right border, and at the upper or lower one."""
    slack = _CUT_SLACK * width_px
    return np.asarray((box[:, :2] <= slack) | (box[:, 2:] >= np.array([width_px, height_px]) - slack))


def _repeats(box: Float64Array, score: NDArray[np.float32], most_iou: float) -> NDArray[np.bool_]:
    """(N,) bool: boxes on an opening that a better box marks."""
    repeats = np.zeros(len(box), np.bool_)
    wh = box[:, 2:] - box[:, :2]
    side = wh.max(axis=1, initial=0.0)
    i, j = pairs_within((box[:, :2] + box[:, 2:]) / 2, (box[:, :2] + box[:, 2:]) / 2, (side + side.max(initial=0.0)) / 2)
    i, j = i[i < j], j[i < j]
    shared = np.clip(np.minimum(box[i, 2:], box[j, 2:]) - np.maximum(box[i, :2], box[j, :2]), 0, None).prod(axis=1)
    one, other = np.maximum(wh[i].prod(axis=1), 1e-9), np.maximum(wh[j].prod(axis=1), 1e-9)
    smaller, larger = np.minimum(one, other), np.maximum(one, other)
    part = (shared >= _INSIDE_SHARE * smaller) & (smaller >= _LEAST_RATIO * larger)
    same = part | (shared >= most_iou * (one + other - shared))
    first = score[i] >= score[j]
    better, worse = np.where(first, i, j)[same], np.where(first, j, i)[same]
    for k in np.argsort(-score[better], kind="stable"):
        if not repeats[better[k]]:
            repeats[worse[k]] = True
    return repeats
