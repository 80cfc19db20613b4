"""Bring the labels of a data set to those of a model: by name, by a map that the user gives, or one to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.errors import DatasetLabelsError
from models.evaluate.values import ImageTruth

LEFT_OUT = -1


def align_labels(dataset: Dataset, labels: Sequence[str], labels_map: Mapping[str, str] | None = None) -> Dataset:
    """The data set with the labels of a model, so that indexes mean the same in both.

    Names are equal whatever their case, and a space, `_` and `-` are one. Where nothing agrees and both have one label, that is
    taken for the same, with a warning. What the model does not know is left out, with a warning.

    Args:
        labels: those of the model, by label index.
        labels_map: name in the data set -> name in the model, for names that differ.

    Raises:
        DatasetLabelsError: the map names what is not there, or no label is one of the model's.
    """
    labels = tuple(labels)
    if dataset.labels == labels and not labels_map:
        return dataset
    target, warnings = _targets(dataset, labels, labels_map or {})
    table = np.array(target, np.int32)
    images = tuple(_relabelled(image, table) for image in dataset.images)
    unknown = [name for name, index in zip(dataset.labels, target, strict=True) if index == LEFT_OUT]
    if unknown:
        lost = sum(len(old.truth.label_index) - len(new.truth.label_index) for old, new in zip(dataset.images, images, strict=True))
        warnings.append(f"{lost} objects were left out, whose labels the model does not know: {', '.join(unknown)}")
    return replace(dataset, labels=labels, images=images, warnings=(*dataset.warnings, *warnings))


def _targets(dataset: Dataset, labels: Sequence[str], labels_map: Mapping[str, str]) -> tuple[list[int], list[str]]:
    """Per label of the data set its index in the model's, or LEFT_OUT; and what a person should know."""
    known = {_plain(name): index for index, name in enumerate(labels)}
    renamed = {_plain(theirs): _plain(ours) for theirs, ours in labels_map.items()}
    for theirs, ours in labels_map.items():
        if _plain(theirs) not in {_plain(name) for name in dataset.labels}:
            raise DatasetLabelsError(f"the data set has no label {theirs!r}; it has {', '.join(dataset.labels)}")
        if _plain(ours) not in known:
            raise DatasetLabelsError(f"the model has no label {ours!r}; it has {', '.join(labels)}")
    target = [known.get(renamed.get(_plain(name), _plain(name)), LEFT_OUT) for name in dataset.labels]
    if any(index != LEFT_OUT for index in target):
        return target, []
    if len(labels) == 1 and len(dataset.labels) == 1:
        return [0], [f"the label {dataset.labels[0]!r} of the data set was taken for {labels[0]!r}, the only one of the model"]
    if all(name.isdecimal() for name in dataset.labels) and len(dataset.labels) <= len(labels):
        told = "the data set names no labels; its indexes were taken for those of the model"
        return [int(name) for name in dataset.labels], [told]
    raise DatasetLabelsError(f"no label of the data set ({', '.join(dataset.labels)}) is one of the model's ({', '.join(labels)})")


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").replace("-", " ").strip()


def _relabelled(image: LabelledImage, table: np.ndarray[tuple[int], np.dtype[np.int32]]) -> LabelledImage:
    truth = image.truth
    label_index = table[truth.label_index]
    kept = label_index != LEFT_OUT
    moved = ImageTruth(boxes_xyxy_px=truth.boxes_xyxy_px[kept], label_index=label_index[kept], crowd=truth.crowd[kept])
    return replace(image, truth=moved)
