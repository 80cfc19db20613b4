"""The network that a training starts from.

A pack holds its weights in an ONNX file with batch norms folded into the convolutions. To learn on, the batch norms are given back: their
means and variances are measured on training images, their gains and offsets chosen so that the network computes what it did before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from edge.errors import ModelError
from models.training.plan import LAYOUTS
from models.workshop.to_ultralytics import MADE_BY_THE_NETWORK, read_weights, rebuild
from models.workshop.ultralytics_offline import new_detector


class BaseUnusableError(ModelError):
    """The base pack's weights cannot be trained on."""

    code = "base_unusable"
    default_advice = f"Name a pack of a YOLOv8 or YOLO11 detector, or start from random weights: --base {LAYOUTS[0]}."


def start(onnx_path: Path, n_classes: int, images: Iterable[torch.Tensor]) -> tuple[str, torch.nn.Module]:
    """Layout and network of a pack's ONNX file, ready to be trained.

    Args:
        images: batches (B, 3, H, W) in 0..1 of training images, to measure what the batch norms see.

    Raises:
        BaseUnusableError: the weights are not finite, or of no layout that is known here.
    """
    weights = read_weights(onnx_path)
    if broken := [name for name, value in weights.items() if not torch.isfinite(value).all()]:
        raise BaseUnusableError(f"the base pack has {len(broken)} weights that are not numbers (NaN or infinite), such as {broken[0]}")
    layout = find_layout(weights, n_classes)
    folded = rebuild(onnx_path, f"{layout}.yaml", n_classes=n_classes)
    return layout, unfold(folded, new_detector(f"{layout}.yaml", n_classes=n_classes), images)


def find_layout(weights: Mapping[str, torch.Tensor], n_classes: int) -> str:
    """The layout whose every kernel has the name and shape of one in `weights`.

    Raises:
        BaseUnusableError: there is none.
    """
    first = weights.get("model.0.conv.weight")
    for layout in LAYOUTS if first is not None else ():
        wanted = new_detector(f"{layout}.yaml", n_classes=n_classes).state_dict()
        kernels = {name: value.shape for name, value in wanted.items() if value.ndim == 4 and MADE_BY_THE_NETWORK not in name}
        if all(name in weights and weights[name].shape == shape for name, shape in kernels.items()):
            return layout
    raise BaseUnusableError(f"the base pack's network with {n_classes} classes is none of {', '.join(LAYOUTS)}")


def unfold(folded: torch.nn.Module, network: torch.nn.Module, images: Iterable[torch.Tensor]) -> torch.nn.Module:
    """Copy the weights of `folded` into `network`, which has batch norms, so that both compute the same (in evaluation mode)."""
    moments = _moments(folded, images)
    source = folded.state_dict()
    state = network.state_dict()
    for name in state:
        if name in source:
            state[name] = source[name].reshape(state[name].shape)
    for name, (mean, variance) in moments.items():
        norm = f"{name.removesuffix('.conv')}.bn"
        if f"{norm}.weight" not in state:
            continue  # a convolution that never had one
        eps = float(network.get_submodule(norm).eps)  # type: ignore[arg-type]
        state[f"{norm}.running_mean"], state[f"{norm}.running_var"] = mean, variance
        state[f"{norm}.weight"] = torch.sqrt(variance + eps)
        state[f"{norm}.bias"] = source[f"{name}.bias"] + mean
    network.load_state_dict(state)
    return network


def _moments(folded: torch.nn.Module, images: Iterable[torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean and variance per channel of what every convolution gives, its bias taken off."""
    sums: dict[str, list[torch.Tensor]] = {}
    hooks = [
        module.register_forward_hook(_summing(sums, name))
        for name, module in folded.named_modules()
        if isinstance(module, torch.nn.Conv2d) and name.endswith(".conv") and module.bias is not None
    ]
    with torch.inference_mode():
        for batch in images:
            folded(batch)
    for hook in hooks:
        hook.remove()
    found = {}
    for name, (total, squares, count) in sums.items():
        mean = total / count
        found[name] = (mean.float().clone(), (squares / count - mean**2).clamp(min=0).float().clone())
    return found


def _summing(sums: dict[str, list[torch.Tensor]], name: str) -> Any:
    def add(module: torch.nn.Conv2d, _inputs: Any, output: torch.Tensor) -> None:
        assert module.bias is not None
        values = (output - module.bias[None, :, None, None]).double()
        found = [values.sum((0, 2, 3)), (values**2).sum((0, 2, 3)), torch.tensor(values.numel() / values.shape[1], dtype=torch.double)]
        sums[name] = [one + other for one, other in zip(sums[name], found, strict=True)] if name in sums else found

    return add
