"""The seabed tracker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.footage import FootageFrame
from edge.survey.tow.alive import NOT_YET, Rows
from edge.survey.tow.boxes import cut_sides
from edge.survey.tow.follow import Follower, follow
from edge.survey.tow.line import is_unseen
from edge.survey.tow.plane import scale_of_rows
from edge.survey.tow.tracks import Float64Array, OpeningTrack, SeabedTravel, TowTracks, TrackSettings, check_frames

LEAST_TOLD = 1e-4
"""Confidence of a track below which it is not told. Of what a detector saw once and never again there are thousands to a real opening;
all of them together hold less than a thousandth of one."""


@dataclass(frozen=True, slots=True)
class _Frame:
    width_px: int
    height_px: int
    line_px: float


class SeabedTracker:
    """Follows openings where the seabed moved, by the homographies between frames; see `follow`."""

    name = "seabed"
    version = "1"

    def track(self, frames: Sequence[FootageFrame], *, line_height: float, settings: TrackSettings) -> TowTracks:
        """See `Tracker.track`."""
        check_frames(frames, line_height)
        width, height = frames[0].width_px, frames[0].height_px
        line_px = line_height * height
        followed = follow(frames, line_px, settings)
        travel = SeabedTravel(
            at_s=np.array(followed.at_s),
            along_px=np.array(followed.along),
            drift_px=np.array(followed.drift),
            sd_px=np.array(followed.step_sd),
            is_carried=np.array(followed.is_carried),
            row_scale=float(np.median(followed.row_scales)) if followed.row_scales else 0.0,
        )
        return TowTracks(
            tracker=self.name,
            version=self.version,
            settings=settings,
            width_px=width,
            height_px=height,
            line_px=line_px,
            travel=travel,
            tracks=_tracks(followed, _Frame(width, height, line_px), travel, settings.least_score),
        )


def _tracks(followed: Follower, frame: _Frame, travel: SeabedTravel, least_score: float) -> tuple[OpeningTrack, ...]:
    """All tracks but the hopeless ones (`LEAST_TOLD`), numbered from 1 in the order in which they lie along the tow."""
    rows, sights, sure = followed.kept.judged()
    owner = np.searchsorted(rows["id"], sights["id"])
    sure = sure * _trust(sights["score"], owner, len(rows), least_score)
    told = np.flatnonzero(sure >= LEAST_TOLD)
    sights, owner = sights[is_told := np.isin(owner, told)], np.searchsorted(told, owner[is_told])
    rows, sure = rows[told], sure[told]
    if not len(rows):
        return ()
    _place_the_others(rows, frame, travel)
    side = _sides(sights["box"].astype(np.float64), owner, frame, travel.row_scale)
    unseen = is_unseen(rows)
    begin = np.searchsorted(owner, np.arange(len(rows) + 1))
    order = np.lexsort((rows["id"], rows["along"]))
    return tuple(
        _track(number, rows[k], sights[begin[k] : begin[k + 1]], travel.at_s, (float(sure[k]), float(side[k]), bool(unseen[k])))
        for number, k in enumerate(order.tolist(), start=1)
    )


def _trust(scores: NDArray[np.float32], owner: NDArray[np.intp], count: int, least_score: float) -> Float64Array:
    """(count,): 1 for tracks whose best score the detector itself counts, less than a half for others; see `TrackSettings.least_score`."""
    if least_score <= 0:
        return np.ones(count)
    best = np.zeros(count)
    np.maximum.at(best, owner, scores)
    return np.where(best >= least_score, 1.0, np.minimum(0.5 * best / least_score, 0.499))


def _track(number: int, row: Rows, sights: Rows, at_s: Float64Array, known: tuple[float, float, bool]) -> OpeningTrack:
    confidence, side_px, unseen = known
    crossed = row["crossed"] != NOT_YET
    return OpeningTrack(
        id=number,
        frames=sights["frame"].copy(),
        boxes=sights["box"].copy(),
        scores=sights["score"].copy(),
        detections=sights["place"].copy(),
        first_s=float(at_s[row["first"]]),
        last_s=float(at_s[row["last"]]),
        crossing_s=float(row["crossing_s"]) if crossed else None,
        crossing_sd_s=float(row["crossing_sd_s"]) if crossed else 0.0,
        is_extrapolated=bool(crossed and unseen),
        along_px=float(row["along"]),
        across_px=float(row["across"]),
        drift_px=float(row["drift"]),
        along_sd_px=float(row["along_sd"]),
        side_px=side_px,
        confidence=confidence,
        n_missed=int(row["missed"]),
    )


def _place_the_others(rows: Rows, frame: _Frame, travel: SeabedTravel) -> None:
    """Where along and across those lie that did not cross: from where they were seen last, at the scale of the line."""
    others = np.flatnonzero(rows["crossed"] == NOT_YET)
    seen_at = rows["seen_xy"][others]
    scale = scale_of_rows(seen_at[:, 1], frame.line_px, travel.row_scale)
    rows["along"][others] = travel.along_px[rows["last"][others]] + (frame.line_px - seen_at[:, 1]) / scale
    rows["across"][others] = frame.width_px / 2 + (seen_at[:, 0] - frame.width_px / 2) / scale
    rows["drift"][others] = travel.drift_px[rows["last"][others]]
    rows["along_sd"][others] = rows["seen_sd"][others]


def _sides(box: Float64Array, owner: NDArray[np.intp], frame: _Frame, row_scale_per_px: float) -> Float64Array:
    """(N,) median side of each track's boxes at the line's scale, pixels; of cut ones only where there are no others.

    Seen obliquely a length across grows with the scale and one along with its square.
    """
    wh = box[:, 2:] - box[:, :2]
    scale = scale_of_rows((box[:, 1] + box[:, 3]) / 2, frame.line_px, row_scale_per_px)
    side = np.sqrt(wh.prod(axis=1)) / scale**1.5
    cut = cut_sides(box, frame.width_px, frame.height_px).any(axis=1)
    order = np.lexsort((side, cut, owner))
    whole, count = np.bincount(owner, ~cut), np.bincount(owner)
    begin = np.cumsum(count) - count
    middle = begin + (np.where(whole > 0, whole, count).astype(np.intp) - 1) // 2
    return np.asarray(side[order[middle]])
