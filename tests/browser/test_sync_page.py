"""The Sync page in a real browser: long names fit, red mode is red, it is reached by keys, a pause is pressed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from edge.settings import Settings
from edge.sink_settings import SinkSettings
from tests.helpers.chromium import LOOK_S
from tests.helpers.going_ashore import folder_of
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

WAIT_S = 60


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    """A share that has everything, and a bucket with a long name that refused it."""
    bucket = SinkSettings(
        name="a-far-side-with-a-long-name", kind="s3", url=f"https://{'long.' * 30}example.org", bucket="b" * 60, daily_mb=5
    )
    appliance = SimulatedAppliance(tmp_path / "home", Settings(vessel="RV " + "x" * 70, sinks=(folder_of("nas", tmp_path / "nas"), bucket)))
    make_survey(appliance)
    appliance.sync.drain()
    appliance.sync.agent.kick(hurry=True)
    appliance.sync.drain()
    appliance.writer.execute("UPDATE deliveries SET state = 'refused', error = ?, error_code = 'x' WHERE sink <> 'nas'", ("no" * 300,))
    yield appliance
    appliance.close()


def test_it_fits_is_red_at_night_and_takes_a_pause(appliance: SimulatedAppliance, chromium: webdriver.Chrome) -> None:
    with serving(appliance) as client:
        base = str(client.base_url).rstrip("/")
        chromium.get(base)
        wait = WebDriverWait(chromium, WAIT_S, LOOK_S, ignored_exceptions=(Exception,))
        wait.until(lambda driver: driver.find_element(By.ID, "mode-word").text)
        chromium.switch_to.active_element.send_keys("g", "y")
        wait.until(lambda driver: driver.current_url.endswith("/sync") and driver.find_element(By.ID, "mode-word").text)
        for width_px in (1366, 1024, 800):
            size = {"width": width_px, "height": 768, "deviceScaleFactor": 1, "mobile": False}
            chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            wide = chromium.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, width_px
        while chromium.find_element(By.ID, "mode-word").text != "red":
            chromium.switch_to.active_element.send_keys("m")
        shot = Image.open(io.BytesIO(chromium.get_screenshot_as_png())).convert("RGB")
        assert [band.getextrema() for band in shot.split()][1:] == [(0, 0), (0, 0)]
        chromium.find_element(By.XPATH, "//button[.='Pause']").click()
        wait.until(lambda driver: driver.find_element(By.XPATH, "//button[.='Resume']"))
        assert appliance.sync.status().paused is not None
