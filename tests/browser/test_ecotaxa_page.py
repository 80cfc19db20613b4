"""The page of EcoTaxa in a real browser: long names and long sentences fit, nothing is blocked, red mode is red, an answer is typed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from edge.store.zooscan import uploads as store
from tests.contract.test_pages import Outline
from tests.helpers.chromium import LOOK_S
from tests.helpers.ecotaxa_home import add_run, add_scan
from tests.helpers.small_import import KEYS
from tests.helpers.web import serving
from tests.simulators.appliance import DirectWriter, SimulatedAppliance

WAIT_S = 60
NAMES = ("apero2023_tha_bioness_017_st66_d_n1_d3_1", "apero2023_tha_bioness_018_st67_d_n1_d2_2_sur_2_1" + "_x" * 40, "b_1", "c_1")
QUESTION = {"missing_taxa": ["calanus<copepoda", "<script>alert(1)</script>"], "missing_users": ["jane doe"]}


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[SimulatedAppliance]:
    """One transfer that asks, one that failed, one under way, one that waits."""
    appliance = SimulatedAppliance(tmp_path / "home")
    writer = DirectWriter(appliance)
    for name in NAMES:
        add_run(writer, add_scan(writer, tmp_path / "Zooscan_apero_sn033", "apero", name), KEYS)
    asks, fails, goes, waits = [appliance.ecotaxa.push(name, "rita 127.0.0.1") for name in NAMES]

    def step(upload_id: int, to: store.State, **values: Any) -> None:
        assert writer.call(partial(store.go_on, upload_id=upload_id, of="queued", to=to, **values))

    step(asks, "asking", question_json=QUESTION, detail="EcoTaxa asks: taxa that it does not know")
    step(fails, "failed", detail="line 17: Missing Image 'a.png'; " * 20)
    step(goes, "sending", progress=0.43)
    step(
        waits, "queued", attempts=3, not_before_utc="2026-11-22T05:00:00.000Z", detail="https://ecotaxa/api cannot be reached: " + "x" * 300
    )
    yield appliance
    appliance.close()


def test_it_fits_is_red_at_night_and_takes_an_answer(appliance: SimulatedAppliance, chromium: webdriver.Chrome) -> None:
    with serving(appliance) as client:
        base = str(client.base_url).rstrip("/")
        assert Outline(client.get("/scans/ecotaxa").text).faults == []
        chromium.get(f"{base}/scans/ecotaxa")
        wait = WebDriverWait(chromium, WAIT_S, LOOK_S, ignored_exceptions=(Exception,))
        wait.until(lambda driver: driver.find_element(By.ID, "mode-word").text)
        for width_px in (1366, 1024, 800):
            size = {"width": width_px, "height": 768, "deviceScaleFactor": 1, "mobile": False}
            chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            wide = chromium.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, width_px
        while chromium.find_element(By.ID, "mode-word").text != "red":
            chromium.switch_to.active_element.send_keys("m")
        shot = Image.open(io.BytesIO(chromium.get_screenshot_as_png())).convert("RGB")
        assert [band.getextrema() for band in shot.split()][1:] == [(0, 0), (0, 0)]
        for field, number in (("taxon-0", "45"), ("taxon-1", "46"), ("user-0", "7")):
            chromium.find_element(By.NAME, field).send_keys(number)
        chromium.find_element(By.XPATH, "//button[.='Answer']").click()
        wait.until(lambda driver: "the import goes on" in driver.find_element(By.CSS_SELECTOR, ".notice").text)
        transfer = client.get("/api/ecotaxa/transfers/1").json()
        assert transfer["answer"] == {"taxa": {"calanus<copepoda": 45, "<script>alert(1)</script>": 46}, "users": {"jane doe": 7}}
        complaints = [entry["message"] for entry in chromium.get_log("browser")]  # type: ignore[no-untyped-call]
        assert [text for text in complaints if "Failed to load resource" not in text] == []
        chromium.get("about:blank")
