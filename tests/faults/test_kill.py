"""kill -9 of the whole appliance at random moments: every file ends exactly once, and no worker outlives its parent."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, states, wait_until, write_picture

CYCLES = int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "50"))
PICTURES_PER_CYCLE = 6
WORKING_LIFE_S = 2.0


@pytest.mark.timeout(60 + 30 * CYCLES)
def test_every_file_ends_exactly_once(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(20261121)
    make_tiny_home(home, tmp_path / "pack")
    inbox = home / "inbox" / "burrows"
    longest_life_s = start_s(home) + WORKING_LIFE_S
    orphans: list[psutil.Process] = []
    for cycle in range(CYCLES):
        appliance = RunningAppliance(home)
        end_s = time.monotonic() + chance.uniform(0.0, longest_life_s)
        for number in range(PICTURES_PER_CYCLE):
            write_picture(inbox / f"station-{cycle // 5}", f"{cycle}-{number}.png", seed=cycle * 100 + number)
            time.sleep(chance.uniform(0.0, 0.2))
        time.sleep(max(0.0, end_s - time.monotonic()))
        orphans += appliance.kill()
    files = CYCLES * PICTURES_PER_CYCLE
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: states(home) == {"done": files}, f"all {files} files are done, not {states(home)}")
    assert appliance.stop() == 0
    assert_accounted_for(home, files)
    gone, alive = psutil.wait_procs(orphans, timeout=30)
    assert alive == []
    assert len(gone) >= CYCLES // 3, "the kills came too early to have had a worker"


def start_s(home: Path) -> float:
    """How long it takes here and now until there is a worker: some kills shall fall into the start, and as many into the work."""
    begun_s = time.monotonic()
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: appliance.worker_pid() is not None, "there is a worker")
    taken_s = time.monotonic() - begun_s
    assert appliance.stop() == 0
    return taken_s
