"""ONNX files and OpenVINO IR become packs, by way of real child processes; and what cannot leaves nothing behind."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import EdgeError
from models.assemble import PackExistsError
from models.importing.child import work_apart
from models.importing.convert import examine
from models.importing.facts import ImportOptions, ImportRefusedError
from models.importing.importer import Imported, import_model
from models.importing.trial import try_pack
from models.pack import verify_pack
from models.runtime.predict import classify, detect, load_model
from models.runtime.prove import prove_pack
from models.runtime.vision import cv2
from tests.unit.test_import_onnx import any_size, replaced, with_metadata
from tests.unit.tiny_models import (
    classifier_onnx,
    coloured,
    detector_onnx,
    end2end_onnx,
    field,
    make_tiny_pack,
    node,
    save_ir,
    segmenter_onnx,
)

NAMES = "{0: 'red', 1: 'green', 2: 'blue'}"
SQUARES = [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Coloured squares, two files that are no pictures, and one in a folder below."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number, name in enumerate(("a.png", "b.png", "below/c.png")):
        cv2.imwrite(str(folder / name), coloured(64, 64, [*SQUARES, (8 * number, 48, 8, 8, 2)]))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def bring_in(path: Path, pictures: Path, **options: Any) -> Imported:
    return import_model(path, path.parent / "pack", ImportOptions(**options), images=pictures, workshop=None)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("onnx", "task", "head"),
    [
        (detector_onnx(), "detect", "yolo_v8"),
        (segmenter_onnx(), "segment", "yolo_v8_seg"),
        (end2end_onnx(label=1.0), "detect", "yolo_end2end"),
        (classifier_onnx(), "classify", "classify"),
    ],
)
def test_an_onnx_file_becomes_a_pack(tmp_path: Path, pictures: Path, onnx: bytes, task: str, head: str) -> None:
    described = with_metadata(onnx, names=NAMES, task=task, license="CC-BY-4.0", author="*Somebody*", imgsz="[64, 64]")
    imported = bring_in(written(tmp_path / "My Model.onnx", described), pictures, aphia_ids={"green": 107254})
    manifest = verify_pack(imported.pack.path).manifest
    assert (manifest.name, manifest.version, manifest.task, manifest.head) == ("my-model", "1.0.0", task, head)
    assert [(label.name, label.aphia_id) for label in manifest.labels] == [("red", None), ("green", 107254), ("blue", None)]
    assert manifest.licence == "CC-BY-4.0 (claimed by the file itself, not checked)"
    assert [(variant.name, variant.precision) for variant in manifest.variants] == [("onnx-fp32", "fp32"), ("openvino-fp16", "fp16")]
    assert all(variant.metrics["score_difference_max"] < 0.01 for variant in manifest.variants)
    assert len(manifest.goldens) == 3
    card = imported.pack.file_path(manifest.card).read_text(encoding="utf-8")
    assert "Not evaluated yet" in card
    assert "author: \\*Somebody\\*" in card
    image = coloured(64, 64, SQUARES)
    for variant in manifest.variants:
        model = load_model(imported.pack.path, variant.name, threads=1)
        if task == "classify":
            assert classify(image, model).argmax() in {0, 1}
        else:
            boxes = detect(image, model).xyxy.tolist()
            assert [40, 24, 48, 32] in boxes


def test_every_variant_of_an_imported_pack_is_offered(tmp_path: Path, pictures: Path) -> None:
    """None has been evaluated: FP32 is the original, and FP16 weights showed that their scores are the same."""
    imported = bring_in(written(tmp_path / "a.onnx", with_metadata(detector_onnx(), names=NAMES)), pictures)
    assert {variant.name for variant in prove_pack(imported.pack.path).variants if variant.offered} == {"onnx-fp32", "openvino-fp16"}


def test_what_the_file_does_not_say_a_person_says(tmp_path: Path, pictures: Path) -> None:
    onnx = replaced(
        [node("AveragePool", ["images"], "cells", kernel_shape=[8, 8], strides=[8, 8]), node("Relu", ["cells"], "output")],
        any_size("images"),
    )
    path = written(tmp_path / "a.onnx", onnx)
    with pytest.raises(ImportRefusedError, match="any size"):
        bring_in(path, pictures)
    with pytest.raises(ImportRefusedError, match="no layout that is known"):
        bring_in(path, pictures, input_px=(64, 64))
    path = written(tmp_path / "b.onnx", detector_onnx())
    imported = bring_in(
        path, pictures, labels=("x", "y", "z"), name="mine", version="2.1.0", title="Mine", threshold=0.02, task="detect", input_px=(64, 64)
    )
    manifest = imported.pack.manifest
    assert (manifest.name, manifest.version, manifest.title) == ("mine", "2.1.0", "Mine")
    assert (manifest.thresholds.score, manifest.thresholds.score_floor) == (0.02, 0.02)
    assert (manifest.licence, manifest.trained_on) == ("not stated", "not stated")
    assert "the file does not say under what licence it may be used" in imported.warnings


@pytest.mark.parametrize("is_described", [True, False])
def test_an_ir_becomes_a_pack_of_its_own_two_files(tmp_path: Path, pictures: Path, is_described: bool) -> None:
    save_ir(detector_onnx(), tmp_path / "best.xml")
    if is_described:
        (tmp_path / "metadata.yaml").write_text("task: detect\nnames:\n  0: red\n  1: no\n  2: blue\nlicense: MIT\nimgsz:\n- 64\n- 64\n")
    imported = bring_in(tmp_path / "best.xml", pictures, labels=() if is_described else ("red", "no", "blue"))
    manifest = imported.pack.manifest
    assert [label.name for label in manifest.labels] == ["red", "no", "blue"]
    assert [(variant.name, variant.runtime) for variant in manifest.variants] == [("openvino-fp32", "openvino")]
    assert (imported.pack.path / "model.xml").read_bytes() == (tmp_path / "best.xml").read_bytes()
    assert ("MIT" in manifest.licence) == is_described
    assert any("says nothing of the model" in warning for warning in imported.warnings)
    found = detect(coloured(64, 64, SQUARES), load_model(imported.pack.path, "openvino-fp32", threads=1))
    assert sorted(found.xyxy.tolist()) == [[8, 16, 16, 24], [40, 24, 48, 32]]


def test_files_that_cannot_become_a_pack_leave_nothing(tmp_path: Path, pictures: Path) -> None:
    save_ir(detector_onnx(), tmp_path / "whole.xml")
    save_ir(detector_onnx(factor=float("nan")), tmp_path / "broken.xml")
    xml, weights = (tmp_path / "whole.xml").read_bytes(), (tmp_path / "whole.bin").read_bytes()
    cases = {
        "lonely.xml": (xml, None, "lonely.bin is missing"),
        "cut.xml": (xml[: len(xml) // 2], weights, "OpenVINO cannot read cut.xml"),
        "short.xml": (xml, weights[: len(weights) // 2], "short.xml"),
        "unknown.xml": (xml.replace(b'type="Concat"', b'type="Acme"'), weights, "OpenVINO cannot read unknown.xml"),
        "nan.xml": ((tmp_path / "broken.xml").read_bytes(), (tmp_path / "broken.bin").read_bytes(), "not numbers"),
        "text.onnx": (b"no model at all", None, "text.onnx"),
        "logits.onnx": (detector_onnx(factor=5.0), None, "outside 0..1"),
        "softmax.onnx": (classifier_onnx(softmax=False), None, "lacks its softmax"),
        "weights.bin": (b"", None, "holds weights only"),
        "a.h5": (b"", None, "an ending that is not known"),
    }
    for name, (data, beside, told) in cases.items():
        path = written(tmp_path / name, data)
        if beside is not None:
            written(path.with_suffix(".bin"), beside)
        with pytest.raises(ImportRefusedError, match=told) as caught:
            bring_in(path, pictures, labels=("a", "b", "c"))
        assert caught.value.advice(), name
    with pytest.raises(ImportRefusedError, match="is a folder"):
        bring_in(tmp_path, pictures)
    with pytest.raises(ImportRefusedError, match="there is no file"):
        bring_in(tmp_path / "nowhere.onnx", pictures)
    assert not any(entry.is_dir() or entry.name.startswith(".") for entry in tmp_path.iterdir())


def test_names_that_cannot_be_used_are_refused_before_any_work(tmp_path: Path, pictures: Path) -> None:
    path = written(tmp_path / "a.onnx", detector_onnx())
    for options in ({"name": "Not A Name"}, {"name": ""}, {"version": "1"}, {"name": "../up"}):
        with pytest.raises(ImportRefusedError, match="cannot be used"):
            bring_in(path, pictures, **options)
    (tmp_path / "pack").mkdir()
    with pytest.raises(PackExistsError):
        bring_in(path, pictures)
    with pytest.raises(ImportRefusedError, match="no image that can be tried"):
        import_model(path, tmp_path / "other", ImportOptions(labels=("a", "b", "c")), images=tmp_path, workshop=None)


def test_a_variant_with_other_scores_is_left_out(tmp_path: Path, pictures: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "other.onnx").write_bytes(detector_onnx(factor=0.8))
    variants = [
        {"name": name, "runtime": "onnxruntime", "precision": "fp32", "files": [file]}
        for name, file in (("first", "model.onnx"), ("second", "other.onnx"))
    ]
    pack = make_tiny_pack(folder, ir=False, variants=variants)
    trial = try_pack(pack.path, sorted(pictures.glob("*.png")), tmp_path)
    assert list(trial.refused) == ["second"]
    assert "differ from those of first by up to 0.2" in trial.refused["second"]
    assert [golden.objects for golden in trial.goldens] == [3, 3]


@pytest.mark.parametrize("kept", [1, 40, 200, 2000])
def test_a_cut_ir_never_crashes_the_caller(tmp_path: Path, kept: int) -> None:
    save_ir(detector_onnx(), tmp_path / "a.xml")
    whole = (tmp_path / "a.xml").read_bytes()
    (tmp_path / "a.xml").write_bytes(whole[:kept])
    with pytest.raises(ImportRefusedError):
        work_apart(examine, tmp_path / "a.xml", "ir", doing="reading a.xml", timeout_s=60.0)


def take_memory() -> int:
    return len(np.ones(2**45, np.uint8))


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (os.abort, r"died \(killed by SIGABRT\)"),
        (take_memory, "needs more memory than this machine has"),
    ],
)
def test_a_child_that_dies_is_one_clear_error(work: Any, told: str) -> None:
    with pytest.raises(EdgeError, match=told) as caught:
        work_apart(work, doing="reading a.xml", timeout_s=60.0)
    assert isinstance(caught.value, ImportRefusedError)


def test_a_child_that_hangs_is_one_clear_error() -> None:
    with pytest.raises(ImportRefusedError, match=r"reading a\.xml failed: it gave no answer within"):
        work_apart(time.sleep, 600, doing="reading a.xml", timeout_s=3.0)


def test_a_second_input_is_told(tmp_path: Path, pictures: Path) -> None:
    onnx = replaced([node("Relu", ["images"], "output")], any_size("images"), field(11, any_size("more")))
    with pytest.raises(ImportRefusedError, match="2 inputs"):
        bring_in(written(tmp_path / "a.onnx", onnx), pictures)


def test_a_pack_that_cannot_be_written_is_one_clear_error(tmp_path: Path, pictures: Path) -> None:
    path = written(tmp_path / "a.onnx", detector_onnx())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImportRefusedError, match="the pack cannot be written") as caught:
        import_model(path, tmp_path / "file" / "pack", ImportOptions(labels=("a", "b", "c")), images=pictures, workshop=None)
    assert "--out" in caught.value.advice()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.onnx", "file"]
