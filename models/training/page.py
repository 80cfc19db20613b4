"""report.html of a training: what it scores, its curves, its data and every parameter, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.report.page import Section, cards, charts, figure, page, paragraph, table, told
from models.report.svg import Axis, Plot, fraction_axis, nice_axis

Curves = Sequence[Mapping[str, float]]
_ACCURACY = (("val_map50", "mAP50"), ("val_map50_95", "mAP50-95"), ("val_precision", "precision"), ("val_recall", "recall"))
_LOSSES = (("box_loss", "Box loss"), ("cls_loss", "Class loss"), ("dfl_loss", "Distribution focal loss"))
_PARTS = {"train": "learning", "val": "choosing the epoch and the threshold", "test": "the figures"}
_SCORES = (
    "The test part gives the figures: nothing was learned from it and nothing chosen by it. On the val part the epoch and the threshold "
    "were chosen, so its figures are too good. Matches at IoU 0.5; bias and MAE are objects per image."
)


def report(record: Mapping[str, Any], title: str) -> str:
    """The page of an `experiment.json`."""
    sections = [
        Section(key="scores", heading="What it scores", intro=paragraph(_SCORES), body=_scores(record["figures"])),
        Section(key="curves", heading="Curves", body=_curves(record["curves"], int(record["result"]["best_epoch"]))),
        Section(key="data", heading="Data", intro=_data(record), body=_parts(record["split"])),
        Section(key="parameters", heading="Parameters", body=_listed(record["parameters"] | {"learning from": record["base"]["named"]})),
        Section(key="software", heading="Software and machine", body=_listed(record["software"] | record["machine"])),
    ]
    return page(f"{title}: training", _lead(record), sections)


def _lead(record: Mapping[str, Any]) -> str:
    result = record["result"]
    when = f"trained from {_minute(record['started_utc'])} to {_minute(record['ended_utc'])} UTC on {result['device']}"
    network = f"{result['layout']}, {result['parameters'] / 1e6:.1f} million parameters"
    ran = f"{record['name']} {record['version']}, {when}; {network}. Ended: {result['stopped']}."
    figures = record["figures"]
    shown, before = figures.get("test") or figures["val"], figures.get("base_on_test")
    where = "test part" if figures.get("test") else "val part, too good"
    was = f"before training {told(before['map50'])}" if before else where
    items = [
        ("mAP50", told(shown["map50"]), was),
        ("Count bias per image", told(shown["count_bias"], 2, signed=True), where),
        ("Count MAE per image", told(shown["count_mae"], 2), where),
        ("Best epoch", str(result["best_epoch"]), f"of {result['epochs']}"),
        ("Time", f"{record['training_s'] / 60:.1f} min", f"{record['training_s'] / max(1, result['epochs']):.0f} s per epoch"),
    ]
    return paragraph(ran, kind="muted") + cards(items)


def _minute(utc: str) -> str:
    return utc[:16].replace("T", " ")


def _scores(figures: Mapping[str, Any]) -> str:
    named = (("before training, test part", "base_on_test"), ("test part", "test"), ("val part", "val"))
    headings = ["", "images", "mAP50", "mAP50-95", "precision", "recall", "F1", "bias", "MAE", "Lin's CCC", "threshold"]
    rows = []
    for name, key in named:
        if one := figures.get(key):
            values = [told(one[figure]) for figure in ("map50", "map50_95", "precision", "recall", "f1")]
            counted = [told(one["count_bias"], 2, signed=True), told(one["count_mae"], 2), told(one["count_ccc"]), told(one["threshold"])]
            rows.append([name, str(one["images"]), *values, *counted])
    return table(headings, rows, numbers=headings[1:], chosen=next((i for i, row in enumerate(rows) if row[0] == "test part"), None))


def _curves(curves: Curves, best_epoch: int) -> str:
    drawn = [_drawn(curves, "Accuracy on the val part", fraction_axis("fraction"), _ACCURACY, best_epoch)]
    for key, name in _LOSSES:
        lines = ((f"train_{key}", "train"), (f"val_{key}", "val"))
        drawn.append(_drawn(curves, name, _axis(curves, "loss", lines), lines, best_epoch))
    rates = [{"epoch": row["epoch"], "rate": 1000 * row["learning_rate"]} for row in curves if "learning_rate" in row]
    for rows, key, name, unit in ((rates, "rate", "Learning rate", "thousandths"), (curves, "seconds", "Time per epoch", "seconds")):
        alone = ((key, name.lower()),)
        drawn.append(_drawn(rows, name, _axis(rows, unit, alone), alone, best_epoch))
    return charts(drawn)


def _axis(curves: Curves, label: str, lines: Sequence[tuple[str, str]]) -> Axis:
    values = [row[key] for row in curves for key, _ in lines if key in row]
    return nice_axis(label, 0.0, max(values, default=1.0))


def _drawn(curves: Curves, title: str, y: Axis, lines: Sequence[tuple[str, str]], best_epoch: int) -> str:
    last = max((row["epoch"] for row in curves), default=1)
    plot = Plot(title, nice_axis("epoch", 0.0, float(last)), y)
    for key, name in lines:
        points = [(row["epoch"], row[key]) for row in curves if key in row]
        plot.line([x for x, _ in points], [y for _, y in points], name=name)
    plot.upright(best_epoch, "kept")
    return figure(plot.render(), f"{title}.")


def _data(record: Mapping[str, Any]) -> str:
    dataset, split = record["dataset"], record["split"]
    text = f"{dataset['name']} ({dataset['form']}), {dataset['images']} labelled images, SHA-256 {dataset['sha256']}. "
    if split["independent"]:
        told_how = paragraph(f"{text}Divided by tow, never by frame, with seed {split['seed']}: no tow is in two parts.")
    else:
        told_how = paragraph(text) + paragraph(
            "Divided by image, as was asked for: frames of one tow are in several parts, so the figures are not independent of what was "
            "learned, and too good.",
            kind="caution",
        )
    return told_how + "".join(paragraph(warning, kind="caution") for warning in record["warnings"])


def _parts(split: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            purpose,
            str(part["images"]),
            str(part["boxes"]),
            ", ".join(f"{tow} ({count})" for tow, count in part["tows"].items()) or "-",
        ]
        for name, purpose in _PARTS.items()
        for part in [split["parts"][name]]
    ]
    return table(["part", "for", "images", "boxes", "tows (images)"], rows, numbers=("images", "boxes"))


def _listed(values: Mapping[str, Any]) -> str:
    return table(
        ["", "value"], [[str(name).replace("_", " "), "-" if value in (None, "", []) else str(value)] for name, value in values.items()]
    )
