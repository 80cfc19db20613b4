"""What the models' address for CVAT costs: beside bare inference, in processor time over an hour, and with several annotators at once.

overhead      a call over HTTP as CVAT makes it (a connection of its own, base64 of a JPEG of 1920 x 1080, the starter's detector) against
              the same model's inference alone, in the same minute, each after the other; and how much of it is decoding the JPEG
hour          the process tree of `cvat serve` with a call every six seconds, which is 600 an hour
annotators    eight clients that call again as soon as they have an answer
"""

from __future__ import annotations

import base64
import http.client
import json
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from annotator_bridge.facade.record import read_record
from annotator_bridge.functions.catalogue import read_catalogue
from annotator_bridge.functions.images import read_image
from annotator_bridge.functions.loading import load_fastest
from edge.units import s_to_ms
from models.runtime.machine import usable_cores
from models.runtime.predict import LoadedModel, look
from models.runtime.tiling import plan_views
from models.workshop.synthetic import iter_tow
from tests.benchmarks.appliance import PROGRAM
from tests.benchmarks.cost import percentile, tree_cpu_s, tree_memory

FUNCTION = "burrow-openings-starter"
LIMIT_OVERHEAD_MS, LIMIT_SHARE, LIMIT_P95_MS = 10.0, 0.05, 1000.0
_EVERY_S = 6.0  # 600 an hour
_ANNOTATORS = 8
_WARM_UP = 5
_NOISE_GREYS = 4.0


def cvat_facade(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """The three figures against their limits."""
    home, image = workspace / "cvat-home", two_megapixel_jpeg()
    body = json.dumps({"image": base64.b64encode(image).decode()}).encode()
    with facade(home) as (pid, url):
        for _ in range(_WARM_UP):
            call(url, body)
        model = load_fastest(home, _pack(home), threads=usable_cores())
        return {
            "body_bytes": len(body),
            "variant": f"{model.key.precision} on {model.key.runtime}, {model.device}",
            "overhead": _overhead(pid, url, body, model, calls=20 if quick else 200),
            "hour": _hour(pid, url, body, calls=3 if quick else 20),
            "annotators": _annotators(url, body, calls=5 if quick else 40),
            "pss_mb": round(tree_memory(pid).pss_bytes / 1e6, 1),
        }


def two_megapixel_jpeg() -> bytes:
    """A rendered still of 1920 x 1080 pixels with the noise of a camera, without which it would be a third of a real one's size."""
    still = next(iter(iter_tow(seed=11, n_stills=1)))
    large = cv2.resize(still.image, (1920, 1080)).astype(np.float32)
    noisy = np.clip(large + np.random.default_rng(11).normal(0, _NOISE_GREYS, large.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]).tobytes()


@contextmanager
def facade(home: Path) -> Iterator[tuple[int, str]]:
    """`imagine-edge cvat serve` on a free port: its process and its address."""
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen([PROGRAM, "--home", str(home), "cvat", "serve", "--port", "0"], stdout=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 60
        while (record := read_record(home)) is None or record.pid != process.pid:
            if process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError("cvat serve did not begin to serve")
            time.sleep(0.05)
        yield process.pid, record.url
    finally:
        process.terminate()
        process.wait(60)


def call(url: str, body: bytes) -> float:
    """A call of the detector as CVAT makes it; its milliseconds.

    Raises:
        RuntimeError: it was not answered with a list.
    """
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "x-nuclio-function-name": FUNCTION, "X-Nuclio-Invoke-Timeout": "120s"}
    begun_s = time.perf_counter()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    try:
        connection.request("POST", "/api/function_invocations", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    took_ms = s_to_ms(time.perf_counter() - begun_s)
    if answer.status != 200 or not isinstance(json.loads(text), list):
        raise RuntimeError(f"a call was answered with {answer.status}: {text[:200]!r}")
    return took_ms


def _overhead(pid: int, url: str, body: bytes, model: LoadedModel, *, calls: int) -> dict[str, Any]:
    text = json.loads(body)["image"]
    sent = read_image(text, max_pixels=100_000_000)
    views = plan_views(sent.width_px, sent.height_px, model.manifest.input)
    pixels = sent.pixels_for(views)

    def infer() -> None:
        for view in views:
            look(view, view.cut(pixels), model)

    def read() -> None:
        read_image(text, max_pixels=100_000_000).pixels_for(views)

    called_ms, bare_ms, decoded_ms = [], [], []
    bare_cpu_s, served_cpu_s = 0.0, tree_cpu_s(pid)
    for _ in range(calls):
        called_ms.append(call(url, body))
        begun_s = time.process_time()
        bare_ms.append(_timed_ms(infer))
        bare_cpu_s += time.process_time() - begun_s
        decoded_ms.append(_timed_ms(read))
    served_cpu_s = tree_cpu_s(pid) - served_cpu_s
    overhead_ms = statistics.median(called_ms) - statistics.median(bare_ms)
    return {
        "call_ms": round(statistics.median(called_ms), 2),
        "bare_inference_ms": round(statistics.median(bare_ms), 2),
        "overhead_ms": round(overhead_ms, 2),
        "of_it_base64_and_decoding_ms": round(statistics.median(decoded_ms), 2),
        "best_overhead_ms": round(min(called_ms) - min(bare_ms), 2),
        "overhead_in_processor_time_ms": round(s_to_ms(served_cpu_s - bare_cpu_s) / calls, 2),
        "over_limit": round(overhead_ms / LIMIT_OVERHEAD_MS, 3),
        "limit": f"at most {LIMIT_OVERHEAD_MS:g} ms: a ratio of at most 1",
    }


def _hour(pid: int, url: str, body: bytes, *, calls: int) -> dict[str, Any]:
    cpu_s, begun_s = tree_cpu_s(pid), time.monotonic()
    for number in range(1, calls + 1):
        call(url, body)
        time.sleep(max(0.0, begun_s + number * _EVERY_S - time.monotonic()))
    share = (tree_cpu_s(pid) - cpu_s) / (time.monotonic() - begun_s)
    return {
        "calls": calls,
        "core_share": round(share, 4),
        "over_limit": round(share / LIMIT_SHARE, 3),
        "limit": f"at most {LIMIT_SHARE:.0%} of a core at 600 calls an hour: a ratio of at most 1",
    }


def _annotators(url: str, body: bytes, *, calls: int) -> dict[str, Any]:
    took_ms: list[float] = []
    failed: list[str] = []

    def annotate() -> None:
        try:
            took_ms.extend(call(url, body) for _ in range(calls))
        except (OSError, RuntimeError) as error:
            failed.append(str(error))

    threads = [threading.Thread(target=annotate) for _ in range(_ANNOTATORS)]
    begun_s = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise RuntimeError(failed[0])
    p95_ms = percentile(took_ms, 0.95)
    return {
        "annotators": _ANNOTATORS,
        "calls": len(took_ms),
        "calls_per_s": round(len(took_ms) / (time.monotonic() - begun_s), 1),
        "median_ms": round(statistics.median(took_ms), 1),
        "p95_ms": round(p95_ms, 1),
        "over_limit": round(p95_ms / LIMIT_P95_MS, 3),
        "limit": f"a 95th percentile of at most {LIMIT_P95_MS:g} ms: a ratio of at most 1",
    }


def _timed_ms(work: Callable[[], None]) -> float:
    begun_s = time.perf_counter()
    work()
    return s_to_ms(time.perf_counter() - begun_s)


def _pack(home: Path) -> Any:
    return read_catalogue(home).find(FUNCTION).pack
