"""The evaluator against pycocotools, and its figures on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models import evaluate
from models.evaluate import ImageFound, ImageTruth
from tests.unit.coco_oracle import run_coco


def _random_boxes(rng: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    corner = rng.uniform(0, 500, (count, 2))
    return np.hstack([corner, corner + rng.uniform(8, 140, (count, 2))]).astype(np.float32)


def _random_case(seed: int, n_labels: int) -> tuple[list[ImageTruth], list[ImageFound]]:
    """Images with jittered hits, doubles, false alarms, crowd boxes, empty truth and empty detections."""
    rng = np.random.default_rng(seed)
    truths, founds = [], []
    for number in range(24):
        count = 0 if number == 3 else int(rng.integers(1, 30))
        boxes = _random_boxes(rng, count)
        labels = rng.integers(0, n_labels, count).astype(np.int32)
        truths.append(ImageTruth(boxes_xyxy_px=boxes, label_index=labels, crowd=rng.random(count) < 0.08))
        kept = rng.random(count) < 0.8
        near = boxes[kept] + rng.normal(0, 6, (int(kept.sum()), 4)).astype(np.float32)
        double = near[rng.random(len(near)) < 0.3] + np.float32(1.5)
        stray = _random_boxes(rng, 0 if number == 5 else int(rng.integers(0, 90)))
        found = np.vstack([near, double, stray]) if number != 7 else np.zeros((0, 4), np.float32)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        guess = np.concatenate([labels[kept], rng.integers(0, n_labels, len(found))])[: len(found)].astype(np.int32)
        score = np.round(rng.random(len(found)), 2).astype(np.float32)
        founds.append(ImageFound(boxes_xyxy_px=found, score=score, label_index=guess))
    return truths, founds


@pytest.mark.parametrize(("seed", "n_labels"), [(1, 1), (2, 1), (3, 3), (4, 5)])
def test_average_precision_agrees_with_pycocotools(seed: int, n_labels: int) -> None:
    truths, founds = _random_case(seed, n_labels)
    stats = run_coco(truths, founds).stats
    ours = evaluate.average_precision(evaluate.match(truths, founds))
    assert 0.05 < stats[1] < 0.95
    assert ours.map50_95 == pytest.approx(stats[0], abs=1e-6)
    assert ours.map50 == pytest.approx(stats[1], abs=1e-6)


@pytest.mark.parametrize(("position", "area_range_px2"), [(3, (0.0, 32.0**2)), (4, (32.0**2, 96.0**2)), (5, (96.0**2, 1e10))])
def test_area_ranges_agree_with_pycocotools(position: int, area_range_px2: tuple[float, float]) -> None:
    truths, founds = _random_case(11, 2)
    stats = run_coco(truths, founds).stats
    ours = evaluate.average_precision(evaluate.match(truths, founds, area_range_px2=area_range_px2))
    assert ours.map50_95 == pytest.approx(stats[position], abs=1e-6)


def _one_image(truth: list[list[float]], found: list[list[float]], score: list[float]) -> tuple[list[ImageTruth], list[ImageFound]]:
    boxes = np.asarray(found, np.float32).reshape(-1, 4)
    seen = ImageFound(boxes_xyxy_px=boxes, score=np.asarray(score, np.float32), label_index=np.zeros(len(boxes), np.int32))
    return [ImageTruth.of_one_class(np.asarray(truth, np.float32).reshape(-1, 4))], [seen]


def test_a_second_detection_of_the_same_opening_is_a_false_alarm() -> None:
    truths, founds = _one_image([[0, 0, 10, 10]], [[0, 0, 10, 10], [0, 0, 10, 10]], [0.9, 0.8])
    curve = evaluate.operating_curve(evaluate.match(truths, founds))
    assert [(p.precision, p.recall) for p in curve] == [(1.0, 1.0), (0.5, 1.0)]
    assert evaluate.best_f1(curve).threshold == pytest.approx(0.9)
    assert evaluate.at_threshold(curve, 0.85).precision == 1.0
    assert evaluate.at_threshold(curve, evaluate.best_f1(curve).threshold).f1 == evaluate.best_f1(curve).f1 == 1.0
    assert evaluate.at_threshold(curve, 0.95).recall == 0.0


def test_detections_of_one_score_form_one_operating_point() -> None:
    truths, founds = _one_image([[0, 0, 10, 10]], [[50, 50, 60, 60], [0, 0, 10, 10]], [0.5, 0.5])
    curve = evaluate.operating_curve(evaluate.match(truths, founds))
    assert len(curve) == 1
    assert (curve[0].precision, curve[0].recall) == (0.5, 1.0)


def test_no_truth_gives_no_average_precision_rather_than_zero() -> None:
    truths, founds = _one_image([], [[0, 0, 10, 10]], [0.9])
    assert evaluate.average_precision(evaluate.match(truths, founds)).map50 is None


def test_nothing_detected_is_zero_precision_and_has_no_best_threshold() -> None:
    truths, founds = _one_image([[0, 0, 10, 10]], [], [])
    assert evaluate.average_precision(evaluate.match(truths, founds)).map50 == 0.0
    with pytest.raises(ValueError, match="no detection at all"):
        evaluate.best_f1(evaluate.operating_curve(evaluate.match(truths, founds)))


def test_images_without_a_counterpart_are_refused() -> None:
    truths, founds = _one_image([[0, 0, 10, 10]], [], [])
    with pytest.raises(ValueError, match="1 images with truth but 2"):
        evaluate.match(truths, founds * 2)


def test_count_errors_by_hand() -> None:
    truths = [ImageTruth.of_one_class(np.zeros((n, 4), np.float32)) for n in (2, 4, 6)]
    scores = [[0.9, 0.8, 0.7], [0.9] * 4, [0.9] * 5 + [0.1]]
    founds = [
        ImageFound(boxes_xyxy_px=np.zeros((len(s), 4), np.float32), score=np.asarray(s, np.float32), label_index=np.zeros(len(s), np.int32))
        for s in scores
    ]
    errors = evaluate.count_errors(truths, founds, threshold=0.5)
    assert (errors.mean_true, errors.mean_found, errors.bias) == (4.0, 4.0, 0.0)
    assert errors.mae == pytest.approx(2 / 3)
    # Variances 8/3 and 2/3, covariance 4/3, equal means.
    assert errors.ccc == pytest.approx(2 * (4 / 3) / (8 / 3 + 2 / 3))


def test_concordance_is_undefined_for_two_equal_constants_and_low_for_a_shift() -> None:
    constant = np.array([3.0, 3.0])
    assert evaluate.lin_ccc(constant, constant) is None
    assert evaluate.lin_ccc(constant, constant + 1) == 0.0
    line = np.arange(10.0)
    assert evaluate.lin_ccc(line, line) == pytest.approx(1.0)
    assert 0.4 < (evaluate.lin_ccc(line, line + 4) or 0.0) < 0.6
