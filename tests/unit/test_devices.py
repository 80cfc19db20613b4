"""Which device a variant runs on, why not on another, and what happens when one lets us down. None of this needs a GPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from models.manifest import Runtime, Variant
from models.runtime import prove
from models.runtime.devices import CPU_ONLY, RuntimeDevices, devices_for, untried
from models.runtime.machine import x_ray
from models.runtime.negotiate import VariantProof
from models.runtime.onnx import OnnxRuntimeEngine
from models.runtime.openvino import OpenVinoEngine
from models.runtime.predict import detect, load_model
from models.runtime.prove import choose_device, prove_pack
from tests.unit.tiny_models import coloured, make_tiny_pack

EVERYTHING = RuntimeDevices(
    openvino=(("CPU", ("FP32",)), ("GPU.0", ("FP32", "FP16")), ("NPU", ("FP16",))),
    onnxruntime=("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
)
NVIDIA = ("/dev/dri/renderD128", "/dev/nvidia0")


@pytest.fixture(scope="module")
def pack_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_pack(tmp_path_factory.mktemp("tiny") / "pack").path


def variant(runtime: Runtime) -> Variant:
    return Variant.model_validate(
        {"name": "one", "runtime": runtime, "precision": "fp32", "files": [{"path": "a", "sha256": "0" * 64, "size_bytes": 1}]}
    )


def proof(device: str, images_per_s: float | None, reason: str = "") -> VariantProof:
    return VariantProof(
        name="onnx-fp32",
        runtime="onnxruntime",
        precision="fp32",
        sha256="",
        device=f"{device} f32",
        offered=images_per_s is not None,
        reason=reason,
        latency_ms=None,
        images_per_s=images_per_s,
        goldens=(),
    )


def test_every_device_of_the_runtime_is_tried_the_cpu_first() -> None:
    assert devices_for(variant("openvino"), EVERYTHING) == ("CPU", "GPU.0", "NPU")
    assert devices_for(variant("onnxruntime"), EVERYTHING) == ("CPU", "TensorRT", "CUDA")
    assert devices_for(variant("onnxruntime"), CPU_ONLY) == ("CPU",)


def test_a_gpu_that_cannot_be_used_is_told_with_what_is_missing() -> None:
    assert "onnxruntime-gpu" in untried(variant("onnxruntime"), CPU_ONLY, NVIDIA)
    assert "driver" in untried(variant("openvino"), CPU_ONLY, ("/dev/dri/renderD128",))
    assert untried(variant("openvino"), CPU_ONLY, NVIDIA) == ""  # OpenVINO has nothing for it
    assert untried(variant("onnxruntime"), EVERYTHING, NVIDIA) == ""
    assert untried(variant("onnxruntime"), CPU_ONLY, ()) == ""


def test_the_fastest_device_that_works_is_chosen() -> None:
    cpu, cuda, tensorrt = proof("CPU", 40.0), proof("CUDA", 300.0), proof("TensorRT", None, "no engine")
    assert choose_device([cpu, tensorrt, cuda]) is cuda
    assert choose_device([cpu, tensorrt]) is cpu
    assert choose_device([replace(cpu, offered=False), tensorrt]).device == "CPU f32"


@pytest.mark.parametrize("device", ["CUDA", "TensorRT"])
def test_a_provider_that_this_wheel_lacks_is_refused(pack_dir: Path, device: str) -> None:
    import onnxruntime

    if f"{device}ExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip(f"this ONNX Runtime has {device}")
    with pytest.raises(ModelError, match=device) as caught:
        load_model(pack_dir, "onnx-fp32", threads=1, device=device)
    assert "onnxruntime-gpu" in caught.value.advice()


def test_a_silent_fall_back_to_the_cpu_is_no_gpu(pack_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the GPU wheel and a broken driver ONNX Runtime opens the session, on the CPU, and raises nothing."""
    monkeypatch.setattr("models.runtime.onnx._providers", lambda *_: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="could not start CUDA"):
        OnnxRuntimeEngine(pack_dir / "model.onnx", input_shape=(1, 3, 64, 64), streams=1, device="CUDA")


def test_a_device_that_openvino_does_not_see_is_refused(pack_dir: Path) -> None:
    with pytest.raises(ModelError, match=r"sees no GPU\.7"):
        OpenVinoEngine(pack_dir / "ir" / "model.xml", precision="fp32", input_shape=(1, 3, 64, 64), streams=1, device="GPU.7")


def test_a_pack_on_a_machine_with_a_broken_gpu_runs_on_the_cpu_and_says_why(pack_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "x_ray", lambda: replace(x_ray(), gpus=NVIDIA))
    monkeypatch.setattr(prove, "seen_devices", lambda *_: EVERYTHING)
    monkeypatch.setattr(prove, "SPEED_S", 0.05)
    result = prove_pack(pack_dir)
    assert {proof.name: proof.device for proof in result.variants} == {"onnx-fp32": "CPU f32", "ir-fp32": "CPU f32"}
    reasons = {proof.name: proof.reason for proof in result.variants}
    assert all(proof.offered for proof in result.variants)
    assert "CUDA refused: this ONNX Runtime has no CUDA" in reasons["onnx-fp32"]
    assert "NPU refused: OpenVINO sees no NPU here, only CPU" in reasons["ir-fp32"]


def test_a_driver_that_crashes_when_asked_leaves_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> RuntimeDevices:
        raise ModelError("the process that tried it died (killed by SIGSEGV)")

    monkeypatch.setattr(prove, "run_in_child", crash)
    assert prove.seen_devices(replace(x_ray(), gpus=NVIDIA), 1.0) is CPU_ONLY


def test_a_gpu_of_this_machine_finds_what_the_cpu_finds(pack_dir: Path) -> None:
    import onnxruntime

    gpu = [name for name in ("CUDA", "TensorRT") if f"{name.replace('RT', 'rt')}ExecutionProvider" in onnxruntime.get_available_providers()]
    if not gpu:
        pytest.skip("this ONNX Runtime has no CUDA and no TensorRT")
    image = coloured(64, 64, [(8, 16, 8, 8, 0), (40, 24, 8, 8, 1)])
    on_cpu = detect(image, load_model(pack_dir, "onnx-fp32", threads=1))
    for device in gpu:
        found = detect(image, load_model(pack_dir, "onnx-fp32", threads=1, device=device))
        np.testing.assert_allclose(found.xyxy, on_cpu.xyxy, atol=0.5)
        np.testing.assert_allclose(found.score, on_cpu.score, atol=0.01)
