"""A process that measures objects and draws their vignettes, some at a time, until nobody asks any more."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from edge.units import bytes_to_mib
from edge.zooscan.particle import Particle
from models.runtime.orphans import die_with_parent


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTask:
    """Objects of one scan to be measured together.

    Attributes:
        number: of the task.
        particles: the objects.
        resolution_dpi: of the scan.
        pixel_mm: side of a pixel.
    """

    number: int
    particles: list[Particle]
    resolution_dpi: float
    pixel_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of a task, in the order of its objects.

    Attributes:
        number: of the task.
        measures: by name.
        vignettes: PNGs.
    """

    number: int
    measures: list[Mapping[str, float]]
    vignettes: list[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The last word of a process: most memory it had, MiB."""

    rss_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A task that could not be done, in words."""

    detail: str


def measure_main(link: Connection) -> None:
    """Answer tasks until there are no more (None), or the link closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    die_with_parent()
    import edge.zooscan.measure.table  # noqa: F401 (while the scan is still being converted)

    try:
        while (task := link.recv()) is not None:
            link.send(_answer(task))
        link.send(Peak(rss_mib=peak_rss_mib()))
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone


def _answer(task: MeasureTask) -> Measured | Fault:
    try:
        return measure_task(task)
    except Exception as error:  # noqa: BLE001 (the process border: whatever happened is the answer)
        return Fault(detail=f"{type(error).__name__}: {error}")


def measure_task(task: MeasureTask) -> Measured:
    """Measure objects and draw them."""
    from edge.zooscan.measure.table import measure_particles
    from edge.zooscan.process.vignette import vignette_png

    table = measure_particles(task.particles, task.pixel_mm)
    rows: list[Mapping[str, float]] = [{name: float(values[row]) for name, values in table.items()} for row in range(len(task.particles))]
    return Measured(
        number=task.number, measures=rows, vignettes=[vignette_png(particle.alone, task.resolution_dpi) for particle in task.particles]
    )


def peak_rss_mib() -> float:
    """Most memory that this process has had, MiB; 0 where the system does not tell."""
    if sys.platform == "linux":
        # Not `getrusage`: that begins with what the parent had when it made this process.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return bytes_to_mib(1024 * int(line.split()[1]))
    return 0.0
