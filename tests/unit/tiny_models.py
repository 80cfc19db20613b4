"""Real networks of a few hundred bytes, as ONNX files written by hand, and packs around them.

The tiny detector averages 8 x 8 pixels: each cell is a candidate box of 8 x 8 px, its class scores the mean red, green and
blue. So it truly finds coloured squares, on both runtimes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.pack import Pack, write_pack

CELL_PX = 8
LABELS = ({"name": "red"}, {"name": "green", "aphia_id": 107254}, {"name": "blue"})
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    payload = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def tensor(name: str, values: NDArray[Any]) -> bytes:
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    dims = b"".join(field(1, side) for side in values.shape)
    return dims + field(2, kind) + field(8, name) + field(9, values.tobytes())


def value_info(name: str, shape: Sequence[int | str]) -> bytes:
    """A side with a name is free."""
    dims = b"".join(field(1, field(2 if isinstance(side, str) else 1, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, _FLOAT) + field(2, dims)))


def node(kind: str, inputs: Sequence[str], output: str, **attributes: int | list[int]) -> bytes:
    out = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, value in attributes.items():
        if isinstance(value, int):
            out += field(5, field(1, name) + field(3, value) + field(20, 2))
        else:
            out += field(5, field(1, name) + b"".join(field(8, one) for one in value) + field(20, 7))
    return out


def model(
    nodes: Sequence[bytes],
    constants: dict[str, NDArray[Any]],
    inputs: dict[str, Sequence[int | str]],
    outputs: dict[str, Sequence[int | str]],
) -> bytes:
    graph = b"".join(field(1, one) for one in nodes) + field(2, "tiny")
    graph += b"".join(field(5, tensor(name, values)) for name, values in constants.items())
    graph += b"".join(field(11, value_info(name, shape)) for name, shape in inputs.items())
    graph += b"".join(field(12, value_info(name, shape)) for name, shape in outputs.items())
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def cell_boxes(width_px: int, height_px: int) -> NDArray[np.float32]:
    """(4, N): centre x, centre y, width, height of every cell."""
    y, x = np.mgrid[CELL_PX // 2 : height_px : CELL_PX, CELL_PX // 2 : width_px : CELL_PX]
    side = np.full(x.size, CELL_PX)
    return np.stack([x.ravel(), y.ravel(), side, side]).astype(np.float32)


def detector_onnx(width_px: int = 64, height_px: int = 64, *, factor: float = 1.0) -> bytes:
    """A network of the yolo_v8 layout; `factor` scales its scores, NaN included."""
    boxes = cell_boxes(width_px, height_px)
    count = boxes.shape[1]
    return model(
        [
            node("AveragePool", ["images"], "cells", kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
            node("Reshape", ["cells", "flat"], "means"),
            node("Mul", ["means", "factor"], "scores"),
            node("Concat", ["boxes", "scores"], "output", axis=1),
        ],
        {"flat": np.array([1, 3, count]), "factor": np.array([factor], np.float32), "boxes": boxes[None]},
        {"images": (1, 3, height_px, width_px)},
        {"output": (1, 7, count)},
    )


def end2end_onnx(width_px: int = 64, height_px: int = 64, *, label: float = 1.0) -> bytes:
    """A network of the end-to-end layout: every cell's mean green as a score, the class always `label`."""
    boxes = cell_boxes(width_px, height_px)
    xyxy = np.concatenate([boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2]).T[None].copy()
    count = xyxy.shape[1]
    return model(
        [
            node("AveragePool", ["images"], "cells", kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
            node("Gather", ["cells", "green"], "plane", axis=1),
            node("Reshape", ["plane", "column"], "scores"),
            node("Concat", ["boxes", "scores", "labels"], "output", axis=2),
        ],
        {
            "green": np.array([1]),
            "column": np.array([1, count, 1]),
            "boxes": xyxy.astype(np.float32),
            "labels": np.full((1, count, 1), label, np.float32),
        },
        {"images": (1, 3, height_px, width_px)},
        {"output": (1, count, 6)},
    )


def segmenter_onnx(width_px: int = 64, height_px: int = 64) -> bytes:
    """The detector with three mask values per cell, and the image at a quarter of its size as its mask prototypes."""
    boxes = cell_boxes(width_px, height_px)
    count = boxes.shape[1]
    return model(
        [
            node("AveragePool", ["images"], "cells", kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
            node("Reshape", ["cells", "flat"], "scores"),
            node("Concat", ["boxes", "scores", "masks"], "candidates", axis=1),
            node("AveragePool", ["images"], "prototypes", kernel_shape=[4, 4], strides=[4, 4]),
        ],
        {"flat": np.array([1, 3, count]), "boxes": boxes[None], "masks": np.ones((1, 3, count), np.float32)},
        {"images": (1, 3, height_px, width_px)},
        {"candidates": (1, 10, count), "prototypes": (1, 3, height_px // 4, width_px // 4)},
    )


def classifier_onnx(width_px: int = 64, height_px: int = 64, *, softmax: bool = True) -> bytes:
    """The class is the strongest of red, green, blue."""
    last = node("Softmax", ["means"], "output", axis=1) if softmax else node("Mul", ["means", "factor"], "output")
    return model(
        [node("GlobalAveragePool", ["images"], "cells"), node("Reshape", ["cells", "flat"], "means"), last],
        {"flat": np.array([1, 3]), "factor": np.array([1.0], np.float32)},
        {"images": (1, 3, height_px, width_px)},
        {"output": (1, 3)},
    )


PROMPT_REACH_PX = 20


def prompt_onnx(width_px: int = 64, height_px: int = 64, *, points: int | str = "n", factor: float = 1.0) -> bytes:
    """A promptable network: what is darker than mid grey and nearer than PROMPT_REACH_PX to a click inside; clicks outside take away.

    `factor` scales its logits, NaN included.
    """
    return model(
        [
            node("ReduceMean", ["image"], "grey", axes=[1], keepdims=1),
            node("Sub", ["half", "grey"], "below"),
            node("Relu", ["below"], "dark"),
            node("Gather", ["points", "first"], "xs", axis=2),
            node("Gather", ["points", "second"], "ys", axis=2),
            node("Unsqueeze", ["xs", "last_axes"], "px"),
            node("Unsqueeze", ["ys", "last_axes"], "py"),
            node("Sub", ["columns", "px"], "dx"),
            node("Sub", ["rows", "py"], "dy"),
            node("Mul", ["dx", "dx"], "dx2"),
            node("Mul", ["dy", "dy"], "dy2"),
            node("Add", ["dx2", "dy2"], "apart"),
            node("Sub", ["reach", "apart"], "nearness"),
            node("Relu", ["nearness"], "near"),
            node("Mul", ["labels", "two"], "doubled"),
            node("Sub", ["doubled", "one"], "signs"),
            node("Unsqueeze", ["signs", "last_axes"], "sign"),
            node("Mul", ["near", "sign"], "said"),
            node("ReduceSum", ["said", "over_points"], "sum", keepdims=1),
            node("Mul", ["sum", "dark"], "both"),
            node("Sub", ["both", "one"], "clear"),
            node("Mul", ["clear", "factor"], "logits"),
        ],
        {
            "half": np.array([0.5], np.float32),
            "first": np.array(0),
            "second": np.array(1),
            "last_axes": np.array([2, 3]),
            "columns": (np.arange(width_px, dtype=np.float32) + 0.5)[None, None, None, :],
            "rows": (np.arange(height_px, dtype=np.float32) + 0.5)[None, None, :, None],
            "reach": np.array([PROMPT_REACH_PX**2], np.float32),
            "two": np.array([2.0], np.float32),
            "one": np.array([1.0], np.float32),
            "over_points": np.array([1]),
            "factor": np.array([factor], np.float32),
        },
        {"image": (1, 3, height_px, width_px), "points": (1, points, 2), "labels": (1, points)},
        {"logits": (1, 1, height_px, width_px)},
    )


def make_prompt_pack(folder: Path, *, onnx: bytes | None = None, name: str = "tiny-prompt", **changes: Any) -> Pack:
    """A pack of the promptable network; in its golden image a click into the middle outlines a dark disc."""
    disc = {"xyxy": [[12, 12, 52, 52]], "score": [1.0], "label_index": [0]}
    fields = {"name": name, "task": "prompt", "head": "prompt_mask", "labels": [{"name": "object"}], **changes}
    return make_tiny_pack(folder, onnx=onnx or prompt_onnx(), ir=False, expected=disc, **fields)


def endless_onnx(width_px: int = 64, height_px: int = 64) -> bytes:
    """A network whose one loop turns 2^62 times."""
    body = (
        field(1, node("Identity", ["cond_in"], "cond_out"))
        + field(1, node("Cos", ["x_in"], "x_out"))
        + field(2, "body")
        + field(11, field(1, "i") + field(2, field(1, field(1, _INT64) + field(2, b""))))
        + field(11, field(1, "cond_in") + field(2, field(1, field(1, 9) + field(2, b""))))
        + field(11, value_info("x_in", (1, 3, height_px, width_px)))
        + field(12, field(1, "cond_out") + field(2, field(1, field(1, 9) + field(2, b""))))
        + field(12, value_info("x_out", (1, 3, height_px, width_px)))
    )
    loop = node("Loop", ["trips", "", "images"], "output") + field(5, field(1, "body") + field(6, body) + field(20, 5))
    return model(
        [loop],
        {"trips": np.array(2**62)},
        {"images": (1, 3, height_px, width_px)},
        {"output": (1, 3, height_px, width_px)},
    )


def save_ir(onnx: bytes, xml_path: Path) -> None:
    """The same network as OpenVINO IR, in FP32."""
    from models.runtime.quiet import import_openvino

    openvino = import_openvino()
    onnx_path = xml_path.with_suffix(".tmp.onnx")
    onnx_path.write_bytes(onnx)
    openvino.save_model(openvino.Core().read_model(onnx_path), xml_path, compress_to_fp16=False)
    onnx_path.unlink()


def coloured(width_px: int, height_px: int, squares: Sequence[tuple[int, int, int, int, int]]) -> NDArray[np.uint8]:
    """A black image (H, W, 3) BGR with squares (x, y, width, height in px, label index) in red, green or blue."""
    image = np.zeros((height_px, width_px, 3), np.uint8)
    for x, y, width, height, label in squares:
        image[y : y + height, x : x + width, 2 - label] = 255
    return image


def make_tiny_pack(
    folder: Path,
    *,
    onnx: bytes | None = None,
    width_px: int = 64,
    height_px: int = 64,
    ir: bool = True,
    expected: dict[str, Any] | None = None,
    **changes: Any,
) -> Pack:
    """A pack whose golden image shows a red and a green square on cells of the tiny detector."""
    from models.runtime.vision import cv2

    network = onnx or detector_onnx(width_px, height_px)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "CARD.md").write_text("# Tiny\n")
    (folder / "model.onnx").write_bytes(network)
    image = coloured(width_px, height_px, [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)])
    cv2.imwrite(str(folder / "golden.png"), image)
    squares = {"xyxy": [[8, 16, 16, 24], [40, 24, 48, 32]], "score": [1.0, 1.0], "label_index": [0, 1]}
    (folder / "golden.json").write_text(json.dumps(expected or squares))
    variants: list[dict[str, Any]] = [{"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]}]
    if ir:
        save_ir(network, folder / "model.xml")
        files = ["model.xml", "model.bin"]
        variants.append({"name": "ir-fp32", "runtime": "openvino", "precision": "fp32", "files": files})
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "title": "A tiny model",
        "task": "detect",
        "head": "yolo_v8",
        "labels": LABELS,
        "input": {"width_px": width_px, "height_px": height_px},
        "licence": "CC0-1.0",
        "trained_on": "nothing",
        "card": "CARD.md",
        "variants": variants,
        "goldens": [{"image": "golden.png", "expected": "golden.json"}],
    }
    return write_pack(folder, fields | changes)
