"""Nothing clicked or typed is lost: two windows, a link that goes away, a browser and a service that are killed, a sign-in that ends."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from selenium import webdriver

from edge.store.seal import KEY_NAME
from tests.helpers.counted import PIN, make_content
from tests.helpers.counting import Counter, make_counted_stills
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

LOSE_ONE_ANSWER = """
const plain = window.fetch;
window.fetch = async (...asked) => {
  const answer = await plain(...asked);
  if (asked[1]?.method !== "POST" || !String(asked[0]).startsWith("/api/counts/")) return answer;
  window.fetch = plain;
  throw new TypeError("the answer was lost");
};
"""


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


def differences(counter: Counter) -> dict[str, list[str]]:
    """The rows of the dialog that shows two versions: what -> [on the appliance, in this browser]."""

    def is_open() -> bool:
        if counter.find("#choose-box").get_attribute("open") is None:
            counter.find("#choose-open").click()  # it opened by itself unless the window had nothing unsaved when it heard
        return counter.find("#choose-box").get_attribute("open") is not None

    counter.wait(is_open)
    # In one go: the rows are made anew when the other window saves.
    cells = counter.driver.execute_script(
        "return [...document.querySelectorAll('#choose-rows tr')].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return {row[0]: row[1:] for row in cells}


def two_windows(counter: Counter) -> tuple[str, str]:
    """Two tabs with the same count, the second of which took over; the second is in front."""
    counter.open()
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 1)
    older = counter.driver.current_window_handle
    counter.driver.switch_to.new_window("tab")
    counter.open()
    assert counter.systems() == ["1", "0"]
    return older, counter.driver.current_window_handle


def test_the_older_window_keeps_what_it_has_until_somebody_chose(counter: Counter) -> None:
    older, _ = two_windows(counter)
    counter.press("b")
    counter.write_note("from the newer")
    counter.wait(lambda: counter.saved().notes == {1: "from the newer"})
    counter.driver.switch_to.window(older)
    counter.write_note("from the older")
    told = differences(counter)
    assert told["Note, minute 1"] == ["from the newer", "from the older"]
    assert told["Systems, minute 1"] == ["2", "1"]
    assert all(made.endswith("Z") for made in told["Made"])
    counter.find("#choose-later").click()
    counter.wait_told("both versions stay")
    counter.press("b")
    counter.find("#sign-open").click()
    differences(counter)
    counter.find("#choose-later").click()
    assert (counter.clicks(), counter.saved().notes) == (2, {1: "from the newer"})
    counter.find("#choose-open").click()
    differences(counter)
    counter.find("#choose-here").click()
    counter.wait(lambda: counter.saved().notes == {1: "from the older"})
    counter.wait(lambda: not counter.find("#trouble").is_displayed())
    counter.press("z")
    counter.wait(lambda: (counter.clicks(), counter.saved().notes) == (2, {1: "from the newer"}))


def test_an_older_window_that_is_loaded_again_still_asks(counter: Counter) -> None:
    """Typed numbers of an older window that is closed on its conflict are there when the page is opened again, until they are chosen."""
    older, newer = two_windows(counter)
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 2)
    counter.driver.switch_to.window(older)
    counter.write_note("typed in the older window")
    differences(counter)
    counter.forget_all()
    counter.driver.close()
    counter.driver.switch_to.window(newer)
    counter.driver.refresh()
    assert differences(counter)["Note, minute 1"][1] == "typed in the older window"
    counter.find("#choose-later").click()
    counter.wait_told("never reached the appliance")
    counter.press("b", "b")
    counter.wait(lambda: counter.clicks() == 4)
    counter.driver.refresh()
    assert differences(counter)["Note, minute 1"][1] == "typed in the older window"
    counter.find("#choose-saved").click()
    counter.wait_saved()
    counter.open()
    assert not counter.find("#choose-box").is_displayed()
    assert counter.systems() == ["4", "0"]


def test_an_older_window_with_nothing_unsaved_goes_on_at_a_press(counter: Counter) -> None:
    older, _ = two_windows(counter)
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 2)
    counter.driver.switch_to.window(older)
    counter.press("\ue014")
    counter.wait_told("Another window goes on")
    counter.find("#choose-open").click()
    counter.wait(lambda: counter.systems() == ["2", "0"])
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 3)


def test_without_a_link_work_is_kept_and_sent_later(counter: Counter) -> None:
    counter.open()
    counter.set_link(away=True)
    counter.press("b", "b")
    counter.wait(lambda: counter.find("#saved-words").text == "no link")
    assert counter.clicks() == 0
    counter.set_link(away=False)
    counter.wait(lambda: counter.clicks() == 2)
    counter.wait_saved()


def test_a_save_whose_answer_was_lost_is_no_other_window(counter: Counter) -> None:
    counter.open()
    counter.driver.execute_script(LOSE_ONE_ANSWER)
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 1)
    counter.write_note("while the answer was on its way")
    counter.wait(lambda: counter.saved().notes != {})
    counter.wait_saved()
    assert counter.clicks() == 1


def test_a_browser_that_was_killed_after_a_lost_answer_asks_nothing(counter: Counter) -> None:
    counter.open()
    counter.driver.execute_script(LOSE_ONE_ANSWER.replace("window.fetch = plain;\n", ""))
    counter.press("b")
    counter.wait(lambda: counter.clicks() == 1)
    counter.write_note("after it")
    counter.forget_all()
    counter.load()
    counter.wait(lambda: counter.saved().notes == {1: "after it"})
    assert not counter.find("#choose-box").is_displayed()


def test_a_browser_that_is_killed_has_every_click(open_chromium: Callable[[str], webdriver.Chrome], tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_counted_stills(appliance)
    with serving(appliance) as client:
        base = str(client.base_url).rstrip("/")
        before = Counter(open_chromium("laptop"), blind, base)
        before.sign_in("jd")
        before.open()
        before.press("b", "b")
        before.wait(lambda: before.clicks() == 2)
        before.set_link(away=True)
        before.press("b")
        before.write_note("no link any more")
        assert before.driver.service.process is not None
        for process in psutil.Process(before.driver.service.process.pid).children(recursive=True):
            process.kill()
        assert before.clicks() == 2
        after = Counter(open_chromium("laptop"), blind, base)
        after.sign_in("jd")
        after.open()
        assert after.systems() == ["3", "0"]
        after.wait(lambda: (after.clicks(), after.saved().notes) == (3, {1: "no link any more"}))
        assert not after.find("#choose-box").is_displayed()
        after.forget_all()
    appliance.close()


def test_a_sign_in_that_ended_leads_back_to_the_still_and_saves(counter: Counter) -> None:
    counter.open()
    counter.press("\ue014", "\ue014", "\ue014", "b")
    counter.wait(lambda: counter.clicks() == 1)
    counter.blind.appliance.people.sign_out_everywhere(counter.blind.person("jd").id, actor="test")
    counter.press("b", "\ue014")
    counter.write_note("signed out")
    counter.wait_told("SIGNED OUT. What you did since is kept in this browser.")
    counter.press("b")
    assert counter.systems() == ["3", "0"]
    at_s = counter.at_s()
    counter.find("#sign-in-again").click()
    counter.wait(lambda: counter.find("[name=password]"))
    counter.type_in("jd")
    counter.wait(lambda: counter.driver.current_url.endswith(f"/tows/{counter.blind.tow_id}/count"))
    counter.wait(lambda: (counter.clicks(), counter.saved().notes) == (3, {1: "signed out"}))
    assert (counter.systems(), counter.at_s()) == (["3", "0"], at_s)


def test_stills_that_a_sign_in_kept_away_are_not_passed_over(counter: Counter) -> None:
    """A frame that was refused because nobody is signed in is asked for again: it is not shown as one that cannot be."""
    counter.open()
    counter.blind.appliance.people.sign_out_everywhere(counter.blind.person("jd").id, actor="test")
    counter.find("#ticks button:nth-child(2)").click()
    counter.press(" ")
    counter.wait_told("SIGNED OUT")
    assert counter.at_s() < 61
    page = counter.driver.current_window_handle
    counter.driver.switch_to.new_window("tab")
    counter.sign_in("jd")
    counter.driver.switch_to.window(page)
    counter.wait(lambda: counter.at_s() > 62)
    assert "cannot be shown" not in counter.find("#hint").text


def test_a_sign_in_in_another_tab_lets_the_page_go_on(counter: Counter) -> None:
    counter.open()
    counter.blind.appliance.people.sign_out_everywhere(counter.blind.person("jd").id, actor="test")
    counter.press("b")
    counter.wait_told("SIGNED OUT")
    page = counter.driver.current_window_handle
    counter.driver.switch_to.new_window("tab")
    counter.sign_in("cl")
    counter.driver.switch_to.window(page)
    counter.wait_told("cl signed in here in another tab")
    counter.driver.switch_to.window(next(one for one in counter.driver.window_handles if one != page))
    counter.find(".signed form button").click()
    counter.wait(lambda: counter.find("[name=password]"))
    counter.type_in("jd")
    counter.wait(lambda: counter.find(".who").text == "jd")
    counter.driver.switch_to.window(page)
    counter.wait(lambda: counter.clicks() == 1)
    counter.wait(lambda: not counter.find("#trouble").is_displayed())


def test_a_count_that_was_signed_elsewhere_says_so(counter: Counter) -> None:
    counter.open()
    blind, jd = counter.blind, counter.blind.person("jd")
    counter.set_link(away=True)
    counter.press("b")
    with blind.appliance.reader() as connection:
        (count_id,) = connection.execute("SELECT id FROM counts").fetchone()
    revision = blind.desk.save(count_id, jd, make_content([3.0], revision=counter.saved().revision))
    blind.desk.sign(count_id, jd, PIN, revision=revision)
    counter.set_link(away=False)
    counter.wait_told("this count is signed")
    assert "in this browser only" in counter.find("#trouble").text
    assert f"/stations/{blind.station_id}/counts" in str(counter.find("#trouble a").get_attribute("href"))


def test_every_page_says_that_the_sign_in_ended(counter: Counter) -> None:
    counter.driver.get(f"{counter.base}/stations/{counter.blind.station_id}/track")
    counter.blind.appliance.people.sign_out_everywhere(counter.blind.person("jd").id, actor="test")
    counter.driver.execute_script("fetch('/api/status')")
    counter.wait(lambda: counter.find("#signed-out").is_displayed())
    assert f"next=%2Fstations%2F{counter.blind.station_id}%2Ftrack" in str(counter.find("#signed-out a").get_attribute("href"))


def test_a_form_that_comes_too_late_leads_to_the_sign_in_and_back(counter: Counter) -> None:
    counter.driver.get(f"{counter.base}/tows/{counter.blind.tow_id}/count")
    counter.blind.appliance.people.sign_out_everywhere(counter.blind.person("jd").id, actor="test")
    counter.find("#begin").click()
    counter.wait(lambda: counter.find("#sign-in-again"))
    counter.find("#sign-in-again").click()
    counter.wait(lambda: counter.find("[name=password]"))
    counter.type_in("jd")
    counter.wait(lambda: counter.driver.current_url.endswith(f"/tows/{counter.blind.tow_id}/count"))


@pytest.mark.timeout(300)
def test_a_service_that_is_killed_gets_what_was_kept(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    simulated = SimulatedAppliance(home)
    blind = make_counted_stills(simulated)
    key = b"a key for the tests of 32 bytes."
    (home / KEY_NAME).parent.mkdir(exist_ok=True)
    (home / KEY_NAME).write_text(f"{key.hex()} {zlib.crc32(key):08x}\n")
    simulated.close()
    port = free_port()
    running = RunningAppliance(home, port=port)
    running.wait_ready()
    counter = Counter(chromium, blind, f"http://127.0.0.1:{port}")
    counter.sign_in("jd")
    counter.open()
    counter.wait(lambda: counter.find("#typed").is_displayed())  # the tow has no start yet, so its stills have no times
    type_number(counter, 1, "4.5")
    counter.wait_saved()
    running.kill()
    type_number(counter, 2, "7")
    counter.write_note("typed while it was away")
    counter.wait(lambda: counter.find("#saved-words").text == "no link")
    running = RunningAppliance(home, port=port)
    running.wait_ready()
    counter.wait_saved()
    counter.driver.refresh()
    counter.wait_saved()
    assert counter.systems() == ["4.5", "7"]
    counter.press("e")
    assert counter.find("#note-text").get_attribute("value") == "typed while it was away"
    counter.forget_all()
    assert running.stop() == 0


def type_number(counter: Counter, minute: int, value: str) -> None:
    field = counter.find(f'[data-place="{minute}/0"]')
    field.send_keys(value, "\ue004")
    counter.driver.execute_script("document.activeElement.blur()")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
