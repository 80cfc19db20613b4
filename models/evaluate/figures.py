"""Everything that is told of a model, from what it found: accuracy, counts, calibration, speed.

figures(measurement, dataset)       at the threshold that the pack counts with
as_json(figures)                    a plain dict; the keys of the contract stand at its top
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.datasets.dataset import Dataset
from models.evaluate.at_work import AtWork, at_work
from models.evaluate.calibration import ReliabilityBin, reliability
from models.evaluate.counts import CountErrors, errors_of, found_counts, true_counts, unbiased_threshold
from models.evaluate.labels import align_labels
from models.evaluate.matching import MAX_FOUND_PER_IMAGE, LabelMatches, Matcher
from models.evaluate.measurement import Measurement
from models.evaluate.precision import (
    OperatingCurve,
    OperatingPoint,
    average_precision,
    best_f1,
    interpolated,
    operating_curve,
)
from models.evaluate.values import SIZES_PX2, ImageFound, ImageTruth

_FOUND_PER_TRUE = 3  # how many detections per image are ranked where images hold more than COCO thought of


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """One class. Counts, `precision`, `recall` and `f1` at the threshold; None where they would be 0/0."""

    label: str
    objects: int
    tp: int
    fp: int
    fn: int
    precision: float | None
    recall: float | None
    f1: float | None
    ap50: float | None
    ap50_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TowFigures:
    """Counts of one tow: true and found objects over all its images, and their mean per image."""

    tow: str | None
    images: int
    true: int
    found: int
    bias: float
    mae: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFigures:
    """One image at the threshold."""

    name: str
    tow: str | None
    true: int
    found: int
    tp: int
    fp: int
    fn: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How good a variant is on a data set. Fractions, objects per image, seconds; None where there is no such figure.

    Attributes:
        threshold: of the score; `precision` to `counts`, classes, tows, images and confusion hold at it.
        best_f1: the point of the highest F1 on this data set; `unbiased_threshold` the one that finds as many as there are.
        confusion: rows are the truth, columns what was found, the last of each is the background.
        ece: expected calibration error of the detections from the pack's own score floor upwards.
        max_found_per_image: per class, as in pycocotools' maxDets.
        images_per_s: on this machine, decoding included, all cores; `infer_share` is the network's part of the work.
        top1: of a classification, the fraction of images whose class is right, whatever the score.
    """

    variant: str
    runtime: str
    precision_kind: str
    device: str
    images: int
    objects: int
    map50: float | None
    map50_95: float | None
    map50_by_size: dict[str, float | None]
    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    best_f1: OperatingPoint | None
    unbiased_threshold: float | None
    counts: CountErrors
    ece: float | None
    reliability: tuple[ReliabilityBin, ...]
    classes: tuple[ClassFigures, ...]
    confusion_labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    by_tow: tuple[TowFigures, ...]
    by_image: tuple[ImageFigures, ...]
    max_found_per_image: int
    top1: float | None
    images_per_s: float | None
    infer_share: float | None


def figures(measurement: Measurement, dataset: Dataset, threshold: float | None = None) -> Figures:
    """All figures of a measurement.

    Args:
        dataset: the one that was measured; its labels are brought to those of the model.
        threshold: the score from which objects are counted; the pack's own if None.

    Raises:
        DatasetLabelsError: no label of the data set is one of the model's.
        ValueError: the data set has another number of images.
    """
    dataset = align_labels(dataset, measurement.labels)
    truths, founds = [image.truth for image in dataset.images], measurement.founds
    chosen = measurement.thresholds.score if threshold is None else threshold
    matcher = Matcher(truths, founds, max_found=ranked_per_image(truths))
    matches = matcher.by_label(matcher.assign())
    precision = average_precision(matches)
    curve = operating_curve(matches)
    work = at_work(truths, founds, chosen, len(measurement.labels))
    total = _total(work)
    bins, ece = calibration_of(matches, measurement.thresholds.score_floor)
    return Figures(
        variant=measurement.variant,
        runtime=measurement.runtime,
        precision_kind=measurement.precision,
        device=measurement.device,
        images=len(truths),
        objects=int(true_counts(truths).sum()),
        map50=precision.map50,
        map50_95=precision.map50_95,
        map50_by_size={name: average_precision(matcher.by_label(matcher.assign(area))).map50 for name, area in SIZES_PX2.items()},
        threshold=chosen,
        precision=total.precision,
        recall=total.recall,
        f1=total.f1,
        best_f1=best_f1(curve) if len(curve) else None,
        unbiased_threshold=unbiased_threshold(truths, founds),
        counts=errors_of(true_counts(truths), found_counts(founds, chosen)),
        ece=ece,
        reliability=tuple(bins),
        classes=_classes(measurement.labels, matches, work),
        confusion_labels=(*measurement.labels, "background"),
        confusion=tuple(tuple(int(value) for value in row) for row in work.confusion),
        by_tow=_by_tow(dataset, founds, chosen),
        by_image=_by_image(dataset, measurement, work, chosen),
        max_found_per_image=ranked_per_image(truths),
        top1=_top1(truths, founds) if measurement.task == "classify" else None,
        images_per_s=measurement.images_per_s,
        infer_share=measurement.infer_share,
    )


def as_json(result: Figures) -> dict[str, Any]:
    """The figures as plain values; count errors stand at the top as count_bias, count_mae, count_rmse, count_ccc."""
    plain = asdict(result)
    counts = plain.pop("counts")
    names = {"bias": "count_bias", "mae": "count_mae", "rmse": "count_rmse", "ccc": "count_ccc"}
    plain |= {names[key]: counts[key] for key in names}
    plain |= {"mean_true": counts["mean_true"], "mean_found": counts["mean_found"]}
    return plain


def ranked_per_image(truths: Sequence[ImageTruth]) -> int:
    """Detections per image and class that average precision ranks: COCO's 100, or more where an image holds more objects."""
    most = max((int(np.bincount(truth.label_index).max()) for truth in truths if len(truth.label_index)), default=0)
    return MAX_FOUND_PER_IMAGE if most <= MAX_FOUND_PER_IMAGE else _FOUND_PER_TRUE * most


def curve_of(measurement: Measurement, dataset: Dataset) -> tuple[list[LabelMatches], OperatingCurve]:
    """The matches of each class, and the curve of precision and recall over the threshold."""
    truths = [image.truth for image in align_labels(dataset, measurement.labels).images]
    matcher = Matcher(truths, measurement.founds, max_found=ranked_per_image(truths))
    matches = matcher.by_label(matcher.assign())
    return matches, operating_curve(matches)


def calibration_of(matches: Sequence[LabelMatches], floor: float) -> tuple[list[ReliabilityBin], float | None]:
    """Reliability of all classes together; see `calibration.reliability`."""
    score = np.concatenate([np.zeros(0), *(one.score[~one.ignored[0]] for one in matches)])
    hit = np.concatenate([np.zeros(0, np.bool_), *(one.hit[0][~one.ignored[0]] for one in matches)])
    return reliability(score, hit, floor)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _class(label: str, tp: int, fp: int, fn: int, ap: tuple[float | None, float | None]) -> ClassFigures:
    return ClassFigures(
        label=label,
        objects=tp + fn,
        tp=tp,
        fp=fp,
        fn=fn,
        precision=_ratio(tp, tp + fp),
        recall=_ratio(tp, tp + fn),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        ap50=ap[0],
        ap50_95=ap[1],
    )


def _total(work: AtWork) -> ClassFigures:
    return _class("all", int(work.tp.sum()), int(work.fp.sum()), int(work.fn.sum()), (None, None))


def _classes(labels: Sequence[str], matches: Sequence[LabelMatches], work: AtWork) -> tuple[ClassFigures, ...]:
    precision = {one.label_index: interpolated(one) for one in matches if one.n_truth}
    rows = []
    for index, label in enumerate(labels):
        ap = precision.get(index)
        both = (None, None) if ap is None else (float(ap[0]), float(ap.mean()))
        rows.append(_class(label, int(work.label_tp[index]), int(work.label_fp[index]), int(work.label_fn[index]), both))
    return tuple(rows)


def _by_tow(dataset: Dataset, founds: Sequence[ImageFound], threshold: float) -> tuple[TowFigures, ...]:
    true, found = true_counts([image.truth for image in dataset.images]), found_counts(founds, threshold)
    places: dict[str | None, list[int]] = {}
    for index, image in enumerate(dataset.images):
        places.setdefault(image.tow, []).append(index)
    rows = []
    for tow, chosen in sorted(places.items(), key=lambda item: (item[0] is None, item[0] or "")):
        errors = errors_of(true[chosen], found[chosen])
        total_true, total_found = int(true[chosen].sum()), int(found[chosen].sum())
        rows.append(TowFigures(tow=tow, images=len(chosen), true=total_true, found=total_found, bias=errors.bias, mae=errors.mae))
    return tuple(rows)


def _by_image(dataset: Dataset, measurement: Measurement, work: AtWork, threshold: float) -> tuple[ImageFigures, ...]:
    true = true_counts([image.truth for image in dataset.images])
    found = found_counts(measurement.founds, threshold)
    return tuple(
        ImageFigures(
            name=image.name,
            tow=image.tow,
            true=int(true[index]),
            found=int(found[index]),
            tp=int(work.tp[index]),
            fp=int(work.fp[index]),
            fn=int(work.fn[index]),
            seconds=measurement.image_s[index],
        )
        for index, image in enumerate(dataset.images)
    )


def _top1(truths: Sequence[ImageTruth], founds: Sequence[ImageFound]) -> float | None:
    right = [
        bool(len(found.label_index) and found.label_index[0] == truth.label_index[0])
        for truth, found in zip(truths, founds, strict=True)
        if len(truth.label_index)
    ]
    return sum(right) / len(right) if right else None
