"""Average precision, and precision and recall over the threshold of the score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from models.evaluate.matching import LabelMatches
from models.evaluate.values import Floats

RECALL_POINTS = np.linspace(0.0, 1.0, 101)


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


class OperatingCurve(Sequence[OperatingPoint]):
    """One point per distinct score, highest first. `threshold`, `precision`, `recall`, `f1` are (P,) float64."""

    def __init__(self, threshold: Floats, hits: Floats, counted: Floats, n_truth: int) -> None:
        self.threshold = threshold
        self.precision = np.divide(hits, counted, out=np.zeros_like(hits), where=counted > 0)
        self.recall = hits / n_truth if n_truth else np.zeros_like(hits)
        self.f1 = 2 * hits / np.maximum(counted + n_truth, 1)

    def __len__(self) -> int:
        return len(self.threshold)

    @overload
    def __getitem__(self, index: int) -> OperatingPoint: ...
    @overload
    def __getitem__(self, index: slice) -> list[OperatingPoint]: ...
    def __getitem__(self, index: int | slice) -> OperatingPoint | list[OperatingPoint]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        return OperatingPoint(
            threshold=float(self.threshold[index]),
            precision=float(self.precision[index]),
            recall=float(self.recall[index]),
            f1=float(self.f1[index]),
        )

    def __iter__(self) -> Iterator[OperatingPoint]:
        return (self[index] for index in range(len(self)))


def average_precision(matches: Sequence[LabelMatches]) -> AveragePrecision:
    """Mean of the interpolated precision at 101 recall points, over classes (and thresholds for 50-95)."""
    per_class = [interpolated(one) for one in matches if one.n_truth > 0]
    if not per_class:
        return AveragePrecision(map50=None, map50_95=None)
    table = np.stack(per_class)
    return AveragePrecision(map50=float(table[:, 0].mean()), map50_95=float(table.mean()))


def interpolated(one: LabelMatches) -> Floats:
    """Average precision (T,) of one class, which has a box to find."""
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


def operating_curve(matches: Sequence[LabelMatches]) -> OperatingCurve:
    """One point per distinct score, highest first, all classes together, at IoU 0.5."""
    score = np.concatenate([np.zeros(0), *(one.score[~one.ignored[0]] for one in matches)])
    hit = np.concatenate([np.zeros(0, np.bool_), *(one.hit[0][~one.ignored[0]] for one in matches)])
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(hit[order]).astype(np.float64)
    last_of_score = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if score.size else np.zeros(0, np.intp)
    n_truth = sum(one.n_truth for one in matches)
    return OperatingCurve(score[last_of_score], hits[last_of_score], (last_of_score + 1).astype(np.float64), n_truth)


def at_threshold(curve: OperatingCurve, threshold: float) -> OperatingPoint:
    """The point of `curve` that holds when everything with a score of at least `threshold` counts."""
    reached = int(np.searchsorted(-curve.threshold, -threshold, side="right"))
    if not reached:
        return OperatingPoint(threshold=threshold, precision=0.0, recall=0.0, f1=0.0)
    last = curve[reached - 1]
    return OperatingPoint(threshold=threshold, precision=last.precision, recall=last.recall, f1=last.f1)


def best_f1(curve: OperatingCurve) -> OperatingPoint:
    """The point of the highest F1; of equals that with the highest threshold.

    Raises:
        ValueError: the curve is empty, nothing was detected.
    """
    if not len(curve):
        raise ValueError("no detection at all: there is no threshold to choose")
    return curve[int(np.argmax(curve.f1))]
