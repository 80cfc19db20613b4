"""Pictures that people reviewed: stills that somebody called right as a whole, and frames of clips in which every opening is decided.

A picture teaches all that is on it: what nobody labelled is background to whoever learns from it. So a frame of a clip is taken only if
every opening that is visible on it was accepted or rejected; one undecided or unsure opening, or one that was lost from sight just there,
keeps the frame out. What the model never saw is labelled by nobody: on stills a person has looked for it, on frames of clips not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.errors import InputError
from edge.export.footage import FootageHands, LeftOutTow, PieceTracks, Track, TrackBox, join_tracks, pieces_of
from edge.store.dataset_rows import ReviewedStill, reviewed_stills
from edge.store.export_tows import ExportTow, export_tows, openings_of, speeds_of
from edge.store.sqlite import Connection

_HASH_DIGITS = 6


class LabelledObject(NamedTuple):
    """An object of a picture; pixels of the full image, half open. `uuid`: the opening's, where it is one."""

    label: str
    aphia_id: int | None
    x_min_px: float
    y_min_px: float
    x_max_px: float
    y_max_px: float
    origin: str
    uuid: str | None


class StationKey(NamedTuple):
    """What is never divided. `key` is the station's uuid, or "folder:..." for files that are attached to no tow."""

    key: str
    survey: str | None
    name: str

    @property
    def folder(self) -> str:
        """A harmless name for its folder, which no other station has."""
        words = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part).strip("._-") for part in (self.survey or "", self.name))
        return f"station-{words.strip('-')[:60]}-{hashlib.sha256(self.key.encode()).hexdigest()[:_HASH_DIGITS]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPicture:
    """A picture and all that is on it.

    Attributes:
        path: of the clip or still; None if it is not there.
        frame: number of the frame in its clip; None for a still.
        at_s: time of the frame on the clip's clock; None for a still.
        tow: identity of its tow; None where it has none.
        order: its place in time among those of the tow: seconds of the tow, else the capture time.
        along_px: how far the seabed had passed the line by then, pixels; None where that is not known.
        cvat: of a picture that was corrected in CVAT: task, job with its state, version; None of one that was reviewed here.
    """

    station: StationKey
    tow: str | None
    image_uuid: str
    sha256: str
    name: str
    format: str
    width_px: int
    height_px: int
    path: Path | None
    frame: int | None
    at_s: float | None
    order: tuple[float, str]
    along_px: float | None
    objects: tuple[LabelledObject, ...]
    reviewers: tuple[str, ...]
    model: str
    cvat: Mapping[str, str | int | None] | None = None


def reviewed_pictures(
    connection: Connection, hands: FootageHands, *, recipe: str, survey: str | None, left_out: list[LeftOutTow]
) -> Iterator[ReviewedPicture]:
    """Every picture that people reviewed, stills first; tows that cannot be had are told to `left_out`, blind ones too."""
    for still, reviewer, objects in reviewed_stills(connection, recipe=recipe, survey=survey):
        told = [
            LabelledObject(o.label, o.aphia_id, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px, o.origin, o.added_uuid) for o in objects
        ]
        deciders = {one.decided_by for one in objects if one.decided_by is not None}
        yield _of_still(still, hands.path_of(connection, still.image_id), told, tuple(sorted({reviewer, *deciders})))
    if recipe != "burrows":
        return
    for tow in export_tows(connection, survey=survey):
        yield from _of_tow(connection, hands, tow, left_out)


def _of_still(still: ReviewedStill, path: Path | None, objects: Sequence[LabelledObject], reviewers: tuple[str, ...]) -> ReviewedPicture:
    if still.station_uuid is not None and still.station is not None:
        station = StationKey(still.station_uuid, still.survey, still.station)
    else:
        station = StationKey(f"folder:{still.folder}", None, Path(still.folder).name or "folder")
    return ReviewedPicture(
        station=station,
        tow=still.tow_uuid,
        image_uuid=still.uuid,
        sha256=still.sha256,
        name=still.name,
        format=still.format,
        width_px=still.width_px,
        height_px=still.height_px,
        path=path,
        frame=None,
        at_s=None,
        order=(still.at_s if still.at_s is not None else -1.0, still.capture_time_utc or still.name),
        along_px=None,
        objects=tuple(objects),
        reviewers=reviewers,
        model=f"{still.model} {still.model_version}",
    )


def _of_tow(connection: Connection, hands: FootageHands, tow: ExportTow, left_out: list[LeftOutTow]) -> Iterator[ReviewedPicture]:
    openings = openings_of(connection, tow)
    if not tow.is_blind and not any(one.decision == "accepted" for one in openings):
        return  # nobody reviewed it; a tow of stills, or without an analysis, has its say above
    try:
        pieces, why = pieces_of(connection, hands, tow)
        found = [] if why else join_tracks(tow, pieces, openings, all_openings=True)
    except InputError as error:
        found, why = [], str(error)
    if why:
        left_out.append(LeftOutTow(tow.survey, tow.station, tow.ordinal, why))
        return
    speeds = {row.second: row.speed_px_per_s for row in speeds_of(connection, tow)}
    for one in found:
        if one.piece.is_clip:
            for frame, seen in complete_frames(one):
                yield _of_frame(one, frame, seen, along_px(speeds, one.piece.from_s + one.piece.times_s[frame]))


def complete_frames(found: PieceTracks) -> Iterator[tuple[int, list[tuple[Track, TrackBox]]]]:
    """The frames in which at least one opening was accepted and nothing visible is open, with the accepted ones; ascending."""
    seen: dict[int, list[tuple[Track, TrackBox]]] = {}
    for track in found.tracks:
        for box in track.boxes:
            seen.setdefault(box.frame, []).append((track, box))
    for frame, boxes in sorted(seen.items()):
        if any(track.opening.decision not in ("accepted", "rejected") for track, _ in boxes):
            continue
        accepted = [(track, box) for track, box in boxes if track.opening.decision == "accepted"]
        if accepted and not any(_is_lost_at(track, frame, boxes) for track in found.tracks):
            yield frame, accepted


def _is_lost_at(track: Track, frame: int, boxes: Sequence[tuple[Track, TrackBox]]) -> bool:
    """Whether an opening that is none to be left out was seen before and behind a frame, but not in it."""
    if track.opening.decision == "rejected" or not track.boxes[0].frame < frame < track.boxes[-1].frame:
        return False
    return all(other is not track for other, _ in boxes)


def _of_frame(found: PieceTracks, frame: int, seen: list[tuple[Track, TrackBox]], along_px: float | None) -> ReviewedPicture:
    piece, tow = found.piece, found.piece.tow
    row = piece.first
    objects = [
        LabelledObject(
            track.label,
            track.opening.aphia_id,
            box.x_min_px,
            box.y_min_px,
            box.x_max_px,
            box.y_max_px,
            "model, confirmed",
            track.opening.uuid,
        )
        for track, box in seen
    ]
    people = {track.opening.decided_by for track in found.tracks if track.opening.decided_by and _spans(track, frame)}
    return ReviewedPicture(
        station=StationKey(tow.station_uuid, tow.survey, tow.station),
        tow=tow.uuid,
        image_uuid=row.uuid,
        sha256=row.sha256,
        name=row.name,
        format=row.format,
        width_px=row.width_px,
        height_px=row.height_px,
        path=piece.path,
        frame=frame,
        at_s=piece.times_s[frame],
        order=(piece.from_s + piece.times_s[frame], row.name),
        along_px=along_px,
        objects=tuple(objects),
        reviewers=tuple(sorted(people)),
        model=f"{tow.model} {tow.model_version}",
    )


def _spans(track: Track, frame: int) -> bool:
    return track.boxes[0].frame <= frame <= track.boxes[-1].frame


def along_px(speeds: Mapping[int, float | None], tow_s: float) -> float | None:
    """How far the seabed had passed since the tow's first second; None from the first second on whose speed is not known."""
    whole = int(tow_s)
    passed = 0.0
    for second in range(min(speeds, default=0), whole + 1):
        speed = speeds.get(second)
        if speed is None:
            return None
        passed += speed * (tow_s - whole if second == whole else 1.0)
    return passed
