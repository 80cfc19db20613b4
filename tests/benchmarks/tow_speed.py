"""A ten-minute tow from file to count, by the installed command: its time as a share of the tow's, and the memory of its processes.

Half a minute is rendered and its packets are repeated until the clip lasts ten minutes; what is read and looked at is a real tow's load:
1080p at 25 frames a second in H.264, six frames a second through the starter pack at 960 px. Where the processor's time goes is measured
besides, on the half minute, stage by stage in one thread.
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
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.appliance import PROGRAM, ingest
from tests.benchmarks.bench_video import lengthen
from tests.benchmarks.cost import tree
from tests.benchmarks.tow_stages import tow_stages

TOW_S, RENDERED_S, QUICK_S = 600, 30, 6
CORES = 2
LIMIT_SHARE = 0.25
_LOOK_S = 1.0
MB = 1e6


def tow_speed(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Wall and processor time of `ingest` as shares of the tow's length, start and count included; stages; memory early and late."""
    length_s, rendered_s = (QUICK_S, QUICK_S) if quick else (TOW_S, RENDERED_S)
    rendered = workspace / "tow"
    subprocess.run([PROGRAM, "demo", "--tow", str(rendered_s), "--out", str(rendered)], check=True, capture_output=True)
    home, folder, first = workspace / "tow_home", workspace / "tow_footage", workspace / "tow_first"
    folder.mkdir()
    first.mkdir()
    # The models are proven on a machine before they read their first file there, which is no part of any tow.
    lengthen(rendered / "tow.mp4", first / "first.mkv", times=1)  # other bytes than the tow, however short that is
    ingest(home, first)
    clip = lengthen(rendered / "tow.mp4", folder / "tow.mp4", times=length_s // rendered_s)
    wall_s, cpu_s, memory_mb = _watched([PROGRAM, "--home", str(home), "ingest", str(folder), "--station", "S1", "--json"])
    counted = subprocess.run([PROGRAM, "--home", str(home), "survey", "count", "S1", "--json"], check=True, capture_output=True)
    frames = json.loads(counted.stdout)["sources"]["model"]["frames"]
    return {
        "clip": f"{clip.stat().st_size / MB:.0f} MB, {length_s} s of 1080p25 H.264",
        "frames": frames,
        "wall_s": round(wall_s, 1),
        "share_of_length": round(wall_s / length_s, 3),
        "limit": LIMIT_SHARE,
        "cpu_s": round(cpu_s, 1),
        "cpu_ms_per_frame": round(1000 * cpu_s / frames, 1),
        "share_with_two_cores_to_itself": round(cpu_s / CORES / length_s, 3),
        "load_1_min": round(os.getloadavg()[0], 1),
        "stages": tow_stages(rendered / "tow.mp4"),
        **_memory(memory_mb),
    }


def _watched(command: Sequence[str]) -> tuple[float, float, list[float]]:
    """Wall and processor seconds of a command with its children, and their resident memory once a second, MB.

    Raises:
        RuntimeError: it failed, or took no clip.
    """
    seen: list[float] = []
    is_over = threading.Event()
    begun_s = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)

        def look() -> None:
            while not is_over.wait(_LOOK_S):
                seen.append(_rss_bytes(process.pid) / MB)

        looker = threading.Thread(target=look)
        looker.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun_s
        is_over.set()
        looker.join()
        process.returncode = os.waitstatus_to_exitcode(status)  # subprocess must not wait for it again
        out.seek(0)
        answer = out.read()
    if process.returncode != 0 or json.loads(answer).get("clips") != 1:
        raise RuntimeError(f"ingest ended with {process.returncode}: {answer.decode()[-2000:]}")
    return wall_s, usage.ru_utime + usage.ru_stime, seen


def _rss_bytes(pid: int) -> int:
    total = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.Error):
            total += int(process.memory_info().rss)
    return total


def _memory(seen_mb: list[float]) -> dict[str, Any]:
    """At a third, at two thirds, and the most of the last tenth, in which the tow is counted."""
    if not seen_mb:
        return {}
    third, two_thirds, end = seen_mb[len(seen_mb) // 3], seen_mb[2 * len(seen_mb) // 3], max(seen_mb[-max(1, len(seen_mb) // 10) :])
    return {
        "memory_third_mb": round(third, 1),
        "memory_two_thirds_mb": round(two_thirds, 1),
        "memory_end_mb": round(end, 1),
        "memory_end_over_third": round(end / third, 3),
    }
