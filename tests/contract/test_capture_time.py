"""The capture time of a content is found whichever of its names says it, and whenever that name comes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query, states, wait_until, write_picture

TIMED = "image_D2023-06-03T16-26-07-584023Z_0.png"
MOMENT = "2023-06-03T16:26:07.584Z"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("names", [("plain.png", TIMED), (TIMED, "plain.png")])
def test_a_second_name_may_say_it(tmp_path: Path, names: tuple[str, str]) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    inbox = home / "inbox" / "burrows"
    first = write_picture(inbox, names[0], seed=1)
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    wait_until(lambda: states(home) == {"done": 1}, "the first name is done")
    shutil.copy(first, inbox / names[1])
    wait_until(lambda: states(home) == {"done": 2}, "the second name is known")
    assert query(home, "SELECT capture_time_utc, capture_time_source FROM images") == [(MOMENT, "file_name")]
    assert appliance.stop() == 0
