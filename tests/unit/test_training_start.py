"""From a wish to a work folder: what is refused, and how the same training is found again."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge.errors import DiskFullError, PackInvalidError
from models.datasets.dataset import Dataset
from models.datasets.errors import DatasetLabelsError
from models.pack import Pack, verify_pack
from models.training import start as starting
from models.training.plan import DATA_NAME, WorkFolderError, read_plan, write_json
from models.training.split import SplitError, Wanted
from models.training.start import Asked, DatasetTooSmallError, InputSizeError, default_name, go_on, is_layout, start
from tests.helpers.labelled import labelled_set
from tests.unit.pack_maker import make_pack
from tests.unit.tiny_models import classifier_onnx, make_tiny_pack


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return labelled_set(tmp_path / "data")


@pytest.fixture
def base(tmp_path: Path) -> Pack:
    return make_tiny_pack(tmp_path / "tiny", licence="CC-BY-4.0")


def wish(**changes: Any) -> Asked:
    return Asked(**{"base": "tiny", "epochs": 5, **changes})


def test_a_work_folder_holds_all_that_training_needs(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    begun = start(tmp_path / "work", dataset, base, wish())
    assert verify_pack(tmp_path / "work" / "base").manifest_sha256 == base.manifest_sha256
    rows = json.loads((tmp_path / "work" / DATA_NAME).read_text())
    assert {part: len(rows[part]) for part in rows} == {part: found["images"] for part, found in begun.plan.split["parts"].items()}
    first = rows["train"][0]
    assert (Path(first["path"]).is_file(), first["label_index"], len(first["boxes"])) == (True, [1, 1, 1], 3)
    assert begun.plan.base.onnx == "model.onnx"
    assert (begun.plan.width_px, begun.plan.height_px, begun.plan.labels) == (64, 64, ("red", "green", "blue"))
    assert "one box was cut" in begun.warnings
    assert any("only 12 images to learn from" in warning for warning in begun.warnings)


def test_the_same_command_finds_the_training_again(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    first = start(tmp_path / "work", dataset, base, wish())
    again = start(tmp_path / "work", dataset, base, wish(device="cuda:0"))
    assert again == first == go_on(tmp_path / "work")


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"epochs": 6}, "epochs"), ({"seed": 1}, "seed"), ({"learning_rate": 0.1}, "learning_rate"), ({"input_px": (96, 64)}, "width_px")],
)
def test_another_training_does_not_mix_with_it(tmp_path: Path, dataset: Dataset, base: Pack, changes: dict[str, Any], named: str) -> None:
    start(tmp_path / "work", dataset, base, wish())
    with pytest.raises(WorkFolderError, match=named):
        start(tmp_path / "work", dataset, base, wish(**changes))


def test_changed_data_is_another_training(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    start(tmp_path / "work", dataset, base, wish())
    with pytest.raises(WorkFolderError, match="dataset"):
        start(tmp_path / "work", replace(dataset, sha256="6" * 64), base, wish())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    with pytest.raises(WorkFolderError, match="not empty"):
        start(tmp_path / "work", dataset, base, wish())
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["thesis.txt"]


def test_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(WorkFolderError, match="holds no training"):
        go_on(tmp_path)
    write_json(tmp_path / "plan.json", {"epochs": 3})
    with pytest.raises(WorkFolderError, match="no plan of a training"):
        go_on(tmp_path)


def test_labels_are_matched_by_name(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    start(tmp_path / "work", replace(dataset, labels=("Blue", "RED", "green")), base, wish())
    rows = json.loads((tmp_path / "work" / DATA_NAME).read_text())
    assert rows["train"][0]["label_index"] == [0, 0, 0]


def test_labels_that_the_base_does_not_know_are_refused(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    with pytest.raises(DatasetLabelsError, match=r"60 objects have labels that tiny does not know"):
        start(tmp_path / "work", replace(dataset, labels=("red", "seapen", "blue")), base, wish())
    with pytest.raises(DatasetLabelsError, match="no label"):
        start(tmp_path / "work", replace(dataset, labels=("x", "seapen", "z")), base, wish())
    assert not (tmp_path / "work").exists()
    mapped = start(tmp_path / "work", replace(dataset, labels=("red", "seapen", "blue")), base, wish(labels_map={"seapen": "blue"}))
    assert mapped.plan.labels == ("red", "green", "blue")


def test_an_architecture_takes_the_labels_of_the_data(tmp_path: Path, dataset: Dataset) -> None:
    begun = start(tmp_path / "work", dataset, None, wish(base="yolo11s", input_px=(96, 64)))
    assert (begun.plan.base.layout, begun.plan.labels, begun.base) == ("yolo11s", dataset.labels, None)
    assert begun.plan.learning_rate == starting.SCRATCH_RATE
    assert default_name(None, wish(base="yolo11s")) == "yolo11s-trained"


def test_architectures_are_told_from_packs() -> None:
    assert is_layout("yolov8m")
    assert is_layout("yolo11n.yaml")
    assert not is_layout("burrow-openings-starter")


@pytest.mark.parametrize("size", [(100, 64), (64, 0), (8192, 64)])
def test_an_input_that_does_not_fit_the_network_is_refused(tmp_path: Path, dataset: Dataset, base: Pack, size: tuple[int, int]) -> None:
    with pytest.raises(InputSizeError):
        start(tmp_path / "work", dataset, base, wish(input_px=size))


def test_bases_that_cannot_be_trained_are_refused(tmp_path: Path, dataset: Dataset) -> None:
    whole: dict[str, Any] = {"task": "classify", "head": "classify", "goldens": [{"image": "golden.png", "expected": "golden.json"}]}
    classifier = make_tiny_pack(tmp_path / "classifier", onnx=classifier_onnx(), ir=False, **whole)
    with pytest.raises(PackInvalidError, match="takes detectors"):
        start(tmp_path / "work", dataset, classifier, wish())
    only_ir = make_pack(
        tmp_path / "ir",
        variants=[{"name": "ir", "runtime": "openvino", "precision": "fp32", "files": ["ir/model.xml", "ir/model.bin", "model.onnx"]}],
    )
    with pytest.raises(PackInvalidError, match="no ONNX variant"):
        start(tmp_path / "work", replace(dataset, labels=("opening", "Nephrops", "x")), only_ir, wish(labels_map={"x": "opening"}))


def test_a_small_data_set_is_refused(tmp_path: Path, base: Pack) -> None:
    with pytest.raises(DatasetTooSmallError, match="9 images with 27 boxes are left to learn from"):
        start(tmp_path / "work", labelled_set(tmp_path / "few", a=9, b=3, c=3), base, wish())


def test_a_part_without_boxes_is_refused(tmp_path: Path, base: Pack) -> None:
    dataset = labelled_set(tmp_path / "data", a=12, b=4, c=4)
    empty = dataset.images[0].truth
    none = replace(empty, boxes_xyxy_px=np.zeros((0, 4), np.float32), label_index=np.zeros(0, np.int32), crowd=np.zeros(0, np.bool_))
    images = tuple(replace(image, truth=none) if image.tow == "b" else image for image in dataset.images)
    with pytest.raises(DatasetTooSmallError, match=r"the val part .* has not one box"):
        start(tmp_path / "work", replace(dataset, images=images), base, wish(division=Wanted(val_tows=("b",), test_tows=("c",))))


def test_one_tow_is_refused(tmp_path: Path, base: Pack) -> None:
    with pytest.raises(SplitError, match="one tow"):
        start(tmp_path / "work", labelled_set(tmp_path / "data", a=20), base, wish())


def test_a_full_disk_is_told(tmp_path: Path, dataset: Dataset, base: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model.onnx")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFullError, match=r"full \(model.onnx\)"):
        start(tmp_path / "work", dataset, base, wish())


def test_parts_are_told_to_other_commands_only_where_that_is_clear(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    start(tmp_path / "same_names", dataset, base, wish())
    assert not (tmp_path / "same_names" / "parts.yaml").exists()  # images/a/000.png and images/b/000.png
    renamed = tuple(
        replace(image, path=image.path.rename(image.path.with_name(f"{image.tow}{image.path.name}")), name=f"{image.tow}{image.path.name}")
        for image in dataset.images
    )
    start(tmp_path / "own_names", replace(dataset, images=renamed), base, wish())
    assert yaml.safe_load((tmp_path / "own_names" / "parts.yaml").read_text())["test"] == "test.txt"
    start(tmp_path / "coco", replace(dataset, images=renamed, form="coco"), base, wish())
    assert not (tmp_path / "coco" / "parts.yaml").exists()


def test_a_plan_reads_back(tmp_path: Path, dataset: Dataset, base: Pack) -> None:
    begun = start(tmp_path / "work", dataset, base, wish(time_limit_min=2.5, division=Wanted(seed=3)))
    assert read_plan(tmp_path / "work") == begun.plan
    assert begun.plan.time_limit_min == 2.5
