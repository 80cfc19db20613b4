"""Write an exported ONNX file back as a checkpoint that `yolo predict` opens, to compare speeds with the very same weights.

python -m models.workshop.to_ultralytics MODEL.onnx OUT.pt --layout yolo11n.yaml
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch

from models.workshop.ultralytics_offline import new_detector

HALVED_SUFFIX = ".fp16"
# The last layer of the box head is a fixed ramp 0..15 that the network makes itself.
MADE_BY_THE_NETWORK = "dfl.conv.weight"


def read_weights(onnx_path: Path) -> dict[str, torch.Tensor]:
    """The weights of an ONNX file by the names that they had in torch, float32."""
    arrays = {weight.name: onnx.numpy_helper.to_array(weight) for weight in onnx.load(str(onnx_path)).graph.initializer}
    return {name.removesuffix(HALVED_SUFFIX): torch.from_numpy(np.array(array, np.float32)) for name, array in arrays.items()}


def rebuild(onnx_path: Path, layout: str, *, n_classes: int = 1) -> torch.nn.Module:
    """The network of the layout, its batch norms folded, with the weights of the ONNX file.

    Raises:
        ValueError: a weight of the network is not in the file.
    """
    network = new_detector(layout, n_classes=n_classes)
    network.eval()
    network.fuse(verbose=False)  # type: ignore[operator]
    weights = read_weights(onnx_path)
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in weights and not name.endswith(MADE_BY_THE_NETWORK)]
    if missing:
        raise ValueError(f"{onnx_path} lacks {len(missing)} weights of {layout}, such as {missing[0]}")
    network.load_state_dict({name: weights.get(name, value).reshape(value.shape) for name, value in wanted.items()})
    return network


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layout", default="yolo11n.yaml")
    options = parser.parse_args()
    network = rebuild(options.onnx, options.layout)
    network.names = {0: "burrow opening"}  # type: ignore[assignment]
    torch.save({"model": network, "train_args": {"task": "detect", "imgsz": 640}}, options.out)


if __name__ == "__main__":
    main()
