"""OpenVINO's own benchmark_app on a model file: the machine's limit for a network. It comes with the openvino wheel."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError
from models.manifest import Variant
from models.pack import Pack
from models.runtime.devices import CPU
from models.runtime.machine import usable_cores

REPORT_NAME = "benchmark_report.json"


class AppMissingError(ModelError):
    """This installation of OpenVINO has no benchmark_app."""

    code = "benchmark_app_missing"
    default_advice = "Install the openvino wheel, which brings it; the bundle leaves it out."


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRound:
    """What benchmark_app reports: the median of one stream on one core, and the rate of all cores."""

    p50_ms: float
    images_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPlan:
    """One call of benchmark_app, in the terms of its options."""

    model: Path
    device: str
    precision: str
    shape: tuple[int, int, int, int]
    streams: int
    seconds: int

    def arguments(self, report_dir: Path) -> list[str]:
        """The command line: the same shape, arithmetic, streams and threads as ours, pinning off as ours."""
        shape = ",".join(str(side) for side in self.shape)
        options = {
            "-m": os.fspath(self.model),
            "-d": self.device,
            "-infer_precision": self.precision,
            "-shape": f"[{shape}]",
            "-ip": "f32",
            "-hint": "none",
            "-api": "sync" if self.streams == 1 else "async",
            "-nireq": str(self.streams),
            "-t": str(self.seconds),
            "-report_type": "no_counters",
            "-report_folder": os.fspath(report_dir),
            "-json_stats": "true",
        }
        if self.device == CPU:
            options |= {"-nstreams": str(self.streams), "-nthreads": str(self.streams), "-pin": "NO"}
        return [part for pair in options.items() for part in pair]


def app_plans(pack: Pack, variant: Variant, ours: str, seconds: float) -> tuple[AppPlan, AppPlan] | None:
    """benchmark_app with one stream, and with one stream per core; None where it cannot run: it knows OpenVINO's devices only.

    Args:
        ours: where and in what arithmetic our engine ran, such as "CPU f32".
        seconds: per call; benchmark_app counts in whole ones.
    """
    device, _, arithmetic = ours.partition(" ")
    if variant.runtime != "openvino" and device != CPU:
        return None
    spec = pack.manifest.input

    def plan(streams: int) -> AppPlan:
        return AppPlan(
            model=pack.file_path(variant.files[0]),
            device=device,
            precision=arithmetic,
            shape=(1, 3, spec.height_px, spec.width_px),
            streams=streams,
            seconds=max(1, round(seconds)),
        )

    return plan(1), plan(usable_cores())


def app_round(plans: tuple[AppPlan, AppPlan]) -> AppRound:
    """Run benchmark_app twice. Replaces stdout, stderr and the arguments of this process: in a child process only.

    Raises:
        AppMissingError: it is not installed.
        ModelError: it failed; its last lines say why.
    """
    alone, together = (_run(plan) for plan in plans)
    return AppRound(p50_ms=_figure(alone, "latency (ms)"), images_per_s=_figure(together, "throughput"))


def read_report(text: str) -> dict[str, str]:
    """The section `execution_results` of a report.

    Raises:
        ModelError: it is no report of benchmark_app.
    """
    try:
        results: dict[str, str] = json.loads(text)["execution_results"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"benchmark_app left a report that cannot be read: {error}") from error
    return results


def _figure(results: dict[str, str], key: str) -> float:
    try:
        return float(results[key])
    except (KeyError, ValueError) as error:
        raise ModelError(f"benchmark_app's report has no {key!r}") from error


def _run(plan: AppPlan) -> dict[str, str]:
    from models.runtime.quiet import import_openvino

    import_openvino()  # first, so that benchmark_app's own import sends nothing
    try:
        from openvino.tools.benchmark.main import main
    except ImportError as error:
        raise AppMissingError(f"benchmark_app is not installed here: {error}") from error
    with tempfile.TemporaryDirectory(prefix="imagine-edge-benchmark-app-") as name:
        folder = Path(name)
        log = folder / "log.txt"
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["benchmark_app", *plan.arguments(folder)]
        try:
            main()
        except SystemExit as stop:
            if stop.code:
                raise ModelError(f"benchmark_app failed: {_tail(log)}") from stop
        report = folder / REPORT_NAME
        if not report.is_file():
            raise ModelError(f"benchmark_app left no report: {_tail(log)}")
        return read_report(report.read_text(encoding="utf-8"))


def _tail(log: Path) -> str:
    sys.stdout.flush()
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:])[-500:]
