"""The head of a detector is found in its graph, whatever its layers are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.runtime.quiet import import_openvino
from models.workshop.head import find_head, last_learned_layers, learned_layers
from tests.unit.conv_models import BOX_BRANCH, BOX_LAST, CLASS_BRANCH, CLASS_LAST, NECK, STEM, conv_detector_onnx
from tests.unit.tiny_models import classifier_onnx, detector_onnx

STARTER = Path(__file__).parents[2] / "models" / "packs" / "burrow-openings-starter"


def network(path: Path, onnx: bytes) -> Any:
    path.write_bytes(onnx)
    return import_openvino().Core().read_model(path)


def belongs(name: str, names: tuple[str, ...]) -> bool:
    """OpenVINO divides a convolution with a bias in two and names them both after it."""
    return any(one.split("/")[0] == name for one in names)


def test_branches_belong_to_the_head_and_shared_layers_do_not(tmp_path: Path) -> None:
    model = network(tmp_path / "model.onnx", conv_detector_onnx())
    head = find_head(model)
    assert all(belongs(name, head.whole) for name in (BOX_BRANCH, CLASS_BRANCH, BOX_LAST, CLASS_LAST))
    assert not any(belongs(name, head.whole) for name in (STEM, NECK))
    assert "scores" in head.box_arithmetic
    assert "boxes" in head.box_arithmetic
    assert not any(belongs(name, head.box_arithmetic) for name in (STEM, NECK, BOX_BRANCH, CLASS_BRANCH, BOX_LAST))
    assert set(head.box_arithmetic) < set(head.whole)
    assert len(last_learned_layers(model)) == 2
    assert len(learned_layers(model)) == 6


def test_a_network_without_weights_is_all_arithmetic(tmp_path: Path) -> None:
    model = network(tmp_path / "model.onnx", detector_onnx())
    head = find_head(model)
    assert head.whole == head.box_arithmetic
    assert learned_layers(model) == ()


def test_a_classification_without_branches_keeps_its_body(tmp_path: Path) -> None:
    assert learned_layers(network(tmp_path / "model.onnx", classifier_onnx())) == ()


@pytest.mark.parametrize("name", ["model.xml", "model.onnx"])
def test_the_head_of_the_starter(name: str) -> None:
    model = import_openvino().Core().read_model(STARTER / name)
    head = find_head(model)
    # Three levels with a branch for boxes and one for classes; what averages distances over a distribution is no layer.
    assert len(last_learned_layers(model)) == 6
    assert not any("dfl" in layer for layer in learned_layers(model))
    assert any("dfl/conv" in layer for layer in head.box_arithmetic)
    inside = set(head.whole)
    in_head = [layer for layer in learned_layers(model) if layer in inside]
    prefix = in_head[0].split("/")[1]
    assert all(layer.split("/")[1] == prefix for layer in in_head)
    assert not any(layer.split("/")[1] == prefix for layer in learned_layers(model) if layer not in inside)
