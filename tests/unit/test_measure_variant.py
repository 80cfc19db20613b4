"""A variant is measured as the appliance runs it, by real networks of a few hundred bytes."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError, PackInvalidError
from edge.pipeline.detect import load_model, process_image
from edge.pipeline.plan import DetectSettings
from models.datasets.dataset import Dataset
from models.datasets.errors import DatasetImageError, DatasetUnlabelledError
from models.datasets.read import read_dataset
from models.evaluate.evaluation import evaluate_pack, summary
from models.evaluate.run import SCORE_FLOOR, figures, measure_variant
from models.pack import Pack
from models.runtime.vision import cv2
from models.workbench import Step
from tests.helpers.datasets import yolo_lines
from tests.unit.tiny_models import classifier_onnx, coloured, detector_onnx, make_tiny_pack

Squares = list[tuple[int, int, int, int, int]]  # x, y, width, height, label index


def write_squares(root: Path, images: dict[str, Squares], *, width_px: int = 64, height_px: int = 64) -> Dataset:
    """Coloured squares on black, labelled as they are."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, squares in images.items():
        assert cv2.imwrite(str(root / "images" / f"{name}.png"), coloured(width_px, height_px, squares))
        boxes = [(label, x, y, x + width, y + height) for x, y, width, height, label in squares]
        (root / "labels" / f"{name}.txt").write_text(yolo_lines(boxes, width_px, height_px))
    (root / "data.yaml").write_text("names: [red, green, blue]\n")
    return read_dataset(root)


TWO_IMAGES: dict[str, Squares] = {"a": [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)], "b": [(0, 0, 8, 8, 2)]}


@pytest.mark.parametrize("variant", ["onnx-fp32", "ir-fp32"])
def test_a_model_that_is_right_has_perfect_figures(tmp_path: Path, variant: str) -> None:
    dataset = write_squares(tmp_path / "set", TWO_IMAGES)
    pack = make_tiny_pack(tmp_path / "pack")
    steps: list[Step] = []
    measurement = measure_variant(pack, variant, dataset, on_step=steps.append)
    result = figures(measurement, dataset)
    assert result.map50 == pytest.approx(1.0)
    assert (result.counts.bias, result.counts.ccc) == (0, 1)
    assert [[one.true, one.found, one.tp] for one in result.by_image] == [[2, 2, 2], [1, 1, 1]]
    assert [(step.done, step.of) for step in steps] == [(1, 2), (2, 2)]
    assert measurement.device.startswith("CPU")


def test_scores_below_the_floor_of_the_pack_are_listed_for_average_precision_only(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", {"a": [(8, 16, 8, 8, 0)]})
    faint = coloured(64, 64, [(8, 16, 8, 8, 0)])
    faint[40:48, 40:48, 1] = 5  # a score of 0.02
    cv2.imwrite(str(tmp_path / "set" / "images" / "a.png"), faint)
    measurement = measure_variant(make_tiny_pack(tmp_path / "pack"), "onnx-fp32", dataset)
    assert measurement.founds[0].score.tolist() == pytest.approx([1.0, 5 / 255])
    assert measurement.score_floor == SCORE_FLOOR
    result = figures(measurement, dataset)
    assert (result.counts.bias, sum(one.count for one in result.reliability)) == (0, 1)


def test_with_tiles_too_it_finds_what_the_appliance_reports(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    pack = make_tiny_pack(
        tmp_path / "pack",
        input={"width_px": 64, "height_px": 64, "fit": "tiles", "tile_overlap": 0.25},
        thresholds={"score": 0.5, "score_floor": 0.3, "max_objects": 7},
    )
    dataset = write_squares(tmp_path / "set", {"a": []}, width_px=200, height_px=150)
    # Blocks of every brightness: pieces at the borders of tiles reach the floor in one tile and not in the other.
    blocks = rng.integers(0, 120, (38, 50, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)[:150, :200]
    path = tmp_path / "set" / "images" / "a.png"
    cv2.imwrite(str(path), blocks)
    seen = measure_variant(pack, "onnx-fp32", dataset).founds[0]
    model = load_model(pack.path, "onnx-fp32", threads=1)
    reported = process_image(path.read_bytes(), path.name, model, DetectSettings(max_pixels=10**6)).detections
    kept = seen.score >= 0.3
    assert len(reported) == 7
    np.testing.assert_array_equal(seen.boxes_xyxy_px[kept], reported.xyxy)
    np.testing.assert_array_equal(seen.score[kept], reported.score)
    assert (~kept).sum() > 10


def test_a_classification_is_about_the_whole_image(tmp_path: Path) -> None:
    for number, name in enumerate(("red", "green", "blue")):
        (tmp_path / "set" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "set" / name / "1.png"), coloured(80, 60, [(0, 0, 80, 60, number)]))
    pack = make_tiny_pack(
        tmp_path / "pack", onnx=classifier_onnx(), task="classify", head="classify", expected={"score": [0.34, 0.33, 0.33]}, ir=False
    )
    dataset = read_dataset(tmp_path / "set")
    result = figures(measure_variant(pack, "onnx-fp32", dataset), dataset)
    assert result.top1 == 1.0
    assert result.confusion[0][0] == 1 or result.threshold > 0.5


def test_an_image_that_breaks_after_it_was_read_is_named(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", TWO_IMAGES)
    (tmp_path / "set" / "images" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n gone")
    with pytest.raises(DatasetImageError, match=r"images/b\.png"):
        measure_variant(make_tiny_pack(tmp_path / "pack", ir=False), "onnx-fp32", dataset)


def test_a_model_that_lies_is_no_model_that_finds_nothing(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", TWO_IMAGES)
    pack = make_tiny_pack(tmp_path / "pack", onnx=detector_onnx(factor=float("nan")), ir=False)
    with pytest.raises(ModelError, match="images/a"):
        measure_variant(pack, "onnx-fp32", dataset)
    with pytest.raises(ModelError, match="onnx-fp32: "):
        evaluate_pack(pack, dataset)


def with_a_broken_variant(folder: Path) -> Pack:
    """A second variant whose scores are NaN."""
    folder.mkdir()
    (folder / "broken.onnx").write_bytes(detector_onnx(factor=float("nan")))
    variants = [
        {"name": "broken", "runtime": "onnxruntime", "precision": "fp32", "files": ["broken.onnx"]},
        {"name": "sound", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]},
    ]
    return make_tiny_pack(folder, ir=False, variants=variants)


def test_the_best_variant_comes_first_and_a_broken_one_is_told(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", TWO_IMAGES)
    plain = summary(evaluate_pack(with_a_broken_variant(tmp_path / "pack"), dataset))
    assert (plain["variant"], plain["map50"]) == ("sound", pytest.approx(1.0))
    sound, broken = plain["variants"]
    assert (sound["name"], sound["offered"], sound["fault"]) == ("sound", True, None)
    assert (broken["name"], broken["offered"]) == ("broken", False)
    assert "scores" in broken["fault"]


def test_nothing_to_find_is_nothing_to_compare_with(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", {"a": []})
    pack = make_tiny_pack(tmp_path / "pack", ir=False)
    with pytest.raises(DatasetUnlabelledError, match="not one object"):
        evaluate_pack(pack, dataset, variant="onnx-fp32")
    with pytest.raises(PackInvalidError, match="no variant"):
        evaluate_pack(pack, write_squares(tmp_path / "other", TWO_IMAGES), variant="int4")


def test_ctrl_c_while_measuring_ends_at_once(tmp_path: Path) -> None:
    dataset = write_squares(tmp_path / "set", {f"{number:03}": [(8, 16, 8, 8, number % 3)] for number in range(60)})
    assert len(dataset.images) == 3  # equal pictures count once
    many = replace(dataset, images=dataset.images * 200)
    done: list[Step] = []

    def interrupt(step: Step) -> None:
        done.append(step)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_variant(make_tiny_pack(tmp_path / "pack", ir=False), "onnx-fp32", many, threads=2, on_step=interrupt)
    assert len(done) == 1
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("evaluate")]
