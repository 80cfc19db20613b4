"""Makes the starter pack from nothing: render, train, convert, quantise, measure, write goldens, card and manifest.

    python -m models.workshop --out build/starter

Interrupted, the same command goes on where it was. `--real` measures on labelled real stills as well, which are never trained,
calibrated or thresholded on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import ModelError
from models import evaluate
from models.datasets.tow import tows_of
from models.manifest import Precision
from models.pack import write_pack
from models.workshop import convert, measure, quantise, renders, synthetic, train_starter
from models.workshop.card import Card, write_card

NAME = "burrow-openings-starter"
VERSION = "1.1.0"
APHIA_ID = 107254
WIDTH_PX, HEIGHT_PX = 960, 544
MAX_DROP_POINTS = 1.0
CALIBRATION_STILLS = 128
GOLDEN_SEEDS = range(990_000, 990_060)
N_GOLDENS = 3
PACK_DIR = Path(__file__).parents[1] / "packs" / NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One variant with its figures on rendered validation stills and, where given, on real ones: all, and by group of tows."""

    name: str
    runtime: str
    precision: Precision
    files: tuple[Path, ...]
    rendered: dict[str, Any]
    real: dict[str, Any] | None
    real_groups: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Stills used for measuring: `calibration` and `rendered` are renders, `real` are labelled real ones or empty."""

    calibration: tuple[Path, ...]
    rendered: tuple[Path, ...]
    real: tuple[Path, ...]


def main(argv: list[str] | None = None) -> None:
    """Command line of `make starter`."""
    cv2.setNumThreads(1)
    arguments = _parser().parse_args(argv)
    out: Path = arguments.out
    stills = train_starter.run(out, train_starter.plan_of(arguments))
    sources = _sources(stills, arguments.real)
    variants, left_out = _variants(out / "last.pt", out, sources)
    _write_figures(out / "figures.json", variants)
    training = json.loads((out / "train.json").read_text(encoding="utf-8"))
    print(f"wrote {_pack(arguments.pack, variants, left_out, training, sources)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.workshop",
        description=__doc__,
        parents=[train_starter.options()],
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--real", type=Path, help="folder of real stills with YOLO labels beside it, for measuring only")
    parser.add_argument("--pack", type=Path, default=PACK_DIR, help="pack folder to write")
    return parser


def _sources(stills: renders.Renders, real: Path | None) -> Sources:
    return Sources(
        calibration=stills.train[:CALIBRATION_STILLS], rendered=stills.val, real=tuple(sorted(real.glob("*.jpg"))) if real else ()
    )


def _variants(checkpoint: Path, out: Path, sources: Sources) -> tuple[list[Measured], list[str]]:
    """The FP32 original first, then what loses no more than a point of mAP50 to it on rendered stills; and what was left out, why."""
    onnx_path, xml_path = out / "model.onnx", out / "model.xml"
    convert.export_onnx(checkpoint, onnx_path, layout=train_starter.LAYOUT, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    convert.convert_openvino(onnx_path, xml_path)
    ir = (xml_path, xml_path.with_suffix(".bin"))
    original = _measured("onnx-fp32", ("onnxruntime", "fp32"), (onnx_path,), sources, None)
    threshold = original.rendered["operating"]["threshold"]
    kept, left_out = [original, _measured("openvino-fp16", ("openvino", "fp16"), ir, sources, threshold)], list[str]()
    try:
        bf16 = _measured("openvino-bf16", ("openvino", "bf16"), ir, sources, threshold)
    except ModelError as error:
        left_out.append(f"BF16 is not offered: {error} on the machine that made the pack.")
    else:
        _judge(bf16, original, kept, left_out)
    for keep_float in (quantise.KeepFloat.BOX_ARITHMETIC, quantise.KeepFloat.HEAD):
        int8_path = out / "model_int8.xml"
        quantise.quantise(xml_path, int8_path, sources.calibration, keep_float=keep_float)
        int8 = _measured("openvino-int8", ("openvino", "int8"), (int8_path, int8_path.with_suffix(".bin")), sources, threshold)
        if _judge(int8, original, kept, left_out, f" with {keep_float.value} in floating point"):
            break
    return kept, left_out


def _judge(variant: Measured, original: Measured, kept: list[Measured], left_out: list[str], how: str = "") -> bool:
    drop_points = 100 * (original.rendered["map50"] - variant.rendered["map50"])
    fine_points = 100 * (original.rendered["map50_95"] - variant.rendered["map50_95"])
    print(f"{variant.name}{how}: {drop_points:+.2f} points mAP50 lost, {fine_points:+.2f} mAP50-95", flush=True)
    if drop_points <= MAX_DROP_POINTS and fine_points <= 2 * MAX_DROP_POINTS:
        kept.append(variant)
        return True
    left_out.append(f"`{variant.name}`{how} lost {drop_points:.2f} points of mAP50 and {fine_points:.2f} of mAP50-95 and was dropped.")
    return False


def _measured(name: str, kind: tuple[str, Precision], files: tuple[Path, ...], sources: Sources, threshold: float | None) -> Measured:
    """Figures of one variant; without `threshold` at that of the best F1 on rendered stills."""
    rendered = measure.figures(*measure.run_over(files[0], sources.rendered, kind[1]), threshold)
    at = rendered["operating"]["threshold"]
    real, groups = None, dict[str, dict[str, Any]]()
    if sources.real:
        truths, founds = measure.run_over(files[0], sources.real, kind[1])
        real = measure.figures(truths, founds, at)
        for group, places in _groups(sources.real).items():
            groups[group] = measure.figures([truths[i] for i in places], [founds[i] for i in places], at)
    print(f"{name}: mAP50 {rendered['map50']:.4f} rendered, {real['map50'] if real else float('nan'):.4f} real", flush=True)
    return Measured(name=name, runtime=kind[0], precision=kind[1], files=files, rendered=rendered, real=real, real_groups=groups)


def _groups(real: tuple[Path, ...]) -> dict[str, list[int]]:
    """Places of the stills of the largest tow, and of all others: one tow must not speak for all."""
    tows = tows_of([path.name for path in real], [], None)
    largest = max(set(tows), key=lambda tow: (tows.count(tow), str(tow)))
    others = len(set(tows)) - 1
    groups = {f"tow {largest}": [i for i, tow in enumerate(tows) if tow == largest]}
    if others:
        groups[f"the {others} other tows"] = [i for i, tow in enumerate(tows) if tow != largest]
    return groups


def _pack(pack_dir: Path, variants: list[Measured], left_out: list[str], training: dict[str, Any], sources: Sources) -> Path:
    """Write the pack beside the old one, verify it, and only then replace that."""
    threshold = variants[0].rendered["operating"]["threshold"]
    building = pack_dir.with_name(f".{pack_dir.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    (building / "goldens").mkdir(parents=True)
    for file in {file for variant in variants for file in variant.files}:
        shutil.copyfile(file, building / file.name)
    goldens = _write_goldens(building, variants, threshold)
    card = Card(variants=variants, left_out=left_out, training=training, threshold=threshold, n_calibration=len(sources.calibration))
    write_card(building / "MODEL_CARD.md", card)
    write_pack(building, _draft(variants, threshold, goldens))
    shutil.rmtree(pack_dir, ignore_errors=True)
    building.rename(pack_dir)
    return pack_dir


def _draft(variants: list[Measured], threshold: float, goldens: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": VERSION,
        "title": "Burrow openings, starter (trained on rendered scenes only)",
        "task": "detect",
        "head": "yolo_v8",
        "labels": [{"name": "burrow opening", "aphia_id": APHIA_ID}],
        "input": {"width_px": WIDTH_PX, "height_px": HEIGHT_PX, "channel_order": "rgb", "fit": "letterbox"},
        "thresholds": {"score": round(threshold, 3), "score_floor": measure.SHOWN_FLOOR, "nms_iou": measure.NMS_IOU, "max_objects": 300},
        "licence": "AGPL-3.0-only (claimed by the vendor of the training library for weights trained with it)",
        "trained_on": "Rendered scenes only; no real still was used for training, calibration or thresholds.",
        "card": "MODEL_CARD.md",
        "metrics": _flat(variants[0]),
        "max_map50_drop_points": MAX_DROP_POINTS,
        "variants": [
            {"name": v.name, "runtime": v.runtime, "precision": v.precision, "files": [f.name for f in v.files], "metrics": _flat(v)}
            for v in variants
        ],
        "goldens": goldens,
    }


def _write_figures(path: Path, variants: list[Measured]) -> None:
    figures = {variant.name: {"rendered": variant.rendered, "real": variant.real, **variant.real_groups} for variant in variants}
    path.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def _flat(variant: Measured) -> dict[str, float]:
    """Figures as a manifest keeps them: `map50` and `map50_95` on rendered validation stills, the same with `_real` on real ones."""
    flat = {key: round(variant.rendered[key], 4) for key in ("map50", "map50_95")}
    if variant.real is not None:
        flat |= {f"{key}_real": round(variant.real[key], 4) for key in ("map50", "map50_95")}
        flat |= {f"count_{key}_real": round(variant.real["counts"][key] or 0.0, 3) for key in ("bias", "mae", "ccc")}
        flat["ece_real"] = round(variant.real["ece"] or 0.0, 4)
    return flat


def _write_goldens(pack_dir: Path, variants: list[Measured], threshold: float) -> list[dict[str, str]]:
    """Stills on which every variant agrees with the original by a wide margin, and what the original finds in them."""
    runners = [measure.Runner.open(variant.files[0], variant.precision) for variant in variants]
    goldens: list[dict[str, str]] = []
    for seed in GOLDEN_SEEDS:
        still = synthetic.render_still(seed=seed)
        founds = [runner.find(still.image) for runner in runners]
        if not all(agrees(founds[0], other, threshold) for other in founds):
            continue
        number = len(goldens) + 1
        image, expected = f"goldens/still_{number}.jpg", f"goldens/still_{number}.json"
        (pack_dir / image).write_bytes(still.jpeg)
        (pack_dir / expected).write_text(_expected_json(founds[0]), encoding="utf-8")
        goldens.append({"image": image, "expected": expected})
        if len(goldens) == N_GOLDENS:
            return goldens
    raise RuntimeError(f"only {len(goldens)} of {len(GOLDEN_SEEDS)} rendered stills make goldens: the variants disagree too much")


def agrees(expected: evaluate.ImageFound, found: evaluate.ImageFound, threshold: float) -> bool:
    """Whether `found` passes as a golden with half the tolerance that a machine is granted."""
    iou = evaluate.iou_matrix(
        found.boxes_xyxy_px.astype(np.float64), expected.boxes_xyxy_px.astype(np.float64), np.zeros(len(expected.score), np.bool_)
    )
    close = (iou >= 0.85) & (np.abs(found.score[:, None] - expected.score[None, :]) <= 0.07)
    sure = expected.score >= threshold + 0.07
    counted = found.score >= threshold + 0.07
    return bool(sure.sum() >= 5 and close.any(axis=0)[sure].all() and close.any(axis=1)[counted].all())


def _expected_json(found: evaluate.ImageFound) -> str:
    keep = found.score >= measure.SHOWN_FLOOR
    document = {
        "xyxy": np.round(found.boxes_xyxy_px[keep].astype(float), 2).tolist(),
        "score": np.round(found.score[keep].astype(float), 4).tolist(),
        "label_index": found.label_index[keep].tolist(),
    }
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    main()
