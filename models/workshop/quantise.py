"""INT8 by NNCF, calibrated on rendered stills, offered only when the measured drop is small enough."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.runtime.letterbox import letterbox, resize, to_tensor
from models.runtime.quiet import import_openvino
from models.workshop.measure import input_spec

# The arithmetic that turns the head's distributions into boxes in pixels loses too much in 8 bits.
BOX_ARITHMETIC = {
    "patterns": [".*/model.23/.*Add.*", ".*/model.23/.*Sub.*", ".*/model.23/.*Mul.*", ".*/model.23/.*Div.*", ".*dfl.*"],
    "types": ["Sigmoid"],
}
WHOLE_HEAD = {"patterns": [".*model.23.*"], "types": ["Sigmoid"]}


def quantise(source_xml: Path, target_xml: Path, calibration: Sequence[Path], *, keep_float: dict[str, Any]) -> None:
    """Quantise weights and activations of an OpenVINO IR to 8 bits.

    Args:
        calibration: rendered stills; never real ones, their activation ranges would enter the model.
        keep_float: names and types of operations that stay in floating point.
    """
    ov, nncf = _import_silent()
    model = ov.Core().read_model(str(source_xml))
    _, _, height_px, width_px = model.input(0).shape
    spec = input_spec(width_px, height_px)

    def tensor(path: Path) -> Any:
        image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        place = letterbox(image.shape[1], image.shape[0], spec)
        content = resize(image, place.content_width_px, place.content_height_px)
        return to_tensor(content, spec, left_px=place.left_px, top_px=place.top_px)

    quantised = nncf.quantize(
        model,
        nncf.Dataset(list(calibration), tensor),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
        ignored_scope=nncf.IgnoredScope(**keep_float, validate=False),
        # Halves the range of weights: CPUs without VNNI add 8-bit products in 16 bits, which would overflow.
        advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.quantization.advanced_parameters.OverflowFix.ENABLE),
    )
    ov.save_model(quantised, str(target_xml), compress_to_fp16=True)


def _import_silent() -> tuple[Any, Any]:
    """`openvino` and `nncf`, neither of which reports its use to anyone."""
    ov = import_openvino()
    os.environ["NNCF_CI"] = "1"  # NNCF's own switch for a telemetry that does nothing
    import nncf

    return ov, nncf
