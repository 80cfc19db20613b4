"""What a parser reads from label files, before any image was opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.datasets.errors import DatasetUnreadableError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".dib"})
MAX_LABEL_FILE_BYTES = 2 * 1024**3  # COCO files of a large survey reach hundreds of megabytes

Split = Literal["train", "val", "test"]
SPLIT_OF_FOLDER: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "train2017": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "val2017": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDraft:
    """One label. `xyxy` in the units of its `ImageDraft`; `where` names the file and line that it came from."""

    xyxy: tuple[float, float, float, float]
    label_index: int
    where: str
    crowd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDraft:
    """One labelled image. `name` is its path inside the data set.

    `size_px` is the (width, height) on which it was labelled, where the labels say so. Boxes are pixels of it, or fractions of
    the image where `is_fraction`. `whole_label` is set for a classification, which has no boxes.
    """

    path: Path
    name: str
    boxes: tuple[BoxDraft, ...] = ()
    size_px: tuple[int, int] | None = None
    is_fraction: bool = False
    whole_label: int | None = None
    split: Split | None = None


@dataclass(slots=True, kw_only=True)
class DatasetDraft:
    """Everything that the label files say."""

    form: str
    labels: tuple[str, ...]
    images: list[ImageDraft]
    warnings: list[str] = field(default_factory=list)


def walk_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder in order of its path, hidden ones left out.

    Raises:
        DatasetUnreadableError: a folder cannot be read; it must never look like an empty one.
    """

    def refuse(error: OSError) -> None:
        raise DatasetUnreadableError(f"the folder {error.filename} cannot be read: {error.strerror}") from error

    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def walk_images(folder: Path) -> Iterator[Path]:
    """Every image file below a folder, by its extension."""
    return (path for path in walk_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def read_text(path: Path, *, max_bytes: int = MAX_LABEL_FILE_BYTES) -> str:
    """A label file as text.

    Raises:
        DatasetUnreadableError: it cannot be read, is too large, or is no UTF-8 text.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise DatasetUnreadableError(f"{path} has more than the {max_bytes} bytes that a label file may have")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetUnreadableError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetUnreadableError(f"{path} is no UTF-8 text (byte {error.start})") from error


def name_inside(path: Path, root: Path) -> str:
    """A path inside the data set with forward slashes, the file's own name where it lies elsewhere; always writable as UTF-8."""
    try:
        name = path.relative_to(root).as_posix()
    except ValueError:
        name = path.name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def split_of(name: str) -> Split | None:
    """The split that a folder on the way to an image names."""
    folders = name.split("/")[:-1]
    return next((SPLIT_OF_FOLDER[folder.lower()] for folder in folders if folder.lower() in SPLIT_OF_FOLDER), None)


def some(names: list[str], *, limit: int = 3) -> str:
    """A few of many names, and how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
