"""Prove a pack on this machine: run the goldens of each variant and measure its speed, each in a child process of its own.

A variant that crashes, hangs or lies is a refused variant with a reason; the caller and the other variants go on.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import structlog

from edge.errors import EdgeError, ModelError
from edge.units import s_to_ms
from models.manifest import Variant
from models.pack import Pack, variant_sha256, verify_pack
from models.runtime.devices import CPU, CPU_ONLY, RuntimeDevices, devices_for, runtime_devices, untried
from models.runtime.machine import Machine, usable_cores, x_ray
from models.runtime.negotiate import VariantProof, negotiate
from models.runtime.orphans import die_with_parent

VARIANT_TIMEOUT_S = 120.0
TENSORRT_TIMEOUT_S = 900.0  # it builds an engine for this very GPU before its first answer
SPEED_S = 1.0  # per speed measure, besides the warm-up

logger = structlog.get_logger(__name__)

# Spawned: a fork would bring the parent's locks and connections along.
_CONTEXT = multiprocessing.get_context("spawn")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofStep:
    """How far the proof of a pack is: the `place`-th of `of` variants is at its goldens and its speed, on `device`."""

    variant: str
    device: str
    place: int
    of: int


OnProofStep = Callable[[ProofStep], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackProof:
    """How the variants of a pack did here: those offered, fastest first, then those refused."""

    name: str
    version: str
    machine: Machine
    variants: tuple[VariantProof, ...]

    @property
    def best(self) -> VariantProof | None:
        """The fastest variant that is offered."""
        return next((variant for variant in self.variants if variant.offered), None)


def prove_pack(
    pack_dir: Path, *, timeout_s: float = VARIANT_TIMEOUT_S, cache_dir: Path | None = None, on_step: OnProofStep = lambda _: None
) -> PackProof:
    """Prove every variant of a pack on this machine, each on every device that its runtime has here.

    Args:
        timeout_s: for one variant on one device, its start included.
        cache_dir: where the drivers of GPUs keep what they compiled.
        on_step: is told of each variant and device as its proof begins.

    Raises:
        PackInvalidError: the pack itself is damaged.
    """
    pack, machine = verify_pack(pack_dir), x_ray()
    seen = seen_devices(machine, timeout_s)
    proofs, notes = [], {}
    for place, variant in enumerate(pack.manifest.variants, start=1):
        tried = []
        for device in devices_for(variant, seen):
            on_step(ProofStep(variant=variant.name, device=device, place=place, of=len(pack.manifest.variants)))
            tried.append(_proved(pack, variant, device, timeout_s, cache_dir))
        chosen = choose_device(tried)
        proofs.append(chosen)
        notes[variant.name] = _elsewhere(tried, chosen, untried(variant, seen, machine.gpus))
    result = negotiate(pack.manifest, proofs)
    told = tuple(replace(proof, reason=f"{proof.reason}{notes[proof.name]}") for proof in (*result.ranked, *result.refused))
    for proof in told:
        logger.info("variant_proved", pack=pack.manifest.name, variant=proof.name, offered=proof.offered, reason=proof.reason)
    return PackProof(name=pack.manifest.name, version=pack.manifest.version, machine=machine, variants=told)


def choose_device(tried: Sequence[VariantProof]) -> VariantProof:
    """Of one variant on several devices, CPU first: the fastest that works, or the CPU's failure."""
    working = [proof for proof in tried if proof.offered]
    return max(working, key=lambda proof: proof.images_per_s or 0.0) if working else tried[0]


def _elsewhere(tried: Sequence[VariantProof], chosen: VariantProof, not_tried: str) -> str:
    """What the other devices showed, as the end of a reason."""
    told = [
        f"{proof.device}: {proof.images_per_s or 0.0:.1f} images/s" if proof.offered else f"{proof.device} refused: {proof.reason}"
        for proof in tried
        if proof is not chosen
    ]
    return "".join(f"; {note}" for note in (*told, not_tried) if note)


def seen_devices(machine: Machine, timeout_s: float) -> RuntimeDevices:
    """What the runtimes see; they are not even asked where no driver hints at a GPU, and a driver that crashes hides none but itself."""
    if not machine.gpus and machine.system.startswith("Linux"):
        return CPU_ONLY
    try:
        return run_in_child(runtime_devices, timeout_s=timeout_s)
    except ModelError as error:
        logger.warning("devices_unseen", reason=str(error))
        return CPU_ONLY


def _proved(pack: Pack, variant: Variant, device: str, timeout_s: float, cache_dir: Path | None) -> VariantProof:
    limit_s = max(timeout_s, TENSORRT_TIMEOUT_S) if device == "TensorRT" else timeout_s
    try:
        return run_in_child(prove_variant, pack.path, variant.name, device, cache_dir, timeout_s=limit_s)
    except ModelError as error:
        return replace(_unproved(variant, str(error)), device=device)


def run_in_child(work: Callable[..., _Answer], *arguments: object, timeout_s: float) -> _Answer:
    """What `work(*arguments)` returns in a spawned child.

    Raises:
        ModelError: the child died, took longer than `timeout_s`, or `work` raised.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    child = _CONTEXT.Process(target=_child_main, args=(theirs, work, arguments), name="imagine-edge-prover", daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            raise ModelError(f"it gave no answer within {timeout_s:.0f} s")
        answer: _Answer | str = ours.recv()
    except (EOFError, OSError) as error:  # OSError: it died in the middle of its answer
        child.join()
        raise ModelError(f"the process that tried it died ({_told_exit(child.exitcode)})") from error
    finally:
        child.kill()
        child.join()
        ours.close()
    if isinstance(answer, str):
        raise ModelError(answer)
    return answer


def _child_main(link: Connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent()  # a model that never answers would go on for ever
    try:
        link.send(work(*arguments))
    except Exception as error:  # the process border: whatever stopped the variant is the answer
        logger.exception("work_in_child_failed", arguments=[str(argument) for argument in arguments])
        link.send(str(error) if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}")


def prove_variant(pack_dir: Path, variant_name: str, device: str = CPU, cache_dir: Path | None = None) -> VariantProof:
    """Run the goldens of one variant and, if they hold, measure its speed. Loads the runtime: in a child process only.

    Raises:
        ModelError: the variant cannot be loaded or run, or returned what its manifest does not promise.
    """
    from models.runtime.goldens import check_goldens, read_golden_images
    from models.runtime.predict import detect, load_model

    cores = usable_cores()
    model = load_model(pack_dir, variant_name, threads=cores + 1, device=device, cache_dir=cache_dir)
    images = read_golden_images(model.pack)
    proof = _unproved(model.pack.variant(variant_name), "")
    proof = replace(proof, device=model.device, goldens=check_goldens(model, images))
    faults = [f"golden {golden.image}: {golden.fault}" for golden in proof.goldens if golden.fault]
    if faults:
        return replace(proof, reason="; ".join(faults))

    def one(turn: int) -> None:
        detect(images[turn % len(images)], model)

    return replace(
        proof,
        offered=True,
        latency_ms=s_to_ms(1 / _rate_per_s(one, threads=1, cores=None)),
        images_per_s=_rate_per_s(one, threads=cores + 1, cores=cores if model.device.startswith("CPU") else None),
    )


def _rate_per_s(one: Callable[[int], None], *, threads: int, cores: int | None) -> float:
    """Calls per second of `threads` threads together, over about SPEED_S, after one call to warm up.

    With `cores` the rate is reckoned from the processor time that the calls took: what so many cores give when they do
    nothing else. The choice of a variant must not hang on what else the machine did in that second.
    """
    from concurrent.futures import ThreadPoolExecutor

    def work(end_s: float) -> int:
        count = 0
        while count == 0 or time.perf_counter() < end_s:
            one(count)
            count += 1
        return count

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(threads)))
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        total = sum(pool.map(work, [begun_s + SPEED_S] * threads))
        if cores is not None:
            return total * cores / (time.process_time() - begun_cpu_s)
        return total / (time.perf_counter() - begun_s)


def _unproved(variant: Variant, reason: str) -> VariantProof:
    return VariantProof(
        name=variant.name,
        runtime=variant.runtime,
        precision=variant.precision,
        sha256=variant_sha256(variant),
        device="",
        offered=False,
        reason=reason,
        latency_ms=None,
        images_per_s=None,
        goldens=(),
    )


def _told_exit(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
