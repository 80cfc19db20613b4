"""What the frames of a tow come to: openings followed, systems proposed, the line counted, seconds measured. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np

from edge.footage import FootageFrame, Visibility
from edge.store.analyses import FoundMinute, FoundOpening, FoundSystem, NewAnalysis, SeenSecond
from edge.survey.tow.count import ModelCount, count_line, system_crossings
from edge.survey.tow.countable import CountableSettings, propose_not_countable
from edge.survey.tow.laser_width import WidthSecond, widths_per_second
from edge.survey.tow.systems import Systems, SystemSettings, group_systems
from edge.survey.tow.tracker import SeabedTracker
from edge.survey.tow.tracks import OpeningTrack, TowTracks, TrackSettings, check_tracks
from edge.survey.tow_footage import TowFootage

LASER_GAP_SD_M = 0.002  # of a gap that was measured with a tape on deck
LEAST_CONFIDENCE = 0.1  # a track below it is not even shown for review, unless it counts

TRACKER = f"{SeabedTracker.name} {SeabedTracker.version}"


def made_from(sources: Mapping[str, Any], *, line_height: float, settings: TrackSettings) -> tuple[str, str]:
    """Everything that an analysis is made from, as JSON, and its hash: the same gives the same.

    Args:
        sources: readings, stills and their clocks.
    """
    content = {**sources, "line_height": line_height, "tracker": TRACKER, "settings": asdict(settings)}
    text = json.dumps(content, sort_keys=True)
    return text, hashlib.sha256(text.encode()).hexdigest()


def analyse(
    footage: TowFootage, sources: Mapping[str, Any], *, line_height: float, settings: TrackSettings, laser_gap_m: float | None = None
) -> NewAnalysis:
    """Follow, group and count.

    Args:
        footage: the frames of the tow; without a frame the analysis is refused with what was left out.
        sources: see `made_from`; its hash does not change with what is told of the footage here.
        line_height: the counting row.
        laser_gap_m: between the beams at the camera's sides; without it no width is measured.
    """
    if not footage.frames:
        reason = "; ".join(footage.left_out) or "it has no footage"
        return refused(sources, line_height=line_height, settings=settings, state="refused", reason=reason, model_id=footage.model_id)
    text, sha256 = made_from(sources, line_height=line_height, settings=settings)
    beside = {"clock": str(footage.clock), "left_out": list(footage.left_out), "least_score": footage.least_score}
    told = json.dumps({**json.loads(text), **beside}, sort_keys=True)
    following = replace(settings, least_score=footage.least_score)
    tracks = check_tracks(SeabedTracker().track(footage.frames, line_height=line_height, settings=following), footage.frames)
    widths = {}
    if laser_gap_m is not None:
        found = widths_per_second(footage.frames, gap_m=laser_gap_m, gap_sd_m=LASER_GAP_SD_M, line_height=line_height)
        widths = {one.second: one for one in found}
    width_m = float(np.median([one.width_m for one in widths.values()])) if widths else None
    systems = group_systems(tracks, SystemSettings(), width_m=width_m)
    hidden = frozenset(
        propose_not_countable([frame.at_s for frame in footage.frames], [frame.visibility for frame in footage.frames], CountableSettings())
    )
    count = count_line(tracks, systems)
    return NewAnalysis(
        made_from=told,
        made_from_sha256=sha256,
        model_id=footage.model_id,
        tracker=TRACKER,
        state="done",
        frames=len(footage.frames),
        seen_s=round(footage.frames[-1].at_s - footage.frames[0].at_s, 3),
        openings=float(count.openings),
        openings_sd=count.openings_sd,
        systems=float(count.systems),
        systems_sd=count.systems_sd,
        found_systems=_systems(tracks, systems),
        found_openings=_openings(tracks, systems, footage.frames, width_m),
        minutes=_minutes(count, hidden),
        seconds=_seconds(tracks, footage.frames, hidden, widths),
    )


def refused(
    sources: Mapping[str, Any],
    *,
    line_height: float,
    settings: TrackSettings,
    state: Literal["refused", "failed"],
    reason: str,
    model_id: int | None = None,
) -> NewAnalysis:
    """No count, and why: the footage allows none, or it failed."""
    text, sha256 = made_from(sources, line_height=line_height, settings=settings)
    return NewAnalysis(made_from=text, made_from_sha256=sha256, model_id=model_id, tracker=TRACKER, state=state, reason=reason)


def _systems(tracks: TowTracks, systems: Systems) -> list[FoundSystem]:
    crossings = system_crossings(tracks, systems)
    return [
        FoundSystem(ordinal=one.id, crossing_s=crossings.get(one.id), openings=len(one.openings), confidence=one.confidence)
        for one in systems.systems
    ]


def _openings(tracks: TowTracks, systems: Systems, frames: Sequence[FootageFrame], width_m: float | None) -> list[FoundOpening]:
    system_of = {opening: one.id for one in systems.systems for opening in one.openings}
    counted = {one.id for one in tracks.counted}
    shown = [one for one in tracks.tracks if one.id in counted or one.id in system_of or one.confidence >= LEAST_CONFIDENCE]
    return [
        FoundOpening(
            ordinal=place,
            system=system_of.get(one.id),
            first_s=one.first_s,
            last_s=one.last_s,
            crossing_s=one.crossing_s,
            along_px=one.along_px,
            across_px=one.across_px,
            along_sd_px=one.along_sd_px,
            along_m=None if width_m is None else one.along_px * width_m / tracks.width_px,
            across_m=None if width_m is None else (one.across_px / tracks.width_px - 0.5) * width_m,
            score=float(one.scores.max()),
            confidence=one.confidence,
            frames=len(one.frames),
            missed=one.n_missed,
            is_extrapolated=int(one.is_extrapolated),
            label_index=label_of(one, frames),
            boxes=pack_boxes(one, frames),
        )
        for place, one in enumerate(shown, start=1)
    ]


def label_of(track: OpeningTrack, frames: Sequence[FootageFrame]) -> int:
    """Index of the label that its detections say, weighed by their scores: the largest sum, of equal ones the lowest index."""
    labels = [frames[index].detections.label_index[place] for index, place in zip(track.frames, track.detections, strict=True)]
    return int(np.argmax(np.bincount(labels, weights=track.scores)))


def pack_boxes(track: OpeningTrack, frames: Sequence[FootageFrame]) -> bytes:
    """The boxes of an opening: a row of 6 little-endian float64 for each, see `tow_openings` in the schema."""
    rows = np.empty((len(track.frames), 6), "<f8")
    rows[:, 0] = [frames[index].at_s for index in track.frames]
    rows[:, 1:5] = track.boxes
    rows[:, 5] = track.scores
    return rows.tobytes()


def _minutes(count: ModelCount, hidden: frozenset[int]) -> list[FoundMinute]:
    return [
        FoundMinute(
            minute=one.minute,
            openings=float(one.openings),
            openings_sd=one.openings_sd,
            systems=float(one.systems),
            systems_sd=one.systems_sd,
            hidden_s=float(sum((one.minute - 1) * 60 <= second < one.minute * 60 for second in hidden)),
        )
        for one in count.minutes
    ]


def _seconds(
    tracks: TowTracks, frames: Sequence[FootageFrame], hidden: frozenset[int], widths: Mapping[int, WidthSecond]
) -> list[SeenSecond]:
    by_second: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        by_second.setdefault(int(frame.at_s), []).append(index)
    travel = tracks.travel
    found = []
    for second, inside in sorted(by_second.items()):
        first, last = max(inside[0] - 1, 0), inside[-1]
        elapsed_s = travel.at_s[last] - travel.at_s[first]
        seen = [frames[index].visibility for index in inside]
        width = widths.get(second)
        found.append(
            SeenSecond(
                second=second,
                frames=len(inside),
                speed_px_per_s=float((travel.along_px[last] - travel.along_px[first]) / elapsed_s) if elapsed_s > 0 else None,
                width_m=None if width is None else width.width_m,
                width_sd_m=None if width is None else width.sd_m,
                mean_luminance=_mean(seen, "mean_luminance"),
                contrast=_mean(seen, "contrast"),
                sharpness=_mean(seen, "sharpness"),
                silt_fraction=_mean(seen, "silt_fraction"),
                dark_fraction=_mean(seen, "dark_fraction"),
                not_countable=int(second in hidden),
            )
        )
    return found


def _mean(seen: Sequence[Visibility | None], name: str) -> float | None:
    values = [float(getattr(one, name)) for one in seen if one is not None]
    return sum(values) / len(values) if values else None
