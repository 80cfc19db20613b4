"""What the unavoidable stages cost, each alone: print CPU seconds per still as JSON.

Usage: python -m tests.benchmarks.stages_alone STILLS_FOLDER PACK VARIANT THREADS

The yardstick of `efficiency`: bare loops of hashlib, OpenCV's decoder, the preprocessing and the network, with nothing else of
the appliance. (The appliance's own preprocessing is the yardstick too: OpenCV's `blobFromImage` takes longer.) A stage runs on as many
threads as the worker has, so that cores share caches and memory as they do in an ingest.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from edge.values import Float32Array, UInt8Array
from models.runtime.predict import load_model
from models.runtime.tiling import plan_views

DECODED_AT_ONCE = 60  # stills kept decoded, so that preprocessing is measured without decoding


def cpu_s_per_item(work: Callable[[int], object], count: int, threads: int) -> float:
    """Processor seconds of this whole process for each of `count` calls, on so many threads."""

    def run(index: int) -> None:
        work(index)  # the result is dropped: kept ones would cost fresh memory for every call

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(min(count, 4 * threads))))
        begun_s = time.process_time()
        list(pool.map(run, range(count)))
        return (time.process_time() - begun_s) / count


def main() -> None:
    """Measure stage by stage."""
    folder, pack, variant, threads = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    cv2.setNumThreads(1)
    encoded = [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]
    arrays = [np.frombuffer(data, np.uint8) for data in encoded]
    model = load_model(pack, variant, threads=threads)
    spec = model.manifest.input
    decoded = [image for array in arrays[:DECODED_AT_ONCE] if (image := cv2.imdecode(array, cv2.IMREAD_COLOR)) is not None]

    def preprocess(index: int) -> Float32Array | UInt8Array:
        image = np.asarray(decoded[index % len(decoded)], np.uint8)
        (view,) = plan_views(image.shape[1], image.shape[0], spec)
        return model.input_of(view, view.cut(image))

    tensor = preprocess(0)
    stages: dict[str, Callable[[int], object]] = {
        "sha256": lambda index: hashlib.sha256(encoded[index]).digest(),
        "decode": lambda index: cv2.imdecode(arrays[index], cv2.IMREAD_COLOR),
        "preprocess": preprocess,
        "infer": lambda _: model.engine.infer(tensor),
    }
    print(json.dumps({name: cpu_s_per_item(work, len(encoded), threads) for name, work in stages.items()}))


if __name__ == "__main__":
    main()
