"""The review grid in a real browser: chips that loop, keys, an order that stays, the whole frame, and nothing too wide."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.reviewable import Reviewable, make_opening, make_reviewable
from tests.helpers.web import Survey, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

OPENINGS = 45  # two pages and a part of a third


class ReviewWindow(Window):
    """A window on an appliance with a tow that can be reviewed."""

    def __init__(self, driver: webdriver.Chrome, appliance: SimulatedAppliance, survey: Survey, base: str, of: Reviewable) -> None:
        super().__init__(driver, appliance, survey, base)
        self.of = of


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[ReviewWindow]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    of = make_reviewable(
        appliance,
        openings=[
            make_opening(place % 8 + 1)._replace(ordinal=place + 1, along_px=float(place), confidence=0.5 + place / 100)
            for place in range(OPENINGS)
        ],
    )
    with serving(appliance) as client:
        yield ReviewWindow(chromium, appliance, survey, str(client.base_url).rstrip("/"), of)
        chromium.get("about:blank")
        appliance.close()


def open_review(window: ReviewWindow) -> None:
    window.resize(1366)
    window.open(f"/tows/{window.of.tow_id}/review")
    window.wait(lambda: len(shown(window)) == 20)


def shown(window: ReviewWindow) -> list[int]:
    found: list[int] = window.driver.execute_script("return [...document.querySelectorAll('.chip')].map((one) => Number(one.dataset.id))")
    return found


def verdicts(window: ReviewWindow) -> list[str]:
    found: list[str] = window.driver.execute_script("return [...document.querySelectorAll('.chip')].map((one) => one.dataset.decision)")
    return found


def kept(window: ReviewWindow) -> list[tuple[int, str]]:
    rows = window.appliance.writer.execute("SELECT opening_id, decision FROM opening_decisions ORDER BY id")
    return [(row[0], row[1]) for row in rows]


def chord(window: ReviewWindow, *keys: str) -> None:
    held = ActionChains(window.driver).key_down(Keys.SHIFT)
    for key in keys:
        held = held.send_keys(key)
    held.key_up(Keys.SHIFT).perform()


def test_keys_decide_and_the_order_stays(window: ReviewWindow) -> None:
    open_review(window)
    order = shown(window)
    window.press("a", "r", "u")
    window.wait(lambda: len(kept(window)) == 3)
    assert kept(window) == [(order[0], "accepted"), (order[1], "rejected"), (order[2], "unsure")]
    window.wait(lambda: verdicts(window)[:4] == ["accepted", "rejected", "unsure", ""])
    assert shown(window) == order
    window.wait(lambda: window.find("#left").text == str(OPENINGS - 3))
    window.press("z")
    window.wait(lambda: verdicts(window)[:3] == ["accepted", "rejected", ""])
    assert window.find(".chip.here").get_attribute("data-id") == str(order[2])
    assert window.complaints() == []


def test_a_range_follows_the_order_shown_and_becomes_a_system(window: ReviewWindow) -> None:
    open_review(window)
    order = shown(window)
    window.press("2")  # by outlier: another order
    window.wait(lambda: shown(window) and shown(window) != order)
    order = shown(window)
    chord(window, Keys.ARROW_DOWN)
    window.wait(lambda: "6 selected" in window.find("#where").text)
    window.press("g")
    groups = "SELECT opening_id FROM opening_groups WHERE system_number = 1 ORDER BY id"
    window.wait(lambda: len(window.appliance.writer.execute(groups).fetchall()) == 6)
    assert {row[0] for row in window.appliance.writer.execute(groups)} == set(order[:6])
    window.wait(lambda: "system 1 (was" in window.find(f"#chip-{order[0]} .system").text)
    window.press("x", "s")
    window.wait(lambda: window.appliance.writer.execute("SELECT max(system_number) FROM opening_groups").fetchone()[0] == 2)


def test_pages_are_accepted_and_turned(window: ReviewWindow) -> None:
    open_review(window)
    first = shown(window)
    window.press("r")
    chord(window, Keys.ENTER)
    window.wait(lambda: window.find("#where").text.startswith("page 2 of 3"))
    window.wait(lambda: len(kept(window)) == 20)
    decided = dict(kept(window))
    assert decided.pop(first[0]) == "rejected"
    assert decided == dict.fromkeys(first[1:], "accepted")
    window.press(Keys.PAGE_UP)
    window.wait(lambda: shown(window) == first)
    assert verdicts(window) == ["rejected"] + ["accepted"] * 19
    window.press(Keys.END)
    window.wait(lambda: len(shown(window)) == OPENINGS - 40)


def test_chips_loop_and_stand_still(window: ReviewWindow) -> None:
    open_review(window)

    def position() -> str:
        return str(window.driver.execute_script("return document.querySelector('.chip img').style.objectPosition"))

    window.wait(position)
    before = position()
    window.wait(lambda: position() != before)
    window.press(Keys.SPACE)
    assert window.find("#play").get_attribute("aria-pressed") == "false"
    stands = position()
    window.driver.execute_async_script("setTimeout(arguments[0], 500)")
    assert position() == stands


def test_the_whole_frame_leads_through_frames_and_openings(window: ReviewWindow) -> None:
    open_review(window)
    order = shown(window)
    window.press(Keys.ENTER)
    window.wait(lambda: window.driver.execute_script("return document.getElementById('focus-picture').naturalWidth") == 128)
    assert "frame 1 of 4" in window.find("#focus-frame").text
    window.press(Keys.ARROW_RIGHT)
    window.wait(lambda: "frame 2 of 4" in window.find("#focus-frame").text)
    assert float(str(window.find("#focus-marks .mine").get_attribute("width"))) > 10
    window.press("a", Keys.ARROW_DOWN, "r")
    window.wait(lambda: kept(window) == [(order[0], "accepted"), (order[1], "rejected")])
    window.press(Keys.ESCAPE)
    window.wait(lambda: not window.driver.execute_script("return document.getElementById('focus').open"))
    assert "/review" in window.driver.current_url
    assert window.find(".chip.here").get_attribute("data-id") == str(order[1])


def test_it_fits_and_red_mode_has_red_light_only(window: ReviewWindow) -> None:
    for address in (
        f"/tows/{window.of.tow_id}/review",
        f"/tows/{window.of.tow_id}/footage",
        f"/surveys/{window.of.survey_id}/model",
    ):
        window.open(address)
        window.wait(lambda: window.find("#mode-word").text)
        while window.find("#mode-word").text != "red":
            window.press("m")
        if address.endswith("review"):
            window.wait(lambda: window.driver.execute_script("return document.querySelector('.chip img').naturalWidth"))
        for width_px in WIDTHS_PX:
            window.resize(width_px)
            wide = window.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width_px)
        shot = Image.open(io.BytesIO(window.driver.get_screenshot_as_png())).convert("RGB")
        _, green, blue = (band.getextrema() for band in shot.split())
        assert (green, blue) == ((0, 0), (0, 0)), address
    window.resize(1366)
    open_review(window)
    chord(window, Keys.ARROW_DOWN)
    high = window.driver.execute_script("return document.documentElement.scrollHeight - document.documentElement.clientHeight")
    assert high <= 0, "the grid needs no scrolling at 1366 x 768"
    assert window.complaints() == []


def test_whoever_asks_for_less_motion_gets_chips_that_stand_still(window: ReviewWindow) -> None:
    still = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", still)
    open_review(window)
    assert window.find("#play").get_attribute("aria-pressed") == "false"
    window.press(Keys.SPACE)
    assert window.find("#play").get_attribute("aria-pressed") == "true"
