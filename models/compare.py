"""Two models on the same images: which boxes agree, and how far the counts lie apart.

    agreement = match_boxes(a_xyxy, b_xyxy)     pairs at IoU 0.5, best overlap first
    sum_up(counted)                             mean difference with its spread, Lin's CCC, share of boxes that agree

Neither model is the truth here: everything but the sign of a difference (B minus A) is the same with A and B exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.evaluate import iou_matrix, lin_ccc

IOU_OF_A_PAIR = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """`a_partner[i]` is the place in B of the box that pairs with box i of A, or None; `b_partner` the other way round."""

    a_partner: tuple[int | None, ...]
    b_partner: tuple[int | None, ...]

    @property
    def matched(self) -> int:
        """How many pairs there are."""
        return sum(partner is not None for partner in self.a_partner)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFile:
    """The figures of one file: objects that A and B count, and how many boxes pair up."""

    a_count: int
    b_count: int
    matched: int
    a_infer_ms: float
    b_infer_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareFigures:
    """The figures of a whole comparison. A difference is B minus A, per file; None where there is nothing to reckon with.

    Attributes:
        difference_sd: standard deviation of the difference (n - 1); limits_low, limits_high: mean -/+ 1.96 of it, between which
            19 of 20 files are expected (the limits of agreement of Bland and Altman, 1986).
        ccc: Lin's concordance of the two counts over the files.
        agreement: pairs over all boxes, each pair counted once: 1 where both models mark the same.
        a_infer_ms, b_infer_ms: median time of inference of one file, alone.
    """

    files: int
    a_total: int
    b_total: int
    matched: int
    only_a: int
    only_b: int
    a_mean: float | None
    b_mean: float | None
    difference_mean: float | None
    difference_sd: float | None
    limits_low: float | None
    limits_high: float | None
    ccc: float | None
    agreement: float | None
    a_infer_ms: float | None
    b_infer_ms: float | None


def match_boxes(a_xyxy: npt.NDArray[np.floating], b_xyxy: npt.NDArray[np.floating], *, iou: float = IOU_OF_A_PAIR) -> Agreement:
    """Pair boxes (N, 4) and (M, 4), pixels, that overlap by at least `iou`; the pair of the best overlap first, each box once."""
    a_partner: list[int | None] = [None] * len(a_xyxy)
    b_partner: list[int | None] = [None] * len(b_xyxy)
    overlap = iou_matrix(a_xyxy.astype(np.float64), b_xyxy.astype(np.float64), np.zeros(len(b_xyxy), np.bool_))
    rows, columns = np.nonzero(overlap >= iou)
    for at in np.argsort(-overlap[rows, columns], kind="mergesort"):
        i, j = int(rows[at]), int(columns[at])
        if a_partner[i] is None and b_partner[j] is None:
            a_partner[i], b_partner[j] = j, i
    return Agreement(a_partner=tuple(a_partner), b_partner=tuple(b_partner))


def sum_up(counted: Sequence[CountedFile]) -> CompareFigures:
    """The figures over all files that both models could process."""
    a = np.array([one.a_count for one in counted], np.float64)
    b = np.array([one.b_count for one in counted], np.float64)
    difference = b - a
    mean = float(difference.mean()) if counted else None
    sd = float(difference.std(ddof=1)) if len(counted) > 1 else None
    has_limits = mean is not None and sd is not None
    matched = sum(one.matched for one in counted)
    a_total, b_total = int(a.sum()), int(b.sum())
    marked = a_total + b_total - matched
    return CompareFigures(
        files=len(counted),
        a_total=a_total,
        b_total=b_total,
        matched=matched,
        only_a=a_total - matched,
        only_b=b_total - matched,
        a_mean=float(a.mean()) if counted else None,
        b_mean=float(b.mean()) if counted else None,
        difference_mean=mean,
        difference_sd=sd,
        limits_low=mean - 1.96 * sd if has_limits else None,  # type: ignore[operator]  # has_limits: both are numbers
        limits_high=mean + 1.96 * sd if has_limits else None,  # type: ignore[operator]
        ccc=lin_ccc(a, b) if counted else None,
        agreement=matched / marked if marked else None,
        a_infer_ms=float(np.median([one.a_infer_ms for one in counted])) if counted else None,
        b_infer_ms=float(np.median([one.b_infer_ms for one in counted])) if counted else None,
    )
