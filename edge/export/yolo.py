"""Rows in, a YOLO data set out: labels/*.txt, images.txt, images.csv, data.yaml, and the images themselves if wanted.

A label file holds `class x_centre y_centre width height`, all but the class as fractions of the image; it is empty for an
image that was looked at and holds nothing. Images that are not copied are listed under the name that they must get:
images.csv leads from each to its original.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from edge.cells import CsvFile
from edge.errors import InputError, Reason
from edge.export.names import flat_name
from edge.store.export_rows import ExportCategory, ExportResult, FoundObject

IMAGES_FOLDER = "images"
LABELS_FOLDER = "labels"
_CHUNK_BYTES = 1 << 20
_IMAGE_COLUMNS = ("name", "path", "sha256", "width_px", "height_px", "original", "copied")
_REVIEW_COLUMNS = ("reviewed_by", "reviewed_utc", "origins")


def write_yolo(
    folder: Path,
    results: Iterable[tuple[ExportResult, list[FoundObject]]],
    categories: Sequence[ExportCategory],
    *,
    copy_images: bool,
    on_image_failure: Callable[[ExportResult, InputError], None],
    reviewed: bool = False,
) -> None:
    """Write the data set into an empty folder. Results of one image must follow each other.

    Args:
        folder: exists and is empty.
        results: current results.
        categories: the classes; their order gives the numbers, from 0.
        copy_images: copy the images too; one that cannot be copied, or is no longer what was looked at, is told to
            `on_image_failure` and left out of images.txt.
        on_image_failure: called with the result and what was wrong.
        reviewed: say in images.csv who reviewed an image, and where the object of each line of its label file comes from.
    """
    numbers = {(category.name, category.aphia_id): number for number, category in enumerate(categories)}
    (folder / LABELS_FOLDER).mkdir()
    (folder / IMAGES_FOLDER).mkdir()
    (folder / "data.yaml").write_text(data_yaml([category.name for category in categories]), "ascii")
    with (
        (folder / "images.txt").open("w", encoding="ascii", newline="\n") as names,
        CsvFile(folder / "images.csv", _IMAGE_COLUMNS + _REVIEW_COLUMNS if reviewed else _IMAGE_COLUMNS) as table,
    ):
        for _, same_image in groupby(results, key=lambda pair: pair[0].image_id):
            pairs = list(same_image)
            image = pairs[0][0]
            name = flat_name(image)
            lines = [label_line(image, found, numbers[found.label, found.aphia_id]) for _, objects in pairs for found in objects]
            (folder / LABELS_FOLDER / name).with_suffix(".txt").write_text("".join(lines), "ascii")
            copied = copy_images and _copied(image, folder / IMAGES_FOLDER / name, on_image_failure)
            if copied or not copy_images:
                names.write(f"./{IMAGES_FOLDER}/{name}\n")
            origins = "; ".join(found.origin for _, objects in pairs for found in objects)
            said = (image.reviewed_by, image.reviewed_utc, origins) if reviewed else ()
            table.write((name, image.path, image.sha256, image.width_px, image.height_px, image.original, int(copied), *said))


def label_line(image: ExportResult, found: FoundObject, number: int) -> str:
    """One line of a label file; edges are cut at the image's."""
    x_min, x_max = (_fraction(edge_px, image.width_px) for edge_px in (found.x_min_px, found.x_max_px))
    y_min, y_max = (_fraction(edge_px, image.height_px) for edge_px in (found.y_min_px, found.y_max_px))
    return f"{number} {(x_min + x_max) / 2:.6f} {(y_min + y_max) / 2:.6f} {x_max - x_min:.6f} {y_max - y_min:.6f}\n"


def data_yaml(names: Sequence[str]) -> str:
    """What ultralytics reads. Both lists are the same: an export is no split into training and validation."""
    head = ["# An export, not a split: train and val list the same images.", "train: images.txt", "val: images.txt", f"nc: {len(names)}"]
    scalars = [f"  {number}: {yaml_text(name)}" for number, name in enumerate(names)]
    return "\n".join([*head, "names:" if names else "names: {}", *scalars]) + "\n"


def _fraction(edge_px: float, size_px: int) -> float:
    return min(1.0, max(0.0, edge_px / size_px))


def yaml_text(text: str) -> str:
    r"""A double-quoted scalar of ASCII only; YAML knows `\UXXXXXXXX` where JSON would need two halves."""
    return "".join(json.dumps(sign)[1:-1] if sign < "\x7f" else f"\\U{ord(sign):08X}" for sign in text).join('""')


def _copied(image: ExportResult, target: Path, on_failure: Callable[[ExportResult, InputError], None]) -> bool:
    try:
        copy_verified(image.bytes_path, image.sha256, target)
    except InputError as error:
        on_failure(image, error)
        return False
    return True


def copy_verified(original: Path | None, sha256: str, target: Path) -> None:
    """Copy a file whose content is known.

    Raises:
        InputError: it is not there, cannot be read, or is no longer what it was; nothing is left at `target`.
    """
    if original is None:
        raise InputError(Reason.VANISHED, "the original is no longer there")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        source = os.fdopen(os.open(original, flags), "rb")
    except FileNotFoundError as error:
        raise InputError(Reason.VANISHED, "the original is no longer there") from error
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the original cannot be opened: {error.strerror}") from error
    digest = hashlib.sha256()
    with source, target.open("wb") as copy:
        while chunk := _read(source.fileno()):
            digest.update(chunk)
            copy.write(chunk)
    if digest.hexdigest() != sha256:
        target.unlink()
        raise InputError(Reason.CHANGED_WHILE_READ, "the original is no longer what was looked at")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _CHUNK_BYTES)
    except OSError as error:
        raise InputError(Reason.UNREADABLE_FILE, f"the original cannot be read: {error.strerror}") from error
