"""Trains the starter detector from random weights on rendered stills.

    python -m models.workshop.train_starter --out DIR --minutes 60

Renders the stills into DIR/data unless they are there, trains on crops at the inference scale, and leaves DIR/last.pt (the
averaged weights, refreshed every few minutes) and DIR/train.json (what was done). `--init` goes on from an own checkpoint.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from models.workshop import synthetic
from models.workshop.crops import Crop, CropPlan, crop_batches
from models.workshop.ultralytics_offline import new_detector

LAYOUT = "yolo11n.yaml"
# Scale of a 1229 px wide still letterboxed to 960 px.
INFERENCE_SCALE = 960 / 1229


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every choice of a training run, as written to train.json."""

    layout: str
    seed: int
    first_scene_seed: int
    n_train: int
    n_val: int
    minutes: float
    batch_size: int
    crop_px: int
    scale: float
    scale_jitter: float
    learning_rate: float
    final_rate_share: float
    warmup_steps: int
    threads: int
    init: str | None


def main(argv: list[str] | None = None) -> None:
    """Command line of the training."""
    arguments = _parser().parse_args(argv)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    data: Path = arguments.data or out / "data"
    plan = _plan(arguments)
    if not (data / "data.yaml").exists():
        synthetic.write_dataset(data, seed=plan.first_scene_seed, n_train=plan.n_train, n_val=plan.n_val, workers=plan.threads)
    train(plan, sorted((data / "images" / "train").glob("*.jpg")), out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.workshop.train_starter", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the data, the checkpoint and the log")
    parser.add_argument("--data", type=Path, help="rendered data set to use instead of DIR/data")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time; the learning rate falls over it")
    parser.add_argument("--n-train", type=int, default=1600)
    parser.add_argument("--n-val", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--first-scene-seed", type=int, default=100_000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--final-rate-share", type=float, default=0.01, help="share of the learning rate left at the end")
    parser.add_argument("--scale", type=float, default=INFERENCE_SCALE)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--init", help="own checkpoint to go on from")
    return parser


def _plan(arguments: argparse.Namespace) -> Plan:
    return Plan(
        layout=LAYOUT,
        seed=arguments.seed,
        first_scene_seed=arguments.first_scene_seed,
        n_train=arguments.n_train,
        n_val=arguments.n_val,
        minutes=arguments.minutes,
        batch_size=arguments.batch_size,
        crop_px=320,
        scale=arguments.scale,
        scale_jitter=1.35,
        learning_rate=arguments.learning_rate,
        final_rate_share=arguments.final_rate_share,
        warmup_steps=100,
        threads=arguments.threads,
        init=arguments.init,
    )


def train(plan: Plan, images: list[Path], out: Path) -> None:
    """Train for `plan.minutes` and keep the averaged weights."""
    torch.manual_seed(plan.seed)
    cv2.setNumThreads(1)
    torch.set_num_threads(plan.threads)
    network = new_detector(plan.layout, n_classes=1)
    if plan.init is not None:
        network.load_state_dict(torch.load(plan.init, weights_only=True))
    network.train()
    averaged = copy.deepcopy(network).eval()
    optimizer = _optimizer(network, plan)
    crop_plan = CropPlan(side_px=plan.crop_px, scale=plan.scale, jitter=plan.scale_jitter)
    started = time.monotonic()
    last_saved = started
    step, recent = 0, 0.0
    with closing(crop_batches(images, crop_plan, plan.batch_size, plan.seed)) as batches:
        for step, crops in _until(plan, batches, started):
            _set_rate(optimizer, plan, step, (time.monotonic() - started) / (60 * plan.minutes))
            loss = _step(network, optimizer, crops)
            recent = loss if step == 1 else 0.98 * recent + 0.02 * loss
            _average(averaged, network, step)
            if step % 50 == 0:
                print(f"step {step} minute {(time.monotonic() - started) / 60:.1f} loss per crop {recent:.3f}", flush=True)
            if time.monotonic() - last_saved > 180:
                last_saved = time.monotonic()
                _save(averaged, out)
    _save(averaged, out)
    done = {"plan": asdict(plan), "steps": step, "crops": step * plan.batch_size, "loss_per_crop": recent, "stills": len(images)}
    done |= {"minutes": (time.monotonic() - started) / 60, "torch": torch.__version__}
    (out / "train.json").write_text(json.dumps(done, indent=2), encoding="utf-8")


def _until(plan: Plan, batches: Iterator[list[Crop]], started: float) -> Iterator[tuple[int, list[Crop]]]:
    for step, crops in enumerate(batches, start=1):
        if time.monotonic() - started > 60 * plan.minutes:
            return
        yield step, crops


def _optimizer(network: torch.nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """AdamW; weight decay on kernels only, as is usual for this family of networks."""
    kernels = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.999))


def _set_rate(optimizer: torch.optim.Optimizer, plan: Plan, step: int, progress: float) -> None:
    """Linear warm-up, then a cosine over the training time."""
    falling = plan.final_rate_share + (1 - plan.final_rate_share) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate * falling * min(1.0, step / plan.warmup_steps)


def _step(network: torch.nn.Module, optimizer: torch.optim.Optimizer, crops: list[Crop]) -> float:
    """One step; returns the loss per crop."""
    total, _ = network(_batch(crops))
    loss = total.sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return float(loss.detach()) / len(crops)


def _batch(crops: list[Crop]) -> dict[str, torch.Tensor]:
    """Batch as ultralytics' loss wants it: `img` (B, 3, S, S) in 0..1, boxes as centre and size in 0..1."""
    side = crops[0].image.shape[0]
    images = np.stack([crop.image for crop in crops]).transpose(0, 3, 1, 2)
    boxes = np.concatenate([crop.boxes for crop in crops]) / side
    centre_size = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    index = np.repeat(np.arange(len(crops), dtype=np.float32), [len(crop.boxes) for crop in crops])
    return {
        "img": torch.from_numpy(np.ascontiguousarray(images)).float() / 255,
        "batch_idx": torch.from_numpy(index),
        "cls": torch.zeros(len(boxes), 1),
        "bboxes": torch.from_numpy(np.ascontiguousarray(centre_size, np.float32)),
    }


def _average(averaged: torch.nn.Module, network: torch.nn.Module, step: int) -> None:
    """Exponential average of weights and statistics over about 500 steps, shorter at the start."""
    keep = 0.998 * (1 - math.exp(-step / 150))
    live = network.state_dict()
    with torch.no_grad():
        for name, value in averaged.state_dict().items():
            if value.dtype.is_floating_point:
                value.mul_(keep).add_(live[name].detach(), alpha=1 - keep)
            else:
                value.copy_(live[name])


def _save(averaged: torch.nn.Module, out: Path) -> None:
    temporary = out / "last.pt.tmp"
    torch.save(averaged.state_dict(), temporary)
    temporary.replace(out / "last.pt")


if __name__ == "__main__":
    main()
