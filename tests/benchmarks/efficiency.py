"""How much of the processor time of an ingest is unavoidable work, and whether the cores are busy while files wait."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from edge.store.connection import DATABASE_NAME, open_reader
from tests.benchmarks.appliance import ingest
from tests.benchmarks.cost import run_command, tree_cpu_s
from tests.benchmarks.stills import write_stills

SAMPLE_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a running ingest: processor seconds of its tree, busy seconds of the whole machine, results so far."""

    at_s: float
    tree_cpu_s: float
    machine_busy_s: float
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The variant that an ingest used, and with how many threads."""

    pack_path: str
    variant: str
    threads: int


def efficiency(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """An ingest of 1,000 stills beside its stages measured alone."""
    count = 100 if quick else 1000
    home = workspace / "efficiency-home"
    write_stills(workspace / "first", 1, seed=41)
    write_stills(workspace / "second", 1, seed=42)
    write_stills(workspace / "backlog", count, seed=43)
    ingest(home, workspace / "first")  # checks the model on this machine, once
    start_up, _ = ingest(home, workspace / "second")
    samples: list[Sample] = []
    stop = threading.Event()
    sampler = threading.Thread(target=_sample, args=(home, samples, stop))
    sampler.start()
    try:
        whole, summary = ingest(home, workspace / "backlog")
    finally:
        stop.set()
        sampler.join()
    if summary["done"] != count:
        raise RuntimeError(f"the ingest gave {summary}")
    served = _served(home)
    command = [sys.executable, "-m", "tests.benchmarks.stages_alone", str(workspace / "backlog"), served.pack_path, served.variant]
    alone: dict[str, float] = json.loads(run_command([*command, str(served.threads)]).stdout)
    per_still_s = (whole.cpu_s - start_up.cpu_s) / (count - 1)
    return {
        "stills": count,
        "variant": served.variant,
        "alone_cpu_ms": {stage: round(cost_s * 1000, 3) for stage, cost_s in alone.items()},
        "ingest_cpu_ms": round(per_still_s * 1000, 3),
        "start_up_cpu_s": round(start_up.cpu_s, 3),
        "efficiency": round(sum(alone.values()) / per_still_s, 3),
        "images_per_s": summary["images_per_s"],
        **_busy(samples, count),
        "limit": "efficiency at least 0.85; cores busy at least 0.90",
    }


def _busy(samples: list[Sample], count: int) -> dict[str, Any]:
    """Share of the cores that the ingest, and that anybody, kept busy between 5 % and 95 % of the backlog."""
    inside = [sample for sample in samples if 0.05 * count <= sample.done - 2 <= 0.95 * count]
    if len(inside) < 2:
        return {"cores_busy": None, "cores_busy_by_anybody": None}
    first, last = inside[0], inside[-1]
    core_s = (last.at_s - first.at_s) * (os.cpu_count() or 1)
    return {
        "cores_busy": round((last.tree_cpu_s - first.tree_cpu_s) / core_s, 3),
        "cores_busy_by_anybody": round((last.machine_busy_s - first.machine_busy_s) / core_s, 3),
    }


def _sample(home: Path, samples: list[Sample], stop: threading.Event) -> None:
    """Look at the youngest child of this process until told to stop."""
    connection = open_reader(home / DATABASE_NAME)
    try:
        while not stop.wait(SAMPLE_EVERY_S):
            children = psutil.Process().children()
            if not children:
                continue
            (done,) = connection.execute("SELECT count(*) FROM runs").fetchone()
            times = psutil.cpu_times()
            busy_s = times.user + times.nice + times.system + times.irq + times.softirq
            samples.append(Sample(at_s=time.monotonic(), tree_cpu_s=tree_cpu_s(children[-1].pid), machine_busy_s=busy_s, done=done))
    finally:
        connection.close()


def _served(home: Path) -> Served:
    query = """
        SELECT m.pack_path, v.name AS variant
        FROM runs AS r JOIN models AS m ON m.id = r.model_id JOIN variants AS v ON v.model_id = m.id AND v.sha256 = r.weights_sha256
        AND v.runtime = r.runtime AND v.precision = r.precision
        ORDER BY r.id DESC LIMIT 1
    """
    connection = open_reader(home / DATABASE_NAME)
    try:
        row = connection.execute(query).fetchone()
    finally:
        connection.close()
    return Served(pack_path=row["pack_path"], variant=row["variant"], threads=(os.cpu_count() or 1) + 1)
