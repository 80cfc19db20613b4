"""Where the clips of a tow lie on its clock: by the sheet and the files' times, parts of one recording behind one another.

The clock is that of the sheet where start of line and the times of the files are known. Without them it begins with the first file:
by the files' own times, else in the order of their names, each behind the one before; `Clock` says which. Cameras close a file at
4 GB and go on in the next: such a part has no place of its own but that behind the parts before (`edge.footage_splits`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

import numpy as np

from edge.footage import ClipFacts, FootageFrame, Motion
from edge.footage_splits import Recording, SplitFile, order_splits
from edge.store.reads.footage import TowClipRow
from edge.store.reads.surveys import TowRow

OVERLAP_S = 0.5
SEAM_S = 0.5  # parts of a recording that lie closer than this show one seabed: openings are followed over the seam
# Of the frame's width: what a motion that is carried on is off by after one step and more, as the observer of the seabed has it
# (`edge.pipeline.seabed.observer`), which cannot look over a seam.
_SEAM_SD = 0.06
_SEAM_MEMORY_S = 1.0


class Clock(StrEnum):
    """What the times of the frames count from."""

    SHEET = "start of line"
    FILES = "the first file, by the files' times"
    ORDER = "the first file, one behind the other by name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A clip and its place on the tow's clock. `goes_on_from`: the clip (image id) whose recording goes on in it without a gap."""

    clip: TowClipRow
    from_s: float
    to_s: float
    goes_on_from: int | None = None


def place_clips(clips: Sequence[TowClipRow], tow: TowRow) -> tuple[list[Piece], list[str], Clock]:
    """Where each read clip lies on the tow's clock; of clips that run at the same time the longer one is kept."""
    read = [clip for clip in clips if clip.reading_id is not None and clip.read_to_s is not None]
    left_out = [f"{clip.name}: not read yet" for clip in clips if clip.reading_id is None]
    clip_of = {clip.image_id: clip for clip in read}
    recordings, lost = _recordings(read)
    starts, clock = _starts(recordings, tow, clip_of)
    recordings, unplaced = _with_a_beginning(recordings, clock)
    if unplaced:
        starts, clock = _starts(recordings, tow, clip_of)
    left_out += lost + unplaced
    if clock is Clock.ORDER:
        left_out += [f"{one.apart}; it is taken to go on there" for one in recordings if one.apart is not None]
    runs = [_run(recording, start, clip_of) for recording, start in zip(recordings, starts, strict=True)]
    kept: list[Piece] = []
    for run in sorted(runs, key=lambda one: (one[0].from_s - one[-1].to_s, one[0].from_s)):  # the longest first
        others = tuple(kept)  # parts of one recording may overlap a little: that is no second camera
        for piece in run:
            rival = next((one for one in others if min(one.to_s, piece.to_s) - max(one.from_s, piece.from_s) > OVERLAP_S), None)
            if rival is None:
                kept.append(piece)
            else:
                left_out.append(f"{piece.clip.name}: {rival.clip.name} shows the same time; a second camera, or the same footage twice")
    kept.sort(key=lambda one: one.from_s)
    return kept, left_out, clock


def places_on_clock(clips: Sequence[TowClipRow], tow: TowRow) -> list[tuple[int, float | None]]:
    """Of each clip the number of those that may be parts of one recording with it, and when it begins; None where it has no place."""
    group_of = {file.key: number for number, files in enumerate(_together(clips)) for file in files}
    begins_s = {piece.clip.image_id: round(piece.from_s, 3) for piece in place_clips(clips, tow)[0]}
    return [(group_of[clip.image_id], begins_s.get(clip.image_id)) for clip in clips]


def bridge(before: Sequence[FootageFrame], behind: list[FootageFrame]) -> list[FootageFrame]:
    """The frames of a part, the first with a motion from the last frame of the part before: the one around the seam, carried on.

    Without it every opening in view would be cut in two there. As they are where the two are too far apart, or nothing told a motion.
    Where the parts overlap, only those behind the last frame of the part before.
    """
    again = sum(frame.at_s <= before[-1].at_s for frame in behind) if before else 0
    if again:
        behind = behind[again:]
        behind[:1] = [replace(frame, motion=None) for frame in behind[:1]]  # the frame that it moved from went
    if not before or not behind or behind[0].motion is not None:
        return behind
    step_s = behind[0].at_s - before[-1].at_s
    near = [(one, frame.at_s - last.at_s) for last, frame, one in _told([*before[-3:], *behind[:3]]) if frame.at_s > last.at_s]
    if not 0 < step_s <= SEAM_S or not near:
        return behind
    per_s = np.mean([(one.homography / one.homography[2, 2] - np.eye(3)) / elapsed_s for one, elapsed_s in near], axis=0)
    homography = np.asarray(np.eye(3) + per_s * step_s, np.float64)  # linear in the distance, as for a sledge that goes straight
    sd_px = _SEAM_SD * behind[0].width_px * 6 * step_s * (1 - float(np.exp(-step_s / _SEAM_MEMORY_S)))
    motion = Motion(homography=np.asarray(homography / homography[2, 2], np.float64), sd_px=sd_px, source="carried")
    return [replace(behind[0], motion=motion), *behind[1:]]


def _told(frames: Sequence[FootageFrame]) -> list[tuple[FootageFrame, FootageFrame, Motion]]:
    return [(last, frame, frame.motion) for last, frame in pairwise(frames) if frame.motion is not None]


def _recordings(clips: Sequence[TowClipRow]) -> tuple[list[Recording], list[str]]:
    """Clips as recordings of one or more parts, and what is said of parts that are missing; a part without a place is left out."""
    every = [one for files in _together(clips) for one in order_splits(files)]
    placed, told = list[Recording](), list[str]()
    for one in every:
        if one.lost_behind is not None:
            told.append(_left_out(one, f"between {one.lost_behind} and {one.files[0].name}"))
            continue
        told += [
            f"{_missing(gap.parts, f'between {gap.before} and {gap.behind}')}: {gap.lasts_s:.0f} s of the tow are not seen"
            for gap in one.missing
        ]
        placed.append(one)
    return placed, told


def _with_a_beginning(recordings: Sequence[Recording], clock: Clock) -> tuple[list[Recording], list[str]]:
    """Those of which the date tells when they began, and what is said of the others.

    Chapters have the date of the first: where that one is missing they would lie too early on the clock of the sheet, or beside other
    recordings. Alone on a clock of their own they do not.
    """
    lost = [one for one in recordings if one.lost_before]
    if clock is Clock.SHEET or (clock is Clock.FILES and len(recordings) > 1):
        return [one for one in recordings if not one.lost_before], [_left_out(one, "before it") for one in lost]
    return list(recordings), [f"{one.files[0].name}: {_missing(one.lost_before, 'before it')}; times count from it" for one in lost]


def _left_out(one: Recording, where: str) -> str:
    lasts_s = sum(file.facts.duration_s or 0.0 for file in one.files)
    names = ", ".join(file.name for file in one.files)
    return f"{names}: {_missing(one.lost_before, where)}, and no clock tells how long: {lasts_s:.0f} s are left out"


def _together(clips: Sequence[TowClipRow]) -> list[list[SplitFile]]:
    """Clips of one camera that were seen in one folder, directly or by way of others, each under its name there.

    A part that was copied into another folder as well stays with its recording. Folders with more clips go first, and clips that have
    the same name never come together: two cameras name their files alike.
    """
    folders: defaultdict[tuple[int | None, int | None], set[tuple[str, int]]] = defaultdict(set)
    for clip in clips:
        for folder_id, name in [(clip.folder_id, clip.name), *json.loads(clip.seen_json)]:
            folders[clip.camera_id, folder_id].add((name, clip.image_id))
    named: dict[int, dict[int, str]] = {}  # image -> the clips it belongs to, with their names
    for _, there in sorted(folders.items(), key=lambda one: (-len({key for _, key in one[1]}), one[0][1] or 0)):
        together: dict[int, str] | None = None
        for name, image_id in sorted(there, key=lambda one: (len(one[0]), one)):  # a copy's name is the longer one
            others = named.setdefault(image_id, {image_id: name})
            if together is None:
                together = others
            elif others is not together and not {one.lower() for one in together.values()} & {one.lower() for one in others.values()}:
                together |= others
                named |= dict.fromkeys(others, together)
    groups: dict[int, list[SplitFile]] = {}
    for clip in clips:
        name = named[clip.image_id][clip.image_id]
        file = SplitFile(name=name, facts=_facts(clip), key=clip.image_id, taken_utc=clip.capture_time_utc)
        groups.setdefault(id(named[clip.image_id]), []).append(file)
    return list(groups.values())


def _missing(number: int, where: str) -> str:
    return f"1 part {where} is missing" if number == 1 else f"{number} parts {where} are missing"


def _facts(clip: TowClipRow) -> ClipFacts:
    """What tells parts of a recording; how long it is, where it does not say, by the last frame that was read."""
    step_s = 1.0 / (clip.rate_hz or 1.0)
    return ClipFacts(
        container="",
        codec=clip.codec,
        width_px=clip.width_px or 0,
        height_px=clip.height_px or 0,
        first_pts_s=clip.first_pts_s,
        duration_s=clip.duration_s if clip.duration_s is not None else (clip.read_to_s or 0.0) + step_s,
        frames_declared=None,
        average_rate_hz=None,
        is_interlaced=False,
        is_variable_rate=False,
        start_utc=clip.start_utc,
        start_local=clip.start_local,
    )


def _run(recording: Recording, start_s: float, clip_of: dict[int, TowClipRow]) -> list[Piece]:
    behind_a_gap = {gap.behind for gap in recording.missing}
    return [
        Piece(
            clip=clip_of[file.key],
            from_s=start_s + offset_s,
            to_s=start_s + offset_s + (clip_of[file.key].read_to_s or 0.0),
            goes_on_from=None if before is None or file.name in behind_a_gap else before.key,
        )
        for before, file, offset_s in zip((None, *recording.files), recording.files, recording.offsets_s, strict=False)
    ]


def _starts(recordings: Sequence[Recording], tow: TowRow, clip_of: dict[int, TowClipRow]) -> tuple[list[float], Clock]:
    """When each recording begins: that of its first file."""
    clips = [clip_of[one.files[0].key] for one in recordings]
    placed = [clip.at_s for clip in clips if clip.at_s is not None]
    if tow.start_utc is not None and len(placed) == len(clips):
        return placed, Clock.SHEET
    moments = [datetime.fromisoformat(clip.capture_time_utc) for clip in clips if clip.capture_time_utc is not None]
    if len(moments) == len(clips):
        first = min(moments, default=None)
        return [(moment - first).total_seconds() for moment in moments if first is not None], Clock.FILES
    starts: dict[int, float] = {}
    at_s = 0.0
    for one in sorted(recordings, key=lambda one: (one.files[0].name, one.files[0].key)):
        starts[one.files[0].key] = at_s
        last = clip_of[one.files[-1].key]
        at_s += one.offsets_s[-1] + max(last.duration_s or 0.0, (last.read_to_s or 0.0) + 1.0 / (last.rate_hz or 1.0))
    return [starts[clip.image_id] for clip in clips], Clock.ORDER
