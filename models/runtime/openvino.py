"""OpenVINO: on the CPU several streams of one core each, on a GPU or NPU what its driver likes; one blocking call per thread."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import ModelError
from models.manifest import InputSpec, Precision
from models.runtime.devices import CPU
from models.runtime.protocols import Float32Array, UInt8Array
from models.runtime.quiet import import_openvino


class OpenVinoEngine:
    """A model file compiled by OpenVINO; see `protocols.Engine`."""

    def __init__(
        self,
        path: Path,
        *,
        precision: Precision,
        input_shape: tuple[int, int, int, int],
        streams: int,
        device: str = CPU,
        cache_dir: Path | None = None,
        pixels: InputSpec | None = None,
    ) -> None:
        """Compile the `.xml` or `.onnx` at `path`.

        Args:
            device: CPU, GPU, GPU.1, NPU and so on, as OpenVINO names them.
            cache_dir: where compiled models of a GPU or NPU are kept, which take long to make.
            pixels: take bytes (1, H, W, 3) and make of them what this says; None: `infer` takes what is ready for the first layer.

        Raises:
            ModelError: OpenVINO cannot read or compile it, it wants another input, or the device lacks the precision.
        """
        openvino = import_openvino()
        try:
            core = openvino.Core()
            if device not in core.available_devices:
                raise ModelError(f"OpenVINO sees no {device} here, only {', '.join(core.available_devices)}")
            arithmetic = _arithmetic(precision, device, core.get_property(device, "OPTIMIZATION_CAPABILITIES"))
            model = core.read_model(path)
            _fix_input(model, input_shape)
            if pixels is not None:
                model = _taking_pixels(openvino, model, pixels)
            self._compiled: Any = core.compile_model(model, device, _options(device, arithmetic, streams, cache_dir))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load {path.name}: {_first_line(error)}") from error
        # As many requests as streams: one more would hold memory and wait.
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(self._compiled.create_infer_request())
        self._device = f"{device} {arithmetic}"
        self._streams = streams
        self._takes_pixels = pixels is not None
        # OpenVINO's bindings set themselves up within the first call while they hold Python's lock; two first calls at once
        # wait for each other for ever (seen with 2026.4.1). This one is made before there is a second thread.
        _, channels, height_px, width_px = input_shape
        self.infer(np.zeros(input_shape, np.float32) if pixels is None else np.zeros((1, height_px, width_px, channels), np.uint8))

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
        """See `protocols.Engine.takes_pixels`."""
        return self._takes_pixels

    def infer(self, tensor: Float32Array | UInt8Array) -> tuple[Float32Array, ...]:
        """See `protocols.Engine.infer`."""
        request = self._requests.get()
        try:
            request.infer([tensor], share_inputs=True)
            # The request's own memory is overwritten by the next call.
            return tuple(np.array(output.data, np.float32) for output in request.output_tensors)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelError(f"OpenVINO failed on an image: {_first_line(error)}") from error
        finally:
            self._requests.put(request)


def _options(device: str, arithmetic: str, streams: int, cache_dir: Path | None) -> dict[str, Any]:
    if device == CPU:
        return {
            "INFERENCE_PRECISION_HINT": arithmetic,
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            # A pinned stream would wait behind a decoding thread on its core while another core idles.
            "ENABLE_CPU_PINNING": False,
        }
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": arithmetic, "PERFORMANCE_HINT": "THROUGHPUT"}
    return options if cache_dir is None else {**options, "CACHE_DIR": os.fspath(cache_dir)}


def _arithmetic(precision: Precision, device: str, capabilities: list[str]) -> str:
    """What the layers are computed in; left alone, OpenVINO would take BF16 for an FP32 model wherever the CPU has it."""
    if device != CPU:
        # FP16 is what they are built for; an NPU has nothing else. The goldens say whether it is good enough.
        return "f32" if precision == "fp32" and "FP32" in capabilities else "f16"
    if precision == "bf16":
        if "BF16" not in capabilities:
            raise ModelError("this CPU does not compute in BF16")
        return "bf16"
    if precision == "fp16" and "FP16" in capabilities:
        return "f16"
    # Weights stored in FP16 lose nothing in FP32. An INT8 graph carries its quantised layers in itself; the rest of it
    # stays as it was measured.
    return "f32"


def _fix_input(model: Any, input_shape: tuple[int, int, int, int]) -> None:
    if len(model.inputs) != 1:
        raise ModelError(f"the model has {len(model.inputs)} inputs, not one")
    source = model.inputs[0]
    element = source.get_element_type().get_type_name()
    if element != "f32":
        raise ModelError(f"the model wants {element} input, not f32")
    wanted = source.get_partial_shape()
    if not wanted.compatible(type(wanted)(list(input_shape))):
        raise ModelError(f"the model wants input {wanted}, the manifest says {list(input_shape)}")
    if wanted.is_dynamic:
        model.reshape(list(input_shape))


def _taking_pixels(openvino: Any, model: Any, spec: InputSpec) -> Any:
    """The model with the arithmetic of `letterbox.to_tensor` before its first layer."""
    from openvino.preprocess import PrePostProcessor

    prepared = PrePostProcessor(model)
    prepared.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    prepared.input().model().set_layout(openvino.Layout("NCHW"))
    steps = prepared.input().preprocess().convert_element_type(openvino.Type.f32).scale([255 * std for std in spec.std])
    if any(spec.mean):
        steps.mean([mean / std for mean, std in zip(spec.mean, spec.std, strict=True)])
    return prepared.build()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from ")]
    return lines[0][:300] if lines else type(error).__name__
