"""COCO: one JSON file, or several in `annotations/`, of images, categories and annotations.

https://cocodataset.org/#format-data (object detection): `bbox` is [x, y, width, height] in pixels of the image. Category
ids may have gaps; label indexes count the categories in order of their ids. An annotation without `bbox` gets the box
around its polygons. A listed image without annotations was looked at and shows nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from models.datasets.draft import BoxDraft, DatasetDraft, ImageDraft, Split, name_inside, read_text, split_of
from models.datasets.errors import (
    DatasetDuplicateError,
    DatasetLabelsError,
    DatasetLineError,
    DatasetUnlabelledError,
    DatasetUnreadableError,
)
from models.datasets.locate import ImageFinder

_SPLIT_WORDS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(slots=True, kw_only=True)
class _Document:
    """One JSON file, its parts checked for their kind only."""

    path: Path
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    names: dict[int, str]  # by category id, in order of the ids
    boxes: dict[int, list[BoxDraft]] = field(default_factory=dict)  # by image id


def read_coco(root: Path, files: Sequence[Path], *, images: Path | None = None) -> DatasetDraft:
    """The labels of COCO files.

    Args:
        root: the folder that names of images are relative to.
        files: the JSON files; their categories are joined by name.
        images: the folder of the images, where they lie elsewhere.

    Raises:
        DatasetError: a file or label that cannot be used, or an image that is missing.
    """
    documents = [_read_document(path) for path in files]
    labels = tuple(dict.fromkeys(name for document in documents for name in document.names.values()))
    if not labels:
        raise DatasetLabelsError(f"{files[0]} has no categories")
    finder = ImageFinder(_folders(root, files, images))
    drafts: list[ImageDraft] = []
    for document in documents:
        _read_boxes(document, labels)
        drafts += _read_images(document, finder, images or root)
    finder.refuse_missing()
    if not drafts:
        raise DatasetUnlabelledError(f"{', '.join(path.name for path in files)} lists no image")
    return DatasetDraft(form="coco", labels=labels, images=drafts)


def looks_like_coco(path: Path) -> bool:
    """Whether a JSON file begins as COCO does; told without reading all of it where possible."""
    try:
        fields = _load(path)
    except DatasetUnreadableError:
        return False
    return isinstance(fields, dict) and {"images", "annotations", "categories"} <= fields.keys()


def _folders(root: Path, files: Sequence[Path], images: Path | None) -> list[Path]:
    if images is not None:
        return [images]
    return [folder for path in files for folder in (path.parent, path.parent / "images")] + [root, root / "images"]


def _load(path: Path) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise DatasetLineError(f"{path} holds {constant}, which is no finite number")

    try:
        return json.loads(read_text(path), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise DatasetUnreadableError(f"{path} line {error.lineno} is not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise DatasetUnreadableError(f"{path} is nested too deeply to be a data set") from error


def _read_document(path: Path) -> _Document:
    fields = _load(path)
    if not isinstance(fields, dict):
        raise DatasetUnreadableError(f"{path} does not hold a COCO data set")
    for part in ("images", "annotations", "categories"):
        rows = fields.get(part)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DatasetUnreadableError(f"{path} has no list of {part}, so it is no COCO data set")
    names: dict[int, str] = {}
    for row in fields["categories"]:
        number, name = row.get("id"), row.get("name")
        if not isinstance(number, int) or not isinstance(name, str) or not name:
            raise DatasetLabelsError(f"{path} has a category without id or name: {json.dumps(row)[:120]}")
        if number in names or name in names.values():
            raise DatasetLabelsError(f"{path} names category {number} ({name}) twice")
        names[number] = name
    return _Document(path=path, images=fields["images"], annotations=fields["annotations"], names=dict(sorted(names.items())))


def _read_boxes(document: _Document, labels: tuple[str, ...]) -> None:
    ids = {row.get("id") for row in document.images}
    for number, row in enumerate(document.annotations):
        where = f"{document.path.name} annotation {row.get('id', f'number {number + 1}')}"
        if row.get("image_id") not in ids:
            raise DatasetLineError(f"{where} belongs to image {row.get('image_id')}, which is not listed")
        name = document.names.get(row.get("category_id", -1))
        if name is None:
            raise DatasetLabelsError(f"{where} has category {row.get('category_id')}, which is not listed")
        x, y, width, height = _xywh(row, where)
        box = BoxDraft(xyxy=(x, y, x + width, y + height), label_index=labels.index(name), where=where, crowd=bool(row.get("iscrowd", 0)))
        document.boxes.setdefault(row["image_id"], []).append(box)


def _xywh(row: dict[str, Any], where: str) -> list[float]:
    raw = row.get("bbox")
    if not raw and isinstance(row.get("segmentation"), list):
        raw = _around([value for polygon in row["segmentation"] if isinstance(polygon, list) for value in polygon])
    if not isinstance(raw, list) or len(raw) != 4 or not all(isinstance(value, (int, float)) and math.isfinite(value) for value in raw):
        raise DatasetLineError(f"{where} has no box of four finite numbers: {json.dumps(raw)[:80]}")
    return [float(value) for value in raw]


def _around(values: list[Any]) -> list[float] | None:
    if len(values) < 6 or len(values) % 2 or not all(isinstance(value, (int, float)) for value in values):
        return None
    left, top = min(values[::2]), min(values[1::2])
    return [left, top, max(values[::2]) - left, max(values[1::2]) - top]


def _read_images(document: _Document, finder: ImageFinder, root: Path) -> list[ImageDraft]:
    drafts: list[ImageDraft] = []
    seen_ids: set[Any] = set()
    seen_names: set[str] = set()
    words = document.path.stem.lower()
    for row in document.images:
        number, name = row.get("id"), row.get("file_name")
        if not isinstance(name, str) or not name or not isinstance(number, int):
            raise DatasetUnreadableError(f"{document.path} lists an image without id or file_name: {json.dumps(row)[:120]}")
        if number in seen_ids or name in seen_names:
            raise DatasetDuplicateError(f"{document.path} lists the image {number} ({name}) twice")
        seen_ids.add(number)
        seen_names.add(name)
        path = finder.find(name)
        if path is None:
            continue
        inside = name_inside(path, root)
        drafts.append(
            ImageDraft(
                path=path,
                name=inside,
                boxes=tuple(document.boxes.get(number, ())),
                size_px=_size(row),
                split=split_of(inside) or next((word for word in _SPLIT_WORDS if word in words), None),
            )
        )
    return drafts


def _size(row: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height; some tools write 0 for what they do not know."""
    width, height = row.get("width"), row.get("height")
    return (int(width), int(height)) if isinstance(width, (int, float)) and isinstance(height, (int, float)) and width and height else None
