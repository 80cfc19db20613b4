"""A tracker that knows the truth, and how near another one comes to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.footage import FootageFrame
from edge.survey.tow.tracks import OpeningTrack, SeabedTravel, TowTracks, TrackSettings, check_frames
from tests.simulators.tow import FALSE, SimulatedTow


class TruthTracker:
    """Gives each opening of a simulated tow its own track, and what is no opening none: the protocol's simulated implementation."""

    name = "truth"
    version = "1"

    def __init__(self, tow: SimulatedTow) -> None:
        self._tow = tow

    def track(self, frames: Sequence[FootageFrame], *, line_height: float, settings: TrackSettings) -> TowTracks:
        check_frames(frames, line_height)
        line_px = line_height * frames[0].height_px
        crossing = {one.opening: one for one in self._tow.crossings}
        seen: dict[int, list[tuple[int, int]]] = {}
        for number, owners in enumerate(self._tow.owners):
            for place, owner in enumerate(owners.tolist()):
                if owner != FALSE:
                    seen.setdefault(owner, []).append((number, place))
        tracks = []
        for owner, sights in sorted(seen.items()):
            true = crossing.get(owner)
            first, last = (frames[number].at_s for number in (sights[0][0], sights[-1][0]))
            counts = true is not None and true.at_s >= first
            along = float(np.interp(true.at_s if true else last, [frame.at_s for frame in frames], self._tow.along_px))
            box = np.array([frames[number].detections.xyxy[place] for number, place in sights])
            tracks.append(
                OpeningTrack(
                    id=owner,
                    frames=np.array([number for number, _ in sights], np.int32),
                    boxes=box,
                    scores=np.array([frames[number].detections.score[place] for number, place in sights]),
                    detections=np.array([place for _, place in sights], np.int32),
                    first_s=first,
                    last_s=last,
                    crossing_s=true.at_s if true is not None and counts else None,
                    crossing_sd_s=0.0,
                    is_extrapolated=False,
                    along_px=along,
                    across_px=true.x_px if true is not None else float(box[-1, 0::2].mean()),
                    drift_px=0.0,
                    along_sd_px=0.0,
                    side_px=float(np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])).mean()),
                    confidence=1.0,
                    n_missed=0,
                )
            )
        count = len(frames)
        travel = SeabedTravel(
            at_s=np.array([frame.at_s for frame in frames]),
            along_px=self._tow.along_px,
            drift_px=np.zeros(count),
            sd_px=np.zeros(count),
            is_carried=np.zeros(count, np.bool_),
            row_scale=0.0,
        )
        return TowTracks(
            tracker=self.name,
            version=self.version,
            settings=settings,
            width_px=frames[0].width_px,
            height_px=frames[0].height_px,
            line_px=line_px,
            travel=travel,
            tracks=tuple(sorted(tracks, key=lambda one: (one.along_px, one.id))),
        )


def followed_openings(found: TowTracks, tow: SimulatedTow) -> dict[int, int]:
    """Track -> the opening that most of its detections are of; FALSE for what is none."""
    followed = {}
    for track in found.tracks:
        owners = [int(tow.owners[frame][place]) for frame, place in zip(track.frames.tolist(), track.detections.tolist(), strict=True)]
        values, counts = np.unique(owners, return_counts=True)
        followed[track.id] = int(values[counts.argmax()])
    return followed


def id_switches(found: TowTracks, tow: SimulatedTow) -> float:
    """How often an opening's next detection is in another track than its last, per opening that was seen (IDSW of CLEAR MOT)."""
    seen: dict[int, list[tuple[int, int]]] = {}
    for track in found.tracks:
        for frame, place in zip(track.frames.tolist(), track.detections.tolist(), strict=True):
            owner = int(tow.owners[frame][place])
            if owner != FALSE:
                seen.setdefault(owner, []).append((frame, track.id))
    switches = sum(a != b for sights in seen.values() for (_, a), (_, b) in zip(sorted(sights), sorted(sights)[1:], strict=False))
    return switches / max(len(seen), 1)
