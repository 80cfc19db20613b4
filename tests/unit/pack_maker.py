"""A pack whose model files are only bytes: enough for everything that never runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.pack import Pack, write_pack

ONNX_EMPTY = b"\x08\x0a"  # ir_version 10 and nothing else


def draft(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "title": "A tiny model",
        "task": "detect",
        "head": "yolo_v8",
        "labels": [{"name": "opening"}, {"name": "Nephrops", "aphia_id": 107254}],
        "input": {"width_px": 64, "height_px": 64},
        "licence": "CC0-1.0",
        "trained_on": "nothing",
        "card": "CARD.md",
        "variants": [
            {"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]},
            {"name": "ir-fp32", "runtime": "openvino", "precision": "fp32", "files": ["ir/model.xml", "ir/model.bin"]},
        ],
        "goldens": [{"image": "goldens/one.png", "expected": "goldens/one.json"}],
    }
    return fields | changes


def make_pack(folder: Path, *, weights: bytes = bytes(1000), **changes: Any) -> Pack:
    (folder / "ir").mkdir(parents=True)
    (folder / "goldens").mkdir()
    (folder / "CARD.md").write_text("# Tiny\n")
    (folder / "model.onnx").write_bytes(ONNX_EMPTY)
    (folder / "ir" / "model.xml").write_text("<net/>")
    (folder / "ir" / "model.bin").write_bytes(weights)
    (folder / "goldens" / "one.png").write_bytes(b"no image")
    (folder / "goldens" / "one.json").write_text(json.dumps({"xyxy": [], "score": [], "label_index": []}))
    return write_pack(folder, draft(**changes))
