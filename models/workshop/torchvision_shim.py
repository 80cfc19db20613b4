"""Lets ultralytics import torchvision beside the CPU build of torch.

PyPI has no CPU build of torchvision; the CUDA wheel installs without its dependencies, but its C++ operators cannot load,
and importing it fails while it registers fake kernels for operators that do not exist (torch 2.13.0, torchvision 0.28).
Declaring the schemas first is enough: this workshop suppresses overlapping boxes with its own numpy code.
"""

from __future__ import annotations

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_library: torch.library.Library | None = None


def install() -> None:
    """Declare the operators that `import torchvision` expects; harmless when called twice."""
    global _library
    if _library is not None:
        return
    _library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS.values():
        _library.define(schema)
