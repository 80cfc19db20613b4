"""A still dropped into the watched folder of the running appliance appears in the browser by itself."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from edge.commands.running import read_address
from tests.helpers.tiny_home import RunningAppliance, wait_until


@pytest.mark.timeout(300)
def test_a_dropped_still_appears_with_its_count(chromium: webdriver.Chrome, rendered_tow: list[Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text("settle_s = 0.2\nballast_mb = 1\n")
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        chromium.get(read_address(home) or "")
        assert "inbox" in chromium.find_element(By.TAG_NAME, "main").text, "an empty appliance says where to drop files"
        shutil.copy(rendered_tow[0], home / "inbox" / "burrows" / "dropped.jpg")
        wait_until(lambda: "dropped.jpg" in chromium.find_element(By.TAG_NAME, "main").text, "Home shows the still")
        chromium.find_element(By.PARTIAL_LINK_TEXT, "dropped.jpg").click()
        time.sleep(0.5)
        (counted,) = {run["object_count"] for run in appliance.ask("/api/runs?file=1")["runs"]}
        assert counted > 0
        assert f"{counted} counted" in chromium.find_element(By.TAG_NAME, "main").text
    finally:
        assert appliance.stop() == 0
