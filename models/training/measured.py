"""What a freshly trained network is worth: measured on images that it did not learn from, the way the appliance runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.draft import Split as PartName
from models.evaluate import ImageTruth
from models.evaluate.figures import figures
from models.evaluate.measurement import Measurement
from models.evaluate.run import measure_variant
from models.pack import Pack
from models.training.plan import DATA_NAME, Plan
from models.workbench import OnProgress

_LEAST_THRESHOLD, _MOST_THRESHOLD = 0.05, 0.95


class NothingFoundError(ModelError):
    """The trained network finds nothing at all."""

    code = "nothing_found"
    default_advice = "Train for more epochs, with more images or from a base pack; look at the curves in the work folder."


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Figures at IoU 0.5 over the images of one part; counts at `threshold`. Fractions, and objects per image."""

    map50: float
    map50_95: float
    threshold: float
    precision: float
    recall: float
    f1: float
    count_bias: float
    count_mae: float
    count_ccc: float | None
    mean_true: float
    mean_found: float
    images: int
    boxes: int

    def metrics(self) -> dict[str, float]:
        """As a manifest keeps them."""
        named = {"map50": self.map50, "map50_95": self.map50_95, "precision": self.precision, "recall": self.recall}
        named |= {"count_bias": self.count_bias, "count_mae": self.count_mae}
        if self.count_ccc is not None:
            named["count_ccc"] = self.count_ccc
        return {name: round(value, 4) for name, value in named.items()}


def part_of(folder: Path, plan: Plan, part: PartName) -> Dataset:
    """The images of one part of a work folder, labels as the model's."""
    rows = json.loads((folder / DATA_NAME).read_text(encoding="utf-8"))[part]
    return Dataset(
        root=folder,
        form=str(plan.dataset["form"]),
        labels=plan.labels,
        images=tuple(_image(row, part) for row in rows),
        sha256=str(plan.dataset["sha256"]),
    )


def _image(row: Mapping[str, Any], part: PartName) -> LabelledImage:
    return LabelledImage(
        path=Path(row["path"]),
        name=row["name"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        truth=ImageTruth(
            boxes_xyxy_px=np.asarray(row["boxes"], np.float32).reshape(-1, 4),
            label_index=np.asarray(row["label_index"], np.int32),
            crowd=np.asarray(row["crowd"], np.bool_),
        ),
        tow=row["tow"],
        split=part,
    )


def measured(pack: Pack, variant_name: str, dataset: Dataset, on_step: OnProgress | None) -> Measurement:
    """What a variant finds in every image."""
    return measure_variant(pack, variant_name, dataset, on_step=on_step)


def best_threshold(measurement: Measurement, dataset: Dataset) -> float:
    """The score above which to count: that of the best F1.

    Raises:
        NothingFoundError: nothing was found, or nothing of what was found is right.
    """
    best = figures(measurement, dataset).best_f1
    if best is None or best.f1 <= 0:
        raise NothingFoundError(f"the trained network finds none of the objects in {len(dataset.images)} validation images")
    return float(np.clip(round(best.threshold, 3), _LEAST_THRESHOLD, _MOST_THRESHOLD))


def worth(measurement: Measurement, dataset: Dataset, threshold: float) -> Worth:
    """The figures of a card, counting what scores at least `threshold`."""
    found = figures(measurement, dataset, threshold)
    return Worth(
        map50=found.map50 or 0.0,
        map50_95=found.map50_95 or 0.0,
        threshold=threshold,
        precision=found.precision or 0.0,
        recall=found.recall or 0.0,
        f1=found.f1 or 0.0,
        count_bias=found.counts.bias,
        count_mae=found.counts.mae,
        count_ccc=found.counts.ccc,
        mean_true=found.counts.mean_true,
        mean_found=found.counts.mean_found,
        images=found.images,
        boxes=found.objects,
    )
