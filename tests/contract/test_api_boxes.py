"""Boxes under review over HTTP: who may decide, what a blind tow hides, and what an old page is told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Served
from tests.helpers.counted import make_blind_survey
from tests.helpers.people import browser, make_people
from tests.helpers.web import Survey, make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

BOX = [5.0, 6.0, 50.0, 60.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deck:
    """A served survey with people."""

    client: httpx.Client
    survey: Survey
    appliance: SimulatedAppliance

    @property
    def address(self) -> str:
        return f"/api/files/{self.survey.counted}"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Deck]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    make_people(appliance)
    with serving(appliance) as client:
        yield Deck(client=client, survey=survey, appliance=appliance)
    appliance.close()


def body_of(seen: dict[str, Any], *decisions: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = [{"uuid": str(uuid.uuid4()), **one} for one in decisions]
    return {"run": seen["run_uuid"], "revision": seen["revision"], "decisions": made, **more}


def rejected(seen: dict[str, Any], place: int = 0) -> dict[str, Any]:
    return {"object_id": seen["objects"][place]["object_id"], "decision": "rejected"}


def added() -> dict[str, Any]:
    return {"added_uuid": str(uuid.uuid4()), "decision": "added", "label": "opening", "box": BOX}


def test_decisions_are_beside_what_the_model_found(served_anew: Served) -> None:
    address = f"/api/files/{served_anew.survey.counted}"
    found = served_anew.client.get("/api/objects", params={"file": served_anew.survey.counted}).json()
    seen = served_anew.client.get(f"{address}/reviewed-objects").json()
    assert (seen["revision"], seen["is_reviewed"], len(seen["objects"]), seen["labels"]) == (0, False, 2, ["opening"])
    moved = {"object_id": seen["objects"][1]["object_id"], "decision": "moved", "box": BOX}
    answer = served_anew.client.post(f"{address}/decisions", json=body_of(seen, rejected(seen), moved, added(), reviewed=True))
    assert answer.status_code == 200, answer.text
    after = served_anew.client.get(f"{address}/reviewed-objects").json()
    assert (after["revision"], after["is_reviewed"], after["reviewed_by"]) == (4, True, "api 127.0.0.1")
    assert [(one["decision"], one["stands"], one["object_id"] is None) for one in after["objects"]] == [
        ("rejected", False, False),
        ("moved", True, False),
        ("added", True, True),
    ]
    assert after["objects"][1]["model_x_min_px"] == seen["objects"][1]["x_min_px"]
    assert served_anew.client.get("/api/objects", params={"file": served_anew.survey.counted}).json() == found
    page = served_anew.client.get(f"/files/{served_anew.survey.counted}").text
    assert "Everything on the image is right, says" in page


def test_candidates_come_when_they_are_asked_for(served: Served) -> None:
    address = f"/api/files/{served.survey.counted}/reviewed-objects"
    assert [one["counted"] for one in served.client.get(address, params={"candidates": True}).json()["objects"]] == [True, True, False]


def test_two_people_at_once_and_one_request_twice(deck: Deck) -> None:
    with browser(deck.client, "rita") as rita, browser(deck.client, "anna") as anna:
        seen = rita.get(f"{deck.address}/reviewed-objects").json()
        sent = body_of(seen, rejected(seen))
        assert [rita.post(f"{deck.address}/decisions", json=sent).status_code for _ in range(2)] == [200, 200]
        late = anna.post(f"{deck.address}/decisions", json=body_of(seen, rejected(seen, 1)))
        assert (late.status_code, late.json()["code"]) == (409, "decision_outdated")
        now = anna.get(f"{deck.address}/reviewed-objects").json()
        assert (now["revision"], now["objects"][0]["decided_by"]) == (1, "rita")
        assert anna.post(f"{deck.address}/decisions", json=body_of(now, rejected(now, 1), reviewed=True)).json()["reviewed_by"] == "anna"


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("jd", 403), ("rita", 200), ("anna", 200)])
def test_reviewers_decide_and_everybody_sees(deck: Deck, name: str, status: int) -> None:
    with browser(deck.client, name) as person:
        seen = person.get(f"{deck.address}/reviewed-objects").json()
        assert person.post(f"{deck.address}/decisions", json=body_of(seen, rejected(seen))).status_code == status
        page = person.get(f"/files/{deck.survey.counted}").text
        assert ('data-boxes="toggle"' in page) == (status == 200)
    assert deck.client.get(f"{deck.address}/reviewed-objects").status_code == 401


def test_a_write_needs_the_pages_token(deck: Deck) -> None:
    with browser(deck.client, "rita") as rita:
        seen = rita.get(f"{deck.address}/reviewed-objects").json()
        del rita.headers["x-csrf-token"]
        answer = rita.post(f"{deck.address}/decisions", json=body_of(seen, rejected(seen)))
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_refused")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"run": "0" * 36}, 404),
        ({"revision": -1}, 422),
        ({"decisions": [{"uuid": str(uuid.uuid4()), "object_id": 1, "decision": "eaten"}]}, 422),
        ({"decisions": [{"uuid": str(uuid.uuid4()), "object_id": 10**9, "decision": "rejected"}]}, 409),
        (
            {
                "decisions": [
                    {"uuid": str(uuid.uuid4()), "added_uuid": str(uuid.uuid4()), "decision": "added", "label": "x", "box": [0, 0, 9e9, 1]}
                ]
            },
            409,
        ),
        ({"surprise": 1}, 422),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(served_anew: Served, change: dict[str, Any], status: int) -> None:
    address = f"/api/files/{served_anew.survey.counted}"
    seen = served_anew.client.get(f"{address}/reviewed-objects").json()
    answer = served_anew.client.post(f"{address}/decisions", json={**body_of(seen), **change})
    assert answer.status_code == status, answer.text
    assert answer.json()["advice"]
    assert served_anew.client.get(f"{address}/reviewed-objects").json() == seen


def test_a_run_of_another_file_and_a_file_without_result_are_refused(served: Served) -> None:
    other = served.client.get(f"/api/files/{served.survey.nothing_found}/reviewed-objects").json()
    assert served.client.get(f"/api/files/{served.survey.counted}/reviewed-objects", params={"run": other["run_uuid"]}).status_code == 404
    answer = served.client.get(f"/api/files/{served.survey.queued}/reviewed-objects")
    assert (answer.status_code, answer.json()["code"]) == (409, "decision_refused")
    assert served.client.get("/api/files/123456/reviewed-objects").status_code == 404


def test_a_blind_tow_shows_no_boxes_and_takes_no_decision(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=2)
    (run,) = appliance.writer.execute("SELECT uuid FROM runs WHERE image_id = ?", (blind.image_ids[0],)).fetchone()
    with serving(appliance) as client, browser(client, "anna") as anna:
        address = f"/api/files/{blind.file_ids[0]}"
        asked = anna.get(f"{address}/reviewed-objects")
        sent = anna.post(f"{address}/decisions", json={"run": run, "revision": 0, "decisions": [{"uuid": str(uuid.uuid4()), **added()}]})
        for answer in (asked, sent):
            assert (answer.status_code, answer.json()["code"]) == (409, "decision_refused")
            assert "counted blind" in answer.json()["message"]
        assert "boxes-panel" not in anna.get(f"/files/{blind.file_ids[0]}").text
    assert appliance.writer.execute("SELECT count(*) FROM object_decisions").fetchone()[0] == 0
    appliance.close()
