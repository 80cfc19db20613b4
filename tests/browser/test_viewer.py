"""The image viewer under mouse, fingers and keys, and what it says when there is no picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from edge.errors import Reason
from tests.browser.test_look_and_keys import Window
from tests.helpers import seed
from tests.helpers.web import SIZE_PX, make_survey, picture, serving
from tests.simulators.appliance import SimulatedAppliance

Point = tuple[float, float]


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    with serving(appliance) as client:
        yield Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        chromium.get("about:blank")
        appliance.close()


def shown(window: Window, file_id: int) -> None:
    window.open(f"/files/{file_id}?state=done")
    window.wait(lambda: window.find("#canvas").get_attribute("data-shown"))


def zoom(window: Window) -> str:
    return window.find("#zoom").text


def centre(window: Window) -> Point:
    box = window.find("#canvas").rect
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def touch(window: Window, what: str, *places: Point) -> None:
    points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
    window.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})


def kept(window: Window) -> dict[str, Any]:
    """What the next image would take up; written when a page is left."""
    window.open("/")
    values: dict[str, Any] = json.loads(window.driver.execute_script("return sessionStorage.getItem('image-view') ?? '{}'"))
    return values


def test_two_fingers_zoom_and_one_pans(window: Window) -> None:
    shown(window, window.survey.counted)
    x, y = centre(window)
    window.press("1")
    touch(window, "touchStart", (x - 50, y), (x + 50, y))
    touch(window, "touchMove", (x - 100, y), (x + 100, y))
    touch(window, "touchEnd")
    window.wait(lambda: zoom(window) == "200 %")
    touch(window, "touchStart", (x, y))
    touch(window, "touchMove", (x - 30, y - 20))
    touch(window, "touchMove", (x - 60, y - 40))
    touch(window, "touchEnd")
    assert zoom(window) == "200 %"
    view = kept(window)["view"]
    assert (view["x"], view["y"]) == pytest.approx((SIZE_PX[0] / 2 + 30, SIZE_PX[1] / 2 + 20), abs=1)


def test_a_pinch_keeps_what_lies_between_the_fingers(window: Window) -> None:
    shown(window, window.survey.counted)
    x, y = centre(window)
    window.press("1")
    touch(window, "touchStart", (x + 50, y + 40), (x + 90, y + 40))
    touch(window, "touchMove", (x + 30, y + 40), (x + 110, y + 40))
    touch(window, "touchEnd")
    window.wait(lambda: zoom(window) == "200 %")
    view = kept(window)["view"]
    between = (SIZE_PX[0] / 2 + 70, SIZE_PX[1] / 2 + 40)  # image pixels under the fingers before, at 1:1
    assert (view["x"] + 70 / 2, view["y"] + 40 / 2) == pytest.approx(between, abs=1)


def test_two_clicks_and_two_taps_go_to_one_to_one_and_back(window: Window) -> None:
    shown(window, window.survey.counted)
    canvas = window.find("#canvas")
    for expected in ("100 %", "fit"):
        ActionChains(window.driver).double_click(canvas).perform()
        window.wait(lambda expected=expected: zoom(window) == expected)  # type: ignore[misc]  # the loop's value
    x, y = centre(window)
    for expected, at in (("100 %", (x, y)), ("fit", (x + 150, y + 90))):  # elsewhere: four taps in one place are no two pairs
        for _ in range(2):
            touch(window, "touchStart", at)
            touch(window, "touchEnd")
        window.wait(lambda expected=expected: zoom(window) == expected)  # type: ignore[misc]  # the loop's value


def test_a_right_button_and_a_hovering_mouse_do_not_pan(window: Window) -> None:
    shown(window, window.survey.counted)
    window.press("1")
    ActionChains(window.driver).move_to_element(window.find("#canvas")).move_by_offset(40, 30).perform()
    assert (kept(window)["view"]["x"], kept(window)["view"]["y"]) == pytest.approx((SIZE_PX[0] / 2, SIZE_PX[1] / 2))


def test_the_threshold_is_moved_by_keys(window: Window) -> None:
    shown(window, window.survey.counted)
    window.wait(lambda: window.find("#count-here").text == "2")
    window.press("t")
    assert window.driver.switch_to.active_element.get_attribute("id") == "threshold"
    for keys, value in (((Keys.ARROW_RIGHT,), "0.26"), ((Keys.PAGE_UP,), "0.36"), ((Keys.ARROW_DOWN,), "0.35"), ((Keys.END,), "1.00")):
        window.press(*keys)
        assert window.find("#threshold-value").text == value
    assert window.find("#count-here").text == "0"
    assert window.find("#threshold").get_attribute("aria-valuetext") == "score from 1.00"
    assert zoom(window) == "fit", "the arrows moved the threshold, not the image"
    window.press("\\")
    assert window.find("#threshold-value").text == "0.25"


def test_what_was_set_stays_for_the_next_image(window: Window) -> None:
    shown(window, window.survey.reprocessed)
    window.press("1", "+", Keys.ARROW_RIGHT, "l", "b", "t", Keys.PAGE_UP)
    window.press("j")
    window.wait(lambda: f"/files/{window.survey.nothing_found}?" in window.driver.current_url)
    window.wait(lambda: zoom(window) == "125 %")
    assert window.find("#threshold-value").text == "0.35"
    assert window.find("#boxes-button").get_attribute("aria-pressed") == "false"
    assert window.find("#labels-button").get_attribute("aria-pressed") == "true"
    window.press("0", "b", "l", "\\", "j")
    window.wait(lambda: f"/files/{window.survey.counted}?" in window.driver.current_url)
    window.wait(lambda: zoom(window) == "fit")
    assert window.find("#threshold-value").text == "0.25"
    assert window.find("#boxes-button").get_attribute("aria-pressed") == "true"


def test_an_image_of_another_size_is_shown_whole(window: Window) -> None:
    db = window.appliance.writer
    station = seed.add_station(db, window.survey.inbox, b"station-012", make=True)
    other = seed.done(
        db, station, b"small.jpg", seed.add_model(db, version="1.2.0"), content=picture("JPEG", brightness=3), size_px=(64, 48)
    )
    file_id = db.execute("SELECT id FROM sightings WHERE image_id = ?", (other.image_id,)).fetchone()[0]
    shown(window, window.survey.counted)
    window.press("1")
    window.open(f"/files/{file_id}")
    window.wait(lambda: zoom(window) == "fit")


LINE = """
const pixels = document.getElementById('canvas').getContext('2d');
const { width, height } = pixels.canvas;
const row = pixels.getImageData(0, Math.round(height / 2), width, 1).data;
let longest = 0;
for (let x = 0, run = 0; x < width; x++) {
  run = row[4 * x] > 200 && row[4 * x + 1] > 170 && row[4 * x + 2] < 90 ? run + 1 : 0;
  longest = Math.max(longest, run);
}
return longest;
"""


def test_the_line_of_a_box_is_as_thick_at_every_zoom(window: Window) -> None:
    db = window.appliance.writer
    station = seed.add_station(db, window.survey.inbox, b"station-013", make=True)
    middle = [(40.0, 20.0, 280.0, 160.0, 0.9, 0)]
    made = seed.done(db, station, b"boxed.jpg", seed.add_model(db, version="1.2.0"), boxes=middle, content=b"gone", size_px=SIZE_PX)
    file_id = db.execute("SELECT id FROM sightings WHERE image_id = ?", (made.image_id,)).fetchone()[0]
    window.open(f"/files/{file_id}")
    window.wait(lambda: window.find("#picture-problem").is_displayed())
    thick = {}
    for key in ("0", "1", "-"):
        window.press(key)
        window.wait(lambda: window.driver.execute_script(LINE) > 0)
        thick[key] = window.driver.execute_script(LINE)
    assert set(thick.values()) <= {1, 2, 3}, "two pixels, on whatever pixels they fall"


def test_no_picture_is_told_in_words_and_the_rest_goes_on(window: Window) -> None:
    """Overwritten after it was done: its boxes stay, its neighbours open, and nothing is asked for that cannot be there."""
    window.open(f"/files/{window.survey.overwritten}")
    window.wait(lambda: window.find("#picture-problem").is_displayed())
    said = window.find("#picture-problem").text
    assert "no longer what was processed" in said
    assert "put the original back" in said
    assert "on an empty frame" in said
    window.wait(lambda: window.find("#count-here").text == "2")
    window.press("j")
    window.wait(lambda: window.driver.current_url.endswith(f"/files/{window.survey.truncated}"))
    window.press("k")
    window.wait(lambda: window.driver.current_url.endswith(f"/files/{window.survey.overwritten}"))


def test_a_quarantined_stack_says_why_and_its_neighbour_asks_for_nothing(window: Window) -> None:
    db = window.appliance.writer
    station = seed.add_station(db, window.survey.inbox, b"station-014", make=True)
    content = picture("TIFF")
    seed.quarantined(db, station, b"stack.tif", reason=Reason.SEVERAL_IMAGES, content=content)
    seed.done(db, station, b"after.jpg", seed.add_model(db, version="1.2.0"), content=picture("JPEG", brightness=7), size_px=SIZE_PX)
    ids = {row["name"]: row["id"] for row in db.execute("SELECT id, name FROM sightings")}
    window.open(f"/files/{ids['after.jpg']}")
    window.wait(lambda: window.find("#canvas"))
    assert window.find("#canvas").get_attribute("data-next") is None, "the next one has no picture"
    window.press("j")
    window.wait(lambda: window.find("#picture-problem").is_displayed())
    assert "Save each image" in window.find("main").text


def test_sixteen_bits_say_that_they_are_stretched(window: Window) -> None:
    window.appliance.writer.execute(
        "UPDATE images SET bits_per_channel = 16 WHERE id = (SELECT image_id FROM sightings WHERE id = ?)", (window.survey.tiff,)
    )
    shown(window, window.survey.tiff)
    assert "stretched" in window.find("#picture-note").text
    assert window.complaints() == []
