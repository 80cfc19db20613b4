"""NNCF in the workshop: what is quantised, what stays in floating point, which layers are sensitive."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError, ModelError
from models.manifest import InputSpec
from models.runtime.quiet import import_openvino
from models.workbench import Step, ToolError, run_tool
from models.workshop.head import learned_layers
from models.workshop.quantise import KeepFloat, Quantised, Tensors, quantise
from models.workshop.sensitivity import rank_layers
from tests.unit.conv_models import BOX_BRANCH, CLASS_LAST, NECK, STEM, conv_detector_onnx, write_coloured_dataset

SPEC = InputSpec(width_px=64, height_px=64)
STARTER = Path(__file__).parents[2] / "models" / "packs" / "burrow-openings-starter"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = write_coloured_dataset(tmp_path_factory.mktemp("data"), tows=2, images=12)
    return sorted((folder / "images").glob("*/*.png"))


@pytest.fixture(scope="module")
def ir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ir")
    (folder / "model.onnx").write_bytes(conv_detector_onnx())
    openvino = import_openvino()
    openvino.save_model(openvino.Core().read_model(folder / "model.onnx"), folder / "model.xml", compress_to_fp16=True)
    return folder / "model.xml"


def named(name: str, layers: tuple[str, ...]) -> bool:
    return any(layer.split("/")[0] == name for layer in layers)


def run(ir: Path, target: Path, images: list[Path], keep_float: KeepFloat, **options: Any) -> Quantised:
    return quantise(ir, target, images, keep_float=keep_float, spec=SPEC, **options)


def outputs(model: Path, tensor: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    compiled = import_openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(tensor)[0], np.float32)


def test_all_layers_or_all_but_the_head_compute_in_8_bits(ir: Path, images: list[Path], tmp_path: Path) -> None:
    boxes = run(ir, tmp_path / "boxes.xml", images, KeepFloat.BOX_ARITHMETIC)
    assert len(boxes.int8_layers) == 6
    assert boxes.float_layers == ()
    head = run(ir, tmp_path / "head.xml", images, KeepFloat.HEAD)
    assert named(STEM, head.int8_layers)
    assert named(NECK, head.int8_layers)
    assert named(BOX_BRANCH, head.float_layers)
    assert named(CLASS_LAST, head.float_layers)


def test_a_layer_can_be_given_back_by_name(ir: Path, images: list[Path], tmp_path: Path) -> None:
    (neck,) = (layer for layer in learned_layers(import_openvino().Core().read_model(ir)) if layer.split("/")[0] == NECK)
    found = run(ir, tmp_path / "neck.xml", images, KeepFloat.BOX_ARITHMETIC, also_float=[neck])
    assert found.float_layers == (neck,)


def test_the_quantised_network_computes_about_the_same(ir: Path, images: list[Path], tmp_path: Path) -> None:
    run(ir, tmp_path / "int8.xml", images, KeepFloat.BOX_ARITHMETIC)
    tensor = Tensors(SPEC)((0, images[0]))
    wanted, found = outputs(ir, tensor), outputs(tmp_path / "int8.xml", tensor)
    assert not np.array_equal(wanted, found)
    np.testing.assert_allclose(found[:, 4:], wanted[:, 4:], atol=0.1)
    np.testing.assert_allclose(found[:, :4], wanted[:, :4], atol=0.5)


def test_weights_use_seven_bits_unless_told_otherwise(ir: Path, images: list[Path], tmp_path: Path) -> None:
    def largest(model: Path) -> int:
        constants = [op for op in import_openvino().Core().read_model(model).get_ordered_ops() if op.get_type_name() == "Constant"]
        return max(int(np.abs(op.data.astype(np.int16)).max()) for op in constants if op.get_element_type().get_type_name() == "i8")

    run(ir, tmp_path / "safe.xml", images, KeepFloat.NOTHING)
    run(ir, tmp_path / "full.xml", images, KeepFloat.NOTHING, full_range=True)
    assert largest(tmp_path / "safe.xml") <= 64 < largest(tmp_path / "full.xml")


def test_every_calibration_image_is_seen_once(ir: Path, images: list[Path], tmp_path: Path) -> None:
    seen: list[int] = []
    run(ir, tmp_path / "int8.xml", images, KeepFloat.NOTHING, on_image=seen.append)
    assert seen == list(range(1, len(images) + 1))


def test_images_enter_as_in_the_appliance_and_tiles_take_turns(images: list[Path]) -> None:
    tiles = Tensors(InputSpec(width_px=32, height_px=32, fit="tiles", tile_overlap=0.0))
    found = [tiles((index, images[0])) for index in range(5)]
    assert [one.shape for one in found] == [(1, 3, 32, 32)] * 5
    assert not np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[4])
    whole = Tensors(SPEC)((0, images[0]))
    assert np.array_equal(whole[:, :, :32, :32], found[0])


def test_an_image_that_is_none_is_refused(ir: Path, images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"broken\.png cannot be decoded"):
        run(ir, tmp_path / "int8.xml", [*images, tmp_path / "broken.png"], KeepFloat.NOTHING)
    assert not (tmp_path / "int8.xml").exists()


def test_a_file_that_is_no_network_is_refused(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("<net/>")
    with pytest.raises(ModelError, match=r"cannot read model\.xml"):
        run(tmp_path / "model.xml", tmp_path / "int8.xml", images, KeepFloat.NOTHING)


def test_the_layer_that_reads_uneven_channels_is_the_most_sensitive(images: list[Path], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(conv_detector_onnx(uneven=200.0))
    done: list[tuple[int, int]] = []
    gains = rank_layers(tmp_path / "model.onnx", images, SPEC, on_layer=lambda place, of: done.append((place, of)))
    assert gains[0].name.split("/")[0] == NECK
    assert gains[0].gain > 10 * gains[1].gain
    assert sorted(gains, key=lambda one: -one.gain) == list(gains)
    assert done[-1] == (len(gains), len(gains)) == (6, 6)


def test_the_tool_answers_as_the_workbench_expects(ir: Path, images: list[Path], tmp_path: Path) -> None:
    request = {
        "action": "quantise",
        "source": str(ir),
        "target": str(tmp_path / "int8.xml"),
        "images": [str(image) for image in images],
        "input": SPEC.model_dump(mode="json"),
        "keep_float": "box arithmetic",
        "also_float": [],
        "full_range": False,
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    steps: list[Step] = []
    arguments = [str(tmp_path / "request.json")]
    answer = run_tool("models.workshop.quantise_tool", arguments, python=Path(sys.executable), on_step=steps.append)
    assert len(answer["int8_layers"]) == 6
    assert steps[-1] == Step(name="calibrating", done=len(images), of=len(images))
    (tmp_path / "request.json").write_text(json.dumps({**request, "images": [str(tmp_path / "none.png")]}))
    with pytest.raises(ToolError, match="cannot be read") as caught:
        run_tool("models.workshop.quantise_tool", arguments, python=Path(sys.executable))
    assert caught.value.code == "input_invalid/unreadable_file"
