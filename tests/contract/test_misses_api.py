"""Blind minutes and earlier reviews over HTTP: who may, what is hidden from whom, what is told, and the pages around them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from edge.cli import app
from tests.helpers.people import browser, make_people
from tests.helpers.reviewable import Reviewable, analyse_again, make_opening, make_reviewable
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

CLIP_S = 130.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    of: Reviewable
    client: httpx.Client

    @property
    def api(self) -> str:
        return f"/api/tows/{self.of.tow_id}"


def opening(place: int) -> Any:
    """One every five seconds of the first two minutes, in the middle of the frame."""
    at_s = 5.0 * place + 2.0
    return make_opening(place + 1)._replace(first_s=at_s - 0.5, last_s=at_s + 0.1, crossing_s=at_s, across_px=64.0, along_px=float(place))


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    appliance = SimulatedAppliance(tmp_path / "home")
    of = make_reviewable(appliance, openings=[opening(place) for place in range(24)], clip_s=CLIP_S)
    make_people(appliance)
    with serving(appliance) as client:
        yield Checked(of=of, client=client)
        appliance.close()


def content(places: list[int], *, revision: int = 0) -> dict[str, Any]:
    """Marks on these openings, of somebody who looked at both minutes."""
    marks = [[5.0 * place + 2.0, None, "system", 0.5, 0.83, "2026-11-21T12:00:00Z"] for place in places]
    nothing: dict[str, Any] = {"way": "frames", "lost": [], "notes": {}, "typed": {}, "position_s": 119.0}
    return {**nothing, "revision": revision, "marks": marks, "seen": [[0.0, 120.0]]}


def test_from_the_draw_to_what_the_model_misses(checked: Checked) -> None:
    with browser(checked.client, "rita") as rita:
        assert rita.get(f"{checked.api}/check").json()["state"] == "to_draw"
        assert rita.get(f"{checked.api}/openings/order").json()["code"] == "review_refused"
        assert "Begin the review" in rita.get(f"/tows/{checked.of.tow_id}/review").text
        drawn = rita.post(f"{checked.api}/check/draw", json={}).json()
        assert (drawn["state"], drawn["minutes"], drawn["counter"]) == ("open", [1, 2], "rita")
        assert rita.post(f"{checked.api}/check/draw", json={}).json() == drawn
        order = rita.get(f"{checked.api}/openings/order").json()
        assert (order["order"], order["tally"]["openings"], order["tally"]["hidden_minutes"]) == ([], 0, [1, 2])
        assert (order["tally"]["counted"]["model_openings"], order["tally"]["counted"]["openings"]) == (None, 0)
        marks = rita.get(f"{checked.api}/check/marks").json()
        assert (marks["state"], marks["minutes"], marks["content"]["revision"], marks["line_height"]) == ("open", [1, 2], 0, 0.83)
        times = [at_s for _, at_s in marks["frames"]]
        assert times == sorted(times)
        assert (times[0], round(times[-1])) == (0.0, 121)
        picture = rita.get(f"{checked.api}/frames/{marks['frames'][40][0]}")
        assert picture.headers["content-type"] == "image/jpeg"
        assert rita.post(f"{checked.api}/check/marks", json=content(list(range(20)))).json() == {"revision": 1}
        assert rita.post(f"{checked.api}/check/marks", json=content([1])).json()["code"] == "count_outdated"
        done = rita.post(f"{checked.api}/check/finish", json={"revision": 1}).json()
        assert (done["state"], done["result"]["marks"], done["result"]["recall"]) == ("done", 20, 1.0)
        assert [one["model_only"] for one in done["result"]["minutes"]] == [0, 4]
        assert len(rita.get(f"{checked.api}/openings/order").json()["order"]) == 24
        page = rita.get(f"/tows/{checked.of.tow_id}/review").text
        assert "Of 20 openings that rita marked in minutes 1 and 2, blind to the model, it has 20" in page
        told = rita.get(f"/api/stations/{checked.of.station_id}/result").json()["sources"]["model"]["misses"]
        assert (told["state"], told["recall"], told["is_few"]) == ("done", 1.0, True)
        for address in (f"/stations/{checked.of.station_id}/result", f"/stations/{checked.of.station_id}/report"):
            assert "20 marks are few" in rita.get(address).text
    result = CliRunner().invoke(app, ["--home", str(checked.of.appliance.home), "survey", "count", "101", "--json"])
    assert result.exit_code == 0, result.output
    counted = json.loads(result.stdout)
    assert counted["sources"]["model"]["misses"]["recall"] == 1.0
    assert counted["model_openings"] == 24


def test_of_a_hidden_minute_no_address_tells_anything(checked: Checked) -> None:
    ids = checked.of.opening_ids
    with browser(checked.client, "rita") as rita:
        assert rita.get(f"/api/openings/{ids[0]}/chips").status_code == 409
        rita.post(f"{checked.api}/check/draw", json={})
        for path in (f"/api/openings/{ids[0]}/chips", f"/api/openings/{ids[0]}/frames", f"/api/openings/{ids[0]}/frames/0"):
            assert rita.get(path).status_code == 404, path
        assert rita.get(f"{checked.api}/openings", params={"ids": f"{ids[0]},{ids[5]}"}).json()["openings"] == []
        assert rita.get(f"{checked.api}/openings").json()["total"] == 0
        refused = rita.post(f"{checked.api}/decisions", json={"openings": [ids[0]], "decision": "accepted"})
        assert refused.json()["code"] == "review_refused"
        for address in ("review", "footage", "check", "strip"):
            text = rita.get(f"/tows/{checked.of.tow_id}/{address}").text
            assert "<b>24</b>" not in text, address
            assert "24 openings" not in text, address
        rita.post(f"{checked.api}/check/decline", json={"reason": "a test"})
        assert rita.get(f"/api/openings/{ids[0]}/frames").status_code == 200
        assert "<b>24</b>" in rita.get(f"/tows/{checked.of.tow_id}/footage").text


def test_who_may(checked: Checked) -> None:
    drawing = [("check/draw", {}), ("check/marks", content([1])), ("check/finish", {"revision": 0}), ("check/decline", {"reason": "x"})]
    for name in ("jd", "vera"):
        with browser(checked.client, name) as somebody:
            for path, body in [*drawing, ("review/carry", {"openings": None})]:
                assert somebody.post(f"{checked.api}/{path}", json=body).status_code == 403, path
            assert somebody.get(f"{checked.api}/check/marks").status_code == 403
            assert somebody.get(f"{checked.api}/check").json()["state"] == "to_draw"
            page = somebody.get(f"/tows/{checked.of.tow_id}/review").text
            assert "The role review begins it" in page
            assert 'id="draw"' not in page
    with browser(checked.client, "rita") as rita, browser(checked.client, "anna") as anna:
        assert rita.get(f"{checked.api}/check/marks").json()["message"] == "no minutes are drawn"
        assert anna.post(f"{checked.api}/check/decline", json={"reason": "x"}).json()["message"] == "no minutes are drawn"
        rita.post(f"{checked.api}/check/draw", json={})
        for path, body in drawing[1:3]:
            assert anna.post(f"{checked.api}/{path}", json=body).json()["message"] == "rita counts these minutes", path
        assert anna.get(f"{checked.api}/check/marks").json()["message"] == "rita counts these minutes"
        assert (
            anna.get(f"/tows/{checked.of.tow_id}/check", follow_redirects=False).headers["location"] == f"/tows/{checked.of.tow_id}/review"
        )
        page = anna.get(f"/tows/{checked.of.tow_id}/review").text
        assert "rita counts them blind to the model first" in page
        assert "Count them now" not in page
        assert "Count them now" in rita.get(f"/tows/{checked.of.tow_id}/review").text
        assert anna.post(f"{checked.api}/check/decline", json={"reason": ""}).status_code == 409
        assert anna.post(f"{checked.api}/check/decline", json={"reason": "rita is seasick"}).json()["state"] == "declined"
        assert "rita is seasick" in rita.get(f"/tows/{checked.of.tow_id}/review").text


def test_an_administrator_takes_over_minutes_that_were_drawn_before_there_were_accounts(checked: Checked) -> None:
    misses = checked.of.appliance.reviews.misses
    minutes = misses.draw(checked.of.tow_id, "", "somebody at the ship").minutes
    path, page = f"{checked.api}/check/take-over", f"/tows/{checked.of.tow_id}/review"
    with browser(checked.client, "rita") as rita, browser(checked.client, "anna") as anna:
        assert anna.get(f"{checked.api}/check/marks").json()["message"] == "somebody without an account counts these minutes"
        assert rita.post(path, json={}).status_code == 403
        assert 'id="take-over"' not in rita.get(page).text
        assert 'id="take-over"' in anna.get(page).text
        answer = anna.post(path, json={}).json()
        assert (answer["state"], answer["counter"], tuple(answer["minutes"])) == ("open", "anna", minutes)
        assert anna.post(f"{checked.api}/check/marks", json=content([1])).json() == {"revision": 1}
        assert "Count them now" in anna.get(page).text
        assert 'id="take-over"' not in anna.get(page).text
        assert anna.post(path, json={}).json()["message"] == "anna counts these minutes"
    rows = checked.of.appliance.writer.execute("SELECT detail_json FROM audit WHERE action = 'miss_check_taken_over'").fetchall()
    assert [json.loads(row[0])["counter"] for row in rows] == ["anna"]


@pytest.mark.parametrize(
    "change",
    [
        {"way": "typed"},
        {"typed": {"1": [3, 0, None, None]}},
        {"marks": [[1.0, None, "burrow", 0.5, 0.5, "now"]]},
        {"marks": [[1.0, None, "system", 1.5, 0.5, "now"]]},
        {"marks": [[-1.0, None, "system", 0.5, 0.5, "now"]]},
        {"seen": [[5.0, 1.0]]},
        {"revision": "x"},
    ],
)
def test_marks_that_are_none_are_refused_and_nothing_is_kept(checked: Checked, change: dict[str, Any]) -> None:
    with browser(checked.client, "rita") as rita:
        rita.post(f"{checked.api}/check/draw", json={})
        answer = rita.post(f"{checked.api}/check/marks", json={**content([1]), **change})
        assert (answer.status_code, answer.json()["code"]) == (409, "count_refused")
        assert rita.get(f"{checked.api}/check/marks").json()["content"]["revision"] == 0


def test_an_unknown_tow_is_not_found(checked: Checked) -> None:
    with browser(checked.client, "rita") as rita:
        for path in ("check", "check/marks", "review/earlier"):
            assert rita.get(f"/api/tows/999/{path}").status_code == 404, path
        assert rita.get("/tows/999/check").status_code == 404


def test_earlier_decisions_are_shown_taken_over_and_listed(checked: Checked) -> None:
    of = checked.of
    with browser(checked.client, "rita") as rita, browser(checked.client, "anna") as anna:
        rita.post(f"{checked.api}/check/draw", json={})
        rita.post(f"{checked.api}/check/decline", json={"reason": "a test"})
        rita.post(f"{checked.api}/decisions", json={"openings": of.opening_ids[:5], "decision": "accepted"})
        rita.post(f"{checked.api}/decisions", json={"openings": of.opening_ids[23:], "decision": "rejected"})
        again = analyse_again(of, [opening(place) for place in range(23)])
        told = anna.get(f"{checked.api}/review/earlier").json()
        assert (told["waiting"], told["groups"], [one["ordinal"] for one in told["unplaced"]]) == (5, 0, [24])
        assert told["unplaced"][0]["earlier"]["decision"] == "rejected"
        assert told["reviews"][0]["decided"] == 6
        shown = anna.get(f"{checked.api}/openings", params={"show": "earlier"}).json()
        assert [one["ordinal"] for one in shown["openings"]] == [1, 2, 3, 4, 5]
        assert {one["earlier"]["decision"] for one in shown["openings"]} == {"accepted"}
        assert shown["openings"][0]["earlier"]["decided_by"].startswith("rita ")
        assert shown["openings"][0]["decision"] is None
        page = anna.get(f"/tows/{of.tow_id}/review").text
        assert '<b id="waiting">5</b> decisions and <b id="waiting-groups">0</b> groups' in page
        assert "<b>1</b> found no partner" in page
        earlier = anna.get(f"/tows/{of.tow_id}/review/earlier").text
        assert earlier.count("waits to be taken over") == 5
        assert earlier.count("no partner") == 1
        one = anna.post(f"{checked.api}/review/carry", json={"openings": [again.opening_ids[0]]}).json()
        assert [(row["ordinal"], row["decision"], row["earlier"]) for row in one["openings"]] == [(1, "accepted", None)]
        rest = anna.post(f"{checked.api}/review/carry", json={"openings": None}).json()
        assert len(rest["openings"]) == 4
        assert anna.post(f"{checked.api}/review/carry", json={}).json()["code"] == "review_refused"
        undone = anna.post(f"{checked.api}/review/undo", json={}).json()
        assert {row["earlier"]["decision"] for row in undone["openings"]} == {"accepted"}
        assert anna.get(f"{checked.api}/review/earlier").json()["waiting"] == 4


def test_the_grid_begins_with_what_was_counted_and_says_how_many_the_rest_are(checked: Checked) -> None:
    db = checked.of.appliance.writer
    db.execute("UPDATE tow_openings SET crossing_s = NULL WHERE ordinal > 18")
    db.execute("UPDATE tow_openings SET confidence = 0.2 WHERE ordinal <= 3")
    with browser(checked.client, "rita") as rita:
        rita.post(f"{checked.api}/check/draw", json={})
        rita.post(f"{checked.api}/check/decline", json={"reason": "a test"})
        tally = rita.get(f"{checked.api}/openings/order", params={"among": "counted"}).json()
        assert len(tally["order"]) == 15
        assert {name: part["openings"] for name, part in tally["tally"]["among"].items()} == {
            "counted": 15,
            "doubtful": 3,
            "outside": 0,
            "uncrossed": 6,
            "all": 24,
        }
        assert len(rita.get(f"{checked.api}/openings/order", params={"among": "uncrossed"}).json()["order"]) == 6
        assert rita.get(f"{checked.api}/openings/order", params={"among": "elsewhere"}).status_code == 422
        assert '<span id="of">15</span>' in rita.get(f"/tows/{checked.of.tow_id}/review").text
