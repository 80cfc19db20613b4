"""How well touching plankton is told and cut, on rendered objects of known truth; prints one JSON document.

Usage, from the top of the repository: python -m tests.benchmarks.separation [--seed S] [--objects N] [--sheet legacy_oracle/sheet_vis1.png]

The separator's constants were chosen on seed 12: ask for another. `--sheet` looks at real single animals as well, all of which must stay
whole. Right is a cut into as many objects as there are animals, each of which shares 75 % of its pixels with its animal's (IoU).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.values import Float32Array, UInt8Array
from edge.zooscan.multiples import MULTIPLE_SCORE, ClassifierSpec, load_classifier
from edge.zooscan.particle import BoolArray
from edge.zooscan.segment import SegmentSettings, find_particles
from edge.zooscan.separate import Separation, WatershedSeparator
from models.workshop.scan.drawing import Drawing, draw_animal, draw_touching

STARTER = Path(__file__).parents[2] / "models" / "packs" / "zooscan-multiples-starter"
SAME_IOU = 0.75


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What became of one drawn object: parts it was cut into, the worst IoU of its animals, the classifier's score."""

    animals: int
    parts: int
    worst_iou: float
    score: float
    pixels: int


def main() -> int:
    """Draw, classify, cut, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--objects", type=int, default=400, help="singles, and as many multiples: four fifths pairs, one fifth triples")
    parser.add_argument("--sheet", type=Path, help="a clean picture of real single objects")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    drawn = [draw_animal(np.random.default_rng([arguments.seed, 2, k])) for k in range(arguments.objects)]
    drawn += [draw_touching(np.random.default_rng([arguments.seed, 1, k]), animals=2 if k % 5 else 3) for k in range(arguments.objects)]
    classifier = load_classifier(ClassifierSpec(pack_path=STARTER))
    (scores, score_ms), (cuts, cut_ms) = _timed_scores(classifier.scores, drawn), _timed_cuts(drawn)
    judged = [_judged(one, cut, float(score)) for one, cut, score in zip(drawn, cuts, scores, strict=True)]
    found: dict[str, Any] = {"seed": arguments.seed, "classify_ms_per_object": score_ms, "separate_ms_per_object": cut_ms}
    for name, animals in (("singles", 1), ("pairs", 2), ("triples", 3)):
        found[name] = _figures([one for one in judged if one.animals == animals])
    if arguments.sheet is not None:
        found["real singles"] = _real(np.asarray(cv2.imread(str(arguments.sheet), cv2.IMREAD_GRAYSCALE), np.uint8), classifier.scores)
    json.dump(found, sys.stdout, indent=1)
    print()
    return 0


def _timed_scores(scores: Any, drawn: Sequence[Drawing]) -> tuple[Float32Array, float]:
    crops = [one.alone for one in drawn]
    began_s = time.process_time()
    found: Float32Array = scores(crops)
    return found, _ms_each(began_s, len(drawn))


def _timed_cuts(drawn: Sequence[Drawing]) -> tuple[list[Separation], float]:
    separator = WatershedSeparator()
    masks = [(one.alone, one.filled) for one in drawn]
    began_s = time.process_time()
    cuts = [separator.lines(alone, filled) for alone, filled in masks]
    return cuts, _ms_each(began_s, len(drawn))


def _ms_each(began_s: float, count: int) -> float:
    return round((time.process_time() - began_s) / count * 1000, 2)


def _judged(drawn: Drawing, cut: Separation, score: float) -> Judged:
    parts = _parts(drawn.alone, cut)
    own = [drawn.owner == number for number in range(1, drawn.animals + 1)]
    best = [max((float((part & one).sum() / (part | one).sum()) for part in parts), default=0.0) for one in own]
    return Judged(animals=drawn.animals, parts=len(parts), worst_iou=min(best), score=score, pixels=len(cut.pixels))


def _parts(alone: UInt8Array, cut: Separation) -> list[BoolArray]:
    """The objects that the segmenter finds where lines are white, each as (H, W) bool."""
    height, width = alone.shape
    picture = np.pad(alone, 1, constant_values=255)
    picture[cut.pixels[:, 1] + 1, cut.pixels[:, 0] + 1] = 255
    parts = []
    for particle in find_particles(picture, SegmentSettings()):
        part = np.zeros((height + 2, width + 2), np.bool_)
        part[particle.y_px : particle.y_px + particle.height_px, particle.x_px : particle.x_px + particle.width_px] = particle.holed
        parts.append(part[1:-1, 1:-1])
    return parts


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    told = [one for one in judged if one.score > MULTIPLE_SCORE]

    def share(chosen: Sequence[Judged]) -> float:
        return round(len(chosen) / max(len(judged), 1), 3)

    return {
        "objects": len(judged),
        "told several": share(told),
        "cut if asked": {
            "number right": share([one for one in judged if one.parts == one.animals]),
            "right": share([one for one in judged if one.parts == one.animals and one.worst_iou > SAME_IOU]),
            "too few": share([one for one in judged if one.parts < one.animals]),
            "too many": share([one for one in judged if one.parts > one.animals]),
        },
        "told several and cut": share([one for one in told if one.pixels]),
        "told several and cut right": share([one for one in told if one.parts == one.animals and one.worst_iou > SAME_IOU]),
    }


def _real(sheet: UInt8Array, scores: Any) -> dict[str, Any]:
    animals = list(find_particles(sheet, SegmentSettings()))
    told = scores([animal.alone for animal in animals]) > MULTIPLE_SCORE
    cut = np.array([bool(len(WatershedSeparator().lines(animal.alone, animal.filled).pixels)) for animal in animals])
    return {
        "objects": len(animals),
        "told several": round(float(told.mean()), 3),
        "cut if asked": round(float(cut.mean()), 3),
        "told several and cut": round(float((told & cut).mean()), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
