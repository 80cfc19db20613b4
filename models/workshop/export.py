"""Write a network of ultralytics as one ONNX file with a static shape, as the appliance runs it."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

OPSET = 17


def write_onnx(network: torch.nn.Module, tensor: torch.Tensor, onnx_path: Path) -> list[torch.Tensor]:
    """Fold what can be folded, write the file, and return what torch gives for `tensor` (1, 3, H, W) float32.

    The network is changed and of no more use for training.
    """
    network.eval()
    network.fuse(verbose=False)  # type: ignore[operator]
    for parameter in network.parameters():
        parameter.requires_grad = False
    head = network.model[-1]  # type: ignore[index]
    head.export, head.format, head.dynamic = True, "onnx", False  # type: ignore[union-attr]
    with torch.no_grad():
        network(tensor)  # the grid of the candidates is made in the first run
        outputs = network(tensor)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    torch.onnx.export(
        network,
        (tensor,),
        str(onnx_path),
        opset_version=OPSET,
        input_names=["images"],
        output_names=[f"output{place}" for place in range(len(outputs))],
        do_constant_folding=True,
        dynamo=False,
    )
    _without_traces(onnx_path)
    return outputs


def _without_traces(onnx_path: Path) -> None:
    """Drop texts that carry paths of the machine that exported."""
    model = onnx.load(str(onnx_path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(onnx_path))
