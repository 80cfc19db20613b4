"""The starter's pack: network files, goldens, figures, card, manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch

from edge.zooscan.multiples import MULTIPLE, MULTIPLE_SCORE, SINGLE, STARTER_PACK, ClassifierSpec, PackClassifier, load_classifier, prepare
from models.pack import write_pack
from models.runtime.goldens import write_expected
from models.runtime.predict import load_model
from models.runtime.quiet import import_openvino
from models.workshop.multiples.crops import CropSet
from models.workshop.multiples.network import SIDE_PX, Scored

VERSION = "1.0.0"
PACK_DIR = Path(__file__).parents[2] / "packs" / STARTER_PACK
ONNX_NAME, XML_NAME, BIN_NAME, CARD_NAME = "model.onnx", "model.xml", "model.bin", "MODEL_CARD.md"
VARIANTS = (
    {"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": [ONNX_NAME]},
    {"name": "openvino-fp16", "runtime": "openvino", "precision": "fp16", "files": [XML_NAME, BIN_NAME]},
)
_OPSET = 17
_GOLDENS = 6
_GOLDEN_TOLERANCE = 0.05

Measure = Callable[[PackClassifier], dict[str, Any]]


def write(
    network: torch.nn.Module, crops: CropSet, measure: Measure, card: Callable[[Mapping[str, Any]], str], pack_dir: Path
) -> dict[str, Any]:
    """Write the pack beside the old one, measure each of its variants, and only then replace that. Returns the figures by variant.

    Args:
        network: trained, gives logits.
        crops: rendered ones that were not learned from: some become goldens.
        measure: figures of a classifier.
        card: the model card's text for the figures.
        pack_dir: where it is to lie.
    """
    building = pack_dir.with_name(f".{pack_dir.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    (building / "goldens").mkdir(parents=True)
    _export(network, building)
    goldens = _goldens(building, crops)
    (building / CARD_NAME).write_text("not measured yet\n", encoding="utf-8")
    write_pack(building, _draft(goldens, {}))
    for golden in goldens:
        original = load_model(building, str(VARIANTS[0]["name"]), threads=1)
        write_expected(original, building / golden["image"], building / golden["expected"])
    write_pack(building, _draft(goldens, {}))
    figures = {str(one["name"]): measure(load_classifier(ClassifierSpec(pack_path=building, variant=str(one["name"])))) for one in VARIANTS}
    (building / CARD_NAME).write_text(card(figures), encoding="utf-8")
    write_pack(building, _draft(goldens, figures))
    load_classifier(ClassifierSpec(pack_path=building))  # proves its goldens
    shutil.rmtree(pack_dir, ignore_errors=True)
    building.rename(pack_dir)
    return figures


def _export(network: torch.nn.Module, folder: Path) -> None:
    """Static ONNX, and OpenVINO IR of it with its weights in 16 bits."""
    path = folder / ONNX_NAME
    torch.onnx.export(
        Scored(network).eval(),
        (torch.zeros(1, 3, SIDE_PX, SIDE_PX),),
        str(path),
        opset_version=_OPSET,
        input_names=["images"],
        output_names=["scores"],
        do_constant_folding=True,
        dynamo=False,
    )
    model = onnx.load(str(path))
    for node in model.graph.node:  # texts that carry paths of this machine
        node.doc_string = ""
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    ov = import_openvino()
    ov.save_model(ov.convert_model(str(path)), str(folder / XML_NAME), compress_to_fp16=True)


def _goldens(folder: Path, crops: CropSet) -> list[dict[str, Any]]:
    """Half of them several, half one; kept as the network sees them, which a classification's own fit then leaves as they are."""
    places = [*np.flatnonzero(crops.is_multiple)[: _GOLDENS // 2], *np.flatnonzero(~crops.is_multiple)[: _GOLDENS // 2]]
    goldens = []
    for number, place in enumerate(places, start=1):
        image, expected = f"goldens/crop_{number}.png", f"goldens/crop_{number}.json"
        cv2.imwrite(str(folder / image), prepare(crops.crops[place], SIDE_PX, SIDE_PX))
        (folder / expected).write_text(json.dumps({"score": [0.5, 0.5]}), encoding="utf-8")
        goldens.append({"image": image, "expected": expected, "score_tolerance": _GOLDEN_TOLERANCE})
    return goldens


def _draft(goldens: Sequence[Mapping[str, Any]], figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    first = str(VARIANTS[0]["name"])
    return {
        "name": STARTER_PACK,
        "version": VERSION,
        "title": "Multiples on ZooScan scans, starter (trained on rendered plankton only)",
        "task": "classify",
        "head": "classify",
        "labels": [{"name": MULTIPLE}, {"name": SINGLE}],
        "input": {"width_px": SIDE_PX, "height_px": SIDE_PX, "channel_order": "rgb", "fit": "letterbox", "pad_value": 0},
        "thresholds": {"score": MULTIPLE_SCORE, "score_floor": 0.0},
        "licence": "Apache-2.0",
        "trained_on": "Rendered plankton only; no real vignette was used for training or thresholds.",
        "card": CARD_NAME,
        "metrics": _flat(figures[first]) if figures else {},
        "variants": [{**one, "metrics": _flat(figures[str(one["name"])]) if figures else {}} for one in VARIANTS],
        "goldens": list(goldens),
    }


def _flat(figures: Mapping[str, Any]) -> dict[str, float]:
    """Figures as a manifest keeps them: on rendered crops, and on real animals where there were any."""
    flat = dict[str, float]()
    for key, ending in (("rendered", ""), ("real", "_real")):
        if (one := figures.get(key)) is not None:
            at = one["at"][str(MULTIPLE_SCORE)]
            flat |= {f"top1{ending}": one["balanced_accuracy"], f"auc{ending}": one["auc"]}
            flat |= {f"recall_multi{ending}": at["recall"], f"false_multi{ending}": at["false_share"]}
    return {name: round(float(value), 4) for name, value in flat.items()}
