"""What a classifier of multiples sees of an object, and how one is brought in from a pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import InputError, ModelError
from edge.values import UInt8Array
from edge.zooscan.multiples import ClassifierSpec, ClassifierUnfitError, MultipleClassifier, load_classifier, prepare, without_footer
from models.pack import Pack
from tests.simulators.multiples import SimulatedClassifier
from tests.unit.tiny_models import classifier_onnx, make_tiny_pack, model, node

LABELS = ({"name": "multi"}, {"name": "single"})


def bright_is_multiple() -> bytes:
    """A network for which the brighter the picture, the more it shows several."""
    return model(
        [
            node("GlobalAveragePool", ["images"], "cells"),
            node("Reshape", ["cells", "flat"], "means"),
            node("MatMul", ["means", "weights"], "drawn"),
            node("Softmax", ["drawn"], "output", axis=1),
        ],
        {"flat": np.array([1, 3]), "weights": np.array([[1, -1]] * 3, np.float32)},
        {"images": (1, 3, 64, 64)},
        {"output": (1, 2)},
    )


def make_pack(folder: Path, *, score: float = 0.5, **changes: Any) -> Pack:
    """Its golden is nearly black: the network gives it 0.52."""
    fields: dict[str, Any] = {
        "task": "classify",
        "head": "classify",
        "labels": LABELS,
        "onnx": bright_is_multiple(),
        "expected": {"score": [score, 1 - score]},
        "ir": False,
        "input": {"width_px": 64, "height_px": 64, "pad_value": 0},
    }
    return make_tiny_pack(folder, **fields | changes)


def disc(height: int, width: int, *, margin: int = 0, grey: int = 100) -> UInt8Array:
    """A dark ellipse that fills its box, with white around it."""
    y, x = np.mgrid[:height, :width]
    inside = ((x + 0.5) / width * 2 - 1) ** 2 + ((y + 0.5) / height * 2 - 1) ** 2 <= 1
    return np.pad(np.where(inside, grey, 255).astype(np.uint8), margin, constant_values=255)


def test_the_object_is_bright_in_the_middle_of_a_black_square() -> None:
    crop = np.full((20, 60), 255, np.uint8)
    crop[8:12, 10:50] = 55
    seen = prepare(crop, 40, 40)
    assert seen.shape == (40, 40)
    assert seen.dtype == np.uint8
    assert (seen[18:22] == 200).all()
    assert not seen[:18].any()
    assert not seen[22:].any()


def test_white_around_an_object_changes_nothing() -> None:
    assert np.array_equal(prepare(disc(40, 70), 64, 64), prepare(disc(40, 70, margin=13), 64, 64))


@pytest.mark.parametrize(("grey", "kept"), [(253, True), (254, False)])
def test_a_row_belongs_to_the_object_when_its_inverted_greys_sum_up_to_more_than_two(grey: int, kept: bool) -> None:
    crop = np.full((9, 9), 255, np.uint8)
    crop[4:6, 4:6] = 0
    crop[0, 4:6] = grey
    rows = np.flatnonzero(prepare(crop, 64, 64).any(axis=1))
    assert (len(rows) < 64) == kept, "with the first row the box is high, and a square's width is not filled"
    assert (prepare(crop, 64, 64) > 200).sum() < 64 * 64 or not kept


def test_a_large_object_is_reduced_by_areas() -> None:
    stripes = np.full((512, 512), 255, np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = 55
    stripes[:, -1] = 55
    assert abs(int(prepare(stripes, 64, 64)[30, 30]) - 50) <= 1, "no stripe may vanish or win"


def test_a_crop_that_shows_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="without an object"):
        prepare(np.full((30, 30), 255, np.uint8), 64, 64)


def test_a_vignette_loses_its_scale_bar_alone() -> None:
    vignette = np.arange(40, dtype=np.uint8)[:, None].repeat(5, axis=1)
    assert without_footer(vignette)[:, 0].tolist() == list(range(9))
    with pytest.raises(InputError, match="no more than its scale bar"):
        without_footer(vignette[:31])


@pytest.mark.parametrize("threads", [1, 3])
def test_scores_are_those_of_the_label_multi_in_the_order_of_the_crops(tmp_path: Path, threads: int) -> None:
    pack = make_pack(tmp_path / "pack")
    classifier = load_classifier(ClassifierSpec(pack_path=pack.path), threads=threads)
    scores = classifier.scores([disc(40, 40, grey=grey) for grey in (200, 20, 120)])
    assert scores.dtype == np.float32
    assert scores[1] > scores[2] > scores[0] > 0.5
    assert classifier.key.name == "tiny"
    swapped = make_pack(tmp_path / "swapped", labels=LABELS[::-1])
    other = load_classifier(ClassifierSpec(pack_path=swapped.path), threads=threads)
    assert other.scores([disc(40, 40)]) == pytest.approx(1 - classifier.scores([disc(40, 40)]))
    assert len(classifier.scores([])) == 0


def test_a_variant_that_was_not_chosen_proves_itself_first(tmp_path: Path) -> None:
    wrong = make_pack(tmp_path / "pack", score=0.9)
    with pytest.raises(ModelError, match=r"no variant of tiny 1\.0\.0 works .*onnx-fp32: golden golden\.png: a class score is off"):
        load_classifier(ClassifierSpec(pack_path=wrong.path))
    assert load_classifier(ClassifierSpec(pack_path=wrong.path, variant="onnx-fp32")).device == "CPU f32", "chosen is proven"


def test_the_next_variant_serves_where_one_does_not_load(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "pack")
    broken = {"name": "broken", "runtime": "onnxruntime", "precision": "fp32", "files": ["CARD.md"]}
    sound = {"name": "sound", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]}
    (pack.path / "manifest.json").unlink()
    pack = make_pack(pack.path, variants=[broken, sound])
    assert load_classifier(ClassifierSpec(pack_path=pack.path)).scores([disc(30, 30)]).shape == (1,)
    with pytest.raises(ModelError, match=r"cannot load CARD\.md"):
        load_classifier(ClassifierSpec(pack_path=pack.path, variant="broken"))


@pytest.mark.parametrize("labels", [({"name": "red"}, {"name": "green"}, {"name": "blue"})])
def test_a_pack_that_tells_something_else_is_refused(tmp_path: Path, labels: tuple[dict[str, str], ...]) -> None:
    pack = make_pack(tmp_path / "colours", labels=labels, onnx=classifier_onnx(), expected={"score": [1 / 3] * 3})
    with pytest.raises(ClassifierUnfitError, match="blue, green, red") as told:
        load_classifier(ClassifierSpec(pack_path=pack.path))
    assert "multi and single" in told.value.advice()
    with pytest.raises(ClassifierUnfitError, match="task detect"):
        load_classifier(ClassifierSpec(pack_path=make_tiny_pack(tmp_path / "openings", ir=False).path))


def test_real_and_simulated_classifiers_are_interchangeable(tmp_path: Path) -> None:
    simulated = SimulatedClassifier(lambda crop: crop.shape[0] / 100)
    assert isinstance(simulated, MultipleClassifier)
    assert isinstance(load_classifier(ClassifierSpec(pack_path=make_pack(tmp_path / "pack").path)), MultipleClassifier)
    assert simulated.scores([disc(20, 20), disc(70, 10)]).tolist() == pytest.approx([0.2, 0.7])
    assert len(simulated.seen) == 2
