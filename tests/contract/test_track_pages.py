"""Track, result and overview pages and their API over a real server and a real database."""

from __future__ import annotations

import html
import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.store.tracks import NewDistance
from edge.survey.track_desk import TrackFile
from edge.web.security import MAX_BODY_BYTES, MAX_UPLOAD_BYTES
from edge.web.uploads import UPLOADS_FOLDER
from tests.contract.test_pages import Outline
from tests.helpers.stations import START, Sea
from tests.helpers.web import make_survey, serving
from tests.simulators import navigation as sim
from tests.simulators.appliance import SimulatedAppliance

A = [4, 5, 6, 4, 3, 5, 6]
B = [4, 6, 5, 4, 3, 5, 7]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """An appliance whose survey has a whole station (tow 1), an empty one (tow 2) and one of zero systems (tow 3)."""

    appliance: SimulatedAppliance
    sea: Sea
    client: httpx.Client
    log: bytes
    still: int


def usbl_log() -> bytes:
    places, _ = sim.walk(600, start=START)
    return b"".join(line for place in sim.scattered(places, 1.0) for line in (sim.ptsag(place), sim.gga(place))) + b"$GPGGA,12\r\n"


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    yield from make_ship(tmp_path)


@pytest.fixture(scope="module")
def still_ship(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ship]:
    """For tests that change nothing."""
    yield from make_ship(tmp_path_factory.mktemp("ship"))


def make_ship(tmp_path: Path) -> Iterator[Ship]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    sea = Sea(tmp_path / "home")
    for name in ("Smalls", "<b>Odd & ground</b>"):
        sea.ground(name, 1000.0, planned=3)
    tows = [sea.station(name, ground="Smalls") for name in ("S1", "S2", "<script>")]
    log = usbl_log()
    path = tmp_path / "usbl.log"
    path.write_bytes(log)
    sea.desk.import_track(tows[0], TrackFile(path=path, name="<i>usbl</i>.log", source="usbl"), "anna")
    for tow, counts in ((tows[0], {"A": A, "B": B}), (tows[2], {"A": [0] * 7, "B": [0] * 7})):
        sea.counts(tow, counts)
        sea.width(tow)
    sea.desk.estimate_distance(tows[2], 0.8, "anna")
    appliance.writer.execute(
        "INSERT INTO tow_images (image_id, tow_id, how, at_s, attached_by, attached_utc) "
        "SELECT image_id, 1, 'hand', 12.0, 'test', '2026-07-14T12:00:00.000Z' FROM sightings WHERE id = ?",
        (survey.counted,),
    )
    with serving(appliance) as client:
        yield Ship(appliance=appliance, sea=sea, client=client, log=log, still=survey.counted)
    sea.close()
    appliance.close()


def page_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def test_every_page_is_sound(still_ship: Ship) -> None:
    addresses = [f"/stations/{station}/{page}" for station in (1, 2, 3) for page in ("track", "result", "track?tow=1", "result?tow=99")]
    for address in [*addresses, "/surveys/1/overview"]:
        answer = still_ship.client.get(address)
        assert answer.status_code == 200, (address, answer.text)
        outline = Outline(answer.text)
        assert outline.faults == [], address
        assert outline.headings == 1, address
        assert "<script>" not in answer.text.replace('<script src="/static/mode.js">', ""), address
        assert "<b>Odd" not in answer.text
        assert " style=" not in answer.text
    for address in ("/stations/99/track", "/stations/99/result", "/surveys/99/overview", "/api/surveys/99/estimate", "/api/tows/99/track"):
        assert still_ship.client.get(address).status_code == 404, address


def test_the_track_page_tells_what_is_in_force_and_what_is_not(still_ship: Ship) -> None:
    page = page_of(still_ship.client.get("/stations/1/track"))
    for expected in (
        "246.",
        "minute by minute along its track",
        "0.750 m",
        "tank, test",
        "1 of 1",
        "the fixes summed",
        "way way-usbl",
        ">N<",
    ):
        assert expected in page
    page = page_of(still_ship.client.get("/stations/2/track"))
    for expected in ("none: no area, no density", "none, and there is no default", "No track yet"):
        assert expected in page


def test_the_result_page_leads_from_each_figure_to_its_rows(still_ship: Ship) -> None:
    answer = still_ship.client.get("/stations/1/result")
    page = page_of(answer)
    for expected in ("counted and signed", "33.5", "version 1: minutes 2 to 8", "FU20-21, benchmark table", "legs along the track", "CCC"):
        assert expected in page
    for address in ("/stations/1/track?tow=1", "/stations/1/counts", "/surveys/1/protocol", "/stations/1/compare", "/stations/1"):
        assert f'href="{address}"' in answer.text
    assert page.count('class="counter counter-0"') == 8  # seven minutes and the legend
    empty = page_of(still_ship.client.get("/stations/2/result"))
    assert "not counted yet" in empty
    assert "no width of view" in empty


def test_the_overview_has_zero_stations_as_rings_and_says_what_is_left(still_ship: Ship) -> None:
    answer = still_ship.client.get("/surveys/1/overview")
    page = page_of(answer)
    assert len(re.findall(r'<a href="/stations/\d+/result" aria-label="Station ', answer.text)) == 3
    assert answer.text.count('<circle class="ring"') == 2  # the station and the legend
    assert "<b>2</b> counted of 6, <b>4</b> left" in page
    for expected in ("<b>Odd & ground</b> has no station in this estimate (imported counts, protocol 1)", "Running CV", "51°"):
        assert expected in page


def test_a_log_is_uploaded_bounded_and_leaves_no_file(ship: Ship) -> None:
    answer = ship.client.post("/api/tows/2/tracks/upload?name=usbl.log", content=ship.log)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["stream"], answer.json()["rows_refused"], answer.json()["is_chosen"]) == ("beacon 1", 1, True)
    assert list((ship.appliance.home / UPLOADS_FOLDER).iterdir()) == []
    refused = ship.client.post("/api/tows/2/tracks/upload?name=x.log", content=b"\x00\x01" * 500)
    assert (refused.status_code, refused.json()["code"]) == (409, "log_invalid")
    assert refused.json()["message"].startswith("x.log is no text")
    assert list((ship.appliance.home / UPLOADS_FOLDER).iterdir()) == []
    assert ship.client.post("/api/tows/99/tracks/upload?name=x.log", content=ship.log).status_code == 409
    assert ship.client.post("/api/tows/2/tracks/upload?name=x.log").status_code == 422
    connection = http.client.HTTPConnection(ship.client.base_url.host, ship.client.base_url.port or 80, timeout=60)
    connection.putrequest("POST", "/api/tows/2/tracks/upload?name=x")
    connection.putheader("Content-Length", str(MAX_UPLOAD_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    elsewhere = ship.client.post("/api/tows/2/distance", content=b" " * (MAX_BODY_BYTES + 1))
    assert elsewhere.status_code == 413


def test_distances_and_widths_over_the_api(ship: Ship) -> None:
    def post(path: str, body: dict[str, Any]) -> httpx.Response:
        return ship.client.post(path, json=body)

    assert post("/api/tows/2/distance", {"distance_m": 240.0, "source": "odometer"}).status_code == 200
    assert post("/api/tows/2/distance", {"speed_knots": 0.8}).status_code == 200
    assert post("/api/tows/2/distance", {"distance_m": 1.0, "speed_knots": 0.8}).status_code == 422
    assert post("/api/tows/2/distance", {"track_id": 1}).status_code == 404
    assert post("/api/tows/2/distance", {"from_sheet": True}).status_code == 200
    assert post("/api/tows/2/distance", {"speed_knots": 0.8}).status_code == 200
    assert post("/api/tows/2/distance", {"distance_m": -1.0}).status_code == 409
    assert post("/api/tows/1/distance", {"track_id": 1}).status_code == 200
    lasers = {
        "left_px": [300.0, 573.0],
        "right_px": [900.0, 573.0],
        "image_width_px": 1229,
        "image_height_px": 691,
        "gap_m": 0.5,
        "gap_source": "beams",
    }
    width = post("/api/tows/2/width", {"method": "lasers", "source": "click", "row_height": 0.83, "lasers": lasers})
    assert width.status_code == 200, width.text
    shown = ship.client.get("/api/tows/2/track").json()
    assert shown["width"]["width_m"] == pytest.approx(0.5 / 600 * 1229)
    assert shown["distance"]["source"] == "estimated"
    finder = {"range_m": 1.2, "offset_m": 0.2, "camera_angle_deg": 30, "vertical_view_deg": 40, "horizontal_view_deg": 50}
    assert post("/api/tows/2/width", {"method": "range_finder", "source": "x", "range_finder": finder}).status_code == 422
    body = {"method": "range_finder", "source": "x", "row_height": 0.83, "range_finder": {**finder, "range_sd_m": 0.05}}
    assert post("/api/tows/2/width", body).status_code == 200
    turned = ship.client.get("/api/tows/2/track").json()["width"]
    assert turned["row_height"] == 0.83
    assert turned["uncertainty_m"] == pytest.approx(turned["width_m"] * 0.05)
    assert post("/api/tows/2/width", {"method": "fixed", "source": "x", "width_m": 0.75}).status_code == 422
    assert (
        post("/api/tows/2/width", {"method": "fixed", "source": " ", "width_m": 0.75, "row_height": 0.8}).json()["code"] == "width_invalid"
    )
    row = shown["width"]["id"] + 1
    assert post("/api/tracks/withdraw", {"kind": "widths", "row": row}).json() == {"id": 2}
    assert ship.client.get("/api/tows/2/track").json()["width"]["method"] == "lasers"
    assert post("/api/tracks/withdraw", {"kind": "people", "row": 1}).status_code == 422
    assert post("/api/tracks/restore", {"kind": "widths", "row": row}).json() == {"id": 2}
    assert ship.client.get("/api/tows/2/track").json()["width"]["id"] == row
    assert post("/api/tracks/restore", {"kind": "widths", "row": row}).status_code == 409
    post("/api/tracks/withdraw", {"kind": "widths", "row": row})


def test_results_and_estimates_are_plain_numbers(still_ship: Ship) -> None:
    result = still_ship.client.get("/api/stations/1/result").json()
    assert result["systems"] == 33.5
    assert result["density_adjusted_per_m2"] == pytest.approx(result["density_raw_per_m2"] / 1.3)
    assert [one["minute"] for one in result["per_minute"]] == [2, 3, 4, 5, 6, 7, 8]
    assert result["openings"] == 2
    estimate = still_ship.client.get("/api/surveys/1/estimate").json()
    (version,) = estimate["estimates"]
    assert (estimate["counted"], estimate["left"], version["slug"]) == (2, 4, "imported-v1")
    assert [one["method"] for one in estimate["stations"] if one["estimated"]] == ["imported-v1"] * 2
    assert version["raw"] is None  # a ground of the plan has no station yet
    assert version["partial"]["grounds"] == ["Smalls"]
    figures = next(one["raw"] for one in version["grounds"] if one["name"] == "Smalls")
    assert figures["se_per_m2"] / figures["mean_per_m2"] == pytest.approx(1.0)  # of a station with some and one with none


def test_a_station_that_nobody_knows_becomes_a_draft(ship: Ship) -> None:
    found = ship.client.post("/api/stations/ensure", json={"station": "NEW"}).json()
    assert found["is_draft"] is True
    assert ship.client.post("/api/stations/ensure", json={"station": "NEW"}).json() == found
    assert ship.client.get(f"/api/stations/{found['station_id']}/result").json()["state"] == "draft"
    assert ship.client.post("/api/stations/ensure", json={"station": "S1"}).json()["is_draft"] is False
    assert ship.client.post("/api/stations/ensure", json={"station": "X", "survey": "none"}).status_code == 409


def test_the_forms_do_what_they_say_and_refuse_what_cannot_be(ship: Ship) -> None:
    def post(action: str, **fields: str) -> httpx.Response:
        return ship.client.post(f"/actions/tracks/{action}", data={"back": "/stations/2/track", "tow": "2", **fields})

    path = ship.appliance.home / "ship.log"
    path.write_bytes(ship.log)
    assert "notice=track_imported" in post("import", path=str(path), source="ship", time_offset_s="").headers["location"]
    assert "notice=distance_set" in post("distance", distance_m="240,5", source="odometer", covers="tow").headers["location"]
    assert "notice=distance_set" in post("distance", speed_knots="0.8").headers["location"]
    assert "notice=distance_set" in post("distance", from_sheet="1").headers["location"]
    assert "notice=distance_set" in post("choose", track="2").headers["location"]
    fixed = {"method": "fixed", "width_m": "0.8", "row_height": "0.83", "source": "tank", "uncertainty_m": "0.02"}
    assert "notice=width_set" in post("width", **fixed).headers["location"]
    laser = {"method": "lasers", "file": str(ship.still), "left_x": "0.2", "left_y": "0.8", "right_x": "0.7", "right_y": "0.8"}
    laser |= {"gap_m": "0.5", "gap_source": "beams", "row_height": "0.83"}
    assert "notice=width_set" in post("width", **laser).headers["location"]
    assert ship.client.get("/api/tows/2/track").json()["width"]["width_m"] == pytest.approx(1.0)
    assert "notice=withdrawn" in post("withdraw", kind="widths", row="4").headers["location"]
    assert ship.client.get("/api/tows/2/track").json()["width"]["width_m"] == 0.8
    assert "notice=restored" in post("restore", kind="widths", row="4").headers["location"]
    assert ship.client.get("/api/tows/2/track").json()["width"]["width_m"] == pytest.approx(1.0)
    post("withdraw", kind="widths", row="4")
    for action, fields in (
        ("distance", {"distance_m": "far", "source": "odometer", "covers": "tow"}),
        ("distance", {"distance_m": "1", "source": "odometer", "covers": "all"}),
        ("width", {**fixed, "method": "guess"}),
        ("width", {**laser, "file": "0"}),
        ("import", {"path": "/x", "source": "plane"}),
        ("withdraw", {"kind": "people", "row": "1"}),
    ):
        assert post(action, **fields).status_code == 422, (action, fields)
    assert post("width", **{**laser, "file": "9999"}).status_code == 404
    assert post("width", **{**fixed, "width_m": "90"}).status_code == 409


def test_a_report_is_one_file_that_needs_nothing_else(still_ship: Ship) -> None:
    answer = still_ship.client.get("/stations/1/report")
    assert answer.headers["content-disposition"] == 'attachment; filename="T2026_S1_report.html"'
    body = answer.text.split("</head>")[1]
    assert re.findall(r"(?:href|src|action)=|<script", body) == []
    assert "url(" not in answer.text
    for expected in ("T2026, station S1", "counted and signed", "33.5", "FU20-21, benchmark table", "way way-usbl", "Printed 20"):
        assert expected in html.unescape(body)
    hostile = still_ship.client.get("/stations/3/report")
    assert hostile.headers["content-disposition"] == 'attachment; filename="T2026__script__report.html"'
    assert "<script" not in hostile.text
    assert still_ship.client.get("/stations/99/report").status_code == 404


def test_the_overview_shows_one_method_and_the_others_numbers_beside(ship: Ship) -> None:
    sea = ship.sea
    for name in ("own1", "own2"):
        tow = sea.station(name, ground="Smalls")
        sea.counts(tow, {"A": [4.0] * 7, "B": [4.0] * 7}, origin="counted")
        sea.desk.type_distance(tow, NewDistance("odometer", 200.0, "counted"), "test")
        sea.width(tow)
    page = page_of(ship.client.get("/surveys/1/overview"))
    assert "Estimate: counted here, protocol 1" in page
    assert "in another: imported counts, protocol 1" in page
    assert "never pooled" in page
    other = page_of(ship.client.get("/surveys/1/overview?method=imported-v1"))
    assert "Estimate: imported counts, protocol 1" in other
    assert "in another: counted here, protocol 1" in other
    assert 'href="/surveys/1/overview?method=own-v1"' in other
    assert ship.client.get("/surveys/1/overview?method=own-v9").status_code == 404
    found = ship.client.get("/api/surveys/1/estimate").json()["estimates"]
    assert [(one["origin"], one["version"], one["stations"]) for one in found] == [("own", 1, 2), ("imported", 1, 2)]
