"""Packs of promptable models: what their network must be, how they are proven, and the interactor that they give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from annotator_bridge.deepaas.models import ServedModels
from annotator_bridge.functions.catalogue import list_functions, load_function
from annotator_bridge.functions.clicks import BoolArray
from annotator_bridge.functions.function import BadCallError
from edge.errors import ModelError
from edge.values import UInt8Array
from models.datasets.dataset import Dataset
from models.evaluate.run import measure_variant
from models.pack import Pack
from models.runtime.goldens import check_goldens, read_golden_images
from models.runtime.predict import detect, load_model
from models.runtime.prompt import PromptEngine, read_logits
from models.runtime.prove import prove_variant
from models.runtime.vision import cv2
from tests.helpers.annotated import answered, sent
from tests.unit.tiny_models import PROMPT_REACH_PX, detector_onnx, make_prompt_pack, prompt_onnx


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder in which a promptable pack lies as one that was installed."""
    make_prompt_pack(tmp_path / "packs" / "tiny-prompt" / "1.0.0")
    return tmp_path


def _two_bodies() -> UInt8Array:
    """Twice as wide as the network's input: two dark discs on a light ground, 128 x 96."""
    image = np.full((96, 128, 3), 230, np.uint8)
    for x in (35, 95):
        cv2.circle(image, (x, 48), 14, (20, 20, 20), cv2.FILLED)
    return image


def _mask(home: Path, call: dict[str, Any]) -> BoolArray:
    function = load_function(home, "tiny-prompt", threads=1)
    answer = answered(function, {"image": sent(_two_bodies()), "pos_points": [], "neg_points": [], "obj_bbox": None, **call})
    return np.array(answer["mask"], np.bool_)


def test_a_pack_gives_an_interactor_of_its_name(home: Path) -> None:
    (info,) = (one for one in list_functions(home) if one.id == "tiny-prompt")
    assert (info.kind, info.pack, info.labels) == ("interactor", "tiny-prompt@1.0.0", ())
    assert info.starts_with_box
    # The shore's clients call models that find things by themselves.
    assert "tiny-prompt" not in [pack.manifest.name for pack in ServedModels(home, threads=1).all()]


def test_what_was_clicked_is_outlined_in_the_pictures_own_pixels(home: Path) -> None:
    truth = np.zeros((96, 128), np.uint8)
    cv2.circle(truth, (95, 48), 14, 1, cv2.FILLED)
    mask = _mask(home, {"pos_points": [[95, 48]]})
    assert mask.shape == (96, 128)
    overlap = np.count_nonzero(mask & (truth > 0)) / np.count_nonzero(mask | (truth > 0))
    assert overlap > 0.8


def test_a_click_outside_takes_away_and_binds(home: Path) -> None:
    before, after = (_mask(home, {"pos_points": [[35, 48]], "neg_points": outside}) for outside in ([], [[44, 48]]))
    assert before[48, 44]
    assert not after[48, 44]
    assert after[48, 35]
    assert np.count_nonzero(after) < np.count_nonzero(before)


def test_a_box_is_asked_with_its_corners(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    infer = PromptEngine.infer_prompt

    def watched(self: PromptEngine, tensor: Any, points: Any) -> Any:
        asked.extend((point.x_px, point.y_px, point.label) for point in points)
        return infer(self, tensor, points)

    monkeypatch.setattr(PromptEngine, "infer_prompt", watched)
    mask = _mask(home, {"obj_bbox": [[80, 32], [110, 64]]})
    # 128 x 96 lies in 64 x 64 at half its size, 8 px from the top. The proof of the pack, before, clicked the middle.
    assert asked[-2:] == [(40.0, 24.0, 2.0), (55.0, 40.0, 3.0)]
    assert mask.any()


def test_a_call_without_a_click_is_refused(home: Path) -> None:
    with pytest.raises(BadCallError, match="needs a click"):
        _mask(home, {"neg_points": [[3, 3]]})


def test_its_goldens_are_a_click_into_the_middle(tmp_path: Path) -> None:
    pack = make_prompt_pack(tmp_path / "pack")
    model = load_model(pack.path, "onnx-fp32", threads=1)
    (image,) = read_golden_images(pack)
    found = detect(image, model)
    assert found.xyxy.tolist() == [[32 - PROMPT_REACH_PX, 32 - PROMPT_REACH_PX, 32 + PROMPT_REACH_PX, 32 + PROMPT_REACH_PX]]
    assert [proof.fault for proof in check_goldens(model, [image])] == [""]
    elsewhere = cv2.circle(np.full((64, 64, 3), 255, np.uint8), (32, 32), 6, (0, 0, 0), cv2.FILLED)
    assert "was not found" in check_goldens(model, [np.asarray(elsewhere, np.uint8)])[0].fault
    assert len(detect(np.full((64, 64, 3), 255, np.uint8), model)) == 0


def test_a_pack_is_proven_as_others_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.runtime.prove.SPEED_S", 0.05)
    pack = make_prompt_pack(tmp_path / "pack")
    proof = prove_variant(pack.path, "onnx-fp32")
    assert proof.offered
    assert (proof.images_per_s or 0.0) > 0


@pytest.mark.parametrize(
    ("onnx", "words"),
    [
        (detector_onnx(), "a promptable one has image, points, labels"),
        (prompt_onnx(96, 64), "wants input"),
        (prompt_onnx(points=1), "must be free"),
    ],
)
def test_a_network_with_other_inputs_is_refused(tmp_path: Path, onnx: bytes, words: str) -> None:
    pack = make_prompt_pack(tmp_path / "pack", onnx=onnx)
    with pytest.raises(ModelError, match=words):
        load_model(pack.path, "onnx-fp32", threads=1)


def test_a_mask_that_is_none_is_a_model_error(tmp_path: Path) -> None:
    pack = make_prompt_pack(tmp_path / "pack", onnx=prompt_onnx(factor=float("nan")))
    model = load_model(pack.path, "onnx-fp32", threads=1)
    with pytest.raises(ModelError, match="NaN"):
        detect(np.zeros((64, 64, 3), np.uint8), model)
    with pytest.raises(ModelError, match="not the logits"):
        read_logits((np.zeros((1, 2, 4, 4), np.float32),))


def test_a_promptable_model_is_not_evaluated_on_boxes(tmp_path: Path) -> None:
    pack: Pack = make_prompt_pack(tmp_path / "pack")
    data = Dataset.__new__(Dataset)  # it is never looked at
    with pytest.raises(ModelError, match="waits for a click"):
        measure_variant(pack, "onnx-fp32", data)


@pytest.mark.parametrize(
    "changes", [{"input": {"width_px": 64, "height_px": 64, "fit": "tiles"}}, {"head": "classify"}, {"task": "detect"}]
)
def test_a_manifest_that_cannot_be_one_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ModelError), match="prompt"):
        make_prompt_pack(tmp_path / "pack", **changes)
