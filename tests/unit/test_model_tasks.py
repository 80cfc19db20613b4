"""What the appliance does with models of each task, and which of them may serve a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.pipeline.detect import process_image
from edge.pipeline.keeper import ModelKeeper, ModelUnfitError
from edge.pipeline.plan import DetectSettings, Mask
from edge.recipes import may_serve
from edge.recipes.burrows import BURROWS
from edge.recipes.vignettes import VIGNETTES
from edge.recipes.zooscan import ZOOSCAN
from edge.store.open import open_store
from models.runtime.predict import classify, detect, load_model
from models.runtime.vision import cv2
from tests.unit.tiny_models import classifier_onnx, coloured, make_tiny_pack, segmenter_onnx

SQUARES = [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)]
SEGMENT: dict[str, Any] = {"task": "segment", "head": "yolo_v8_seg"}
CLASSIFY: dict[str, Any] = {"task": "classify", "head": "classify", "input": {"width_px": 64, "height_px": 64, "fit": "crop"}}


@pytest.mark.parametrize("variant", ["onnx-fp32", "ir-fp32"])
def test_a_segmentation_finds_boxes_on_both_runtimes(tmp_path: Path, variant: str) -> None:
    model = load_model(make_tiny_pack(tmp_path / "pack", onnx=segmenter_onnx(), **SEGMENT).path, variant, threads=1)
    found = detect(coloured(64, 64, SQUARES), model)
    assert sorted(found.xyxy.tolist()) == [[8, 16, 16, 24], [40, 24, 48, 32]]


def test_a_segmentation_goes_through_the_pipeline_and_its_masks_of_text_hold(tmp_path: Path) -> None:
    model = load_model(make_tiny_pack(tmp_path / "pack", onnx=segmenter_onnx(), ir=False, **SEGMENT).path, "onnx-fp32", threads=1)
    data = cv2.imencode(".png", coloured(64, 64, SQUARES))[1].tobytes()
    result = process_image(data, "a.png", model, DetectSettings(max_pixels=10_000, masks=(Mask(y_max_px=23),)))
    assert result.detections.xyxy.tolist() == [[40, 24, 48, 32]]


def test_a_classification_sees_the_middle_of_an_image(tmp_path: Path) -> None:
    model = load_model(make_tiny_pack(tmp_path / "pack", onnx=classifier_onnx(), ir=False, **CLASSIFY).path, "onnx-fp32", threads=1)
    image = coloured(1024, 512, [(256, 0, 512, 512, 2), (0, 0, 256, 512, 0), (768, 0, 256, 512, 0)])
    assert classify(image, model).argmax() == 2
    data = cv2.imencode(".jpg", image)[1].tobytes()  # could be decoded at an eighth of its size, but a part of it would lie elsewhere
    result = process_image(data, "a.jpg", model, DetectSettings(max_pixels=1_000_000))
    assert (result.detections.label_index.tolist(), result.detections.xyxy.tolist()) == ([2], [[256, 0, 768, 512]])


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[ModelKeeper]:
    writer = open_store(tmp_path, on_commit=lambda: None)
    keeper = ModelKeeper(tmp_path, writer)
    keeper.install_bundled()
    yield keeper
    writer.close()


def test_a_classification_does_not_count_burrows(tmp_path: Path, keeper: ModelKeeper) -> None:
    pack = make_tiny_pack(tmp_path / "pack", onnx=classifier_onnx(), ir=False, expected={"score": [0.34, 0.34, 0.32]}, **CLASSIFY)
    keeper.install(pack.path)
    with pytest.raises(ModelUnfitError, match=r"tiny@1.0.0 does the task classify, which the recipe burrows has no use for"):
        keeper.activate("burrows", "tiny", None, tasks=BURROWS.tasks, actor="test")
    assert keeper.active("burrows", BURROWS.starter_pack).name == BURROWS.starter_pack


def test_a_segmentation_may_serve_burrows(tmp_path: Path, keeper: ModelKeeper) -> None:
    keeper.install(make_tiny_pack(tmp_path / "pack", onnx=segmenter_onnx(), ir=False, **SEGMENT).path)
    keeper.activate("burrows", "tiny", None, tasks=BURROWS.tasks, actor="test")
    assert keeper.active("burrows", BURROWS.starter_pack).name == "tiny"


def test_a_classification_of_other_classes_does_not_tell_multiples(keeper: ModelKeeper) -> None:
    wanted = "knows the classes unclassified; the recipe zooscan needs multi and single"
    with pytest.raises(ModelUnfitError, match=wanted):
        keeper.activate("zooscan", "vignettes-unclassified", None, tasks=ZOOSCAN.tasks, labels=ZOOSCAN.labels, actor="test")
    assert keeper.active("zooscan", ZOOSCAN.starter_pack).name == ZOOSCAN.starter_pack


def test_the_pack_that_tells_multiples_does_not_serve_crops_of_single_particles(keeper: ModelKeeper) -> None:
    served = VIGNETTES
    with pytest.raises(ModelUnfitError, match="multi and single, which the recipe vignettes has no use for"):
        keeper.activate(
            "vignettes", ZOOSCAN.starter_pack, None, tasks=served.tasks, labels=served.labels, foreign=served.foreign, actor="test"
        )
    assert keeper.active("vignettes", VIGNETTES.starter_pack).name == VIGNETTES.starter_pack


def test_any_classification_may_serve_crops_of_single_particles(tmp_path: Path, keeper: ModelKeeper) -> None:
    assert keeper.active("vignettes", VIGNETTES.starter_pack).name == "vignettes-unclassified"
    keeper.install(
        make_tiny_pack(tmp_path / "pack", onnx=classifier_onnx(), ir=False, expected={"score": [0.34, 0.34, 0.32]}, **CLASSIFY).path
    )
    keeper.activate("vignettes", "tiny", None, tasks=VIGNETTES.tasks, labels=VIGNETTES.labels, actor="test")
    assert keeper.active("vignettes", VIGNETTES.starter_pack).name == "tiny"


@pytest.mark.parametrize(
    ("recipe", "task", "labels", "fits"),
    [
        ("burrows", "detect", {"burrow opening"}, True),
        ("burrows", "classify", {"multi", "single"}, False),
        ("zooscan", "classify", {"multi", "single"}, True),
        ("zooscan", "classify", {"multi", "single", "unsure"}, False),
        ("zooscan", "detect", {"multi", "single"}, False),
        ("vignettes", "classify", {"Tripos"}, True),
        ("vignettes", "classify", {"multi", "single"}, False),
        ("vignettes", "classify", {"multi", "single", "Tripos"}, True),
        ("of another version", "detect", {"burrow opening"}, True),
    ],
)
def test_which_models_a_page_offers_a_recipe(recipe: str, task: str, labels: set[str], fits: bool) -> None:
    assert may_serve(recipe, task, labels) is fits
