"""Pictures that people corrected in CVAT, of completed jobs only: a completed job says that all of its pictures are right as a whole.

A still teaches with the boxes that stand on it, or with none. Of a clip a frame teaches if it is a keyframe of every track that is to be
seen on it: between keyframes, and where it cuts a track, CVAT draws a line, and nobody looked. Shapes that are no rectangles give what
they cover. A picture about which people disagree teaches nothing; what agrees is taken once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from edge.errors import InputError
from edge.export.dataset.sources import LabelledObject, ReviewedPicture, StationKey, along_px
from edge.export.footage import FootageHands, LeftOutTow, pieces_of
from edge.store.cvat_dataset_rows import (
    ClipJob,
    CorrectedFile,
    Keyframe,
    clip_jobs,
    corrected_file,
    deleted_frames,
    keyframes_of,
    known_taxa,
    left_alone,
    task_models,
)
from edge.store.export_tows import ExportTow, export_tows, speeds_of
from edge.store.reads.box_matching import LabelledBox, matched_boxes
from edge.store.reads.cvat_results import BOXED, FrameResult, decided_frames
from edge.store.sqlite import Connection

NOBODY = "somebody in CVAT"  # a job that was given to nobody
NO_MODEL = "no model"
DISAGREE = "people disagree about it (`imagine-edge cvat conflicts` lists both sides)"
_NO_BOX = "it holds points, lines or tags in CVAT, which have no box"
Frames = Mapping[int, Sequence[Keyframe]]


class Disputed(NamedTuple):
    """A picture about which people disagree; `frame` of a clip, None of a still."""

    survey: str | None
    station: str
    name: str
    frame: int | None
    image_uuid: str


class Corrected(NamedTuple):
    """What there is with what people corrected in CVAT.

    Attributes:
        pictures: every one once.
        left_out: why pictures of CVAT, or that somebody disputes there, are left out, each with how many.
        disputed: those about which people disagree.
    """

    pictures: list[ReviewedPicture]
    left_out: dict[str, int]
    disputed: list[Disputed]


def with_corrected(
    connection: Connection,
    hands: FootageHands,
    reviewed: Sequence[ReviewedPicture],
    *,
    recipe: str,
    survey: str | None,
    left_out: list[LeftOutTow],
) -> Corrected:
    """The reviewed pictures with those that people corrected in CVAT.

    Args:
        connection: a reader.
        hands: who looks into files.
        reviewed: what people reviewed here.
        recipe, survey: whose objects, and only of this survey.
        left_out: is told of tows that cannot be had.
    """
    lost: Counter[str] = Counter(left_alone(connection, recipe=recipe, survey=survey))
    corrected = list(_stills(connection, hands, recipe=recipe, survey=survey, lost=lost))
    corrected += _clips(connection, hands, recipe=recipe, survey=survey, lost=lost, left_out=left_out)
    groups: dict[tuple[str, int | None], list[ReviewedPicture]] = defaultdict(list)
    for picture in (*reviewed, *corrected):
        groups[picture.image_uuid, picture.frame].append(picture)
    kept, disputed = [], []
    for group in groups.values():
        if all(_agree(one, other) for one, other in combinations(group, 2)):
            kept.append(_standing(group))
        else:
            lost[DISAGREE] += 1
            disputed.append(Disputed(group[0].station.survey, group[0].station.name, group[0].name, group[0].frame, group[0].image_uuid))
    return Corrected(pictures=kept, left_out=dict(lost), disputed=disputed)


def _standing(group: Sequence[ReviewedPicture]) -> ReviewedPicture:
    """Of pictures that agree: a still's review here, a frame's correction in CVAT (which is of the whole frame), the newest of several."""
    here = [one for one in group if one.cvat is None]
    if here and here[0].frame is None:
        return here[0]
    newest = group[-1]
    return newest if not here or newest.along_px is not None else replace(newest, along_px=here[0].along_px, order=here[0].order)


def _agree(one: ReviewedPicture, other: ReviewedPicture) -> bool:
    """Whether each object of the one has a partner in the other. On a frame of a clip a review here may have fewer: it saw the model's."""
    first, second = _boxes(one), _boxes(other)
    pairs = len(matched_boxes(first, second))
    if one.frame is not None and one.cvat is None:
        return pairs == len(first)
    return pairs == len(first) == len(second)


def _boxes(picture: ReviewedPicture) -> list[LabelledBox]:
    return [LabelledBox(o.label, o.x_min_px, o.y_min_px, o.x_max_px, o.y_max_px) for o in picture.objects]


def _stills(
    connection: Connection, hands: FootageHands, *, recipe: str, survey: str | None, lost: Counter[str]
) -> Iterator[ReviewedPicture]:
    models, taxa = task_models(connection), known_taxa(connection)
    for frame in decided_frames(connection, recipe=recipe, only_completed=True):
        file = None if frame.image_id is None else corrected_file(connection, frame.image_id, survey=survey)
        if file is None:
            continue
        if frame.tags or frame.other:
            lost[_NO_BOX] += 1
            continue
        objects = [
            LabelledObject(one.box.label, taxa.get(one.box.label), *one.box[1:5], _origin(one.verdict, one.shape), one.uuid)
            for one in frame.boxes
        ]
        path, model = hands.path_of(connection, file.image_id), models.get(frame.task_id, NO_MODEL)
        at = (file.at_s if file.at_s is not None else -1.0, file.capture_time_utc or file.name)
        yield _picture(file, path, objects, order=at, who=frame.assignee, model=model, cvat=_of_still(frame))


def _of_still(frame: FrameResult) -> dict[str, str | int | None]:
    return {
        "task_uuid": frame.task_uuid,
        "task": frame.remote_task_id,
        "job": frame.remote_job_id,
        "stage": frame.stage,
        "state": frame.state,
        "assignee": frame.assignee,
        "version_uuid": frame.pull_uuid,
        "pulled_utc": frame.pulled_utc,
        "frame": frame.frame,
    }


def _clips(
    connection: Connection, hands: FootageHands, *, recipe: str, survey: str | None, lost: Counter[str], left_out: list[LeftOutTow]
) -> Iterator[ReviewedPicture]:
    jobs = clip_jobs(connection, recipe=recipe)
    tows = {one.tow_id: one for one in export_tows(connection, survey=survey)} if jobs else {}
    for image_id in dict.fromkeys(job.image_id for job in jobs):
        file = corrected_file(connection, image_id, survey=survey)
        if file is None:
            continue
        path = hands.path_of(connection, image_id)
        if path is None:
            lost[f"{file.name} is no longer there"] += 1
            continue
        tow = None if file.tow_id is None else tows.get(file.tow_id)
        try:
            times_s = tuple(hands.frame_times(path))
            passed = _passed(connection, hands, tow, image_id)
        except InputError as error:
            lost[str(error)] += 1
            continue
        if isinstance(passed, str):  # its review is kept back, for instance
            assert tow is not None
            left_out.append(LeftOutTow(tow.survey, tow.station, tow.ordinal, passed))
            continue
        for job in (one for one in jobs if one.image_id == image_id):
            if job.frames != len(times_s):
                lost[f"{file.name} has other frames than in CVAT"] += 1
                continue
            yield from _of_job(connection, file, path, job, times_s=times_s, passed=passed)


class _Passed:
    """How far the seabed had passed when a frame of a clip was taken; None where that is not known."""

    def __init__(self, from_s: float = 0.0, speeds: Mapping[int, float | None] | None = None) -> None:
        self.from_s = from_s
        self._speeds = dict(speeds or {})

    def at(self, clip_s: float) -> float | None:
        """Pixels, by a time on the clip's clock."""
        return along_px(self._speeds, self.from_s + clip_s) if self._speeds else None


def _passed(connection: Connection, hands: FootageHands, tow: ExportTow | None, image_id: int) -> _Passed | str:
    """Or why nothing of the tow may leave."""
    if tow is None or tow.analysis_id is None:
        return _Passed()
    withheld = hands.place(connection, tow).withheld
    if withheld:
        return withheld
    pieces, _ = pieces_of(connection, hands, tow)
    piece = next((one for one in pieces if one.is_clip and one.first.image_id == image_id), None)
    if piece is None:
        return _Passed()
    return _Passed(piece.from_s, {row.second: row.speed_px_per_s for row in speeds_of(connection, tow)})


def _of_job(
    connection: Connection, file: CorrectedFile, path: Path, job: ClipJob, *, times_s: Sequence[float], passed: _Passed
) -> Iterator[ReviewedPicture]:
    taxa = known_taxa(connection)
    cvat = {
        "task_uuid": job.task_uuid,
        "task": job.remote_task_id,
        "job": job.remote_job_id,
        "stage": job.stage,
        "state": job.state,
        "assignee": job.assignee,
        "version_uuid": job.pull_uuid,
        "pulled_utc": job.pulled_utc,
    }
    model = f"{job.model} {job.model_version}" if job.model else NO_MODEL
    taken_out = deleted_frames(connection, job.task_id)
    for frame, seen in whole_frames(keyframes_of(connection, job.pull_id)).items():
        if frame in taken_out:
            continue
        objects = [
            LabelledObject(
                one.label,
                taxa.get(one.label),
                one.x_min_px,
                one.y_min_px,
                one.x_max_px,
                one.y_max_px,
                _origin(one.verdict, one.shape),
                one.uuid,
            )
            for one in seen
            if one.x_min_px is not None and one.y_min_px is not None and one.x_max_px is not None and one.y_max_px is not None
        ]
        at_s = times_s[frame]
        picture = _picture(
            file,
            path,
            objects,
            order=(passed.from_s + at_s, file.name),
            who=job.assignee,
            model=model,
            cvat={**cvat, "frame": frame},
        )
        yield replace(picture, frame=frame, at_s=at_s, along_px=passed.at(at_s))


def whole_frames(keyframes: Sequence[Keyframe]) -> dict[int, list[Keyframe]]:
    """The frames of a job on which something is, and every track that is to be seen has a keyframe, all of boxes; ascending."""
    tracks: dict[int, list[Keyframe]] = defaultdict(list)
    frames: dict[int, list[Keyframe]] = defaultdict(list)
    for one in keyframes:
        if one.track is not None:
            tracks[one.track].append(one)
        frames[one.frame].append(one)
    found = {}
    for frame in sorted(frames):
        seen = [one for one in frames[frame] if not one.is_outside]
        drawn = all(_is_drawn(track, frame) for track in tracks.values())
        if seen and drawn and all(one.shape in BOXED and one.x_min_px is not None for one in seen):
            found[frame] = seen
    return found


def _is_drawn(track: Sequence[Keyframe], frame: int) -> bool:
    """Whether a track is not to be seen on a frame, or has a keyframe there. It is seen from a keyframe on until an outside one."""
    before = [one for one in track if one.frame <= frame]
    return not before or before[-1].is_outside or (before[-1].frame == frame and not before[-1].is_own)


def _picture(
    file: CorrectedFile,
    path: Path | None,
    objects: Sequence[LabelledObject],
    *,
    order: tuple[float, str],
    who: str | None,
    model: str,
    cvat: Mapping[str, str | int | None],
) -> ReviewedPicture:
    if file.station_uuid is not None and file.station is not None:
        station = StationKey(file.station_uuid, file.survey, file.station)
    else:
        station = StationKey(f"folder:{file.folder}", None, Path(file.folder).name or "folder")
    return ReviewedPicture(
        station=station,
        tow=file.tow_uuid,
        image_uuid=file.uuid,
        sha256=file.sha256,
        name=file.name,
        format=file.format,
        width_px=file.width_px,
        height_px=file.height_px,
        path=path,
        frame=None,
        at_s=None,
        order=order,
        along_px=None,
        objects=tuple(objects),
        reviewers=(who or NOBODY,),
        model=model,
        cvat=cvat,
    )


def _origin(verdict: str, shape: str) -> str:
    """How an object came to be, in words: such as "CVAT, moved" or "CVAT, added, what a polygon covers"."""
    return f"CVAT, {verdict}" if shape == "rectangle" else f"CVAT, {verdict}, what a {shape} covers"
