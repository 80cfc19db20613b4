"""The tool behind `imagine-edge models import` for `.pt` files: a checkpoint of ultralytics becomes one ONNX file.

    python -m models.workshop.import_checkpoint best.pt --onnx OUT.onnx --reference OUT.npz [--input 960x544]

Answers {"claims": {..}}: what the checkpoint says of itself, as text. The reference holds one input and what torch returned for
it, so that whoever takes the ONNX file can check it. The checkpoint is opened in a cage (`models.workshop.cage`) by an unpickler
that knows layers only (`models.workshop.unpickle`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path, PurePath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from models.importing.facts import ImportRefusedError
from models.importing.layout import check_size
from models.workbench import Reporter, main_of
from models.workshop import cage

if TYPE_CHECKING:
    import torch

_OPSET = 17
_DEFAULT_SIDE_PX = 640
_CLASSIFY_SIDE_PX = 224
_TASKS = {"DetectionModel": "detect", "SegmentationModel": "segment", "ClassificationModel": "classify"}
_HEADS = {
    "detect": frozenset(("Detect", "v10Detect")),
    "segment": frozenset(("Segment", "Segment26")),
    "classify": frozenset(("Classify",)),
}


def main(argv: list[str] | None = None) -> int:
    """Export one checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.workshop.import_checkpoint", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--onnx", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--input", default="")
    arguments = parser.parse_args(argv)
    return main_of(lambda reporter: export(arguments, reporter))


def export(arguments: argparse.Namespace, reporter: Reporter) -> dict[str, Any]:
    """The whole way of a checkpoint.

    Raises:
        ImportRefusedError: it names what it must not, or is no network that the appliance knows.
    """
    cage.enter()
    _load_libraries()
    cage.forbid_programs()
    from models.workshop.unpickle import check_network, load_checkpoint

    checkpoint = load_checkpoint(arguments.checkpoint)
    network = _network(checkpoint)
    check_network(network)
    claims = _claims(checkpoint, network)
    width_px, height_px = _size(arguments.input, checkpoint, network)
    reporter.step("export", 0, None, f"{claims['task']}, {width_px}x{height_px} px")
    _write(network, (width_px, height_px), arguments.onnx, arguments.reference)
    return {"claims": claims}


def _load_libraries() -> None:
    from models.workshop.ultralytics_offline import prepare

    prepare()
    import onnx  # noqa: F401 - torch's exporter loads it otherwise when the cage is shut
    import torch.onnx  # noqa: F401
    import ultralytics.nn.tasks  # noqa: F401 - layers are found there


def _network(checkpoint: dict[str, Any]) -> torch.nn.Module:
    """The network in FP32: that of the moving average where there is one, as ultralytics takes it."""
    from torch import nn

    network = checkpoint.get("ema") or checkpoint.get("model")
    if not isinstance(network, nn.Module) or type(network).__name__ not in _TASKS:
        advice = "Give a checkpoint that ultralytics wrote (best.pt or last.pt of a training), which holds the network itself."
        raise ImportRefusedError("the checkpoint holds no network, only weights or something else", advice=advice)
    task = _TASKS[type(network).__name__]
    head = type(network.model[-1]).__name__  # type: ignore[index]
    if head not in _HEADS[task]:
        raise ImportRefusedError(f"its last layer is a {head}, whose layout is not known", advice="Known: YOLOv8, YOLO11, YOLOv10, YOLO26.")
    network.float().eval()
    for name, value in network.state_dict().items():
        if not value.isfinite().all():
            advice = "The training diverged. Take an earlier checkpoint of it."
            raise ImportRefusedError(f"the weights {name!r} hold values that are not numbers", advice=advice)
    return network


def _claims(checkpoint: dict[str, Any], network: torch.nn.Module) -> dict[str, str]:
    """What the checkpoint says of itself, in the words of ultralytics' exports; of paths the last part only."""
    trained = checkpoint.get("train_args")
    trained = trained if isinstance(trained, dict) else {}
    names = getattr(network, "names", None)
    claims = {
        "task": _TASKS[type(network).__name__],
        "stride": str(_stride_px(network)),
        "names": repr({int(key): str(value) for key, value in names.items()}) if isinstance(names, dict) else repr(list(names or [])),
        "imgsz": str(trained.get("imgsz") or ""),
        "epochs": str(trained.get("epochs") or ""),
        "data": _last_part(trained.get("data")),
        "base": _last_part(trained.get("model")),
    }
    claims |= {key: str(checkpoint.get(key) or "") for key in ("date", "version", "license", "docs")}
    claims["producer"] = f"ultralytics {claims.pop('version')}".strip()
    return {key: value for key, value in claims.items() if value}


def _last_part(named: object) -> str:
    if not isinstance(named, (str, PurePath)):
        return ""
    return PureWindowsPath(str(named)).name  # understands both kinds of slashes


def _stride_px(network: torch.nn.Module) -> int:
    """What both sides must be multiples of; a classification halves five times too, but takes any size."""
    import torch

    stride = getattr(network, "stride", None)
    largest = int(stride.max()) if isinstance(stride, torch.Tensor) and stride.numel() else 0
    return max(largest, 1) if _TASKS[type(network).__name__] == "classify" else max(largest, 32)


def _size(text: str, checkpoint: dict[str, Any], network: torch.nn.Module) -> tuple[int, int]:
    """(width, height): as asked for, else as it was trained."""
    stride_px = _stride_px(network)
    if text:
        width, _, height = text.partition("x")
        asked = int(width), int(height)
        check_size(asked, stride_px)
        return asked
    trained = checkpoint.get("train_args")
    default = _CLASSIFY_SIDE_PX if type(network).__name__ == "ClassificationModel" else _DEFAULT_SIDE_PX
    said = (trained.get("imgsz") if isinstance(trained, dict) else None) or default
    sides = [int(side) for side in (said if isinstance(said, (list, tuple)) else (said, said))][:2]
    height_px, width_px = (-(-side // stride_px) * stride_px for side in (sides if len(sides) == 2 else sides * 2))
    if max(width_px, height_px) > 8192 or min(width_px, height_px) < 32:
        raise ImportRefusedError(f"it says that it was trained with {width_px}x{height_px} px", advice="Say the right size with --input.")
    return width_px, height_px


def _write(network: torch.nn.Module, input_px: tuple[int, int], onnx_path: Path, reference: Path) -> None:
    import numpy as np
    import torch

    from models.workshop.export import write_onnx

    width_px, height_px = input_px
    tensor = torch.from_numpy(np.random.default_rng(0).random((1, 3, height_px, width_px), np.float32))
    outputs = write_onnx(network, tensor, onnx_path)
    arrays = {f"output_{place}": output.numpy() for place, output in enumerate(outputs)}
    np.savez(reference, input=tensor.numpy(), **arrays)


if __name__ == "__main__":
    sys.exit(main())
