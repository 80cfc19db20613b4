"""The check of a scan in a real browser: keys decide, pages are accepted, a line is drawn and erased, a check is signed, the form keeps."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from edge.store.connection import immediate
from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.people import PASSWORD, make_people
from tests.helpers.web import Survey, make_survey, serving
from tests.helpers.zooscan import SeededScan, seed_scan
from tests.simulators.appliance import SimulatedAppliance

OBJECTS, MULTIPLES, PER_PAGE = 50, 6, 40  # a page and a part of a second


class CheckWindow(Window):
    """A window on an appliance with a scan to be checked."""

    def __init__(self, driver: webdriver.Chrome, appliance: SimulatedAppliance, survey: Survey, base: str, of: SeededScan) -> None:
        super().__init__(driver, appliance, survey, base)
        self.of = of

    def shown(self) -> list[str]:
        """The keys of the objects on the page."""
        found: list[str] = self.driver.execute_script("return [...document.querySelectorAll('.cell-object')].map((one) => one.dataset.key)")
        return found

    def chord(self, held: str, *keys: str) -> None:
        ActionChains(self.driver).key_down(held).send_keys(*keys).key_up(held).perform()

    def decisions(self) -> dict[str, str]:
        """What people said that stands, by key."""
        rows = self.appliance.writer.execute("SELECT object_key, decision FROM zooscan_decisions WHERE undone_utc IS NULL ORDER BY id")
        return {row[0]: row[1] for row in rows}

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Fingers on the glass: where they are now."""
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def lose_link(self) -> None:
        """Nothing that the page asks arrives, until another is opened: the browser's own switch is lifted before an old page is gone."""
        self.driver.execute_script("window.fetch = () => Promise.reject(new TypeError('no link'))")

    def open_check(self) -> list[str]:
        self.resize(1366)
        self.open(f"/scans/{self.of.scan_id}/check")
        self.wait(lambda: len(self.shown()) == PER_PAGE)
        return self.shown()


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[CheckWindow]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    with immediate(appliance.writer) as connection:
        of = seed_scan(connection, home=appliance.home, objects=OBJECTS, multiples=MULTIPLES, touching=2)
    with serving(appliance) as client:
        yield CheckWindow(chromium, appliance, survey, str(client.base_url).rstrip("/"), of)
        chromium.get("about:blank")
        appliance.close()


def test_keys_decide_accept_a_page_and_take_back(window: CheckWindow) -> None:
    order = window.open_check()
    assert order[:MULTIPLES] == list(window.of.keys[:MULTIPLES]), "by score"
    window.press("s", "m")
    window.wait(lambda: window.decisions() == {order[0]: "single", order[1]: "multiple"})
    assert window.shown() == order, "the order never reshuffles"
    window.chord(Keys.SHIFT, Keys.ENTER)
    window.wait(lambda: window.find("#where").text == "page 2 of 2")
    window.wait(lambda: len(window.decisions()) == PER_PAGE)
    proposed = {key: "multiple" if key in window.of.keys[:MULTIPLES] else "single" for key in order}
    assert window.decisions() == {**proposed, order[0]: "single"}
    window.wait(lambda: window.find("#looked").text == str(PER_PAGE))
    window.chord(Keys.CONTROL, "z")  # the page is one act
    window.wait(lambda: window.decisions() == {order[0]: "single", order[1]: "multiple"})
    window.press("u")
    window.wait(lambda: window.decisions() == {order[0]: "single"})
    window.press("2")  # by size: another order, the first page of it
    window.wait(lambda: window.shown() != order)
    assert window.complaints() == []


def test_pages_accepted_without_a_link_are_kept_and_sent_once_when_the_page_is_opened_again(window: CheckWindow) -> None:
    order = window.open_check()
    window.lose_link()
    window.press("m")
    window.chord(Keys.SHIFT, Keys.ENTER)
    window.wait(lambda: window.find("#saving").text == "saving 3")  # one of m, of the page its singles and its multiples
    window.wait(lambda: "NO LINK" in window.find("#trouble").text)
    asks = "const e = new Event('beforeunload', { cancelable: true }); dispatchEvent(e); return e.defaultPrevented"
    assert window.driver.execute_script(asks), "leaving is warned of"
    window.driver.get("about:blank")
    assert window.decisions() == {}
    window.open_check()
    window.wait(lambda: len(window.decisions()) == PER_PAGE)
    window.wait(lambda: not window.find("#saving").is_displayed())
    window.wait(lambda: not window.driver.execute_script(asks))
    assert window.decisions()[order[0]] == "multiple"
    window.open_check()
    window.wait(lambda: window.find("#looked").text == str(PER_PAGE))
    assert window.appliance.writer.execute("SELECT count(*) FROM zooscan_actions").fetchone()[0] == 3, "each once"
    assert window.driver.execute_script("return Object.keys(localStorage).filter((name) => name.startsWith('scan-acts/'))") == []


def test_notes_pass_and_trouble_is_closed(window: CheckWindow) -> None:
    window.open_check()
    window.press("u")
    window.wait(lambda: "nothing to undo" in window.find("#trouble").text)
    assert "note" in (window.find("#trouble").get_attribute("class") or ""), "not trouble"
    window.find("#trouble button").click()
    assert not window.find("#trouble").is_displayed()
    window.press(Keys.ENTER, "e")  # before the appliance has told of the object
    window.wait(lambda: window.find("#cut-facts").text)
    assert window.complaints() == []


def test_a_line_is_drawn_with_the_pointer_kept_and_erased(window: CheckWindow) -> None:
    order = window.open_check()
    window.press(Keys.ENTER)
    window.wait(lambda: window.find("#cut-facts").text)
    canvas = window.find("#cut-canvas")
    tall = window.driver.execute_script("return Number(document.querySelector('#cut-facts').textContent.match(/x ([\\d.]+) mm/)[1])")
    assert tall > 0.5, "a pair"
    middle = ActionChains(window.driver).move_to_element(canvas)
    middle.move_by_offset(-180, 20).click_and_hold().move_by_offset(180, -10).move_by_offset(180, -30).release().perform()
    window.wait(lambda: "parts" in window.find("#cut-says").text or "does not cut" in window.find("#cut-says").text)
    assert window.find("#cut-says").text.startswith("2 parts")
    window.press(Keys.ENTER)
    lines = "SELECT count(*) FROM zooscan_lines WHERE is_human = 1 AND erased_utc IS NULL"
    window.wait(lambda: window.appliance.writer.execute(lines).fetchone()[0] == 1)
    window.wait(lambda: order[0] not in window.shown() and window.find("#parts").text == "2")
    assert window.shown()[2] == order[1], "the parts stand where the whole stood"
    assert [one.text for one in window.driver.find_elements("css selector", ".score.lacks")] == ["unscored"] * 2
    window.wait(lambda: "px" in window.find("#cut-lines").text)
    window.press("e", Keys.ENTER)
    window.wait(lambda: window.appliance.writer.execute(lines).fetchone()[0] == 0)
    window.wait(lambda: window.shown()[0] == order[0])
    window.press("w", Keys.ESCAPE)
    assert window.complaints() == []


def test_fingers_draw_one_at_a_time_and_two_of_them_only_zoom(window: CheckWindow) -> None:
    window.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})
    order = window.open_check()
    window.find("[data-do=pageAfter]").click()
    window.wait(lambda: window.find("#where").text.startswith("page 2"))
    window.find("[data-do=pageBefore]").click()
    window.find("[data-do=open]").click()
    window.wait(lambda: window.find("#cut-facts").text)
    box = window.find("#cut-canvas").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    says, begin = window.find("#cut-says"), window.find("#cut-says").text

    def pinch() -> None:
        window.touch("touchStart", (x - 40, y))
        window.touch("touchStart", (x - 40, y), (x + 40, y))
        window.touch("touchMove", (x - 90, y), (x + 90, y))
        window.touch("touchEnd", (x + 90, y))
        window.touch("touchEnd")

    pinch()
    assert says.text == begin, "no point was set"
    window.touch("touchStart", (x - 180, y + 20))
    for step in range(1, 10):
        window.touch("touchMove", (x - 180 + 40 * step, y + 20 - 6 * step))
    window.touch("touchEnd")
    window.wait(lambda: re.match("[2-9] parts|This line does not cut", says.text))
    shown = says.text
    pinch()
    assert says.text == shown, "what is shown stays while one looks closer"
    window.find("#cut-drop").click()
    window.find("[data-do=objectAfter]").click()
    window.wait(lambda: window.find("#cut-title").text == order[1])
    window.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert window.complaints() == []


def test_what_somebody_else_did_is_taken_back_only_when_that_is_pressed(window: CheckWindow) -> None:
    key = window.of.keys[0]
    window.appliance.scans.decide(window.of.scan_uuid, [key], "single", actor="bob 10.0.0.7")
    window.open_check()
    window.press("u")
    window.wait(lambda: "bob 10.0.0.7's" in window.find("#trouble").text)
    assert window.decisions() == {key: "single"}
    window.find("#trouble .offer").click()
    window.wait(lambda: window.decisions() == {})
    assert not window.find("#trouble").is_displayed()


def test_everything_fits_and_red_mode_is_red(window: CheckWindow) -> None:
    window.open_check()
    ActionChains(window.driver).send_keys("v", "v", "z").perform()  # the montage, which has the focus, goes and comes
    for address in ("/scans", f"/scans/{window.of.scan_id}", f"/scans/{window.of.scan_id}/check"):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text)
        for width_px in WIDTHS_PX:
            window.resize(width_px)
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width_px)
    window.resize(1366)
    window.driver.execute_script("localStorage.setItem('mode', 'red')")
    window.open_check()
    window.wait(lambda: window.find("#mode-word").text == "red")
    window.press("z")
    shot = Image.open(io.BytesIO(window.driver.get_screenshot_as_png())).convert("RGB")
    red, green, blue = (band.getextrema() for band in shot.split())
    assert (green, blue) == ((0, 0), (0, 0))
    assert red[1] != 0
    assert window.complaints() == []


def test_a_person_signs_and_what_was_typed_without_a_link_is_kept(window: CheckWindow) -> None:
    make_people(window.appliance)
    window.open("/sign-in")
    window.find("input[name=name]").send_keys("rita")
    window.find("input[name=password]").send_keys(PASSWORD, Keys.ENTER)
    window.wait(lambda: window.find(".who").text == "rita")
    window.open(f"/scans/{window.of.scan_id}")
    window.lose_link()
    window.find("#f-Vol").send_keys("12.5", Keys.TAB)
    window.wait(lambda: "NO LINK" in window.find("#keeping").text)
    window.open(f"/scans/{window.of.scan_id}")  # loaded anew: what was typed is still there, and is sent
    typed = "SELECT value FROM zooscan_entries WHERE field = 'Vol'"
    window.wait(lambda: [row[0] for row in window.appliance.writer.execute(typed)] == ["12.5"])
    window.wait(lambda: window.find("[data-row=Vol]").get_attribute("data-state") == "kept")
    window.open_check()
    window.find("[data-do=sign]").click()
    window.wait(lambda: window.find("#sign-now").is_enabled())
    assert "nobody signed the check" in window.find("#sign-findings").text
    window.find("#sign-now").click()
    window.wait(lambda: window.find("#signed-note").is_displayed())
    signed = window.appliance.writer.execute("SELECT actor FROM zooscan_signatures").fetchone()[0]
    assert signed.startswith("rita")
    window.press("m")
    assert window.decisions() == {}, "nothing is changed after signing"
