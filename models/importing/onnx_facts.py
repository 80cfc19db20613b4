"""The first look into an ONNX file, at its bytes alone: nothing of it is run, and no library is asked to load it.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from edge.errors import PackInvalidError
from models.importing.facts import FileFacts, ImportRefusedError, Side, TensorFacts
from models.onnx_file import external_data_locations, read_fields

MAX_BYTES = 2**31 - 1  # the most that a protobuf message may have
_EXPORT = "Export it again, with ultralytics: `yolo export model=best.pt format=onnx` (no half, no nms, no dynamic)."
_ELEMENTS = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 16: "bfloat16"}
_NUMPY: dict[int, np.dtype[np.floating]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_FLOAT, _FLOAT16, _DOUBLE, _BFLOAT16 = 1, 10, 11, 16
_OWN_DOMAINS = frozenset(("", "ai.onnx"))
_CONTROL = frozenset(("If", "Loop", "Scan"))
_QUANTISED = frozenset(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"))


def read_onnx(path: Path) -> FileFacts:
    """Look into an ONNX file.

    Raises:
        ImportRefusedError: it is damaged, is not whole in itself, or does what the appliance does not run.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ImportRefusedError(f"{path.name} is larger than an ONNX file can be")
    data = path.read_bytes()
    try:
        _check_whole(path.name, data)
        graph = _graph(path.name, memoryview(data))
        weights = _Weights()
        _check_graph(graph, weights)
        source = _only_input(graph, weights.names)
        metadata = dict(_metadata(memoryview(data)))
    except PackInvalidError as error:
        advice = "Copy the file again; it is not a whole ONNX file."
        raise ImportRefusedError(f"{path.name}: {error}", advice=advice) from error
    return FileFacts(form="onnx", source=source, metadata=metadata, precision=weights.precision())


def _check_whole(name: str, data: bytes) -> None:
    if not data:
        raise ImportRefusedError(f"{name} is empty", advice="Copy the file again.")
    outside = external_data_locations(data)
    if outside:
        advice = "Save it as one file: `onnx.save(onnx.load('model.onnx'), 'whole.onnx', save_as_external_data=False)`."
        raise ImportRefusedError(f"{name} keeps its weights in other files ({', '.join(sorted(outside)[:2])})", advice=advice)


def _graph(name: str, model: memoryview) -> memoryview:
    """The graph of a model; domains that it imports without using them do no harm."""
    graphs = [value for number, _, value in read_fields(model) if number == 7 and isinstance(value, memoryview)]
    if len(graphs) != 1 or not len(graphs[0]):
        raise ImportRefusedError(f"{name} holds no network", advice="It is not an ONNX file, or its end is missing. Copy it again.")
    return graphs[0]


class _Weights:
    """What is seen of the weights on the way through a graph."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.is_quantised = False
        self._values = {_FLOAT: 0, _FLOAT16: 0}

    def note(self, tensor: memoryview) -> None:
        name, element, values = _tensor(tensor)
        self.names.add(name)
        self._values[element] = self._values.get(element, 0) + values.size
        # A single infinity is a bound to compare with; among weights it is damage.
        if values.size and (np.isnan(values).any() or (values.size > 1 and np.isinf(values).any())):
            raise ImportRefusedError(
                f"the weights {name or 'of a constant'!r} hold values that are not numbers",
                advice="The training diverged or the file is damaged. Take another checkpoint, such as best.pt of an earlier epoch.",
            )

    def precision(self) -> Literal["fp32", "fp16", "int8"]:
        if self.is_quantised:
            return "int8"
        return "fp16" if self._values[_FLOAT16] > self._values[_FLOAT] else "fp32"


def _check_graph(graph: memoryview, weights: _Weights) -> None:
    for number, _, value in read_fields(graph):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            _check_node(value, weights)
        elif number == 5:
            weights.note(value)
        elif number == 15:
            raise ImportRefusedError("it keeps weights as sparse tensors", advice=_EXPORT)


def _check_node(node: memoryview, weights: _Weights) -> None:
    fields = list(read_fields(node))
    kind = _text(fields, 4)
    domain = _text(fields, 7)
    if domain not in _OWN_DOMAINS:
        advice = "Only operators of ONNX itself run everywhere. " + _EXPORT
        raise ImportRefusedError(f"it uses the operator {kind!r} of {domain!r}, which is not one of ONNX itself", advice=advice)
    if kind in _CONTROL or "Sequence" in kind or kind.startswith(("Optional", "String")):
        raise ImportRefusedError(f"it uses the operator {kind!r}: branches, loops and lists are not run", advice=_EXPORT)
    weights.is_quantised |= kind in _QUANTISED
    for number, _, value in fields:
        if number == 5 and isinstance(value, memoryview):
            for inner, _, payload in read_fields(value):
                if inner in {5, 10} and isinstance(payload, memoryview):
                    weights.note(payload)
                elif inner in {6, 11}:
                    raise ImportRefusedError(f"its operator {kind!r} holds another graph: branches and loops are not run", advice=_EXPORT)


def _tensor(tensor: memoryview) -> tuple[str, int, np.ndarray[tuple[int], np.dtype[np.floating]]]:
    """(name, element type, its values as far as they are floats)."""
    fields = list(read_fields(tensor))
    element = next((value for number, _, value in fields if number == 2 and isinstance(value, int)), 0)
    raw = b"".join(bytes(value) for number, _, value in fields if number == 9 and isinstance(value, memoryview))
    if not raw:
        wanted = {_FLOAT: 4, _DOUBLE: 10}.get(element)  # float_data, double_data; packed, or one field per value
        raw = b"".join(bytes(value) for number, _, value in fields if number == wanted and isinstance(value, memoryview))
    if element == _BFLOAT16:  # the upper half of a float32
        return _text(fields, 8), element, (np.frombuffer(raw, "<u2", count=len(raw) // 2).astype("<u4") << 16).view("<f4")
    kind = _NUMPY.get(element)
    if kind is None:
        return _text(fields, 8), element, np.zeros(0, np.float32)
    if len(raw) % kind.itemsize:
        raise PackInvalidError(f"the weights {_text(fields, 8)!r} end in the middle of a number")
    return _text(fields, 8), element, np.frombuffer(raw, kind)


def _only_input(graph: memoryview, weights: set[str]) -> TensorFacts:
    infos = [_value_info(value) for number, _, value in read_fields(graph) if number == 11 and isinstance(value, memoryview)]
    inputs = [info for info in infos if info.name not in weights]  # older files list weights among the inputs
    if len(inputs) != 1:
        told = ", ".join(f"{info.name} {info.told}" for info in inputs[:4]) or "none"
        raise ImportRefusedError(f"it has {len(inputs)} inputs ({told}), not one image", advice=_EXPORT)
    return inputs[0]


def _value_info(info: memoryview) -> TensorFacts:
    fields = list(read_fields(info))
    name = _text(fields, 1)
    kinds = [value for number, _, value in fields if number == 2 and isinstance(value, memoryview)]
    tensors = [value for kind in kinds for number, _, value in read_fields(kind) if number == 1 and isinstance(value, memoryview)]
    if not tensors:
        raise ImportRefusedError(f"its input {name!r} is no tensor", advice=_EXPORT)
    element, shape = 0, tuple[Side, ...]()
    for number, _, value in read_fields(tensors[0]):
        if number == 1 and isinstance(value, int):
            element = value
        elif number == 2 and isinstance(value, memoryview):
            shape = tuple(_dimensions(value))
    return TensorFacts(name=name, element=_ELEMENTS.get(element, f"type {element}"), shape=shape)


def _dimensions(shape: memoryview) -> Iterator[Side]:
    for number, _, dimension in read_fields(shape):
        if number == 1 and isinstance(dimension, memoryview):
            known = [value for inner, _, value in read_fields(dimension) if inner == 1 and isinstance(value, int)]
            yield known[0] if known and known[0] < 2**31 else None


def _metadata(model: memoryview) -> Iterator[tuple[str, str]]:
    """metadata_props, and the producer under `producer`."""
    fields = list(read_fields(model))
    producer = " ".join(part for part in (_text(fields, 2), _text(fields, 3)) if part)
    if producer:
        yield "producer", producer
    for number, _, value in fields:
        if number == 14 and isinstance(value, memoryview):
            entry = list(read_fields(value))
            yield _text(entry, 1), _text(entry, 2)


def _text(fields: list[tuple[int, int, int | memoryview]], wanted: int) -> str:
    found = [value for number, _, value in fields if number == wanted and isinstance(value, memoryview)]
    return bytes(found[-1]).decode("utf-8", "replace") if found else ""
