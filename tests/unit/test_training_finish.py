"""From a trained network to a pack. The tiny detector stands for the network: it truly finds green squares."""

from __future__ import annotations

import csv
import errno
import io
import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.errors import DiskFullError
from models.assemble import PackExistsError
from models.datasets.read import read_dataset
from models.evaluate.labels import align_labels
from models.pack import read_pack, verify_pack
from models.runtime.prove import prove_pack
from models.training import finish as finishing
from models.training.card import CLAIM, licence_of
from models.training.finish import Work, finish, pack_dir_of
from models.training.measured import NothingFoundError, part_of
from models.training.page import report
from models.training.plan import CURVES_NAME, Base, write_json
from models.training.record import curves_csv
from models.training.split import Wanted
from models.training.start import Asked, start
from tests.helpers.labelled import labelled_set, write_yolo
from tests.unit.tiny_models import detector_onnx, make_tiny_pack, save_ir

INPUT = {"width_px": 64, "height_px": 64, "tile_overlap": 0.35}
TRAINED = {
    "layout": "yolo11n",
    "parameters": 2_590_035,
    "epochs": 2,
    "best_epoch": 1,
    "stopped": "all epochs done",
    "device": "CPU, 2 threads",
    "batch_size": 8,
    "python": "3.11",
    "libraries": {"torch": "2.13.0"},
}
CURVES = [
    {"epoch": 1, "seconds": 3.0, "train_box_loss": 2.0, "val_box_loss": 2.5, "val_map50": 0.5, "learning_rate": 0.001},
    {"epoch": 2, "seconds": 2.0, "train_box_loss": 1.0, "val_box_loss": 1.5, "val_map50": 0.4, "learning_rate": 0.0001},
]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return make_work(tmp_path)


def make_work(folder: Path, *, onnx: bytes | None = None, **asked: Any) -> Work:
    """A work folder in which training has ended."""
    base = make_tiny_pack(folder / "tiny", onnx=detector_onnx(factor=0.5), licence="CC-BY-4.0", trained_on="other squares", input=INPUT)
    begun = start(folder / "work", labelled_set(folder / "data"), base, Asked(base="tiny", name="green-squares", **asked))
    network = onnx or detector_onnx(factor=0.8)
    (begun.folder / "model.onnx").write_bytes(network)
    save_ir(network, begun.folder / "model.xml")
    write_json(begun.folder / CURVES_NAME, CURVES)
    return Work(folder=begun.folder, plan=begun.plan, base=begun.base, trained=TRAINED, warnings=begun.warnings)


def test_the_pack_is_whole_and_holds_on_this_machine(work: Work) -> None:
    done = finish(work)
    pack = verify_pack(done.pack_dir)
    assert [variant.name for variant in pack.manifest.variants] == ["onnx-fp32", "openvino-fp16"]
    assert [label.aphia_id for label in pack.manifest.labels] == [None, 107254, None]
    assert pack.manifest.input.tile_overlap == 0.35
    assert done.test is not None
    assert done.test.map50 == pytest.approx(1.0, abs=0.01)
    assert pack.manifest.metrics["map50"] == pytest.approx(done.test.map50, abs=1e-4)
    assert {"count_bias", "count_mae"} <= set(pack.manifest.metrics)
    assert sorted(path.name for path in work.folder.glob(".*")) == []
    assert all(proof.offered for proof in prove_pack(done.pack_dir).variants)


def test_the_threshold_comes_from_the_val_part_only(tmp_path: Path) -> None:
    work = make_work(tmp_path, division=Wanted(val_tows=("b",), test_tows=("c",)))
    threshold = finish(work).val.threshold
    assert threshold == pytest.approx(0.8, abs=0.01)  # what the network gives a full green cell
    other = make_work(tmp_path / "other", division=Wanted(val_tows=("b",), test_tows=("c",)))
    for image in (tmp_path / "other" / "data" / "images" / "c").iterdir():  # other test images, same val images
        pixels = cv2.imread(str(image))
        assert pixels is not None
        assert cv2.imwrite(str(image), np.asarray(pixels * 0.7, np.uint8))
    changed = finish(other)
    assert changed.val.threshold == threshold
    assert changed.test is not None
    assert (changed.test.threshold, changed.test.recall) == (threshold, 0.0)


def test_evaluating_the_same_part_later_gives_the_same_figures(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "stills", a=12, b=4, c=4)
    for path in sorted(data.rglob("0*.*")):
        path.rename(path.with_name(f"{path.parent.name}_{path.name}"))
    base = make_tiny_pack(tmp_path / "tiny")
    mapped = Asked(base="tiny", labels_map={"burrow opening": "green"})
    begun = start(tmp_path / "work", read_dataset(data), base, mapped)
    again = read_dataset(begun.folder / "parts.yaml", split="test")
    now = part_of(begun.folder, begun.plan, "test")
    assert [image.path for image in again.images] == [image.path for image in now.images]
    aligned = align_labels(again, begun.plan.labels, mapped.labels_map)
    for one, other in zip(aligned.images, now.images, strict=True):
        np.testing.assert_allclose(one.truth.boxes_xyxy_px, other.truth.boxes_xyxy_px, atol=1e-3)
        np.testing.assert_array_equal(one.truth.label_index, other.truth.label_index)


def test_figures_before_training_are_the_bases(work: Work) -> None:
    done = finish(work)
    assert done.base is not None
    assert done.test is not None
    assert work.base is not None
    assert (done.base.threshold, done.base.images) == (work.base.manifest.thresholds.score, done.test.images)
    assert done.base.recall == 1.0  # half a score is still above its threshold


def test_the_card_is_honest(work: Work) -> None:
    done = finish(work)
    pack = read_pack(done.pack_dir)
    card = pack.file_path(pack.manifest.card).read_text(encoding="utf-8")
    for told in (
        "| test | the figures below | 4 | 12 | ",
        "no tow is in two parts",
        "before training: tiny@1.0.0",
        "one box was cut",
        "4 images",
    ):
        assert told in card
    assert "other squares" in pack.manifest.trained_on
    assert pack.manifest.licence == f"{CLAIM}; the base pack: CC-BY-4.0"


def test_a_division_by_image_is_told_as_what_it_is(tmp_path: Path) -> None:
    done = finish(make_work(tmp_path, division=Wanted(by="image")))
    card = (done.pack_dir / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "not independent of what" in card
    record = json.loads((done.pack_dir / "training" / "experiment.json").read_text(encoding="utf-8"))
    assert record["split"]["independent"] is False
    assert "not independent of what was learned" in (done.pack_dir / "training" / "report.html").read_text(encoding="utf-8")


def test_without_a_test_part_the_figures_say_so(tmp_path: Path) -> None:
    done = finish(make_work(tmp_path, division=Wanted(test_share=0.0)))
    assert (done.test, done.base) == (None, None)
    assert "There was no test part" in (done.pack_dir / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_record_has_what_a_repetition_needs_and_no_path(work: Work, tmp_path: Path) -> None:
    done = finish(work)
    text = (done.pack_dir / "training" / "experiment.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["dataset"] == {"name": "data", "form": "yolo", "sha256": "5" * 64, "images": 20}
    assert work.base is not None
    assert record["base"]["manifest_sha256"] == work.base.manifest_sha256
    assert record["parameters"]["seed"] == 0
    assert record["training_s"] == 5.0
    assert record["split"]["parts"]["train"]["tows"]
    assert record["curves"] == CURVES
    for document in (done.pack_dir / "training").iterdir():
        assert str(tmp_path) not in document.read_text(encoding="utf-8"), document.name


def test_goldens_carry_pixels_and_nothing_else(work: Work) -> None:
    for image in (work.folder.parent / "data" / "images").rglob("*.png"):
        image.write_bytes(image.read_bytes() + b"position: 53.1 N 9.2 W")
    done = finish(work)
    goldens = sorted((done.pack_dir / "goldens").iterdir())
    assert [path.name for path in goldens] == ["still_1.jpg", "still_1.json", "still_2.jpg", "still_2.json"]
    assert all(b"position" not in path.read_bytes() for path in goldens)
    assert all(len(json.loads(path.read_text())["score"]) >= 3 for path in goldens if path.suffix == ".json")


def test_goldens_may_be_the_bases(tmp_path: Path) -> None:
    work = make_work(tmp_path, goldens="base")
    done = finish(work)
    assert (done.pack_dir / "goldens" / "still_1.png").read_bytes() == (tmp_path / "tiny" / "golden.png").read_bytes()
    assert "tiny: golden.png" in (done.pack_dir / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_a_network_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    work = make_work(tmp_path, onnx=detector_onnx(factor=0.0))
    with pytest.raises(NothingFoundError):
        finish(work)
    assert not pack_dir_of(work.folder, work.plan).exists()
    assert sorted(path.name for path in work.folder.glob(".*")) == []


def test_a_finished_training_is_not_packed_twice(work: Work) -> None:
    finish(work)
    with pytest.raises(PackExistsError, match="this training is finished"):
        finish(work)


def test_a_full_disk_leaves_nothing_half_done(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DiskFullError):
        finish(work)
    assert not pack_dir_of(work.folder, work.plan).exists()
    monkeypatch.undo()
    assert finish(work).pack_dir.is_dir()


def test_the_page_loads_nothing_and_escapes_names(work: Work) -> None:
    record = json.loads((finish(work).pack_dir / "training" / "experiment.json").read_text(encoding="utf-8"))
    record["dataset"]["name"] = "<script>alert(1)</script>"
    html = report(record, "A & B")
    assert "<script>" not in html
    assert "A &amp; B" in html
    assert html.count("<svg") == 6

    class Loads(HTMLParser):
        found: list[str]

        def __init__(self) -> None:
            super().__init__()
            self.found = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [str(value) for name, value in attrs if name in {"src", "href", "data"} and not str(value).startswith("#")]

    parser = Loads()
    parser.feed(html)
    assert parser.found == []


def test_curves_are_a_table() -> None:
    rows = list(csv.DictReader(io.StringIO(curves_csv([*CURVES, {"epoch": 3, "extra": 1.0}]))))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["val_map50"], rows[0]["extra"], rows[2]["extra"]) == ("0.5", "", "1.0")


@pytest.mark.parametrize(
    ("base", "licence"),
    [
        (None, CLAIM),
        ("AGPL-3.0-only (claimed)", "AGPL-3.0-only (claimed)"),
        ("Apache-2.0", f"{CLAIM}; the base pack: Apache-2.0"),
    ],
)
def test_the_licence_claim_is_carried_on(work: Work, base: str | None, licence: str) -> None:
    assert licence_of(replace(work.plan, base=Base(named="x", layout=None, licence=base))) == licence


def test_the_record_says_what_it_is(work: Work) -> None:
    done = finish(work)
    assert finishing.title_of(work.plan) == "Red, green, blue, tuned from tiny on data"
    assert (done.epochs, done.best_epoch, done.stopped) == (2, 1, "all epochs done")
