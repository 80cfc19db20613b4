"""A real detector with a backbone, a neck and a head of two branches, as ONNX written by hand: small enough to quantise in seconds.

It sees what the tiny detector sees (`tiny_models`): each cell of 8 x 8 px is a candidate box, its class scores follow the mean red,
green and blue of the cell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pack import Pack, write_pack
from tests.unit.tiny_models import CELL_PX, LABELS, cell_boxes, coloured, model, node

STEM, NECK, BOX_BRANCH, CLASS_BRANCH = "stem", "neck", "box_branch", "class_branch"
BOX_LAST, CLASS_LAST = "box_last", "class_last"


def identity(gain: float, channels: int = 3) -> NDArray[np.float32]:
    """Weights (C, C, 1, 1) that hand each channel on."""
    return (np.eye(channels, dtype=np.float32) * np.float32(gain))[:, :, None, None]


def conv_detector_onnx(width_px: int = 64, height_px: int = 64, *, uneven: float = 1.0) -> bytes:
    """A network of the yolo_v8 layout with six convolutions, a sigmoid and box arithmetic.

    `uneven` makes one channel so many times larger before the neck, which makes it small again: nothing changes but that 8 bits
    over all channels leave little for the others there.
    """
    boxes = cell_boxes(width_px, height_px)
    count = boxes.shape[1]
    stem = np.zeros((3, 3, CELL_PX, CELL_PX), np.float32)
    for channel in range(3):
        stem[channel, channel] = 1 / CELL_PX**2
    neck = identity(1.0)
    stem[2] *= np.float32(uneven)
    neck[2] /= np.float32(uneven)
    return model(
        [
            node("Conv", ["images", "w_stem"], STEM, kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
            node("Relu", [STEM], "stem_act"),
            node("Conv", ["stem_act", "w_neck"], NECK, kernel_shape=[1, 1]),
            node("Relu", [NECK], "features"),
            node("Conv", ["features", "w_box"], BOX_BRANCH, kernel_shape=[1, 1]),
            node("Relu", [BOX_BRANCH], "box_act"),
            node("Conv", ["box_act", "w_box_last"], BOX_LAST, kernel_shape=[1, 1]),
            node("Conv", ["features", "w_class"], CLASS_BRANCH, kernel_shape=[1, 1]),
            node("Relu", [CLASS_BRANCH], "class_act"),
            node("Conv", ["class_act", "w_class_last", "b_class"], CLASS_LAST, kernel_shape=[1, 1]),
            node("Reshape", [BOX_LAST, "flat4"], "offsets"),
            node("Add", ["offsets", "cells"], "boxes"),
            node("Reshape", [CLASS_LAST, "flat3"], "logits"),
            node("Sigmoid", ["logits"], "scores"),
            node("Concat", ["boxes", "scores"], "output", axis=1),
        ],
        {
            "w_stem": stem,
            "w_neck": neck,
            "w_box": identity(1.0),
            "w_box_last": np.full((4, 3, 1, 1), 0.01, np.float32),
            "w_class": identity(1.0),
            "w_class_last": identity(12.0),
            "b_class": np.full(3, -6.0, np.float32),
            "flat4": np.array([1, 4, count]),
            "flat3": np.array([1, 3, count]),
            "cells": boxes[None],
        },
        {"images": (1, 3, height_px, width_px)},
        {"output": (1, 7, count)},
    )


def make_conv_pack(folder: Path, *, uneven: float = 1.0, **changes: Any) -> Pack:
    """A pack of the small detector with its ONNX file only, and one golden image."""
    from models.runtime.vision import cv2

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CARD.md").write_text("# Small\n")
    (folder / "model.onnx").write_bytes(conv_detector_onnx(uneven=uneven))
    cv2.imwrite(str(folder / "golden.png"), coloured(64, 64, [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)]))
    expected = {"xyxy": [[8, 16, 16, 24], [40, 24, 48, 32]], "score": [1.0, 1.0], "label_index": [0, 1]}
    (folder / "golden.json").write_text(json.dumps(expected))
    fields: dict[str, Any] = {
        "name": "small",
        "version": "1.0.0",
        "title": "A small model",
        "task": "detect",
        "head": "yolo_v8",
        "labels": LABELS,
        "input": {"width_px": 64, "height_px": 64},
        "licence": "CC0-1.0",
        "trained_on": "nothing",
        "card": "CARD.md",
        "variants": [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]}],
        "goldens": [{"image": "golden.png", "expected": "golden.json"}],
    }
    return write_pack(folder, fields | changes)


def write_coloured_dataset(folder: Path, *, tows: int, images: int, seed: int = 3) -> Path:
    """A YOLO folder of black images with squares in red, green and blue that the small detector finds; one folder per tow."""
    from models.runtime.vision import cv2

    rng = np.random.default_rng(seed)
    for tow in range(tows):
        for number in range(images):
            cells = rng.choice(64, size=4, replace=False)
            labels = rng.integers(0, 3, 4)
            squares = [(int(c % 8) * 8, int(c // 8) * 8, 8, 8, int(k)) for c, k in zip(cells, labels, strict=True)]
            place = folder / "images" / f"tow{tow}" / f"{number:03}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place), coloured(64, 64, squares))
            lines = [f"{label} {(x + 4) / 64} {(y + 4) / 64} {w / 64} {h / 64}\n" for x, y, w, h, label in squares]
            text = folder / "labels" / f"tow{tow}" / f"{number:03}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("".join(lines))
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(("red", "green", "blue")))
    (folder / "data.yaml").write_text(f"path: .\nnames:\n{names}")
    return folder
