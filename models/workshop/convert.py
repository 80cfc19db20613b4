"""From the workshop's checkpoint to the files a pack ships: ONNX, and OpenVINO IR with weights kept as FP16.

The checkpoint is a plain state dict and is loaded with `weights_only`; nothing is unpickled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from models.runtime.quiet import import_openvino
from models.workshop.ultralytics_offline import new_detector

OPSET = 17


def export_onnx(checkpoint: Path, onnx_path: Path, *, layout: str, width_px: int, height_px: int) -> None:
    """Write a static ONNX file: input `images` (1, 3, H, W) in 0..1, output `output0` (1, 5, N): centre, size in pixels, score."""
    network = new_detector(layout, n_classes=1)
    network.load_state_dict(torch.load(checkpoint, weights_only=True))
    export_network(network, onnx_path, width_px=width_px, height_px=height_px)


def export_network(network: torch.nn.Module, onnx_path: Path, *, width_px: int, height_px: int) -> None:
    """Write a detector of ultralytics as a static ONNX file, its large weights as FP16; the network is changed by it."""
    network.eval()
    network.fuse(verbose=False)  # type: ignore[operator]
    network.model[-1].export = True  # type: ignore[index,union-attr]
    network.model[-1].format = "onnx"  # type: ignore[index,union-attr]
    for parameter in network.parameters():
        parameter.requires_grad = False
    example = torch.zeros(1, 3, height_px, width_px)
    torch.onnx.export(
        network,
        (example,),
        str(onnx_path),
        opset_version=OPSET,
        input_names=["images"],
        output_names=["output0"],
        do_constant_folding=True,
        dynamo=False,
    )
    _slim(onnx_path)


def _slim(onnx_path: Path) -> None:
    """Drop texts that carry paths of the machine that exported, and keep large weights as FP16.

    A Cast after each such weight restores FP32, which runtimes fold when they load: the arithmetic stays FP32, the file halves.
    """
    model = onnx.load(str(onnx_path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    casts = [_halve(weight) for weight in model.graph.initializer if _is_large_float(weight)]
    for position, cast in enumerate(casts):
        model.graph.node.insert(position, cast)
    onnx.checker.check_model(model)
    onnx.save(model, str(onnx_path))


def _is_large_float(weight: onnx.TensorProto) -> bool:
    return bool(weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) >= 1024)


def _halve(weight: onnx.TensorProto) -> onnx.NodeProto:
    """Turn `weight` into FP16 under a new name, in place, and return the Cast that gives the old name back."""
    name = weight.name
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight).astype(np.float16), f"{name}.fp16"))
    return onnx.helper.make_node("Cast", [weight.name], [name], name=f"{name}.to_fp32", to=onnx.TensorProto.FLOAT)


def convert_openvino(onnx_path: Path, xml_path: Path) -> None:
    """Write OpenVINO IR (`.xml` and `.bin`), weights compressed to FP16."""
    ov = import_openvino()
    ov.save_model(ov.convert_model(str(onnx_path)), str(xml_path), compress_to_fp16=True)
