"""A job's document of annotations as CVAT hands it out, read with care: all of it, or nothing with the reason.

The document is LabeledDataSerializer of cvat/apps/engine/serializers.py: `tags`, `shapes`, and `tracks` with keyframes (`shapes`). A
server of 2.15 leaves out what later ones have (`score`, `intervals`); both name labels and attributes by numbers of the task.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from annotator_bridge.cvat.bounds import Box, bounds_of, problem_of
from annotator_bridge.cvat.server import Document, RemoteLabel
from edge.errors import TransportError

SHAPES = ("rectangle", "polygon", "polyline", "points", "ellipse", "cuboid", "mask", "skeleton")
_MOST_FRAME = 2**53
_FURTHEST_PX = 1e7


class BadDocumentError(TransportError):
    """What stands in a job cannot be taken as it is; nothing of that job is."""

    code = "cvat_document"
    default_advice = "Open the job in CVAT, correct or delete what the message names, save it, and pull again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A shape, a tag (`kind` "tag", without points) or a keyframe of a track.

    Attributes:
        points: as CVAT has them, flat.
        box: what it covers; None of a tag.
        attributes: values by name; of a keyframe only those that change along its track.
        number: the server's own, which it gives anew whenever it likes; None where it says none.
    """

    frame: int
    label: str
    kind: str
    points: tuple[float, ...] = ()
    rotation_deg: float = 0.0
    box: Box | None = None
    is_outside: bool = False
    is_occluded: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)
    made_by: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedTrack:
    """A track; `keyframes` by frame, at least one."""

    label: str
    keyframes: tuple[Returned, ...]
    attributes: Mapping[str, str]
    made_by: str
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedJob:
    """All that stands in a job. `same`: what says whether anything of it changed, without numbers that the server gives anew."""

    shapes: tuple[Returned, ...]
    tracks: tuple[ReturnedTrack, ...]
    same: Any


def read_returned(document: Document, labels: Sequence[RemoteLabel], first_frame: int, last_frame: int) -> ReturnedJob:
    """Read a job's document.

    Args:
        document: as the server gave it.
        labels: of its task.
        first_frame, last_frame: the job's, both included.

    Raises:
        BadDocumentError: a number that is none, a label, attribute or shape that is not known, a frame that is not the job's.
    """
    try:
        json.dumps(document, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise BadDocumentError("a number in it is none, or it has no end") from error
    reader = _Reader(labels, first_frame, last_frame)
    tags = [reader.tag(one) for one in _list(document, "tags")]
    shapes = [reader.shape(one) for one in _list(document, "shapes")]
    tracks = [track for one in _list(document, "tracks") if (track := reader.track(one)) is not None]
    same = {name: sorted((_without_numbers(one) for one in document[name]), key=_ordered) for name in ("tags", "shapes", "tracks")}
    return ReturnedJob(shapes=(*tags, *shapes), tracks=tuple(tracks), same=same)


class _Reader:
    def __init__(self, labels: Sequence[RemoteLabel], first_frame: int, last_frame: int) -> None:
        self._labels = {label.id: label for label in labels}
        self._first, self._last = first_frame, last_frame

    def tag(self, one: Any) -> Returned:
        frame, label = self._inside(one, "a tag"), self._label(one)
        made_by, number = _made_by(one), _number(one)
        return Returned(frame=frame, label=_text(label.name), kind="tag", attributes=_values(one, label), made_by=made_by, number=number)

    def shape(self, one: Any) -> Returned:
        label = self._label(one)
        return self._read(one, label, self._inside(one, "a shape"), _made_by(one))

    def track(self, one: Any) -> ReturnedTrack | None:
        """None: nothing of it is to be seen in this job."""
        label, made_by = self._label(one), _made_by(one)
        given = sorted(_list(one, "shapes"), key=lambda shape: _frame(shape, "a keyframe"))
        frames = [_frame(shape, "a keyframe") for shape in given]
        if not frames or len(set(frames)) != len(frames):
            raise BadDocumentError("a track has no keyframe, or two on one frame")
        keyframes = []
        for frame, shape in zip(frames, given, strict=True):
            read = self._read(shape, label, frame, made_by)
            if self._first <= frame <= self._last:
                keyframes.append(read)
            elif not (frame == self._last + 1 and read.is_outside):  # CVAT closes a track behind the last frame of a job
                raise BadDocumentError(f"a keyframe lies on frame {frame}, and the job has {self._first} to {self._last}")
        if not keyframes:
            return None
        attributes = _values(one, label)
        return ReturnedTrack(
            label=_text(label.name), keyframes=tuple(keyframes), attributes=attributes, made_by=made_by, number=_number(one)
        )

    def _read(self, one: Any, label: RemoteLabel, frame: int, made_by: str) -> Returned:
        kind = one.get("type")
        if kind not in SHAPES:
            raise BadDocumentError(f"a shape on frame {frame} is of a kind that is not known: {kind!r}")
        points = _skeleton_points(one) if kind == "skeleton" else _points(one)
        if problem := problem_of(kind, points):
            raise BadDocumentError(f"on frame {frame} {problem}")
        rotation_deg = _finite(one.get("rotation") or 0.0)
        return Returned(
            frame=frame,
            label=_text(label.name),
            kind=kind,
            points=points,
            rotation_deg=rotation_deg,
            box=bounds_of(kind, points, rotation_deg),
            is_outside=bool(one.get("outside", False)),
            is_occluded=bool(one.get("occluded", False)),
            attributes=_values(one, label),
            made_by=made_by,
            number=_number(one),
        )

    def _inside(self, one: Any, what: str) -> int:
        frame = _frame(one, what)
        if not self._first <= frame <= self._last:
            raise BadDocumentError(f"{what} lies on frame {frame}, and the job has {self._first} to {self._last}")
        return frame

    def _label(self, one: Any) -> RemoteLabel:
        number = one.get("label_id") if isinstance(one, dict) else None
        label = self._labels.get(number) if isinstance(number, int) else None
        if label is None:
            raise BadDocumentError(f"a label is none of the task's: {number!r}")
        return label


def _list(one: Any, name: str) -> list[Any]:
    found = one.get(name) if isinstance(one, dict) else None
    if not isinstance(found, list):
        raise BadDocumentError(f"it has no list of {name}")
    return found


def _frame(one: Any, what: str) -> int:
    frame = one.get("frame") if isinstance(one, dict) else None
    if type(frame) is not int or not 0 <= frame < _MOST_FRAME:
        raise BadDocumentError(f"{what} lies on a frame that is none: {frame!r}")
    return frame


def _points(one: Any) -> tuple[float, ...]:
    found = one.get("points")
    if not isinstance(found, list):
        raise BadDocumentError("a shape has no coordinates")
    return tuple(_finite(value) for value in found)


def _skeleton_points(one: Any) -> tuple[float, ...]:
    """Of all its parts that are to be seen. A track of skeletons has them elsewhere: none then."""
    parts = one.get("elements") or []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise BadDocumentError("a skeleton has parts that are none")
    points = [value for part in parts if not part.get("outside") for value in _points(part)]
    if len(points) % 2:
        raise BadDocumentError("a part of a skeleton has half a place")
    return tuple(points)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _FURTHEST_PX:  # false of NaN too
        raise BadDocumentError("a coordinate or angle is no number, or lies beyond every picture")
    return float(value)


def _values(one: Any, label: RemoteLabel) -> dict[str, str]:
    names = {attribute.id: attribute.name for attribute in label.attributes}
    found = one.get("attributes") or []
    if not isinstance(found, list):
        raise BadDocumentError("attributes are no list")
    values: dict[str, str] = {}
    for given in found:
        number = given.get("spec_id") if isinstance(given, dict) else None
        if not isinstance(number, int) or number not in names:
            raise BadDocumentError(f"an attribute is none of the label {label.name}: {number!r}")
        values[_text(names[number])] = _text(given.get("value", ""))
    return values


def _made_by(one: Any) -> str:
    return _text(one.get("source") or "")


def _number(one: Any) -> int | None:
    number = one.get("id")
    return number if isinstance(number, int) else None


def _text(value: Any) -> str:
    """As text that a database can hold: half of a character of JSON becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_numbers(one) for name, one in value.items() if name != "id"}
    return [_without_numbers(one) for one in value] if isinstance(value, list) else value


def _ordered(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
