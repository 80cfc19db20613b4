"""A full ZooScan scan from raw to measures and vignettes, by the installed command: stage times, processor time, memory of its processes.

The scan is rendered: 25000 x 15000 pixels, 1,700 objects, 20,000 specks of dust, two raw backgrounds; the classifier of multiples and the
separator that come with the appliance do their part. The same home processed a small scan before, so that nothing is installed meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads.zooscan import current_run, list_scans
from tests.benchmarks.appliance import PROGRAM
from tests.benchmarks.cost import tree, tree_memory
from tests.benchmarks.scan_rendered import rendered_scan
from tests.benchmarks.zooscan_truth import against_truth

CORES = 2
LIMIT_S, LIMIT_MIB = 8.0, 1.2 * 1024
PEER_S, PEER_MIB = 57.0, 2.25 * 1024
_LOOK_S = 0.05
_PSS_EVERY = 12  # it holds the processes up, and takes some milliseconds of a core
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a command with its children cost.

    Attributes:
        wall_s, cpu_s: of all of them.
        rss_mib: most of the sum of their resident memory, in which what they share counts once for each of them.
        pss_mib: most of the sum of their proportional memory, in which it counts once.
        stdout: what it said.
    """

    wall_s: float
    cpu_s: float
    rss_mib: float
    pss_mib: float
    stdout: str


def zooscan_speed(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Wall and processor time of `zooscan process`, its stages, and the most memory of all its processes together."""
    scan = rendered_scan(workspace, quick=quick)
    home = workspace / "zooscan_home"
    warm = workspace / "zooscan_warm"
    size = ("--objects", "10", "--width-px", "1600", "--height-px", "1200")
    subprocess.run([PROGRAM, "zooscan", "render", "--seed", "2", "--out", str(warm), *size], check=True, capture_output=True)
    process = [PROGRAM, "--home", str(home), "zooscan", "process"]
    subprocess.run([*process, str(warm / "Zooscan_render_sn033"), "--json"], check=True, capture_output=True)
    load = os.getloadavg()[0]
    watched = watch([*process, str(scan.project), "--json"])
    told = json.loads(watched.stdout.splitlines()[-1])
    return {
        "scan": f"{told['scan']}, {scan.objects} objects on the glass",
        "objects": told["objects"],
        "multiples": told["multiples"],
        "separated": told["separated"],
        "truth": against_truth(home, told["scan"], scan.project),
        "wall_s": round(watched.wall_s, 2),
        "limit_s": LIMIT_S,
        "peer_s": PEER_S,
        "cpu_s": round(watched.cpu_s, 2),
        "with_two_cores_to_itself_s": round(watched.cpu_s / CORES, 2),
        "processing_s": told["elapsed_s"],
        "stages_s": _stages(home, told["scan"]),
        "peak_rss_mib": round(watched.rss_mib),
        "peak_pss_mib": round(watched.pss_mib),
        "limit_mib": round(LIMIT_MIB),
        "peer_mib": round(PEER_MIB),
        "load_1_min_before": round(load, 1),
    }


def watch(command: Sequence[str]) -> Watched:
    """Run a command to its end and look at the memory of its processes meanwhile.

    Raises:
        RuntimeError: it failed.
    """
    rss: list[int] = [0]
    pss: list[int] = [0]
    is_over = threading.Event()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun_s = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)

        def look() -> None:
            looks = 0
            while not is_over.wait(_LOOK_S):
                rss.append(_rss_bytes(process.pid))
                looks += 1
                if looks % _PSS_EVERY == 0:
                    with contextlib.suppress(psutil.Error):
                        pss.append(tree_memory(process.pid).pss_bytes)

        looker = threading.Thread(target=look)
        looker.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun_s
        is_over.set()
        looker.join()
        process.returncode = os.waitstatus_to_exitcode(status)  # subprocess must not wait for it again
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {err.read().decode()[-2000:]}")
        return Watched(
            wall_s=wall_s,
            cpu_s=usage.ru_utime + usage.ru_stime,
            rss_mib=max(rss) / _MIB,
            pss_mib=max(pss) / _MIB,
            stdout=out.read().decode(),
        )


def _rss_bytes(pid: int) -> int:
    total = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.Error):
            total += int(process.memory_info().rss)
    return total


def _stages(home: Path, name: str) -> dict[str, float]:
    """How long each stage of a scan's run took, as the appliance keeps it."""
    connection = open_reader(home / DATABASE_NAME)
    try:
        (scan,) = [row for row in list_scans(connection, limit=10) if row.name == name]
        run = current_run(connection, scan.id)
    finally:
        connection.close()
    return {} if run is None else {stage: round(seconds, 2) for stage, seconds in run.stages_s.items()}
