"""The counting page in a real browser: keys, what is kept, two windows, a link that goes away, the signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from edge.store.reads.counts import revealed_counts
from tests.browser.test_look_and_keys import WAIT_S, WIDTHS_PX
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey
from tests.helpers.people import PASSWORD
from tests.helpers.web import MTIME_NS, serving
from tests.simulators.appliance import SimulatedAppliance

STILLS = 240


class Counter:
    """jd at the counting page."""

    def __init__(self, driver: webdriver.Chrome, blind: BlindSurvey, base: str) -> None:
        self.driver, self.blind, self.base = driver, blind, base

    def sign_in(self, name: str) -> None:
        self.driver.get(f"{self.base}/sign-in")
        self.find("[name=name]").send_keys(name)
        self.find("[name=password]").send_keys(PASSWORD)
        self.find("[name=password]").submit()
        self.wait(lambda: self.find(".who"))

    def open(self) -> None:
        self.driver.get(f"{self.base}/tows/{self.blind.tow_id}/count")
        if self.driver.find_elements(By.ID, "begin"):
            self.find("#begin").click()
        self.wait_saved()

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def wait_saved(self) -> None:
        self.wait(lambda: self.find("#saved-words").text.startswith("saved"))

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def systems(self) -> list[str]:
        return [one.text for one in self.driver.find_elements(By.CSS_SELECTOR, "#ticks b")]

    def clicks(self) -> int:
        """How many the appliance has, on disk."""
        with self.blind.appliance.reader() as connection:
            (count_id,) = connection.execute("SELECT id FROM counts WHERE state = 'open'").fetchone()
        return len(self.blind.desk.own(count_id, self.blind.person("jd")).content.marks)

    def at_s(self) -> float:
        minutes, seconds = self.find("#time").text.split(":")
        return int(minutes) * 60 + float(seconds)


@pytest.fixture
def counter(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Counter]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=STILLS)
    folder = appliance.home / "footage" / "tow"
    for number in range(STILLS):
        path = folder / f"{number:04d}.jpg"
        Image.new("RGB", (320, 180), (number, 110, 80)).save(path)
        os.utime(path, ns=(MTIME_NS, MTIME_NS))
        appliance.writer.execute("UPDATE sightings SET size_bytes = ? WHERE id = ?", (path.stat().st_size, blind.file_ids[number]))
    appliance.writer.execute("UPDATE images SET width_px = 320, height_px = 180")
    with serving(appliance) as client:
        window = Counter(chromium, blind, str(client.base_url).rstrip("/"))
        window.sign_in("jd")
        yield window
        chromium.execute_script("localStorage.clear()")  # what is not saved would ask before the page is left
        chromium.get("about:blank")
        appliance.close()


def test_keys_mark_undo_and_resume(counter: Counter) -> None:
    counter.open()
    counter.press("b", "b", "n", "z", "b")
    assert counter.systems() == ["3", "0"]
    counter.press("z")
    assert counter.systems() == ["2", "0"]
    counter.press("Z", "]", "]", "f", "t")
    assert counter.systems() == ["3", "0"]
    counter.wait(lambda: counter.clicks() == 4)
    for _ in range(3):
        counter.press("\ue014")  # right
    assert counter.at_s() == 1.5
    counter.find("#ticks button:nth-child(2)").click()
    assert counter.at_s() == 60.0
    ActionChains(counter.driver).move_to_element(counter.find("#frame")).click().perform()
    assert counter.systems() == ["3", "1"]
    counter.wait(lambda: counter.clicks() == 5)
    counter.open()
    counter.wait(lambda: counter.at_s() == 60.0)
    assert counter.systems() == ["3", "1"]


def test_play_goes_on_by_itself_and_x_is_lost_time(counter: Counter) -> None:
    counter.open()
    counter.press("l", "l", "l", "l", " ")
    counter.wait(lambda: counter.at_s() > 4)
    ActionChains(counter.driver).key_down("x").pause(0.5).key_up("x").perform()
    counter.press(" ")
    stopped = counter.at_s()
    counter.wait(lambda: "lost" in counter.find("#ticks").text)
    assert counter.at_s() == stopped


def test_the_older_window_is_told(counter: Counter) -> None:
    counter.open()
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 1)
    older = counter.driver.current_window_handle
    counter.driver.switch_to.new_window("tab")
    counter.open()
    assert counter.systems() == ["1", "0"]
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 2)
    newer = counter.driver.current_window_handle
    counter.driver.switch_to.window(older)
    counter.press("b")
    counter.wait(lambda: "another window" in counter.find("#trouble").text)
    assert counter.clicks() == 2
    counter.driver.close()
    counter.driver.switch_to.window(newer)


def test_without_a_link_work_is_kept_and_sent_later(counter: Counter) -> None:
    counter.open()
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    counter.driver.execute_cdp_cmd("Network.enable", {})
    counter.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **conditions})
    counter.press("b", "b")
    counter.wait(lambda: counter.find("#saved-words").text == "no link")
    assert counter.clicks() == 0
    counter.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **conditions})
    counter.wait(lambda: counter.clicks() == 2)
    counter.wait_saved()


def test_signed_by_pin_after_every_minute_was_looked_at(counter: Counter) -> None:
    counter.open()
    counter.press("b", "b")
    counter.find("#sign-open").click()
    counter.wait(lambda: "was not looked at" in counter.find("#sign-remarks").text)
    assert not counter.find("#sign-now").is_enabled()
    counter.find("#sign-close").click()
    counter.find("#way").click()
    for place, value in (("1/0", "4"), ("2/0", "0")):
        counter.find(f'[data-place="{place}"]').send_keys(value, "\ue004")
    counter.wait(lambda: counter.systems() == ["4", "0"])
    counter.find("#sign-open").click()
    counter.wait(lambda: "4 systems in 2 minutes" in counter.find("#sign-total").text)
    counter.find("#pin").send_keys("0000\ue007")
    counter.wait(lambda: "PIN is wrong" in counter.find("#sign-problem").text)
    counter.find("#pin").send_keys(PIN + "\ue007")
    counter.wait(lambda: counter.driver.current_url.endswith("/counts"))
    blind = counter.blind
    blind.sign("cl", [5.0, 15, 25, 35])
    with blind.appliance.reader() as connection:
        assert [one.systems for one in revealed_counts(connection, blind.tow_id)[0].minutes.values()] == [4, 0]


def test_nothing_overflows_in_any_mode_and_nothing_is_blocked(counter: Counter) -> None:
    blind = counter.blind
    counter.open()
    pages = (f"/tows/{blind.tow_id}/count", f"/stations/{blind.station_id}/counts", f"/stations/{blind.station_id}/compare")
    for address in (*pages, f"/surveys/{blind.survey_id}/agreement"):
        counter.driver.get(counter.base + address)
        counter.wait(lambda: counter.find("#mode-word").text)
        for width_px in WIDTHS_PX:
            size = {"width": width_px, "height": 768, "deviceScaleFactor": 1, "mobile": False}
            counter.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for _ in range(3):
                counter.press("m")
                script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert counter.driver.execute_script(script) <= 0, (address, width_px)
    log = counter.driver.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry["message"] for entry in log if "Failed to load resource" not in entry["message"]] == []
