"""The model card of the starter: what it was made from, how, what it scores and where it fails, from measured figures only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_INTRO = """# Burrow openings, starter

Finds **burrow openings** (of *Nephrops norvegicus*, AphiaID 107254, and of animals whose openings look alike) in stills of a
towed UWTV camera: 1229 x 691 px, mud, openings of 11 to 150 px. It gives a new survey first boxes to correct, so that a model of its
own can follow. It marks openings, **not burrow systems**: its counts are no burrow counts and must not be turned into densities.

## What it learned from

**Rendered scenes only.** A renderer (`models/workshop/synthetic.py`) draws mud, openings and what looks like openings, with boxes that
follow from the drawing. No pixel of a real still entered training, INT8 calibration or the choice of the threshold. The renderer's figures
(brightness, texture, sizes, contrast, number of openings) were measured on the same 95 real stills that the table below is about, and its
drawings were compared with them by eye; early checkpoints were measured on them, their errors led to changes of the renderer, and the
input size was chosen by their mAP50. **So the figures on real stills are no blind test**: expect less on other grounds and cameras.

No pretrained weights were used. Layout `{layout}`, one class, {parameters}, input {width} x {height} px (w x h), letterboxed.
"""

_LIMITS = """## Limits

* Real stills: 95 of one survey in May and June 2023, 66 of them from one tow.
* A first draft on real stills: dark pellets, bumps and the edges of silt clouds are taken for openings, faint marks without a dark mouth
  are missed, boxes of openings above 50 px come out about a tenth too wide. Openings cut by the frame are uncertain.
* It knows one image scale. A camera that sees much more or less than about 0.75 to 1 m of seabed in its width needs another model.
* Not for animals, not for other substrates than mud, not for pictures that were sharpened or colour corrected.
* No variant has been tried on a ship. BF16 is not offered: the machine that measured cannot compute in it.

## Intended use

First boxes for review by people, tests and demonstrations. Not for stock assessment without review.

## Licence

The weights were trained with ultralytics, which is AGPL-3.0; its vendor claims the same licence for weights trained with it. The pack is
therefore marked AGPL-3.0. The appliance itself neither contains nor imports ultralytics.
"""


def write_card(
    path: Path, variants: Sequence[dict[str, Any]], threshold: float, history: Sequence[dict[str, Any]], n_calibration: int
) -> None:
    """Write the card for `variants` (fields of `build_starter.Measured`) and the `train.json` contents in `history`."""
    plan = history[-1]["plan"]
    intro = _INTRO.format(layout=plan["layout"].removesuffix(".yaml"), parameters="2.6 million parameters", width=960, height=544)
    parts = [intro, _training(history), _scores(variants, threshold), _variants(variants, n_calibration), _LIMITS]
    path.write_text("\n".join(parts), encoding="utf-8")


def _training(history: Sequence[dict[str, Any]]) -> str:
    lines = [
        "## How it was trained",
        "",
        "| training | from | rendered stills (scene seeds) | crops of 320 px | steps | minutes (2 shared CPU cores) | seed |",
    ]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for number, run in enumerate(history, start=1):
        start = "random weights" if run["plan"]["init"] is None else f"training {number - 1}"
        scenes = f"{run['stills']} ({run['plan']['first_scene_seed']} onwards)"
        row = [number, start, scenes, run["crops"], run["steps"], round(run["minutes"]), run["plan"]["seed"]]
        lines.append("| " + " | ".join(str(cell) for cell in row) + " |")
    lines += ["", "Commands, from the top of the repository in the workshop's environment:", ""]
    lines += [f"    {_command(run, number)}" for number, run in enumerate(history, start=1)]
    lines += [
        "",
        *(
            f"Training {n} was stopped by hand after {run['minutes']:.0f} minutes; its steps are read off its log."
            for n, run in enumerate(history, 1)
            if _cut_short(run)
        ),
    ]
    if len(history) > 1:
        lines += [
            "",
            f"The renderer was improved between trainings; the last {history[-1]['stills']} stills come from the one in the repository.",
        ]
    lines += ["", "The learning rate follows the clock, so a repetition gives a similar model, not the same bytes."]
    return "\n".join(lines) + "\n"


def _cut_short(run: dict[str, Any]) -> bool:
    return bool(run["minutes"] < run["plan"]["minutes"] - 1)


def _command(run: dict[str, Any], number: int) -> str:
    plan = run["plan"]
    init = "" if plan["init"] is None else f" --init run{number - 1}/last.pt"
    return (
        f"python -m models.workshop.train_starter --out run{number} --minutes {plan['minutes']:g} --seed {plan['seed']}"
        f" --first-scene-seed {plan['first_scene_seed']} --n-train {run['stills']}"
        f" --learning-rate {plan['learning_rate']:g} --final-rate-share {plan['final_rate_share']:g}{init}"
    )


def _scores(variants: Sequence[dict[str, Any]], threshold: float) -> str:
    lines = [
        "## What it scores",
        "",
        f"Counting threshold {threshold:.3f}: the best F1 on rendered validation stills. Matches at IoU 0.5.",
        "",
    ]
    for key, title in (
        ("rendered", "rendered validation stills (scenes not trained on)"),
        ("real", "real stills (Marine Institute, 2023)"),
    ):
        if variants[0][key] is None:
            continue
        lines += [f"On {variants[0][key]['counts']['n_images']} {title}:", ""]
        lines.append("| variant | mAP50 | mAP50-95 | precision | recall | openings per still, true | found | bias | MAE | Lin's CCC |")
        lines.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        lines += [_row(variant["name"], variant[key]) for variant in variants]
        sizes = variants[0][key]["map50_by_size"]
        parts = [f"{size} {value:.2f}" for size, value in sizes.items() if value is not None]
        lines += ["", f"mAP50 of {variants[0]['name']} by size of the box (limits 32 and 96 px): {', '.join(parts)}.", ""]
    lines.append(
        "Measured with `python -m models.workshop.measure FILE IMAGES --threshold T` (FILE is the variant's, IMAGES a folder with YOLO"
    )
    lines.append("labels beside it), on a CPU with AVX2, without VNNI or AMX; arithmetic in FP32 except in the INT8 variant's layers.")
    return "\n".join(lines) + "\n"


def _row(name: str, figures: dict[str, Any]) -> str:
    point, counts = figures["operating"], figures["counts"]
    ccc = "not computable" if counts["ccc"] is None else f"{counts['ccc']:.3f}"
    cells = [name, f"{figures['map50']:.4f}", f"{figures['map50_95']:.4f}", f"{point['precision']:.3f}", f"{point['recall']:.3f}"]
    cells += [f"{counts['mean_true']:.1f}", f"{counts['mean_found']:.1f}", f"{counts['bias']:+.2f}", f"{counts['mae']:.2f}", ccc]
    return "| " + " | ".join(cells) + " |"


def _variants(variants: Sequence[dict[str, Any]], n_calibration: int) -> str:
    names = {variant["name"] for variant in variants}
    lines = ["## Variants", "", "ONNX and OpenVINO FP16 hold the same weights, stored as FP16; their arithmetic is the runtime's choice."]
    if "openvino-int8" in names:
        lines.append(f"INT8 was calibrated on {n_calibration} rendered stills and is offered because it loses at most 1 point of mAP50.")
    else:
        lines.append("No INT8 variant is offered: every attempt lost more than 1 point of mAP50 on rendered validation stills.")
    return "\n".join(lines) + "\n"
