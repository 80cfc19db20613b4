"""The network that learns: one step at a time, with everything that a training needs to go on after an interruption."""

from __future__ import annotations

import copy
import hashlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.workshop.crops import Crop
from models.workshop.ultralytics_offline import new_detector

if TYPE_CHECKING:
    from models.workshop.train_starter import Plan

AVERAGED_STEPS = 180
_LARGEST_GRADIENT = 10.0


def has_bf16(device: str) -> bool:
    """Whether `device` computes in BF16 itself; where it only imitates it, FP32 is faster."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001 - there is no public way to ask


def rate_at(plan: Plan, step: int) -> float:
    """Learning rate of a step from 1: a linear warm-up, a cosine over the plan's horizon, a linear fall over the last steps."""
    falling = plan.final_rate_share + (1 - plan.final_rate_share) * 0.5 * (1 + math.cos(math.pi * step / plan.horizon_steps))
    warming = min(1.0, step / plan.warmup_steps)
    cooling = min(1.0, (plan.steps + 1 - step) / plan.cooldown_steps)
    return plan.learning_rate * falling * warming * cooling


@dataclass(slots=True, kw_only=True)
class Learner:
    """A network in training and the exponential average of its weights, which is what ships.

    On a CPU each thread takes its share of a batch through a copy of the network: threads meet once a step, not at every layer, so
    a busy machine does not hold them all up, and sums have an order of their own, so they repeat.
    """

    plan: Plan
    network: torch.nn.Module
    averaged: torch.nn.Module
    optimizer: torch.optim.Optimizer
    copies: list[torch.nn.Module]
    threads: ThreadPoolExecutor = field(repr=False)
    step: int = 0
    recent_loss: float = 0.0

    @classmethod
    def start(cls, plan: Plan) -> Learner:
        """Random weights from the plan's seed; sums in an order that repeats, as far as torch can."""
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(mode=True, warn_only=plan.device == "cuda")
        torch.backends.cudnn.benchmark = False
        torch.set_num_threads(1)
        torch.manual_seed(plan.seed)
        network = new_detector(plan.layout, n_classes=1)
        # Convolutions over depth run several times faster in this layout on CPUs.
        network = network.to(device=plan.device, memory_format=torch.channels_last).train()
        return cls(
            plan=plan,
            network=network,
            averaged=copy.deepcopy(network).eval(),
            optimizer=_optimizer(network, plan),
            copies=[copy.deepcopy(network) for _ in range(plan.threads if plan.device == "cpu" else 1)],
            threads=ThreadPoolExecutor(plan.threads, "learner", initializer=torch.set_num_threads, initargs=(1,)),
        )

    def learn(self, crops: list[Crop]) -> None:
        """One step. The network computes in the plan's arithmetic, the loss and the weights stay in FP32.

        Raises:
            FloatingPointError: the loss is no number any more.
        """
        self.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.plan, self.step)
        shares = [crops[first :: len(self.copies)] for first in range(len(self.copies))]
        losses = list(self.threads.map(self._loss_of, self.copies, shares))
        self._gather()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self._average()
        per_crop = sum(losses) / len(crops)
        if not math.isfinite(per_crop):
            raise FloatingPointError(f"the loss of step {self.step} is {per_crop}")
        self.recent_loss = per_crop if self.step == 1 else 0.98 * self.recent_loss + 0.02 * per_crop

    def _loss_of(self, network: torch.nn.Module, crops: list[Crop]) -> float:
        """Summed loss of one share of a batch; leaves its gradients in `network`."""
        network.load_state_dict(self.network.state_dict())
        network.zero_grad(set_to_none=True)
        batch = _batch(crops, self.plan.device)
        with torch.autocast(self.plan.device, dtype=torch.bfloat16, enabled=self.plan.arithmetic == "bf16"):
            found = network(batch["img"])
        total, _ = network.loss(batch, _to_float(found))  # type: ignore[operator]
        loss = total.sum()
        loss.backward()
        return float(loss.detach())

    def _gather(self) -> None:
        """Sum the gradients of all copies and average their statistics, always in the same order."""
        for own, *theirs in zip(self.network.parameters(), *(network.parameters() for network in self.copies), strict=True):
            gradients = [parameter.grad for parameter in theirs if parameter.grad is not None]
            own.grad = torch.stack(gradients).sum(dim=0) if gradients else None
        with torch.no_grad():
            for own, *theirs in zip(self.network.buffers(), *(network.buffers() for network in self.copies), strict=True):
                own.copy_(torch.stack(theirs).mean(dim=0) if own.dtype.is_floating_point else theirs[0])

    def _average(self) -> None:
        """Exponential average of weights and statistics over about AVERAGED_STEPS, over fewer at the start."""
        keep = (1 - 1 / AVERAGED_STEPS) * (1 - math.exp(-self.step / (0.3 * AVERAGED_STEPS)))
        live = self.network.state_dict()
        with torch.no_grad():
            for name, value in self.averaged.state_dict().items():
                if value.dtype.is_floating_point:
                    value.mul_(keep).add_(live[name].detach(), alpha=1 - keep)
                else:
                    value.copy_(live[name])

    def save(self, path: Path, log: dict[str, Any]) -> None:
        """Everything needed to go on, whole or not at all."""
        parts = {"network": self.network.state_dict(), "averaged": self.averaged.state_dict(), "optimizer": self.optimizer.state_dict()}
        _save({**parts, "step": self.step, "recent_loss": self.recent_loss, "log": log}, path)

    def load(self, path: Path) -> dict[str, Any]:
        """Go on from what `save` wrote; returns its log."""
        kept = torch.load(path, weights_only=True, map_location=self.plan.device)
        self.network.load_state_dict(kept["network"])
        self.averaged.load_state_dict(kept["averaged"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.step, self.recent_loss = kept["step"], kept["recent_loss"]
        log: dict[str, Any] = kept["log"]
        return log

    def save_averaged(self, path: Path) -> None:
        """The averaged weights alone, as a plain state dict."""
        _save({name: value.cpu().contiguous() for name, value in self.averaged.state_dict().items()}, path)

    def averaged_sha256(self) -> str:
        """Hash of the averaged weights' bytes, to tell whether two trainings ended alike."""
        digest = hashlib.sha256()
        for name, value in self.averaged.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _save(content: dict[str, Any], path: Path) -> None:
    unfinished = path.with_suffix(".part")
    torch.save(content, unfinished)
    unfinished.replace(path)


def _optimizer(network: torch.nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """AdamW; weight decay on kernels only, as is usual for this family of networks."""
    kernels = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.999))


def _to_float(found: Any) -> Any:
    """The network's output, tensors in lists and dictionaries, in FP32."""
    if torch.is_tensor(found):
        return found.float()
    if isinstance(found, dict):
        return {name: _to_float(part) for name, part in found.items()}
    return [_to_float(part) for part in found]


def _batch(crops: list[Crop], device: str) -> dict[str, torch.Tensor]:
    """Batch as ultralytics' loss wants it: `img` (B, 3, S, S) in 0..1, boxes as centre and size in 0..1."""
    side = crops[0].image.shape[0]
    # Stacked as (B, S, S, 3) and only then turned: in memory that is the layout the network is in.
    images = torch.from_numpy(np.stack([crop.image for crop in crops])).permute(0, 3, 1, 2)
    boxes = np.concatenate([crop.boxes for crop in crops]) / side
    centre_size = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    index = np.repeat(np.arange(len(crops), dtype=np.float32), [len(crop.boxes) for crop in crops])
    batch = {
        "img": images.to(device).float() / 255,
        "batch_idx": torch.from_numpy(index),
        "cls": torch.zeros(len(boxes), 1),
        "bboxes": torch.from_numpy(np.ascontiguousarray(centre_size, np.float32)),
    }
    return {name: part.to(device) for name, part in batch.items()}
