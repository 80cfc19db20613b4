"""The box editor under a real mouse, fingers and keys: what is done reaches the database, and the way back does too."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from edge.store.decisions import Decision
from edge.store.reads.decisions import reviewed_objects
from tests.browser.test_look_and_keys import Window
from tests.browser.test_viewer import shown, touch
from tests.helpers.web import SIZE_PX, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

Box = tuple[float, float, float, float]
FIRST: Box = (10, 20, 60, 50)
SECOND: Box = (100, 40, 140, 70)


@pytest.fixture
def window(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    with serving(appliance) as client:
        yield Window(chromium, appliance, survey, str(client.base_url).rstrip("/"))
        chromium.get("about:blank")
    appliance.close()


def edit(window: Window, file_id: int | None = None) -> None:
    shown(window, file_id or window.survey.counted)
    if not window.find("#boxes-panel [data-while-editing]").is_displayed():
        window.press("e")
    window.wait(lambda: len(rows(window)) >= 2)


def rows(window: Window) -> list[str]:
    return [row.get_attribute("data-kind") or "" for row in window.driver.find_elements(By.CSS_SELECTOR, ".box-row")]


def told(window: Window) -> str:
    return window.find('[data-boxes="state"]').text


def saved(window: Window) -> None:
    window.wait(lambda: told(window).startswith("saved "))


def standing(window: Window) -> list[tuple[str, str, Any]]:
    with window.appliance.reader() as connection:
        (image_id,) = connection.execute("SELECT image_id FROM sightings WHERE id = ?", (window.survey.counted,)).fetchone()
        found = reviewed_objects(connection, image_id)
    return [(one.origin, one.label, (one.x_min_px, one.y_min_px, one.x_max_px, one.y_max_px)) for one in found]


def place(window: Window, x: float, y: float) -> tuple[int, int]:
    """An image pixel as an offset from the middle of the canvas, where the image is shown whole."""
    box = window.find("#canvas").rect
    scale = min(box["width"] / SIZE_PX[0], box["height"] / SIZE_PX[1])
    return round((x - SIZE_PX[0] / 2) * scale), round((y - SIZE_PX[1] / 2) * scale)


def drag(window: Window, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x0, y0), (x1, y1) = place(window, *start), place(window, *end)
    canvas = window.find("#canvas")
    hand = ActionChains(window.driver).move_to_element_with_offset(canvas, x0, y0).click_and_hold()
    hand.move_by_offset((x1 - x0) // 2, (y1 - y0) // 2).move_to_element_with_offset(canvas, x1, y1).release().perform()


def click(window: Window, x: float, y: float) -> None:
    ActionChains(window.driver).move_to_element_with_offset(window.find("#canvas"), *place(window, x, y)).click().perform()


def test_a_box_is_drawn_moved_and_resized_and_is_there_when_the_page_is_loaded_again(window: Window) -> None:
    edit(window)
    drag(window, (200, 30), (260, 80))
    saved(window)
    assert rows(window) == ["model", "model", "person"]
    assert standing(window)[-1] == ("person", "opening", pytest.approx((200, 30, 260, 80), abs=1))
    drag(window, (230, 55), (250, 75))
    window.wait(lambda: standing(window)[-1][2] == pytest.approx((220, 50, 280, 100), abs=1))
    drag(window, (280, 100), (300, 120))
    window.wait(lambda: standing(window)[-1][2] == pytest.approx((220, 50, 300, 120), abs=1))
    drag(window, (220, 85), (210, 85))
    window.wait(lambda: standing(window)[-1][2] == pytest.approx((210, 50, 300, 120), abs=1))
    drag(window, (120, 55), (130, 60))
    window.wait(lambda: standing(window)[1] == ("model, moved", "opening", pytest.approx((110, 45, 150, 75), abs=1)))
    before = standing(window)
    saved(window)
    edit(window)
    window.wait(lambda: rows(window) == ["model", "moved", "person"])
    assert standing(window) == before
    assert window.complaints() == []


def test_rejecting_and_removing_and_the_way_back(window: Window) -> None:
    edit(window)
    click(window, 30, 30)
    window.press(Keys.DELETE)
    drag(window, (200, 30), (260, 80))
    window.press(Keys.BACKSPACE)
    window.wait(lambda: rows(window) == ["rejected", "model"])
    window.wait(lambda: [one[2] for one in standing(window)] == [SECOND])
    ActionChains(window.driver).key_down(Keys.CONTROL).send_keys("z").send_keys("z").send_keys("z").key_up(Keys.CONTROL).perform()
    window.wait(lambda: rows(window) == ["model", "model"])
    window.wait(lambda: [one[2] for one in standing(window)] == [FIRST, SECOND])
    ActionChains(window.driver).key_down(Keys.CONTROL).send_keys("y").key_up(Keys.CONTROL).perform()
    window.wait(lambda: rows(window) == ["rejected", "model"])
    window.wait(lambda: [one[2] for one in standing(window)] == [SECOND])


def test_everything_goes_by_keyboard(window: Window) -> None:
    edit(window)
    window.press("n", "a")
    window.wait(lambda: rows(window) == ["confirmed", "model"])
    window.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    ActionChains(window.driver).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    ActionChains(window.driver).key_down(Keys.CONTROL).send_keys(Keys.ARROW_RIGHT).key_up(Keys.CONTROL).perform()
    window.press("d", Keys.ARROW_UP, "l")
    window.wait(lambda: window.find('[data-boxes="labels"]').is_displayed())
    other = window.find('[data-boxes="other"]')
    other.send_keys("Nephrops", Keys.ENTER)
    window.press("r", Keys.ENTER)
    saved(window)
    x, y = SIZE_PX[0] / 2, SIZE_PX[1] / 2
    assert standing(window) == [
        ("model, confirmed", "opening", FIRST),
        ("model, moved", "opening", (111, 41, 152, 71)),
        ("person", "Nephrops", pytest.approx((x - 25, y - 26, x + 25, y + 24), abs=6)),
    ]
    window.wait(lambda: window.find('[data-boxes="reviewed"]').get_attribute("aria-pressed") == "true")
    window.press("p", "l", "1")
    window.wait(lambda: window.find('[data-boxes="reviewed"]').get_attribute("aria-pressed") == "false" or rows(window)[1] == "moved")
    window.press(Keys.ESCAPE, Keys.ESCAPE)
    window.wait(lambda: not window.find("#boxes-panel [data-while-editing]").is_displayed())
    assert f"/files/{window.survey.counted}" in window.driver.current_url


def test_escape_lets_go_of_a_drag_and_a_click_selects(window: Window) -> None:
    edit(window)
    canvas = window.find("#canvas")
    hand = ActionChains(window.driver).move_to_element_with_offset(canvas, *place(window, 120, 55)).click_and_hold()
    hand.move_by_offset(40, 40).send_keys(Keys.ESCAPE).move_by_offset(20, 20).release().perform()
    assert rows(window) == ["model", "model"]
    click(window, 30, 30)
    window.wait(lambda: window.find(".box-row[aria-current]").get_attribute("data-box") is not None)
    click(window, 300, 170)
    window.wait(lambda: not window.driver.find_elements(By.CSS_SELECTOR, ".box-row[aria-current]"))
    assert told(window) == ""


def test_space_and_two_fingers_move_the_picture_and_draw_nothing(window: Window) -> None:
    edit(window)
    box = window.find("#canvas").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    window.press("1")
    ActionChains(window.driver).key_down(Keys.SPACE).perform()
    ActionChains(window.driver).move_to_element(window.find("#canvas")).click_and_hold().move_by_offset(60, 30).release().perform()
    ActionChains(window.driver).key_up(Keys.SPACE).perform()
    touch(window, "touchStart", (x - 50, y), (x + 50, y))
    touch(window, "touchMove", (x - 100, y), (x + 100, y))
    touch(window, "touchEnd")
    window.wait(lambda: window.find("#zoom").text == "200 %")
    assert rows(window) == ["model", "model"]
    touch(window, "touchStart", (x + 100, y + 60))
    touch(window, "touchMove", (x + 150, y + 90))
    touch(window, "touchMove", (x + 190, y + 130))
    touch(window, "touchEnd")
    window.wait(lambda: rows(window) == ["model", "model", "person"])


def test_without_a_link_it_is_kept_in_the_browser_and_sent_later(window: Window) -> None:
    edit(window)
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    window.driver.execute_cdp_cmd("Network.enable", {})
    window.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **network})
    click(window, 30, 30)
    window.press(Keys.DELETE)
    window.wait(lambda: "kept in this browser" in told(window))
    assert standing(window) == []
    window.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **network})
    window.wait(lambda: [one[2] for one in standing(window)] == [SECOND])
    saved(window)


def asks_before_leaving(window: Window) -> bool:
    """The browser's own question is answered by its driver, so the page is asked whether it would put it."""
    script = "const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return event.defaultPrevented"
    return bool(window.driver.execute_script(script))


def test_leaving_with_something_unsaved_asks_first(window: Window) -> None:
    edit(window)
    assert not asks_before_leaving(window)
    window.driver.execute_cdp_cmd("Network.enable", {})
    window.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/decisions"]})
    click(window, 30, 30)
    window.press(Keys.DELETE)
    window.wait(lambda: "kept in this browser" in told(window))
    assert asks_before_leaving(window)
    window.open("/files")
    assert standing(window) == []
    window.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    edit(window)
    window.wait(lambda: rows(window) == ["rejected", "model"])
    window.wait(lambda: [one[2] for one in standing(window)] == [SECOND])


def test_what_somebody_else_decided_since_is_shown_and_a_person_chooses(window: Window) -> None:
    edit(window)
    with window.appliance.reader() as connection:
        run, found = connection.execute(
            "SELECT r.uuid, o.id FROM objects AS o JOIN runs AS r ON r.id = o.run_id JOIN sightings AS s ON s.image_id = r.image_id "
            "WHERE s.id = ? AND o.ordinal = 1",
            (window.survey.counted,),
        ).fetchone()
    values: dict[str, Any] = {"object_id": found, "added_uuid": None, "label": None, "box": None}
    theirs = Decision(uuid=str(uuid.uuid4()), decision="rejected", **values)
    window.appliance.boxes.decide(run, [theirs], revision=0, decided_by="rita", actor="rita")
    click(window, 30, 30)
    window.press(Keys.DELETE)
    window.wait(lambda: "One change of yours" in window.find('[data-boxes="choice"]').text)
    assert rows(window) == ["model", "rejected"]
    window.find('[data-boxes="choice"] button').click()
    window.wait(lambda: rows(window) == ["rejected", "rejected"])
    saved(window)
    assert standing(window) == []


def test_handles_are_large_at_any_zoom_and_nothing_overflows(window: Window) -> None:
    window.resize(1366)
    edit(window)
    for _ in range(2):
        click(window, 300, 170)
        window.press("n")
        (x0, y0), (x1, y1) = place(window, FIRST[2], FIRST[3]), place(window, FIRST[2] + 10, FIRST[3] + 10)
        canvas = window.find("#canvas")
        hand = ActionChains(window.driver).move_to_element_with_offset(canvas, x0 + 5, y0 + 5).click_and_hold()  # five pixels beside it
        hand.move_by_offset(x1 - x0, y1 - y0).release().perform()
        window.wait(lambda: standing(window) and standing(window)[0][2] == pytest.approx((*FIRST[:2], FIRST[2] + 10, FIRST[3] + 10), abs=1))
        ActionChains(window.driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
        window.wait(lambda: standing(window)[0][2] == FIRST)
    for mode in ("light", "dark", "red"):
        window.driver.execute_script("document.documentElement.dataset.mode = arguments[0]", mode)
        width = window.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], mode


def test_a_review_of_an_earlier_result_can_turn_to_the_current_one(window: Window) -> None:
    file_id = window.survey.reprocessed
    with window.appliance.reader() as connection:
        (earlier,) = connection.execute(
            "SELECT r.uuid FROM runs AS r JOIN sightings AS s ON s.image_id = r.image_id WHERE s.id = ? AND r.is_current = 0", (file_id,)
        ).fetchone()
    window.appliance.boxes.decide(earlier, [], revision=0, reviewed=True, decided_by="rita", actor="rita")
    shown(window, file_id)
    assert "about an earlier result" in window.find("#boxes-panel").text
    window.press("e")
    window.wait(lambda: rows(window) == ["model"])
    window.find("[data-newest]").click()
    window.wait(lambda: rows(window) == ["model", "model"])
    assert window.find('[data-boxes="reviewed"]').get_attribute("aria-pressed") == "false"
