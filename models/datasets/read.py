"""Read a data set in whatever form it has.

    read_dataset(Path("stills"))                     YOLO: images/ and labels/, with or without data.yaml
    read_dataset(Path("instances_val.json"))         COCO: the file, or a folder with annotations/*.json
    read_dataset(Path("task_12.zip"))                CVAT for images or for video 1.1, annotations.xml and images/
    read_dataset(Path("vignettes"))                  classification: one folder per class

A zip of each is taken too.
"""

from __future__ import annotations

from pathlib import Path

from models.datasets.archive import unpack_dataset
from models.datasets.classes import class_folders, read_classes
from models.datasets.coco import looks_like_coco, read_coco
from models.datasets.cvat import read_cvat
from models.datasets.dataset import Dataset
from models.datasets.draft import DatasetDraft, walk_images
from models.datasets.errors import DatasetImagesMissingError, DatasetUnknownError, DatasetUnlabelledError
from models.datasets.tow import compile_pattern
from models.datasets.yolo import read_yolo
from models.datasets.yolo_yaml import find_yaml
from models.workbench import OnProgress


def read_dataset(
    path: Path,
    *,
    images: Path | None = None,
    split: str | None = None,
    limit: int | None = None,
    tow_pattern: str | None = None,
    skip_broken: bool = False,
    on_step: OnProgress | None = None,
) -> Dataset:
    """The labelled images of a data set, its boxes in pixels of the images as the appliance decodes them.

    Args:
        path: the folder, label file or zip.
        images: the folder of the images, where they do not lie with the labels.
        split: take only the images that the data set itself puts into "train", "val" or "test".
        limit: take only so many images, spread evenly over the whole set.
        tow_pattern: a regular expression that finds the tow in an image's name; its group `tow`, or its first, or all of it.
        skip_broken: leave images that cannot be decoded out, with a warning, instead of refusing the set.
        on_step: told while images are read.

    Raises:
        DatasetError: it cannot be used as it is; see `models.datasets.errors`.
        SettingsError: `tow_pattern` is no regular expression.
    """
    from models.datasets.finish import finish_dataset  # loads OpenCV: not for those who only name this function

    pattern = compile_pattern(tow_pattern)
    path = path.resolve()
    if not path.exists():
        raise DatasetUnknownError(f"there is nothing at {path}")
    if images is not None:
        images = images.resolve()
        if not images.is_dir():
            raise DatasetImagesMissingError(f"there is no folder {images}")
    root, draft = _read_draft(path, images)
    draft.images.sort(key=lambda image: image.name)
    if split is not None:
        _choose_split(draft, split, root)
    elif len(parts := sorted({image.split for image in draft.images if image.split is not None})) > 1:
        draft.warnings.append(f"all parts of the data set ({', '.join(parts)}) were taken together")
    if limit is not None and 0 < limit < len(draft.images):
        count = len(draft.images)
        draft.images = [draft.images[index * count // limit] for index in range(limit)]
        draft.warnings.append(f"only {limit} of {count} images were taken")
    return finish_dataset(root, draft, tow_pattern=pattern, skip_broken=skip_broken, on_step=on_step)


def _read_draft(path: Path, images: Path | None) -> tuple[Path, DatasetDraft]:
    if path.is_dir():
        return path, _read_folder(path, images)
    suffix = path.suffix.lower()
    if suffix == ".zip":
        top = unpack_dataset(path)
        return top, _read_folder(top, images)
    if suffix in (".yaml", ".yml"):
        return path.parent, read_yolo(path.parent, yaml_path=path, images=images)
    if suffix == ".json":
        return path.parent, read_coco(path.parent, [path], images=images)
    if suffix == ".xml":
        return path.parent, read_cvat(path.parent, path, images=images)
    raise DatasetUnknownError(f"{path} is neither a folder, nor .yaml, .json, .xml or .zip")


def _read_folder(root: Path, images: Path | None) -> DatasetDraft:
    """By the label files that are there; a folder with two forms of them is read in this order."""
    if (xml_path := root / "annotations.xml").is_file():
        return read_cvat(root, xml_path, images=images)
    yaml_path = find_yaml(root)
    if yaml_path is not None or _has_label_texts(root):
        return read_yolo(root, yaml_path=yaml_path, images=images)
    files = [file for file in sorted((*root.glob("annotations/*.json"), *root.glob("*.json"))) if looks_like_coco(file)]
    if files:
        return read_coco(root, files, images=images)
    if class_folders(root):
        return read_classes(root)
    count = sum(1 for _ in walk_images(root))
    if count:
        raise DatasetUnlabelledError(f"{root} holds {count} images, but no labels in a form that is read")
    raise DatasetUnknownError(f"{root} holds neither images nor labels in a form that is read")


def _has_label_texts(root: Path) -> bool:
    if root.name == "labels" or any(folder.is_dir() for folder in (root / "labels", *root.glob("*/labels"))):
        return True
    return any(path.with_suffix(".txt").is_file() for path in walk_images(root))


def _choose_split(draft: DatasetDraft, split: str, root: Path) -> None:
    chosen = [image for image in draft.images if image.split == split]
    if not chosen:
        known = sorted({image.split for image in draft.images if image.split is not None})
        told = f"its parts are {', '.join(known)}" if known else "it is not divided"
        raise DatasetUnlabelledError(f"{root} has no labelled image in the part {split!r}; {told}", advice="Name another --split, or none.")
    draft.images = chosen
