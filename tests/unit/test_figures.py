"""The figures of an evaluation on cases small enough to work out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.datasets.dataset import Dataset, LabelledImage
from models.datasets.errors import DatasetLabelsError
from models.evaluate import ImageFound, ImageTruth
from models.evaluate.at_work import at_work
from models.evaluate.calibration import reliability
from models.evaluate.counts import found_counts, unbiased_threshold
from models.evaluate.figures import as_json, figures
from models.evaluate.labels import align_labels
from models.evaluate.measurement import Measurement
from models.manifest import Thresholds

A, B, C, FAR = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (80, 80, 90, 90)
Box = tuple[int, int, int, int]


def truth(boxes: Sequence[Box], labels: Sequence[int] | None = None, crowd: Sequence[bool] | None = None) -> ImageTruth:
    return ImageTruth(
        boxes_xyxy_px=np.array(boxes, np.float32).reshape(-1, 4),
        label_index=np.array(labels if labels is not None else [0] * len(boxes), np.int32),
        crowd=np.array(crowd if crowd is not None else [False] * len(boxes), np.bool_),
    )


def found(rows: Sequence[tuple[Box, float, int]]) -> ImageFound:
    return ImageFound(
        boxes_xyxy_px=np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        score=np.array([row[1] for row in rows], np.float32),
        label_index=np.array([row[2] for row in rows], np.int32),
    )


def dataset(truths: Sequence[ImageTruth], *, labels: tuple[str, ...] = ("opening", "crab"), tows: Sequence[str | None] = ()) -> Dataset:
    images = [
        LabelledImage(
            path=Path(f"{number}.png"), name=f"{number}.png", width_px=100, height_px=100, truth=one, tow=tows[number] if tows else None
        )
        for number, one in enumerate(truths)
    ]
    return Dataset(root=Path("set"), form="yolo", labels=labels, images=tuple(images), sha256="0" * 64)


def measurement(founds: Sequence[ImageFound], *, labels: tuple[str, ...] = ("opening", "crab"), task: str = "detect") -> Measurement:
    return Measurement(
        pack="tiny",
        version="1.0.0",
        variant="onnx-fp32",
        runtime="onnxruntime",
        precision="fp32",
        device="CPU f32",
        task=task,
        labels=labels,
        thresholds=Thresholds(score=0.5, score_floor=0.2),
        score_floor=0.005,
        founds=tuple(founds),
        image_s=(0.5,) * len(founds),
        decode_s=0.1 * len(founds),
        infer_s=0.4 * len(founds),
        wall_s=0.25 * len(founds),
        threads=2,
    )


def test_right_wrong_and_missed_at_the_threshold() -> None:
    truths = [truth([A, B, C], [0, 0, 1]), truth([A], [1])]
    founds = [found([(B, 0.4, 0), (A, 0.9, 0), (FAR, 0.8, 0), (C, 0.7, 0)]), found([(A, 0.6, 1)])]
    work = at_work(truths, founds, 0.5, 2)
    assert (work.tp.tolist(), work.fp.tolist(), work.fn.tolist()) == ([1, 1], [2, 0], [2, 0])
    assert (work.label_tp.tolist(), work.label_fp.tolist(), work.label_fn.tolist()) == ([1, 1], [2, 0], [1, 1])
    # C was taken for an opening, FAR is a false alarm, B lies below the threshold.
    assert work.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [1, 0, 0]]
    assert [flags.tolist() for flags in work.found_hit] == [[False, True, False, False], [True]]
    assert [flags.tolist() for flags in work.truth_hit] == [[True, False, False], [True]]


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong() -> None:
    work = at_work([truth([(0, 0, 40, 40), B], crowd=[True, False])], [found([(A, 0.9, 0), ((5, 20, 15, 30), 0.8, 0)])], 0.5, 1)
    assert (work.tp.tolist(), work.fp.tolist(), work.fn.tolist()) == ([0], [0], [1])
    assert work.confusion.tolist() == [[0, 1], [0, 0]]


def test_scores_are_compared_as_the_store_compares_them() -> None:
    # 0.7 in single precision is 0.69999998807.
    assert found_counts([found([(A, 0.7, 0)])], 0.7).tolist() == [0]
    assert found_counts([found([(A, 0.7, 0)])], 0.6999).tolist() == [1]


def test_reliability_by_hand() -> None:
    score = np.array([0.95, 0.95, 0.55, 0.55, 0.05])
    hit = np.array([True, False, True, False, False])
    bins, ece = reliability(score, hit, 0.1)
    assert [(one.low, one.count, one.precision) for one in bins if one.count] == [(0.5, 2, 0.5), (0.9, 2, 0.5)]
    assert ece == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    assert reliability(np.array([1.0]), np.array([True]), 0.0)[1] == 0.0
    assert reliability(np.zeros(0), np.zeros(0, np.bool_), 0.1)[1] is None


def test_the_threshold_that_finds_as_many_as_there_are() -> None:
    founds = [found([(A, 0.9, 0), (B, 0.5, 0)]), found([(A, 0.7, 0), (FAR, 0.25, 0)])]
    assert unbiased_threshold([truth([A]), truth([A, B])], founds) == 0.5
    assert unbiased_threshold([truth([A]), truth([A, B, C, FAR])], founds) is None
    assert unbiased_threshold([truth([]), truth([])], founds) is None


def test_of_equal_scores_the_threshold_takes_the_nearer_side() -> None:
    founds = [found([(A, 0.75, 0), (B, 0.5, 0), (C, 0.5, 0), (FAR, 0.5, 0), (FAR, 0.5, 0)])]
    assert unbiased_threshold([truth([A, B])], founds) == 0.75
    assert unbiased_threshold([truth([A, B, C, FAR])], founds) == 0.5


def test_all_figures_by_hand() -> None:
    truths = [truth([A, B], [0, 0]), truth([A], [1]), truth([])]
    founds = [found([(A, 0.9, 0), (FAR, 0.6, 0)]), found([(A, 0.8, 1), (B, 0.1, 0)]), found([])]
    plain = as_json(figures(measurement(founds), dataset(truths, tows=["north", "south", "south"])))
    assert plain["images"] == 3
    assert plain["objects"] == 3
    assert (plain["threshold"], plain["precision"], plain["recall"]) == (0.5, pytest.approx(2 / 3), pytest.approx(2 / 3))
    # Recall 0.5 at full precision for openings (51 of 101 recall points), everything for the crab.
    assert plain["map50"] == pytest.approx((51 / 101 + 1) / 2)
    assert (plain["count_bias"], plain["count_mae"], plain["count_rmse"], plain["count_ccc"]) == (0.0, 0.0, 0.0, 1.0)
    assert [(tow["tow"], tow["images"], tow["true"], tow["found"]) for tow in plain["by_tow"]] == [("north", 1, 2, 2), ("south", 2, 1, 1)]
    assert [(one["label"], one["tp"], one["fp"], one["fn"]) for one in plain["classes"]] == [("opening", 1, 1, 1), ("crab", 1, 0, 0)]
    assert plain["confusion_labels"] == ("opening", "crab", "background")
    assert (plain["images_per_s"], plain["infer_share"]) == (pytest.approx(4), pytest.approx(0.8))
    assert plain["best_f1"]["threshold"] == pytest.approx(0.8)
    assert (plain["max_found_per_image"], plain["top1"]) == (100, None)
    json.dumps(plain, allow_nan=False)


def test_another_threshold_changes_what_hangs_on_it_and_nothing_else() -> None:
    founds = [found([(A, 0.9, 0), (FAR, 0.3, 0)])]
    low, high = (figures(measurement(founds), dataset([truth([A])]), threshold) for threshold in (0.25, 0.95))
    assert (low.counts.bias, high.counts.bias) == (1, -1)
    assert (low.precision, high.precision) == (0.5, None)
    assert low.map50 == high.map50 == pytest.approx(1.0)
    assert low.ece == high.ece


def test_crowded_images_rank_more_than_a_hundred_detections() -> None:
    many: list[Box] = [(10 * x, 10 * y, 10 * x + 9, 10 * y + 9) for x in range(15) for y in range(10)]
    result = figures(measurement([found([(box, 0.9, 0) for box in many])]), dataset([truth(many)]))
    assert result.max_found_per_image == 450
    assert result.map50 == pytest.approx(1.0)


def test_a_classification_tells_how_often_its_first_choice_is_right() -> None:
    whole = (0, 0, 100, 100)
    founds = [found([(whole, 0.9, 0)]), found([(whole, 0.4, 1)]), found([(whole, 0.8, 0)]), found([(whole, 0.7, 0)])]
    truths = [truth([whole], [label]) for label in (0, 1, 1, 0)]
    assert figures(measurement(founds, task="classify"), dataset(truths)).top1 == 0.75


def test_labels_are_brought_together_by_name() -> None:
    mixed = dataset([truth([A, B, C], [0, 1, 2])], labels=("Crab", "fish", "burrow_opening"))
    aligned = align_labels(mixed, ("burrow opening", "crab"))
    assert aligned.labels == ("burrow opening", "crab")
    assert aligned.images[0].truth.label_index.tolist() == [1, 0]
    assert aligned.images[0].truth.boxes_xyxy_px.tolist() == [list(A), list(C)]
    assert any("1 objects were left out" in warning and "fish" in warning for warning in aligned.warnings)
    assert align_labels(aligned, ("burrow opening", "crab")) is aligned


def test_a_map_renames_labels_and_two_may_become_one() -> None:
    mixed = dataset([truth([A, B], [0, 1])], labels=("hole", "complex"))
    aligned = align_labels(mixed, ("burrow opening",), {"hole": "burrow opening", "complex": "burrow opening"})
    assert aligned.images[0].truth.label_index.tolist() == [0, 0]


def test_one_label_is_taken_for_the_only_one_and_indexes_for_indexes() -> None:
    one = align_labels(dataset([truth([A])], labels=("0",)), ("burrow opening",))
    assert any("was taken for 'burrow opening'" in warning for warning in one.warnings)
    two = align_labels(dataset([truth([A], [1])], labels=("0", "1")), ("opening", "crab"))
    assert two.images[0].truth.label_index.tolist() == [1]
    assert two.warnings


@pytest.mark.parametrize(
    ("labels_map", "told"),
    [({}, "no label of the data set"), ({"fish": "crab"}, "has no label 'fish'"), ({"ray": "skate"}, "has no label 'skate'")],
)
def test_labels_that_never_meet_are_refused(labels_map: dict[str, str], told: str) -> None:
    with pytest.raises(DatasetLabelsError, match=told):
        align_labels(dataset([truth([A])], labels=("ray", "eel")), ("opening", "crab"), labels_map)
