"""The counting page in a real browser: keys, play, the signature, its looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

from edge.store.reads.counts import revealed_counts
from tests.browser.test_look_and_keys import WIDTHS_PX
from tests.helpers.counted import PIN
from tests.helpers.counting import Counter, make_counted_stills
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance


@pytest.fixture
def counter(chromium: webdriver.Chrome, tmp_path: Path) -> Iterator[Counter]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_counted_stills(appliance)
    with serving(appliance) as client:
        window = Counter(chromium, blind, str(client.base_url).rstrip("/"))
        window.sign_in("jd")
        yield window
        window.forget_all()
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


def test_what_is_being_typed_is_kept_and_is_one_act(counter: Counter) -> None:
    counter.open()
    counter.press("e")
    counter.find("#note-text").send_keys("half a word")
    counter.wait(lambda: counter.saved().notes == {1: "half a word"})
    counter.find("#note-text").send_keys(" and more", "\ue00c")
    counter.wait(lambda: counter.saved().notes == {1: "half a word and more"})
    counter.find("#way").click()
    counter.find('[data-place="1/0"]').send_keys("12.5")
    counter.wait(lambda: {minute: one.systems for minute, one in counter.saved().typed.items()} == {1: 12.5})
    counter.driver.execute_script("document.activeElement.blur()")
    counter.press("z")
    counter.wait(lambda: not counter.saved().typed)
    counter.press("z", "z")
    counter.wait(lambda: (counter.saved().notes, counter.saved().way) == ({}, "frames"))


def test_keys_of_lists_do_not_lead_away_and_s_opens_the_signature(counter: Counter) -> None:
    counter.open()
    page = counter.find("#counting").id
    counter.press("r", "a", "/")
    assert counter.find("#counting").id == page
    counter.press("s")
    counter.wait(lambda: "was not looked at" in counter.find("#sign-remarks").text)
    counter.press("\ue00c")
    counter.press("?")
    shown = counter.find("#help").text
    assert all(
        words in shown for words in ("play, stop", "slower, normal, faster", "cannot be counted", "undo, redo", "sign with your PIN")
    )


def test_targets_are_large(counter: Counter) -> None:
    counter.open()
    for one in counter.driver.find_elements("css selector", ".tools button, .ticks button"):
        assert (one.size["height"] >= 44, one.size["width"] >= 44, one.rect["x"] + one.size["width"] <= 1366) == (True, True, True), (
            one.text
        )


def test_on_a_slow_link_play_waits_and_passes_over_nothing(counter: Counter) -> None:
    counter.open()
    slow = {"offline": False, "latency": 1500, "downloadThroughput": -1, "uploadThroughput": -1}
    counter.driver.execute_cdp_cmd("Network.enable", {})
    counter.driver.execute_cdp_cmd("Network.emulateNetworkConditions", slow)
    counter.find("#ticks button:nth-child(2)").click()
    counter.press("l", "l", "l", "l", " ")
    counter.wait(lambda: "nothing is passed over" in counter.find("#hint").text)
    counter.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {**slow, "latency": 0})
    counter.wait(lambda: counter.at_s() > 66)
    counter.press(" ")
    counter.wait(lambda: (counter.saved().position_s or 0) >= 66)
    (seen,) = [one for one in counter.saved().seen if one[0] >= 60]
    assert (seen[0], seen[1] >= 66) == (60.0, True)


def test_fast_play_goes_over_missing_footage_and_does_not_call_it_looked_at(counter: Counter) -> None:
    counter.blind.appliance.writer.execute("UPDATE tow_images SET at_s = at_s + 4 WHERE at_s >= 5")
    counter.open()
    counter.press("l", "l", "l", "l", " ")
    counter.wait(lambda: counter.at_s() > 15)
    counter.press(" ")
    counter.wait(lambda: (counter.saved().position_s or 0) > 15)
    (first, second) = counter.saved().seen[:2]
    assert (first[0], first[1] < 5.1, second[0]) == (0.0, True, 9.0)
