"""The first look into OpenVINO IR. OpenVINO itself reads it, so this runs in a child process only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.importing.facts import FileFacts, ImportRefusedError, Side, TensorFacts
from models.runtime.quiet import import_openvino

MAX_XML_BYTES = 256 * 1024 * 1024
_MAX_YAML_BYTES = 1024 * 1024
_EXPORT = "Export it again, with ultralytics: `yolo export model=best.pt format=openvino` (no dynamic, no nms)."
_CONTROL = frozenset(("If", "Loop", "TensorIterator"))
_ELEMENTS = {"f32": "float32", "f16": "float16", "u8": "uint8", "bf16": "bfloat16"}


def weights_of(xml: Path) -> Path:
    """The `.bin` that belongs to an `.xml`."""
    return xml.with_suffix(".bin")


def read_ir(xml: Path) -> FileFacts:
    """Let OpenVINO read an IR and look at its graph; nothing is compiled or run.

    Raises:
        ImportRefusedError: it is damaged, its weights are missing, or it does what the appliance does not run.
    """
    if xml.stat().st_size > MAX_XML_BYTES:
        raise ImportRefusedError(f"{xml.name} is too large for the description of a network")
    if not weights_of(xml).is_file():
        advice = "An OpenVINO model is two files, .xml and .bin; put them into one folder."
        raise ImportRefusedError(f"{weights_of(xml).name} is missing beside {xml.name}", advice=advice)
    openvino = import_openvino()
    try:
        model = openvino.Core().read_model(xml)
    except RuntimeError as error:
        raise ImportRefusedError(
            f"OpenVINO cannot read {xml.name}: {_told(error)}",
            advice="Copy both files again. If they are whole, the model uses operators that OpenVINO does not have. " + _EXPORT,
        ) from error
    precision = _check_graph(model)
    metadata = {**_rt_info(model), **_metadata_yaml(xml.parent / "metadata.yaml")}
    return FileFacts(form="ir", source=_only_input(model), metadata=metadata, precision=precision)


def _check_graph(model: Any) -> Any:
    """The precision of the weights, after a look at every operation."""
    values = {"f32": 0, "f16": 0}
    is_quantised = False
    for op in model.get_ops():
        kind = op.get_type_name()
        if kind in _CONTROL or kind.startswith("Sequence"):
            raise ImportRefusedError(f"it uses the operation {kind!r}: branches and loops are not run", advice=_EXPORT)
        is_quantised |= kind == "FakeQuantize"
        if kind == "Constant":
            element = op.get_element_type().get_type_name()
            if element in values:
                data = np.asarray(op.get_data())
                values[element] += data.size
                _check_numbers(op.get_friendly_name(), data)
    return "int8" if is_quantised else "fp16" if values["f16"] > values["f32"] else "fp32"


def _check_numbers(name: str, data: np.ndarray[Any, Any]) -> None:
    # A single infinity is a bound to compare with; among weights it is damage.
    if np.isnan(data).any() or (data.size > 1 and np.isinf(data).any()):
        raise ImportRefusedError(
            f"the weights {name!r} hold values that are not numbers",
            advice="The training diverged or the file is damaged. Take another checkpoint, or copy both files again.",
        )


def _only_input(model: Any) -> TensorFacts:
    if len(model.inputs) != 1:
        raise ImportRefusedError(f"it has {len(model.inputs)} inputs, not one image", advice=_EXPORT)
    source = model.inputs[0]
    element = source.get_element_type().get_type_name()
    shape = source.get_partial_shape()
    sides: tuple[Side, ...] = ()
    if shape.rank.is_static:
        sides = tuple(side.get_length() if side.is_static else None for side in shape)
    return TensorFacts(name=_name(source), element=_ELEMENTS.get(element, element), shape=sides)


def _name(port: Any) -> str:
    names = sorted(port.get_names())
    return names[0] if names else ""


def _rt_info(model: Any) -> dict[str, str]:
    """What ultralytics and Model API write into the file: `labels` joined by blanks, with underscores for blanks in a name."""
    info: dict[str, str] = {}
    for key in ("labels", "model_type", "resize_type", "license"):
        if model.has_rt_info(["model_info", key]):
            value = model.get_rt_info(["model_info", key])
            info[key] = str(value.astype(str) if hasattr(value, "astype") else value)
    return info


def _metadata_yaml(path: Path) -> Mapping[str, str]:
    """The file that ultralytics writes beside an IR; every value as text, a list or table in Python's notation."""
    if not path.is_file() or path.stat().st_size > _MAX_YAML_BYTES:
        return {}
    import yaml

    # The plainest loader: every scalar stays text, so a species called `no` is not False, and nothing is constructed.
    loader = yaml.BaseLoader(path.read_text(encoding="utf-8", errors="replace"))
    try:
        fields = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ImportRefusedError(f"{path.name} beside it is not valid YAML", advice="Correct the file or move it away.") from error
    finally:
        loader.dispose()
    return {str(key): str(value) for key, value in fields.items()} if isinstance(fields, dict) else {}


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(("Exception from ", "Check "))]
    return (lines[-1] if lines else type(error).__name__)[:200]
