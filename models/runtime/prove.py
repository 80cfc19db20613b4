"""Prove a pack on this machine: run the goldens of each variant and measure its speed, each in a child process of its own.

A variant that crashes, hangs or lies is a refused variant with a reason; the caller and the other variants go on.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from edge.errors import EdgeError, ModelError
from edge.units import s_to_ms
from models.manifest import Variant
from models.pack import Pack, variant_sha256, verify_pack
from models.runtime.machine import Machine, usable_cores, x_ray
from models.runtime.negotiate import VariantProof, negotiate

VARIANT_TIMEOUT_S = 120.0
SPEED_S = 1.0  # per speed measure, besides the warm-up

logger = structlog.get_logger(__name__)

# Spawned: a fork would bring the parent's locks and connections along.
_CONTEXT = multiprocessing.get_context("spawn")


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


def prove_pack(pack_dir: Path, *, timeout_s: float = VARIANT_TIMEOUT_S) -> PackProof:
    """Prove every variant of a pack on this machine.

    Args:
        timeout_s: for one variant, its start included.

    Raises:
        PackInvalidError: the pack itself is damaged.
    """
    pack = verify_pack(pack_dir)
    proofs = [_proved(pack, variant, timeout_s) for variant in pack.manifest.variants]
    result = negotiate(pack.manifest, proofs)
    for proof in (*result.ranked, *result.refused):
        logger.info("variant_proved", pack=pack.manifest.name, variant=proof.name, offered=proof.offered, reason=proof.reason)
    return PackProof(
        name=pack.manifest.name,
        version=pack.manifest.version,
        machine=x_ray(),
        variants=(*result.ranked, *result.refused),
    )


def _proved(pack: Pack, variant: Variant, timeout_s: float) -> VariantProof:
    try:
        return run_in_child(prove_variant, pack.path, variant.name, timeout_s=timeout_s)
    except ModelError as error:
        return _unproved(variant, str(error))


def run_in_child(work: Callable[[Path, str], VariantProof], pack_dir: Path, variant_name: str, *, timeout_s: float) -> VariantProof:
    """What `work` returns in a spawned child.

    Raises:
        ModelError: the child died, took longer than `timeout_s`, or `work` raised.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    child = _CONTEXT.Process(target=_child_main, args=(theirs, work, pack_dir, variant_name), name="imagine-edge-prover", daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(timeout_s):
            raise ModelError(f"it gave no answer within {timeout_s:.0f} s")
        answer: VariantProof | str = ours.recv()
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


def _child_main(link: Connection, work: Callable[[Path, str], VariantProof], pack_dir: Path, variant_name: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    try:
        link.send(work(pack_dir, variant_name))
    except Exception as error:  # the process border: whatever stopped the variant is the answer
        logger.exception("variant_failed", variant=variant_name)
        link.send(str(error) if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}")


def prove_variant(pack_dir: Path, variant_name: str) -> VariantProof:
    """Run the goldens of one variant and, if they hold, measure its speed. Loads the runtime: in a child process only.

    Raises:
        ModelError: the variant cannot be loaded or run, or returned what its manifest does not promise.
    """
    from models.runtime.goldens import check_goldens, read_golden_images
    from models.runtime.predict import detect, load_model

    cores = usable_cores()
    model = load_model(pack_dir, variant_name, threads=cores + 1)
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
