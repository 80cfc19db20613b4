"""The starter of multiples, made small: the same plan ends at the same weights, and what is written is a pack that serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edge.zooscan.multiples import ClassifierSpec, PackClassifier, load_classifier, prepare
from models.workshop.multiples import pack
from models.workshop.multiples.crops import CropOrder, CropSet, draw_crops
from models.workshop.multiples.learn import Plan, to_tensor, train, weights_sha256
from models.workshop.multiples.measure import figures
from models.workshop.multiples.network import SIDE_PX, Scored

PLAN = Plan(steps=3, batch_size=8)


@pytest.fixture(scope="module")
def drawn() -> CropSet:
    return draw_crops(CropOrder(seed=3, singles=12, multiples=6, all_kinds=True))


def test_the_same_plan_ends_at_the_same_weights_and_another_seed_does_not(drawn: CropSet) -> None:
    first, done = train(PLAN, drawn)
    again, _ = train(PLAN, drawn)
    other, _ = train(Plan(steps=3, batch_size=8, seed=1), drawn)
    assert weights_sha256(first) == weights_sha256(again) == done["weights_sha256"]
    assert weights_sha256(first) != weights_sha256(other)
    assert done["crops"] == 24


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter that writes what both runtimes read best
def test_what_is_written_serves_and_computes_what_torch_computes(drawn: CropSet, tmp_path: Path) -> None:
    network, _ = train(PLAN, drawn)
    target = tmp_path / "packs" / "zooscan-multiples-starter"
    target.mkdir(parents=True)
    (target / "old.txt").write_text("of an earlier pack")

    def measure(classifier: PackClassifier) -> dict[str, object]:
        scores = classifier.scores(drawn.crops)
        return {"rendered": figures(scores[drawn.is_multiple], scores[~drawn.is_multiple]), "real": None}

    measured = pack.write(network, drawn, measure, lambda found: f"# Card of {len(found)} variants\n", target)
    assert list(measured) == ["onnx-fp32", "openvino-fp16"]
    assert not (target / "old.txt").exists()
    assert (target / "MODEL_CARD.md").read_text() == "# Card of 2 variants\n"
    seen = to_tensor([prepare(crop, SIDE_PX, SIDE_PX) for crop in drawn.crops])
    with torch.no_grad():
        expected = Scored(network).eval()(seen)[:, 0].numpy()
    for variant, near in (("onnx-fp32", 1e-5), ("openvino-fp16", 1e-2)):
        served = load_classifier(ClassifierSpec(pack_path=target, variant=variant)).scores(drawn.crops)
        np.testing.assert_allclose(served, expected, atol=near)
