"""The parts of a training as a data set of their own: `parts.yaml` with lists of images, for other commands on the same division.

    imagine-edge models quantise PACK --data WORK/parts.yaml             calibrates on train, judges on val
    imagine-edge models evaluate PACK --data WORK/parts.yaml --split test

Only for YOLO folders, whose labels lie beside their images; names of images must differ without their folders.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from models.datasets.dataset import Dataset
from models.training.split import PARTS, Split

PARTS_NAME = "parts.yaml"


def write_parts(folder: Path, dataset: Dataset, division: Split) -> Path | None:
    """Write `parts.yaml` and its lists; None where the data set cannot be told so."""
    names = [image.path.name for image in dataset.images]
    if dataset.form != "yolo" or len(set(names)) < len(names):
        return None
    paths = {image.name: image.path.resolve() for image in dataset.images}
    fields: dict[str, object] = {}
    for part in PARTS:
        if division.images[part]:
            listed = folder / f"{part}.txt"
            listed.write_text("".join(f"{paths[name]}\n" for name in division.images[part]), encoding="utf-8")
            fields[part] = listed.name
    fields["names"] = list(dataset.labels)
    (folder / PARTS_NAME).write_text(yaml.safe_dump(fields, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return folder / PARTS_NAME
