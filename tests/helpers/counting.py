"""jd at the counting page in a browser, over stills on disk."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from edge.store.connection import immediate
from edge.survey.counting.content import CountContent
from tests.helpers.chromium import LOOK_S
from tests.helpers.counted import BlindSurvey, make_blind_survey
from tests.helpers.people import PASSWORD
from tests.helpers.web import MTIME_NS
from tests.simulators.appliance import SimulatedAppliance

STILLS = 240
WAIT_S = 60
CONDITIONS = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


def make_counted_stills(appliance: SimulatedAppliance) -> BlindSurvey:
    """Two minutes of stills of half a second, as files that the page can show."""
    blind = make_blind_survey(appliance, stills=STILLS)
    folder = appliance.home / "footage" / "tow"
    with immediate(appliance.writer):  # a still alone would be a transaction and wait for the disk
        for number in range(STILLS):
            path: Path = folder / f"{number:04d}.jpg"
            Image.new("RGB", (320, 180), (number, 110, 80)).save(path)
            os.utime(path, ns=(MTIME_NS, MTIME_NS))
            appliance.writer.execute("UPDATE sightings SET size_bytes = ? WHERE id = ?", (path.stat().st_size, blind.file_ids[number]))
        appliance.writer.execute("UPDATE images SET width_px = 320, height_px = 180")
    return blind


class Counter:
    """jd at the counting page."""

    def __init__(self, driver: webdriver.Chrome, blind: BlindSurvey, base: str) -> None:
        self.driver, self.blind, self.base = driver, blind, base

    def sign_in(self, name: str) -> None:
        self.driver.get(f"{self.base}/sign-in")
        self.type_in(name)
        self.wait(lambda: self.find(".who"))

    def type_in(self, name: str) -> None:
        self.find("[name=name]").send_keys(name)
        self.find("[name=password]").send_keys(PASSWORD)
        self.find("[name=password]").submit()

    def open(self) -> None:
        self.load()
        self.wait_saved()

    def load(self) -> None:
        self.driver.get(f"{self.base}/tows/{self.blind.tow_id}/count")
        if self.driver.find_elements(By.ID, "begin"):
            self.find("#begin").click()

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, LOOK_S, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def wait_saved(self) -> None:
        self.wait(lambda: self.find("#saved-words").text.startswith("saved"))

    def wait_told(self, words: str) -> None:
        self.wait(lambda: words in self.find("#trouble").text)

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def systems(self) -> list[str]:
        return [one.text for one in self.driver.find_elements(By.CSS_SELECTOR, "#ticks b")]

    def write_note(self, text: str) -> None:
        self.press("e")
        self.find("#note-text").clear()
        self.find("#note-text").send_keys(text)
        self.find("#note-box button").click()

    def set_link(self, *, away: bool) -> None:
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": away, **CONDITIONS})

    def saved(self) -> CountContent:
        """What the appliance has, on disk."""
        with self.blind.appliance.reader() as connection:
            (count_id,) = connection.execute("SELECT id FROM counts WHERE state = 'open'").fetchone()
        return self.blind.desk.own(count_id, self.blind.person("jd")).content

    def clicks(self) -> int:
        return len(self.saved().marks)

    def at_s(self) -> float:
        minutes, seconds = self.find("#time").text.split(":")
        return int(minutes) * 60 + float(seconds)

    def forget_all(self) -> None:
        """What is not saved would ask before the page is left."""
        self.driver.execute_script(
            "onbeforeunload = null; addEventListener('beforeunload', (event) => event.stopImmediatePropagation(), true)"
        )
        self.driver.get("about:blank")
