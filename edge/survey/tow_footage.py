"""The frames of a tow on one clock: from its clips or its stills, cut to the line, with a reason for everything that is left out.

Where each clip lies on the tow's clock, `edge.survey.tow_clips` says.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from edge.footage import FootageFrame
from edge.footage_pack import unpack_frames
from edge.store.readings import open_parts
from edge.store.reads.footage import TowClipRow, TowStillRow
from edge.store.reads.surveys import TowRow
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.survey.tow_clips import Clock, Piece, bridge, place_clips
from edge.values import Detections

__all__ = ["Clock", "Piece", "TowFootage", "frames_of_clips", "frames_of_stills", "place_clips", "times_of_stills"]

FARTHEST_APART_S = 0.4  # an opening stays in view for about a second: stills further apart do not tell how the seabed moved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TowFootage:
    """What there is to look at.

    Attributes:
        frames: ascending in time, all of one size; empty where nothing can be used.
        left_out: sentences on what is not used, and why.
        clock: what the times count from.
        model_id: the model whose findings these are; None where there are none.
        least_score: what the model's findings must reach to be counted; those below it are candidates.
    """

    frames: tuple[FootageFrame, ...]
    left_out: tuple[str, ...]
    clock: Clock
    model_id: int | None
    least_score: float = 0.0


def frames_of_clips(connection: Connection, seal: Seal, tow: TowRow, clips: Sequence[TowClipRow]) -> TowFootage:
    """The frames of a tow's clips.

    Raises:
        StoreError: what was read of a clip does not open.
    """
    pieces, left_out, clock = place_clips(clips, tow)
    models = Counter(piece.clip.model_id for piece in pieces)
    model_id = models.most_common(1)[0][0] if models else None
    left_out += [f"{piece.clip.name}: read by another model than the others" for piece in pieces if piece.clip.model_id != model_id]
    frames: list[FootageFrame] = []
    last: int | None = None
    for piece in pieces:
        if piece.clip.model_id == model_id and piece.clip.reading_id is not None:
            of_clip: list[FootageFrame] = []
            for part in open_parts(connection, seal, piece.clip.reading_id):
                of_clip += [replace(frame, at_s=frame.at_s + piece.from_s) for frame in unpack_frames(part)]
            frames += bridge(frames, of_clip) if piece.goes_on_from is not None and piece.goes_on_from == last else of_clip
            last = piece.clip.image_id
    frames, cut = _of_line(frames, tow, clock)
    frames, odd = _of_one_size(frames)
    least = min((piece.clip.score_threshold or 0.0 for piece in pieces if piece.clip.model_id == model_id), default=0.0)
    return TowFootage(frames=tuple(frames), left_out=tuple(left_out + cut + odd), clock=clock, model_id=model_id, least_score=least)


def frames_of_stills(
    stills: Sequence[TowStillRow],
    tow: TowRow,
    found: Callable[[TowStillRow], Detections | None],
    watch: Callable[[Sequence[tuple[int, float]]], Sequence[FootageFrame | None]],
) -> TowFootage:
    """The frames of a tow's stills.

    Args:
        found: what the model found on a still; None where there is no result.
        watch: how the seabed moved along (image id, seconds): a frame without detections for each, None for one that cannot be read.
    """
    clock = Clock.SHEET if tow.start_utc is not None else Clock.FILES
    timed, left_out = times_of_stills(stills, clock)
    usable = [(still, at_s, found(still)) for still, at_s in timed]
    missing = sum(1 for _, _, detections in usable if detections is None)
    if missing:
        left_out.append(f"{missing} stills have no result")
    steps = [later[1] - earlier[1] for earlier, later in itertools.pairwise(timed)]
    model_id = next((still.model_id for still, _, detections in usable if detections is not None), None)
    if not steps or median(steps) > FARTHEST_APART_S:
        apart = f"its stills are {median(steps):.1f} s apart" if steps else "it has fewer than two stills with a time"
        reason = f"{apart}: openings can be followed only where they are at most {FARTHEST_APART_S} s apart"
        return TowFootage(frames=(), left_out=(*left_out, reason), clock=clock, model_id=model_id)
    seen = watch([(still.image_id, at_s) for still, at_s, detections in usable if detections is not None])
    kept = [detections for _, _, detections in usable if detections is not None]
    frames = [replace(frame, detections=one) for frame, one in zip(seen, kept, strict=True) if frame is not None]
    if len(frames) < len(kept):
        left_out.append(f"{len(kept) - len(frames)} stills can no longer be read")
    frames, odd = _of_one_size(frames)
    least = min((still.score_threshold or 0.0 for still, _, detections in usable if detections is not None), default=0.0)
    return TowFootage(frames=tuple(frames), left_out=tuple(left_out + odd), clock=clock, model_id=model_id, least_score=least)


def times_of_stills(stills: Sequence[TowStillRow], clock: Clock) -> tuple[list[tuple[TowStillRow, float]], list[str]]:
    """The stills with their seconds, each second once."""
    if clock is Clock.SHEET:
        timed = [(still, still.at_s) for still in stills if still.at_s is not None and still.at_s >= 0]
    else:
        moments = [(still, datetime.fromisoformat(still.capture_time_utc)) for still in stills if still.capture_time_utc is not None]
        first = min((moment for _, moment in moments), default=None)
        timed = [(still, (moment - first).total_seconds()) for still, moment in moments if first is not None]
    timed.sort(key=lambda one: (one[1], one[0].image_id))
    once = [one for place, one in enumerate(timed) if place == 0 or one[1] > timed[place - 1][1]]
    left_out = []
    if len(timed) < len(stills):
        left_out.append(f"{len(stills) - len(timed)} stills have no time on the tow's clock")
    if len(once) < len(timed):
        left_out.append(f"{len(timed) - len(once)} stills have the time of another one: a second camera, or the same still twice")
    return once, left_out


def _of_line(frames: list[FootageFrame], tow: TowRow, clock: Clock) -> tuple[list[FootageFrame], list[str]]:
    """The frames between start and end of line, each later than the one before."""
    if clock is Clock.SHEET and tow.start_utc is not None:
        end_s = float("inf")
        if tow.end_utc is not None:
            end_s = (datetime.fromisoformat(tow.end_utc) - datetime.fromisoformat(tow.start_utc)).total_seconds()
        inside = [frame for frame in frames if 0 <= frame.at_s <= end_s]
    else:
        inside = frames
    ordered: list[FootageFrame] = []
    for frame in inside:
        if not ordered or frame.at_s > ordered[-1].at_s:
            ordered.append(frame)
    left_out = []
    if frames and not inside:
        left_out.append("none of its footage lies between start and end of line: check the times of the sheet and the camera's offset")
    return ordered, left_out


def _of_one_size(frames: list[FootageFrame]) -> tuple[list[FootageFrame], list[str]]:
    sizes = Counter((frame.width_px, frame.height_px) for frame in frames)
    if len(sizes) < 2:
        return frames, []
    (width_px, height_px), _ = sizes.most_common(1)[0]
    kept = [frame for frame in frames if (frame.width_px, frame.height_px) == (width_px, height_px)]
    return kept, [f"{len(frames) - len(kept)} frames are not {width_px} x {height_px} px as the others are"]
