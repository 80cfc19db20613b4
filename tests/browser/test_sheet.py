"""The station sheet in a real browser: kept as it is typed, over a kill of the service and a lost link; undone, imported, followed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from edge.store import counts, surveys
from edge.store.connection import immediate
from edge.survey.sheet.record import Change
from edge.survey.sheet_desk import NewSurvey
from tests.contract.test_survey_pages import SHEET
from tests.helpers.chromium import LOOK_S
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_surveys_store import RULES

WAIT_S = 90
OVERFLOW = "return document.documentElement.scrollWidth - innerWidth"


class Page:
    """A browser on an appliance."""

    def __init__(self, driver: webdriver.Chrome, base: str) -> None:
        self.driver, self.base = driver, base

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def field(self, key: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, f'[data-field="{key}"]')

    def type(self, key: str, text: str) -> None:
        field = self.field(key)
        field.clear()
        field.send_keys(text, Keys.TAB)

    def text(self, selector: str) -> str:
        return str(self.driver.find_element(By.CSS_SELECTOR, selector).text)

    def value(self, key: str) -> str:
        return str(self.field(key).get_attribute("value"))

    def state(self, key: str) -> str | None:
        return str(self.field(key).get_attribute("data-state"))

    def wait(self, condition: Callable[[], object]) -> None:
        WebDriverWait(self.driver, WAIT_S, LOOK_S, ignored_exceptions=(Exception,)).until(lambda _: condition())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[SimulatedAppliance, httpx.Client]]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey_id = appliance.sheets.create_survey(NewSurvey(name="CV20017", year=2020), "mary")
    appliance.sheets.add_station(survey_id, "125", "mary")
    with serving(appliance) as client:
        yield appliance, client
        appliance.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def entries(home: Path) -> list[tuple[str, str]]:
    return [tuple(row) for row in query(home, "SELECT field, value FROM entries ORDER BY id")]


def test_what_was_typed_survives_a_killed_service_and_a_lost_link(chromium: webdriver.Chrome, tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    make_tiny_home(home, tmp_path / "pack")
    service = RunningAppliance(home, port=port)
    service.wait_ready()
    service.post("/api/surveys", {"name": "CV20017", "year": 2020})
    service.post("/api/surveys/1/stations", {"name": "125"})
    page = Page(chromium, f"http://127.0.0.1:{port}")
    page.open("/stations/1")
    page.type("start_depth", "104.5")
    page.wait(lambda: page.state("start_depth") == "kept")
    service.kill()
    assert entries(home) == [("start_depth", "104.5")], "an acknowledged field was not on disk"
    page.type("comments", "typed without a link")
    page.type("start_depth", "105")
    page.wait(lambda: "NO LINK: 2 fields are kept in this browser" in page.text("#keeping"))
    service = RunningAppliance(home, port=port)
    service.wait_ready()
    page.wait(lambda: page.state("comments") == "kept" and page.state("start_depth") == "kept")
    assert sorted(entries(home)[1:]) == [("comments", "typed without a link"), ("start_depth", "105")]
    service.kill()
    page.type("comments", "typed again")
    page.wait(lambda: "NO LINK" in page.text("#keeping"))
    chromium.get("about:blank")
    service = RunningAppliance(home, port=port)
    service.wait_ready()
    page.open("/stations/1")
    assert page.value("comments") == "typed again"
    page.wait(lambda: ("comments", "typed again") in entries(home))
    assert service.stop() == 0


def test_a_fault_stands_beside_its_field_and_a_change_is_undone(
    chromium: webdriver.Chrome, served: tuple[SimulatedAppliance, httpx.Client]
) -> None:
    page = Page(chromium, str(served[1].base_url))
    page.open("/stations/1")
    page.type("start_depth", "104")
    page.wait(lambda: page.state("start_depth") == "kept")
    page.type("start_depth", "deep")
    page.wait(lambda: "'deep' is no number" in page.text('[data-note="start_depth"]'))
    assert page.field("start_depth").get_attribute("aria-invalid") == "true"
    page.field("start_depth").click()
    page.wait(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, "#field-history li")) == 2)
    page.field("start_depth").send_keys(Keys.ALT, "z")
    page.wait(lambda: page.value("start_depth") == "104")
    page.wait(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, "#field-history li")) == 3)
    assert not page.text('[data-note="start_depth"]')
    page.driver.find_elements(By.CSS_SELECTOR, "#field-history li button")[0].click()
    page.wait(lambda: page.value("start_depth") == "deep" and page.state("start_depth") == "kept")
    assert page.driver.execute_script(OVERFLOW) <= 0


def test_what_another_laptop_types_appears_and_never_under_the_hand(
    chromium: webdriver.Chrome, served: tuple[SimulatedAppliance, httpx.Client]
) -> None:
    appliance, client = served
    page = Page(chromium, str(client.base_url))
    page.open("/stations/1")
    page.field("comments").send_keys("mine")
    client.post("/api/tows/1/sheet", json={"changes": [{"field": "comments", "value": "theirs"}, {"field": "visibility", "value": "Poor"}]})
    appliance.touch()
    page.wait(lambda: page.value("visibility") == "Poor")
    page.field("comments").send_keys(Keys.TAB)
    page.wait(lambda: page.state("comments") == "kept")
    assert page.value("comments") == "mine"
    history = [one["value"] for one in client.get("/api/tows/1/sheet/history?field=comments").json()]
    assert (history[0], "theirs" in history) == ("mine", True)


def test_a_sheet_is_looked_at_and_imported(
    chromium: webdriver.Chrome, served: tuple[SimulatedAppliance, httpx.Client], tmp_path: Path
) -> None:
    page = Page(chromium, str(served[1].base_url))
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(SHEET.replace("00:49:01", "00:01:00"))
    page.open("/surveys/1/import")
    page.driver.find_element(By.ID, "file").send_keys(str(sheet))
    page.driver.find_element(By.ID, "look").click()
    page.wait(lambda: "It would bring 1 new stations" in page.text("#said"))
    assert "overlaps in time" in page.text("#faults")
    assert page.driver.execute_script(OVERFLOW) <= 0
    page.driver.find_element(By.ID, "write").click()
    page.wait(lambda: "Imported: 1 new stations" in page.text("#said"))
    page.open("/surveys/1")
    assert "overlaps in time" in page.text("#stations")
    assert page.driver.execute_script(OVERFLOW) <= 0


@pytest.mark.parametrize("path", ["/surveys", "/surveys/1", "/surveys/1/protocol?preset=irish", "/surveys/1/media", "/stations/1"])
def test_no_page_is_wider_than_the_laptop_or_complains(
    chromium: webdriver.Chrome, served: tuple[SimulatedAppliance, httpx.Client], path: str
) -> None:
    page = Page(chromium, str(served[1].base_url))
    for mode in ("light", "dark", "red"):
        page.open(path)
        page.driver.execute_script(f"document.documentElement.dataset.mode = '{mode}'")
        assert page.driver.execute_script(OVERFLOW) <= 0
    assert [one for one in chromium.get_log("browser") if one["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]


def test_a_line_that_counts_were_made_by_moves_with_a_reason(
    chromium: webdriver.Chrome, served: tuple[SimulatedAppliance, httpx.Client]
) -> None:
    appliance = served[0]
    changes = [Change(field=f"{side}_{what}", value=text) for side in ("start", "end") for what, text in (("date", "2020-07-16"),)]
    changes += [Change(field="start_time", value="01:00"), Change(field="end_time", value="01:10")]
    appliance.sheets.record(1, changes, source="page", actor="mary")
    with immediate(appliance.writer) as db:
        rules = surveys.add_protocol(db, 1, RULES, reason="manual", actor="mary")
        counts.open_count(
            db, appliance.seal, counts.NewCount(tow_id=1, protocol_id=rules, person_id=None, counter="jd", content=b""), actor="jd"
        )
    page = Page(chromium, str(served[1].base_url))
    page.open("/stations/1")
    page.type("start_time", "01:01")
    page.wait(lambda: "NOT KEPT YET, 1 in this browser: the start of line of station 125" in page.text("#keeping"))
    assert appliance.writer.execute("SELECT start_utc FROM tows").fetchone()[0] == "2020-07-16T01:00:00.000Z"
    chromium.find_element(By.ID, "change-reason").send_keys("the clock was a minute off", Keys.TAB)
    page.wait(lambda: page.state("start_time") == "kept")
    assert appliance.writer.execute("SELECT start_utc FROM tows").fetchone()[0] == "2020-07-16T01:01:00.000Z"
    (detail,) = appliance.writer.execute("SELECT detail_json FROM audit WHERE action = 'counted_tow_change'").fetchone()
    assert "the clock was a minute off" in detail
