"""Surveys, protocols and station sheets on the pages and in the JSON API, over a real server and a real database."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.store.counts import NewCount, open_count
from edge.survey.sheet_desk import NewSurvey
from edge.values import CaptureTime
from tests.contract.test_pages import Outline
from tests.helpers.seed import add_model, add_station, done
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance

SHEET = (
    "Video_Line_Name,Ground,Date SOL,Time SOL,Date EOL,Time EOL,Degrees Lat SOL,Minutes Lat SOL,N/S SOL,Degrees Lon SOL,Minutes Lon SOL,"
    "E/W SOL,Comments,DVD_number\r\n"
    "125,Smalls,2020-07-15,23:55:01,2020-07-16,00:05:00,51,9.8057,N,-6,37.0054,W,<script>alert(1)</script>,2\r\n"
    "130,Smalls,2020-07-16,00:49:01,2020-07-16,00:59:00,51,13.4108,N,-6,33.0296,W,starfish,0\r\n"
)
RULES = {
    "first_minute": 2,
    "last_minute": 8,
    "minute_rule": "drop_minute",
    "line_height": 0.83,
    "edge_rule": "any_opening_inside",
    "counters": 2,
    "min_mean_per_minute": 1.5,
    "ccc_limit": 0.5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A survey with two stations, and a client."""

    appliance: SimulatedAppliance
    client: httpx.Client
    survey: int

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        outline = Outline(answer.text)
        assert outline.faults == [], path
        assert outline.headings == 1, path
        return html.unescape(answer.text)

    def station(self, name: str) -> dict[str, Any]:
        stations = self.get(f"/api/surveys/{self.survey}")["stations"]
        found: dict[str, Any] = next(one for one in stations if one["station"] == name)
        return found

    def bring(self, text: str = SHEET, **options: Any) -> Any:
        content = base64.b64encode(text.encode()).decode()
        return self.post("/api/sheet/import", {"name": "sheet.csv", "content_base64": content, "survey": "CV20017", **options})


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = appliance.sheets.create_survey(
        NewSurvey(name="CV20017", functional_unit="FU22", vessel="R.V. Celtic Voyager", year=2020), "mary"
    )
    with serving(appliance) as client:
        yield Watch(appliance=appliance, client=client, survey=survey)
        appliance.close()


def test_an_empty_appliance_says_what_to_do_next(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    with serving(appliance) as client:
        assert "There is no survey yet. Make one below" in client.get("/surveys").text
        answer = client.post("/actions/surveys/create", data={"name": "CV20017", "year": "2020"})
        assert answer.headers["location"] == "/surveys/1?notice=survey_made"
        page = html.unescape(client.get("/surveys/1").text)
        assert "No station yet. Import the station sheet" in page
        assert "No protocol yet" in page
        assert "No ground yet" in page
        assert client.post("/actions/surveys/create", data={"name": "CV20017"}).status_code == 409
        assert client.post("/actions/surveys/create", data={"name": "B", "year": "twenty"}).status_code == 422
        appliance.close()


def test_every_page_is_sound_and_escapes_what_was_typed(watch: Watch) -> None:
    watch.bring()
    station = watch.station("125")
    watch.post(f"/api/tows/{station['tow_id']}/sheet", {"changes": [{"field": "ground", "value": '"><img src=x>'}]})
    for path in ("/surveys", f"/surveys/{watch.survey}", f"/surveys/{watch.survey}/protocol", f"/surveys/{watch.survey}/import"):
        watch.page(path)
    watch.page(f"/stations/{station['id']}")
    raw = watch.client.get(f"/stations/{station['id']}").text
    assert "<script>alert" not in raw
    assert "<img src=x>" not in raw
    assert watch.client.get("/surveys/99").status_code == 404
    assert watch.client.get("/stations/99").status_code == 404
    assert watch.client.get("/api/tows/99/sheet").status_code == 404


def test_a_sheet_is_looked_at_then_imported_and_again_changes_nothing(watch: Watch) -> None:
    seen = watch.bring(dry_run=True)
    assert (seen["outcome"]["new_stations"], seen["refused"], watch.get(f"/api/surveys/{watch.survey}")["stations"]) == (
        ["125", "130"],
        False,
        [],
    )
    assert watch.bring()["outcome"]["new_grounds"] == ["Smalls"]
    assert watch.bring()["outcome"]["unchanged"] == 2
    assert [one["station"] for one in watch.get(f"/api/surveys/{watch.survey}")["stations"]] == ["125", "130"]


def test_a_refused_sheet_lists_its_faults_and_writes_nothing(watch: Watch) -> None:
    mixed = SHEET.replace("2020-07-15", "15/07/2020").replace("2020-07-16,00:49:01", "07/16/2020,00:49:01")
    seen = watch.bring(mixed, dry_run=True)
    assert (seen["refused"], seen["outcome"]) == (True, None)
    assert {(fault["row"], fault["column"]) for fault in seen["faults"] if fault["refuses"]} == {(2, "Date SOL"), (3, "Date SOL")}
    content = base64.b64encode(mixed.encode()).decode()
    answer = watch.client.post("/api/sheet/import", json={"name": "sheet.csv", "content_base64": content, "survey": "CV20017"})
    assert answer.status_code == 409
    assert "row 2, Date SOL" in answer.json()["message"]
    assert watch.get(f"/api/surveys/{watch.survey}")["stations"] == []
    said = watch.bring(mixed, date_order="dmy")
    assert [fault["row"] for fault in said["faults"]] == [3]


def test_an_import_says_what_it_is_for(watch: Watch) -> None:
    def refusal(**changes: Any) -> str:
        content = base64.b64encode(SHEET.encode()).decode()
        answer = watch.client.post("/api/sheet/import", json={"name": "sheet.csv", "content_base64": content, **changes})
        assert answer.status_code == 409
        return str(answer.json()["message"])

    assert "no survey X" in refusal(survey="X")
    assert "did not arrive whole" in refusal(content_base64="?")
    assert "time zone 'BST'" in refusal(utc_offset="BST")
    assert watch.bring(survey=None)["survey"] == "CV20017"


def test_a_field_is_acknowledged_with_what_it_reads_as(watch: Watch) -> None:
    watch.bring()
    tow = watch.station("125")["tow_id"]
    state = watch.post(f"/api/tows/{tow}/sheet", {"changes": [{"field": "start_depth", "value": "104,5 m", "based_on": 0}]})
    assert state["recorded"][0]["entry_id"] > 0
    assert state["tow"]["start_depth_m"] == 104.5
    state = watch.post(f"/api/tows/{tow}/sheet", {"changes": [{"field": "start_depth", "value": "deep", "based_on": 0}]})
    assert state["recorded"][0]["meanwhile"]["value"] == "104,5 m"
    assert state["faults"]["start_depth"] == {
        "field": "start_depth",
        "kind": "unreadable",
        "message": "'deep' is no number",
        "effect": "No figure depends on it.",
    }
    undone = watch.post(f"/api/tows/{tow}/sheet/undo", {"field": "start_depth"})
    assert (undone["tow"]["start_depth_m"], undone["faults"]) == (104.5, {})
    history = watch.get(f"/api/tows/{tow}/sheet/history?field=start_depth")
    assert [(one["value"], one["source"]) for one in history] == [("104,5 m", "undo"), ("deep", "api"), ("104,5 m", "api")]
    assert watch.get(f"/api/tows/{tow}/sheet")["entries"]["other:DVD_number"]["value"] == "2"
    assert watch.client.post(f"/api/tows/{tow}/sheet", json={"changes": [{"field": "foo", "value": "1"}]}).status_code == 409
    assert watch.client.post(f"/api/tows/{tow}/sheet", json={"changes": []}).status_code == 422


def test_the_form_keeps_the_sheet_without_script(watch: Watch) -> None:
    watch.bring()
    station = watch.station("130")
    sheet = {key: entry["value"] for key, entry in watch.get(f"/api/tows/{station['tow_id']}/sheet")["entries"].items()}
    answer = watch.client.post(
        f"/actions/tows/{station['tow_id']}/sheet", data={**sheet, "visibility": "poor", "back": f"/stations/{station['id']}"}
    )
    assert answer.headers["location"] == f"/stations/{station['id']}?notice=sheet_kept"
    changed = watch.get(f"/api/tows/{station['tow_id']}/sheet")
    assert (changed["tow"]["visibility"], changed["tow"]["comments"]) == ("Poor", "starfish")
    assert len(watch.get(f"/api/tows/{station['tow_id']}/sheet/history")) == len(sheet) + 1


def test_a_survey_lists_its_faults_and_where_counts_stand(watch: Watch) -> None:
    watch.bring(SHEET.replace("00:49:01", "00:01:00"))
    page = watch.page(f"/surveys/{watch.survey}")
    assert page.count("overlaps in time with that of station") == 2
    assert "not begun" in page
    status = watch.get(f"/api/surveys/{watch.survey}")
    assert status["stations_by_counts"] == {"not_begun": 2}
    assert "overlaps in time" in watch.page(f"/stations/{watch.station('125')['id']}")


def test_a_ground_has_an_area_only_with_its_source(watch: Watch) -> None:
    watch.bring()
    back = {"back": f"/surveys/{watch.survey}"}
    form = {"name": "Smalls", "area_km2": "2881,5", "area_source": "stock annex 2019", "stations_planned": "42", **back}
    assert watch.client.post(f"/actions/surveys/{watch.survey}/ground", data=form).status_code == 303
    page = watch.page(f"/surveys/{watch.survey}")
    assert "stock annex 2019" in page
    assert "2 stations; 42 planned" in page
    assert '<td class="n">2</td><td class="n">42</td><td class="n">42</td>' in page  # two on the list, none counted: all are left
    assert watch.client.post(f"/actions/surveys/{watch.survey}/ground", data={**form, "area_source": ""}).status_code == 409
    assert watch.client.post(f"/actions/surveys/{watch.survey}/ground", data={**form, "area_km2": "big"}).status_code == 422
    (ground,) = watch.get(f"/api/surveys/{watch.survey}")["grounds"]
    assert ground == {"id": 1, "name": "Smalls", "area_km2": 2881.5, "area_source": "stock annex 2019", "stations_planned": 42}


def test_a_protocol_is_stated_changed_with_a_reason_and_never_filled_in(watch: Watch) -> None:
    path = f"/surveys/{watch.survey}/protocol"
    preset = watch.page(f"{path}?preset=irish")
    assert 'name="last_minute" value="8"' in preset
    assert 'name="correction_factor" value=""' in preset
    scottish = watch.page(f"{path}?preset=scottish")
    assert 'name="last_minute" value=""' in scottish
    kept = watch.client.post(f"/actions{path}", data={"reason": "the manual", "first_minute": "2", "line_height": "about 0.8"})
    assert kept.status_code == 409
    assert 'value="about 0.8"' in kept.text
    assert "it is not stated" in kept.text
    form = {key: str(value) for key, value in RULES.items()}
    assert watch.client.post(f"/actions{path}", data={**form, "reason": "the manual"}).status_code == 303
    assert "Version 1 is in force" in watch.page(path)
    with_factor = {**RULES, "correction_factor": 1.3}
    refused = watch.client.post(f"/api{path}", json={**with_factor, "reason": "benchmark"})
    assert (refused.status_code, "has none" in refused.json()["message"]) == (409, True)
    watch.post(f"/api{path}", {**with_factor, "correction_source": "benchmark 2009", "reason": "now stated"})
    page = watch.page(path)
    assert "Correction factor: 1.3, was not stated" in page
    assert "now stated" in page
    assert watch.client.post(f"/api{path}", json={**with_factor, "correction_source": "benchmark 2009", "reason": "x"}).status_code == 409


def test_a_draft_is_put_where_it_belongs(watch: Watch) -> None:
    watch.appliance.sheets.create_survey(NewSurvey(name="CV21013"), "mary")
    draft = watch.appliance.sheets.ensure_station("7", None, "ingest")
    assert [one["station"] for one in watch.get("/api/surveys/drafts")["stations"]] == ["7"]
    assert "Drafts without a survey" in watch.page("/surveys")
    assert "no survey knows this station" in watch.page(f"/stations/{draft}")
    answer = watch.client.post(f"/actions/stations/{draft}/adopt", data={"survey": str(watch.survey), "back": f"/stations/{draft}"})
    assert answer.status_code == 303
    assert watch.station("7")["is_draft"] is False
    assert watch.client.post(f"/actions/stations/{draft}/adopt", data={"survey": "2"}).status_code == 409


def test_stations_and_tows_are_added_by_hand(watch: Watch) -> None:
    opened = watch.client.post(f"/actions/surveys/{watch.survey}/station", data={"name": "131"}).headers["location"]
    page = watch.page(opened)
    assert "131" in page
    assert watch.client.post(f"/actions/surveys/{watch.survey}/station", data={"name": "131"}).status_code == 409
    second = watch.client.post(f"/actions{opened}/tow").headers["location"]
    assert "Tow 2" in watch.page(second)
    assert watch.post(f"/api/surveys/{watch.survey}/stations", {"name": "132"})["id"] > 0


def test_the_fields_are_told(watch: Watch) -> None:
    fields = {field["key"]: field for field in watch.get("/api/sheet/fields")}
    assert fields["start_latitude_degrees"]["table_name"] == "Degrees Lat SOL"
    assert fields["visibility"]["codes"] == ["Excellent", "Good", "OK", "Poor", "Very Poor"]
    assert "no minute to count by" in fields["end_time"]["effect"]


def test_a_sheet_larger_than_other_bodies_is_taken(watch: Watch) -> None:
    rows = "".join(f"{number},Smalls,NA,NA,NA,NA,NA,NA,NA,NA,NA,NA,{'x' * 900},0\r\n" for number in range(1000, 1300))
    answer = watch.bring(SHEET + rows)
    assert answer["outcome"]["stations"] == 302
    assert len(json.dumps(answer)) > 0


def test_files_without_a_tow_are_listed_with_the_reason_and_attached_by_hand(watch: Watch) -> None:
    watch.bring()
    db = watch.appliance.writer
    folder, pack = add_station(db, watch.appliance.home / "inbox", b"card", make=True), add_model(db)
    when = CaptureTime(utc="2020-07-16T00:50:01.000Z", local=None, source="file_name")
    done(db, folder, b"timed.jpg", pack, capture_time=when)
    done(db, folder, b"<b>untimed.jpg", pack)
    path = f"/surveys/{watch.survey}/media"
    assert "no survey has a camera yet" in watch.page(path)
    camera = {"name": "HD", "time_offset_s": "0", "back": path}
    assert watch.client.post(f"/actions{path.removesuffix('media')}camera", data=camera).status_code == 303
    watch.appliance.media.step()
    page = watch.page(path)
    assert "the file has no time, and its folder says no station" in page
    station = watch.station("130")
    (image,) = watch.get(f"/api/tows/{station['tow_id']}/images")
    assert (image["camera"], image["how"], image["at_s"]) == ("HD", "time", 60.0)
    form = {"folder": "1", "tow": str(station["tow_id"]), "back": path}
    attach = f"/actions/surveys/{watch.survey}/attach"
    assert watch.client.post(attach, data=form).headers["location"] == f"{path}?notice=attached&n=1"
    raw = watch.client.get(f"/stations/{station['id']}").text
    assert "<b>untimed" not in raw
    assert "2 files of this tow" in watch.page(f"/stations/{station['id']}")
    other = watch.station("125")["tow_id"]
    assert watch.client.post(attach, data={"file": str(image["file_id"]), "tow": str(other)}).status_code == 303
    assert [one["how"] for one in watch.get(f"/api/tows/{other}/images")] == ["hand"]
    assert watch.client.post(attach, data={"tow": "99"}).status_code == 404
    assert watch.client.post(attach, data={"tow": str(other), "folder": "x"}).status_code == 422
    bad = watch.client.post(f"/api/surveys/{watch.survey}/cameras", json={"name": "SD", "time_offset_s": 5})
    assert "has no source" in bad.json()["message"]
    assert [one["name"] for one in watch.get(f"/api/surveys/{watch.survey}/cameras")] == ["HD"]
    assert watch.post(f"/api/tows/{station['tow_id']}/images", {"file_ids": [image["file_id"]]}) == {"changed": 1}


def test_a_second_copy_is_asked_for_told_and_cancelled(watch: Watch, tmp_path: Path) -> None:
    watch.bring()
    station = watch.station("130")
    db = watch.appliance.writer
    folder, pack = add_station(db, watch.appliance.home.parent / "card", b"130", make=True), add_model(db)
    (tmp_path / "card" / "130" / "a.jpg").write_bytes(b"picture")
    done(db, folder, b"a.jpg", pack, content=b"picture")
    watch.post(f"/api/tows/{station['tow_id']}/images", {"file_ids": [1]})
    asked = watch.client.post(
        f"/actions/tows/{station['tow_id']}/copy", data={"to": str(tmp_path / "usb"), "back": f"/stations/{station['id']}"}
    )
    assert asked.headers["location"] == f"/stations/{station['id']}?notice=copying"
    watch.appliance.copies.wait(1)
    told = watch.get("/api/copies/1")
    assert (told["state"], told["files"], told["size_bytes"]) == ("done", 1, 7)
    assert watch.get(f"/api/tows/{station['tow_id']}/copies") == [told]
    assert "verified" in watch.page(f"/stations/{station['id']}")
    assert watch.client.post("/api/copies/1/cancel").status_code == 409
    assert watch.client.post("/actions/copies/1/cancel").status_code == 409
    assert watch.client.get("/api/copies/2").status_code == 404
    assert watch.client.post(f"/api/tows/{station['tow_id']}/copies", json={"to": "usb"}).status_code == 409


def test_a_tow_that_is_being_counted_says_so_and_its_rules_say_what_a_change_does(watch: Watch) -> None:
    watch.bring()
    protocol = watch.post(f"/api/surveys/{watch.survey}/protocol", {**RULES, "reason": "manual"})["id"]
    station = watch.station("125")
    assert "Another start of line moves its minutes" not in watch.page(f"/stations/{station['id']}")
    new = NewCount(tow_id=station["tow_id"], protocol_id=protocol, person_id=None, counter="anna", content=b"{}")
    open_count(watch.appliance.writer, watch.appliance.seal, new, actor="anna")
    assert "1 count has been begun on this tow" in watch.page(f"/stations/{station['id']}")
    page = watch.page(f"/surveys/{watch.survey}/protocol")
    assert "under version 1, 1 count of 1 tow, stays as it is" in page
    assert "never mixed" in page
    stood = watch.station("125")
    assert (stood["counts"], stood["signed"], stood["needed"]) == ("counter_missing", 0, 2)
    assert "being counted" in watch.page(f"/surveys/{watch.survey}")
