"""What the unavoidable stages cost, each alone: print CPU seconds per still as JSON.

Usage: python -m tests.benchmarks.stages_alone STILLS_FOLDER PACK VARIANT THREADS

The yardstick of `efficiency`: bare loops of hashlib, OpenCV and the network itself, with nothing of the appliance but how it
opens the network. A stage runs on as many threads as the worker has, so that cores share caches and memory as they do in an ingest.
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

from models.runtime.predict import load_model

DECODED_AT_ONCE = 60  # stills kept decoded, so that preprocessing is measured without decoding


def cpu_s_per_item(work: Callable[[int], object], count: int, threads: int) -> float:
    """Processor seconds of this whole process for each of `count` calls, on so many threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(min(count, 4 * threads))))
        begun_s = time.process_time()
        list(pool.map(work, range(count)))
        return (time.process_time() - begun_s) / count


def main() -> None:
    """Measure stage by stage."""
    folder, pack, variant, threads = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    cv2.setNumThreads(1)
    encoded = [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]
    arrays = [np.frombuffer(data, np.uint8) for data in encoded]
    model = load_model(pack, variant, threads=threads)
    size = (model.manifest.input.width_px, model.manifest.input.height_px)
    decoded = [image for array in arrays[:DECODED_AT_ONCE] if (image := cv2.imdecode(array, cv2.IMREAD_COLOR)) is not None]

    def preprocess(index: int) -> np.ndarray:
        resized = cv2.resize(decoded[index % len(decoded)], size, interpolation=cv2.INTER_LINEAR)
        return cv2.dnn.blobFromImage(resized, scalefactor=1 / 255, swapRB=True)

    tensor = np.ascontiguousarray(preprocess(0), np.float32)
    stages: dict[str, Callable[[int], object]] = {
        "sha256": lambda index: hashlib.sha256(encoded[index]).digest(),
        "decode": lambda index: cv2.imdecode(arrays[index], cv2.IMREAD_COLOR),
        "preprocess": preprocess,
        "infer": lambda _: model.engine.infer(tensor),
    }
    print(json.dumps({name: cpu_s_per_item(work, len(encoded), threads) for name, work in stages.items()}))


if __name__ == "__main__":
    main()
