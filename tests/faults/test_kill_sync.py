"""kill -9 while results go ashore: each is there once in the end, and no bundle is half anywhere."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.store.open import open_store
from sync.bundle.files import SUFFIX, find_bundles
from tests.helpers.going_ashore import OF_THE_SHIP, agent_of, folder_of, on_shore, rows, seed_results

CYCLES = max(3, int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "50")) // 8)
RESULTS_EACH = 12


@pytest.mark.timeout(60 + 30 * CYCLES)
def test_shore_equals_ship_after_any_number_of_kills(tmp_path: Path) -> None:
    home, stick, chance = tmp_path / "home", tmp_path / "stick", random.Random(20261122)
    seed_results(home, tmp_path / "inbox", RESULTS_EACH * CYCLES)
    folder_of("stick", stick)
    seen, in_the_middle = 0, 0
    for _ in range(CYCLES):
        words = [sys.executable, "-m", "tests.helpers.going_ashore", str(home), str(stick)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as agent:
            assert agent.stdout is not None
            assert agent.stdout.readline() == b"begun\n"
            time.sleep(chance.uniform(0, 0.25))
            agent.kill()
        there = len(list(find_bundles(stick)))
        assert there >= seen, "nothing that arrived is lost"
        in_the_middle += there < RESULTS_EACH * CYCLES
        seen = there
        assert rows(home, "SELECT count(*) FROM outbox WHERE state = 'sent'")[0][0] <= there, "nothing is called sent that is not there"
    assert in_the_middle, "nothing was killed in the middle"
    writer = open_store(home, on_commit=lambda: None)
    try:
        agent_here = agent_of(home, writer, [folder_of("stick", stick)])
        while agent_here.step()[0] != "nothing":
            pass
    finally:
        writer.close()
    assert on_shore(tmp_path / "shore.db", stick) == rows(home, OF_THE_SHIP)
    assert rows(home, "SELECT DISTINCT state FROM outbox") == [("sent",)]
    kept = {path.name for path in (home / "sync" / "bundles").iterdir()}
    assert kept == {f"{sha256}{SUFFIX}" for (sha256,) in rows(home, "SELECT sha256 FROM bundles WHERE dropped_utc IS NULL")}
