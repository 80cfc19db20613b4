"""The starter pack of multiples: it holds its goldens, tells rendered animals apart, and what it learns from is what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.zooscan.multiples import MULTIPLE_SCORE, ClassifierSpec, PackClassifier, load_classifier
from models.pack import verify_pack
from models.runtime.goldens import check_goldens, read_golden_images
from models.runtime.predict import load_model
from models.runtime.vision import cv2
from models.workshop.multiples.augment import vary
from models.workshop.multiples.crops import CropOrder, CropSet, draw_crops
from models.workshop.multiples.measure import figures, laid_together, real_animals

STARTER = Path(__file__).parents[2] / "models" / "packs" / "zooscan-multiples-starter"
MOST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def drawn() -> CropSet:
    return draw_crops(CropOrder(seed=4242, singles=60, multiples=40))


@pytest.fixture(scope="module")
def starter() -> PackClassifier:
    return load_classifier(ClassifierSpec(pack_path=STARTER))


def test_the_pack_is_whole_and_small() -> None:
    pack = verify_pack(STARTER)
    assert sum(file.size_bytes for file in pack.manifest.all_files()) < MOST_BYTES
    assert pack.manifest.thresholds.score == MULTIPLE_SCORE


@pytest.mark.parametrize("variant", ["onnx-fp32", "openvino-fp16"])
def test_each_variant_holds_its_goldens(variant: str) -> None:
    model = load_model(STARTER, variant, threads=1)
    proofs = check_goldens(model, read_golden_images(model.pack))
    assert len(proofs) == 6
    assert [proof.fault for proof in proofs if proof.fault] == []


def test_rendered_animals_that_it_never_saw_are_told_apart(starter: PackClassifier, drawn: CropSet) -> None:
    scores = starter.scores(drawn.crops)
    measured = figures(scores[drawn.is_multiple], scores[~drawn.is_multiple])
    assert measured["auc"] > 0.97
    assert measured["at"]["0.4"]["recall"] > 0.9
    assert measured["at"]["0.4"]["false_share"] < 0.1


def test_real_animals_laid_together_are_mostly_found(starter: PackClassifier, shared_data: Path) -> None:
    animals = real_animals(shared_data / "zooscan" / "ml_template_vignettes")
    if not animals:
        pytest.skip("no real vignettes")
    scores = starter.scores([animal.alone for animal in animals])
    pairs = starter.scores(list(laid_together(animals, 60, seed=5)))
    measured = figures(pairs, scores)
    assert measured["auc"] > 0.8
    compact = np.array([animal.label in {"Copepoda", "Cladocera"} for animal in animals])
    assert float((scores[compact] > MULTIPLE_SCORE).mean()) < 0.2


def test_the_same_order_draws_the_same_crops_in_any_number_of_processes(tmp_path: Path) -> None:
    order = CropOrder(seed=5, singles=6, multiples=4, all_kinds=True, fainter=True)
    first, again = draw_crops(order), draw_crops(order, workers=2)
    assert first.is_multiple.tolist() == [False] * 6 + [True] * 4
    assert all(np.array_equal(one, other) for one, other in zip(first.crops, again.crops, strict=True))
    first.save(tmp_path / "crops.npz")
    kept = CropSet.load(tmp_path / "crops.npz")
    assert all(np.array_equal(one, other) for one, other in zip(first.crops, kept.crops, strict=True))
    assert kept.is_multiple.tolist() == first.is_multiple.tolist()


def test_a_crop_is_one_object_no_larger_than_the_network_needs(drawn: CropSet) -> None:
    for crop in drawn.crops:
        assert max(crop.shape) <= 128
        count, _ = cv2.connectedComponents((crop <= 243).view(np.uint8), connectivity=8)
        assert count == 2 or max(crop.shape) == 128, "reducing alone may part what is one pixel thin"


def test_what_chance_changes_stays_a_picture_of_one_object(drawn: CropSet) -> None:
    rng = np.random.default_rng(1)
    for crop, is_multiple in zip(drawn.crops, drawn.is_multiple.tolist(), strict=True):
        seen = vary(crop, rng, 96, is_multiple=is_multiple)
        assert seen.shape == (96, 96)
        assert seen.any()


def test_figures_of_known_scores() -> None:
    measured = figures(np.array([0.9, 0.8, 0.45, 0.1], np.float32), np.array([0.45, 0.2, 0.1, 0.0], np.float32))
    assert measured["auc"] == 0.8125
    assert measured["at"]["0.4"]["recall"] == 0.75
    assert measured["at"]["0.4"]["false_share"] == 0.25
    assert measured["at"]["0.5"]["precision"]["0.05"] == 1.0
    assert figures(np.ones(3, np.float32), np.ones(5, np.float32))["auc"] == 0.5
