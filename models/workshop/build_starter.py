"""Makes the starter pack from nothing: render, train, convert, quantise, measure, write goldens, card and manifest.

    python -m models.workshop --out build/starter --minutes 60

`--checkpoint` packs weights that were trained already; `--real` measures on labelled real stills as well, which are never
trained, calibrated or thresholded on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models import evaluate
from models.pack import write_pack
from models.workshop import convert, measure, quantise, synthetic, train_starter
from models.workshop.card import write_card

NAME = "burrow-openings-starter"
VERSION = "1.0.0"
APHIA_ID = 107254
WIDTH_PX, HEIGHT_PX = 960, 544
SCORE_FLOOR = 0.05
MAX_DROP_POINTS = 1.0
CALIBRATION_STILLS = 300
GOLDEN_SEEDS = range(990_000, 990_040)
N_GOLDENS = 3
PACK_DIR = Path(__file__).parents[1] / "packs" / NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One variant with its figures on rendered validation stills and, where given, on real ones."""

    name: str
    runtime: str
    precision: str
    files: tuple[Path, ...]
    rendered: dict[str, Any]
    real: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Stills used for measuring: `calibration` and `rendered` are renders, `real` are labelled real ones or empty."""

    calibration: tuple[Path, ...]
    rendered: tuple[Path, ...]
    real: tuple[Path, ...]


def main(argv: list[str] | None = None) -> None:
    """Command line of `make starter`."""
    arguments = _parser().parse_args(argv)
    out: Path = arguments.out
    data: Path = arguments.data or out / "data"
    checkpoint = arguments.checkpoint or _train(out, data, arguments.minutes)
    sources = _sources(data, arguments.real)
    variants = _variants(checkpoint, out, sources)
    _write_figures(out / "figures.json", variants)
    threshold = variants[0].rendered["operating"]["threshold"]
    history = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.history or [checkpoint.with_name("train.json")]]
    pack = _pack(arguments.pack, variants, threshold, history, sources)
    print(f"wrote {pack}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.workshop", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/starter"), help="work folder: renders, checkpoint, converted files")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time")
    parser.add_argument("--data", type=Path, help="rendered data set to use instead of OUT/data")
    parser.add_argument("--checkpoint", type=Path, help="pack these weights instead of training")
    parser.add_argument("--history", type=Path, nargs="*", help="train.json of every training that led to the checkpoint, in order")
    parser.add_argument("--real", type=Path, help="folder of real stills with YOLO labels beside it, for measuring only")
    parser.add_argument("--pack", type=Path, default=PACK_DIR, help="pack folder to write")
    return parser


def _train(out: Path, data: Path, minutes: float) -> Path:
    train_starter.main(["--out", str(out), "--data", str(data), "--minutes", str(minutes)])
    return out / "last.pt"


def _sources(data: Path, real: Path | None) -> Sources:
    return Sources(
        calibration=tuple(sorted((data / "images" / "train").glob("*.jpg"))[:CALIBRATION_STILLS]),
        rendered=tuple(sorted((data / "images" / "val").glob("*.jpg"))),
        real=tuple(sorted(real.glob("*.jpg"))) if real else (),
    )


def _variants(checkpoint: Path, out: Path, sources: Sources) -> list[Measured]:
    """The FP32 original first; the INT8 variant only if it loses no more than a point of mAP50 on rendered stills."""
    out.mkdir(parents=True, exist_ok=True)
    onnx_path, xml_path = out / "model.onnx", out / "model.xml"
    convert.export_onnx(checkpoint, onnx_path, layout=train_starter.LAYOUT, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    convert.convert_openvino(onnx_path, xml_path)
    original = _measured("onnx-fp32", ("onnxruntime", "fp32"), (onnx_path,), sources, None)
    threshold = original.rendered["operating"]["threshold"]
    half = _measured("openvino-fp16", ("openvino", "fp16"), (xml_path, xml_path.with_suffix(".bin")), sources, threshold)
    variants = [original, half]
    for keep_float in (quantise.KeepFloat.BOX_ARITHMETIC, quantise.KeepFloat.HEAD):
        int8_path = out / "model_int8.xml"
        quantise.quantise(xml_path, int8_path, sources.calibration, keep_float=keep_float)
        int8 = _measured("openvino-int8", ("openvino", "int8"), (int8_path, int8_path.with_suffix(".bin")), sources, threshold)
        drop_points = 100 * (original.rendered["map50"] - int8.rendered["map50"])
        print(f"INT8 with {keep_float} in floating point: {drop_points:+.2f} points lost", flush=True)
        if drop_points <= MAX_DROP_POINTS:
            return [*variants, int8]
    return variants


def _measured(name: str, kind: tuple[str, str], files: tuple[Path, ...], sources: Sources, threshold: float | None) -> Measured:
    rendered = measure.figures(*measure.run_over(files[0], sources.rendered), threshold)
    at = rendered["operating"]["threshold"]
    real = measure.figures(*measure.run_over(files[0], sources.real), at) if sources.real else None
    print(f"{name}: mAP50 {rendered['map50']:.4f} rendered, {real['map50'] if real else float('nan'):.4f} real", flush=True)
    return Measured(name=name, runtime=kind[0], precision=kind[1], files=files, rendered=rendered, real=real)


def _pack(pack_dir: Path, variants: list[Measured], threshold: float, history: list[dict[str, Any]], sources: Sources) -> Path:
    """Write the pack beside the old one, verify it, and only then replace that."""
    building = pack_dir.with_name(f"{pack_dir.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    (building / "goldens").mkdir(parents=True)
    for variant in variants:
        for file in variant.files:
            shutil.copyfile(file, building / file.name)
    goldens = _write_goldens(building, variants, threshold)
    write_card(building / "MODEL_CARD.md", [asdict(variant) for variant in variants], threshold, history, len(sources.calibration))
    write_pack(
        building,
        {
            "name": NAME,
            "version": VERSION,
            "title": "Burrow openings, starter (trained on rendered scenes only)",
            "task": "detect",
            "head": "yolo_v8",
            "labels": [{"name": "burrow opening", "aphia_id": APHIA_ID}],
            "input": {"width_px": WIDTH_PX, "height_px": HEIGHT_PX, "channel_order": "rgb", "fit": "letterbox"},
            "thresholds": {"score": round(threshold, 3), "score_floor": SCORE_FLOOR, "nms_iou": measure.NMS_IOU, "max_objects": 300},
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
        },
    )
    shutil.rmtree(pack_dir, ignore_errors=True)
    building.rename(pack_dir)
    return pack_dir


def _write_figures(path: Path, variants: list[Measured]) -> None:
    figures = {variant.name: {"rendered": variant.rendered, "real": variant.real} for variant in variants}
    path.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def _flat(variant: Measured) -> dict[str, float]:
    """Figures as a manifest keeps them: `map50` and `map50_95` on rendered validation stills, the same with `_real` on real ones."""
    flat = {key: round(variant.rendered[key], 4) for key in ("map50", "map50_95")}
    if variant.real is not None:
        flat |= {f"{key}_real": round(variant.real[key], 4) for key in ("map50", "map50_95")}
        flat |= {
            "count_mae_real": round(variant.real["counts"]["mae"], 2),
            "count_ccc_real": round(variant.real["counts"]["ccc"] or 0.0, 3),
        }
    return flat


def _write_goldens(pack_dir: Path, variants: list[Measured], threshold: float) -> list[dict[str, str]]:
    """Stills on which every variant agrees with the original by a wide margin, and what the original finds in them."""
    runners = [measure.Runner.open(variant.files[0]) for variant in variants]
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
    keep = found.score >= SCORE_FLOOR
    document = {
        "xyxy": np.round(found.boxes_xyxy_px[keep].astype(float), 2).tolist(),
        "score": np.round(found.score[keep].astype(float), 4).tolist(),
        "label_index": found.label_index[keep].tolist(),
    }
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
