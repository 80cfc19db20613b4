"""The weights of the starter pack, rebuilt in torch, compute what its ONNX file computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from models.workshop import to_ultralytics

STARTER = Path(__file__).parents[2] / "models" / "packs" / "burrow-openings-starter"


def test_torch_and_onnx_runtime_agree() -> None:
    onnx_path = STARTER / "model.onnx"
    network = to_ultralytics.rebuild(onnx_path, "yolo11n.yaml").float().eval()
    session = onnxruntime.InferenceSession(str(onnx_path), providers=["CPUExecutionProvider"])
    tensor = np.random.default_rng(7).random((1, 3, *session.get_inputs()[0].shape[2:]), np.float32)
    (expected,) = session.run(None, {session.get_inputs()[0].name: tensor})
    with torch.no_grad():
        found = network(torch.from_numpy(tensor))[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-2)
