"""Small labelled data sets on disk, in every form that is read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from models.runtime.vision import cv2

WIDTH_PX, HEIGHT_PX = 64, 48
Boxes = Sequence[tuple[int, float, float, float, float]]  # label index, x_min, y_min, x_max, y_max in pixels


def write_image(path: Path, *, grey: int = 90, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> Path:
    """A grey PNG or JPEG; another grey makes other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height_px, width_px, 3), grey, np.uint8))
    return path


def yolo_lines(boxes: Boxes, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> str:
    """Label lines of boxes in pixels."""
    return "".join(
        f"{label} {(left + right) / 2 / width_px} {(top + bottom) / 2 / height_px} "
        f"{(right - left) / width_px} {(bottom - top) / height_px}\n"
        for label, left, top, right, bottom in boxes
    )


def write_yolo(root: Path, labelled: Mapping[str, Boxes], *, images: str = "images", labels: str = "labels") -> Path:
    """`images/NAME.png` and `labels/NAME.txt`; NAME may hold folders."""
    for number, (name, boxes) in enumerate(labelled.items()):
        write_image(root / images / f"{name}.png", grey=40 + number)
        target = root / labels / f"{name}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yolo_lines(boxes))
    return root


def write_coco(
    path: Path, labelled: Mapping[str, Boxes], names: Mapping[int, str], *, size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)
) -> Path:
    """A COCO file; `names` by category id, label indexes count in their order."""
    ids = sorted(names)
    rows = [
        {"image_id": number, "category_id": ids[label], "bbox": [left, top, right - left, bottom - top], "iscrowd": 0}
        for number, boxes in enumerate(labelled.values(), start=7)
        for label, left, top, right, bottom in boxes
    ]
    document = {
        "images": [{"id": number, "file_name": name, "width": size[0], "height": size[1]} for number, name in enumerate(labelled, start=7)],
        "annotations": [{"id": number, **row} for number, row in enumerate(rows, start=1)],
        "categories": [{"id": number, "name": name} for number, name in names.items()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def write_cvat(path: Path, shapes: Mapping[str, str], labels: Sequence[str], *, size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX)) -> Path:
    """An export "CVAT for images 1.1"; `shapes` are the elements of each image, as CVAT writes them."""
    declared = "".join(f"<label><name>{name}</name><type>any</type></label>" for name in labels)
    images = "".join(
        f'<image id="{number}" name={quoteattr(name)} width="{size[0]}" height="{size[1]}">{inside}</image>'
        for number, (name, inside) in enumerate(shapes.items())
    )
    meta = f"<meta><task><id>3</id><name>openings of FU22</name><labels>{declared}</labels></task></meta>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>{meta}{images}</annotations>\n')
    return path


def zip_folder(folder: Path, target: Path) -> Path:
    """Everything in a folder as a zip."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target
