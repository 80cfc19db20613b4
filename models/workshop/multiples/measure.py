"""How well a classifier tells several from one: on rendered crops, on real single animals, and on real animals laid together.

Measured is what serves: the pack's own variant, through the appliance's own classifier.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.zooscan.multiples import without_footer
from edge.zooscan.particle import Particle
from edge.zooscan.segment import SegmentSettings, find_particles
from models.workshop.multiples.laying import lay_together
from models.workshop.scan.drawing import WHITE

UInt8Array = npt.NDArray[np.uint8]
Float32Array = npt.NDArray[np.float32]

THRESHOLDS = (0.4, 0.5)
# What share of a scan's objects are several: the prevalences for which a precision is told.
PREVALENCES = (0.05, 0.15)
_LARGEST_RATIO = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RealAnimal:
    """One animal of a real vignette: its class, and it alone (H, W) uint8, dark on white."""

    label: str
    alone: UInt8Array


def figures(multiples: Float32Array, singles: Float32Array) -> dict[str, Any]:
    """What the scores of known multiples and known singles say of a classifier."""
    both = np.concatenate([multiples, singles])
    ranks = _ranks(both)[: len(multiples)]
    auc = (ranks.sum() - len(multiples) * (len(multiples) + 1) / 2) / (len(multiples) * len(singles))
    at = {}
    for threshold in THRESHOLDS:
        recall, false = float((multiples >= threshold).mean()), float((singles >= threshold).mean())
        at[str(threshold)] = {
            "recall": recall,
            "false_share": false,
            "precision": {str(share): share * recall / max(share * recall + (1 - share) * false, 1e-9) for share in PREVALENCES},
        }
    right = float((multiples >= 0.5).mean() + (singles < 0.5).mean()) / 2
    return {"multiples": len(multiples), "singles": len(singles), "auc": float(auc), "balanced_accuracy": right, "at": at}


def real_animals(folder: Path) -> list[RealAnimal]:
    """The largest object of each real vignette below a folder with `images/` and tables `*_labels.csv` (id, img_path, label)."""
    found = []
    for table in sorted(folder.glob("*_labels.csv")):
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                picture = cv2.imread(str(folder / "images" / Path(row["img_path"]).name), cv2.IMREAD_GRAYSCALE)
                if picture is None:
                    continue
                particle = _largest(without_footer(np.asarray(picture, np.uint8)))
                if particle is not None:
                    found.append(RealAnimal(label=row["label"], alone=particle.alone))
    return found


def laid_together(animals: Sequence[RealAnimal], count: int, seed: int) -> Iterator[UInt8Array]:
    """Pairs of real animals, each turned by chance and pushed together until they touch: what the segmenter would hand over."""
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        one, other = (_turned(animals[place].alone, rng) for place in rng.choice(len(animals), 2, replace=False))
        dark = sorted(int((crop < WHITE).sum()) for crop in (one, other))
        if dark[1] > _LARGEST_RATIO * dark[0]:
            continue
        laid = lay_together(one, other, rng)
        parts = [] if laid is None else list(find_particles(laid.picture, SegmentSettings()))
        if len(parts) == 1 and int(parts[0].holed.sum()) > 0.9 * sum(dark):
            made += 1
            yield parts[0].alone


def _largest(picture: UInt8Array) -> Particle | None:
    found = find_particles(picture, SegmentSettings(whole_only=False))
    return max(found, key=lambda particle: int(particle.holed.sum()), default=None)


def _turned(alone: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    height, width = alone.shape
    side = int(np.hypot(height, width)) + 4
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(0, 360)), 1.0)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    return np.asarray(cv2.warpAffine(alone, turn, (side, side), flags=cv2.INTER_LINEAR, borderValue=(float(WHITE),)), np.uint8)


def _ranks(values: Float32Array) -> npt.NDArray[np.float64]:
    """Ranks from 1, those of equal values their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(ends - (counts - 1) / 2, np.float64)[inverse]
