"""The tracks of CVAT's export "CVAT for video 1.1" as boxes of single frames, and the files that show those frames.

    https://docs.cvat.ai/docs/manual/advanced/xml_format/

A box stands in the XML for every frame or for key frames only; between two of them it moves in a straight line. From a box that is
outside the track is not seen until the next one that is not; a track that is never closed runs to the end of the task. The XML
names no files: a frame is found by the number in its file's name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.datasets.draft import BoxDraft, walk_images

Corners = tuple[float, float, float, float]

_NUMBERED = re.compile(r"(?:(?P<stem>.*)[-_])?frame[-_](?P<number>\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackKey:
    """A box of a track as it stands in the file."""

    frame: int
    xyxy: Corners
    is_outside: bool
    where: str


@dataclass(slots=True, kw_only=True)
class TrackDraft:
    """One object along the frames; `decision` is what our own exports say of it, None where there is nothing."""

    label_index: int
    keys: list[TrackKey] = field(default_factory=list)
    decision: str | None = None

    def box_at(self, frame: int) -> BoxDraft | None:
        """Where it is on a frame; None before its first box and while it is outside. `keys` ascend by frame."""
        place = bisect_right(self.keys, frame, key=lambda key: key.frame) - 1
        if place < 0 or self.keys[place].is_outside:
            return None
        before = self.keys[place]
        xyxy = before.xyxy
        if before.frame < frame and place + 1 < len(self.keys):
            behind = self.keys[place + 1]
            part = (frame - before.frame) / (behind.frame - before.frame)
            left, top, right, bottom = (one + part * (other - one) for one, other in zip(before.xyxy, behind.xyxy, strict=True))
            xyxy = (left, top, right, bottom)
        return BoxDraft(xyxy=xyxy, label_index=self.label_index, where=before.where)

    def frames(self, known: Sequence[int]) -> Iterable[int]:
        """Those of some frames, ascending, on which it may be seen."""
        begin = bisect_right(known, self.keys[0].frame - 1)
        end = bisect_right(known, self.keys[-1].frame) if self.keys[-1].is_outside else len(known)
        return known[begin:end]


def files_of_frames(folders: Iterable[Path], xml_path: Path, size: int | None) -> dict[int, Path]:
    """Frame -> the file that shows it; empty where none can be told.

    Frames that `imagine-edge export --frames` extracted have the name of the XML before their number; those of CVAT ("frame_000012.png")
    have none. Where no name tells a number, and there are as many files as frames, they are taken in the order of their names.

    Args:
        folders: where to look, below them too; the first that has any frame counts.
        xml_path: the XML, whose name frames of several clips in one folder have before their numbers.
        size: frames of the task, None where it does not say.
    """
    for folder in folders:
        images = list(walk_images(folder)) if folder.is_dir() else []
        numbered = [(match, path) for path in images if (match := _NUMBERED.fullmatch(path.stem)) is not None]
        mine = [(match, path) for match, path in numbered if match["stem"] == xml_path.stem]
        chosen = mine or [(match, path) for match, path in numbered if not match["stem"]]
        if chosen:
            return {int(match["number"]): path for match, path in sorted(chosen, key=lambda one: one[1], reverse=True)}
        if images and not numbered and len(images) == size:
            return dict(enumerate(sorted(images, key=lambda path: path.name)))
    return {}


def boxes_of_frames(tracks: Sequence[TrackDraft], frames: Iterable[int]) -> dict[int, list[BoxDraft]]:
    """The boxes of each frame; none where nothing is seen."""
    known = sorted(frames)
    found: dict[int, list[BoxDraft]] = {frame: [] for frame in known}
    for track in tracks:
        for frame in track.frames(known):
            if (box := track.box_at(frame)) is not None:
                found[frame].append(box)
    return found
