"""kill -9 while scans go to EcoTaxa: each is there once and whole in the end, with one import that was begun."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from edge.commands.common import reading
from edge.store.open import open_store
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.ecotaxa.login import Login, keep_login
from edge.zooscan.engine.engine import PixelEngine
from tests.helpers.zooscan import SeededScan, seed_scan
from tests.simulators.ecotaxa import Server, ecotaxa
from tests.simulators.ecotaxa_world import PASSWORD, PROJECT, USER, World

CYCLES = max(3, int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "50")) // 12)
KILLED = -9


@pytest.mark.timeout(60 + 60 * CYCLES)
def test_every_scan_is_there_once(tmp_path: Path, edge_command: list[str]) -> None:
    folder, home, chance = tmp_path / "server", tmp_path / "home", random.Random(20261122)
    folder.mkdir()
    home.mkdir()
    scans = make_signed(home, CYCLES)
    killed = 0
    with ecotaxa(World(folder)) as server:
        server.delay_s = 0.06
        keep_login(home, Login(server=server.url, username=USER, password=PASSWORD))
        for name in scans:
            killed += push_killed(edge_command, home, server, name, chance)
        server.delay_s = 0.0
        for row in finish(edge_command, home, server):
            assert row["state"] == "done", row["detail"]
        check(server, scans)
    assert killed, "nothing was killed in the middle"


def make_signed(home: Path, count: int) -> dict[str, SeededScan]:
    """Scans with results that somebody signed, by name."""
    writer = open_store(home, on_commit=lambda: None)
    desk = ScanDesk(home, writer, partial(reading, home), PixelEngine(home, classifier=lambda: None, processes=1))
    scans = {}
    for number in range(count):
        name = f"haul{number}_d1_1"
        meta = f"SampleId= haul{number}\r\nFracId= d1\r\n"
        scans[name] = writer.call(partial(seed_scan, home=home, name=name, objects=3, seed=number + 1, meta=meta))
        desk.sign(scans[name].scan_uuid, actor="mary")
    writer.close()
    return scans


def environment(server: Server) -> dict[str, str]:
    return {**os.environ, "IMAGINE_EDGE_ECOTAXA_URL": server.url, "IMAGINE_EDGE_ECOTAXA_PROJECT": str(PROJECT)}


def push_killed(command: list[str], home: Path, server: Server, name: str, chance: random.Random) -> bool:
    """Push, and kill it after some of its requests. Returns whether it was in the middle."""
    asked, limit = len(server.asked), chance.randint(1, 14)
    with subprocess.Popen(
        [*command, "--home", str(home), "zooscan", "push", name], env=environment(server), stdout=subprocess.DEVNULL
    ) as pushing:
        while pushing.poll() is None and len(server.asked) - asked < limit:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.08))
        pushing.kill()
    return pushing.returncode == KILLED


def finish(command: list[str], home: Path, server: Server) -> list[dict[str, object]]:
    """Let what was begun go on to its end; returns every transfer."""
    words = [*command, "--home", str(home), "zooscan", "uploads"]
    subprocess.run([*words, "retry"], env=environment(server), check=True, capture_output=True)
    done = subprocess.run([*words, "--json"], env=environment(server), check=True, capture_output=True, text=True)
    rows: list[dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def check(server: Server, scans: dict[str, SeededScan]) -> None:
    there = set(server.world.projects[PROJECT].objects)
    assert there == {f"{name}_{key}" for name, scan in scans.items() for key in scan.keys}
    begun = [job.params["req"]["source_path"] for job in server.world.jobs.values()]
    assert len(begun) == len(set(begun)) == len(scans)
    assert {job.state for job in server.world.jobs.values()} == {"F"}
