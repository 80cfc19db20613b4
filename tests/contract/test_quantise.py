"""`models quantise` from end to end on a small network; needs the workshop's environment beside this one."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

from edge.errors import EdgeError
from models.assemble import PackExistsError
from models.datasets.dataset import Dataset
from models.datasets.read import read_dataset
from models.pack import Pack, verify_pack
from models.quantise.run import quantise_pack
from models.quantise.values import Quantised, QuantiseOptions
from models.runtime.negotiate import accuracy_fault
from models.runtime.prove import prove_pack
from models.workbench import Step, WorkshopMissingError, find_workshop
from tests.unit.conv_models import NECK, make_conv_pack, write_coloured_dataset


@pytest.fixture(scope="module")
def workshop() -> Path:
    try:
        return find_workshop(None)
    except WorkshopMissingError:
        pytest.skip("no workshop here (`make workshop`)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quantise")


@pytest.fixture(scope="module")
def source(folder: Path) -> Pack:
    return make_conv_pack(folder / "pack")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return read_dataset(write_coloured_dataset(folder / "data", tows=5, images=8))


@pytest.fixture(scope="module")
def quantised(folder: Path, source: Pack, dataset: Dataset, workshop: Path) -> Quantised:
    options = QuantiseOptions(out=folder / "out" / "small-1.0.1", calibration_images=16, speed_s=0.05, speed_rounds=1)
    return quantise_pack(source, dataset, options, workshop=workshop)


def test_the_new_pack_is_whole_and_a_version_higher(quantised: Quantised) -> None:
    pack = verify_pack(quantised.pack.path)
    assert (pack.manifest.name, pack.manifest.version) == ("small", "1.0.1")
    names = [variant.name for variant in pack.manifest.variants]
    assert names[:2] == ["onnx-fp32", "openvino-fp16"]
    assert "openvino-int8" in names
    assert set(quantised.kept) == set(names)
    assert not set(quantised.dropped) & set(names)


def test_every_variant_carries_what_was_measured_on_it(quantised: Quantised) -> None:
    manifest = quantised.pack.manifest
    for variant in manifest.variants:
        assert {"map50", "map50_95", "count_bias", "count_mae"} <= set(variant.metrics)
        assert not accuracy_fault(manifest, variant)
    assert manifest.metrics["map50"] == manifest.variants[0].metrics["map50"] > 0.9


def test_what_was_kept_is_what_the_appliance_offers(quantised: Quantised) -> None:
    proof = prove_pack(quantised.pack.path)
    offered = {variant.name for variant in proof.variants if variant.offered}
    assert offered == set(quantised.kept)


def test_the_int8_variant_computes_in_8_bits(quantised: Quantised) -> None:
    kept = next(one for one in quantised.report.tried if one.variant == "openvino-int8" and one.kept)
    assert kept.n_int8_layers >= 4
    weights = (quantised.pack.path / "model_int8.xml").read_text()
    assert 'type="FakeQuantize"' in weights
    assert 'element_type="i8"' in weights


def test_what_calibrated_did_not_judge(quantised: Quantised) -> None:
    data = quantised.report.data
    assert len(data.calibration) == len(set(data.calibration)) == 16
    assert data.divided == "whole tows: 2 calibrate, 3 judge"
    assert (data.calibration_tows, data.validation_tows, data.n_validation) == (2, 3, 24)


def test_the_documents_tell_every_try_with_its_reason(quantised: Quantised) -> None:
    pack = quantised.pack
    assert [document.path for document in pack.manifest.documents] == ["quantise.json", "quantise.html"]
    document = json.loads((pack.path / "quantise.json").read_text())
    assert [one["told"] for one in document["tried"]] == [one.told for one in quantised.report.tried]
    page = (pack.path / "quantise.html").read_text()
    card = (pack.path / "CARD.md").read_text()
    for one in quantised.report.tried:
        assert one.reason in page
        assert one.reason
        assert (f"| {one.variant} |" in card) == (one.variant in quantised.kept)
    assert card.startswith("# Small\n")
    assert "<script" not in page


def test_a_folder_that_is_taken_is_refused_before_any_work(quantised: Quantised, source: Pack, dataset: Dataset, workshop: Path) -> None:
    steps: list[Step] = []
    with pytest.raises(PackExistsError):
        quantise_pack(source, dataset, QuantiseOptions(out=quantised.pack.path), workshop=workshop, on_step=steps.append)
    assert steps == []


def test_an_original_that_does_not_work_is_refused(folder: Path, dataset: Dataset, workshop: Path) -> None:
    broken = make_conv_pack(folder / "broken")
    (folder / "wrong").mkdir()
    wrong = {"xyxy": [[0, 0, 8, 8]], "score": [1.0], "label_index": [2]}
    pack_dir = Path(shutil.copytree(broken.path, folder / "wrong" / "pack"))
    (pack_dir / "golden.json").write_text(json.dumps(wrong))
    from models.assemble import draft_of
    from models.pack import write_pack

    draft, _ = draft_of(broken)
    faulty = write_pack(pack_dir, draft)
    with pytest.raises(EdgeError, match=r"the original, onnx-fp32, does not work here itself: golden golden\.png"):
        quantise_pack(faulty, dataset, QuantiseOptions(out=folder / "never"), workshop=workshop)
    assert not (folder / "never").exists()


def test_stopping_it_leaves_nothing(
    folder: Path, source: Pack, dataset: Dataset, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = threading.active_count()

    def stop(step: Step) -> None:
        if step.name.startswith("quantising"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantise_pack(source, dataset, QuantiseOptions(out=tmp_path / "out"), workshop=workshop, on_step=stop)
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()
    assert threading.active_count() <= before + 1


def test_the_layer_that_costs_accuracy_gets_its_floating_point_back(folder: Path, dataset: Dataset, workshop: Path) -> None:
    """In 8 bits the neck of this network leaves nothing of two of three colours; no other layer is to blame, the head neither."""
    pack = make_conv_pack(folder / "uneven", uneven=2000.0)
    options = QuantiseOptions(out=folder / "uneven-1.0.1", speed_s=0.05, speed_rounds=1)
    report = quantise_pack(pack, dataset, options, workshop=workshop).report
    tries = [one for one in report.tried if one.variant == "openvino-int8"]
    assert [one.kept for one in tries] == [False, False, True]
    assert all(one.drop_points is not None and one.drop_points > 1 for one in tries[:2])
    assert report.ranking[0]["name"].split("/")[0] == NECK
    assert any(layer.split("/")[0] == NECK for layer in tries[2].float_layers)
    assert (tries[2].n_int8_layers, len(tries[2].float_layers)) == (4, 2)
    assert NECK in (folder / "uneven-1.0.1" / "quantise.html").read_text()
