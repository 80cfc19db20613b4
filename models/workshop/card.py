"""The model card of the starter: what it was made from, how, what it scores and where it fails, from measured figures only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.workshop.build_starter import Measured

_INTRO = """# Burrow openings, starter

Finds **burrow openings** (of *Nephrops norvegicus*, AphiaID 107254, and of animals whose openings look alike) in stills of a
towed UWTV camera: 1229 x 691 px, mud, openings of 11 to 150 px. It gives a new survey first boxes to correct, so that a model of its
own can follow. It marks openings, **not burrow systems**: its counts are no burrow counts and must not be turned into densities.

## What it learned from

**Rendered scenes only.** A renderer (`models/workshop/synthetic.py`) draws mud, openings and what looks like openings, with boxes that
follow from the drawing. No pixel of a real still entered training, INT8 calibration or the choice of the threshold. The renderer's figures
(brightness, texture, sizes, contrast, number of openings, number and darkness of the marks beside them) were measured on the same 95 real
stills that the tables below are about, and its drawings were compared with them by eye. Earlier models were measured on them, and their
errors led to changes of the renderer: how tightly boxes are drawn, how much lies on the mud that is no opening. The input size was chosen
by their mAP50. **So the figures on real stills are no blind test**: expect less on other grounds and cameras.

No pretrained weights were used. Layout `{layout}`, one class, 2.6 million parameters, input 960 x 544 px (w x h), letterboxed.
"""

_LIMITS = """## Limits

* Real stills: 95 of one survey in May and June 2023, 66 of them from one tow; the table above gives the other tows apart.
* What it gets wrong on real stills: dark lumps, faint rings and hollows that nobody annotated are taken for openings; faint marks without
  a dark mouth are missed; where a mouth lies in a faint hollow it may box the hollow instead of the mouth. Openings cut by the frame are
  uncertain.
* The threshold comes from rendered scenes. `imagine-edge models evaluate` tells the best one for stills of your own.
* It knows one image scale. A camera that sees much more or less than about 0.75 to 1 m of seabed in its width needs another model.
* Not for animals, not for other substrates than mud, not for pictures that were sharpened or colour corrected.
* No variant has been tried on a ship.

## Intended use

First boxes for review by people, tests and demonstrations. Not for stock assessment without review.

## Licence

The weights were trained with ultralytics, which is AGPL-3.0; its vendor claims the same licence for weights trained with it. The pack is
therefore marked AGPL-3.0. The appliance itself neither contains nor imports ultralytics.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All a card tells: `variants` with their figures, `left_out` as sentences, `training` as train.json has it."""

    variants: Sequence[Measured]
    left_out: Sequence[str]
    training: dict[str, Any]
    threshold: float
    n_calibration: int


def write_card(path: Path, card: Card) -> None:
    """Write the card as Markdown."""
    intro = _INTRO.format(layout=card.training["plan"]["layout"].removesuffix(".yaml"))
    parts = [intro, _training(card.training), _scores(card), _calibration(card.variants[0]), _variants(card), _LIMITS]
    path.write_text("\n".join(parts), encoding="utf-8")


def _training(training: dict[str, Any]) -> str:
    plan = training["plan"]
    last = plan["first_scene_seed"] + plan["n_train"] - 1
    device = f"{plan['threads']} CPU threads" if plan["device"] == "cpu" else "one GPU"
    return f"""## How it was trained

From random weights, by one command from the top of the repository:

    make starter

{plan["steps"]} steps of {plan["batch_size"]} crops of {plan["crop_px"]} px, {training["crops"]} crops in all,
of {training["stills"]} rendered stills (scenes {plan["first_scene_seed"]} to {last}); seed {plan["seed"]}; AdamW,
learning rate {plan["learning_rate"]:g}, falling; arithmetic {plan["arithmetic"].upper()}, loss and weights FP32;
{training["minutes"]:.0f} minutes on {device}. The weights are an exponential average over the last steps.

| | |
| --- | --- |
| renderer | `{plan["renderer_sha256"]}` |
| averaged weights | `{training["weights_sha256"]}` |
| torch | {plan["torch"]} |

Renders and crops repeat byte for byte. The weights repeat bit for bit on the same kind of processor with the same number of threads, torch
and NumPy; on another processor or a GPU sums come in another order, and the model is another, like one.
"""


def _scores(card: Card) -> str:
    first = card.variants[0]
    lines = ["## What it scores", ""]
    lines.append(f"Counting threshold {card.threshold:.3f}: the best F1 on rendered validation stills. Matches at IoU 0.5.")
    lines += _table(f"{first.rendered['counts']['n_images']} rendered validation stills (scenes not trained on)", card.variants, "rendered")
    if first.real is not None:
        lines += _table(f"{first.real['counts']['n_images']} real stills (Marine Institute, 2023)", card.variants, "real")
        lines += _groups(first)
    lines.append("`models/workshop/measure.py` measured these, with the appliance's own runtimes and merging of boxes, on a CPU.")
    return "\n".join(lines) + "\n"


def _table(title: str, variants: Sequence[Measured], kind: str) -> list[str]:
    lines = ["", f"On {title}:", "", _HEADER, _RULE]
    lines += [_row(variant.name, getattr(variant, kind)) for variant in variants]
    sizes = getattr(variants[0], kind)["map50_by_size"]
    parts = [f"{size} {value:.2f}" for size, value in sizes.items() if value is not None]
    return [*lines, "", f"mAP50 of {variants[0].name} by size of the box (limits 32 and 96 px): {', '.join(parts)}.", ""]


def _groups(first: Measured) -> list[str]:
    lines = [f"The same stills by tow, {first.name}:", "", _HEADER.replace("variant", "stills"), _RULE]
    lines += [_row(f"{figures['counts']['n_images']}: {group}", figures) for group, figures in first.real_groups.items()]
    return [*lines, ""]


_HEADER = "| variant | mAP50 | mAP50-95 | precision | recall | openings per still, true | found | bias | MAE | Lin's CCC | ECE |"
_RULE = "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"


def _row(name: str, figures: dict[str, Any]) -> str:
    point, counts = figures["operating"], figures["counts"]
    ccc = "not computable" if counts["ccc"] is None else f"{counts['ccc']:.3f}"
    ece = "-" if figures["ece"] is None else f"{figures['ece']:.3f}"
    cells = [name, f"{figures['map50']:.4f}", f"{figures['map50_95']:.4f}", f"{point['precision']:.3f}", f"{point['recall']:.3f}"]
    cells += [f"{counts['mean_true']:.1f}", f"{counts['mean_found']:.1f}", f"{counts['bias']:+.2f}", f"{counts['mae']:.2f}", ccc, ece]
    return "| " + " | ".join(cells) + " |"


def _calibration(first: Measured) -> str:
    """Reliability of the scores: of the marks with about this score, how many are openings."""
    kinds = [("rendered", first.rendered)] + ([("real", first.real)] if first.real is not None else [])
    lines = ["## What its scores mean", "", "Share of marks that are openings (IoU 0.5), by score; in brackets how many marks."]
    lines += ["", "| score | " + " | ".join(f"{name} stills" for name, _ in kinds) + " |", "| --- |" + " --- |" * len(kinds)]
    for number in range(len(first.rendered["reliability"])):
        bins = [figures["reliability"][number] for _, figures in kinds]
        if any(one["count"] for one in bins):
            cells = ["-" if one["precision"] is None else f"{one['precision']:.2f} ({one['count']})" for one in bins]
            lines.append(f"| {bins[0]['low']:.1f} to {bins[0]['high']:.1f} | " + " | ".join(cells) + " |")
    errors = ", ".join(f"{figures['ece']:.3f} on {name} stills" for name, figures in kinds if figures["ece"] is not None)
    lines += [
        "",
        f"Expected calibration error of all marks from a score of 0.05 upwards: {errors}. Scores are shown as they come, not recalibrated.",
    ]
    return "\n".join(lines) + "\n"


def _variants(card: Card) -> str:
    names = {variant.name for variant in card.variants}
    lines = ["## Variants", "", "ONNX and OpenVINO FP16 hold the same weights, stored as FP16; their arithmetic is the runtime's choice."]
    if "openvino-bf16" in names:
        lines.append("BF16 is the same files as FP16, computed in BF16: a CPU without BF16 refuses it.")
    if "openvino-int8" in names:
        lines.append(
            f"INT8 was calibrated on {card.n_calibration} rendered stills and is offered because it loses at most 1 point of mAP50."
        )
        lines.append("Its weights use 7 of the 8 bits, so that CPUs without VNNI do not overflow.")
    lines += card.left_out
    return "\n".join(lines) + "\n"
