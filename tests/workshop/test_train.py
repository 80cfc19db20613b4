"""Training for real: a tiny data set, seconds per epoch, the starter pack as the base, and everything that may go wrong on the way."""

from __future__ import annotations

import errno
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
import onnx
import pytest
import torch

from edge.errors import InputError
from edge.store.lock import HomeLock
from models.pack import verify_pack
from models.training.plan import CURVES_NAME, DATA_NAME, TRAINED_NAME, Base, Plan, read_curves, read_plan, write_json, write_plan
from models.workshop import torchvision_shim
from models.workshop.ultralytics_offline import new_detector, prepare
from tests.helpers.labelled import write_yolo
from tests.helpers.small_disk import small_disk

TOP = Path(__file__).parents[2]
STARTER = TOP / "models" / "packs" / "burrow-openings-starter"
PROGRAM = TOP / ".venv" / "bin" / "imagine-edge"
RECORDER = TOP / "tests" / "simulators" / "packet_recorder.py"
TOWS = {"tow_a": 12, "tow_b": 4, "tow_c": 4}

pytestmark = pytest.mark.timeout(900)


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


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """`data.json` of a tiny set."""
    root = write_yolo(tmp_path_factory.mktemp("data"), **TOWS)
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


def test_one_command_makes_a_pack_that_beats_its_base(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "stills", **TOWS)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    words = ["--data", str(data), "--base", "burrow-openings-starter", "--epochs", "12", "--batch", "4", "--input", "128x96", "--json"]
    run = train(tmp_path, *words)
    assert run.returncode == 0, run.stdout + run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    pack = verify_pack(tmp_path / answer["pack_dir"])
    assert answer["test"]["map50"] > answer["base"]["map50"] + 0.2
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


def test_an_image_that_vanishes_while_training_is_told_by_name(rows: dict[str, Any], tmp_path: Path) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from models.workshop.train.data import PartDataset

    images = [row | {"path": str(tmp_path / "gone.png")} for row in rows["val"]]
    (tmp_path / "torn.png").write_bytes(Path(rows["val"][0]["path"]).read_bytes()[:60])
    images[1]["path"] = str(tmp_path / "torn.png")
    dataset = PartDataset(images, plan_of(), hyp=get_cfg(), augment=False, batch_size=2)
    with pytest.raises(InputError, match=r"gone\.png cannot be read any more"):
        dataset.load_image(0)
    with pytest.raises(InputError, match=r"torn\.png cannot be decoded"):
        dataset.load_image(1)


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


def test_batch_norms_given_back_change_nothing() -> None:
    prepare()
    from models.workshop.to_ultralytics import rebuild
    from models.workshop.train import base

    generator = torch.Generator().manual_seed(3)
    images = [torch.rand(1, 3, 96, 128, generator=generator) for _ in range(4)]
    layout, network = base.start(STARTER / "model.onnx", 1, images)
    assert layout == "yolo11n"
    folded = rebuild(STARTER / "model.onnx", "yolo11n.yaml")
    with torch.inference_mode():
        expected, found = folded(images[0])[0], network.eval()(images[0])[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) > 80
    assert sum(float(norm.running_var.mean()) != 1.0 for norm in norms if norm.running_var is not None) == len(norms)


def test_a_layout_is_known_by_its_weights() -> None:
    prepare()
    from models.workshop.train import base

    weights = new_detector("yolov8n.yaml", n_classes=3).state_dict()
    assert base.find_layout(weights, 3) == "yolov8n"
    with pytest.raises(base.BaseUnusableError):
        base.find_layout(weights, 2)
    with pytest.raises(base.BaseUnusableError):
        base.find_layout({}, 3)


def test_images_are_seen_at_the_appliances_scale(rows: dict[str, Any]) -> None:
    prepare()
    from ultralytics.cfg import get_cfg

    from models.workshop.train.data import PartDataset, crop_side_px

    plan = plan_of(width_px=64, height_px=64)
    crowd = rows["val"][0] | {"crowd": [True, False, False, False]}
    whole = PartDataset([crowd, *rows["val"][1:]], plan, hyp=get_cfg(), augment=False, batch_size=2)
    image, disk, now = whole.load_image(0)
    assert (image.shape, disk, now) == ((36, 64, 3), (72, 128), (36, 64))
    assert len(whole.labels[0]["cls"]) == 3  # the box around many is no object
    seen = whole[1]
    assert tuple(seen["img"].shape) == (3, 64, 64)
    boxes = seen["bboxes"].numpy() * 64
    expected = np.array(rows["val"][1]["boxes"]) / 2 + [0, 14, 0, 14]  # halved, and 14 px of grey above
    np.testing.assert_allclose(boxes[:, :2], (expected[:, :2] + expected[:, 2:]) / 2, atol=0.6)
    mosaic = PartDataset(rows["train"], plan, hyp=get_cfg(overrides={"mosaic": 1.0}), augment=True, batch_size=2)
    assert tuple(mosaic[0]["img"].shape) == (3, crop_side_px(plan), crop_side_px(plan))
    mosaic.close_mosaic(get_cfg())
    assert tuple(mosaic[0]["img"].shape) == (3, 64, 64)


def test_a_training_that_diverges_ends(tmp_path: Path, rows: dict[str, Any]) -> None:
    prepare()
    torchvision_shim.complete()
    from models.workshop.train.faults import DivergedError
    from models.workshop.train.trainer import WorkshopTrainer

    folder = work_folder(tmp_path / "work", rows, plan_of(base=Base(named="yolo11n", layout="yolo11n")))
    trainer = WorkshopTrainer(read_plan(folder), folder, "yolo11n", rows, start=None, say=lambda now: None)
    spoilt = new_detector("yolo11n.yaml", n_classes=1)
    for parameter in spoilt.parameters():
        parameter.data.fill_(float("nan"))
    trainer.start_network = spoilt
    with pytest.raises(DivergedError):
        trainer.train()
    assert not (folder / "run" / "weights" / "last.pt").exists()


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "out_of_memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device", "last.tmp"), "disk_full"),
        (OSError(errno.EACCES, "Permission denied"), "model_failed"),
    ],
)
def test_what_libraries_raise_becomes_one_clear_error(raised: Exception, code: str) -> None:
    from models.workshop.train.faults import as_ours

    ours = as_ours(raised)
    assert ours is not None
    assert ours.code == code
    assert as_ours(ValueError("something else")) is None


def test_an_interrupted_save_leaves_the_checkpoint_before(tmp_path: Path, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    prepare()
    torchvision_shim.complete()
    from models.workshop.train import trainer as training

    folder = work_folder(tmp_path / "work", rows, plan_of(base=Base(named="yolo11n", layout="yolo11n"), epochs=2))
    network = training.WorkshopTrainer(read_plan(folder), folder, "yolo11n", rows, start=None, say=lambda now: None)
    saved: list[bytes] = []

    def cut(temporary: Path, target: Path) -> None:
        if len(saved) == 2:  # best and last of the first epoch are there: the power goes
            raise KeyboardInterrupt
        saved.append(target.name.encode())
        temporary.replace(target)

    monkeypatch.setattr(training, "_settle", cut)
    with pytest.raises(KeyboardInterrupt):
        network.train()
    last = torch.load(folder / "run" / "weights" / "last.pt", weights_only=False)
    assert last["epoch"] == 0
    assert [row["epoch"] for row in read_curves(folder)] == [1]
