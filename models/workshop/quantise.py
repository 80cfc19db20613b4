"""INT8 by NNCF: one quantisation of an OpenVINO IR, calibrated on given images, parts of it kept in floating point.

What is tried, measured and kept is decided elsewhere: by `build_starter` for the starter pack, by `models.quantise` for any pack.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import InputError, ModelError, Reason
from models.manifest import InputSpec
from models.quantise.judge import KeepFloat
from models.runtime.protocols import Float32Array
from models.runtime.quiet import import_openvino
from models.runtime.tiling import plan_views
from models.runtime.vision import cv2
from models.workshop.head import find_head, learned_layers

__all__ = ["KeepFloat", "Quantised", "Tensors", "describe", "import_nncf", "quantise", "read_static", "run_nncf", "spec_of"]

_PASSES_ON = frozenset(
    {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Concat", "MaxPool", "VariadicSplit", "Split", "Slice", "Interpolate"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """What became of a network's layers with weights."""

    int8_layers: tuple[str, ...]
    float_layers: tuple[str, ...]


def quantise(
    source_xml: Path,
    target_xml: Path,
    calibration: Sequence[Path],
    *,
    keep_float: KeepFloat,
    also_float: Collection[str] = (),
    spec: InputSpec | None = None,
    full_range: bool = False,
    on_image: Callable[[int], None] | None = None,
) -> Quantised:
    """Quantise weights and activations of an OpenVINO IR to 8 bits.

    Args:
        calibration: images whose activation ranges enter the model.
        also_float: names of single operations that stay in floating point too.
        spec: how images become the network's input; letterboxed RGB where it is not given.
        full_range: weights use all 8 bits. Without it they use 7, because CPUs without VNNI add products of 8 bits in 16
            bits, which would overflow.
        on_image: called with the number of images seen so far.

    Raises:
        InputError: a calibration image cannot be decoded.
        ModelError: NNCF cannot quantise the network.
    """
    model = read_static(source_xml, spec)
    head = find_head(model)
    kept = {KeepFloat.NOTHING: (), KeepFloat.BOX_ARITHMETIC: head.box_arithmetic, KeepFloat.HEAD: head.whole}[keep_float]
    tensors = Tensors(spec or spec_of(model), on_image)
    quantised = run_nncf(model, tensors, calibration, float_names=[*kept, *also_float], full_range=full_range, compress=True)
    import_openvino().save_model(quantised, os.fspath(target_xml), compress_to_fp16=True)
    return describe(quantised)


def run_nncf(
    model: Any, tensors: Tensors, calibration: Sequence[Path], *, float_names: Sequence[str], full_range: bool, compress: bool
) -> Any:
    """The quantised `openvino.Model`; without `compress` its weights stay floats behind a FakeQuantize each.

    Raises:
        InputError: a calibration image cannot be decoded.
        ModelError: NNCF cannot quantise the network.
    """
    nncf = import_nncf()
    overflow = nncf.quantization.advanced_parameters.OverflowFix
    try:
        return nncf.quantize(
            model,
            nncf.Dataset(list(enumerate(calibration)), tensors),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            ignored_scope=nncf.IgnoredScope(names=list(dict.fromkeys(float_names)), validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                overflow_fix=overflow.DISABLE if full_range else overflow.ENABLE,
                backend_params={"compress_weights": compress},
            ),
        )
    except (RuntimeError, ValueError, nncf.InternalError, nncf.ValidationError) as error:
        raise ModelError(f"NNCF cannot quantise this network: {error}", advice="Keep the pack as it is; its variants work.") from error


class Tensors:
    """From (index, path) of an image to the network's input, (1, 3, H, W) float32, as in the appliance. Counts what it gave.

    Of an image that the appliance cuts into tiles one tile is used, another one from image to image.
    """

    def __init__(self, spec: InputSpec, on_image: Callable[[int], None] | None = None) -> None:
        self._spec = spec
        self._on_image = on_image
        self._count = 0

    def __call__(self, item: tuple[int, Path]) -> Float32Array:
        """See the class.

        Raises:
            InputError: the image cannot be decoded.
        """
        index, path = item
        try:
            image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        except OSError as error:
            raise InputError(Reason.UNREADABLE_FILE, f"calibration image {path} cannot be read: {error}") from error
        if image is None:
            raise InputError(Reason.CORRUPT, f"calibration image {path} cannot be decoded")
        pixels = np.asarray(image, np.uint8)
        views = plan_views(pixels.shape[1], pixels.shape[0], self._spec)
        view = views[index % len(views)]
        self._count += 1
        if self._on_image is not None:
            self._on_image(self._count)
        return view.tensor(view.cut(pixels), self._spec)


def read_static(path: Path, spec: InputSpec | None) -> Any:
    """An `openvino.Model` whose input has the size of `spec`, where a file leaves it open.

    Raises:
        ModelError: the file cannot be read, or wants another input.
    """
    try:
        model = import_openvino().Core().read_model(os.fspath(path))
        if model.is_dynamic():
            if spec is None:
                raise ModelError(f"{path.name} leaves the size of its input open")
            model.reshape([1, 3, spec.height_px, spec.width_px])
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot read {path.name}: {error}") from error
    return model


def spec_of(model: Any) -> InputSpec:
    """How the workshop's own detectors want their images, at the size of a model's input."""
    _, _, height_px, width_px = model.input(0).shape
    return InputSpec(width_px=width_px, height_px=height_px, channel_order="rgb", fit="letterbox")


def describe(quantised: Any) -> Quantised:
    """Which layers with weights compute in 8 bits: those whose input was quantised."""
    names = learned_layers(quantised)
    by_name = {op.get_friendly_name(): op for op in quantised.get_ordered_ops()}
    int8 = tuple(name for name in names if _is_quantised(by_name[name].input_value(0).get_node()))
    return Quantised(int8_layers=int8, float_layers=tuple(name for name in names if name not in set(int8)))


def _is_quantised(source: Any) -> bool:
    while source.get_type_name() in _PASSES_ON:
        source = source.input_value(0).get_node()
    return bool(source.get_type_name() == "FakeQuantize")


def import_nncf() -> Any:
    """`nncf` over a silent `openvino`; neither reports its use to anyone."""
    import_openvino()
    os.environ["NNCF_CI"] = "1"  # NNCF's own switch for a telemetry that does nothing
    import nncf

    return nncf
