"""How variants are timed beside benchmark_app: both sides run for real, on a network of a few hundred bytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import ModelError
from models.benchmark.app import AppRound, app_plans, app_round, read_report
from models.benchmark.ours import OurRound, Speed
from models.benchmark.run import BenchmarkPlan, _Runner, _summed, benchmark_pack, reference_cpu_ms
from models.manifest import Precision
from models.pack import Pack
from models.runtime.machine import usable_cores
from models.runtime.prove import run_in_child
from tests.unit.tiny_models import detector_onnx, make_tiny_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return make_tiny_pack(tmp_path_factory.mktemp("packs") / "tiny")


def speed(cpu_ms: float, images_per_s: float = 10.0) -> Speed:
    return Speed(p50_ms=cpu_ms, p95_ms=2 * cpu_ms, images_per_s=images_per_s, cpu_ms=cpu_ms)


def runner(pack: Pack, precision: Precision, *cpu_ms: float, device: str = "CPU f32") -> _Runner:
    variant = pack.manifest.variants[1].model_copy(update={"precision": precision, "name": precision})
    rounds = [OurRound(device=device, network=speed(one, 1000 / one), path=speed(one)) for one in cpu_ms]
    return _Runner(variant=variant, device=device.split(maxsplit=1)[0], ours=rounds)


def test_the_command_measures_both_sides(pack: Pack, tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    words = ["models", "benchmark", str(pack.path), "--seconds", "0.2", "--rounds", "2", "--out", str(out), "--json"]
    result = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *words])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    assert answer == json.loads(out.read_text())
    assert answer["machine"]["cores"] == usable_cores()
    assert [one["name"] for one in answer["variants"]] == ["onnx-fp32", "ir-fp32"]
    for one in answer["variants"]:
        assert (one["fault"], one["app_fault"]) == ("", "")
        assert len(one["rounds"]) == len(one["app_rounds"]) == 2
        assert one["app"]["images_per_s"] > 0
        assert 0 < one["path"]["p50_ms"] <= one["path"]["p95_ms"]
        assert one["of_app"] > 0
    assert answer["variants"][0]["times_fp32"] == 1.0


def test_one_variant_may_be_named_and_benchmark_app_left_out(pack: Pack, tmp_path: Path) -> None:
    words = ["models", "benchmark", str(pack.path), "--seconds", "0.2", "--rounds", "1", "--variant", "ir-fp32", "--no-app"]
    result = CliRunner().invoke(app, ["--home", str(tmp_path / "home"), *words])
    assert result.exit_code == 0, result.output
    assert "ir-fp32" in result.stdout
    assert "onnx-fp32" not in result.stdout


def test_a_variant_that_is_not_there_is_refused(pack: Pack, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--home", str(tmp_path), "models", "benchmark", str(pack.path), "--variant", "int4", "--json"])
    assert result.exit_code == 5
    assert json.loads(result.stdout)["error"]["code"] == "pack_invalid"


def test_a_folder_for_the_figures_that_is_not_there_is_refused_at_once(pack: Pack, tmp_path: Path) -> None:
    words = ["models", "benchmark", str(pack.path), "--out", str(tmp_path / "nowhere" / "speed.json"), "--json"]
    result = CliRunner().invoke(app, ["--home", str(tmp_path), *words])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "settings_invalid"


def test_a_variant_that_cannot_run_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    broken = make_tiny_pack(tmp_path / "broken", onnx=detector_onnx(factor=float("nan")), ir=False)
    result = benchmark_pack(broken, broken.manifest.variants, BenchmarkPlan(seconds=0.1, rounds=2, with_app=False), devices=("CPU",))
    (one,) = result.variants
    assert "scores from nan" in one.fault
    assert (one.path, one.network, one.times_fp32) == (None, None, None)


def test_benchmark_app_gets_the_same_shape_arithmetic_and_streams(pack: Pack, tmp_path: Path) -> None:
    plans = app_plans(pack, pack.manifest.variants[1], "CPU bf16", 2.4)
    assert plans is not None
    alone, together = (dict(zip((words := plan.arguments(tmp_path))[::2], words[1::2], strict=True)) for plan in plans)
    assert alone["-shape"] == together["-shape"] == "[1,3,64,64]"
    assert alone["-ip"] == "f32"  # left alone it would take bytes, and time their conversion too
    assert (alone["-nstreams"], alone["-nthreads"], alone["-nireq"], alone["-api"]) == ("1", "1", "1", "sync")
    cores = str(usable_cores())
    assert (together["-nstreams"], together["-nthreads"], together["-nireq"]) == (cores, cores, cores)
    assert (alone["-infer_precision"], alone["-hint"], alone["-pin"], alone["-t"]) == ("bf16", "none", "NO", "2")
    assert app_plans(pack, pack.manifest.variants[0], "CUDA f32", 1.0) is None
    gpu = app_plans(pack, pack.manifest.variants[1], "GPU f16", 1.0)
    assert gpu is not None
    assert "-nstreams" not in gpu[0].arguments(tmp_path)


def test_a_model_that_benchmark_app_cannot_load_is_told(pack: Pack, tmp_path: Path) -> None:
    plans = app_plans(pack, pack.manifest.variants[1], "CPU f32", 1.0)
    assert plans is not None
    (tmp_path / "model.xml").write_text("<net/>")
    from dataclasses import replace

    wrong = replace(plans[0], model=tmp_path / "model.xml")
    with pytest.raises(ModelError, match="benchmark_app"):
        run_in_child(app_round, (wrong, wrong), timeout_s=100)


def test_benchmark_app_is_run_without_telemetry(pack: Pack) -> None:
    script = """
import sys
from models.benchmark.app import app_plans, app_round
from models.pack import read_pack
from pathlib import Path
pack = read_pack(Path(sys.argv[1]))
plans = app_plans(pack, pack.manifest.variants[1], "CPU f32", 1.0)
app_round(plans)
sys.exit(0 if "openvino.tools.benchmark.main" in sys.modules and sys.modules["openvino_telemetry"] is None else 9)
"""
    subprocess.run([sys.executable, "-c", script, str(pack.path)], check=True, timeout=100)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"execution_results": {}}'])
def test_a_report_that_is_none_is_an_error(text: str) -> None:
    from models.benchmark.app import _figure

    with pytest.raises(ModelError, match="benchmark_app"):
        _figure(read_report(text), "throughput")


def test_medians_and_ratios(pack: Pack) -> None:
    fp32, int8 = runner(pack, "fp32", 90.0, 100.0, 400.0), runner(pack, "int8", 40.0, 40.0, 20.0)
    int8.app = [AppRound(p50_ms=30.0, images_per_s=rate) for rate in (20.0, 40.0, 25.0)]
    assert reference_cpu_ms([int8, fp32]) == 100.0
    summed = _summed(int8, 100.0)
    assert summed.path is not None
    assert (summed.path.cpu_ms, summed.times_fp32) == (40.0, 2.5)
    assert summed.of_app == 1.25  # median of 1.25, 0.625 and 2.0
    assert summed.app == AppRound(p50_ms=30.0, images_per_s=25.0)


def test_without_fp32_nothing_is_compared_with_it(pack: Pack) -> None:
    assert reference_cpu_ms([runner(pack, "int8", 40.0), runner(pack, "bf16", 50.0, device="CPU bf16")]) is None
    assert reference_cpu_ms([runner(pack, "fp16", 80.0), runner(pack, "int8", 40.0)]) == 80.0  # weights of 16 bits, arithmetic of 32
    assert reference_cpu_ms([runner(pack, "fp32", 5.0, device="CUDA f32")]) is None
    assert _summed(runner(pack, "fp32", 5.0, device="CUDA f32"), 100.0).times_fp32 is None
