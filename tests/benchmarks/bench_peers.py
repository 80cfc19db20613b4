"""Images per second beside `yolo predict` (ultralytics), with the same weights, input size and images; prints one JSON document.

Usage, from the top of the repository: python -m tests.benchmarks.bench_peers [--quick]

Needs `make workshop`. The pack holds no `.pt`, so one is rebuilt from its ONNX file: torch computes with the very same weights.
Both programs run as their users run them, once on few and once on many stills: the difference is the rate after start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from installer.selftest import STARTER_PACK, starter_pack
from models.pack import Pack
from tests.benchmarks.appliance import ingest
from tests.benchmarks.cost import Cost, run_command
from tests.benchmarks.stills import write_stills

WORKSHOP_PYTHON = Path(__file__).resolve().parents[2] / ".venv-workshop" / "bin" / "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a whole command cost for few and for many stills."""

    few: int
    many: int
    few_cost: Cost
    many_cost: Cost

    @property
    def images_per_s(self) -> float:
        """After start-up."""
        return (self.many - self.few) / (self.many_cost.wall_s - self.few_cost.wall_s)

    @property
    def cpu_s_per_image(self) -> float:
        """After start-up; hardly moved by what else the machine does."""
        return (self.many_cost.cpu_s - self.few_cost.cpu_s) / (self.many - self.few)

    def as_json(self) -> dict[str, float]:
        """What the document shows of it."""
        return {
            "stills": self.many,
            "images_per_s": round(self.images_per_s, 2),
            "images_per_s_with_start": round(self.many / self.many_cost.wall_s, 2),
            "few_stills_s": round(self.few_cost.wall_s, 2),
            "cpu_ms_per_image": round(self.cpu_s_per_image * 1000, 1),
        }


def main() -> int:
    """Measure both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workshop-python", type=Path, default=WORKSHOP_PYTHON)
    options = parser.parse_args()
    python: Path = options.workshop_python
    if not python.is_file():
        print(f"there is no {python}: run `make workshop`", file=sys.stderr)
        return 1
    few, many = (5, 60) if options.quick else (20, 600)
    pack = starter_pack()
    with tempfile.TemporaryDirectory(prefix="imagine-edge-peers-") as folder:
        workspace = Path(folder)
        for name, count, seed in (("few", few, 51), ("many", many, 52)):
            write_stills(workspace / name, count, seed=seed)
        weights = workspace / "peer.pt"
        run_command([str(python), "-m", "models.workshop.to_ultralytics", str(_onnx_of(pack)), str(weights)])
        peer = [str(python), "-m", "models.workshop.yolo", "detect", "predict", f"model={weights}"]
        ours, theirs = _ours(workspace, few, many), _theirs(workspace, few, many, pack, peer)
    document = {
        "input_px": [pack.manifest.input.width_px, pack.manifest.input.height_px],
        "peer": "ultralytics on torch, CPU, weights rebuilt from the pack's ONNX file",
        "appliance": ours.as_json(),
        "yolo_predict": theirs.as_json(),
        "ratio": round(ours.images_per_s / theirs.images_per_s, 2),
        "cpu_ratio": round(theirs.cpu_s_per_image / ours.cpu_s_per_image, 2),
        "note": "the appliance works at nice 5: on a machine that is busy with other work `ratio` says less than `cpu_ratio`",
        "limit": "at least 3 against torch on the CPU",
    }
    print(json.dumps(document, indent=2))
    return 0


def _ours(workspace: Path, few: int, many: int) -> Rate:
    home = workspace / "home"
    warm = write_stills(workspace / "warm", 1, seed=53)
    ingest(home, warm[0].parent)  # checks the model on this machine, once
    few_cost, many_cost = (ingest(home, workspace / name)[0] for name in ("few", "many"))
    return Rate(few=few, many=many, few_cost=few_cost, many_cost=many_cost)


def _theirs(workspace: Path, few: int, many: int, pack: Pack, peer: list[str]) -> Rate:
    os.environ.update(YOLO_CONFIG_DIR=str(workspace / "yolo"), YOLO_OFFLINE="true")
    spec, thresholds = pack.manifest.input, pack.manifest.thresholds
    costs = []
    for name in ("few", "many"):
        options = {
            "source": f"{workspace / name}/**/*.jpg",
            "imgsz": f"[{spec.height_px},{spec.width_px}]",
            "conf": str(thresholds.score_floor),
            "iou": str(thresholds.nms_iou),
            "device": "cpu",
            "save": "False",
            "verbose": "False",
            "project": str(workspace / "runs"),
        }
        costs.append(run_command([*peer, *(f"{option}={value}" for option, value in options.items())]))
    return Rate(few=few, many=many, few_cost=costs[0], many_cost=costs[1])


def _onnx_of(pack: Pack) -> Path:
    for variant in pack.manifest.variants:
        if variant.runtime == "onnxruntime" and variant.precision == "fp32":
            return pack.file_path(variant.files[0])
    raise SystemExit(f"{STARTER_PACK} has no ONNX file in FP32")


if __name__ == "__main__":
    sys.exit(main())
