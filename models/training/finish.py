"""From a trained network to a pack: choose the threshold on the val part, judge on the test part, choose goldens, record, pack."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.assemble import PackExistsError, assemble_pack
from models.manifest import Label
from models.pack import Pack, verify_pack, write_pack
from models.runtime.vision import cv2
from models.training import goldens as golden_images
from models.training.card import Scores, licence_of, trained_on, write_card
from models.training.goldens import Chosen
from models.training.measured import Worth, best_threshold, measured, part_of, worth
from models.training.page import report
from models.training.plan import Plan, disk_error, read_curves, write_json
from models.training.record import curves_csv, experiment
from models.workbench import OnProgress

ORIGINAL = "onnx-fp32"
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"name": ORIGINAL, "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"]},
    {"name": "openvino-fp16", "runtime": "openvino", "precision": "fp16", "files": ["model.xml", "model.bin"]},
)
_SCORE_FLOOR, _NMS_IOU, _MOST_OBJECTS = 0.05, 0.5, 300
_NETWORK = ("model.onnx", "model.xml", "model.bin")
_DOCUMENTS = ("training/experiment.json", "training/curves.csv", "training/report.html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work folder in which training has ended; `trained` is what the workshop's tool answered, `base` the pack it began with."""

    folder: Path
    plan: Plan
    base: Pack | None
    trained: Mapping[str, Any]
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A trained pack and its figures: `test` on images that nothing was chosen by (None without a test part), `base` before training."""

    pack_dir: Path
    name: str
    version: str
    val: Worth
    test: Worth | None
    base: Worth | None
    epochs: int
    best_epoch: int
    stopped: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Figures by part and variant, those of the base, and a pack that runs with the chosen threshold."""

    worths: Mapping[str, Mapping[str, Worth]]
    base_on_test: Worth | None
    measuring: Pack


def finish(work: Work, on_step: OnProgress | None = None) -> Finished:
    """Measure, choose, record and pack what the workshop's tool left in a work folder.

    Raises:
        PackExistsError: the pack is there already.
        NothingFoundError: the network finds nothing in the val part.
        NoGoldensError: no image can prove the pack elsewhere.
        EdgeError: of other kinds; nothing is left but the work folder.
    """
    target = pack_dir_of(work.folder, work.plan)
    if target.exists():
        raise PackExistsError(f"{target} exists already: this training is finished")
    scratch = work.folder / ".measuring"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        judged = _judge(work, scratch, on_step)
        chosen = _goldens(work, judged.measuring, scratch / "goldens")
        val, test = judged.worths["val"][ORIGINAL], judged.worths.get("test", {}).get(ORIGINAL)
        figures = {"val": val, "test": test, "base_on_test": judged.base_on_test}
        record = experiment(work.plan, work.trained, read_curves(work.folder), figures, work.warnings)
        pack = _pack(target, work, record, judged, chosen)
    except OSError as error:
        raise disk_error(error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Finished(
        pack_dir=pack.path,
        name=work.plan.name,
        version=work.plan.version,
        val=val,
        test=test,
        base=judged.base_on_test,
        epochs=work.trained["epochs"],
        best_epoch=work.trained["best_epoch"],
        stopped=work.trained["stopped"],
    )


def pack_dir_of(folder: Path, plan: Plan) -> Path:
    """Where the pack of a work folder comes to lie."""
    return folder / f"{plan.name}-{plan.version}"


def title_of(plan: Plan) -> str:
    """The title of the pack."""
    labels = ", ".join(plan.labels[:3]) + (" and others" if len(plan.labels) > 3 else "")
    how = f"tuned from {plan.base.named.partition('@')[0]}" if plan.base.layout is None else f"{plan.base.layout} from random weights"
    return f"{labels[:1].upper()}{labels[1:]}, {how} on {plan.dataset['name']}"


def _judge(work: Work, scratch: Path, on_step: OnProgress | None) -> _Judged:
    """The threshold from the val part, the figures from the test part (from the val part where there is none)."""
    val, test = part_of(work.folder, work.plan, "val"), part_of(work.folder, work.plan, "test")
    chosen_by = measured(_measuring_pack(work, scratch / "first", threshold=0.25), ORIGINAL, val, on_step)
    threshold = best_threshold(chosen_by, val)
    measuring = _measuring_pack(work, scratch / "second", threshold=threshold)
    worths = {"val": {ORIGINAL: worth(chosen_by, val, threshold)}}
    judges, part = (test, "test") if test.images else (val, "val")
    for variant in _VARIANTS:
        name = variant["name"]
        worths.setdefault(part, {})[name] = worth(measured(measuring, name, judges, on_step), judges, threshold)
    before = None
    if work.base is not None and test.images:
        original = next(variant for variant in work.base.manifest.variants if variant.runtime == "onnxruntime")
        before = worth(measured(work.base, original.name, test, on_step), test, work.base.manifest.thresholds.score)
    return _Judged(worths=worths, base_on_test=before, measuring=measuring)


def _measuring_pack(work: Work, place: Path, *, threshold: float) -> Pack:
    """A pack around the network, good enough to be run; its golden is a grey square."""
    place.mkdir(parents=True)
    for name in _NETWORK:
        shutil.copyfile(work.folder / name, place / name)
    (place / "CARD.md").write_text("", encoding="utf-8")
    cv2.imwrite(str(place / "grey.png"), np.full((64, 64, 3), 114, np.uint8))
    (place / "grey.json").write_text(json.dumps({"xyxy": [], "score": [], "label_index": []}), encoding="utf-8")
    golden = {"image": "grey.png", "expected": "grey.json"}
    return write_pack(place, _draft(work, threshold) | {"card": "CARD.md", "variants": list(_VARIANTS), "goldens": [golden]})


def _goldens(work: Work, measuring: Pack, place: Path) -> list[Chosen]:
    if work.plan.goldens == "base" and work.base is not None:
        return golden_images.taken_over(measuring, work.base, place)
    held_out = [*part_of(work.folder, work.plan, "test").images, *part_of(work.folder, work.plan, "val").images]
    return golden_images.choose(measuring, held_out, place)


def _draft(work: Work, threshold: float) -> dict[str, Any]:
    plan, base = work.plan, work.base
    labels = base.manifest.labels if base is not None else [Label(name=name) for name in plan.labels]
    thresholds = {"score": threshold, "score_floor": min(_SCORE_FLOOR, threshold), "nms_iou": _NMS_IOU, "max_objects": _MOST_OBJECTS}
    if base is not None:
        thresholds |= {"nms_iou": base.manifest.thresholds.nms_iou, "max_objects": base.manifest.thresholds.max_objects}
    overlap = {"tile_overlap": base.manifest.input.tile_overlap} if base is not None else {}
    return {
        "name": plan.name,
        "version": plan.version,
        "title": title_of(plan),
        "task": "detect",
        "head": "yolo_v8",
        "labels": [label.model_dump() for label in labels],
        "input": {"width_px": plan.width_px, "height_px": plan.height_px, "channel_order": "rgb", "fit": plan.fit} | overlap,
        "thresholds": thresholds,
        "licence": licence_of(plan),
        "trained_on": trained_on(plan),
    }


def _pack(target: Path, work: Work, record: Mapping[str, Any], judged: _Judged, chosen: Sequence[Chosen]) -> Pack:
    title = title_of(work.plan)
    shown = judged.worths.get("test") or judged.worths["val"]
    place = work.folder / ".measuring" / "documents"
    place.mkdir(parents=True)
    write_json(place / "experiment.json", record)
    (place / "curves.csv").write_text(curves_csv(record["curves"]), encoding="utf-8")
    (place / "report.html").write_text(report(record, title), encoding="utf-8")
    scores = Scores(worths=judged.worths, base_on_test=judged.base_on_test, goldens=chosen)
    (place / "MODEL_CARD.md").write_text(write_card(work.plan, record, scores, title), encoding="utf-8")
    files = {name: work.folder / name for name in _NETWORK}
    files |= {name: place / Path(name).name for name in ("MODEL_CARD.md", *_DOCUMENTS)}
    for one in chosen:
        files |= {f"goldens/{one.image.name}": one.image, f"goldens/{one.expected.name}": one.expected}
    draft = _draft(work, shown[ORIGINAL].threshold) | {
        "card": "MODEL_CARD.md",
        "documents": list(_DOCUMENTS),
        "metrics": shown[ORIGINAL].metrics(),
        "variants": [{**variant, "metrics": shown[variant["name"]].metrics()} for variant in _VARIANTS],
        "goldens": [{"image": f"goldens/{one.image.name}", "expected": f"goldens/{one.expected.name}"} for one in chosen],
    }
    return verify_pack(assemble_pack(target, draft, files).path)
