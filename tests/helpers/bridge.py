"""A home folder with tiny packs, the models' address for CVAT on a free port, and calls as CVAT makes them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from annotator_bridge.facade.listen import Listener
from annotator_bridge.facade.record import BridgeRecord
from annotator_bridge.functions.loading import CHOSEN_NAME
from edge.settings import Settings
from models.pack import Pack
from models.runtime.machine import machine_fingerprint
from tests.unit.tiny_models import classifier_onnx, coloured, detector_onnx, endless_onnx, make_tiny_pack

# As CVAT 2.15 sends them, and as a newer one does.
HEADERS = {
    "User-Agent": "CVAT/2.15.0 python-requests/2.32.3",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "x-nuclio-project-name": "cvat",
    "x-nuclio-function-namespace": "nuclio",
    "x-nuclio-invoke-via": "domain-name",
}
SQUARES = [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)]


def make_home(home: Path) -> Path:
    """Packs of which each variant was chosen before, so that no golden runs: one that finds, one that gives NaN, one that never ends."""
    packs = [
        tiny_pack(home, "tiny"),
        tiny_pack(home, "tiny-nan", onnx=detector_onnx(factor=math.nan)),
        tiny_pack(home, "tiny-endless", onnx=endless_onnx()),
        tiny_pack(
            home,
            "tiny-class",
            onnx=classifier_onnx(),
            task="classify",
            head="classify",
            expected={"score": [0.5, 0.3, 0.2]},
            input={"width_px": 64, "height_px": 64, "fit": "stretch"},
        ),
    ]
    (home / "cvat").mkdir()
    chosen = {f"{pack.manifest_sha256}:{machine_fingerprint()}": "onnx-fp32" for pack in packs}
    (home / CHOSEN_NAME).write_text(json.dumps(chosen), "utf-8")
    return home


def tiny_pack(home: Path, name: str, *, version: str = "1.0.0", **changes: Any) -> Pack:
    """The tiny detector, as an installed pack of a home folder."""
    return make_tiny_pack(home / "packs" / name / version, ir=False, name=name, version=version, **changes)


@contextmanager
def bridge(home: Path, **settings: Any) -> Iterator[Listener]:
    """The address, served in a thread of this process."""
    listener = Listener(home, Settings(cvat_port=0, **settings))
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


def client(listener: Listener, **options: Any) -> httpx.Client:
    """Calls it; no proxy, no patience beyond a minute."""
    return httpx.Client(base_url=listener.url, headers=HEADERS, timeout=60.0, trust_env=False, **options)


def invoke(caller: httpx.Client, function: str, payload: Any, **headers: str) -> httpx.Response:
    """`POST /api/function_invocations` in CVAT's shape."""
    named = {"x-nuclio-function-name": function, "x-nuclio-path": "/", "X-Nuclio-Invoke-Timeout": "120s"}
    return caller.post("/api/function_invocations", json=payload, headers=named | headers)


def picture(kind: str = ".png", *, width_px: int = 64, height_px: int = 64) -> bytes:
    """A file with a red and a green square, that the tiny detector finds."""
    encoded = cv2.imencode(kind, coloured(width_px, height_px, SQUARES))[1]
    return np.asarray(encoded).tobytes()


def text_of(data: bytes) -> str:
    """As CVAT puts a file into a call."""
    return base64.b64encode(data).decode()


def record_of(listener: Listener) -> BridgeRecord:
    """What pages and health would read now."""
    return listener.recorder.snapshot()
