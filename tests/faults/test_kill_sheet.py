"""kill -9 while a sheet is typed: every field that was acknowledged is on disk, to the letter, and read into its tow."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query

CYCLES = max(3, int(os.environ.get("IMAGINE_EDGE_KILL_CYCLES", "50")) // 10)
TYPING_S = 1.5


@pytest.mark.timeout(60 + 40 * CYCLES)
def test_no_acknowledged_field_is_lost(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(20261121)
    acknowledged: list[str] = []
    make_tiny_home(home, tmp_path / "pack")
    for cycle in range(CYCLES):
        appliance = RunningAppliance(home)
        appliance.wait_ready()
        if cycle == 0:
            appliance.post("/api/surveys", {"name": "CV20017"})
            appliance.post("/api/surveys/1/stations", {"name": "125"})
        check(home, acknowledged)
        typing = threading.Thread(target=type_on, args=(appliance, acknowledged, cycle))
        typing.start()
        time.sleep(chance.uniform(0.3, TYPING_S))
        appliance.kill()
        typing.join()
        check(home, acknowledged)
    assert len(acknowledged) > CYCLES * 3, "next to nothing was typed before the kills"


def type_on(appliance: RunningAppliance, acknowledged: list[str], cycle: int) -> None:
    """Type depths until the appliance is gone."""
    for number in range(100_000):
        depth = f"{cycle * 100 + number / 1000:.3f} m"
        changes = [{"field": "start_depth", "value": depth}, {"field": "comments", "value": f"depth {depth}"}]
        try:
            appliance.post("/api/tows/1/sheet", {"changes": changes})
        except OSError:
            return
        acknowledged.append(depth)


def check(home: Path, acknowledged: list[str]) -> None:
    """Both fields of a change are there or none; the last one is what the tow has."""
    depths = [row[0] for row in query(home, "SELECT value FROM entries WHERE field = 'start_depth' ORDER BY id")]
    comments = [row[0] for row in query(home, "SELECT value FROM entries WHERE field = 'comments' ORDER BY id")]
    assert [one for one in acknowledged if one not in set(depths)] == []
    assert comments == [f"depth {one}" for one in depths]
    if depths:
        ((read_m,),) = query(home, "SELECT start_depth_m FROM tows")
        assert read_m == float(depths[-1].removesuffix(" m"))
