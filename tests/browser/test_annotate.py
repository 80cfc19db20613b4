"""Annotate in a real browser beside a simulated CVAT: signed in, sent, corrected there, back by itself; it fits, and is red at night."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from annotator_bridge.cvat import rounds
from edge.settings import Settings
from edge.store.connection import immediate
from tests.contract.test_pages import Outline
from tests.helpers.chromium import LOOK_S
from tests.helpers.cvat import seed_task
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import PASSWORD, USER, World

WAIT_S = 60


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SimulatedAppliance, Server]]:
    """An appliance whose desk works in the background, beside a CVAT; its jobs are looked at all the time."""
    monkeypatch.setattr(rounds, "LOOK_OPEN_S", 0.1)
    with cvat(World(tmp_path / "server")) as server:
        appliance = SimulatedAppliance(tmp_path / "home", Settings(cvat_url=server.url))
        make_survey(appliance)
        with immediate(appliance.writer) as connection:
            long = seed_task(connection, title="a title that goes on " * 20, frames=1200, server_url="http://elsewhere:8080")
            assert long.frames == 1200
        appliance.annotation.start()
        yield appliance, server
        appliance.annotation.stop()
        appliance.close()


def test_a_folder_goes_out_and_comes_back(there: tuple[SimulatedAppliance, Server], chromium: webdriver.Chrome) -> None:
    appliance, server = there
    with serving(appliance) as client:
        base = str(client.base_url).rstrip("/")
        wait = WebDriverWait(chromium, WAIT_S, LOOK_S, ignored_exceptions=(Exception,))

        def says(selector: str, words: str) -> None:
            wait.until(lambda driver: words in driver.find_element(By.CSS_SELECTOR, selector).text)

        chromium.get(base)
        wait.until(lambda driver: driver.find_element(By.ID, "mode-word").text)
        chromium.find_element(By.TAG_NAME, "body").send_keys("g", "n")
        says("#server", "waits for a sign-in")
        chromium.find_element(By.NAME, "username").send_keys(USER)
        chromium.find_element(By.NAME, "password").send_keys(PASSWORD + "\n")
        says(".notice", "Signed in at CVAT")
        says("#server", "answers")
        says("#server", USER)
        chromium.get(f"{base}/annotate/new?source=selection&folder=station-011")
        says("main", "4 images, 1 job")
        chromium.find_element(By.NAME, "job_frames").clear()
        chromium.find_element(By.NAME, "job_frames").send_keys("2")
        chromium.find_element(By.XPATH, "//button[.='Send to CVAT']").click()
        says("#task-state", "with people")
        says("#jobs", "new")
        (task,) = server.world.tasks.values()
        job = server.world.jobs_of(task)[0]
        sent = len(job.shapes)
        job.shapes.clear()
        job.state, job.assignee, job.updated = "completed", "anna", server.world.now()
        says("#facts", f"{sent} removed")
        says("#pulls", "the appliance")
        link = chromium.find_element(By.LINK_TEXT, "Open in CVAT")
        assert (link.get_attribute("href"), link.get_attribute("rel")) == (f"{server.url}/tasks/{task.id}", "noopener noreferrer")
        chromium.find_element(By.TAG_NAME, "body").send_keys("\ue00c")  # Escape
        wait.until(lambda driver: driver.current_url == f"{base}/annotate")
        assert Outline(client.get("/annotate").text).faults == []
        for width_px in (1366, 1024, 800):
            size = {"width": width_px, "height": 768, "deviceScaleFactor": 1, "mobile": False}
            chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            wide = chromium.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, width_px
        while chromium.find_element(By.ID, "mode-word").text != "red":
            chromium.find_element(By.TAG_NAME, "body").send_keys("m")
        shot = Image.open(io.BytesIO(chromium.get_screenshot_as_png())).convert("RGB")
        assert [band.getextrema() for band in shot.split()][1:] == [(0, 0), (0, 0)]
        complaints = [entry["message"] for entry in chromium.get_log("browser")]  # type: ignore[no-untyped-call]
        assert [text for text in complaints if "Failed to load resource" not in text] == []
        chromium.get("about:blank")
