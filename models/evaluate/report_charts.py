"""The charts of an evaluation."""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.evaluate.evaluation import Evaluation
from models.evaluate.figures import Figures, curve_of
from models.evaluate.matching import LabelMatches
from models.evaluate.precision import operating_curve
from models.report.page import charts, figure, paragraph, table, told
from models.report.svg import Plot, deviation_bars, fraction_axis, nice_axis

_MOST_LINES = 5  # classes in one chart
_MOST_TOWS = 30


def counts(result: Figures) -> str:
    """Found against true, and how the errors are spread."""
    return charts([_scatter(result), _errors(result)])


def _scatter(result: Figures) -> str:
    at = Counter((image.true, image.found) for image in result.by_image)
    most = max(max(pair) for pair in at)
    axis = nice_axis("labelled objects per image", 0, most)
    plot = Plot("Count found against count labelled", axis, nice_axis("found objects per image", 0, most))
    plot.diagonal("as many as labelled")
    tips = [f"{true} labelled, {found} found: {times} images" for (true, found), times in at.items()]
    sizes = [2.5 + 2.0 * times**0.5 for times in at.values()]
    plot.dots([true for true, _ in at], [found for _, found in at], name="images (area: how many)", tips=tips, sizes=sizes)
    return figure(plot.render(), "Each image once. Above the line the model finds too many, below it too few.")


def _errors(result: Figures) -> str:
    errors = np.array([image.found - image.true for image in result.by_image])
    low, high = int(errors.min()), int(errors.max())
    width = max(1, -(-(high - low + 1) // 25))
    starts = np.arange(low, high + 1, width)
    times = [int(((errors >= start) & (errors < start + width)).sum()) for start in starts]
    plot = Plot("Errors of the count", nice_axis("found minus labelled", low - 0.5, high + width), nice_axis("images", 0, max(times)))
    edges = [(float(start) - 0.5, float(start) + width - 0.5) for start in starts]
    tips = [f"{start} to {start + width - 1}: {count} images" for start, count in zip(starts, times, strict=True)]
    plot.columns(edges, times, name="images", tips=tips)
    plot.upright(float(errors.mean()), f"bias {errors.mean():+.2f}")
    return figure(plot.render(), f"Standard deviation {errors.std():.2f}, the largest errors {low:+d} and {high:+d} objects.")


def tows(result: Figures) -> str:
    """Count error by tow."""
    rows = [row for row in result.by_tow if row.tow is not None]
    if not rows:
        return paragraph("Neither folders nor names tell the tows; --tow-pattern does.")
    worst = sorted(rows, key=lambda row: -abs(row.bias))[:_MOST_TOWS]
    kept = [row for row in rows if row in worst]
    bars = [(row.tow or "", row.bias, f"{row.bias:+.1f} ({row.images} images)") for row in kept]
    drawing = deviation_bars("Count error by tow", "found minus labelled objects per image", bars)
    left_out = f" The {_MOST_TOWS} tows of {len(rows)} with the largest error." if len(rows) > _MOST_TOWS else ""
    numbers = ("images", "labelled", "found", "difference", "per image", "MAE")
    cells = [
        [
            row.tow or "not told",
            str(row.images),
            str(row.true),
            str(row.found),
            f"{(row.found - row.true) / row.true:+.1%}" if row.true else "-",
            told(row.bias, 2, signed=True),
            told(row.mae, 2),
        ]
        for row in (kept if len(rows) > _MOST_TOWS else result.by_tow)
    ]
    caption = f"Mean error of the count per image, by tow.{left_out}"
    return charts([figure(drawing, caption), table(("tow", *numbers), cells, numbers=numbers)])


def detection(evaluation: Evaluation) -> str:
    """Precision, recall and F1, and whether scores mean what they say."""
    measurement, result = evaluation.chosen_parts()
    matches, _ = curve_of(measurement, evaluation.dataset)
    return charts([_precision_recall(result, matches), _over_threshold(result, matches), _reliability(result)])


def _precision_recall(result: Figures, matches: list[LabelMatches]) -> str:
    plot = Plot("Precision against recall", fraction_axis("recall"), fraction_axis("precision"))
    curve = operating_curve(matches)
    plot.line([0.0, *curve.recall.tolist()], [1.0, *curve.precision.tolist()] if len(curve) else [1.0], name="all classes")
    largest = sorted((one for one in matches if one.n_truth), key=lambda one: -one.n_truth)
    if len(largest) > 1:
        for one in largest[:_MOST_LINES]:
            own = operating_curve([one])
            plot.line(own.recall.tolist(), own.precision.tolist(), name=result.confusion_labels[one.label_index])
    if result.recall is not None and result.precision is not None:
        plot.dots([result.recall], [result.precision], name=f"at the threshold {result.threshold:.3g}", sizes=[5.0])
    return figure(plot.render(), f"The area under it is about the average precision: mAP50 {told(result.map50)}.")


def _over_threshold(result: Figures, matches: list[LabelMatches]) -> str:
    curve = operating_curve(matches)
    plot = Plot("F1, precision and recall over the threshold", fraction_axis("threshold of the score"), fraction_axis("fraction"))
    for name, values in (("F1", curve.f1), ("precision", curve.precision), ("recall", curve.recall)):
        plot.line(curve.threshold.tolist(), values.tolist(), name=name)
    plot.upright(result.threshold, f"counted from {result.threshold:.2f}")
    if result.best_f1 is not None:
        plot.upright(result.best_f1.threshold, f"best F1, from {result.best_f1.threshold:.2f}")
    if result.unbiased_threshold is not None:
        plot.upright(result.unbiased_threshold, f"no bias, from {result.unbiased_threshold:.2f}")
    best = f"Best F1 {told(result.best_f1.f1 if result.best_f1 else None)}. "
    caption = (
        best + "At 'no bias' as many objects are found as are labelled, over all images; a threshold chosen on these images flatters them."
    )
    return figure(plot.render(), caption)


def _reliability(result: Figures) -> str:
    filled = [one for one in result.reliability if one.count and one.precision is not None and one.mean_score is not None]
    plot = Plot("Reliability of scores", fraction_axis("score"), fraction_axis("fraction that is right"))
    tips = [f"score {one.low:.1f} to {one.high:.1f}: {one.count} detections, {one.precision:.2f} right" for one in filled]
    plot.columns(
        [(one.low, one.high) for one in filled], [one.precision or 0.0 for one in filled], name="detections of that score", tips=tips
    )
    plot.dots([one.mean_score or 0.0 for one in filled], [one.precision or 0.0 for one in filled], name="their mean score", tips=tips)
    plot.diagonal("a score that says what it is worth")
    caption = f"ECE {told(result.ece)}. Bars below the line: the model is surer than it should be."
    return figure(plot.render(), caption)
