"""A watch of two counters, a third and a chief scientist: from the station sheet to the exported table, each at a browser of their own."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from edge.commands.running import read_address
from tests.helpers.tiny_home import RunningAppliance, make_tiny_home, query, wait_until, write_picture

SURVEY = "T2026"
AGREED, DISPUTED = "S01", "S02"
RULES = ("first_minute=1", "last_minute=2", "edge_rule=any_opening_inside", "correction_factor=1.3", "correction_source=benchmark 2009")
ROLES = {"chief": "administer", "anna": "count", "ben": "count", "cleo": "count"}
PASSWORD, PIN = "a long enough password", "4711"
DISTANCE_M, WIDTH_M = 50.0, 1.01


class Desk:
    """One person's browser."""

    def __init__(self, driver: webdriver.Chrome, base: str, name: str) -> None:
        self.driver, self.base = driver, base
        self.open("/sign-in")
        self.type("[name=name]", name)
        self.type("[name=password]", PASSWORD)
        self.find("[name=password]").submit()
        self.wait(lambda: "/sign-in" not in self.driver.current_url, f"{name} is signed in")

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def type(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        wait_until(holds, what)

    def text(self, path: str) -> str:
        self.open(path)
        return str(self.find("#main").text)

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser's console holds against the pages."""
        return [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]

    def typing(self) -> bool:
        """Whether the fields for typed minutes are shown; asks for them where they are not."""
        fields = self.driver.find_elements(By.CSS_SELECTOR, "[data-place='1/0']")
        if fields and fields[0].is_displayed():
            return True
        self.find("#way").click()
        time.sleep(0.5)
        return False

    def count(self, tow: int, systems: tuple[int, int]) -> None:
        """Type a number for each minute, look at them, sign."""
        self.open(f"/tows/{tow}/count")
        self.find("#begin").click()
        self.wait(lambda: bool(self.driver.find_elements(By.ID, "way")), "the counting page is there")
        self.wait(self.typing, "minutes may be typed")
        for minute, number in enumerate(systems, start=1):
            self.type(f"[data-place='{minute}/0']", f"{number}\t")
        self.find("#sign-open").click()
        self.wait(lambda: self.find("#sign-now").is_enabled(), "it can be signed")
        assert f"{sum(systems)} systems" in self.find("#sign-total").text
        self.type("#pin", PIN)
        self.find("#sign-now").click()
        self.wait(lambda: self.driver.current_url.endswith("/counts"), f"it is signed: {self.find('#sign-problem').text}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    make_tiny_home(home, tmp_path / "pack")
    return home


def edge(edge_command: list[str], home: Path, *words: str, stdin: str = "") -> Any:
    done = subprocess.run([*edge_command, "--home", str(home), *words, "--json"], capture_output=True, text=True, input=stdin, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write_sheet(path: Path) -> None:
    """Two stations of two minutes, an hour apart."""
    common = {"SurveyID": SURVEY, "Date SOL": "2026-06-03", "Date EOL": "2026-06-03", "Ground": "Smalls", "ValidStation": 1}
    place = {"Degrees Lat SOL": 51, "N/S SOL": "N", "Degrees Lon SOL": 6, "Minutes Lon SOL": 37.0, "E/W SOL": "W"}
    rows = [
        {"Video_Line_Name": name, **common, "Time SOL": f"{hour}:00:00", "Time EOL": f"{hour}:02:00", "Minutes Lat SOL": minutes, **place}
        for name, hour, minutes in ((AGREED, 17, 10.0), (DISPUTED, 18, 14.5))
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def prepare(edge_command: list[str], home: Path, sheet: Path) -> None:
    """What the chief scientist does ashore: survey, rules, sheet, people."""
    edge(edge_command, home, "survey", "create", SURVEY, "--functional-unit", "FU22", "--year", "2026")
    words = [word for rule in RULES for word in ("--rule", rule)]
    edge(edge_command, home, "survey", "protocol", SURVEY, "--preset", "irish", *words, "--reason", "two minutes of a test")
    write_sheet(sheet)
    edge(edge_command, home, "survey", "import", str(sheet), "--survey", SURVEY)
    for name, role in ROLES.items():
        edge(edge_command, home, "people", "add", name, "--role", role, stdin=f"{PASSWORD}\n")
        edge(edge_command, home, "people", "pin", name, stdin=f"{PIN}\n")


def set_camera(chief: Desk) -> None:
    """Which folders are whose, and the area of the first station."""
    chief.open("/surveys/1/media")
    chief.type("[name=name]", "sledge")
    chief.type("[name=folder_pattern]", "*/{station}/*")
    chief.find("[name=folder_pattern]").submit()
    chief.wait(lambda: "sledge" in chief.find("#main").text, "the camera is kept")
    for station in (1, 2):
        chief.open(f"/stations/{station}/track")
        chief.type("[name=distance_m]", str(DISTANCE_M))
        chief.find("[name=distance_m]").submit()
        chief.wait(lambda: f"{DISTANCE_M:.1f} m" in chief.find("#main").text, "the distance is kept")
        chief.type("[name=width_m]", str(WIDTH_M))
        chief.type("[name=row_height]", "0.83")
        chief.type("form:has([name=width_m]) [name=source]", "calibration sheet")
        chief.find("[name=width_m]").submit()
        chief.wait(lambda: "calibration sheet" in chief.find("#main").text, "the width is kept")


def drop(home: Path) -> None:
    for station, hour in ((AGREED, 17), (DISPUTED, 18)):
        for second in range(0, 50, 10):
            write_picture(home / "inbox" / "burrows" / station, f"D2026-06-03T{hour}-00-{second:02d}-000000Z.png", hour * 100 + second)


@pytest.mark.timeout(600)
def test_a_watch(open_chromium: Callable[[str], webdriver.Chrome], edge_command: list[str], home: Path, tmp_path: Path) -> None:
    prepare(edge_command, home, tmp_path / "sheet.csv")
    appliance = RunningAppliance(home)
    try:
        appliance.wait_ready()
        base = read_address(home) or ""
        desks = {name: Desk(open_chromium(name), base, name) for name in ("chief", "anna", "ben")}
        set_camera(desks["chief"])
        drop(home)
        wait_until(lambda: query(home, "SELECT count(*) FROM sealed_runs") == [(10,)], "what the model found is under the seal")
        assert query(home, "SELECT count(*) FROM objects") == [(0,)]
        count_the_first_station(desks, edge_command, home)
        dispute_the_second(desks, edge_command, home)
        desks["cleo"] = Desk(open_chromium("cleo"), base, "cleo")
        settle_the_second(desks["cleo"], edge_command, home)
        check_tables(edge_command, home, tmp_path / "tables")
        assert [complaint for desk in desks.values() for complaint in desk.complaints()] == []
    finally:
        code = appliance.stop()
    assert code == 0
    assert edge(edge_command, home, "survey", "count", AGREED)["systems"] == 14.5, "it is the same after the appliance has stopped"


def count_the_first_station(desks: dict[str, Desk], edge_command: list[str], home: Path) -> None:
    desks["anna"].count(1, (6, 9))
    before = edge(edge_command, home, "survey", "count", AGREED)
    assert (before["systems"], before["openings"], before["density_adjusted_per_m2"]) == (None, None, None)
    seen = desks["ben"].text("/stations/1/counts") + desks["ben"].text("/stations/1/compare") + desks["ben"].text("/stations/1/result")
    seen = re.sub(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?", "", seen)  # the time of day is nobody's secret
    assert not re.search(r"\b15\b", seen), "the one count that is signed shows nowhere"
    desks["ben"].count(1, (5, 9))
    after = edge(edge_command, home, "survey", "count", AGREED)
    assert after["systems"] == 14.5
    assert after["openings"] is not None
    assert after["area_m2"] == pytest.approx(DISTANCE_M * WIDTH_M)
    assert after["density_raw_per_m2"] == pytest.approx(14.5 / (DISTANCE_M * WIDTH_M))
    assert after["density_adjusted_per_m2"] == pytest.approx(14.5 / (DISTANCE_M * WIDTH_M) / 1.3)
    assert "0.92" in desks["anna"].text("/stations/1/compare")  # Lin's coefficient of (6, 9) and (5, 9)


def dispute_the_second(desks: dict[str, Desk], edge_command: list[str], home: Path) -> None:
    desks["anna"].count(2, (3, 12))
    desks["ben"].count(2, (12, 3))
    assert edge(edge_command, home, "survey", "count", DISPUTED)["systems"] is None
    assert "third" in desks["chief"].text("/surveys/1/agreement")


def settle_the_second(cleo: Desk, edge_command: list[str], home: Path) -> None:
    assert "Sealed" in cleo.text("/stations/2/compare")
    cleo.count(2, (8, 8))
    assert edge(edge_command, home, "survey", "count", DISPUTED)["systems"] == pytest.approx((15 + 15 + 16) / 3)


def check_tables(edge_command: list[str], home: Path, folder: Path) -> None:
    edge(edge_command, home, "survey", "export", "--survey", SURVEY, "--format", "mi-fu2021", "--out", str(folder))
    (table,) = folder.glob("*.csv")
    with table.open(newline="") as file:
        rows = {row["Station"]: row for row in csv.DictReader(file)}
    assert set(rows) == {AGREED, DISPUTED}
    assert float(rows[AGREED]["Density"]) == pytest.approx(14.5 / (DISTANCE_M * WIDTH_M))
    assert float(rows[AGREED]["Density"]) / float(rows[AGREED]["Density_Adjusted"]) == pytest.approx(1.3)
