"""The JSON API and the page of EcoTaxa, over a real server and an EcoTaxa on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.zooscan.ecotaxa.desk import EcotaxaDesk
from tests.helpers.ecotaxa_home import add_run, add_scan
from tests.helpers.small_import import KEYS, SCAN, make_zip
from tests.helpers.web import serving
from tests.simulators.appliance import DirectWriter, SimulatedAppliance
from tests.simulators.ecotaxa import ecotaxa
from tests.simulators.ecotaxa_world import NAME, PASSWORD, USER, World


class Served:
    """An appliance with a scan, its client, and the EcoTaxa it talks to."""

    def __init__(self, appliance: SimulatedAppliance, client: httpx.Client, world: World) -> None:
        self.appliance = appliance
        self.client = client
        self.world = world

    def post(self, path: str, status: int = 200, /, **body: Any) -> Any:
        answer = self.client.post(f"/api/ecotaxa/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/ecotaxa/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "server"
    folder.mkdir()
    world = World(folder)
    with ecotaxa(world) as server:
        appliance = SimulatedAppliance(tmp_path / "home")
        writer = DirectWriter(appliance)
        scan_id = add_scan(writer, tmp_path / "Zooscan_apero_sn033", "apero", SCAN)
        add_run(writer, scan_id, KEYS)
        appliance.ecotaxa = EcotaxaDesk(
            appliance.home, writer, appliance.reader, server=server.url, project_id=42, make_archive=lambda _, to: make_zip(to)
        )
        with serving(appliance) as client:
            yield Served(appliance, client, world)
        appliance.close()


def test_a_scan_goes_there_and_its_categories_come_back(served: Served) -> None:
    state = served.post("login", username=USER, password=PASSWORD)
    assert state == {"server": state["server"], "username": USER, "keeps_password": False, "name": NAME}
    pushed = served.post("push", 202, scan=SCAN)
    assert (pushed["state"], pushed["mode"], pushed["ecotaxa_project_id"]) == ("queued", "new", 42)
    run(served, pushed["id"])
    for one in served.world.projects[42].objects.values():
        one.status, one.category, one.category_id = "validated", "Calanus", 55
    pulled = served.post("pull", 202, scan=SCAN)
    run(served, pulled["id"])
    found = served.get("transfers")
    assert [(one["kind"], one["state"]) for one in found] == [("pull", "done"), ("push", "done")]
    assert found[0]["report"]["by_status"] == {"validated": 3}
    assert served.get(f"transfers/{pulled['id']}") == found[0]
    assert served.get(f"transfers?scan_id={pulled['scan_id']}") == found
    assert served.get("transfers?scan_id=99") == []


def run(served: Served, transfer_id: int) -> None:
    for _ in range(20):
        served.post("retry")
        served.appliance.ecotaxa.step()
        if served.get(f"transfers/{transfer_id}")["state"] == "done":
            return
    raise AssertionError(served.get(f"transfers/{transfer_id}")["detail"])


def test_what_cannot_be_is_refused_with_code_and_advice(served: Served) -> None:
    assert served.post("push", 409, scan="nothing")["message"] == "there is no scan nothing"
    served.post("push", 202, scan=SCAN)
    assert "is under way" in served.post("push", 409, scan=SCAN)["message"]
    assert served.post("transfers/99/cancel", 404)["code"] == "not_found"
    assert "asks nothing" in served.post("transfers/1/answer", 409, taxa={"a": 1})["message"]
    assert served.post("transfers/1/cancel")["state"] == "cancelled"
    assert served.post("login", 503, username=USER, password="wrong")["code"] == "login_needed"
    assert served.post("pull-file", 409, path="/nowhere/export.tsv")["code"] == "input_invalid"
    assert served.post("push", 422, scan=SCAN, mode="anyhow")["code"] == "invalid_request"


def test_a_password_is_never_in_an_answer(served: Served) -> None:
    answer = served.client.post("/api/ecotaxa/login", json={"username": USER, "password": PASSWORD, "keep_password": True})
    assert PASSWORD not in answer.text
    assert PASSWORD not in served.client.get("/api/ecotaxa/login").text
    refused = served.client.post("/api/ecotaxa/login", json={"username": "", "password": PASSWORD})
    assert refused.status_code == 422
    assert PASSWORD not in refused.text
    assert served.get("login")["keeps_password"]
    assert served.post("logout") == {"forgotten": True}
    assert served.get("login") == {**served.get("login"), "username": None, "keeps_password": False}


def press(served: Served, path: str, **fields: str) -> str:
    """A button of the page; returns the page that it leads back to."""
    answer = served.client.post(f"/actions/ecotaxa/{path}", data={"back": "/scans/ecotaxa", **fields})
    assert answer.status_code == 303, answer.text
    return served.client.get(answer.headers["location"]).text


def test_the_page_signs_in_shows_answers_and_sends_again(served: Served) -> None:
    assert "Nobody has signed in" in served.client.get("/scans/ecotaxa").text
    page = press(served, "login", username=USER, password=PASSWORD, keep="1")
    assert "Signed in at EcoTaxa" in page
    assert "the password is kept" in page
    assert PASSWORD not in page
    pushed = served.post("push", 202, scan=SCAN)
    assert "waits" in served.client.get("/scans/ecotaxa").text
    served.appliance.ecotaxa.step()
    job = next(iter(served.world.jobs.values()))
    job.state, job.question = "A", {"missing_taxa": ["calanus <x>"], "missing_users": ["Jane"]}
    served.post("retry")
    served.appliance.ecotaxa.step()
    page = served.client.get("/scans/ecotaxa").text
    assert "EcoTaxa asks" in page
    assert "calanus &lt;x&gt;" in page
    refused = served.client.post(f"/actions/ecotaxa/{pushed['id']}/answer", data={"taxon-0": "many", "user-0": "1"})
    assert refused.status_code == 422
    assert "the import goes on" in press(served, f"{pushed['id']}/answer", **{"taxon-0": "45", "user-0": "7"})
    assert served.get(f"transfers/{pushed['id']}")["answer"] == {"taxa": {"calanus <x>": 45}, "users": {"Jane": 7}}
    run(served, pushed["id"])
    press(served, f"{pushed['id']}/again", mode="update")
    assert [(one["mode"], one["state"]) for one in served.get("transfers")] == [("update", "queued"), ("new", "done")]
    press(served, f"{served.get('transfers')[0]['id']}/cancel")
    assert "Token and password are forgotten" in press(served, "logout")
    assert served.client.post("/actions/ecotaxa/99/cancel").status_code == 404
    assert served.client.post(f"/actions/ecotaxa/{pushed['id']}/again", data={"mode": "anyhow"}).status_code == 422
