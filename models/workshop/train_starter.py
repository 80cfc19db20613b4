"""Trains the starter detector from random weights on rendered stills, the same way each time.

    python -m models.workshop.train_starter --out DIR

Renders the stills into DIR unless they are there, trains on crops at the inference scale for a given number of steps, and leaves
DIR/last.pt (the averaged weights) and DIR/train.json (what was done). Interrupted, the same command goes on where it was.

What repeats: renders and crops follow from their seeds, byte for byte. Weights repeat bit for bit on the same kind of machine with
the same number of threads and the same torch; another processor or a GPU adds in another order and ends at other weights as good.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import torch

from models.workshop import learner, renders
from models.workshop.crops import CropPlan, crop_batches

LAYOUT = "yolo11n.yaml"
# Scale of a 1229 px wide still letterboxed to 960 px.
INFERENCE_SCALE = 960 / 1229
SAVE_EVERY_STEPS = 100
LOG_EVERY_STEPS = 50

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every choice of a training run, as written to train.json. Two runs with equal plans on like machines give equal weights."""

    layout: str
    seed: int
    first_scene_seed: int
    n_train: int
    n_val: int
    steps: int
    batch_size: int
    crop_px: int
    scale: float
    scale_jitter: float
    learning_rate: float
    final_rate_share: float
    warmup_steps: int
    horizon_steps: int
    cooldown_steps: int
    threads: int
    device: Device
    arithmetic: Literal["fp32", "bf16"]
    renderer_sha256: str
    torch: str


def main(argv: list[str] | None = None) -> None:
    """Command line of the training."""
    arguments = argparse.ArgumentParser(
        prog="python -m models.workshop.train_starter", description=__doc__, parents=[options()]
    ).parse_args(argv)
    run(arguments.out, plan_of(arguments))


def options() -> argparse.ArgumentParser:
    """The options of a training, as a parent for other parsers."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, default=Path("build/starter"), help="work folder: renders, checkpoint, log")
    common.add_argument("--steps", type=int, help="training steps; by default 880 on a CPU, 4000 larger ones on a GPU")
    common.add_argument("--n-train", type=int, default=1040, help="rendered stills to train on")
    common.add_argument("--n-val", type=int, default=80, help="rendered stills to measure on")
    common.add_argument("--seed", type=int, default=20261121, help="seed of first weights, crops and their order")
    common.add_argument("--first-scene-seed", type=int, default=500_000)
    common.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: a CUDA device where torch sees one")
    common.add_argument(
        "--threads", type=int, default=2, help="CPU threads, each with its share of a batch; another number ends at other weights"
    )
    common.add_argument("--layout", default=LAYOUT, help=argparse.SUPPRESS)
    return common


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan for this machine: on a GPU larger crops and batches, BF16 where the processor computes in it."""
    device: Device = "cuda" if arguments.device != "cpu" and torch.cuda.is_available() else "cpu"
    if arguments.device == "cuda" and device == "cpu":
        raise SystemExit("torch sees no CUDA device here; leave --device out to train on the CPU")
    large = device == "cuda"
    return Plan(
        layout=arguments.layout,
        seed=arguments.seed,
        first_scene_seed=arguments.first_scene_seed,
        n_train=arguments.n_train,
        n_val=arguments.n_val,
        steps=arguments.steps or (4000 if large else 880),
        batch_size=64 if large else 16,
        crop_px=640 if large else 320,
        scale=INFERENCE_SCALE,
        scale_jitter=1.35,
        learning_rate=2e-3,
        final_rate_share=0.01,
        warmup_steps=100,
        horizon_steps=4400 if large else 1800,
        cooldown_steps=400 if large else 180,
        threads=arguments.threads,
        device=device,
        arithmetic="bf16" if learner.has_bf16(device) else "fp32",
        renderer_sha256=renders.renderer_sha256(),
        torch=str(torch.__version__),
    )


def run(out: Path, plan: Plan) -> renders.Renders:
    """Render, then train, each going on where it was interrupted.

    Raises:
        SystemExit: `out` holds a training by another plan.
    """
    out.mkdir(parents=True, exist_ok=True)
    _keep_plan(out / "plan.json", plan)
    stills = renders.render(
        out, first_seed=plan.first_scene_seed, n_train=plan.n_train, n_val=plan.n_val, workers=max(os.cpu_count() or 1, 1)
    )
    train(plan, stills.train, out)
    return stills


def _keep_plan(path: Path, plan: Plan) -> None:
    if not path.exists():
        path.write_text(json.dumps(asdict(plan), indent=2), encoding="utf-8")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(name for name, value in asdict(plan).items() if before.get(name) != value)
    if changed:
        raise SystemExit(f"{path.parent} holds a training with another {', '.join(changed)}: name another folder with --out, or delete it")


def train(plan: Plan, images: tuple[Path, ...], out: Path) -> None:
    """Train until `plan.steps` and write the averaged weights and the log; from `out`'s checkpoint where there is one."""
    cv2.setNumThreads(1)
    state = learner.Learner.start(plan)
    checkpoint = out / "checkpoint.pt"
    log: dict[str, Any] = {"minutes": 0.0, "curve": []}
    if checkpoint.exists():
        log = state.load(checkpoint)
        print(f"going on from step {state.step}", flush=True)
    before_minutes, started = log["minutes"], time.monotonic()
    crop_plan = CropPlan(side_px=plan.crop_px, scale=plan.scale, jitter=plan.scale_jitter)
    with closing(crop_batches(images, crop_plan, plan.batch_size, plan.seed, state.step + 1)) as batches:
        while state.step < plan.steps:
            state.learn(next(batches))
            log["minutes"] = before_minutes + (time.monotonic() - started) / 60
            if state.step % LOG_EVERY_STEPS == 0:
                log["curve"].append([state.step, round(state.recent_loss, 4)])
                print(f"step {state.step} of {plan.steps} minute {log['minutes']:.1f} loss per crop {state.recent_loss:.3f}", flush=True)
            if state.step % SAVE_EVERY_STEPS == 0 or state.step == plan.steps:
                state.save(checkpoint, log)
    state.save_averaged(out / "last.pt")
    _write_log(out / "train.json", plan, state, log, len(images))


def _write_log(path: Path, plan: Plan, state: learner.Learner, log: dict[str, Any], n_stills: int) -> None:
    done = {"plan": asdict(plan), "steps": state.step, "crops": state.step * plan.batch_size, "stills": n_stills}
    done |= {"loss_per_crop": state.recent_loss, "weights_sha256": state.averaged_sha256(), **log}
    path.write_text(json.dumps(done, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
