"""Classification folders: one folder per class, below `train`, `val`, `test` where the set is split."""

from __future__ import annotations

from pathlib import Path

from models.datasets.draft import SPLIT_OF_FOLDER, DatasetDraft, ImageDraft, name_inside, split_of, walk_images
from models.datasets.errors import DatasetUnlabelledError


def class_folders(root: Path) -> list[Path]:
    """The folders that stand for classes, if every image of the set lies in one; else none."""
    tops = _visible(root)
    splits = [folder for folder in tops if folder.name.lower() in SPLIT_OF_FOLDER]
    folders = [folder for split in splits for folder in _visible(split)] if splits and len(splits) == len(tops) else tops
    classes = {folder for folder in folders if any(walk_images(folder))}
    owned = all(any(folder in path.parents for folder in classes) for path in walk_images(root))
    return sorted(classes) if len({folder.name for folder in classes}) > 1 and owned else []


def read_classes(root: Path) -> DatasetDraft:
    """The images of classification folders; the label is the folder's name.

    Raises:
        DatasetUnlabelledError: there is no such folder with images.
    """
    folders = class_folders(root)
    if not folders:
        raise DatasetUnlabelledError(f"{root} has no folder per class with images in it")
    labels = tuple(sorted({folder.name for folder in folders}))
    images = [
        ImageDraft(path=path, name=(name := name_inside(path, root)), whole_label=labels.index(folder.name), split=split_of(name))
        for folder in folders
        for path in walk_images(folder)
    ]
    return DatasetDraft(form="classes", labels=labels, images=images)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
