"""Pictures in, a training set out: YOLO (`images/PART/STATION/`, `labels/...`, data.yaml) and COCO (`annotations/instances_PART.json`).

The folder of a station is what `models train` takes for the tow of a picture, so whatever it divides by, no station is divided.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.errors import InputError, Reason
from edge.export.dataset.divide import PARTS, Part
from edge.export.dataset.sources import LabelledObject, ReviewedPicture
from edge.export.footage import FootageHands
from edge.export.names import flat_stem
from edge.export.yolo import copy_verified, yaml_text

_EXTENSIONS = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "bmp": ".bmp"}


class SetWriter:
    """Writes pictures one by one into an empty folder, and what lists them at the end."""

    def __init__(self, folder: Path, hands: FootageHands, classes: Sequence[tuple[str, int | None]], *, forms: frozenset[str]) -> None:
        """`classes`: names with AphiaIDs, in the order of their numbers; `forms`: "yolo", "coco" or both."""
        self._folder = folder
        self._hands = hands
        self._classes = list(classes)
        self._numbers = {name: number for number, (name, _) in enumerate(classes)}
        self._forms = forms
        self._images: dict[Part, list[dict[str, Any]]] = {part: [] for part in PARTS}
        self._annotations: dict[Part, list[dict[str, Any]]] = {part: [] for part in PARTS}
        self.sources: list[dict[str, Any]] = []

    def add(self, picture: ReviewedPicture, part: Part) -> int:
        """Write a picture with its labels. Returns how many objects it has.

        Raises:
            InputError: its file is gone, cannot be read, or is no longer what was reviewed; nothing of it is left.
        """
        inside = f"{part}/{picture.station.folder}/{picture_name(picture)}"
        target = self._folder / "images" / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        self.put(picture, target)
        boxes = [(one, box) for one in picture.objects if (box := _cut(one, picture)) is not None]
        if "yolo" in self._forms:
            label_path = (self._folder / "labels" / inside).with_suffix(".txt")
            label_path.parent.mkdir(parents=True, exist_ok=True)
            label_path.write_text("".join(self._line(one, box, picture) for one, box in boxes), "ascii")
        self._note(picture, part, f"images/{inside}", boxes)
        return len(boxes)

    def put(self, picture: ReviewedPicture, target: Path) -> None:
        """Copy a still, or extract a frame.

        Raises:
            InputError: see `add`.
        """
        if picture.at_s is None:
            copy_verified(picture.path, picture.sha256, target)
            return
        if picture.path is None:
            raise InputError(Reason.VANISHED, "the clip is no longer there")
        target.write_bytes(self._hands.jpeg(picture.path, picture.at_s))

    def finish(self, info: dict[str, Any]) -> None:
        """Write what lists the pictures."""
        if "yolo" in self._forms:
            lines = [
                "# Divided by station.",
                "path: .",
                *(f"{part}: images/{part}" for part in PARTS),
                f"nc: {len(self._classes)}",
                "names:",
            ]
            lines += [f"  {number}: {yaml_text(name)}" for number, (name, _) in enumerate(self._classes)]
            (self._folder / "data.yaml").write_text("\n".join(lines) + "\n", "ascii")
        if "coco" in self._forms:
            (self._folder / "annotations").mkdir()
            categories = [
                {"id": number, "name": name, "supercategory": "", "aphia_id": aphia_id}
                for number, (name, aphia_id) in enumerate(self._classes, start=1)
            ]
            for part in PARTS:
                content = {
                    "info": info,
                    "licenses": [],
                    "categories": categories,
                    "images": self._images[part],
                    "annotations": self._annotations[part],
                }
                (self._folder / "annotations" / f"instances_{part}.json").write_text(json.dumps(content) + "\n", "ascii")

    def _line(self, one: LabelledObject, box: tuple[float, float, float, float], picture: ReviewedPicture) -> str:
        x_min, y_min, x_max, y_max = box
        x, width = (x_min + x_max) / 2 / picture.width_px, (x_max - x_min) / picture.width_px
        y, height = (y_min + y_max) / 2 / picture.height_px, (y_max - y_min) / picture.height_px
        return f"{self._numbers[one.label]} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"

    def _note(
        self, picture: ReviewedPicture, part: Part, name: str, boxes: Sequence[tuple[LabelledObject, tuple[float, float, float, float]]]
    ) -> None:
        image_id = len(self.sources) + 1
        image = {
            "id": image_id,
            "file_name": name,
            "width": picture.width_px,
            "height": picture.height_px,
            "station": picture.station.folder,
        }
        self._images[part].append(image)
        first = 1 + sum(len(rows) for rows in self._annotations.values())
        for annotation_id, (one, (x_min, y_min, x_max, y_max)) in enumerate(boxes, start=first):
            width_px, height_px = round(x_max - x_min, 3), round(y_max - y_min, 3)
            self._annotations[part].append(
                {
                    "id": annotation_id,
                    "image_id": image_id,
                    "category_id": self._numbers[one.label] + 1,
                    "bbox": [round(x_min, 3), round(y_min, 3), width_px, height_px],
                    "area": round(width_px * height_px, 3),
                    "segmentation": [],
                    "iscrowd": 0,
                    "origin": one.origin,
                    "uuid": one.uuid,
                }
            )
        self.sources.append(
            {
                "file": name,
                "image_uuid": picture.image_uuid,
                "source": picture.name,
                "source_sha256": picture.sha256,
                "frame": picture.frame,
                "at_s": None if picture.at_s is None else round(picture.at_s, 6),
                "survey": picture.station.survey,
                "station": picture.station.name,
                "tow_uuid": picture.tow,
                "objects": len(boxes),
                "reviewers": list(picture.reviewers),
                "model": picture.model,
                "cvat": None if picture.cvat is None else dict(picture.cvat),
            }
        )


def picture_name(picture: ReviewedPicture) -> str:
    """A name that no other picture of its station has."""
    stem = flat_stem(picture.name, picture.sha256)
    return f"{stem}-frame-{picture.frame:06d}.jpg" if picture.frame is not None else stem + _EXTENSIONS.get(picture.format, ".img")


def _cut(one: LabelledObject, picture: ReviewedPicture) -> tuple[float, float, float, float] | None:
    """A box cut at the picture's edges; None if nothing of it lies inside."""
    x_min, x_max = (min(max(edge_px, 0.0), float(picture.width_px)) for edge_px in (one.x_min_px, one.x_max_px))
    y_min, y_max = (min(max(edge_px, 0.0), float(picture.height_px)) for edge_px in (one.y_min_px, one.y_max_px))
    return (x_min, y_min, x_max, y_max) if x_max > x_min and y_max > y_min else None
