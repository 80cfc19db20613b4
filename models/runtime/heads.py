"""From the raw output of a network to detections in pixels of its input, or to class scores.

    yolo_v8        (1, 4 + C, N): centre x, centre y, width, height, then a score per class; N candidates (YOLOv8, YOLO11)
    yolo_end2end   (1, K, 6): x_min, y_min, x_max, y_max, score, class; already free of duplicates (YOLOv10, YOLO26)
    yolo_v8_seg, yolo_end2end_seg   the same with M more values per candidate, and M mask prototypes (1, M, H/4, W/4)
    classify       (1, C): a score per class

Of a segmentation the boxes are read; the masks that its prototypes would give are not kept.

What a network returns is not trusted: anything that is not finite, not of the shape, not a score, or not a class of the
manifest is a `ModelError`, never "nothing found".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.values import Detections
from models.manifest import Manifest, Thresholds
from models.runtime.protocols import Float32Array
from models.runtime.vision import cv2

SCORE_SLACK = 1e-3  # rounding of a sigmoid in 8 or 16 bits
MAX_CANDIDATES = 5_000  # per image into the suppression, best first
_SUM_SLACK = 0.02  # of class scores in 8 or 16 bits


def read_detections(outputs: tuple[Float32Array, ...], manifest: Manifest) -> Detections:
    """Detections at or above `score_floor`, pixels of the network's input, best score first, at most `max_objects`.

    Raises:
        ModelError: the output is not what the head of the manifest promises.
    """
    if manifest.task == "classify":
        raise ModelError(f"the head {manifest.head} gives no boxes")
    is_dense = manifest.head in {"yolo_v8", "yolo_v8_seg"}
    output = _without_masks(outputs, axis=1 if is_dense else 2) if manifest.task == "segment" else _only(outputs)
    if is_dense:
        return _read_yolo_v8(output, len(manifest.labels), manifest.thresholds)
    return _read_yolo_end2end(output, len(manifest.labels), manifest.thresholds)


def read_class_scores(outputs: tuple[Float32Array, ...], manifest: Manifest) -> Float32Array:
    """Score per class, (C,) float32 in 0..1 that sum to 1.

    Raises:
        ModelError: the output is not what the head of the manifest promises.
    """
    output = _only(outputs)
    count = len(manifest.labels)
    if output.shape != (1, count):
        raise ModelError(f"the model returned shape {list(output.shape)}, its manifest promises [1, {count}]")
    scores = _checked_scores(output[0])
    if abs(float(scores.sum()) - 1.0) > _SUM_SLACK:
        raise ModelError(f"the class scores sum to {float(scores.sum()):.3f}, not 1: the model lacks its softmax")
    return scores


def suppress(detections: Detections, iou: float) -> Detections:
    """Class-wise non-maximum suppression: of boxes of one class that overlap by more than `iou`, the best score stays.

    Args:
        detections: in any order; at most MAX_CANDIDATES of the best scores are considered.
        iou: intersection over union, 0..1.
    """
    if len(detections) == 0:
        return detections
    order = np.argsort(-detections.score, kind="stable")[:MAX_CANDIDATES]
    best = detections.select(order)
    size = best.xyxy[:, 2:] - best.xyxy[:, :2]
    boxes: Any = np.hstack([best.xyxy[:, :2], size]).astype(np.float64)  # OpenCV's stubs know lists only
    scores: Any = best.score
    label_index: Any = best.label_index
    # The threshold lies below every score: the floor has been applied already.
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores, label_index, -1.0, iou)
    return best.select(np.sort(np.asarray(kept, np.intp)))


def _read_yolo_v8(output: Float32Array, label_count: int, thresholds: Thresholds) -> Detections:
    if output.ndim != 3 or output.shape[:2] != (1, 4 + label_count):
        raise ModelError(f"the model returned shape {list(output.shape)}, its manifest promises [1, {4 + label_count}, N]")
    boxes, class_scores = output[0, :4], _checked_scores(output[0, 4:])
    if not np.isfinite(boxes).all():
        raise ModelError("the model returned a box that is not a number")
    best = class_scores[0] if label_count == 1 else class_scores.max(axis=0)
    chosen = np.flatnonzero(best >= thresholds.score_floor)
    label_index = class_scores[:, chosen].argmax(axis=0).astype(np.int32)
    centre, half = boxes[:2, chosen], np.maximum(boxes[2:, chosen], 0) / 2
    xyxy = np.ascontiguousarray(np.vstack([centre - half, centre + half]).T, np.float32)
    found = Detections(xyxy=xyxy, score=best[chosen], label_index=label_index)
    return _best(suppress(found, thresholds.nms_iou), thresholds.max_objects)


def _read_yolo_end2end(output: Float32Array, label_count: int, thresholds: Thresholds) -> Detections:
    if output.ndim != 3 or output.shape[0] != 1 or output.shape[2] != 6:
        raise ModelError(f"the model returned shape {list(output.shape)}, its manifest promises [1, K, 6]")
    rows = output[0]
    if not np.isfinite(rows).all():
        raise ModelError("the model returned a value that is not a number")
    score = _checked_scores(rows[:, 4])
    # Rows below the floor are padding; what they hold besides the score has no meaning.
    chosen = np.flatnonzero(score >= thresholds.score_floor)
    labels = rows[chosen, 5]
    if len(labels) and (labels.min() < 0 or labels.max() >= label_count or (labels != np.floor(labels)).any()):
        raise ModelError(f"the model returned a class outside the {label_count} of its manifest")
    xyxy = rows[chosen, :4].copy()
    xyxy[:, 2:] = np.maximum(xyxy[:, 2:], xyxy[:, :2])
    found = Detections(xyxy=xyxy, score=score[chosen], label_index=labels.astype(np.int32))
    return _best(found.select(np.argsort(-found.score, kind="stable")), thresholds.max_objects)


def _best(detections: Detections, count: int) -> Detections:
    return detections if len(detections) <= count else detections.select(np.arange(count))


def _without_masks(outputs: tuple[Float32Array, ...], *, axis: int) -> Float32Array:
    """The candidates of a segmentation in the layout of a detection: the M mask values along `axis` left out.

    The two outputs are told apart by their rank; files disagree on their order.
    """
    candidates = [output for output in outputs if output.ndim == 3]
    prototypes = [output for output in outputs if output.ndim == 4]
    if len(outputs) != 2 or len(candidates) != 1 or len(prototypes) != 1:
        shapes = ", ".join(str(list(output.shape)) for output in outputs)
        raise ModelError(f"the model returned {shapes or 'nothing'}; a segmentation returns candidates and mask prototypes")
    values = max(0, candidates[0].shape[axis] - prototypes[0].shape[1])
    return candidates[0][:, :values] if axis == 1 else candidates[0][:, :, :values]


def _only(outputs: tuple[Float32Array, ...]) -> Float32Array:
    if len(outputs) != 1:
        raise ModelError(f"the model returned {len(outputs)} outputs, not one")
    return outputs[0]


def _checked_scores(scores: NDArray[np.float32]) -> Float32Array:
    if scores.size == 0:
        return scores
    lowest, highest = float(scores.min()), float(scores.max())
    # A comparison with NaN is false, so this refuses it too.
    if not (lowest >= -SCORE_SLACK and highest <= 1.0 + SCORE_SLACK):
        raise ModelError(f"the model returned scores from {lowest:g} to {highest:g}, outside 0..1")
    return np.clip(scores, 0.0, 1.0)
