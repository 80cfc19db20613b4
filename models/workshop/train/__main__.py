"""Train the plan of a work folder, from its last finished epoch if it was interrupted, and convert the best epoch.

    python -m models.workshop.train WORK_FOLDER

A tool of `models.workbench`. The answer is what `trained.json` holds: layout, epochs, the best one, why it ended, library versions.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge.errors import BusyError, InputError, ModelError, Reason
from edge.store.lock import HomeLock
from models.training.plan import BASE_FOLDER, CURVES_NAME, DATA_NAME, STATE_FOLDER, TRAINED_NAME, Plan, read_plan, write_json
from models.workbench import Reporter, main_of
from models.workshop import torchvision_shim
from models.workshop.ultralytics_offline import prepare

_LIBRARIES = ("torch", "ultralytics", "onnx", "openvino", "numpy", "opencv-python-headless")
_MEASURED_IMAGES = 16
ENDED_NAME = "ended.json"


def train(folder: Path, reporter: Reporter) -> dict[str, Any]:
    """The whole tool.

    Raises:
        EdgeError: of many kinds; the work folder stays, to go on from.
    """
    plan = read_plan(folder)
    lock = HomeLock(folder)
    try:
        lock.acquire()
    except BusyError as error:
        raise BusyError(str(error), advice="A training is at work in this folder. Wait for it, or end it first.") from error
    try:
        return _train(folder, plan, reporter)
    finally:
        lock.release()


def _train(folder: Path, plan: Plan, reporter: Reporter) -> dict[str, Any]:
    settings = folder / STATE_FOLDER / "settings"  # of ultralytics, which writes some wherever it is
    settings.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)
    prepare()
    torchvision_shim.complete()
    from models.workshop.train.faults import as_ours

    images = json.loads((folder / DATA_NAME).read_text(encoding="utf-8"))
    _refuse_missing([*images["train"], *images["val"]])
    try:
        trainer = _ready(folder, plan, images, reporter)
        if trainer is not None:
            trainer.train()
        return _converted(folder, plan, trainer, reporter)
    except Exception as error:  # the border to ultralytics and torch, which raise what they like
        ours = as_ours(error)
        if ours is None or ours is error:
            raise
        raise ours from error


def _refuse_missing(images: list[dict[str, Any]]) -> None:
    missing = [image["path"] for image in images if not Path(image["path"]).is_file()]
    if missing:
        raise InputError(
            Reason.VANISHED,
            f"{len(missing)} of {len(images)} images are not there any more, such as {missing[0]}",
            advice="Put them back and give the same command again.",
        )


def _ready(folder: Path, plan: Plan, images: dict[str, Any], reporter: Reporter) -> Any:
    """A trainer at its first epoch, or at the one after the last finished; None when all are done and only the conversion is missing."""
    import torch

    from models.runtime.machine import usable_cores
    from models.workshop.train import base
    from models.workshop.train.trainer import WorkshopTrainer

    device = _device(plan.device)
    layout_path = folder / STATE_FOLDER / "layout.json"
    network = None
    if not (folder / STATE_FOLDER / "weights" / "last.pt").exists():
        layout = plan.base.layout
        if layout is None:
            reporter.step("reading the base pack", 0, 1)
            layout, network = base.start(folder / BASE_FOLDER / str(plan.base.onnx), len(plan.labels), _batches(plan, images["train"]))
            reporter.step("reading the base pack", 1, 1)
        layout_path.parent.mkdir(parents=True, exist_ok=True)
        write_json(layout_path, {"layout": layout})
    elif _has_ended(folder, device):
        return None
    layout = json.loads(layout_path.read_text(encoding="utf-8"))["layout"]
    trainer = WorkshopTrainer(replace(plan, device=device), folder, layout, images, start=network, say=lambda now: _tell(reporter, now))
    torch.set_num_threads(usable_cores())  # its constructor leaves one core to others
    return trainer


def _has_ended(folder: Path, device: str) -> bool:
    """Whether an interrupted training had done its last epoch; its curves are brought to what its checkpoint says."""
    from ultralytics.nn.tasks import load_checkpoint

    ended_path = folder / STATE_FOLDER / ENDED_NAME
    if ended_path.exists():
        return True
    try:
        _, checkpoint = load_checkpoint(folder / STATE_FOLDER / "weights" / "last.pt")
        rows, asked = checkpoint["train_results"]["rows"], checkpoint["train_args"]
    except (KeyError, TypeError, ValueError, EOFError, RuntimeError) as error:
        raise ModelError(f"the checkpoint in {folder} cannot be read: {error}", advice="Train anew, with another --out.") from error
    write_json(folder / CURVES_NAME, rows)
    if rows[-1]["epoch"] < asked["epochs"]:
        return False
    ended = {"stopped": "all epochs done", "best_epoch": checkpoint["stopper"]["best_epoch"], "epochs": rows[-1]["epoch"]}
    write_json(ended_path, ended | {"device": device, "batch_size": asked["batch"]})
    return True


def _tell(reporter: Reporter, now: Any) -> None:
    note = " ".join(f"{name.removesuffix('_loss')} {value:.3f}" for name, value in now.losses.items())
    if now.map50 is not None:
        note += f", val mAP50 {now.map50:.3f}"
    if now.left_s is not None:
        note += f", about {max(1, round(now.left_s / 60))} min left"
    reporter.step("training", round(now.done, 2), now.of, note)


def _batches(plan: Plan, images: list[dict[str, Any]]) -> Iterator[Any]:
    """A few training images, evenly picked, as the network will see them: (1, 3, H, W) in 0..1."""
    import torch
    from ultralytics.cfg import get_cfg

    from models.manifest import InputSpec
    from models.runtime.letterbox import letterbox, to_tensor
    from models.workshop.train.data import PartDataset

    spec = InputSpec(width_px=plan.width_px, height_px=plan.height_px, fit=plan.fit)
    picked = images[:: max(1, len(images) // _MEASURED_IMAGES)][:_MEASURED_IMAGES]
    dataset = PartDataset(picked, plan, hyp=get_cfg(), augment=False, batch_size=1)
    for index in range(len(picked)):
        image, _, (height_px, width_px) = dataset.load_image(index)
        image = image[: spec.height_px, : spec.width_px]
        place = letterbox(width_px, height_px, spec) if plan.fit == "letterbox" else None
        left_px, top_px = (place.left_px, place.top_px) if place else (0, 0)
        yield torch.from_numpy(to_tensor(image, spec, left_px=left_px, top_px=top_px))


def _converted(folder: Path, plan: Plan, trainer: Any, reporter: Reporter) -> dict[str, Any]:
    """Convert the best epoch to ONNX and OpenVINO IR."""
    from ultralytics.nn.tasks import load_checkpoint

    from models.workshop import convert

    ended_path = folder / STATE_FOLDER / ENDED_NAME
    if trainer is not None:
        ended = {"stopped": trainer.stopped, "best_epoch": int(trainer.stopper.best_epoch), "epochs": trainer.epoch + 1}
        write_json(ended_path, ended | {"device": _told_device(trainer.device), "batch_size": trainer.batch_size})
    reporter.step("converting", 0, 2)
    best = folder / STATE_FOLDER / "weights" / "best.pt"
    if not best.exists():
        raise ModelError("no epoch gave a network that could be kept", advice="Look at train.log in the work folder.")
    network, _ = load_checkpoint(best)
    onnx_path = folder / "model.onnx"
    parameters = sum(value.numel() for value in network.parameters())
    convert.export_network(network, onnx_path, width_px=plan.width_px, height_px=plan.height_px)
    reporter.step("converting", 1, 2)
    convert.convert_openvino(onnx_path, folder / "model.xml")
    reporter.step("converting", 2, 2)
    layout = json.loads((folder / STATE_FOLDER / "layout.json").read_text(encoding="utf-8"))
    result = json.loads(ended_path.read_text(encoding="utf-8")) | layout
    result |= {
        "parameters": parameters,
        "libraries": {name: version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
    }
    write_json(folder / TRAINED_NAME, result)
    return dict(result)


def _device(asked: str) -> str:
    """The device to train on; `auto` takes the first CUDA device, else the CPU."""
    import torch

    if asked == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if asked.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            f"--device {asked}: torch finds no CUDA device here",
            advice="Train with --device cpu, or install the CUDA build of torch in the workshop's environment.",
        )
    return asked


def _told_device(device: Any) -> str:
    import torch

    return f"{device}: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    sys.exit(main_of(lambda reporter: train(Path(sys.argv[1]), reporter)))
