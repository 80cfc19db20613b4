"""The Models pages in a real browser: sent packs, questions before changes, and comparisons worked through by keyboard."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from models.pack_zip import zip_pack
from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.models import add_comparison, add_real_pack, make_pack_with_report
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

PACK = "/models/tiny/2.0.0"
DRAWN = """
const canvas = document.getElementById("canvas");
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let sum = 0;
for (let at = 0; at < pixels.length; at += 4) sum = (sum * 31 + pixels[at] * 7 + pixels[at + 1] * 3 + pixels[at + 2]) % 1000000007;
return sum;
"""


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    folder = tmp_path / "home" / "packs" / "tiny"
    first = add_real_pack(appliance, make_pack_with_report(folder / "2.0.0"))
    second = add_real_pack(appliance, make_pack_with_report(folder / "2.1.0", "2.1.0"))
    add_comparison(appliance, first, second, [survey.counted, survey.reprocessed, survey.tiff])
    with serving(appliance) as client:
        yield Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        chromium.get("about:blank")
        appliance.close()


def addresses(window: Window) -> list[str]:
    confirm = "/models/confirm?action=activate&model=tiny&version=2.0.0&recipe=burrows"
    return ["/models", PACK, confirm, "/models/comparisons/1", f"/models/comparisons/1/{window.survey.counted}"]


def test_nothing_is_blocked_and_nothing_overflows(window: Window) -> None:
    for address in addresses(window):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text)
        for width_px in WIDTHS_PX:
            window.resize(width_px)
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width_px)
    assert window.complaints() == []


def test_red_mode_is_red_light_only(window: Window) -> None:
    window.open("/models")
    window.wait(lambda: window.find("#mode-word").text)
    while window.find("#mode-word").text != "red":
        window.press("m")
    for address in addresses(window):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text == "red")
        if "/comparisons/1/" in address:
            window.wait(lambda: window.find("#canvas").get_attribute("data-ready") == "true")
        shot = Image.open(io.BytesIO(window.driver.get_screenshot_as_png())).convert("RGB")
        red, green, blue = (band.getextrema() for band in shot.split())
        assert (green, blue) == ((0, 0), (0, 0)), address
        assert red[1] != 0


def test_a_pack_is_sent_from_the_page_and_its_progress_shows_by_itself(window: Window, tmp_path: Path) -> None:
    archive = zip_pack(make_pack_with_report(tmp_path / "pack", "3.0.0").path, tmp_path / "tiny-3.zip")
    desk = window.appliance.desk
    window.open("/models")
    window.wait(lambda: window.find("#upload").is_displayed())
    window.find("#upload-file").send_keys(str(archive))
    window.find("#upload button.primary").click()
    window.wait(lambda: "Sent." in window.find("#upload-note").text)
    assert desk.uploaded == [archive.read_bytes()]
    window.wait(lambda: "tiny-3.zip" in window.find("#tasks").text and "proving 2 of 3" in window.find("#tasks").text)
    desk.end(1, state="failed", detail="no variant of it works", advice="Ask its maker.", code="model_failed")
    window.wait(lambda: "Ask its maker." in window.find("#tasks").text)


def test_a_refused_pack_says_why(window: Window, tmp_path: Path) -> None:
    disk = window.appliance.live().disk
    window.appliance.set_live(disk=type(disk)(free_bytes=disk.floor_bytes, total_bytes=disk.total_bytes, floor_bytes=disk.floor_bytes))
    (tmp_path / "pack.zip").write_bytes(b"x" * 1000)
    window.open("/models")
    window.find("#upload-file").send_keys(str(tmp_path / "pack.zip"))
    window.find("#upload button.primary").click()
    window.wait(lambda: "Not installed" in window.find("#upload-note").text and "Free space" in window.find("#upload-note").text)


def test_a_change_is_confirmed_by_keyboard(window: Window) -> None:
    window.open("/models")
    window.wait(lambda: window.find("#mode-word").text)
    window.find('#packs a[href*="version=2.1.0"]').click()
    window.wait(lambda: "in place of openings 1.1.0" in window.find("main").text)
    window.press(Keys.ESCAPE)
    window.wait(lambda: window.driver.current_url.endswith("/models"))
    window.find('#packs a[href*="version=2.1.0"]').click()
    window.wait(lambda: "Activate" in window.find("main").text and window.find("#mode-word").text)
    window.press("y")
    window.wait(lambda: "serves from now on" in window.find(".notice").text)
    assert "tiny 2.1.0" in window.find("#in-use").text
    window.find('#in-use a[href*="action=rollback"]').click()
    window.wait(lambda: "openings 1.1.0 serves burrows again" in window.find("main").text)
    window.press("y")
    window.wait(lambda: "The model before serves again" in window.find(".notice").text)


def test_a_comparison_is_worked_through_by_keyboard(window: Window) -> None:
    window.open("/models/comparisons/1")
    window.wait(lambda: window.find("#mode-word").text)
    window.press("j", "j", Keys.ENTER)  # the first row failed, the second disagrees most
    window.wait(lambda: window.driver.current_url.endswith(f"/comparisons/1/{window.survey.counted}"))
    window.wait(lambda: window.find("#canvas").get_attribute("data-ready") == "true")
    assert (window.find("#count-a").text, window.find("#count-b").text) == ("1", "4")
    window.press("j")
    window.wait(lambda: window.driver.current_url.endswith(f"/{window.survey.reprocessed}"))
    window.press("k")
    window.wait(lambda: window.driver.current_url.endswith(f"/{window.survey.counted}"))
    window.press(Keys.ESCAPE)
    window.wait(lambda: window.driver.current_url.endswith("/comparisons/1"))


def test_each_side_can_be_hidden_and_only_differences_shown(window: Window) -> None:
    window.open(f"/models/comparisons/1/{window.survey.counted}")
    window.wait(lambda: window.find("#canvas").get_attribute("data-ready") == "true")
    seen: set[int] = set()
    for key in ("", "a", "b", "a", "b", "d"):
        before = window.driver.execute_script(DRAWN)
        if key:
            window.press(key)
            window.wait(lambda before=before: window.driver.execute_script(DRAWN) != before)  # type: ignore[misc]  # the loop's value
        seen.add(window.driver.execute_script(DRAWN))
    assert len(seen) >= 4, "both, B alone, none, A alone and the differences look different"
    assert window.find("#d-button").get_attribute("aria-pressed") == "true"


def test_a_report_runs_no_script(window: Window) -> None:
    window.open(PACK)
    window.driver.find_element(By.PARTIAL_LINK_TEXT, "evaluation.html").click()
    window.wait(lambda: "Report" in window.find("body").text)
    assert window.appliance.asked == [], "its script asked for nothing"
