"""What the runtimes themselves see of the machine. Loads both of them: in a child process only."""

from __future__ import annotations

from dataclasses import dataclass

from models.runtime.quiet import import_openvino


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDevices:
    """`openvino`: devices and what each computes in, such as ("CPU", ("FP32", "INT8")); `onnxruntime`: execution providers."""

    openvino: tuple[tuple[str, tuple[str, ...]], ...]
    onnxruntime: tuple[str, ...]


def runtime_devices() -> RuntimeDevices:
    """Ask OpenVINO and ONNX Runtime what they can run on."""
    import onnxruntime

    core = import_openvino().Core()
    devices = tuple((name, tuple(core.get_property(name, "OPTIMIZATION_CAPABILITIES"))) for name in core.available_devices)
    return RuntimeDevices(openvino=devices, onnxruntime=tuple(onnxruntime.get_available_providers()))
