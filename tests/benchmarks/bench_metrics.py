"""How long figures take that no network is needed for, beside pycocotools; and what part of an evaluation is the network.

Usage, from the top of the repository: python -m tests.benchmarks.bench_metrics [--quick]

The set has 5,000 images with 200,000 labelled boxes and 300,000 detections of three classes. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edge.pipeline.keeper import BUNDLED_PACKS
from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.read import read_dataset
from models.evaluate import ImageFound, ImageTruth, average_precision, match
from models.evaluate.figures import figures
from models.evaluate.measurement import Measurement
from models.evaluate.run import measure_variant
from models.manifest import Thresholds
from models.pack import read_pack
from models.workshop.synthetic import write_dataset
from tests.unit.coco_oracle import run_coco

Result = TypeVar("Result")

LABELS = ("opening", "Nephrops", "sea pen")
LIMIT_S = 10.0
BOXES_PER_IMAGE, FOUND_PER_IMAGE = 40, 60


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagine-edge-bench-") as folder:
        print(json.dumps(metrics(Path(folder), quick=options.quick), indent=2))
    return 0


def metrics(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Seconds of all figures and of pycocotools on the same boxes; the network's share of evaluating rendered scenes."""
    n_images = 300 if quick else 5_000
    dataset, measurement = random_set(n_images)
    truths, founds = [image.truth for image in dataset.images], measurement.founds
    begun_s = time.perf_counter()
    _, all_cpu_s = _timed(lambda: figures(measurement, dataset))
    all_s = time.perf_counter() - begun_s
    compared = max(1, n_images // 5)  # pycocotools takes minutes for all of them
    ours, ours_cpu_s = _timed(lambda: average_precision(match(truths[:compared], founds[:compared])))
    coco, coco_cpu_s = _timed(lambda: run_coco(truths[:compared], founds[:compared]).stats)
    return {
        "images": n_images,
        "boxes": sum(len(truth.label_index) for truth in truths),
        "detections": sum(len(found.score) for found in founds),
        "all_figures_s": round(all_s, 2),
        "all_figures_cpu_s": round(all_cpu_s, 2),
        # By processor time: everything runs in one thread, and other work on the machine must not count.
        "all_figures_over_limit": round(all_cpu_s / LIMIT_S * 5_000 / n_images, 3),
        "compared_images": compared,
        "average_precision_cpu_s": round(ours_cpu_s, 2),
        "pycocotools_cpu_s": round(coco_cpu_s, 2),
        "average_precision_over_pycocotools": round(ours_cpu_s / coco_cpu_s, 3),
        "largest_difference": max(abs((ours.map50_95 or 0) - float(coco[0])), abs((ours.map50 or 0) - float(coco[1]))),
        "evaluation": evaluation(workspace, quick=quick),
    }


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What it returns, and the processor time that it took."""
    begun_s = time.process_time()
    result = work()
    return result, time.process_time() - begun_s


def evaluation(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Where the time of evaluating the bundled pack goes."""
    write_dataset(workspace / "scenes", n_train=1, n_val=12 if quick else 60, seed=77)
    pack = read_pack(BUNDLED_PACKS / "burrow-openings-starter")
    variant = next(variant.name for variant in pack.manifest.variants if variant.precision == "int8")
    begun_s = time.perf_counter()
    dataset = read_dataset(workspace / "scenes", split="val")
    read_s = time.perf_counter() - begun_s
    measurement = measure_variant(pack, variant, dataset)
    begun_s = time.perf_counter()
    figures(measurement, dataset)
    figures_s = time.perf_counter() - begun_s
    return {
        "variant": variant,
        "images": len(dataset.images),
        "read_s": round(read_s, 2),
        "measure_s": round(measurement.wall_s, 2),
        "figures_s": round(figures_s, 2),
        "network_share_of_work": round(measurement.infer_share or 0.0, 3),
        "decode_share_of_work": round(measurement.decode_s / sum(measurement.image_s), 3),
        "measure_share_of_wall": round(measurement.wall_s / (read_s + measurement.wall_s + figures_s), 3),
    }


def random_set(n_images: int) -> tuple[Dataset, Measurement]:
    """Labelled images that do not exist, and what a middling detector would find in them."""
    rng = np.random.default_rng(1)
    images, founds = [], []
    for number in range(n_images):
        truth, found = _random_image(rng)
        name = f"{number:05}.jpg"
        images.append(LabelledImage(path=Path(name), name=name, width_px=1920, height_px=1080, truth=truth, tow=str(number // 50)))
        founds.append(found)
    dataset = Dataset(root=Path(), form="none", labels=LABELS, images=tuple(images), sha256="")
    measurement = Measurement(
        pack="none",
        version="0.0.0",
        variant="none",
        runtime="none",
        precision="fp32",
        device="none",
        task="detect",
        labels=LABELS,
        thresholds=Thresholds(),
        score_floor=0.0,
        founds=tuple(founds),
        image_s=(0.0,) * n_images,
        decode_s=0.0,
        infer_s=0.0,
        wall_s=1.0,
        threads=1,
    )
    return dataset, measurement


def _random_image(rng: np.random.Generator) -> tuple[ImageTruth, ImageFound]:
    boxes = _random_boxes(rng, BOXES_PER_IMAGE)
    labels = rng.integers(0, len(LABELS), BOXES_PER_IMAGE).astype(np.int32)
    strays = FOUND_PER_IMAGE - BOXES_PER_IMAGE
    near = boxes + rng.normal(0, 4, boxes.shape)
    found = np.vstack([near, _random_boxes(rng, strays)]).astype(np.float32)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    seen = ImageFound(
        boxes_xyxy_px=found,
        score=rng.random(FOUND_PER_IMAGE).astype(np.float32),
        label_index=np.concatenate([labels, rng.integers(0, len(LABELS), strays)]).astype(np.int32),
    )
    return ImageTruth(boxes_xyxy_px=boxes, label_index=labels, crowd=np.zeros(BOXES_PER_IMAGE, np.bool_)), seen


def _random_boxes(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    corners = rng.uniform(0, 1, (count, 2)) * (1820, 980)
    return np.hstack([corners, corners + rng.uniform(15, 100, (count, 2))]).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
