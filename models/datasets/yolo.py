"""YOLO folders: an image, and a text file of the same name with a line per object.

    class x_centre y_centre width height          a box, fractions of the image's width and height
    class x1 y1 x2 y2 x3 y3 ...                   an outline, which becomes the box around it

Labels lie where `labels` stands for the last `images` of the image's path, or beside the image. With a data.yaml its entries
`train`, `val`, `test` say which images there are, else every image below the folder counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from models.datasets.draft import BoxDraft, DatasetDraft, ImageDraft, Split, name_inside, read_text, some, split_of, walk_files, walk_images
from models.datasets.errors import DatasetImagesMissingError, DatasetLabelsError, DatasetLineError, DatasetUnlabelledError
from models.datasets.yolo_yaml import DataYaml, read_names, read_yaml

_MAX_LABELS = 10_000
# Text files that lie among labels and are none.
_NO_LABELS = frozenset({"classes.txt", "obj.names", "notes.txt", "readme.txt", "train.txt", "val.txt", "test.txt", "readme.dataset.txt"})


def read_yolo(root: Path, *, yaml_path: Path | None = None, images: Path | None = None) -> DatasetDraft:
    """The labels of a YOLO folder.

    Args:
        root: the folder that names of images are relative to.
        yaml_path: its data.yaml, where there is one.
        images: the folder of the images, where they do not lie beside their labels.

    Raises:
        DatasetError: a label that cannot be used, an image that is missing, or nothing labelled.
    """
    data = read_yaml(yaml_path) if yaml_path is not None else None
    found = _find_images(root, data, images)
    pairs = [(path, _label_path(path, root, images), split) for path, split in found]
    labelled = [(path, label, split) for path, label, split in pairs if label.is_file()]
    if data is None or not data.splits:
        _refuse_orphans(root, [label for _, label, _ in pairs])
    if not labelled:
        raise DatasetUnlabelledError(f"none of the {len(pairs)} images below {images or root} has a label file")
    has_keypoints = data is not None and data.has_keypoints
    drafts = [
        ImageDraft(
            path=path,
            name=(name := name_inside(path, images or root)),
            boxes=tuple(_read_lines(label, root, has_keypoints=has_keypoints)),
            is_fraction=True,
            split=split or split_of(name),
        )
        for path, label, split in labelled
    ]
    unlabelled = [name_inside(path, root) for path, label, _ in pairs if not label.is_file()]
    warnings = [f"{len(unlabelled)} images have no label file and were left out: {some(unlabelled)}"] if unlabelled else []
    labels = _names(root, data, drafts)
    return DatasetDraft(form="yolo", labels=labels, images=drafts, warnings=[*(data.warnings if data else ()), *warnings])


def _find_images(root: Path, data: DataYaml | None, images: Path | None) -> list[tuple[Path, Split | None]]:
    """Every image once, in order of its path, with the split that data.yaml names for it."""
    if images is not None or data is None or not data.splits:
        found: dict[Path, Split | None] = dict.fromkeys(walk_images(images or root))
        return sorted(found.items())
    found = {}
    for split, entries in data.splits.items():
        for entry in entries:
            found |= {path: split for path in _images_of_entry(entry) if path not in found}
    return sorted(found.items())


def _images_of_entry(entry: Path) -> Iterator[Path]:
    """The images of a folder, or those that a text file lists line by line."""
    if entry.is_dir():
        yield from walk_images(entry)
        return
    for number, line in enumerate(read_text(entry).splitlines(), start=1):
        if not line.strip():
            continue
        path = entry.parent / line.strip()
        if not path.is_file():
            raise DatasetImagesMissingError(f"{entry} line {number} names {line.strip()}, which is not there")
        yield path


def _label_path(image: Path, root: Path, images: Path | None) -> Path:
    """Where the labels of an image would lie."""
    if images is not None:
        base = root / "labels" if (root / "labels").is_dir() else root
        return (base / image.relative_to(images)).with_suffix(".txt")
    parts = list(image.parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        moved = Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if moved.is_file() or not (beside := image.with_suffix(".txt")).is_file():
            return moved
        return beside
    return image.with_suffix(".txt")


def _refuse_orphans(root: Path, expected: Sequence[Path]) -> None:
    known = set(expected)
    orphans = [
        path for path in walk_files(root) if path.suffix.lower() == ".txt" and path not in known and path.name.lower() not in _NO_LABELS
    ]
    # Where labels have a folder of their own, text elsewhere is something else.
    if any("labels" in path.parts for path in known):
        orphans = [path for path in orphans if "labels" in path.parts]
    if orphans:
        names = [name_inside(path, root) for path in orphans]
        raise DatasetImagesMissingError(f"{len(names)} label files have no image: {some(names)}")


def _read_lines(path: Path, root: Path, *, has_keypoints: bool) -> Iterator[BoxDraft]:
    shown = name_inside(path, root)
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            yield _read_line(line.split(), f"{shown} line {number}", has_keypoints=has_keypoints)


def _read_line(words: Sequence[str], where: str, *, has_keypoints: bool) -> BoxDraft:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise DatasetLineError(f"{where} is not all numbers: {' '.join(words)[:80]!r}") from error
    if not all(math.isfinite(number) for number in numbers):
        raise DatasetLineError(f"{where} holds a number that is not finite: {' '.join(words)[:80]!r}")
    label, values = numbers[0], numbers[1:]
    if label < 0 or label != int(label) or label >= _MAX_LABELS:
        raise DatasetLineError(f"{where} begins with {words[0]}, which is no index of a label")
    if len(values) == 4 or (has_keypoints and len(values) > 4):
        x, y, width, height = values[:4]
        xyxy = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(values) >= 6 and len(values) % 2 == 0:
        xyxy = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    else:
        raise DatasetLineError(f"{where} has {len(numbers)} numbers; a box has 5, an outline an odd number of at least 7")
    return BoxDraft(xyxy=xyxy, label_index=int(label), where=where)


def _names(root: Path, data: DataYaml | None, drafts: Sequence[ImageDraft]) -> tuple[str, ...]:
    """Names by label index; numbers where nobody gave names."""
    boxes = [box for draft in drafts for box in draft.boxes]
    highest = max(boxes, key=lambda box: box.label_index, default=None)
    names = data.names if data is not None and data.names else read_names(root)
    if names is None:
        return tuple(str(index) for index in range(highest.label_index + 1 if highest else 1))
    if highest is not None and highest.label_index >= len(names):
        raise DatasetLabelsError(
            f"{highest.where} has label {highest.label_index}, but there are only {len(names)} names ({some(list(names))})"
        )
    return names
