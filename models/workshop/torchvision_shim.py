"""Lets ultralytics import torchvision beside the CPU build of torch.

PyPI has no CPU build of torchvision; the CUDA wheel installs without its dependencies, but its C++ operators cannot load,
and importing it fails while it registers fake kernels for operators that do not exist (torch 2.13.0, torchvision 0.28).
Declaring the schemas first is enough: this workshop suppresses overlapping boxes with its own numpy code.
"""

from __future__ import annotations

from functools import cache

import torch

_SCHEMAS = ("nms", "qnms")


@cache
def install() -> torch.library.Library:
    """Declare the operators that `import torchvision` expects; the declarations live as long as the returned library."""
    library = torch.library.Library("torchvision", "DEF")
    for name in _SCHEMAS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def complete() -> None:
    """Let ultralytics' own routine suppress overlapping boxes where torchvision lacks its C++ operator. Imports both."""
    import torchvision
    from ultralytics.utils.nms import TorchNMS

    if not torchvision.extension._has_ops():  # noqa: SLF001 - there is no public way to ask
        torchvision.ops.nms = TorchNMS.nms
