"""Measure the variants of a pack in turns: ours, benchmark_app, the next variant, and again, so that a busy minute hits all alike.

benchmark_pack(pack, variants, plan) -> PackBenchmark      medians over the rounds, and each round
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

from edge.errors import ModelError
from models.benchmark.app import AppRound, app_plans, app_round
from models.benchmark.ours import OurRound, Speed, our_round
from models.manifest import Variant
from models.pack import Pack
from models.runtime.devices import devices_for
from models.runtime.machine import Machine, x_ray
from models.runtime.prove import VARIANT_TIMEOUT_S, run_in_child, seen_devices
from models.workbench import OnProgress, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan:
    """How long and how often. `seconds` is for each single measure of a round; `with_app`: beside benchmark_app."""

    seconds: float = 2.0
    rounds: int = 3
    with_app: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantBenchmark:
    """Medians of one variant on one device. None where it was not measured, and `fault` or `app_fault` says why.

    Attributes:
        network, path: see `ours.OurRound`.
        app: what benchmark_app gave on the same file.
        of_app: our rate of the network alone as a share of benchmark_app's, median of the rounds' ratios.
        times_fp32: how many images the whole path does in the processor time that fp32 needs for one.
    """

    name: str
    runtime: str
    precision: str
    device: str
    network: Speed | None
    path: Speed | None
    app: AppRound | None
    of_app: float | None
    times_fp32: float | None
    fault: str
    app_fault: str
    rounds: tuple[OurRound, ...]
    app_rounds: tuple[AppRound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackBenchmark:
    """The variants in the order of the manifest, and the machine that they were measured on."""

    name: str
    version: str
    measured_utc: datetime
    machine: Machine
    seconds: float
    rounds: int
    variants: tuple[VariantBenchmark, ...]


@dataclass(slots=True, kw_only=True)
class _Runner:
    """A variant on a device and what was measured of it so far."""

    variant: Variant
    device: str
    ours: list[OurRound] = field(default_factory=list)
    app: list[AppRound] = field(default_factory=list)
    fault: str = ""
    app_fault: str = ""


def benchmark_pack(
    pack: Pack, variants: Sequence[Variant], plan: BenchmarkPlan, *, devices: Sequence[str] | None = None, on_step: OnProgress | None = None
) -> PackBenchmark:
    """Measure `variants` of a pack, each on `devices` (all that its runtime has here, if None), every measure in a child process."""
    machine = x_ray()
    seen = seen_devices(machine, VARIANT_TIMEOUT_S) if devices is None else None
    runners = [
        _Runner(variant=variant, device=device)
        for variant in variants
        for device in (devices_for(variant, seen) if seen is not None else devices or ())
    ]
    for number in range(plan.rounds):
        for place, runner in enumerate(runners):
            if on_step is not None:
                done = number * len(runners) + place
                on_step(
                    Step(name="measuring speed", done=done, of=plan.rounds * len(runners), note=f"{runner.variant.name} {runner.device}")
                )
            _one_round(pack, runner, plan, app_first=number % 2 == 1)
    if on_step is not None:
        on_step(Step(name="measuring speed", done=plan.rounds * len(runners), of=plan.rounds * len(runners)))
    return PackBenchmark(
        name=pack.manifest.name,
        version=pack.manifest.version,
        measured_utc=datetime.now(UTC),
        machine=machine,
        seconds=plan.seconds,
        rounds=plan.rounds,
        variants=tuple(_summed(runner, reference_cpu_ms(runners)) for runner in runners),
    )


def _one_round(pack: Pack, runner: _Runner, plan: BenchmarkPlan, *, app_first: bool) -> None:
    if runner.fault:
        return
    # The first round of ours says in what arithmetic benchmark_app must compute, so only later ones may change places.
    if app_first and runner.ours:
        _round_of_app(pack, runner, plan)
    try:
        timeout_s = VARIANT_TIMEOUT_S + 8 * plan.seconds
        runner.ours.append(run_in_child(our_round, pack.path, runner.variant.name, runner.device, plan.seconds, timeout_s=timeout_s))
    except ModelError as error:
        runner.fault = str(error)
        return
    if not (app_first and len(runner.ours) > 1):
        _round_of_app(pack, runner, plan)


def _round_of_app(pack: Pack, runner: _Runner, plan: BenchmarkPlan) -> None:
    if not plan.with_app or runner.app_fault:
        return
    plans = app_plans(pack, runner.variant, runner.ours[0].device, plan.seconds)
    if plans is None:
        runner.app_fault = "benchmark_app knows OpenVINO's devices only"
        return
    try:
        runner.app.append(run_in_child(app_round, plans, timeout_s=VARIANT_TIMEOUT_S + 8 * plan.seconds))
    except ModelError as error:
        runner.app_fault = str(error)


def reference_cpu_ms(runners: Sequence[_Runner]) -> float | None:
    """Processor time of one image in fp32 on the CPU; None where no variant was measured that computes in it.

    Weights stored in fp16 are computed with in fp32, where the CPU has nothing else.
    """
    measured = [runner for runner in runners if runner.ours and runner.ours[0].device == "CPU f32" and runner.variant.precision != "int8"]
    chosen = min(measured, key=lambda runner: runner.variant.precision != "fp32", default=None)
    return median(one.path.cpu_ms for one in chosen.ours) if chosen is not None else None


def _summed(runner: _Runner, fp32_cpu_ms: float | None) -> VariantBenchmark:
    path = _median([one.path for one in runner.ours])
    ratios = [ours.network.images_per_s / app.images_per_s for ours, app in zip(runner.ours, runner.app, strict=False)]
    # Beside a GPU the processor's time says nothing about speed.
    is_cpu = runner.device == "CPU"
    return VariantBenchmark(
        name=runner.variant.name,
        runtime=runner.variant.runtime,
        precision=runner.variant.precision,
        device=runner.ours[0].device if runner.ours else runner.device,
        network=_median([one.network for one in runner.ours]),
        path=path,
        app=_median_app(runner.app),
        of_app=median(ratios) if ratios else None,
        times_fp32=fp32_cpu_ms / path.cpu_ms if path is not None and fp32_cpu_ms is not None and is_cpu else None,
        fault=runner.fault,
        app_fault=runner.app_fault,
        rounds=tuple(runner.ours),
        app_rounds=tuple(runner.app),
    )


def _median(speeds: Sequence[Speed]) -> Speed | None:
    if not speeds:
        return None
    return Speed(
        p50_ms=median(one.p50_ms for one in speeds),
        p95_ms=median(one.p95_ms for one in speeds),
        images_per_s=median(one.images_per_s for one in speeds),
        cpu_ms=median(one.cpu_ms for one in speeds),
    )


def _median_app(rounds: Sequence[AppRound]) -> AppRound | None:
    if not rounds:
        return None
    return AppRound(p50_ms=median(one.p50_ms for one in rounds), images_per_s=median(one.images_per_s for one in rounds))
