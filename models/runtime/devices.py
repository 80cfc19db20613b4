"""Where a variant could run on this machine: what the runtimes themselves see of it.

Devices have the runtimes' own names: CPU, GPU, GPU.0, NPU for OpenVINO; CPU, CUDA, TensorRT for ONNX Runtime, whose
`onnxruntime-gpu` wheel brings the last two.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.manifest import Variant
from models.runtime.quiet import import_onnxruntime, import_openvino

CPU = "CPU"
# Execution providers of ONNX Runtime by the name that people see (https://onnxruntime.ai/docs/execution-providers/).
PROVIDERS = {"TensorRT": "TensorrtExecutionProvider", "CUDA": "CUDAExecutionProvider", CPU: "CPUExecutionProvider"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDevices:
    """`openvino`: devices and what each computes in, such as ("CPU", ("FP32", "INT8")); `onnxruntime`: execution providers."""

    openvino: tuple[tuple[str, tuple[str, ...]], ...]
    onnxruntime: tuple[str, ...]


CPU_ONLY = RuntimeDevices(openvino=((CPU, ()),), onnxruntime=(PROVIDERS[CPU],))


def runtime_devices() -> RuntimeDevices:
    """Ask OpenVINO and ONNX Runtime what they can run on. Loads both of them: in a child process only."""
    onnxruntime = import_onnxruntime()
    core = import_openvino().Core()
    devices = tuple((name, tuple(core.get_property(name, "OPTIMIZATION_CAPABILITIES"))) for name in core.available_devices)
    return RuntimeDevices(openvino=devices, onnxruntime=tuple(onnxruntime.get_available_providers()))


def devices_for(variant: Variant, seen: RuntimeDevices) -> tuple[str, ...]:
    """Where a variant is worth trying, the CPU first: it is the one that every machine has."""
    if variant.runtime == "openvino":
        others = [name for name, _ in seen.openvino if name != CPU]
    else:
        others = [name for name, provider in PROVIDERS.items() if name != CPU and provider in seen.onnxruntime]
    return (CPU, *others)


def untried(variant: Variant, seen: RuntimeDevices, gpus: tuple[str, ...]) -> str:
    """Why a GPU that the machine seems to have is not tried; empty where there is nothing to say.

    Args:
        gpus: device files of `models.runtime.machine.Machine`.
    """
    has_nvidia = any("nvidia" in gpu for gpu in gpus)
    if variant.runtime == "onnxruntime" and has_nvidia and PROVIDERS["CUDA"] not in seen.onnxruntime:
        return "CUDA not tried: ONNX Runtime is installed without it (the package is onnxruntime-gpu)"
    has_render = any("/dri/" in gpu for gpu in gpus)
    if variant.runtime == "openvino" and has_render and not has_nvidia and not any(name.startswith("GPU") for name, _ in seen.openvino):
        return "GPU not tried: OpenVINO does not see it (its driver, intel-opencl-icd, may be missing, or the user is not in `render`)"
    return ""
