"""Give the input of an ONNX file one fixed shape, by writing that one message anew; every other byte stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.onnx_file import read_fields

_GRAPH, _INPUT, _TYPE, _TENSOR, _SHAPE = 7, 11, 2, 1, 2
_NAME, _INITIALIZER, _TENSOR_NAME = 1, 5, 8


def fix_input(model: bytes, shape: Sequence[int]) -> bytes:
    """The model whose only input has this shape.

    Raises:
        PackInvalidError: the bytes are no ONNX file.
    """
    return _replaced(memoryview(model), _GRAPH, lambda graph: _fixed_graph(graph, shape))


def _fixed_graph(graph: memoryview, shape: Sequence[int]) -> bytes:
    weights = {
        _bytes_of(value, _TENSOR_NAME) for number, _, value in read_fields(graph) if number == _INITIALIZER and not isinstance(value, int)
    }

    def fixed(info: memoryview) -> bytes:
        if _bytes_of(info, _NAME) in weights:
            return bytes(info)
        new_shape = b"".join(_field(1, b"\x08" + _varint(side)) for side in shape)
        return _replaced(info, _TYPE, lambda kind: _replaced(kind, _TENSOR, lambda tensor: _with_shape(tensor, new_shape)))

    return _replaced(graph, _INPUT, fixed)


def _with_shape(tensor: memoryview, shape: bytes) -> bytes:
    kept = b"".join(_written(number, wire_type, value) for number, wire_type, value in read_fields(tensor) if number != _SHAPE)
    return kept + _field(_SHAPE, shape)


def _replaced(message: memoryview, wanted: int, change: Callable[[memoryview], bytes]) -> bytes:
    parts = []
    for number, wire_type, value in read_fields(message):
        is_wanted = number == wanted and wire_type == 2 and isinstance(value, memoryview)
        parts.append(_field(number, change(value)) if is_wanted and isinstance(value, memoryview) else _written(number, wire_type, value))
    return b"".join(parts)


def _written(number: int, wire_type: int, value: int | memoryview) -> bytes:
    tag = _varint(number << 3 | wire_type)
    if isinstance(value, int):
        return tag + _varint(value)
    return tag + (_varint(len(value)) if wire_type == 2 else b"") + bytes(value)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes_of(message: memoryview, wanted: int) -> bytes:
    found = [bytes(value) for number, _, value in read_fields(message) if number == wanted and isinstance(value, memoryview)]
    return found[-1] if found else b""
