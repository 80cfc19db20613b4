"""Does a score of 0.8 mean that eight of ten are right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.evaluate.values import Flags, Floats

N_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Detections with a score from `low` to below `high`: how many, their mean score, and the fraction that is right."""

    low: float
    high: float
    count: int
    mean_score: float | None
    precision: float | None


def reliability(score: Floats, hit: Flags, floor: float) -> tuple[list[ReliabilityBin], float | None]:
    """The reliability diagram and the expected calibration error (ECE), None without any detection.

    ECE is the mean over bins of |mean score - precision|, weighted by their detections: Guo et al. (2017), On calibration of
    modern neural networks, ICML; of detections as in Kueppers et al. (2020), Multivariate confidence calibration for object
    detection, CVPR workshops.

    Args:
        score: (D,) of detections, in 0..1.
        hit: (D,) bool, whether each is right at IoU 0.5.
        floor: below it nothing is shown to anybody; the countless faint candidates there would make any model look calibrated.
    """
    shown = score >= floor
    score, hit = score[shown], hit[shown]
    place = np.minimum((score * N_BINS).astype(np.intp), N_BINS - 1)
    count = np.bincount(place, minlength=N_BINS)
    sum_score = np.bincount(place, score, minlength=N_BINS)
    hits = np.bincount(place, hit.astype(np.float64), minlength=N_BINS)
    bins = [
        ReliabilityBin(
            low=index / N_BINS,
            high=(index + 1) / N_BINS,
            count=int(count[index]),
            mean_score=float(sum_score[index] / count[index]) if count[index] else None,
            precision=float(hits[index] / count[index]) if count[index] else None,
        )
        for index in range(N_BINS)
    ]
    total = int(count.sum())
    return bins, float(np.abs(sum_score - hits).sum() / total) if total else None
