"""How good is a detector: average precision as COCO defines it, and the error of its counts.

    matched = match(truths, founds)              greedy matching at ten IoU thresholds
    average_precision(matched)                   mAP50 and mAP50-95, 101-point interpolation
    operating_curve(matched) / best_f1(curve)    precision and recall over the score threshold
    count_errors(truths, founds, threshold)      bias, MAE and Lin's CCC per image

A detector for counting is judged by its count error; average precision alone hides it. Agrees with pycocotools to 1e-6
(areas of ground truth are those of the boxes; crowd boxes are ignored and may be matched often).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
MAX_FOUND_PER_IMAGE = 100
ALL_AREAS_PX2 = (0.0, 1e10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTruth:
    """What is in one image: `boxes_xyxy_px` (N, 4), `label_index` (N,), `crowd` (N,) bool, a box around many."""

    boxes_xyxy_px: npt.NDArray[np.float32]
    label_index: npt.NDArray[np.int32]
    crowd: Flags

    @classmethod
    def of_one_class(cls, boxes_xyxy_px: npt.NDArray[np.float32]) -> ImageTruth:
        """Truth with a single class and no crowd boxes."""
        count = len(boxes_xyxy_px)
        return cls(boxes_xyxy_px=boxes_xyxy_px, label_index=np.zeros(count, np.int32), crowd=np.zeros(count, np.bool_))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFound:
    """What a detector reports for one image: `boxes_xyxy_px` (N, 4), `score` (N,), `label_index` (N,)."""

    boxes_xyxy_px: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label_index: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMatches:
    """Every detection of one class over all images, best score first.

    `score` (D,); `hit` and `ignored` (T, D) bool per IoU threshold; `n_truth` counts the boxes that had to be found.
    """

    label_index: int
    score: Floats
    hit: Flags
    ignored: Flags
    n_truth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision:
    """Means over the classes that occur, fractions; None where no class has a box to find."""

    map50: float | None
    map50_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Precision, recall and F1 at IoU 0.5 when detections with a score of at least `threshold` are counted."""

    threshold: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CountErrors:
    """Found minus true objects per image. `ccc` is Lin's concordance (1/n), None where both series are constant and equal."""

    n_images: int
    mean_true: float
    mean_found: float
    bias: float
    mae: float
    ccc: float | None


def match(
    truths: Sequence[ImageTruth],
    founds: Sequence[ImageFound],
    *,
    area_range_px2: tuple[float, float] = ALL_AREAS_PX2,
    max_found: int = MAX_FOUND_PER_IMAGE,
) -> list[LabelMatches]:
    """Match detections with truth class by class, image by image.

    Truth outside `area_range_px2` and crowd boxes need not be found; detections matched with them count neither way.
    """
    if len(truths) != len(founds):
        raise ValueError(f"{len(truths)} images with truth but {len(founds)} with detections")
    labels = {int(v) for truth in truths for v in truth.label_index} | {int(v) for found in founds for v in found.label_index}
    return [_match_label(label, truths, founds, area_range_px2, max_found) for label in sorted(labels)]


def average_precision(matches: Sequence[LabelMatches]) -> AveragePrecision:
    """Mean of the interpolated precision at 101 recall points, over classes (and thresholds for 50-95)."""
    per_class = [_interpolated(one) for one in matches if one.n_truth > 0]
    if not per_class:
        return AveragePrecision(map50=None, map50_95=None)
    table = np.stack(per_class)
    return AveragePrecision(map50=float(table[:, 0].mean()), map50_95=float(table.mean()))


def operating_curve(matches: Sequence[LabelMatches]) -> list[OperatingPoint]:
    """One point per distinct score, highest first, all classes together, at IoU 0.5."""
    n_truth = sum(one.n_truth for one in matches)
    score = np.concatenate([one.score[~one.ignored[0]] for one in matches]) if matches else np.zeros(0)
    hit = np.concatenate([one.hit[0][~one.ignored[0]] for one in matches]) if matches else np.zeros(0, np.bool_)
    order = np.argsort(-score, kind="mergesort")
    score, hits = score[order], np.cumsum(hit[order])
    last_of_score = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if score.size else np.zeros(0, np.int64)
    return [_point(float(score[i]), int(hits[i]), int(i) + 1, n_truth) for i in last_of_score]


def at_threshold(curve: Sequence[OperatingPoint], threshold: float) -> OperatingPoint:
    """The point of `curve` that holds when everything with a score of at least `threshold` counts."""
    reached = [point for point in curve if point.threshold >= threshold]
    if not reached:
        return OperatingPoint(threshold=threshold, precision=0.0, recall=0.0, f1=0.0)
    last = reached[-1]
    return OperatingPoint(threshold=threshold, precision=last.precision, recall=last.recall, f1=last.f1)


def best_f1(curve: Sequence[OperatingPoint]) -> OperatingPoint:
    """The point of the highest F1; of equals that with the highest threshold.

    Raises:
        ValueError: the curve is empty, nothing was detected.
    """
    if not curve:
        raise ValueError("no detection at all: there is no threshold to choose")
    return max(curve, key=lambda point: (point.f1, point.threshold))


def count_errors(truths: Sequence[ImageTruth], founds: Sequence[ImageFound], threshold: float) -> CountErrors:
    """Compare the number of objects per image, crowd boxes left out."""
    true = np.array([int((~truth.crowd).sum()) for truth in truths], np.float64)
    found = np.array([int((one.score >= threshold).sum()) for one in founds], np.float64)
    if not true.size or true.size != found.size:
        raise ValueError(f"{true.size} images with truth and {found.size} with detections cannot be compared")
    return CountErrors(
        n_images=int(true.size),
        mean_true=float(true.mean()),
        mean_found=float(found.mean()),
        bias=float((found - true).mean()),
        mae=float(np.abs(found - true).mean()),
        ccc=lin_ccc(true, found),
    )


def lin_ccc(x: Floats, y: Floats) -> float | None:
    """Lin's concordance correlation coefficient with variances over n; None where it is 0/0."""
    scale = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    if scale == 0.0:
        return None
    return 2.0 * float(((x - x.mean()) * (y - y.mean())).mean()) / scale


def iou_matrix(found_xyxy: Floats, truth_xyxy: Floats, crowd: Flags) -> Floats:
    """Overlap (D, G) of boxes; for a crowd box the share of the detection that lies inside it."""
    top_left = np.maximum(found_xyxy[:, None, :2], truth_xyxy[None, :, :2])
    bottom_right = np.minimum(found_xyxy[:, None, 2:], truth_xyxy[None, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0.0, None), axis=2)
    found_area, truth_area = _areas(found_xyxy)[:, None], _areas(truth_xyxy)[None, :]
    union = np.where(crowd[None, :], found_area, found_area + truth_area - shared)
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def _areas(boxes: Floats) -> Floats:
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.float64)


def _match_label(
    label: int, truths: Sequence[ImageTruth], founds: Sequence[ImageFound], area_range_px2: tuple[float, float], max_found: int
) -> LabelMatches:
    scores, hits, ignored = [np.zeros(0)], [np.zeros((10, 0), np.bool_)], [np.zeros((10, 0), np.bool_)]
    n_truth = 0
    for truth, found in zip(truths, founds, strict=True):
        mine, theirs = truth.label_index == label, found.label_index == label
        truth_boxes, crowd = truth.boxes_xyxy_px[mine].astype(np.float64), truth.crowd[mine]
        order = np.argsort(-found.score[theirs], kind="mergesort")[:max_found]
        found_boxes = found.boxes_xyxy_px[theirs][order].astype(np.float64)
        optional = crowd | _outside(truth_boxes, area_range_px2)
        hit, skip = _match_image(iou_matrix(found_boxes, truth_boxes, crowd), crowd, optional)
        skip |= ~hit & _outside(found_boxes, area_range_px2)[None, :]
        scores.append(found.score[theirs][order].astype(np.float64))
        hits.append(hit)
        ignored.append(skip)
        n_truth += int((~optional).sum())
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="mergesort")
    return LabelMatches(
        label_index=label,
        score=score[order],
        hit=np.concatenate(hits, axis=1)[:, order],
        ignored=np.concatenate(ignored, axis=1)[:, order],
        n_truth=n_truth,
    )


def _outside(boxes: Floats, area_range_px2: tuple[float, float]) -> Flags:
    area = _areas(boxes)
    return np.asarray((area < area_range_px2[0]) | (area > area_range_px2[1]), np.bool_)


def _match_image(iou: Floats, crowd: Flags, optional: Flags) -> tuple[Flags, Flags]:
    """Greedy matching of detections, best first: (hit, ignored), both (T, D) bool.

    A detection takes the free box of highest IoU; an optional box only where no required one fits; a crowd box is never used up.
    """
    hit = np.zeros((IOU_THRESHOLDS.size, iou.shape[0]), np.bool_)
    ignored = np.zeros_like(hit)
    if not iou.size:
        return hit, ignored
    for t, threshold in enumerate(IOU_THRESHOLDS):
        free = np.ones(iou.shape[1], np.bool_)
        for d in range(iou.shape[0]):
            fits = free & (iou[d] >= min(threshold, 1 - 1e-10))
            candidates = fits & ~optional if (fits & ~optional).any() else fits
            if not candidates.any():
                continue
            # Of equal overlaps the later box wins, as in pycocotools.
            overlap = np.where(candidates, iou[d], -1.0)
            best = overlap.size - 1 - int(np.argmax(overlap[::-1]))
            hit[t, d], ignored[t, d] = True, optional[best]
            free[best] = crowd[best]
    return hit, ignored


def _interpolated(one: LabelMatches) -> Floats:
    """Average precision (T,) of one class."""
    found = np.zeros(one.hit.shape[0])
    for t in range(one.hit.shape[0]):
        hits = np.cumsum(one.hit[t] & ~one.ignored[t]).astype(np.float64)
        misses = np.cumsum(~one.hit[t] & ~one.ignored[t]).astype(np.float64)
        recall = hits / one.n_truth
        precision = hits / (hits + misses + np.spacing(1))
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, RECALL_POINTS, side="left")
        found[t] = np.where(at < recall.size, np.append(envelope, 0.0)[np.minimum(at, recall.size)], 0.0).mean()
    return found


def _point(threshold: float, hits: int, counted: int, n_truth: int) -> OperatingPoint:
    precision, recall = hits / counted, hits / n_truth if n_truth else 0.0
    f1 = 2 * hits / (counted + n_truth)
    return OperatingPoint(threshold=threshold, precision=precision, recall=recall, f1=f1)
