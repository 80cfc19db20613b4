"""The Sync page and the JSON API over a real database: what waits in words, who may do what, what to set where nothing is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.settings import Settings
from edge.sink_settings import SinkSettings
from sync.bundle.files import find_bundles
from tests.contract.test_pages import Outline
from tests.helpers.going_ashore import folder_of
from tests.helpers.people import browser, make_people
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

HOSTILE = '<script>alert(1)</script> "no room"\n{{ 7 * 7 }}'
WHO = "<a title> makes a tooltip that is white in red mode"  # the frame's, of whoever is signed in


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """A served appliance with a share that is in, a cloud that nobody can reach, and three people."""

    appliance: SimulatedAppliance
    rita: httpx.Client
    vera: httpx.Client
    anna: httpx.Client
    folder: Path

    def words(self) -> str:
        """The text of the page without tags, hashes, and times of day."""
        found = self.rita.get("/sync")
        assert found.status_code == 200, found.text
        main = found.text[found.text.index("<main") : found.text.index("</main")]
        plain = re.sub(r"\b[0-9a-f]{12}\b|\d\d:\d\d(:\d\d)?Z?", "", re.sub(r"<[^>]+>", " ", main))
        return re.sub(r"\s+", " ", plain)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    cloud = SinkSettings(name="cloud", kind="s3", url="https://s3.example.org", bucket="ship", daily_mb=5, windows=("mon 06:00-06:01",))
    settings = Settings(vessel="RV Tom Crean", sinks=(folder_of("nas", tmp_path / "nas"), cloud))
    appliance = SimulatedAppliance(tmp_path / "home", settings)
    make_survey(appliance)
    make_people(appliance)
    with (
        serving(appliance) as client,
        browser(client, "rita") as rita,
        browser(client, "vera") as vera,
        browser(client, "anna") as anna,
    ):
        yield Here(appliance=appliance, rita=rita, vera=vera, anna=anna, folder=tmp_path)
    appliance.close()


def test_what_waits_goes_and_is_told(here: Here) -> None:
    page = here.rita.get("/sync").text
    assert [fault for fault in Outline(page).faults if fault != WHO] == []
    words = here.words()
    assert "1 results 6 not known yet" in words
    assert "nas, cloud" in words
    assert "No bundle was made yet" in words
    before = here.rita.get("/api/sync").json()
    assert [(one["name"], one["about_bytes"], one["daily_bytes"]) for one in before["sides"]] == [
        ("nas", None, 0),
        ("cloud", None, 5_000_000),
    ]
    assert here.rita.post("/api/sync/now").status_code == 202
    here.appliance.sync.drain()
    after = here.rita.get("/api/sync").json()
    assert after["sides"][0]["state"] == "good"
    assert [(one["results"], one["bundles"]) for one in after["backlog"]] == [(0, 1)]
    assert "in touch" in here.words()
    (bundle,) = here.rita.get("/api/sync/bundles").json()
    assert (bundle["results"], dict(row[:2] for row in bundle["deliveries"])) == (6, {"cloud": "waiting", "nas": "confirmed"})
    assert here.rita.get(f"/api/sync/bundles?before={bundle['sequence']}").json() == []


def test_a_refusal_is_told_with_its_reason_and_tried_again(here: Here) -> None:
    here.appliance.sync.agent.kick(hurry=True)
    here.appliance.sync.drain()
    here.appliance.writer.execute("UPDATE deliveries SET state = 'refused', error = ?, error_code = 'x' WHERE sink = 'cloud'", (HOSTILE,))
    page = here.rita.get("/sync").text
    assert "<script>alert" not in page
    assert [fault for fault in Outline(page).faults if fault != WHO] == []
    assert "when a person asks for it" in here.words()
    assert here.rita.get("/api/sync").json()["failures"][0]["words"] == HOSTILE
    answer = here.rita.post("/actions/sync/retry", data={"back": "/sync"}, follow_redirects=True)
    assert "Tried again now: 1." in answer.text
    assert here.rita.get("/api/sync").json()["sides"][1]["refused"] == 0


def test_a_pause_is_told_and_ended(here: Here) -> None:
    here.rita.post("/actions/sync/pause", data={"back": "/sync", "hours": "6"})
    told = here.rita.get("/api/sync").json()["paused"]
    assert told["by"].startswith("rita ")
    assert told["until_utc"] is not None
    assert "Paused by rita" in here.words()
    assert here.rita.post("/api/sync/now").status_code == 409
    assert here.rita.post("/actions/sync/pause", data={"hours": "x"}).status_code == 422
    here.rita.post("/actions/sync/resume", data={"back": "/sync"})
    assert here.rita.get("/api/sync").json()["paused"] is None


def test_an_administrator_fills_a_stick(here: Here) -> None:
    stick = here.folder / "stick"
    stick.mkdir()
    assert here.rita.post("/actions/sync/usb", data={"folder": str(stick)}).status_code == 403
    assert here.anna.post("/actions/sync/usb", data={"folder": "stick"}).status_code == 422
    told = here.anna.post("/actions/sync/usb", data={"folder": str(stick), "back": "/sync"}, follow_redirects=True).text
    assert "read back: 1." in told
    assert len(list(find_bundles(stick))) == 1
    assert here.anna.post("/api/sync/usb/export", json={"path": str(stick)}).json()["bundles"] == 0
    assert here.anna.post("/api/sync/usb/import", json={"path": str(stick)}).json()["what"] == "bundles"
    assert here.anna.post("/api/sync/usb/export", json={"path": str(here.folder / "none")}).json()["code"] == "sink_away"


def test_who_only_looks_is_offered_nothing(here: Here) -> None:
    page = here.vera.get("/sync").text
    assert "/actions/sync/" not in page
    assert here.vera.post("/api/sync/now").status_code == 403


def test_without_a_far_side_it_says_what_to_set(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    with serving(appliance) as client:
        page = client.get("/sync").text
        assert Outline(page).faults == []
        assert "Nothing is contacted: no far side is set." in page
        assert "[[sinks]]" in page
        assert "Nothing waits" in page
    appliance.close()
