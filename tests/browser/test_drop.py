"""A still dropped into the watched folder of the running appliance appears in the browser by itself."""

from __future__ import annotations

import shutil
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
        # By script: the list is made anew while it is looked at, and what is still in hand is named without a link.
        links = "[...document.querySelectorAll('main a')]"
        follow = f"const link = {links}.find(one => one.innerText.includes('dropped.jpg')); link?.click(); return !!link"
        wait_until(lambda: bool(chromium.execute_script(follow)), "Home leads to the still")
        (counted,) = {run["object_count"] for run in appliance.ask("/api/runs?file=1")["runs"]}
        assert counted > 0
        shown = "return document.querySelector('main')?.innerText ?? ''"
        wait_until(lambda: f"{counted} counted" in str(chromium.execute_script(shown)), "its page tells the count")
    finally:
        assert appliance.stop() == 0
