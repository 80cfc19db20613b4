"""evaluation.html: one page that a model maker and a stock assessor read together."""

from __future__ import annotations

import numpy as np

from edge.errors import InputError
from models.evaluate import report_charts as charts
from models.evaluate.at_work import at_work
from models.evaluate.drawn import legend, picture
from models.evaluate.evaluation import Evaluation
from models.evaluate.figures import Figures
from models.report.page import Section, cards, figure, matrix, page, paragraph, pictures, table, told

WORST_IMAGES = 20
_MOST_CLASSES_IN_MATRIX = 15
_MOST_CONFUSIONS = 30
_NUMBERS = ("mAP50", "mAP50-95", "precision", "recall", "F1", "count bias", "count MAE", "CCC", "ECE", "images/s")


def report_page(evaluation: Evaluation) -> str:
    """The whole report as one HTML file."""
    manifest = evaluation.pack.manifest
    _, result = evaluation.chosen_parts()
    sections = [
        Section(key="variants", heading="Variants", intro=paragraph(_VARIANTS), body=_variants(evaluation)),
        Section(key="counts", heading="Counts", intro=paragraph(_COUNTS), body=charts.counts(result)),
        Section(key="tows", heading="Tows", intro=paragraph(_TOWS), body=charts.tows(result)),
        Section(key="detection", heading="Detection", intro=paragraph(_DETECTION), body=charts.detection(evaluation)),
        Section(key="classes", heading="Classes", body=_classes(result)),
        Section(key="confusion", heading="Confusion", intro=paragraph(_CONFUSION), body=_confusion(result)),
        Section(key="worst", heading="Worst images", intro=paragraph(_WORST) + legend(), body=_worst(evaluation)),
        Section(key="about", heading="About this report", body=_about(evaluation)),
    ]
    return page(f"{manifest.title}: evaluation", _lead(evaluation, result), sections)


_VARIANTS = (
    "All variants saw the same images. The one in bold is the one that this machine would choose; the figures below are its own. "
    "Images per second include decoding, all cores together."
)
_COUNTS = (
    "A survey counts, so the count decides. Bias is the mean of found minus true objects per image: it goes straight into the density, "
    "and no number of images averages it away. MAE is how far a single image is off. Lin's CCC is 1 when the model counts as the labels "
    "do, 0 when it knows nothing; surveys send a counter below 0.5 to a recount."
)
_TOWS = (
    "Frames of one tow resemble each other, so tows, not images, are the independent samples. A model that is right on average but "
    "off by tow moves the index of single stations."
)
_DETECTION = (
    "Precision is the fraction of detections that are right, recall the fraction of objects that are found, both at an overlap (IoU) of "
    "0.5. Raising the threshold trades recall for precision."
)
_CONFUSION = (
    "Rows are what the labels say, columns what the model says, boxes matched whatever their class. Background as a row are false "
    "alarms, as a column missed objects."
)
_WORST = "The images with the largest error of the count, and among those the most missed objects and false alarms."


def _lead(evaluation: Evaluation, result: Figures) -> str:
    manifest, dataset = evaluation.pack.manifest, evaluation.dataset
    tows = len({image.tow for image in dataset.images if image.tow is not None})
    text = (
        f"{manifest.name} {manifest.version}, variant {result.variant} on {result.device}: {result.images} images"
        f"{f' of {tows} tows' if tows else ''} with {result.objects} labelled objects, counted from a score of {result.threshold:.3g}."
    )
    counts = result.counts
    relative = (
        f"{counts.bias / counts.mean_true:+.1%} of the true mean {counts.mean_true:.1f}" if counts.mean_true else "no object is there"
    )
    shown = [
        ("Count bias per image", told(counts.bias, 2, signed=True), relative),
        ("Count MAE per image", told(counts.mae, 2), f"RMSE {told(counts.rmse, 2)}"),
        ("Lin's CCC of counts", told(counts.ccc, 3), "1 is perfect, 0.5 asks for a recount"),
        ("mAP50", told(result.map50, 3), f"mAP50-95 {told(result.map50_95, 3)}"),
        ("Precision / recall", f"{told(result.precision, 2)} / {told(result.recall, 2)}", f"F1 {told(result.f1, 3)} at the threshold"),
        ("Calibration error (ECE)", told(result.ece, 3), "0: a score of 0.8 is right 8 times in 10"),
    ]
    if result.top1 is not None:
        shown.insert(0, ("Right class (top 1)", f"{result.top1:.1%}", "of the images, whatever the score"))
    warnings = "".join(paragraph(f"Note: {warning}.", kind="caution") for warning in dataset.warnings)
    return paragraph(text, kind="muted") + cards(shown) + warnings


def _variants(evaluation: Evaluation) -> str:
    rows = []
    for one in evaluation.results:
        result = one.figures
        if result is None:
            rows.append([one.name, *["-"] * len(_NUMBERS), one.fault])
            continue
        counts = result.counts
        cells = [result.map50, result.map50_95, result.precision, result.recall, result.f1]
        rows.append(
            [
                one.name,
                *(told(value) for value in cells),
                told(counts.bias, 2, signed=True),
                told(counts.mae, 2),
                told(counts.ccc),
                told(result.ece),
                told(result.images_per_s, 1),
                one.standing,
            ]
        )
    return table(("variant", *_NUMBERS, "on this machine"), rows, numbers=_NUMBERS, chosen=0)


def _classes(result: Figures) -> str:
    numbers = ("objects", "right", "false alarms", "missed", "precision", "recall", "F1", "AP50", "AP50-95")
    rows = [
        [
            one.label,
            *(str(value) for value in (one.objects, one.tp, one.fp, one.fn)),
            *(told(value) for value in (one.precision, one.recall, one.f1, one.ap50, one.ap50_95)),
        ]
        for one in result.classes
    ]
    sizes = [[name, told(value)] for name, value in result.map50_by_size.items()]
    by_size = paragraph("By size of the object, as COCO divides it (32 and 96 px square):")
    return table(("class", *numbers), rows, numbers=numbers) + by_size + table(("size", "mAP50"), sizes, numbers=("mAP50",))


def _confusion(result: Figures) -> str:
    names = result.confusion_labels
    if len(names) <= _MOST_CLASSES_IN_MATRIX + 1:
        return matrix("truth \\ found", names, result.confusion)
    counts = np.array(result.confusion)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    cells = [divmod(int(place), len(names)) for place in order]
    rows = [[names[row], names[column], str(counts[row, column])] for row, column in cells if counts[row, column]]
    return paragraph("The most frequent errors:") + table(("in the labels", "found", "times"), rows, numbers=("times",))


def _worst(evaluation: Evaluation) -> str:
    measurement, result = evaluation.chosen_parts()
    images, founds = evaluation.dataset.images, measurement.founds
    work = at_work([image.truth for image in images], founds, result.threshold, len(measurement.labels))
    rows = result.by_image
    order = sorted(range(len(rows)), key=lambda index: (-abs(rows[index].found - rows[index].true), -rows[index].fn - rows[index].fp))
    drawn = []
    for index in order[:WORST_IMAGES]:
        row = rows[index]
        if row.fn + row.fp == 0:
            break
        caption = (
            f"{row.name}: {row.true} labelled, {row.found} found ({row.found - row.true:+d}); {row.tp} right, {row.fn} missed, "
            f"{row.fp} false alarms{f'. Tow {row.tow}' if row.tow else ''}"
        )
        try:
            drawing = picture(
                images[index],
                founds[index],
                counted=founds[index].score.astype(np.float64) >= result.threshold,
                found_hit=work.found_hit[index],
                truth_hit=work.truth_hit[index],
            )
        except InputError as error:
            drawing = paragraph(f"The image can no longer be read: {error}", kind="caution")
        drawn.append(figure(drawing, caption))
    return pictures(drawn) if drawn else paragraph("Nothing was missed and nothing found wrongly in any image.")


def _about(evaluation: Evaluation) -> str:
    measurement, result = evaluation.chosen_parts()
    manifest, dataset = evaluation.pack.manifest, evaluation.dataset
    facts = [
        ["model", f"{manifest.name} {manifest.version}, licence {manifest.licence}"],
        ["trained on", manifest.trained_on],
        ["data set", f"{dataset.root} ({dataset.form}), SHA-256 of pictures and labels {dataset.sha256}"],
        ["counted from", f"score {result.threshold:.3g}; the pack counts from {measurement.thresholds.score:.3g}"],
        ["best F1 at", f"score {result.best_f1.threshold:.3f}" if result.best_f1 else "-"],
        ["as many found as labelled at", f"score {told(result.unbiased_threshold)}"],
        ["average precision", f"as pycocotools, at most {result.max_found_per_image} detections per image and class"],
        ["matching", "a detection is right when it overlaps (IoU) an object of its class by 0.5 or more, each object once"],
        ["scores for ECE", f"from the pack's floor of {measurement.thresholds.score_floor:.3g}"],
        ["share of the network", f"{told(result.infer_share, 2)} of the working time; the rest is reading and decoding"],
    ]
    return table(("", ""), facts)
