"""CVAT's exports "CVAT for images 1.1" and "CVAT for video 1.1": `annotations.xml` and a folder `images`.

    https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/

The tracks of the second become boxes of every frame that there is a picture of; see `models.datasets.cvat_tracks`.

Boxes, also turned ones, polygons, ellipses and masks become upright boxes. Points, polylines, skeletons and tags are no objects
to count; they are left out with a warning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from xml.parsers import expat

from models.datasets.cvat_tracks import TrackDraft, TrackKey, boxes_of_frames, files_of_frames
from models.datasets.draft import BoxDraft, DatasetDraft, ImageDraft, name_inside, read_text, split_of
from models.datasets.errors import (
    DatasetDuplicateError,
    DatasetImagesMissingError,
    DatasetLabelsError,
    DatasetLineError,
    DatasetUnlabelledError,
    DatasetUnreadableError,
)
from models.datasets.locate import ImageFinder

Attributes = Mapping[str, str]
Corners = tuple[float, float, float, float]

_TOLD = frozenset({"size", "width", "height"})
_SHAPES = frozenset({"box", "polygon", "ellipse", "mask"})
_LEFT_OUT = frozenset({"points", "polyline", "skeleton", "cuboid", "tag"})


class _Reader:
    """What expat tells of the document, gathered."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.labels: list[str] = []
        self.images: list[tuple[Attributes, list[BoxDraft]]] = []
        self.tracks: list[TrackDraft] = []
        self.told: dict[str, str] = {}  # of the task: size, width, height
        self._track_label = ""
        self._attribute = ""
        self.left_out: Counter[str] = Counter()
        self._are_declared = False  # <meta> lists the labels; exports cut by hand lack it
        self._open: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _refuse_doctype(self, *_: object) -> None:
        # Entities are declared there; CVAT writes none, and they can blow a file of a kilobyte up to gigabytes.
        raise DatasetUnreadableError(f"{self.path} declares a document type; CVAT writes none")

    def _start(self, name: str, attributes: Attributes) -> None:
        if not self._open and name != "annotations":
            raise DatasetUnreadableError(f"{self.path} begins with <{name}>; an export of CVAT begins with <annotations>")
        self._open.append(name)
        self._text.clear()
        if name == "image":
            self.images.append((attributes, []))
        elif name == "track" and len(self._open) == 2:
            self._track_label = attributes.get("label", "")
            self.tracks.append(TrackDraft(label_index=-1))
        elif self._open[:-1] in (["annotations", "image"], ["annotations", "track"]):
            self._shape(name, attributes)
        elif name == "attribute":
            self._attribute = attributes.get("name", "")

    def _end(self, name: str) -> None:
        # meta / task (or job, project) / labels / label / name
        if self._open[-3:] == ["labels", "label", "name"] and (text := "".join(self._text).strip()) not in self.labels:
            self.labels.append(text)
            self._are_declared = True
        if self._open[-1] in _TOLD and self._open[1:2] == ["meta"]:
            self.told.setdefault(self._open[-1], "".join(self._text).strip())
        if self._open[:2] == ["annotations", "track"]:
            self._end_in_track()
        self._open.pop()
        self._text.clear()

    def _end_in_track(self) -> None:
        track = self.tracks[-1]
        if self._open[-1] == "attribute" and self._attribute == "decision":
            track.decision = "".join(self._text).strip()
        elif len(self._open) == 2:
            track.keys.sort(key=lambda key: key.frame)
            if not track.keys:
                self.tracks.pop()
            elif any(before.frame == behind.frame for before, behind in pairwise(track.keys)):
                raise DatasetDuplicateError(f"{track.keys[0].where}: the track has two boxes on one frame")

    def _shape(self, kind: str, attributes: Attributes) -> None:
        if kind in _LEFT_OUT:
            self.left_out[kind] += 1
        if kind not in _SHAPES:
            return
        where = f"{self.path.name} line {self.parser.CurrentLineNumber}"
        in_track = self._open[1] == "track"
        label = self._track_label if in_track else attributes.get("label", "")
        if label not in self.labels:
            if not label or self._are_declared:
                raise DatasetLabelsError(f"{where} has the label {label!r}, which the file does not declare")
            self.labels.append(label)
        try:
            xyxy = _corners(kind, attributes)
        except (KeyError, ValueError) as error:
            raise DatasetLineError(f"{where}: the {kind} has no usable coordinates: {error}") from error
        if not all(math.isfinite(value) for value in xyxy):
            raise DatasetLineError(f"{where}: the {kind} holds a number that is not finite")
        if not in_track:
            self.images[-1][1].append(BoxDraft(xyxy=xyxy, label_index=self.labels.index(label), where=where))
            return
        frame = attributes.get("frame", "")
        if not (frame.isascii() and frame.isdecimal()):
            raise DatasetLineError(f"{where}: the {kind} of a track names no frame")
        self.tracks[-1].label_index = self.labels.index(label)
        self.tracks[-1].keys.append(TrackKey(frame=int(frame), xyxy=xyxy, is_outside=attributes.get("outside") == "1", where=where))


def read_cvat(root: Path, xml_path: Path, *, images: Path | None = None) -> DatasetDraft:
    """The labels of an export "CVAT for images 1.1" or "CVAT for video 1.1".

    Args:
        root: the folder that names of images are relative to.
        xml_path: its annotations.xml.
        images: the folder of the images, where they were not exported with it.

    Raises:
        DatasetError: a label that cannot be used, an image that is missing, or an export of another kind.
    """
    reader = _Reader(xml_path)
    # An encoding named in the file no longer holds for the text that was decoded.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", read_text(xml_path))
    try:
        reader.parser.Parse(text, True)
    except expat.ExpatError as error:
        raise DatasetUnreadableError(f"{xml_path} line {error.lineno} is not valid XML: {expat.ErrorString(error.code)}") from error
    if not reader.images and not reader.tracks:
        raise DatasetUnlabelledError(f"{xml_path} lists no image")
    folders = [images] if images is not None else [xml_path.parent / "images", xml_path.parent]
    warnings: list[str] = []
    if reader.images:
        finder = ImageFinder(folders)
        drafts = _read_images(reader, finder, images or root)
        finder.refuse_missing()
    else:
        drafts = _read_frames(reader, folders, images or root, warnings)
    warnings += [
        f"{count} {kind} annotations were left out: they are no objects to count" for kind, count in sorted(reader.left_out.items())
    ]
    return DatasetDraft(form="cvat", labels=tuple(reader.labels), images=drafts, warnings=warnings)


def _read_frames(reader: _Reader, folders: Sequence[Path], root: Path, warnings: list[str]) -> list[ImageDraft]:
    """The frames of an export for video that there is a picture of."""
    size = int(told) if (told := reader.told.get("size", "")).isdecimal() else None
    files = files_of_frames(folders, reader.path, size)
    if not files:
        raise DatasetImagesMissingError(
            f"{reader.path} is an export 'CVAT for video', and no picture of its frames was found below {folders[0]}",
            advice="Export it with its images; or extract them with `imagine-edge export --format yolo --frames`, and name the folder.",
        )
    seen = {key.frame for track in reader.tracks for key in track.keys if not key.is_outside}
    if lacking := len(seen - files.keys()):
        warnings.append(f"{lacking} of {len(seen)} frames with a key box have no picture: only frames with a picture were taken")
    if doubtful := sum(track.decision in ("none", "unsure", "rejected") for track in reader.tracks):
        warnings.append(f"{doubtful} tracks were not accepted by anybody (attribute decision), and were taken like the others")
    size_px = _size(reader.told, reader.path, "the frames")
    boxes = boxes_of_frames(reader.tracks, files)
    drafts = []
    for frame, path in sorted(files.items()):
        name = name_inside(path, root)
        drafts.append(ImageDraft(path=path, name=name, boxes=tuple(boxes[frame]), size_px=size_px, split=split_of(name)))
    return drafts


def _read_images(reader: _Reader, finder: ImageFinder, root: Path) -> list[ImageDraft]:
    drafts: list[ImageDraft] = []
    seen: set[str] = set()
    for attributes, boxes in reader.images:
        name = attributes.get("name", "")
        subset = attributes.get("subset", "")
        full = f"{subset}/{name}" if subset else name
        if not name or full in seen:
            raise DatasetDuplicateError(f"{reader.path} lists the image {name!r} twice, or an image without a name")
        seen.add(full)
        path = finder.find(full)
        if path is None:
            continue
        inside = name_inside(path, root)
        size_px = _size(attributes, reader.path, name)
        drafts.append(
            ImageDraft(path=path, name=inside, boxes=tuple(boxes), size_px=size_px, split=split_of(f"{full}/x") or split_of(inside))
        )
    return drafts


def _size(attributes: Attributes, path: Path, name: str) -> tuple[int, int] | None:
    try:
        width, height = int(attributes.get("width", "0")), int(attributes.get("height", "0"))
    except ValueError as error:
        raise DatasetLineError(f"{path}: the size of {name} is no number") from error
    return (width, height) if width and height else None


def _corners(kind: str, attributes: Attributes) -> Corners:
    if kind == "box":
        left, top, right, bottom = (float(attributes[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        return _turned((left, top, right, bottom), float(attributes.get("rotation", "0")))
    if kind == "ellipse":
        x, y, rx, ry = (float(attributes[key]) for key in ("cx", "cy", "rx", "ry"))
        angle = math.radians(float(attributes.get("rotation", "0")))
        half_x, half_y = math.hypot(rx * math.cos(angle), ry * math.sin(angle)), math.hypot(rx * math.sin(angle), ry * math.cos(angle))
        return x - half_x, y - half_y, x + half_x, y + half_y
    if kind == "mask":
        left, top, width, height = (float(attributes[key]) for key in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    points = [[float(value) for value in pair.split(",")] for pair in attributes["points"].split(";")]
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise ValueError("a polygon needs three points of two numbers")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _turned(box: Corners, rotation_deg: float) -> Corners:
    """The upright box around one that is turned about its centre."""
    if not rotation_deg:
        return box
    left, top, right, bottom = box
    angle = math.radians(rotation_deg)
    x, y, half_width, half_height = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
    reach_x = abs(half_width * math.cos(angle)) + abs(half_height * math.sin(angle))
    reach_y = abs(half_width * math.sin(angle)) + abs(half_height * math.cos(angle))
    return x - reach_x, y - reach_y, x + reach_x, y + reach_y
