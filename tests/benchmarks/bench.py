"""Measure the appliance against the machine's own limits and print one JSON document of figures and ratios.

Usage, from the top of the repository: python -m tests.benchmarks.bench [--quick] [--only NAME ...] [--workspace FOLDER]

`--quick` takes small sizes, for trying the benchmark itself: its figures mean little. Everything is rendered and made in the
workspace, a temporary folder unless one is named. What happens is told on standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from edge import __version__
from tests.benchmarks.bench_metrics import metrics
from tests.benchmarks.bench_seabed import seabed
from tests.benchmarks.bench_tracking import tracking
from tests.benchmarks.bench_video import video
from tests.benchmarks.cvat_facade import cvat_facade
from tests.benchmarks.efficiency import efficiency
from tests.benchmarks.idle import idle, memory_with_backlog
from tests.benchmarks.latency import drop_to_row, start_to_ready
from tests.benchmarks.pages import pages
from tests.benchmarks.tow_speed import tow_speed
from tests.benchmarks.zooscan_agreement import zooscan_agreement
from tests.benchmarks.zooscan_speed import zooscan_speed

FIGURES: dict[str, Callable[..., dict[str, Any]]] = {
    "efficiency": efficiency,
    "drop_to_row": drop_to_row,
    "start_to_ready": start_to_ready,
    "idle": idle,
    "memory_with_backlog": memory_with_backlog,
    "pages": pages,
    "metrics": metrics,
    "video": video,
    "seabed": seabed,
    "tracking": tracking,
    "tow_speed": tow_speed,
    "zooscan_agreement": zooscan_agreement,
    "zooscan_speed": zooscan_speed,
    "cvat_facade": cvat_facade,
}


def main() -> int:
    """Measure what was asked for, one figure after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(FIGURES), default=list(FIGURES), metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workspace", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imagine-edge-bench-", dir=options.workspace) as folder:
        figures = {name: measure(name, Path(folder), quick=options.quick) for name in options.only}
    print(json.dumps({"version": __version__, "quick": options.quick, "machine": machine(), "figures": figures}, indent=2))
    return 1 if any("failed" in figure for figure in figures.values()) else 0


def measure(name: str, workspace: Path, *, quick: bool) -> dict[str, Any]:
    """One figure; one that cannot be had is told as such, and the others go on."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    begun_s = time.monotonic()
    try:
        figure = FIGURES[name](workspace, quick=quick)
    except (OSError, RuntimeError, TimeoutError, KeyError, ValueError) as error:
        figure = {"failed": f"{type(error).__name__}: {error}"}
    print(f"{name}: {json.dumps(figure)} ({time.monotonic() - begun_s:.0f} s)", file=sys.stderr, flush=True)
    return figure


def machine() -> dict[str, Any]:
    """What it was measured on. `load_1_min` far from 0 at the start means that others were working too."""
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
