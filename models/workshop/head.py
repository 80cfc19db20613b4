"""Where the head of a detector begins, found in its graph: names of layers differ from one YOLO to the next.

*Box arithmetic* is everything between the last learned layers and the output: distributions to distances, distances to boxes,
sigmoids, sorting. It costs next to no time and loses most in 8 bits. The *head* is the box arithmetic and every layer that only
one of the last learned layers listens to: the branches for boxes and for classes behind the features that they share.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

_LEARNED = frozenset({"Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul"})
_PASSES_ON = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze"})
_NO_LAYER = frozenset({"Constant", "Parameter", "Result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Names of operations, in the order of the graph. `box_arithmetic` is part of `whole`."""

    box_arithmetic: tuple[str, ...]
    whole: tuple[str, ...]


def find_head(model: Any) -> Head:
    """The head of an `openvino.Model`.

    In a network with one last learned layer (a classifier) the head is that layer and what follows.
    """
    operations = model.get_ordered_ops()
    constant = _constant_names(operations)
    tail, last = _walk_back(model, constant)
    reach = _listeners(operations, last)
    branches = {name for name, listeners in reach.items() if len(listeners) == 1} if len(last) > 1 else last
    whole = tail | last | branches
    layers = [op.get_friendly_name() for op in operations if op.get_type_name() not in _NO_LAYER]
    layers = [name for name in layers if name not in constant]
    return Head(box_arithmetic=tuple(name for name in layers if name in tail), whole=tuple(name for name in layers if name in whole))


def learned_layers(model: Any) -> tuple[str, ...]:
    """Names of the layers with weights, in the order of the graph."""
    operations = model.get_ordered_ops()
    constant = _constant_names(operations)
    return tuple(op.get_friendly_name() for op in operations if _is_learned(op, constant))


def last_learned_layers(model: Any) -> tuple[str, ...]:
    """Names of the layers with weights that the box arithmetic reads, in the order of the graph."""
    operations = model.get_ordered_ops()
    _, last = _walk_back(model, _constant_names(operations))
    return tuple(name for op in operations if (name := op.get_friendly_name()) in last)


def _constant_names(operations: list[Any]) -> set[str]:
    """Operations that depend on no input of the network."""
    constant: set[str] = set()
    for op in operations:
        sources = _sources(op)
        is_constant = all(source.get_friendly_name() in constant for source in sources) if sources else op.get_type_name() == "Constant"
        if is_constant:
            constant.add(op.get_friendly_name())
    return constant


def _sources(op: Any) -> list[Any]:
    return [value.get_source_output().get_node() for value in op.inputs()]


def _is_learned(op: Any, constant: set[str]) -> bool:
    """Whether an operation holds trained weights. The fixed weights that average a distribution over distances do not count."""
    if op.get_type_name() not in _LEARNED:
        return False
    source, weights = _sources(op)[:2]
    if weights.get_friendly_name() not in constant:
        return False
    while source.get_type_name() in _PASSES_ON:
        source = _sources(source)[0]
    return bool(source.get_type_name() != "Softmax")


def _walk_back(model: Any, constant: set[str]) -> tuple[set[str], set[str]]:
    """From the outputs up to the first learned layers on every way: (what lies behind them, those layers)."""
    tail: set[str] = set()
    last: set[str] = set()
    waiting = deque(model.get_results())
    while waiting:
        op = waiting.popleft()
        name = op.get_friendly_name()
        if name in tail or name in last or name in constant:
            continue
        if _is_learned(op, constant):
            last.add(name)
            continue
        tail.add(name)
        waiting.extend(_sources(op))
    return tail, last


def _listeners(operations: list[Any], last: set[str]) -> dict[str, frozenset[str]]:
    """For each operation the last learned layers that depend on it."""
    reach: dict[str, set[str]] = {}
    for op in reversed(operations):
        name = op.get_friendly_name()
        own = reach.setdefault(name, set())
        if name in last:
            own.add(name)
        for source in _sources(op):
            reach.setdefault(source.get_friendly_name(), set()).update(own)
    return {name: frozenset(listeners) for name, listeners in reach.items()}
