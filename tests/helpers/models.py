"""Packs with real files, and comparisons, in the database of a simulated appliance."""

from __future__ import annotations

import json
from pathlib import Path

from edge.store import comparisons, packs
from edge.store.comparisons import ComparedSide, FileOutcome, NewComparison
from edge.store.connection import immediate
from edge.store.packs import PackRow, VariantVerdict
from edge.web.machine import this_machine
from models.pack import Pack, write_pack
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.tiny_models import make_tiny_pack

HOSTILE_CARD = "# Card\n\n<script>alert(1)</script> [link](javascript:alert(1))\n\n| a | b |\n|---|--:|\n| x | 1 |\n"
HOSTILE_REPORT = "<h1>Report</h1><script>fetch('/api/pause', {method: 'POST'})</script>"


def make_pack_with_report(folder: Path, version: str = "2.0.0", **changes: object) -> Pack:
    """The tiny detector with a hostile card, a hostile report and figures for each variant."""
    make_tiny_pack(folder, ir=False)
    (folder / "CARD.md").write_text(HOSTILE_CARD)
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / "evaluation.html").write_text(HOSTILE_REPORT)
    (folder / "reports" / "notes.bin").write_bytes(b"\0\1")
    (folder / "manifest.json").unlink()
    fields: dict[str, object] = {
        "name": "tiny",
        "version": version,
        "title": "A tiny <model>",
        "task": "detect",
        "head": "yolo_v8",
        "labels": [{"name": "red"}, {"name": "green", "aphia_id": 107254}, {"name": "blue"}],
        "input": {"width_px": 64, "height_px": 64},
        "licence": "CC0-1.0",
        "trained_on": "coloured squares",
        "card": "CARD.md",
        "documents": ["reports/evaluation.html", "reports/notes.bin"],
        "metrics": {"map50": 0.5},
        "variants": [
            {"name": "onnx-fp32", "runtime": "onnxruntime", "precision": "fp32", "files": ["model.onnx"], "metrics": {"map50": 0.5}},
            {"name": "onnx-int8", "runtime": "onnxruntime", "precision": "int8", "files": ["model.onnx"], "metrics": {"map50": 0.4}},
        ],
        "goldens": [{"image": "golden.png", "expected": "golden.json"}],
    }
    return write_pack(folder, fields | changes)


def add_real_pack(appliance: SimulatedAppliance, pack: Pack, *, machine: str | None = None) -> PackRow:
    """Register a pack with what its variants showed: one offered, one refused."""
    golden = {"image": "golden.png", "expected_count": 2, "found_count": 2, "fault": "", "found": [[8, 16, 16, 24, 1.0, 0]]}
    fault = {**golden, "found_count": 1, "fault": "an object is missing", "found": []}
    shown = [("onnx-fp32", True, "fastest here: 99.0 images/s", 8.5, 99.0, golden), ("onnx-int8", False, "10.0 points", None, None, fault)]
    with immediate(appliance.writer) as connection:
        row = packs.add_pack(connection, pack.manifest, pack_path=pack.path, manifest_sha256=pack.manifest_sha256)
        verdicts = [
            VariantVerdict(
                name=name,
                runtime="onnxruntime",
                precision=name[-4:],
                sha256="0" * 64,
                device="CUDA f32",
                offered=offered,
                reason=reason,
                latency_ms=latency_ms,
                images_per_s=images_per_s,
                goldens_json=json.dumps([outcome]),
            )
            for name, offered, reason, latency_ms, images_per_s, outcome in shown
        ]
        packs.record_verdicts(connection, row.model_id, machine or this_machine(), verdicts)
    appliance.touch()
    return row


def add_comparison(appliance: SimulatedAppliance, a: PackRow, b: PackRow, file_ids: list[int]) -> int:
    """A comparison that ended: the first file disagrees most, the last failed."""
    with immediate(appliance.writer) as connection:
        sides = [ComparedSide(model_id=row.model_id, variant="onnx-fp32", device="CPU", score_threshold=0.25) for row in (a, b)]
        new = NewComparison(
            recipe="burrows", a=sides[0], b=sides[1], files_chosen="the newest 3", file_ids=tuple(file_ids), actor="page test"
        )
        comparison_id = comparisons.add_comparison(connection, new)
        files = comparisons.begin_comparison(connection, comparison_id)
        outcomes = [_outcome(file.row_id, alone) for alone, file in zip(range(len(files), 1, -1), files, strict=False)]
        outcomes.append(FileOutcome(row_id=files[-1].row_id, detail="truncated: the end is missing"))
        comparisons.record_outcomes(connection, outcomes)
        comparisons.end_comparison(connection, comparison_id, "done")
    appliance.touch()
    return comparison_id


def _outcome(row_id: int, alone: int) -> FileOutcome:
    pair = [10.0, 20.0, 60.0, 50.0, 0.9, "opening", 0]
    only_b = [[100.0 + 40 * at, 90.0, 130.0 + 40 * at, 120.0, 0.5, "opening", None] for at in range(alone)]
    return FileOutcome(
        row_id=row_id,
        a_count=1,
        b_count=1 + alone,
        matched=1,
        only_a=0,
        only_b=alone,
        a_infer_ms=20.0,
        b_infer_ms=10.0,
        boxes_json=json.dumps({"a": [pair], "b": [pair, *only_b]}),
    )
