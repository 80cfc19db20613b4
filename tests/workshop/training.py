"""Tiny work folders, and the training tool and command as child processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.training.plan import DATA_NAME, Base, Plan, read_curves, write_json, write_plan
from tests.helpers.labelled import write_yolo

TOP = Path(__file__).parents[2]
STARTER = TOP / "models" / "packs" / "burrow-openings-starter"
PROGRAM = TOP / ".venv" / "bin" / "imagine-edge"
TOWS = {"tow_a": 12, "tow_b": 4, "tow_c": 4}


def plan_of(**changes: Any) -> Plan:
    plan = Plan(
        name="tiny",
        version="1.0.0",
        base=Base(named="starter", layout=None, onnx="model.onnx"),
        labels=("burrow opening",),
        width_px=128,
        height_px=96,
        fit="letterbox",
        epochs=3,
        whole_epochs=1,
        patience_epochs=25,
        batch_size=4,
        learning_rate=0.001,
        seed=1,
        device="cpu",
        time_limit_min=None,
        goldens="data",
        dataset={},
        split={},
        created_utc="",
    )
    return replace(plan, **changes)


def tiny_rows(folder: Path) -> dict[str, Any]:
    """`data.json` of a tiny set, whose images are written into `folder`."""
    root = write_yolo(folder, **TOWS)
    parts: dict[str, list[dict[str, Any]]] = {}
    for part, tow in (("train", "tow_a"), ("val", "tow_b"), ("test", "tow_c")):
        parts[part] = [_row(root, path) for path in sorted((root / "images" / tow).iterdir())]
    return parts


def _row(root: Path, path: Path) -> dict[str, Any]:
    lines = (root / "labels" / path.parent.name / f"{path.stem}.txt").read_text().split("\n")[:-1]
    centre_size = np.array([[float(word) for word in line.split()[1:]] for line in lines]) * [128, 72, 128, 72]
    boxes = np.hstack([centre_size[:, :2] - centre_size[:, 2:] / 2, centre_size[:, :2] + centre_size[:, 2:] / 2])
    count = len(boxes)
    told = {"path": str(path), "name": path.name, "tow": path.parent.name, "width_px": 128, "height_px": 72}
    return told | {"boxes": boxes.tolist(), "label_index": [0] * count, "crowd": [False] * count}


def work_folder(folder: Path, rows: dict[str, Any], plan: Plan) -> Path:
    (folder / "base").mkdir(parents=True)
    shutil.copyfile(STARTER / "model.onnx", folder / "base" / "model.onnx")
    write_json(folder / DATA_NAME, rows)
    write_plan(folder, plan)
    return folder


def tool(folder: Path, *before: str) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "-P", "-m", "models.workshop.train", str(folder)]
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": str(TOP), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=folder, start_new_session=True
    )


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _ = process.communicate()
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer


def kill(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_epoch(folder: Path, process: subprocess.Popen[str], epoch: int) -> None:
    end_s = time.monotonic() + 400
    while len(read_curves(folder)) < epoch:
        assert process.poll() is None, "the training ended by itself"
        assert time.monotonic() < end_s, "no epoch ended"
        time.sleep(0.05)


def needs_program() -> None:
    if not PROGRAM.is_file():
        pytest.skip("the appliance's environment is not installed here (`make run` makes it)")


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    needs_program()
    command = [str(PROGRAM), "--home", str(folder / "home"), "models", "train", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
