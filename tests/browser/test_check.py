"""The minutes counted blind in a real browser: drawn, marked with the keys, undone, finished; and earlier decisions taken over by a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.reviewable import Reviewable, analyse_again, make_opening, make_reviewable
from tests.helpers.web import Survey, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

CLIP_S = 24.0  # a part of one minute, all of it seen at a second's step


class CheckWindow(Window):
    """A window on an appliance with a tow whose only minute is to be counted blind."""

    def __init__(self, driver: webdriver.Chrome, appliance: SimulatedAppliance, survey: Survey, base: str, of: Reviewable) -> None:
        super().__init__(driver, appliance, survey, base)
        self.of = of

    def marks(self) -> list[list[Any]]:
        """What the appliance has of the marks."""
        row = self.appliance.writer.execute("SELECT content_json FROM miss_checks").fetchone()
        found: list[list[Any]] = json.loads(row[0])["marks"] if row and row[0] else []
        return found

    def state(self) -> str | None:
        row = self.appliance.writer.execute("SELECT state FROM miss_checks").fetchone()
        return None if row is None else str(row[0])


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[CheckWindow]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    openings = [make_opening(place % 8 + 1)._replace(ordinal=place + 1, along_px=float(place), across_px=64.0) for place in range(6)]
    of = make_reviewable(appliance, openings=openings, clip_s=CLIP_S)
    with serving(appliance) as client:
        yield CheckWindow(chromium, appliance, survey, str(client.base_url).rstrip("/"), of)
        chromium.get("about:blank")
        appliance.close()


def begin(window: CheckWindow) -> None:
    window.resize(1366)
    window.open(f"/tows/{window.of.tow_id}/review")
    window.find("#draw").click()
    window.wait(lambda: window.state() == "open")
    window.wait(lambda: "is not shown" in window.find("#begin-review").text)
    window.open(f"/tows/{window.of.tow_id}/check")
    window.wait(lambda: window.find("#time").text.startswith("00:00"))
    window.wait(lambda: "saved" in window.find("#saved-words").text)


def chord(window: CheckWindow, *keys: str) -> None:
    held = ActionChains(window.driver).key_down(Keys.SHIFT)
    for key in keys:
        held = held.send_keys(key)
    held.key_up(Keys.SHIFT).perform()


def test_a_minute_is_marked_with_the_keys_and_finished(window: CheckWindow) -> None:
    begin(window)
    window.press("b", Keys.ARROW_RIGHT, "b")
    window.wait(lambda: len(window.marks()) == 2)
    first, second = window.marks()
    assert (first[0], first[2], first[4]) == (0.0, "system", 0.83)
    assert second[0] == pytest.approx(0.08)
    window.press("z")
    window.wait(lambda: len(window.marks()) == 1)
    chord(window, "z")
    window.wait(lambda: len(window.marks()) == 2)
    window.press("s")
    window.wait(lambda: "not looked at" in window.find("#finish-words").text)
    window.find("#finish-now").click()
    window.wait(lambda: "not all was looked at" in window.find("#finish-problem").text)
    assert window.state() == "open"
    window.find("#finish-close").click()
    for _ in range(int(CLIP_S) + 1):
        chord(window, Keys.ARROW_RIGHT)
    window.wait(lambda: window.find("#ticks button small:last-child").text == "looked at")
    window.press("s")
    window.find("#finish-now").click()
    window.wait(lambda: window.state() == "done")
    window.wait(lambda: "marked in minute 1" in window.find("#misses").text)
    window.wait(lambda: len(window.driver.execute_script("return [...document.querySelectorAll('.chip')]")) == 6)
    assert all("409" in one for one in window.complaints()), "but for the finish that was refused"


def test_marks_outlive_the_page(window: CheckWindow) -> None:
    begin(window)
    window.press(Keys.ARROW_RIGHT, "b")
    window.wait(lambda: len(window.marks()) == 1)
    window.open(f"/tows/{window.of.tow_id}/check")
    window.wait(lambda: window.find("#time").text == "00:00.0" and window.find("#ticks b").text == "1")


def test_what_cannot_be_seen_is_held(window: CheckWindow) -> None:
    begin(window)
    ActionChains(window.driver).key_down("x").perform()
    window.wait(lambda: window.find("#hold-lost").get_attribute("data-held") is not None)
    window.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    ActionChains(window.driver).key_up("x").perform()
    window.wait(lambda: "cannot be seen" in window.find("#hint").text)
    query = "SELECT content_json FROM miss_checks"
    window.wait(lambda: json.loads(window.appliance.writer.execute(query).fetchone()[0] or '{"lost": []}')["lost"] == [[0, 0.24]])


def test_it_fits(window: CheckWindow) -> None:
    begin(window)
    for width_px in WIDTHS_PX:
        window.resize(width_px)
        wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, width_px


def test_it_is_declined_with_a_reason(window: CheckWindow) -> None:
    window.resize(1366)
    window.open(f"/tows/{window.of.tow_id}/review")
    window.find("#draw").click()
    window.wait(lambda: window.driver.execute_script("return Boolean(document.getElementById('decline'))"))
    window.driver.execute_script("document.querySelector('#begin-review details').open = true")
    window.find("#decline-reason").send_keys("no time in this swell")
    window.find("#decline button").click()
    window.wait(lambda: window.state() == "declined")
    window.wait(lambda: len(window.driver.execute_script("return [...document.querySelectorAll('.chip')]")) == 6)
    assert "no time in this swell" in window.driver.page_source


def test_earlier_decisions_are_taken_over_by_a_key(window: CheckWindow) -> None:
    desk, of = window.appliance.reviews, window.of
    desk.misses.draw(of.tow_id, "", "test")
    desk.misses.decline(of.tow_id, "test", "a test")
    desk.decide(of.tow_id, of.opening_ids[:3], "accepted", "rita")
    again = analyse_again(of, [make_opening(place % 8 + 1)._replace(ordinal=place + 1, along_px=float(place)) for place in range(6)])
    window.resize(1366)
    window.open(f"/tows/{of.tow_id}/review")
    window.wait(lambda: window.find("#waiting").text == "3")
    window.press("3")
    window.wait(lambda: window.find(f"#chip-{again.opening_ids[0]} .verdict").text == "was \N{CHECK MARK} accepted")
    window.press("t")
    window.wait(lambda: window.find(f"#chip-{again.opening_ids[0]} .verdict").text == "\N{CHECK MARK} accepted")
    window.wait(lambda: window.find("#waiting").text == "2")
    chord(window, "t")
    window.wait(lambda: window.find("#waiting").text == "0")
    window.press("z")
    window.wait(lambda: window.find("#waiting").text == "2")
    assert window.complaints() == []
