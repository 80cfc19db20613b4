"""One round of one variant through the appliance's own engine: the network alone, and the whole path around it.

The network alone is what benchmark_app measures too: a tensor that is ready goes in, the outputs come out. The whole path begins
with a decoded image in memory (a golden of the pack) and ends with what is found in it. Decoding is not part of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.units import s_to_ms
from models.runtime.machine import usable_cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Of one stream on one core: `p50_ms`, `p95_ms`. Of all cores together: `images_per_s`, and `cpu_ms`, the processor time of
    one image, which a busy machine hardly changes (on a GPU it is what the CPU does besides).
    """

    p50_ms: float
    p95_ms: float
    images_per_s: float
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OurRound:
    """The network alone and the whole path, measured one after the other. `device`: where and in what arithmetic."""

    device: str
    network: Speed
    path: Speed


def our_round(pack_dir: Path, variant_name: str, device: str, seconds: float) -> OurRound:
    """Measure for about four times `seconds`. Loads the runtime: in a child process only.

    Raises:
        ModelError: the variant cannot be loaded or run here.
    """
    from models.runtime.goldens import read_golden_images
    from models.runtime.predict import detect, load_model
    from models.runtime.tiling import plan_views

    cores = usable_cores()
    alone = load_model(pack_dir, variant_name, threads=1, device=device)
    images = read_golden_images(alone.pack)
    spec = alone.manifest.input
    views = [plan_views(image.shape[1], image.shape[0], spec)[0] for image in images]
    tensors = [alone.input_of(view, view.cut(image)) for view, image in zip(views, images, strict=True)]
    network_ms = _latencies_ms(lambda turn: alone.engine.infer(tensors[turn % len(tensors)]), seconds)
    path_ms = _latencies_ms(lambda turn: detect(images[turn % len(images)], alone), seconds)
    together = load_model(pack_dir, variant_name, threads=cores, device=device)
    network_rate = _rate(lambda turn: together.engine.infer(tensors[turn % len(tensors)]), cores, seconds)
    # One thread more than cores prepares the next image meanwhile, as the appliance's workers do.
    path_rate = _rate(lambda turn: detect(images[turn % len(images)], together), cores + 1, seconds)
    return OurRound(device=together.device, network=_speed(network_ms, network_rate), path=_speed(path_ms, path_rate))


def _speed(latencies_ms: list[float], rate: tuple[float, float]) -> Speed:
    p50_ms, p95_ms = np.percentile(latencies_ms, (50, 95))
    return Speed(p50_ms=float(p50_ms), p95_ms=float(p95_ms), images_per_s=rate[0], cpu_ms=rate[1])


def _latencies_ms(one: Callable[[int], object], seconds: float) -> list[float]:
    one(0)
    found: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < end_s:
        begun_s = time.perf_counter()
        one(len(found))
        found.append(s_to_ms(time.perf_counter() - begun_s))
    return found


def _rate(one: Callable[[int], object], threads: int, seconds: float) -> tuple[float, float]:
    """(calls per second, milliseconds of processor time per call) of `threads` threads together."""

    def work(end_s: float) -> int:
        count = 0
        while count == 0 or time.perf_counter() < end_s:
            one(count)
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        total = sum(pool.map(work, [begun_s + seconds] * threads))
        return total / (time.perf_counter() - begun_s), s_to_ms((time.process_time() - begun_cpu_s) / total)
