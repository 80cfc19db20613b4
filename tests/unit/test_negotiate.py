from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.manifest import Manifest
from models.runtime.machine import machine_fingerprint, x_ray
from models.runtime.negotiate import GoldenProof, VariantProof, negotiate
from tests.unit.pack_maker import draft

FILE = {"path": "f", "sha256": "0" * 64, "size_bytes": 0}


def variant(name: str, precision: str, **metrics: float) -> dict[str, Any]:
    return {"name": name, "runtime": "openvino", "precision": precision, "files": [FILE], "metrics": metrics}


def manifest(*variants: dict[str, Any], **changes: Any) -> Manifest:
    fields = draft(variants=variants, card=FILE, goldens=[{"image": FILE, "expected": FILE}], **changes)
    return Manifest.model_validate(fields)


def proof(name: str, images_per_s: float | None, *, offered: bool = True, reason: str = "") -> VariantProof:
    return VariantProof(
        name=name,
        runtime="openvino",
        precision="fp32",
        sha256="0" * 64,
        device="CPU f32",
        offered=offered,
        reason=reason,
        latency_ms=1.0,
        images_per_s=images_per_s,
        goldens=(GoldenProof(image="g.png", expected_count=2, found_count=2, fault=""),),
    )


def test_the_fastest_by_measure_comes_first_whatever_its_precision() -> None:
    pack = manifest(variant("fp32", "fp32", map50=0.8), variant("int8", "int8", map50=0.795))
    result = negotiate(pack, [proof("fp32", 30.0), proof("int8", 20.0)])
    assert [one.name for one in result.ranked] == ["fp32", "int8"]
    assert result.ranked[0].reason == "fastest here: 30.0 images/s, all goldens held"
    assert result.ranked[1].reason == "works, with 67% of the speed of fp32: 20.0 images/s"
    assert result.refused == ()


def test_a_drop_beyond_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    variants = (variant("fp32", "fp32", map50=0.800), variant("int8", "int8", map50=0.790), variant("bf16", "bf16", map50=0.789))
    result = negotiate(manifest(*variants), [proof("fp32", 10.0), proof("int8", 40.0), proof("bf16", 50.0)])
    assert [one.name for one in result.ranked] == ["int8", "fp32"]
    (refused,) = result.refused
    assert not refused.offered
    assert refused.reason == "its mAP50 is 0.789, 1.1 points below the 0.800 of fp32; the pack allows 1.0"


def test_the_limit_is_the_manifests() -> None:
    variants = (variant("fp32", "fp32", map50=0.8), variant("int8", "int8", map50=0.75))
    proofs = [proof("fp32", 10.0), proof("int8", 40.0)]
    assert negotiate(manifest(*variants, max_map50_drop_points=5.0), proofs).refused == ()
    assert len(negotiate(manifest(*variants, max_map50_drop_points=4.9), proofs).refused) == 1


def test_accuracy_that_nobody_measured_is_not_assumed() -> None:
    for variants in (
        (variant("fp32", "fp32", map50=0.8), variant("int8", "int8")),
        (variant("fp32", "fp32"), variant("int8", "int8", map50=0.8)),
    ):
        result = negotiate(manifest(*variants), [proof("fp32", 10.0), proof("int8", 40.0)])
        assert [one.name for one in result.ranked] == ["fp32"]
        assert "was not measured against fp32" in result.refused[0].reason


def test_without_an_fp32_variant_the_packs_own_figure_is_the_reference() -> None:
    pack = manifest(variant("int8", "int8", map50=0.7), metrics={"map50": 0.8})
    assert negotiate(pack, [proof("int8", 40.0)]).ranked == ()


def test_a_variant_that_failed_keeps_its_reason() -> None:
    pack = manifest(variant("fp32", "fp32", map50=0.8), variant("int8", "int8", map50=0.1))
    result = negotiate(pack, [proof("fp32", 10.0), proof("int8", None, offered=False, reason="it crashed")])
    assert [(one.name, one.reason) for one in result.refused] == [("int8", "it crashed")]


def test_goldens_are_told_as_json() -> None:
    (told,) = json.loads(proof("a", 1.0).goldens_json)
    assert told == {"image": "g.png", "expected_count": 2, "found_count": 2, "fault": "", "found": []}


def test_the_fingerprint_is_stable_and_changes_with_what_matters() -> None:
    from dataclasses import replace

    machine = x_ray()
    assert machine_fingerprint() == machine.fingerprint() == x_ray().fingerprint()
    assert machine.cores >= 1
    assert any(runtime.startswith("openvino ") for runtime in machine.runtimes)
    for change in ({"cores": machine.cores + 1}, {"cpu_flags": ("amx_int8",)}, {"runtimes": ("openvino 1",)}, {"gpus": ("/dev/dri/x",)}):
        assert replace(machine, **change).fingerprint() != machine.fingerprint()
    assert replace(machine, memory_bytes=1).fingerprint() == machine.fingerprint()


@pytest.mark.parametrize(
    "module", ["models.runtime.prove", "models.runtime.machine", "models.runtime.negotiate", "models.registry", "edge.pipeline.facts"]
)
def test_what_the_parent_uses_loads_no_runtime(module: str, checkout: Path) -> None:
    import subprocess
    import sys

    code = f"import sys, {module}; print(sorted(set(sys.modules) & {{'cv2', 'openvino', 'onnxruntime'}}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=checkout)
    assert ran.stdout.strip() == "[]"


def test_weights_stored_in_fewer_bits_may_show_that_their_scores_are_the_same() -> None:
    half = [variant(name, "fp16", score_difference_max=value) for name, value in (("same", 0.004), ("other", 0.3))]
    pack = manifest(variant("fp32", "fp32"), *half, variant("int8", "int8", score_difference_max=0.0))
    result = negotiate(pack, [proof(one.name, 10.0) for one in pack.variants])
    assert [one.name for one in result.ranked] == ["fp32", "same"]
    assert [one.name for one in result.refused] == ["other", "int8"]


def test_without_an_fp32_variant_the_first_is_the_original() -> None:
    pack = manifest(variant("half", "fp16"), variant("int8", "int8"))
    result = negotiate(pack, [proof("half", 10.0), proof("int8", 20.0)])
    assert [one.name for one in result.ranked] == ["half"]
    assert "was not measured" in result.refused[0].reason
