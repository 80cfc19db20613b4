"""The pages in a real browser: nothing is blocked, red mode is red, everything goes by keyboard, old figures are marked."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from edge.web.appliance import Phase
from edge.web.pages import FOLDER
from tests.helpers import seed
from tests.helpers.chromium import LOOK_S
from tests.helpers.web import Survey, make_survey, picture, serving
from tests.simulators.appliance import SimulatedAppliance

WAIT_S = 60
PAGES = ("/", "/files", "/files?pictures=true", "/failures", "/health", "/models", "/api", "/nothing")
WIDTHS_PX = (1366, 1024, 800)


class Window:
    """A browser window on a served appliance."""

    def __init__(self, driver: webdriver.Chrome, appliance: SimulatedAppliance, survey: Survey, base: str) -> None:
        self.driver, self.appliance, self.survey, self.base = driver, appliance, survey, base

    def open(self, address: str) -> None:
        self.driver.get(self.base + address)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, LOOK_S, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def complaints(self) -> list[str]:
        """What the console says, but for the statuses that the pages ask for on purpose."""
        messages = [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        return [message for message in messages if "Failed to load resource" not in message]

    def resize(self, width_px: int) -> None:
        size = {"width": width_px, "height": 768, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    with serving(appliance) as client:
        yield Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        chromium.get("about:blank")
        appliance.close()


def test_nothing_is_blocked_and_nothing_overflows(window: Window) -> None:
    for address in (*PAGES, f"/files/{window.survey.counted}", f"/files/{window.survey.overwritten}"):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text)
        for width_px in WIDTHS_PX:
            window.resize(width_px)
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width_px)
    assert window.complaints() == []


def test_red_mode_is_red_light_only_and_is_remembered(window: Window) -> None:
    window.open("/")
    window.wait(lambda: window.find("#mode-word").text)
    while window.find("#mode-word").text != "red":
        window.press("m")
    for address in (*PAGES, f"/files/{window.survey.counted}"):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text == "red")
        window.press("?")
        for _ in range(2):
            shot = Image.open(io.BytesIO(window.driver.get_screenshot_as_png())).convert("RGB")
            red, green, blue = (band.getextrema() for band in shot.split())
            assert (green, blue) == ((0, 0), (0, 0)), address
            assert red[1] != 0
            window.press(Keys.ESCAPE)
            if "/files/" not in address:
                window.wait(lambda: not window.driver.execute_script("return document.getElementById('help').open"))


def test_home_shows_a_new_result_by_itself(window: Window) -> None:
    window.open("/")
    window.wait(lambda: window.find("#last a.row"))
    window.driver.execute_script("window.neverLoadedAgain = true")
    db = window.appliance.writer
    station = seed.add_station(db, window.survey.inbox, b"station-012", make=True)
    seed.done(db, station, b"arrived.jpg", seed.add_model(db), content=picture("JPEG", brightness=1))
    window.appliance.set_live(phase=Phase.PROCESSING, queue_length=123456)
    window.wait(lambda: "arrived.jpg" in window.find("#last").text)
    window.wait(lambda: "123\u202f456" in window.find("#pulse").text)
    assert window.driver.execute_script("return window.neverLoadedAgain")


def test_an_image_that_gets_its_result_shows_it_by_itself(window: Window) -> None:
    window.open(f"/files/{window.survey.truncated}")
    window.wait(lambda: "quarantined" in window.find("#file-state").text)
    window.appliance.retry([window.survey.truncated], "test")
    window.wait(lambda: "queued" in window.find("#file-state").text and "Why there is no result" not in window.find("main").text)


def test_old_figures_are_marked_when_the_link_is_lost_and_unmarked_when_it_is_back(window: Window) -> None:
    window.open("/")
    window.wait(lambda: window.find("#last a.row"))
    assert not window.find("#lost").is_displayed()
    stuck = threading.Event()
    live = window.appliance.live
    window.appliance.live = lambda: stuck.wait() and live()  # type: ignore[method-assign,assignment,return-value]  # the service hangs
    window.wait(lambda: window.find("#lost").is_displayed())
    assert re.search(r"of \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, not of now", window.find("#lost").text)
    stuck.set()
    window.wait(lambda: not window.find("#lost").is_displayed())


def test_a_list_is_worked_through_by_keyboard(window: Window) -> None:
    window.open("/failures")
    window.press("g", "f")
    window.wait(lambda: window.driver.current_url.endswith("/files"))
    window.open("/files?state=quarantined&reason=truncated")
    window.press("j", "x")
    assert window.find("#ticked").text == "1 ticked"
    window.press("t")
    window.wait(lambda: "Queued again: 1." in window.find(".notice").text)
    window.press("/", "counted", Keys.ENTER)
    window.wait(lambda: "q=counted" in window.driver.current_url)


def test_the_threshold_counts_what_is_drawn(window: Window) -> None:
    window.open(f"/files/{window.survey.counted}")
    window.wait(lambda: window.find("#count-here").text == "2")
    slider = "const s = document.getElementById('threshold'); s.value = arguments[0]; s.dispatchEvent(new Event('input'))"
    for value, count in (("0.05", "3"), ("0.5", "1"), ("0.95", "0")):
        window.driver.execute_script(slider, value)
        window.wait(lambda count=count: window.find("#count-here").text == count)  # type: ignore[misc]  # the loop's value
        assert window.find("#count-official").text == "2"
    window.press("\\")
    window.wait(lambda: window.find("#count-here").text == "2")
    drawn = window.find("#canvas").screenshot_as_png
    window.press("b")
    window.wait(lambda: window.find("#canvas").screenshot_as_png != drawn)


def test_an_image_is_zoomed_and_left_by_keyboard(window: Window) -> None:
    window.open(f"/files/{window.survey.reprocessed}?state=done")
    window.wait(lambda: window.find("#zoom").text == "fit")
    window.press("1")
    window.wait(lambda: window.find("#zoom").text == "100 %")
    window.press("+", Keys.ARROW_LEFT, "0")
    window.wait(lambda: window.find("#zoom").text == "fit")
    window.press("j")
    window.wait(lambda: f"/files/{window.survey.nothing_found}?" in window.driver.current_url)
    window.press("k")
    window.wait(lambda: f"/files/{window.survey.reprocessed}?" in window.driver.current_url)
    window.press(Keys.ESCAPE)
    window.wait(lambda: window.driver.current_url.endswith("/files?state=done"))


def test_two_results_stand_side_by_side(window: Window) -> None:
    window.open(f"/files/{window.survey.reprocessed}")
    window.wait(lambda: window.find("#count-here").text == "2")
    window.driver.find_elements(By.CSS_SELECTOR, "[data-compare]")[1].click()
    window.wait(lambda: window.find("#compare").is_displayed())
    window.wait(lambda: window.find("#count-here").text == "2 and 1")


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark", "red"])
def test_colours_reach_aa(mode: str) -> None:
    css = (FOLDER / "static" / "tokens.css").read_text(encoding="utf-8")
    block = css.split(":root {")[1] if mode == "light" else css.split(f':root[data-mode="{mode}"] {{')[1]
    tokens = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block.split("}")[0]))
    grounds = [tokens[name] for name in ("ground", "panel", "hover")]
    for name in ("ink", "muted", "accent", "alarm", "caution"):
        assert min(contrast(tokens[name], ground) for ground in grounds) >= 4.5, (mode, name)
    assert contrast(tokens["on-accent"], tokens["accent"]) >= 4.5
    assert contrast(tokens["on-alarm"], tokens["alarm"]) >= 4.5
    assert min(contrast(tokens[name], tokens["panel"]) for name in ("edge", "focus")) >= 3.0
    if mode == "red":
        assert {colour for colour in tokens.values() if colour[3:] != "0000"} == set()
