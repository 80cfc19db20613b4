"""Trains the network of the starter from random weights: the same plan on a like machine ends at the same weights."""

from __future__ import annotations

import copy
import hashlib
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.workshop.multiples.augment import vary
from models.workshop.multiples.crops import CropSet
from models.workshop.multiples.network import SIDE_PX, MultiplesNetwork

_LOG_EVERY_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every choice of a training.

    Attributes:
        seed: of first weights, of the order of crops and of what chance does to them.
        steps, batch_size: how long.
        multiple_share: of the crops of a batch; the rest are singles.
        multiple_weight: of a multiple in the loss; a single has 1 (the iMagine classifier's 4 to 1).
        learning_rate: the highest, reached after a tenth of the steps.
        averaged: share of the old weights in the running average that is kept.
    """

    seed: int = 20261122
    steps: int = 2400
    batch_size: int = 64
    multiple_share: float = 0.2
    multiple_weight: float = 4.0
    learning_rate: float = 4e-3
    averaged: float = 0.995


def train(plan: Plan, crops: CropSet) -> tuple[MultiplesNetwork, dict[str, Any]]:
    """Train; returns the network with averaged weights, ready to be used, and what was done."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(1)  # more would add in another order
    rng = np.random.default_rng(plan.seed)
    network = MultiplesNetwork().train()
    averaged = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.learning_rate, weight_decay=0.02)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, total_steps=plan.steps, pct_start=0.1)
    loss_of = nn.CrossEntropyLoss(weight=torch.tensor([plan.multiple_weight, 1.0]))
    began_s, curve, recent = time.monotonic(), list[tuple[int, float]](), 0.0
    for step in range(1, plan.steps + 1):
        pictures, labels = _batch(crops, plan, rng)
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(network(pictures), labels)
        loss.backward()
        optimiser.step()
        rates.step()
        _average(averaged, network, min(plan.averaged, 1 - 1 / step))
        recent += float(loss.detach())
        if step % _LOG_EVERY_STEPS == 0 or step == plan.steps:
            curve.append((step, round(recent / ((step - 1) % _LOG_EVERY_STEPS + 1), 4)))
            print(f"step {step} of {plan.steps} minute {(time.monotonic() - began_s) / 60:.1f} loss {curve[-1][1]:.4f}", flush=True)
            recent = 0.0
    done = {"plan": asdict(plan), "minutes": (time.monotonic() - began_s) / 60, "curve": curve, "crops": plan.steps * plan.batch_size}
    return averaged, {**done, "weights_sha256": weights_sha256(averaged), "torch": str(torch.__version__)}


def weights_sha256(network: nn.Module) -> str:
    """The identity of a network's weights."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _batch(crops: CropSet, plan: Plan, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    multiples, singles = np.flatnonzero(crops.is_multiple), np.flatnonzero(~crops.is_multiple)
    count = round(plan.multiple_share * plan.batch_size)
    chosen = np.concatenate([rng.choice(multiples, count), rng.choice(singles, plan.batch_size - count)])
    seen = [vary(crops.crops[one], rng, SIDE_PX, is_multiple=bool(crops.is_multiple[one])) for one in chosen.tolist()]
    return to_tensor(seen), torch.from_numpy((~crops.is_multiple[chosen]).astype(np.int64))


def to_tensor(seen: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
    """(B, 3, H, W) float32 in 0..1 of pictures (H, W) uint8."""
    grey = torch.from_numpy(np.stack(seen)).float().div_(255.0)
    return grey[:, None].expand(-1, 3, -1, -1)


def _average(averaged: nn.Module, network: nn.Module, kept: float) -> None:
    with torch.no_grad():
        for slow, fast in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - kept)
            else:
                slow.copy_(fast)
