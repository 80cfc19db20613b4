"""Look into the bytes of an ONNX file without the `onnx` package: does it keep tensors in other files?

ONNX is protobuf (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Only the fields that can hold a tensor are
walked; their numbers are those of that file. `models.importing.onnx_facts` reads more of it with the same functions.
"""

from __future__ import annotations

from collections.abc import Iterator

from edge.errors import PackInvalidError

# message -> {field number: message that the field holds}
_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
_TENSOR_EXTERNAL_DATA = 13
_TENSOR_DATA_LOCATION = 14
_MAX_DEPTH = 64


def external_data_locations(model: bytes) -> set[str]:
    """Names of the files outside `model` that its tensors live in; empty if it is whole.

    Raises:
        PackInvalidError: the bytes are no protobuf message, or one nested beyond reason.
    """
    found: set[str] = set()
    _walk(memoryview(model), "Model", found, 0)
    return found


def _walk(message: memoryview, kind: str, found: set[str], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise PackInvalidError("an ONNX file is nested beyond reason")
    for number, wire_type, value in read_fields(message):
        if kind == "Tensor":
            if number == _TENSOR_EXTERNAL_DATA and isinstance(value, memoryview):
                found.add(_entry_text(value))
            elif number == _TENSOR_DATA_LOCATION and value == 1:
                found.add("data_location=EXTERNAL")
        elif (child := _CHILDREN[kind].get(number)) is not None and wire_type == 2 and isinstance(value, memoryview):
            _walk(value, child, found, depth + 1)


def _entry_text(entry: memoryview) -> str:
    parts = [bytes(value).decode("utf-8", "replace") for _, _, value in read_fields(entry) if isinstance(value, memoryview)]
    return "=".join(parts)


def read_fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(field number, wire type, value) of one protobuf message (https://protobuf.dev/programming-guides/encoding/).

    Raises:
        PackInvalidError: the bytes are no such message.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(message, position)
            yield number, wire_type, value
            continue
        if wire_type == 2:
            length, position = _varint(message, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise PackInvalidError(f"an ONNX file holds a field of the unknown wire type {wire_type}")
        if position + length > len(message):
            raise PackInvalidError("an ONNX file ends in the middle of a field")
        yield number, wire_type, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise PackInvalidError("an ONNX file ends in the middle of a number")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise PackInvalidError("an ONNX file holds a number of more than ten bytes")
