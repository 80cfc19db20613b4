"""ONNX Runtime: one core per call on the CPU, or an NVIDIA GPU by CUDA or TensorRT (`onnxruntime-gpu`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from models.manifest import Precision
from models.runtime.devices import CPU, PROVIDERS
from models.runtime.protocols import Float32Array, UInt8Array
from models.runtime.quiet import import_onnxruntime

_SEVERITY_ERROR = 3


class OnnxRuntimeEngine:
    """An ONNX file opened by ONNX Runtime; see `protocols.Engine`."""

    def __init__(
        self,
        path: Path,
        *,
        input_shape: tuple[int, int, int, int],
        streams: int,
        precision: Precision = "fp32",
        device: str = CPU,
        cache_dir: Path | None = None,
    ) -> None:
        """Open the `.onnx` at `path`.

        Args:
            device: CPU, CUDA or TensorRT.
            cache_dir: where TensorRT keeps the engines that it builds for minutes; None builds them at each start.

        Raises:
            ModelError: ONNX Runtime cannot open it, cannot use the device, or the model wants another input.
        """
        self._failures = failures()
        self._session = open_session(path, precision=precision, device=device, cache_dir=cache_dir)
        self._input = _checked_input(self._session, input_shape)
        self._streams = streams
        self._device = f"{device} {'f16' if device == 'TensorRT' and precision == 'fp16' else 'f32'}"

    @property
    def device(self) -> str:
        """Where it runs and in what arithmetic."""
        return self._device

    @property
    def streams(self) -> int:
        """Calls that run side by side."""
        return self._streams

    @property
    def takes_pixels(self) -> bool:
        """Never."""
        return False

    def infer(self, tensor: Float32Array | UInt8Array) -> tuple[Float32Array, ...]:
        """See `protocols.Engine.infer`."""
        try:
            outputs = self._session.run(None, {self._input: tensor})
            return tuple(np.asarray(output, np.float32) for output in outputs)
        except self._failures as error:
            raise ModelError(f"ONNX Runtime failed on an image: {error}") from error


def open_session(path: Path, *, precision: Precision, device: str, cache_dir: Path | None) -> Any:
    """An inference session of the `.onnx` at `path`, one core per call; arguments as of `OnnxRuntimeEngine`.

    Raises:
        ModelError: ONNX Runtime cannot open it, or cannot use the device.
    """
    onnxruntime = import_onnxruntime()
    onnxruntime.set_default_logger_severity(_SEVERITY_ERROR)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _SEVERITY_ERROR
    providers = _providers(onnxruntime, device, precision, cache_dir)
    try:
        session: Any = onnxruntime.InferenceSession(os.fspath(path), options, providers=providers)
    except failures() as error:
        raise ModelError(f"ONNX Runtime cannot load {path.name}: {error}") from error
    used = session.get_providers()[0]
    if used != PROVIDERS[device]:  # it goes on on the CPU and says so in its log only
        raise ModelError(
            f"ONNX Runtime could not start {device} and would compute with {used}",
            advice="Check the GPU's driver (nvidia-smi) and that the CUDA libraries of onnxruntime-gpu are installed.",
        )
    return session


def _providers(onnxruntime: Any, device: str, precision: Precision, cache_dir: Path | None) -> list[Any]:
    """The providers to ask for, each with what it needs: the wanted one, then those that take the layers it lacks."""
    if device == CPU:
        return [PROVIDERS[CPU]]
    if device not in PROVIDERS or PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise ModelError(f"this ONNX Runtime has no {device}", advice="Install onnxruntime-gpu instead of onnxruntime.")
    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA and cuDNN may come as wheels, which the loader does not find by itself
    # Without TF32 the GPU computes what the manifest was measured with.
    cuda = (PROVIDERS["CUDA"], {"use_tf32": "0"})
    if device == "CUDA":
        return [cuda, PROVIDERS[CPU]]
    options = {"trt_fp16_enable": "1" if precision == "fp16" else "0"}
    if cache_dir is not None:
        cache_dir.mkdir(parents=True, exist_ok=True)
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": os.fspath(cache_dir)}
    return [(PROVIDERS["TensorRT"], options), cuda, PROVIDERS[CPU]]


def failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises."""
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
