"""ultralytics' own trainer, made fit for a ship: offline, with a clock, and checkpoints that a power cut cannot halve."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.data import build_dataloader
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

from models.training.plan import CURVES_NAME, STATE_FOLDER, Plan, read_curves, write_json
from models.workshop.train.data import PartDataset, crop_side_px
from models.workshop.train.faults import DivergedError

_REPORT_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a training is: `done` epochs (a fraction within one) of `of`."""

    done: float
    of: int
    losses: Mapping[str, float]
    map50: float | None
    left_s: float | None


OnProgress = Callable[[Progress], None]
ImagesOf = Mapping[str, Sequence[Mapping[str, Any]]]


class WorkshopTrainer(DetectionTrainer):  # type: ignore[misc]
    """Trains a plan in its work folder. `stopped` says afterwards why it ended."""

    # What the library's class sets.
    last: Path
    best: Path
    epoch: int
    epochs: int
    stop: bool

    def __init__(self, plan: Plan, folder: Path, layout: str, images: ImagesOf, *, start: torch.nn.Module | None, say: OnProgress) -> None:
        self.plan, self.folder, self.images, self.say_progress = plan, folder, images, say
        self.start_network = start
        self.layout = layout
        self.curves: list[dict[str, float]] = read_curves(folder)
        self.stopped = ""
        self._told_s = -math.inf
        self._parent = os.getppid()
        last = folder / STATE_FOLDER / "weights" / "last.pt"
        self.is_resumed = last.exists()
        super().__init__(overrides=_overrides(plan, folder, layout, last if self.is_resumed else None))
        self.args.close_mosaic = whole_epochs(plan, self.epochs)
        for event, act in (
            ("on_train_epoch_start", WorkshopTrainer._begin_epoch),
            ("on_train_batch_end", WorkshopTrainer._after_batch),
            ("on_fit_epoch_end", WorkshopTrainer._keep_time),
        ):
            self.add_callback(event, act)

    def get_dataset(self) -> dict[str, Any]:
        """What the trainer wants to know of the data set."""
        names = dict(enumerate(self.plan.labels))
        return {"train": "train", "val": "val", "names": names, "nc": len(names), "channels": 3}

    def get_model(self, cfg: Any = None, weights: torch.nn.Module | None = None, verbose: bool = True) -> torch.nn.Module:  # noqa: FBT001, FBT002 - the library's signature
        """The network to train on: that of the checkpoint, the base's, or one with random weights."""
        network = DetectionModel(f"{self.layout}.yaml", ch=3, nc=len(self.plan.labels), verbose=False)
        if weights is not None:
            network.load(weights, verbose=False)
        elif self.start_network is not None:
            network.load_state_dict(self.start_network.state_dict())
        return network

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Batches of one part."""
        augment = mode == "train"
        size = self.batch_size if augment else (1 if self.plan.fit == "tiles" else self.batch_size)
        dataset = PartDataset(self.images[dataset_path], self.plan, hyp=self.args, augment=augment, batch_size=size)
        return build_dataloader(dataset, batch=size, workers=self.args.workers, shuffle=augment, device=self.device)

    def save_metrics(self, metrics: Any) -> None:
        """Curves are kept in `curves.json`, written with the checkpoint."""

    def read_results_csv(self) -> dict[str, Any]:
        """What the checkpoint keeps of the epochs so far: the curves, this epoch's row with them."""
        return {"rows": self._curves_with_this_epoch()}

    def final_eval(self) -> None:
        """The result is evaluated by the appliance's own way, not here."""

    def save_model(self) -> bool:
        """Replace the checkpoints whole: what lies on the disk is this epoch's or the one's before, never half of one."""
        network = self.ema.ema.state_dict().values()
        if not all(torch.isfinite(value).all() for value in network if value.is_floating_point()):
            raise DivergedError(f"weights became NaN or infinite in epoch {self.epoch + 1}")
        last, best = self.last, self.best
        self.last, self.best = last.with_name("last.tmp"), best.with_name("best.tmp")
        try:
            saved = bool(super().save_model())
        except OSError:  # a full disk keeps the room that half a checkpoint would take
            self.last.unlink(missing_ok=True)
            self.best.unlink(missing_ok=True)
            raise
        finally:
            written = {last: self.last, best: self.best}
            self.last, self.best = last, best
        for target in (best, last):  # the last one is what a training goes on from: it comes last
            if written[target].exists():
                _settle(written[target], target)
        write_json(self.folder / CURVES_NAME, self.curves)
        self._tell(self.epoch + 1.0)
        return saved

    def _curves_with_this_epoch(self) -> list[dict[str, float]]:
        now = self.epoch + 1
        row: dict[str, float] = {"epoch": now, "seconds": round(time.time() - self.epoch_time_start, 2)}
        row |= {f"train_{name}": round(float(value), 5) for name, value in self.tloss.items()}
        row |= {_plain(name): round(float(value), 5) for name, value in self.metrics.items()}
        row["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        self.curves = [*(kept for kept in self.curves if kept["epoch"] < now), row]
        return self.curves

    def _handle_nan_recovery(self, epoch: int) -> bool:
        """Going back and trying again hides what is wrong; a training that diverged ends."""
        values = [float(value) for value in (self.tloss or {}).values()] + [float(self.loss.detach()), float(self.fitness or 0.0)]
        if not all(math.isfinite(value) for value in values):
            raise DivergedError(f"the losses became NaN or infinite in epoch {epoch + 1}")
        return False

    def _begin_epoch(self) -> None:
        """What an epoch draws hangs on the seed and its number, also when a training goes on from it."""
        seed = (self.plan.seed * 100_003 + self.epoch) % 2**32
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the library draws from it
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        self._batches = 0

    def _after_batch(self) -> None:
        if os.getppid() != self._parent:  # the command that started this is gone: nobody would take the result
            raise KeyboardInterrupt
        self._batches += 1
        if time.monotonic() - self._told_s > _REPORT_EVERY_S:
            self._tell(self.epoch + min(0.99, self._batches / len(self.train_loader)))

    def _keep_time(self) -> None:
        """Fit the number of epochs into the time limit, so that the learning rate still falls to its end; and say why it stops."""
        if self.plan.time_limit_min is not None and not self.stop:
            left_s = 60 * self.plan.time_limit_min - sum(row["seconds"] for row in self.curves)
            each_s = float(np.mean([row["seconds"] for row in self.curves[-5:]]))
            fitting = self.epoch + 1 + int(left_s / each_s)
            if fitting <= self.epoch + 1:
                self.stop, self.stopped = True, f"the time limit of {self.plan.time_limit_min:g} min"
            elif min(fitting, self.plan.epochs) != self.epochs:
                self.epochs = self.args.epochs = min(fitting, self.plan.epochs)
                self.args.close_mosaic = whole_epochs(self.plan, self.epochs)
                self._setup_scheduler()
                self.scheduler.last_epoch = self.epoch
        if self.stop and not self.stopped:
            self.stopped = self._reason()

    def _reason(self) -> str:
        if self.stopper.best_epoch and self.epoch + 1 - self.stopper.best_epoch >= self.plan.patience_epochs > 0:
            return f"no improvement for {self.plan.patience_epochs} epochs"
        if self.epochs < self.plan.epochs:
            return f"the time limit of {self.plan.time_limit_min:g} min"
        return "all epochs done"

    def _tell(self, done: float) -> None:
        self._told_s = time.monotonic()
        each_s = float(np.mean([row["seconds"] for row in self.curves[-5:]])) if self.curves else None
        losses = {name: float(value) for name, value in (self.tloss or {}).items()}
        map50 = self.curves[-1].get("val_map50") if self.curves else None
        left_s = None if each_s is None else max(0.0, self.epochs - done) * each_s
        self.say_progress(Progress(done=done, of=self.epochs, losses=losses, map50=map50, left_s=left_s))


def whole_epochs(plan: Plan, epochs: int) -> int:
    """How many of so many epochs see whole images; as the plan says, less where a time limit leaves fewer epochs."""
    return max(1, min(plan.whole_epochs, round(plan.whole_epochs * epochs / plan.epochs)))


def _overrides(plan: Plan, folder: Path, layout: str, last: Path | None) -> dict[str, Any]:
    return {
        "task": "detect",
        "mode": "train",
        "model": f"{layout}.yaml",
        "data": "data.yaml",  # never opened: get_dataset answers
        "pretrained": False,
        "resume": str(last) if last is not None else False,
        "project": str(folder),
        "name": STATE_FOLDER,
        "save_dir": str(folder / STATE_FOLDER),
        "exist_ok": True,
        "epochs": plan.epochs,
        "patience": plan.patience_epochs,
        "close_mosaic": plan.whole_epochs,
        "batch": plan.batch_size,
        "nbs": plan.batch_size,  # a step after every batch: small data sets have few
        "imgsz": crop_side_px(plan),
        "device": plan.device,
        "workers": plan.workers,
        "seed": plan.seed,
        "optimizer": "AdamW",
        "momentum": 0.9,
        "lr0": plan.learning_rate,
        "warmup_bias_lr": 0.0,
        "warmup_epochs": min(3.0, plan.epochs / 10),
        "cos_lr": True,
        "flipud": 0.5,
        "amp": False,  # its check downloads a network
        "plots": False,  # would look for a font
        "verbose": False,
        "val": True,
        "deterministic": True,
    }


def _plain(name: str) -> str:
    """`metrics/mAP50(B)` as `val_map50`, `val/box_loss` as `val_box_loss`."""
    return "val_" + name.rsplit("/", maxsplit=1)[-1].removesuffix("(B)").lower().replace("-", "_")


def _settle(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
