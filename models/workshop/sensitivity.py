"""Which layers of a quantised network cost the most accuracy: each is given back its floating point for itself, and measured.

The error is that of the last learned layers (`head.py`) against the float network, as a share of the signal's power, averaged over
images: it needs no labels and holds for every head. It only orders the layers; how many are given back is decided by accuracy
on labelled images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from models.manifest import InputSpec
from models.runtime.protocols import Float32Array
from models.runtime.quiet import import_openvino
from models.workshop.head import find_head, last_learned_layers
from models.workshop.quantise import KeepFloat, Tensors, describe, read_static, run_nncf

MEASURE_IMAGES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGain:
    """A layer, and by how much the error of the quantised network falls when only this layer computes in floating point."""

    name: str
    gain: float


def rank_layers(
    source_xml: Path, calibration: Sequence[Path], spec: InputSpec, *, on_layer: Callable[[int, int], None] | None = None
) -> tuple[LayerGain, ...]:
    """Layers with weights that compute in 8 bits, the one that gains most first. The box arithmetic is in floating point.

    Args:
        calibration: images; eight of them, spread over the list, measure the error.
        on_layer: called with (layers done, layers in all).

    Raises:
        InputError: an image cannot be decoded.
        ModelError: NNCF cannot quantise the network.
    """
    model = read_static(source_xml, spec)
    names = list(find_head(model).box_arithmetic)
    last = last_learned_layers(model)
    tensors = Tensors(spec)
    every = max(1, len(calibration) // MEASURE_IMAGES)
    inputs = [tensors(item) for item in list(enumerate(calibration))[::every][:MEASURE_IMAGES]]
    quantised = run_nncf(model.clone(), tensors, calibration, float_names=names, full_range=False, compress=False)
    layers = describe(quantised).int8_layers
    wanted = _outputs(model, last, inputs)
    whole = _error(_outputs(quantised, last, inputs), wanted)
    gains = []
    for place, layer in enumerate(layers, start=1):
        freed = quantised.clone()
        _free(freed, layer)
        gains.append(LayerGain(name=layer, gain=whole - _error(_outputs(freed, last, inputs), wanted)))
        if on_layer is not None:
            on_layer(place, len(layers))
    return tuple(sorted(gains, key=lambda one: (-one.gain, one.name)))


def rank_request(request: dict[str, Any], on_layer: Callable[[int, int], None]) -> dict[str, Any]:
    """`rank_layers` for a request of `quantise_tool`."""
    spec = InputSpec.model_validate(request["input"])
    gains = rank_layers(Path(request["source"]), [Path(path) for path in request["images"]], spec, on_layer=on_layer)
    return {"layers": [{"name": one.name, "gain": one.gain} for one in gains], "kept_float": str(KeepFloat.BOX_ARITHMETIC)}


def _free(model: Any, layer: str) -> None:
    """Let one layer read past the quantisers before it; other readers of them are not touched."""
    operation = next(op for op in model.get_ordered_ops() if op.get_friendly_name() == layer)
    for value in operation.inputs():
        source = value.get_source_output().get_node()
        if source.get_type_name() == "FakeQuantize":
            value.replace_source_output(source.input_value(0))


def _outputs(model: Any, layers: Sequence[str], inputs: Sequence[Float32Array]) -> list[list[Float32Array]]:
    """Outputs of the named layers for each input."""
    openvino = import_openvino()
    by_name = {op.get_friendly_name(): op for op in model.get_ordered_ops()}
    missing = [layer for layer in layers if layer not in by_name]
    if missing:
        raise ModelError(f"NNCF renamed the layer {missing[0]}, so layers cannot be compared")
    cut = openvino.Model([by_name[layer].output(0) for layer in layers], model.get_parameters(), "last_layers")
    compiled = openvino.Core().compile_model(cut, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    found = []
    for tensor in inputs:
        request.infer([tensor], share_inputs=True)
        found.append([np.array(output.data, np.float32) for output in request.output_tensors])
    return found


def _error(found: Sequence[Sequence[Float32Array]], wanted: Sequence[Sequence[Float32Array]]) -> float:
    """Power of the difference as a share of the power of the signal, mean over layers and images."""
    shares = [
        float(np.square(one - other, dtype=np.float64).sum() / max(np.square(other, dtype=np.float64).sum(), 1e-12))
        for ours, theirs in zip(found, wanted, strict=True)
        for one, other in zip(ours, theirs, strict=True)
    ]
    return float(np.mean(shares))
