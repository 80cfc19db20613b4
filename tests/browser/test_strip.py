"""The frame strip in a real browser: keys, scale, the frame of a moment, nothing too wide, nothing blocked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from edge.footage import StripMoment, StripTile
from edge.store.connection import immediate
from edge.store.strips import add_strip
from models.runtime.vision import cv2
from tests.browser.test_look_and_keys import WIDTHS_PX, Window
from tests.helpers.reviewable import make_reviewable
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

COLUMNS = 8000


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    of = make_reviewable(appliance)
    with immediate(appliance.writer):
        (reading_id,) = appliance.writer.execute("SELECT id FROM readings WHERE is_current = 1").fetchone()
        add_strip(appliance.writer, reading_id, 0, [_tile(0.0), _tile(2.0)])
    with serving(appliance) as client:
        found = Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        found.resize(1366)
        found.open(f"/tows/{of.tow_id}/strip")
        found.wait(lambda: _at(found) != "")
        yield found
        chromium.get("about:blank")
        appliance.close()


def _tile(first_s: float) -> StripTile:
    jpeg = cv2.imencode(".jpg", np.full((480, COLUMNS // 2, 3), 90, np.uint8))[1].tobytes()
    moments = tuple(StripMoment(first_s + step / 6, COLUMNS / 2 * step / 12, "registered") for step in range(13 if first_s else 12))
    return StripTile(columns=COLUMNS // 2, width_px=480, px_per_column=2.0, jpeg=jpeg, moments=moments)


def _at(window: Window) -> str:
    text: str = window.driver.execute_script("return document.getElementById('strip-at').textContent")
    return text if ":" in text else ""


def _place(window: Window) -> tuple[float, float]:
    """How far it is scrolled, and how long it is."""
    left, whole = window.driver.execute_script("const s = document.getElementById('strip'); return [s.scrollLeft, s.scrollWidth]")
    return left, whole


def test_keys_move_along_the_tow_and_set_the_scale(window: Window) -> None:
    assert _place(window) == (0, COLUMNS / 2)
    window.press(Keys.ARROW_RIGHT)
    window.wait(lambda: 100 < _place(window)[0] < 300)
    window.press(Keys.END)
    window.wait(lambda: _place(window)[0] > COLUMNS / 2 - 1366)
    before = _at(window)
    window.press("1")
    window.wait(lambda: _place(window)[1] == COLUMNS)
    assert _at(window)[:3] == before[:3], "the same moment stays in the middle"
    window.press("3")
    window.wait(lambda: _place(window)[1] == COLUMNS / 4)
    window.press(Keys.HOME)
    window.wait(lambda: _place(window)[0] == 0)


def test_a_moment_shows_its_frame_and_lets_it_go(window: Window) -> None:
    window.press(Keys.ENTER)
    window.wait(lambda: window.driver.execute_script("return document.getElementById('strip-frame-picture').naturalWidth > 0"))
    first = window.driver.execute_script("return document.getElementById('strip-frame-picture').src")
    window.press(".")
    window.wait(lambda: window.driver.execute_script("return document.getElementById('strip-frame-picture').src") != first)
    assert window.driver.execute_script("return document.getElementById('strip-frame-lacks').hidden")
    window.press(Keys.ESCAPE)
    window.wait(lambda: not window.driver.execute_script("return document.getElementById('strip-frame').open"))
    window.driver.execute_script("const s = document.getElementById('strip'); s.querySelector('img').click()")
    window.wait(lambda: window.driver.execute_script("return document.getElementById('strip-frame').open"))


def test_the_page_is_never_too_wide_and_nothing_is_blocked(window: Window) -> None:
    for width_px in WIDTHS_PX:
        window.resize(width_px)
        wide, inner = window.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner, width_px
    assert window.complaints() == []
