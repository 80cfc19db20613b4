"""The card of a trained pack: what it learned from, how, what it scores on what it never saw, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.training.goldens import Chosen
from models.training.measured import Worth
from models.training.plan import Plan

CLAIM = "AGPL-3.0-only (claimed by the vendor of the training library for weights trained with it)"


def licence_of(plan: Plan) -> str:
    """The licence claim that the weights carry: that of the training library's vendor, and the base's."""
    base = plan.base.licence
    if base is None or base.startswith("AGPL-3.0"):
        return base or CLAIM
    return f"{CLAIM}; the base pack: {base}"


def trained_on(plan: Plan) -> str:
    """One sentence for the manifest."""
    part = plan.split["parts"]["train"]
    tows = f" of {len(part['tows'])} {'tow' if len(part['tows']) == 1 else 'tows'}" if part["tows"] else ""
    told = f"{part['images']} labelled images{tows} of the data set {plan.dataset['name']} (SHA-256 {plan.dataset['sha256'][:12]}...)"
    return (
        f"{told}; starting from {plan.base.named}, which says of itself: {plan.base.trained_on}"
        if plan.base.trained_on
        else f"{told}, from random weights"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Figures by part ("val", "test") and variant, those of the base on the test part, and the golden images."""

    worths: Mapping[str, Mapping[str, Worth]]
    base_on_test: Worth | None
    goldens: Sequence[Chosen]


def write_card(plan: Plan, record: Mapping[str, Any], scores: Scores, title: str) -> str:
    """The card as Markdown; `record` is the content of `experiment.json`."""
    parts = [
        _head(plan, title),
        _data(plan, record["warnings"]),
        _training(plan, record),
        _scores(plan, scores.worths, scores.base_on_test),
        _goldens(plan, scores.goldens),
        _limits(plan),
    ]
    return "\n".join(parts)


def _head(plan: Plan, title: str) -> str:
    labels = ", ".join(f"**{label}**" for label in plan.labels[:20])
    base = f"tuned from {plan.base.named}" if plan.base.layout is None else f"trained from random weights ({plan.base.layout})"
    return (
        f"# {title}\n\nFinds {labels} in images like those of the data set {plan.dataset['name']}; {base}. "
        f"It gives boxes with scores; what scores at least the threshold below is counted.\n"
    )


def _data(plan: Plan, warnings: Sequence[str]) -> str:
    lines = [
        "## What it learned from, and what judged it",
        "",
        f"Data set {plan.dataset['name']} ({plan.dataset['form']}), {plan.dataset['images']} labelled images, SHA-256",
        f"`{plan.dataset['sha256']}`.",
        "",
        "| part | for | images | boxes | tows |",
        "| --- | --- | --- | --- | --- |",
    ]
    purposes = {"train": "learning", "val": "choosing the epoch and the threshold", "test": "the figures below"}
    for name, purpose in purposes.items():
        part = plan.split["parts"][name]
        tows = ", ".join(f"{tow} ({count})" for tow, count in part["tows"].items()) or "-"
        lines.append(f"| {name} | {purpose} | {part['images']} | {part['boxes']} | {tows} |")
    if plan.split["independent"]:
        lines += ["", f"Divided by tow, never by frame, with seed {plan.split['seed']}: no tow is in two parts."]
    else:
        lines += [
            "",
            "**Divided by image, as was asked for: frames of one tow are in several parts. The figures below are not independent of what",
            "was learned, and are too good. Expect less on another tow.**",
        ]
    if warnings:
        lines += ["", *(f"* {warning}" for warning in warnings)]
    return "\n".join(lines) + "\n"


def _training(plan: Plan, record: Mapping[str, Any]) -> str:
    result = record["result"]
    limit = f", time limit {plan.time_limit_min:g} min" if plan.time_limit_min else ""
    minutes = record["training_s"] / 60
    return (
        "## How it was trained\n\n"
        f"Layout {result['layout']}, {result['parameters'] / 1e6:.1f} million parameters, input {plan.width_px} x {plan.height_px} px\n"
        f"(w x h, {plan.fit}). {result['epochs']} epochs in {minutes:.0f} min on {record['machine']['cpu']} ({result['device']});\n"
        f"ended: {result['stopped']}. Kept: epoch {result['best_epoch']}, the best mAP50-95 on the val part. Batch {plan.batch_size},\n"
        f"learning rate {plan.learning_rate:g}, seed {plan.seed}, patience {plan.patience_epochs}{limit}.\n"
        "Every parameter, library version and curve is in `training/experiment.json`; `training/report.html` shows them.\n"
    )


def _scores(plan: Plan, worths: Mapping[str, Mapping[str, Worth]], base_on_test: Worth | None) -> str:
    judged = "test" if "test" in worths else "val"
    shown = worths[judged]
    first = next(iter(shown.values()))
    lines = ["## What it scores", ""]
    if judged == "test":
        lines.append(f"On the {first.images} images of the test part, on which nothing was learned or chosen.")
    else:
        lines += [
            "**There was no test part: these are figures of the val part, by which the epoch and the threshold were chosen.",
            "They are too good.**",
        ]
    lines += [
        f"Counting threshold {first.threshold:g}: the best F1 on the val part. Matches at IoU 0.5.",
        "",
        "| model | mAP50 | mAP50-95 | precision | recall | objects per image, true | found | bias | MAE | Lin's CCC |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(name, worth) for name, worth in shown.items()),
    ]
    if base_on_test is not None:
        lines.append(_row(f"before training: {plan.base.named}", base_on_test))
        lines += ["", f"The base counts with a threshold of its own, {base_on_test.threshold:g}."]
    if first.images < 50 or first.boxes < 500:
        lines += ["", f"{first.images} images with {first.boxes} boxes are few: another draw of tows would give other figures."]
    return "\n".join(lines) + "\n"


def _row(name: str, worth: Worth) -> str:
    ccc = "not computable" if worth.count_ccc is None else f"{worth.count_ccc:.3f}"
    cells = [name, f"{worth.map50:.4f}", f"{worth.map50_95:.4f}", f"{worth.precision:.3f}", f"{worth.recall:.3f}"]
    cells += [f"{worth.mean_true:.1f}", f"{worth.mean_found:.1f}", f"{worth.count_bias:+.2f}", f"{worth.count_mae:.2f}", ccc]
    return "| " + " | ".join(cells) + " |"


def _goldens(plan: Plan, goldens: Sequence[Chosen]) -> str:
    names = ", ".join(f"{golden.source} ({golden.objects} objects that every machine must find)" for golden in goldens)
    text = f"## Goldens\n\nThese images lie in the pack, and whoever gets it sees them: {names}.\n"
    if plan.goldens == "data":
        text += "They are of the val and test parts, written anew from their pixels, without the camera's metadata.\n"
    if not any(golden.objects for golden in goldens):
        text += "No object in them is sure enough to be asked for on every machine, so they prove little.\n"
    return text


def _limits(plan: Plan) -> str:
    return (
        "## Limits\n\n"
        "* Figures hold for images like those above: the same camera, ground and light. Evaluate on labelled images of your own first.\n"
        "* A box is an object as the annotators of the data set drew it; counts of boxes are no densities.\n\n"
        f"## Licence\n\n{licence_of(plan)}. The licence of the data set is its owner's to say; find out before you give the pack away.\n"
    )
