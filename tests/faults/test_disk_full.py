"""A full disk: work pauses, nothing acknowledged is lost, and it goes on by itself when there is room again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.helpers.small_disk import fill_disk, small_disk
from tests.helpers.tiny_home import RunningAppliance, assert_accounted_for, make_tiny_home, query, states, wait_until, write_picture

BEFORE, MEANWHILE = 8, 12


@pytest.mark.timeout(300)
def test_work_pauses_and_goes_on(tmp_path: Path) -> None:
    camera = tmp_path / "camera"
    camera.mkdir()
    with small_disk(tmp_path / "disk", 128) as disk:
        home = disk / "home"
        make_tiny_home(home, tmp_path / "pack")
        with (home / "settings.toml").open("a") as settings:
            settings.write(f'[[watched]]\npath = "{camera}"\nrecipe = "burrows"\n')
        appliance = RunningAppliance(home)
        appliance.wait_ready()
        for number in range(BEFORE):
            write_picture(camera, f"before-{number}.png", seed=number)
        wait_until(lambda: states(home) == {"done": BEFORE}, "the first pictures are done")

        filler = fill_disk(disk)
        wait_until(lambda: "disk" in appliance.ask("/api/status")["live"]["phase_detail"], "the full disk is told")
        for number in range(MEANWHILE):
            write_picture(camera, f"meanwhile-{number}.png", seed=100 + number)
        time.sleep(3.0)
        assert states(home) == {"done": BEFORE}, "nothing is taken while the disk is full, and nothing acknowledged is gone"
        assert appliance.process.poll() is None

        filler.unlink()
        wait_until(lambda: states(home) == {"done": BEFORE + MEANWHILE}, "the others are done too")
        assert query(home, "SELECT count(*) FROM sightings WHERE reason IS NOT NULL") == [(0,)]
        assert appliance.stop() == 0
        assert_accounted_for(home, BEFORE + MEANWHILE)
