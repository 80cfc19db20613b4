"""Training for real: a tiny data set, seconds per epoch, the starter pack as the base, and everything that may go wrong on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from edge.store.lock import HomeLock
from models.pack import verify_pack
from models.runtime.machine import usable_cores
from models.training.plan import CURVES_NAME, TRAINED_NAME, read_curves, read_plan
from tests.helpers.labelled import write_yolo
from tests.helpers.small_disk import small_disk
from tests.workshop.training import (
    PROGRAM,
    TOP,
    TOWS,
    answer_of,
    kill,
    needs_program,
    plan_of,
    tiny_rows,
    tool,
    train,
    wait_for_epoch,
    work_folder,
)

RECORDER = TOP / "tests" / "simulators" / "packet_recorder.py"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_rows(tmp_path_factory.mktemp("data"))


def test_one_command_makes_a_pack_that_beats_its_base(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "stills", **TOWS)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    words = ["--data", str(data), "--base", "burrow-openings-starter", "--epochs", "12", "--batch", "4", "--input", "128x96", "--json"]
    run = train(tmp_path, *words)
    assert run.returncode == 0, run.stdout + run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    pack = verify_pack(tmp_path / answer["pack_dir"])
    assert answer["test"]["map50"] > answer["base"]["map50"] + 0.05
    assert pack.manifest.metrics["map50"] == pytest.approx(answer["test"]["map50"], abs=1e-4)
    assert pack.manifest.licence.startswith("AGPL-3.0-only")
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before  # no cache, no changed file beside the images
    again = train(tmp_path, *words)
    assert (again.returncode, json.loads(again.stdout.splitlines()[-1])["error"]["code"]) == (5, "work_folder")


def test_a_killed_training_goes_on_from_its_last_epoch(tmp_path: Path, rows: dict[str, Any]) -> None:
    folder = work_folder(tmp_path / "work", rows, plan_of(epochs=5))
    first = tool(folder)
    wait_for_epoch(folder, first, 2)
    kill(first)
    done = read_curves(folder)
    assert 2 <= len(done) < 5
    assert not (folder / TRAINED_NAME).exists()
    answer = answer_of(tool(folder))
    assert answer["result"]["epochs"] == 5
    assert answer["result"]["device"] == f"CPU, {usable_cores()} threads"  # the library would leave one idle
    curves = read_curves(folder)
    assert [row["epoch"] for row in curves] == [1, 2, 3, 4, 5]
    assert curves[: len(done) - 1] == done[:-1]  # the last row may be written before its checkpoint was
    assert read_plan(folder) == plan_of(epochs=5)


def test_the_whole_command_killed_goes_on_with_the_same_parts(tmp_path: Path) -> None:
    needs_program()
    data = write_yolo(tmp_path / "stills", **TOWS)
    words = ["--data", str(data), "--base", "yolo11n", "--epochs", "4", "--batch", "4", "--input", "64x64", "--out", str(tmp_path / "work")]
    command = [str(PROGRAM), "--home", str(tmp_path / "home"), "models", "train", *words, "--learning-rate", "0.003"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    wait_for_epoch(tmp_path / "work", first, 1)
    kill(first)  # the tool has a session of its own; it sees that nobody waits for it
    before = (tmp_path / "work" / "data.json").read_bytes()
    end_s = time.monotonic() + 120
    while True:
        again = train(tmp_path, *words, "--learning-rate", "0.003")
        if "in use by process" not in again.stderr or time.monotonic() > end_s:
            break
        time.sleep(1)
    assert "Goes on after epoch" in again.stdout, again.stdout + again.stderr
    assert (tmp_path / "work" / "data.json").read_bytes() == before
    assert [row["epoch"] for row in read_curves(tmp_path / "work")] == [1, 2, 3, 4]
    # So few epochs from random weights teach nothing: the honest end is a refusal, or a pack.
    assert again.returncode in {0, 5}


def test_ctrl_c_ends_the_tool_and_says_how_to_go_on(tmp_path: Path) -> None:
    needs_program()
    data = write_yolo(tmp_path / "stills", **TOWS)
    words = ["--data", str(data), "--base", "yolo11n", "--batch", "4", "--input", "64x64", "--out", str(tmp_path / "work")]
    command = [str(PROGRAM), "--home", str(tmp_path / "home"), "models", "train", *words]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    wait_for_epoch(tmp_path / "work", first, 1)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate()
    assert first.returncode == 130, output
    assert "Interrupted after" in output
    assert f"--resume --out {tmp_path / 'work'}" in output
    lock = HomeLock(tmp_path / "work")
    lock.acquire()  # nobody trains there any more
    lock.release()


def test_killed_between_training_and_conversion_nothing_is_trained_twice(tmp_path: Path, rows: dict[str, Any]) -> None:
    folder = work_folder(tmp_path / "work", rows, plan_of(epochs=2))
    answer_of(tool(folder))
    before = (folder / CURVES_NAME).read_bytes()
    for gone in (folder / TRAINED_NAME, folder / "run" / "ended.json", folder / "model.onnx", folder / CURVES_NAME):
        gone.unlink()
    answer = answer_of(tool(folder))
    assert (answer["result"]["epochs"], answer["result"]["best_epoch"]) == (2, 2)
    assert (folder / CURVES_NAME).read_bytes() == before
    onnx.checker.check_model(onnx.load(str(folder / "model.onnx")))


def test_two_trainings_in_one_folder_do_not_meet(tmp_path: Path, rows: dict[str, Any]) -> None:
    folder = work_folder(tmp_path / "work", rows, plan_of(epochs=50))
    first = tool(folder)
    try:
        wait_for_epoch(folder, first, 1)
        assert answer_of(tool(folder))["error"]["code"] == "home_in_use"
    finally:
        kill(first)


def test_the_time_limit_ends_a_training_and_it_still_gives_a_network(tmp_path: Path, rows: dict[str, Any]) -> None:
    folder = work_folder(tmp_path / "work", rows, plan_of(epochs=10_000, time_limit_min=0.1))
    answer = answer_of(tool(folder))
    assert answer["result"]["stopped"] == "the time limit of 0.1 min"
    assert answer["result"]["epochs"] < 10_000
    assert (folder / "model.xml").is_file()


def test_no_packet_leaves_while_training(tmp_path: Path, rows: dict[str, Any]) -> None:
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists() or shutil.which("unshare") is None:
        pytest.skip("recording packets needs root, unshare and /dev/net/tun")
    folder = work_folder(tmp_path / "work", rows, plan_of(epochs=1))
    out = tmp_path / "packets.json"
    answer = answer_of(tool(folder, "unshare", "--net", "--mount", sys.executable, str(RECORDER), str(out)))
    assert answer["result"]["epochs"] == 1
    assert json.loads(out.read_text())["packets"] == []


def test_a_full_disk_ends_a_training_that_goes_on_when_there_is_room(tmp_path: Path, rows: dict[str, Any]) -> None:
    with small_disk(tmp_path / "disk", 75) as disk:  # room for one epoch's checkpoints, not for the next beside them
        folder = work_folder(disk / "work", rows, plan_of(epochs=2))
        error = answer_of(tool(folder))["error"]
        assert (error["code"], "the same command" in error["advice"]) == ("disk_full", True)
        assert [row["epoch"] for row in read_curves(folder)] == [1]
        assert sorted(path.name for path in (folder / "run" / "weights").iterdir()) == ["best.pt", "last.pt"]
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        assert answer_of(tool(folder))["result"]["epochs"] == 2


def test_an_image_that_vanished_is_told_by_name(tmp_path: Path, rows: dict[str, Any]) -> None:
    gone = str(tmp_path / "gone.png")
    changed = rows | {"train": [*rows["train"][:-1], rows["train"][-1] | {"path": gone}]}
    error = answer_of(tool(work_folder(tmp_path / "work", changed, plan_of())))["error"]
    assert (error["code"], gone in error["message"]) == ("input_invalid/vanished", True)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, rows: dict[str, Any]) -> None:
    folder = work_folder(tmp_path / "work", rows, plan_of())
    model = onnx.load(str(folder / "base" / "model.onnx"))
    weight = next(one for one in model.graph.initializer if one.name.endswith("conv.bias"))
    broken = onnx.numpy_helper.to_array(weight).copy()
    broken[3] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(broken, weight.name))
    onnx.save(model, str(folder / "base" / "model.onnx"))
    error = answer_of(tool(folder))["error"]
    assert (error["code"], "NaN" in error["message"]) == ("base_unusable", True)


def test_a_device_that_is_not_there_is_told(tmp_path: Path, rows: dict[str, Any]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert answer_of(tool(work_folder(tmp_path / "work", rows, plan_of(device="cuda:0"))))["error"]["code"] == "model_failed"


def test_a_pack_of_another_network_is_refused(tmp_path: Path, rows: dict[str, Any]) -> None:
    error = answer_of(tool(work_folder(tmp_path / "work", rows, plan_of(labels=("burrow opening", "animal")))))["error"]
    assert (error["code"], "2 classes" in error["message"]) == ("base_unusable", True)
