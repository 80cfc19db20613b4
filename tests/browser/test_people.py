"""Accounts in a real browser: the first administrator, signing in by keyboard, what a role sees, a page that outlives its sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from edge.survey.people import Role
from tests.helpers.chromium import LOOK_S
from tests.helpers.people import PASSWORD
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

WAIT_S = 60
OVERFLOW = "return [document.documentElement.scrollWidth - innerWidth, document.querySelector('.top').scrollWidth - innerWidth]"
OVERLAP = """
  const boxes = [...document.querySelectorAll(".top > *, .top .pulse > *")].filter((one) => one.offsetWidth && !one.matches(".pulse"));
  const sides = boxes.map((one) => one.getBoundingClientRect()).sort((one, other) => one.left - other.left);
  return sides.some((one, at) => at && sides[at - 1].right > one.left + 1);
"""


class Window:
    """A browser on a served appliance."""

    def __init__(self, driver: webdriver.Chrome, appliance: SimulatedAppliance, base: str) -> None:
        self.driver, self.appliance, self.base = driver, appliance, base

    def open(self, address: str) -> None:
        self.driver.get(self.base + address)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            field = self.driver.find_element(By.NAME, name)
            if field.tag_name == "select":
                Select(field).select_by_value(value)
            else:
                field.clear()
                field.send_keys(value)

    def submit(self) -> None:
        self.driver.find_element(By.CSS_SELECTOR, "main form button.primary").click()

    def at(self, path: str) -> None:
        self.wait(lambda: self.driver.current_url.removeprefix(self.base).partition("?")[0] == path)

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, LOOK_S, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def links(self) -> set[str]:
        return {link.get_attribute("href").removeprefix(self.base) for link in self.driver.find_elements(By.CSS_SELECTOR, ".top a")}  # type: ignore[union-attr]

    def complaints(self) -> list[str]:
        """What the console says, but for the statuses that are asked for on purpose."""
        expected = ("status of 401", "status of 403", "status of 410", "Password forms should")
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if not any(part in entry["message"] for part in expected)]


@pytest.fixture
def window(tmp_path: Path, chromium: webdriver.Chrome) -> Iterator[Window]:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_survey(appliance)
    with serving(appliance) as client:
        yield Window(chromium, appliance, str(client.base_url).rstrip("/"))
        appliance.close()


def test_from_the_first_administrator_to_a_counter(window: Window) -> None:
    window.open("/")
    window.driver.find_element(By.LINK_TEXT, "make the first account").click()
    window.fill(name="Anna.Bergstroem", full_name="Anna Bergström", password=PASSWORD, password_again=PASSWORD)
    window.submit()
    window.at("/people")
    window.fill(name="JD", full_name="Jonathan Doe", role="count", password=PASSWORD, password_again=PASSWORD)
    window.submit()
    window.at("/people/2")
    assert {"/people", "/audit", "/account", "/models"} <= window.links()
    for page in ("/", "/people", "/people/2", "/audit", "/account", "/health"):
        window.open(page)
        assert max(window.driver.execute_script(OVERFLOW)) <= 0, page
        assert not window.driver.execute_script(OVERLAP), page
    window.driver.find_element(By.TAG_NAME, "body").send_keys("g", "t")
    window.at("/audit")
    window.driver.find_element(By.XPATH, "//button[text()='Sign out']").click()
    window.at("/sign-in")
    assert "You are signed out" in window.driver.page_source
    window.driver.switch_to.active_element.send_keys("jd", Keys.TAB, "wrong", Keys.ENTER)
    window.wait(lambda: "password is wrong" in window.driver.page_source)
    window.driver.switch_to.active_element.send_keys(PASSWORD, Keys.ENTER)
    window.at("/")
    assert not {"/people", "/audit"} & window.links()
    window.driver.find_element(By.TAG_NAME, "body").send_keys("g", "p")
    window.open("/people")
    assert "needs the role administer" in window.driver.page_source
    assert window.complaints() == []


def test_a_page_that_outlives_its_sign_in_says_so_and_keeps_what_was_typed(window: Window) -> None:
    desk = window.appliance.people
    anna = desk.add("anna", Role.ADMINISTER, PASSWORD, actor="test")
    window.open("/people")
    window.at("/sign-in")
    window.fill(name="anna", password=PASSWORD)
    window.submit()
    window.at("/people")
    window.fill(name="typed and not sent")
    desk.sign_out_everywhere(anna, actor="test")
    window.appliance.touch()
    note = window.driver.find_element(By.ID, "signed-out")
    window.wait(note.is_displayed)
    assert not window.driver.find_element(By.ID, "lost").is_displayed()
    assert window.driver.find_element(By.NAME, "name").get_attribute("value") == "typed and not sent"
    first = window.driver.current_window_handle
    window.driver.switch_to.new_window("tab")
    window.open("/sign-in")
    window.fill(name="anna", password=PASSWORD)
    window.submit()
    window.at("/")
    window.driver.switch_to.window(first)
    window.wait(lambda: not note.is_displayed())
    window.fill(name="cl", password=PASSWORD, password_again=PASSWORD)
    window.submit()
    window.at("/people/2")
