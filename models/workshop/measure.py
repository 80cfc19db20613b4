"""Runs a converted detector over labelled stills and evaluates it.

    python -m models.workshop.measure MODEL IMAGES [--threshold T]

MODEL is an `.onnx` or OpenVINO `.xml` file; IMAGES a folder whose labels lie in the neighbouring `labels` folder (YOLO layout).
Prints mAP50, mAP50-95, the best F1 and the count errors as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.values import Detections
from models import evaluate
from models.evaluate.figures import calibration_of
from models.manifest import InputSpec, Precision
from models.runtime.heads import suppress
from models.runtime.letterbox import letterbox, resize, to_source, to_tensor
from models.runtime.onnx import OnnxRuntimeEngine
from models.runtime.openvino import OpenVinoEngine
from models.runtime.protocols import Engine
from models.runtime.quiet import import_openvino
from models.workshop.crops import Image, read_still

SCORE_FLOOR = 0.005
# Calibration is that of what a person sees: below this the appliance keeps nothing.
SHOWN_FLOOR = 0.05
NMS_IOU = 0.5
# Areas of small, middle and large boxes as COCO divides them, square pixels of the still.
SIZES_PX2 = {"small": (0.0, 32.0**2), "middle": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


def input_spec(width_px: int, height_px: int) -> InputSpec:
    """How the workshop's detectors want their images."""
    return InputSpec(width_px=width_px, height_px=height_px, channel_order="rgb", fit="letterbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A compiled detector; images reach it and boxes come back as in the appliance, down to a lower score."""

    engine: Engine
    spec: InputSpec

    @classmethod
    def open(cls, model_path: Path, precision: Precision = "fp32") -> Runner:
        """Open an `.onnx` file with ONNX Runtime, an `.xml` with OpenVINO, on this CPU."""
        _, _, height_px, width_px = import_openvino().Core().read_model(model_path).input(0).shape
        shape = (1, 3, height_px, width_px)
        engine: Engine
        if model_path.suffix == ".onnx":
            engine = OnnxRuntimeEngine(model_path, input_shape=shape, streams=1)
        else:
            engine = OpenVinoEngine(model_path, precision=precision, input_shape=shape, streams=1)
        return cls(engine=engine, spec=input_spec(width_px, height_px))

    def find(self, image: Image) -> evaluate.ImageFound:
        """Openings of one still (H, W, 3) uint8 BGR, best score first."""
        place = letterbox(image.shape[1], image.shape[0], self.spec)
        content = resize(image, place.content_width_px, place.content_height_px)
        (output,) = self.engine.infer(to_tensor(content, self.spec, left_px=place.left_px, top_px=place.top_px))
        rows = output[0].T[output[0, 4] >= SCORE_FLOOR]
        boxes = np.hstack([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2])
        found = suppress(Detections(xyxy=boxes, score=rows[:, 4], label_index=np.zeros(len(rows), np.int32)), NMS_IOU)
        return evaluate.ImageFound(boxes_xyxy_px=to_source(found.xyxy, place), score=found.score, label_index=found.label_index)


def run_over(
    model_path: Path, images: Sequence[Path], precision: Precision = "fp32"
) -> tuple[list[evaluate.ImageTruth], list[evaluate.ImageFound]]:
    """Truth and findings of every still."""
    runner = Runner.open(model_path, precision)
    truths, founds = [], []
    for path in images:
        image, boxes = read_still(path)
        truths.append(evaluate.ImageTruth.of_one_class(boxes))
        founds.append(runner.find(image))
    return truths, founds


def figures(truths: Sequence[evaluate.ImageTruth], founds: Sequence[evaluate.ImageFound], threshold: float | None = None) -> dict[str, Any]:
    """All figures of a model card; without `threshold` those at the threshold of best F1."""
    matches = evaluate.match(truths, founds)
    precision = evaluate.average_precision(matches)
    curve = evaluate.operating_curve(matches)
    best = evaluate.best_f1(curve)
    point = best if threshold is None else evaluate.at_threshold(curve, threshold)
    counts = evaluate.count_errors(truths, founds, point.threshold)
    bins, ece = calibration_of(matches, SHOWN_FLOOR)
    return {
        "map50": precision.map50,
        "map50_95": precision.map50_95,
        "map50_by_size": {
            size: evaluate.average_precision(evaluate.match(truths, founds, area_range_px2=area)).map50 for size, area in SIZES_PX2.items()
        },
        "best_f1": asdict(best),
        "operating": asdict(point),
        "counts": asdict(counts),
        "ece": ece,
        "reliability": [asdict(part) for part in bins],
    }


def main(argv: list[str] | None = None) -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(prog="python -m models.workshop.measure", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--threshold", type=float)
    arguments = parser.parse_args(argv)
    truths, founds = run_over(arguments.model, sorted(arguments.images.glob("*.jpg")))
    print(json.dumps(figures(truths, founds, arguments.threshold), indent=2))


if __name__ == "__main__":
    main()
