"""What a process tree costs: processor seconds and memory, children included."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a command cost. `cpu_s` is user and system time of the command and of every child that it waited for."""

    wall_s: float
    cpu_s: float
    stdout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a process tree. `pss_bytes` counts a page that is shared by n processes as 1/n page in each."""

    rss_bytes: int
    pss_bytes: int
    processes: int


def run_command(command: Sequence[str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it ended with another exit code than 0; the message ends with what it said.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begun_s = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # subprocess must not wait for it again
        wall_s = time.monotonic() - begun_s
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {err.read().decode()[-2000:]}")
        return Cost(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime, stdout=out.read().decode())


def tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants, those that are still there."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def tree_cpu_s(pid: int) -> float:
    """Processor seconds of a process, its living descendants, and those that it has waited for."""
    total_s = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s


def tree_memory(pid: int) -> Memory:
    """Memory of a process and its living descendants."""
    rss_bytes = pss_bytes = processes = 0
    for process in tree(pid):
        try:
            full = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        rss_bytes += full.rss
        pss_bytes += getattr(full, "pss", full.rss)
        processes += 1
    return Memory(rss_bytes=rss_bytes, pss_bytes=pss_bytes, processes=processes)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
