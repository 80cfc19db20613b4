"""ONNX Runtime: one core per call on the CPU, or the GPU where the installed wheel and the machine have one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from models.runtime.protocols import Float32Array

# Best first; only those that the installed wheel brings are asked for.
_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
_SEVERITY_ERROR = 3


class OnnxRuntimeEngine:
    """An ONNX file opened by ONNX Runtime; see `protocols.Engine`."""

    def __init__(self, path: Path, *, input_shape: tuple[int, int, int, int], streams: int) -> None:
        """Open the `.onnx` at `path`.

        Raises:
            ModelError: ONNX Runtime cannot open it, or it wants another input.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError(f"ONNX Runtime cannot be loaded: {error}") from error
        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(_SEVERITY_ERROR)
        self._failures = _failures()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _SEVERITY_ERROR
        providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
        try:
            self._session: Any = onnxruntime.InferenceSession(os.fspath(path), options, providers=providers)
        except self._failures as error:
            raise ModelError(f"ONNX Runtime cannot load {path.name}: {error}") from error
        self._input = _checked_input(self._session, input_shape)
        self._streams = streams

    @property
    def device(self) -> str:
        """Where it runs."""
        provider: str = self._session.get_providers()[0]
        return f"{provider.removesuffix('ExecutionProvider')} f32"

    @property
    def streams(self) -> int:
        """Calls that run side by side."""
        return self._streams

    def infer(self, tensor: Float32Array) -> tuple[Float32Array, ...]:
        """See `protocols.Engine.infer`."""
        try:
            outputs = self._session.run(None, {self._input: tensor})
            return tuple(np.asarray(output, np.float32) for output in outputs)
        except self._failures as error:
            raise ModelError(f"ONNX Runtime failed on an image: {error}") from error


def _failures() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = (
        "EPFail",
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "ModelLoaded",
        "NoModel",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
    return (RuntimeError, ValueError, TypeError, *(getattr(state, name) for name in names))


def _checked_input(session: Any, input_shape: tuple[int, int, int, int]) -> str:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise ModelError(f"the model has {len(inputs)} inputs, not one")
    if inputs[0].type != "tensor(float)":
        raise ModelError(f"the model wants {inputs[0].type} input, not float32")
    wanted = inputs[0].shape
    # A dimension that is no number may be anything.
    if len(wanted) != 4 or any(isinstance(side, int) and side != given for side, given in zip(wanted, input_shape, strict=True)):
        raise ModelError(f"the model wants input {wanted}, the manifest says {list(input_shape)}")
    name: str = inputs[0].name
    return name
