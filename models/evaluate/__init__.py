"""How good is a model: average precision as COCO defines it, and the error of its counts.

    matched = match(truths, founds)              greedy matching at ten IoU thresholds
    average_precision(matched)                   mAP50 and mAP50-95, 101-point interpolation
    operating_curve(matched) / best_f1(curve)    precision and recall over the score threshold
    count_errors(truths, founds, threshold)      bias, MAE and Lin's CCC per image

A detector for counting is judged by its count error; average precision alone hides it.
"""

from __future__ import annotations

from models.evaluate.counts import CountErrors, count_errors, lin_ccc
from models.evaluate.matching import IOU_THRESHOLDS, MAX_FOUND_PER_IMAGE, LabelMatches, iou_matrix, match
from models.evaluate.precision import (
    RECALL_POINTS,
    AveragePrecision,
    OperatingCurve,
    OperatingPoint,
    at_threshold,
    average_precision,
    best_f1,
    operating_curve,
)
from models.evaluate.values import ALL_AREAS_PX2, Flags, Floats, ImageFound, ImageTruth

__all__ = [
    "ALL_AREAS_PX2",
    "IOU_THRESHOLDS",
    "MAX_FOUND_PER_IMAGE",
    "RECALL_POINTS",
    "AveragePrecision",
    "CountErrors",
    "Flags",
    "Floats",
    "ImageFound",
    "ImageTruth",
    "LabelMatches",
    "OperatingCurve",
    "OperatingPoint",
    "at_threshold",
    "average_precision",
    "best_f1",
    "count_errors",
    "iou_matrix",
    "lin_ccc",
    "match",
    "operating_curve",
]
