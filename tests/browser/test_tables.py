"""The tables page as a chief scientist uses it: a table is looked at, corrected, taken, and comes out again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.helpers.chromium import LOOK_S
from tests.helpers.tables import Tables, recounts, two_counters
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page of a survey in a browser, and where it is."""

    window: webdriver.Chrome
    address: str
    sea: Tables

    def said(self, words: str) -> None:
        """Wait until the page says so."""
        WebDriverWait(self.window, 20, LOOK_S).until(lambda window: words in window.find_element(By.ID, "table-said").text)

    def choose(self, path: Path) -> None:
        self.window.find_element(By.CSS_SELECTOR, "#table-in input[type=file]").send_keys(str(path))


@pytest.fixture
def page(tmp_path: Path, chromium: webdriver.Chrome) -> Iterator[Page]:
    appliance = SimulatedAppliance(tmp_path / "home")
    sea = Tables(tmp_path / "home")
    with serving(appliance) as client:
        address = str(client.base_url.join(f"/surveys/{sea.survey_id}/export"))
        chromium.get(address)
        yield Page(window=chromium, address=address, sea=sea)
        appliance.close()


def test_a_table_is_looked_at_corrected_and_taken(page: Page, tmp_path: Path) -> None:
    Select(page.window.find_element(By.CSS_SELECTOR, "#table-in select")).select_by_value("mi-recounts")
    look, take = page.window.find_elements(By.CSS_SELECTOR, "#table-in button")
    assert not take.is_enabled()
    rows = two_counters()
    page.choose(recounts(tmp_path, *rows[:3], rows[3].replace(",10,", ",ten,"), name="bad.csv"))
    look.click()
    page.said("Not taken, 1 fault")
    cells = [cell.text for cell in page.window.find_elements(By.CSS_SELECTOR, "#table-faults tbody td")]
    assert cells == ["5", "BurrowCount", "BurrowCount is 'ten', which is not a number"]
    assert not take.is_enabled()
    page.choose(recounts(tmp_path, *rows, name="good.csv"))
    look.click()
    page.said("2 counts would be taken")
    assert page.sea.rows("SELECT count(*) FROM counts") == [(0,)]
    take.click()
    page.said("2 counts taken")
    assert page.sea.rows("SELECT count(*) FROM counts") == [(2,)]
    page.window.get(page.address)
    assert "good.csv" in page.window.find_element(By.TAG_NAME, "main").text
    entries = page.window.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry for entry in entries if entry["level"] == "SEVERE"] == []


def test_the_page_fits_the_laptop(page: Page) -> None:
    wide, window = page.window.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window
