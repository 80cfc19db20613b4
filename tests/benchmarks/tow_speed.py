"""A ten-minute tow from file to count, by the installed command: its time as a share of the tow's, and the memory of its processes.

Half a minute is rendered and its packets are repeated until the clip lasts ten minutes; what is read and looked at is a real tow's load:
1080p at 25 frames a second in H.264, six frames a second through the starter pack at 960 px.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.bench_video import lengthen

TOW_S, RENDERED_S, QUICK_S = 600, 30, 6
LIMIT_SHARE = 0.25
_LOOK_S = 1.0


def tow_speed(workspace: Path, *, quick: bool) -> dict[str, Any]:
    """Wall time of `ingest` over the tow's length, with and without the start of the appliance, and memory early and late."""
    rendered_s = QUICK_S if quick else RENDERED_S
    command = [str(Path(sys.executable).with_name("imagine-edge"))]
    subprocess.run([*command, "demo", "--tow", str(rendered_s), "--out", str(workspace / "tow")], check=True, capture_output=True)
    home, folder = workspace / "tow_home", workspace / "tow_footage"
    folder.mkdir()
    # The models are proven on this machine at the first start, which is no part of any tow.
    subprocess.run([*command, "--home", str(home), "ingest", str(folder), "--json"], check=True, capture_output=True)
    clip = lengthen(workspace / "tow" / "tow.mp4", folder / "tow.mp4", times=(QUICK_S if quick else TOW_S) // rendered_s)
    process = subprocess.Popen([*command, "--home", str(home), "ingest", str(folder), "--station", "S1", "--json"], stdout=subprocess.PIPE)
    begun_s = time.monotonic()
    memory_mb = _watched(process)
    wall_s = time.monotonic() - begun_s
    answer = json.loads(process.stdout.read() if process.stdout else b"{}")
    if process.returncode != 0 or answer.get("clips") != 1:
        raise RuntimeError(f"ingest ended with {process.returncode}: {answer}")
    counted = subprocess.run([*command, "--home", str(home), "survey", "count", "S1", "--json"], check=True, capture_output=True)
    length_s = QUICK_S if quick else TOW_S
    middle, end = memory_mb[len(memory_mb) // 3], max(memory_mb[-len(memory_mb) // 4 :])
    return {
        "clip": f"{clip.stat().st_size / 1e6:.0f} MB, {length_s} s of 1080p25 H.264",
        "wall_s": round(wall_s, 1),
        "share_of_length": round(wall_s / length_s, 3),
        "limit": LIMIT_SHARE,
        "frames": json.loads(counted.stdout)["sources"]["model"]["frames"],
        "memory_third_mb": middle,
        "memory_end_mb": end,
        "memory_ratio": round(end / middle, 3),
    }


def _watched(process: subprocess.Popen[bytes]) -> list[float]:
    """Resident memory of a process and its children, once a second until it ends, MB."""
    seen: list[float] = []
    while process.poll() is None:
        try:
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            seen.append(round(sum(one.memory_info().rss for one in family) / 1e6, 1))
        except psutil.NoSuchProcess:
            continue
        time.sleep(_LOOK_S)
    return seen or [0.0]
