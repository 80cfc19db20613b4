from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from edge.errors import ModelError
from edge.values import Detections
from models.manifest import Manifest
from models.runtime.heads import read_class_scores, read_detections, suppress
from tests.unit.pack_maker import draft


def manifest(head: str = "yolo_v8", **thresholds: Any) -> Manifest:
    file = {"path": "f", "sha256": "0" * 64, "size_bytes": 0}
    task = "classify" if head == "classify" else "segment" if head.endswith("_seg") else "detect"
    fields = draft(head=head, task=task, thresholds=thresholds)
    fields["card"] = file
    fields["variants"] = [{"name": "a", "runtime": "onnxruntime", "precision": "fp32", "files": [file]}]
    fields["goldens"] = [{"image": file, "expected": file}]
    return Manifest.model_validate(fields)


def yolo_v8(*rows: tuple[float, ...]) -> tuple[NDArray[np.float32]]:
    """Candidates (centre x, centre y, width, height, score of class 0, score of class 1) as the network gives them."""
    return (np.array(rows, np.float32).reshape(-1, 6).T[None].copy(),)


def end2end(*rows: tuple[float, ...]) -> tuple[NDArray[np.float32]]:
    return (np.array(rows, np.float32).reshape(1, -1, 6),)


def test_yolo_v8_gives_corner_boxes_best_score_first() -> None:
    found = read_detections(yolo_v8((10, 20, 4, 6, 0.3, 0.1), (50, 50, 10, 10, 0.2, 0.9), (30, 30, 2, 2, 0.01, 0.04)), manifest())
    assert found.xyxy.tolist() == [[45, 45, 55, 55], [8, 17, 12, 23]]
    assert found.label_index.tolist() == [1, 0]
    assert np.allclose(found.score, [0.9, 0.3])


def test_nothing_above_the_floor_is_an_empty_list() -> None:
    assert len(read_detections(yolo_v8((10, 20, 4, 6, 0.04, 0.0)), manifest())) == 0
    assert len(read_detections(yolo_v8(), manifest())) == 0
    assert len(read_detections(end2end((0, 0, 0, 0, 0.0, -1)), manifest("yolo_end2end"))) == 0


def test_suppression_is_class_wise() -> None:
    same_place = ((10, 10, 8, 8, 0.9, 0.0), (10, 11, 8, 8, 0.8, 0.0), (10, 10, 8, 8, 0.0, 0.7))
    found = read_detections(yolo_v8(*same_place), manifest())
    assert found.label_index.tolist() == [0, 1]
    assert len(read_detections(yolo_v8(*same_place), manifest(nms_iou=0.95))) == 3


def test_at_most_max_objects_the_best_ones() -> None:
    rows = [(10.0 * place, 10, 4, 4, 0.1 + 0.01 * place, 0.0) for place in range(50)]
    found = read_detections(yolo_v8(*rows), manifest(max_objects=7))
    assert np.allclose(found.score, [0.59, 0.58, 0.57, 0.56, 0.55, 0.54, 0.53])


def test_end2end_rows_are_taken_as_they_are() -> None:
    found = read_detections(end2end((1, 2, 3, 4, 0.2, 1), (5, 6, 9, 9, 0.8, 0), (5, 6, 9, 9, 0.7, 0)), manifest("yolo_end2end"))
    assert found.xyxy.tolist() == [[5, 6, 9, 9], [5, 6, 9, 9], [1, 2, 3, 4]]
    assert found.label_index.tolist() == [0, 0, 1]


def test_a_classification_gives_a_score_per_class() -> None:
    scores = read_class_scores((np.array([[0.25, 0.75]], np.float32),), manifest("classify"))
    assert scores.tolist() == [0.25, 0.75]


def with_masks(output: NDArray[np.float32], axis: int, masks: int = 5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same candidates as a segmentation gives them, with mask values that are no scores, and its prototypes."""
    extra = list(output.shape)
    extra[axis] = masks
    return np.concatenate([output, np.full(extra, -7.0, np.float32)], axis=axis), np.zeros((1, masks, 16, 16), np.float32)


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_segmentation_gives_the_boxes_of_its_objects(is_turned: bool) -> None:
    dense = with_masks(*yolo_v8((10, 20, 4, 6, 0.3, 0.1), (50, 50, 10, 10, 0.2, 0.9)), axis=1)
    sparse = with_masks(*end2end((1, 2, 3, 4, 0.2, 1), (5, 6, 9, 9, 0.8, 0)), axis=2)
    found = read_detections(dense[::-1] if is_turned else dense, manifest("yolo_v8_seg"))
    assert (found.xyxy.tolist(), found.label_index.tolist()) == ([[45, 45, 55, 55], [8, 17, 12, 23]], [1, 0])
    found = read_detections(sparse[::-1] if is_turned else sparse, manifest("yolo_end2end_seg"))
    assert (found.xyxy.tolist(), found.label_index.tolist()) == ([[5, 6, 9, 9], [1, 2, 3, 4]], [0, 1])


@pytest.mark.parametrize("masks", [0, 4, 6, 99])
def test_a_segmentation_whose_outputs_disagree_is_refused(masks: int) -> None:
    (candidates, _), prototypes = with_masks(*yolo_v8((10, 20, 4, 6, 0.3, 0.1)), axis=1), np.zeros((1, masks, 16, 16), np.float32)
    with pytest.raises(ModelError, match="shape"):
        read_detections((candidates, prototypes), manifest("yolo_v8_seg"))


@pytest.mark.parametrize("outputs", [(), yolo_v8(), yolo_v8() * 2, with_masks(*yolo_v8(), axis=1) * 2])
def test_a_segmentation_without_its_two_outputs_is_refused(outputs: tuple[NDArray[np.float32], ...]) -> None:
    with pytest.raises(ModelError, match="candidates and mask prototypes"):
        read_detections(outputs, manifest("yolo_v8_seg"))


def test_a_head_of_another_task_is_no_manifest() -> None:
    with pytest.raises(ValidationError, match="the task detect has one of the heads yolo_v8, yolo_end2end, not yolo_v8_seg"):
        Manifest.model_validate({**manifest().model_dump(), "head": "yolo_v8_seg"})


NAN = float("nan")


@pytest.mark.parametrize(
    ("head", "outputs", "message"),
    [
        ("yolo_v8", yolo_v8((NAN, 20, 4, 6, 0.3, 0.1)), "a box that is not a number"),
        ("yolo_v8", yolo_v8((10, 20, 4, 6, NAN, 0.1)), "outside 0..1"),
        ("yolo_v8", yolo_v8((10, 20, 4, 6, 0.1, 0.1), (10, 20, 4, float("inf"), 0.0, 0.0)), "not a number"),
        ("yolo_v8", yolo_v8((10, 20, 4, 6, 3.2, 0.1)), "outside 0..1"),
        ("yolo_v8", yolo_v8((10, 20, 4, 6, 0.5, -0.2)), "outside 0..1"),
        ("yolo_v8", (np.zeros((1, 7, 10), np.float32),), r"shape \[1, 7, 10\], its manifest promises \[1, 6, N\]"),
        ("yolo_v8", (np.zeros((1, 10, 6), np.float32),), "shape"),
        ("yolo_v8", (np.zeros((6, 10), np.float32),), "shape"),
        ("yolo_v8", (np.zeros((2, 6, 10), np.float32),), "shape"),
        ("yolo_v8", (), "0 outputs"),
        ("yolo_v8", yolo_v8() + yolo_v8(), "2 outputs"),
        ("yolo_end2end", end2end((1, 2, 3, 4, 0.9, 2)), "a class outside the 2"),
        ("yolo_end2end", end2end((1, 2, 3, 4, 0.9, -1)), "a class outside"),
        ("yolo_end2end", end2end((1, 2, 3, 4, 0.9, 0.5)), "a class outside"),
        ("yolo_end2end", end2end((1, 2, 3, 4, 1.9, 0)), "outside 0..1"),
        ("yolo_end2end", end2end((1, NAN, 3, 4, 0.9, 0)), "not a number"),
        ("yolo_end2end", (np.zeros((1, 6, 300), np.float32),), "shape"),
    ],
)
def test_what_a_network_returns_is_not_trusted(head: str, outputs: tuple[NDArray[np.float32], ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_detections(outputs, manifest(head))


@pytest.mark.parametrize("scores", [[[0.5, 0.9]], [[NAN, 0.5]], [[0.2, 0.3, 0.5]], [[1.5, -0.5]], [0.5, 0.5]])
def test_class_scores_are_not_trusted(scores: Any) -> None:
    with pytest.raises(ModelError):
        read_class_scores((np.array(scores, np.float32),), manifest("classify"))


def test_a_rounded_sigmoid_is_no_fault() -> None:
    assert read_detections(yolo_v8((10, 20, 4, 6, 1.0005, -0.0005)), manifest()).score.tolist() == [1.0]


def plain_suppression(detections: Detections, iou: float) -> list[int]:
    """The textbook's greedy suppression, one box at a time."""
    kept: list[int] = []
    for index in np.argsort(-detections.score, kind="stable").tolist():
        x1, y1, x2, y2 = detections.xyxy[index].astype(float)
        for other in kept:
            a1, b1, a2, b2 = detections.xyxy[other].astype(float)
            overlap = max(0.0, min(x2, a2) - max(x1, a1)) * max(0.0, min(y2, b2) - max(y1, b1))
            union = (x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1) - overlap
            if detections.label_index[other] == detections.label_index[index] and overlap > iou * union:
                break
        else:
            kept.append(index)
    return kept


@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), iou=st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=100, deadline=None)
def test_suppression_agrees_with_the_textbook(seed: int, count: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-20, 200, (count, 2))
    found = Detections(
        xyxy=np.hstack([corner, corner + rng.uniform(5, 80, (count, 2))]).astype(np.float32),
        score=(rng.permutation(count) / max(count, 1)).astype(np.float32),
        label_index=rng.integers(0, 3, count).astype(np.int32),
    )
    expected = found.select(np.asarray(plain_suppression(found, iou), np.intp))
    assert np.array_equal(suppress(found, iou).xyxy, expected.xyxy)
