"""Track, result and overview pages in a real browser: a log is sent, laser dots are placed by keyboard, stations are walked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from edge.survey.track_desk import TrackFile
from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.stations import START, Sea
from tests.helpers.web import SIZE_PX, make_survey, serving
from tests.simulators import navigation as sim
from tests.simulators.appliance import SimulatedAppliance

COUNTS = [4, 5, 6, 4, 3, 5, 6]
PAGES = ("/stations/1/track", "/stations/2/track", "/stations/1/result", "/surveys/1/overview")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "usbl.log"
    path.write_bytes(b"".join(sim.ptsag(place) for place in sim.scattered(sim.walk(600, start=START)[0], 1.0)))
    return path


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path, log: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    sea = Sea(tmp_path / "home")
    sea.ground("Smalls", 2962.0, planned=4)
    for name in ("S1", "S2", "S3"):
        tow = sea.station(name, ground="Smalls", at=(sim.ORIGIN[0] + 0.01 * int(name[1]), sim.ORIGIN[1]))
        if name != "S2":
            sea.desk.import_track(tow, TrackFile(path=log, name=log.name, source="usbl"), "test")
            sea.counts(tow, {"A": COUNTS, "B": COUNTS})
            sea.width(tow)
    appliance.writer.execute(
        "INSERT INTO tow_images (image_id, tow_id, how, at_s, attached_by, attached_utc) "
        "SELECT image_id, 2, 'hand', 12.0, 'test', '2026-07-14T12:00:00.000Z' FROM sightings WHERE id = ?",
        (survey.counted,),
    )
    with serving(appliance) as client:
        yield Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        chromium.get("about:blank")
        sea.close()
        appliance.close()


def test_nothing_is_blocked_and_nothing_overflows(window: Window) -> None:
    for address in PAGES:
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text)
        for part in window.driver.find_elements(By.CSS_SELECTOR, "details"):
            window.driver.execute_script("arguments[0].open = true", part)
        for width_px in WIDTHS_PX:
            window.resize(width_px)
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width_px)
    assert window.complaints() == []


def test_red_mode_has_red_light_only(window: Window) -> None:
    window.open(PAGES[1])
    window.wait(lambda: window.find("#mode-word").text)
    while window.find("#mode-word").text != "red":
        window.press("m")
    for address in PAGES:
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text == "red")
        if address == PAGES[1]:
            window.find("#lasers summary").click()
            window.wait(lambda: window.find("#laser-canvas").size["width"] == SIZE_PX[0])
        shot = Image.open(io.BytesIO(window.driver.get_screenshot_as_png())).convert("RGB")
        _, green, blue = (band.getextrema() for band in shot.split())
        assert (green, blue) == ((0, 0), (0, 0)), address


def test_a_log_is_sent_and_becomes_the_distance(window: Window, log: Path) -> None:
    window.open("/stations/2/track")
    window.wait(lambda: window.find("#track-upload").is_displayed())
    strange = log.with_name("strange.log")
    strange.write_bytes(b"hello\nworld\n")
    window.find("#track-upload [name=log]").send_keys(str(strange))
    window.find("#track-upload button").click()
    window.wait(lambda: "Not imported: the log has no position that can be used" in window.find("#track-note").text)
    window.find("#track-upload [name=log]").send_keys(str(log))
    window.find("#track-upload button").click()
    window.wait(lambda: "minute by minute along its track" in window.find("#in-force").text)
    assert window.find("#plot svg.track-plot").is_displayed()
    assert window.complaints() == []


def test_laser_dots_are_placed_by_keyboard_and_give_the_width(window: Window) -> None:
    window.open("/stations/2/track")
    window.find("#lasers summary").click()
    window.wait(lambda: window.find("#laser-canvas").size["width"] == SIZE_PX[0])
    take = window.find("#laser-take")
    assert not take.is_enabled()
    well = window.find("#laser-well")
    well.send_keys("1", Keys.ARROW_RIGHT, "2", Keys.ARROW_LEFT, Keys.SHIFT + Keys.ARROW_RIGHT + Keys.NULL)
    window.wait(take.is_enabled)
    window.find("#laser-form [name=gap_m]").send_keys("0.5")
    window.find("#laser-form [name=gap_source]").send_keys("beams")
    gap_px = (0.75 - 0.25) * SIZE_PX[0] - 1 - 1 + 20
    window.wait(lambda: f"{gap_px:.1f} px between the dots" in window.find("#laser-note").text)
    well.send_keys("+")
    window.wait(lambda: window.find("#laser-canvas").size["width"] > SIZE_PX[0])
    take.click()
    window.wait(lambda: f"{0.5 / gap_px * SIZE_PX[0]:.3f} m" in window.find("#in-force").text)
    assert "laser dots clicked on the still at 12 s; gap from beams" in window.find("#in-force").text


def test_a_method_is_chosen_and_a_width_withdrawn(window: Window) -> None:
    window.open("/stations/2/track")
    form = window.find("#width-title ~ details form")
    Select(form.find_element(By.NAME, "method")).select_by_value("table")
    for name, value in (("width_m", "1,01"), ("source", "FOVMultiplier")):
        form.find_element(By.NAME, name).send_keys(value)
    form.find_element(By.CSS_SELECTOR, "button").click()
    window.wait(lambda: "1.010 m, table" in window.find("#in-force").text)
    window.find("#in-force .sure summary").click()
    window.wait(lambda: "Then the tow has no width" in window.find("#in-force .sure").text)
    assert window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    window.find("#in-force .sure button").click()
    window.wait(lambda: "there is no default" in window.find("#in-force").text)
    window.wait(lambda: window.find("#in-force details[open] .act button").text == "Restore")
    window.find("#in-force details[open] .act button").click()
    window.wait(lambda: "1.010 m, table" in window.find("#in-force").text)


def test_stations_are_walked_by_keyboard_and_tell_what_they_are(window: Window) -> None:
    window.open("/surveys/1/overview")
    links = window.driver.find_elements(By.CSS_SELECTOR, "#map a[data-detail]")
    assert len(links) == 3
    window.driver.execute_script("arguments[0].focus()", links[0])
    window.wait(lambda: window.find("#detail").text.startswith("Station S"))
    first = window.find("#detail").text
    window.press(Keys.TAB)
    window.wait(lambda: window.find("#detail").text != first)
    window.press(Keys.ENTER)
    window.wait(lambda: "/result" in window.driver.current_url)
