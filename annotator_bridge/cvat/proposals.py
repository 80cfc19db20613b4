"""What goes along with a task of what a model found, some frames at a time: as rows to be written down, and as CVAT's JSON.

Whether a tow is counted blind, and whether its review keeps something back, is asked in the transaction that reads the objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid5

from annotator_bridge.cvat.digest import sent_points, shape_digest, track_digest
from annotator_bridge.cvat.labels import MULTIPLE, SINGLE, Vocabulary, attribute_values, label_name
from annotator_bridge.cvat.server import Document
from annotator_bridge.cvat.tools import WITHHELD_BLIND
from edge.export.footage import FootageHands, PlacedTow, Track, TrackBox, join_tracks, pieces_of
from edge.store.cvat import NewProposal
from edge.store.export_tows import ExportTow, export_tows, openings_of
from edge.store.reads import cvat_sources as reads
from edge.store.reads.cvat import FrameRow, TaskRow
from edge.store.reads.footage import analysis_of_tow
from edge.store.reads.zooscan_objects import ObjectRow, standing_objects
from edge.store.sqlite import Connection
from edge.survey.miss_gate import withheld_words

FRAMES_AT_ONCE, TAGS_AT_ONCE, TRACKS_AT_ONCE = 50, 500, 200
_LEAST_PX = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What belongs to the frames from `first_frame` up to `next_frame`, which is not among them.

    Attributes:
        proposals, document: the same things, to be written down and to be sent.
        withheld: why something of these frames does not go along; empty where all does.
    """

    first_frame: int
    next_frame: int
    proposals: tuple[NewProposal, ...] = ()
    document: Document = field(default_factory=dict)
    withheld: str = ""


class ProposalSource(Protocol):
    """Gives the batches of one task, in the order of its frames."""

    def batch(self, connection: Connection, first_frame: int) -> Batch:
        """What belongs to the next frames. `connection` is in a read transaction of its own."""


class StillProposals:
    """Objects on stills, as rectangles, or as tags where the model tells what an image is."""

    def __init__(self, task: TaskRow, frames: Sequence[FrameRow], vocabulary: Vocabulary) -> None:
        self._task, self._frames, self._vocabulary = task, frames, vocabulary
        self._is_tag = bool(task.labels) and task.labels[0]["shape"] == "tag"

    def batch(self, connection: Connection, first_frame: int) -> Batch:
        """See `ProposalSource`."""
        frames = self._frames[first_frame : first_frame + FRAMES_AT_ONCE]
        images = [one.image_id for one in frames if one.image_id is not None]
        kept_back = _kept_back(connection, images)
        blind = reads.blind_images(connection, images)
        made = _Made()
        for frame in frames:
            assert frame.image_id is not None
            result = None if frame.image_id in kept_back else reads.result_to_send(connection, frame.image_id, self._task.recipe)
            for found in () if result is None else result.objects:
                self._add(made, frame, result, found)
        words = next(iter(kept_back.values()), "") or (WITHHELD_BLIND if blind else "")
        return made.batch(first_frame, first_frame + len(frames), words)

    def _add(self, made: _Made, frame: FrameRow, result: reads.SentResult | None, found: reads.SentObject) -> None:
        assert result is not None
        what = f"added/{found.added_uuid}" if found.added_uuid else f"{result.run_uuid}/{found.ordinal}"
        edge_id, label = _edge_id(self._task, what), label_name(found.label)
        source = "auto" if found.score is not None else "manual"
        common = _common(self._vocabulary, label, frame.frame, source, attribute_values(edge_id, found.score))
        points = sent_points(_inside(found, frame))
        if self._is_tag:
            made.tags.append(common)
        else:
            made.shapes.append({**common, **_rectangle(points)})
        made.proposals.append(
            NewProposal(
                uuid=edge_id,
                frame=frame.frame,
                label=label,
                digest=shape_digest(label, "tag", ()) if self._is_tag else shape_digest(label, "rectangle", points),
                run_id=result.run_id,
                ordinal=found.ordinal,
            )
        )


class TagProposals:
    """What the vignettes of a scan show, one object or several: what a person said of it, else what the model takes it for."""

    def __init__(self, task: TaskRow, frames: Sequence[FrameRow], vocabulary: Vocabulary) -> None:
        self._task, self._frames, self._vocabulary = task, frames, vocabulary

    def batch(self, connection: Connection, first_frame: int) -> Batch:
        """See `ProposalSource`."""
        assert self._task.scan_id is not None
        frames = self._frames[first_frame : first_frame + TAGS_AT_ONCE]
        objects = {one.key: one for one in standing_objects(connection, self._task.scan_id)}
        made = _Made()
        for frame in frames:
            found = objects.get(frame.object_key or "")
            if found is not None and found.is_multiple is not None:
                self._add(made, frame, found)
        return made.batch(first_frame, first_frame + len(frames), "")

    def _add(self, made: _Made, frame: FrameRow, found: ObjectRow) -> None:
        label = MULTIPLE if found.is_multiple else SINGLE
        score = None
        if found.decision is None and found.multiple_score is not None:
            score = found.multiple_score if found.is_multiple else 1.0 - found.multiple_score
        edge_id = _edge_id(self._task, f"object/{found.uuid}")
        source = "auto" if score is not None else "manual"
        made.tags.append(_common(self._vocabulary, label, frame.frame, source, attribute_values(edge_id, score)))
        digest = shape_digest(label, "tag", ())
        made.proposals.append(NewProposal(uuid=edge_id, frame=frame.frame, label=label, digest=digest, object_key=found.key))


class TrackProposals:
    """Openings of a clip as tracks: each box that was seen is a keyframe, and an outside one behind the last closes the track.

    Without that CVAT lets a track run to the end of the task. Where jobs meet CVAT cuts a track, and both parts keep its `edge_id`.
    """

    def __init__(self, task: TaskRow, frames: Sequence[FrameRow], vocabulary: Vocabulary, hands: FootageHands) -> None:
        self._task, self._frames, self._vocabulary = task, frames, vocabulary
        self._hands = _Remembering(hands)

    def batch(self, connection: Connection, first_frame: int) -> Batch:
        """See `ProposalSource`.

        Raises:
            InputError: the clip is not what was analysed, or cannot be read.
        """
        clip_id = self._frames[0].image_id
        count = len(self._frames)
        named = export_tows(connection, survey=self._task.survey, station=self._task.station)
        tow = next((one for one in named if one.tow_id == self._task.tow_id), None)
        if tow is None or clip_id is None:
            return Batch(first_frame=first_frame, next_frame=count, withheld="its tow has no footage any more")
        why = WITHHELD_BLIND if tow.is_blind or clip_id in reads.blind_images(connection, (clip_id,)) else ""
        tracks, not_to_be_had = ([], why) if why else self._tracks(connection, tow, clip_id)
        if not_to_be_had:
            return Batch(first_frame=first_frame, next_frame=count, withheld=not_to_be_had)
        chosen, next_frame = _some(tracks, first_frame, count)
        made = _Made()
        for track in chosen:
            self._add(made, track, count)
        return made.batch(first_frame, next_frame, "")

    def _tracks(self, connection: Connection, tow: ExportTow, clip_id: int) -> tuple[list[Track], str]:
        pieces, why = pieces_of(connection, self._hands, tow)
        if why:
            return [], why
        found = join_tracks(tow, pieces, openings_of(connection, tow), all_openings=False)
        of_clip = next((one for one in found if one.piece.is_clip and one.piece.first.image_id == clip_id), None)
        if of_clip is None:
            return [], "the analysis of its tow does not use this clip"
        if len(of_clip.piece.times_s) != len(self._frames):
            return [], "the clip has other frames than when the task was made"
        return sorted(of_clip.tracks, key=lambda track: (track.boxes[0].frame, track.opening.ordinal)), ""

    def _add(self, made: _Made, track: Track, count: int) -> None:
        opening, label = track.opening, label_name(track.label)
        edge_id = _edge_id(self._task, f"opening/{opening.uuid}")
        frame = self._frames[track.boxes[0].frame]
        keyframes = [(box.frame, sent_points(_inside(box, frame)), False) for box in track.boxes]
        last, points, _ = keyframes[-1]
        if last + 1 < count:
            keyframes.append((last + 1, points, True))
        values = attribute_values(edge_id, opening.confidence)
        shapes = [
            {"frame": number, **_rectangle(points), "outside": is_outside, "attributes": []} for number, points, is_outside in keyframes
        ]
        made.tracks.append({**_common(self._vocabulary, label, keyframes[0][0], "auto", values), "shapes": shapes})
        digests = {number: shape_digest(label, "rectangle", points, is_outside=outside) for number, points, outside in keyframes}
        made.proposals.append(
            NewProposal(
                uuid=edge_id,
                frame=keyframes[0][0],
                label=label,
                digest=track_digest(digests),
                keyframes=digests,
                opening_uuid=opening.uuid,
            )
        )


class _Made:
    """A batch that is being made."""

    def __init__(self) -> None:
        self.proposals: list[NewProposal] = []
        self.tags: list[dict[str, Any]] = []
        self.shapes: list[dict[str, Any]] = []
        self.tracks: list[dict[str, Any]] = []

    def batch(self, first_frame: int, next_frame: int, withheld: str) -> Batch:
        document = {"version": 0, "tags": self.tags, "shapes": self.shapes, "tracks": self.tracks}
        return Batch(first_frame=first_frame, next_frame=next_frame, proposals=tuple(self.proposals), document=document, withheld=withheld)


class _Remembering:
    """Hands that number the frames of a clip once."""

    def __init__(self, hands: FootageHands) -> None:
        self._hands = hands
        self._times: dict[Path, tuple[float, ...]] = {}

    def place(self, connection: Connection, tow: ExportTow) -> PlacedTow:
        return self._hands.place(connection, tow)

    def path_of(self, connection: Connection, image_id: int) -> Path | None:
        return self._hands.path_of(connection, image_id)

    def frame_times(self, path: Path) -> Sequence[float]:
        if path not in self._times:
            self._times[path] = tuple(self._hands.frame_times(path))
        return self._times[path]

    def jpeg(self, path: Path, at_s: float) -> bytes:
        return self._hands.jpeg(path, at_s)

    def still_hash(self, path: Path) -> int:
        return self._hands.still_hash(path)


def edge_ids_of(document: Document, attribute_ids: Iterable[int]) -> frozenset[str]:
    """The proposals that stand in a document, by the attribute that names them."""
    wanted = frozenset(attribute_ids)
    items = [one for kind in ("tags", "shapes", "tracks") for one in document.get(kind) or ()]
    return frozenset(
        str(value["value"])
        for one in items
        for value in one.get("attributes") or ()
        if value.get("spec_id") in wanted and value.get("value")
    )


def _some(tracks: Sequence[Track], first_frame: int, count: int) -> tuple[list[Track], int]:
    """The next tracks, whole frames of them: those that begin on one frame go together."""
    left = [track for track in tracks if track.boxes[0].frame >= first_frame]
    if len(left) <= TRACKS_AT_ONCE:
        return left, count
    next_frame = left[TRACKS_AT_ONCE].boxes[0].frame
    chosen = [track for track in left if track.boxes[0].frame < next_frame]
    if not chosen:  # more than fit begin on this very frame
        next_frame = left[0].boxes[0].frame + 1
        chosen = [track for track in left if track.boxes[0].frame < next_frame]
    return chosen, next_frame


def _kept_back(connection: Connection, images: Sequence[int]) -> Mapping[int, str]:
    """Images of tows whose review keeps back what was found until minutes are counted blind to the model; why."""
    found: dict[int, str] = {}
    for tow_id in reads.tows_of_images(connection, images):
        analysis = analysis_of_tow(connection, tow_id)
        words = "" if analysis is None or analysis.is_sealed else withheld_words(connection, analysis)
        if words:
            of_tow = {one.image_id for one in reads.files_of_tow(connection, tow_id)}
            found.update({image_id: words for image_id in images if image_id in of_tow})
    return found


def _edge_id(task: TaskRow, what: str) -> str:
    """Always the same of the same thing in the same task, so that one that was cut off can be told from one that was not."""
    return str(uuid5(UUID(task.uuid), what))


def _common(vocabulary: Vocabulary, label: str, frame: int, source: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {
        "label_id": vocabulary.label_id(label),
        "frame": frame,
        "group": 0,
        "source": source,
        "attributes": vocabulary.attributes(label, values),
    }


def _rectangle(points: Sequence[float]) -> dict[str, Any]:
    return {"type": "rectangle", "points": list(points), "occluded": False, "outside": False, "z_order": 0, "rotation": 0.0}


def _inside(box: TrackBox | reads.SentObject, frame: FrameRow) -> tuple[float, float, float, float]:
    """Corners within the frame, the least before the greatest: CVAT takes any numbers without a word."""
    left = min(max(0.0, box.x_min_px), frame.width_px - _LEAST_PX)
    top = min(max(0.0, box.y_min_px), frame.height_px - _LEAST_PX)
    right = min(float(frame.width_px), max(box.x_max_px, left + _LEAST_PX))
    bottom = min(float(frame.height_px), max(box.y_max_px, top + _LEAST_PX))
    return left, top, right, bottom
