"""kill -9 while somebody counts: what was acknowledged is there, whole, and still sealed."""

from __future__ import annotations

import os
import random
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.commands.running import read_address
from edge.store.seal import KEY_NAME
from tests.helpers.counted import make_blind_survey
from tests.helpers.people import browser
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query
from tests.simulators.appliance import SimulatedAppliance

CYCLES = max(3, int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "50")) // 10)
SAVING_S = 1.5
SECRET_NOTE = "a crab of unmistakable colour"


@pytest.mark.timeout(60 + 40 * CYCLES)
def test_no_acknowledged_click_is_lost(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(20261121)
    tow_id = prepare(home, tmp_path / "pack")
    acknowledged: list[int] = [0]
    for _ in range(CYCLES):
        appliance = RunningAppliance(home)
        appliance.wait_ready()
        with signed_in(home) as jd:
            count_id = jd.post(f"/api/tows/{tow_id}/count").json()["count_id"]
            content = jd.get(f"/api/counts/{count_id}").json()["content"]
            check(content, acknowledged[0])
            acknowledged[0] = content["revision"]
            saving = threading.Thread(target=save_on, args=(jd, count_id, content, acknowledged))
            saving.start()
            time.sleep(chance.uniform(0.2, SAVING_S))
            appliance.kill()
            saving.join()
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    with signed_in(home) as jd:
        check(jd.get(f"/api/counts/{count_id}").json()["content"], acknowledged[0])
    assert appliance.stop() == 0
    told = [path for path in home.rglob("*") if path.is_file() and SECRET_NOTE.encode() in path.read_bytes()]
    assert told == [], "neither logs nor caches nor the database's files tell what a counter wrote"
    assert acknowledged[0] > CYCLES, "the kills came too early to have seen saves"
    assert query(home, "SELECT count(*) FROM count_marks") == [(0,)]
    assert query(home, "SELECT count(*) FROM audit WHERE action = 'count_open'") == [(1,)]


def save_on(jd: httpx.Client, count_id: int, content: dict[str, Any], acknowledged: list[int]) -> None:
    """One click more with every save, until the appliance is gone."""
    while True:
        content["marks"] = [[float(number), None, "system", 0.5, 0.83, "x"] for number in range(content["revision"] + 1)]
        content["notes"] = {"1": SECRET_NOTE}
        try:
            answer = jd.post(f"/api/counts/{count_id}", json=content)
        except httpx.HTTPError:
            return
        content["revision"] = acknowledged[0] = answer.json()["revision"]


def check(content: dict[str, Any], acknowledged: int) -> None:
    """The last acknowledged revision or the one that was on its way, and every click of it."""
    assert content["revision"] in {acknowledged, acknowledged + 1}
    assert [mark[0] for mark in content["marks"]] == [float(number) for number in range(content["revision"])]


def prepare(home: Path, pack: Path) -> int:
    make_tiny_home(home, pack)
    appliance = SimulatedAppliance(home)
    blind = make_blind_survey(appliance, stills=0)
    appliance.close()
    key = b"a key for the tests of 32 bytes."
    (home / KEY_NAME).parent.mkdir(exist_ok=True)
    (home / KEY_NAME).write_text(f"{key.hex()} {zlib.crc32(key):08x}\n")
    return blind.tow_id


def signed_in(home: Path) -> httpx.Client:
    return browser(httpx.Client(base_url=str(read_address(home))), "jd")
