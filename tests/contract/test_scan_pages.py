"""Scans over HTTP: what the list and the page of a scan say, its objects and pictures, lines that cut, and the signature."""

from __future__ import annotations

import html
import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from edge.errors import Reason
from edge.store.connection import immediate
from edge.store.zooscan import scans as scan_store
from edge.store.zooscan.scans import SeenScan, put_project, put_scan
from tests.helpers.people import browser, make_people
from tests.helpers.web import serving
from tests.helpers.zooscan import SeededScan, meta_text, seed_scan
from tests.simulators.appliance import SimulatedAppliance

OBJECTS, MULTIPLES = 12, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A served appliance with one scan that has a result; `rita` may review, `jd` count, `vera` look."""

    appliance: SimulatedAppliance
    of: SeededScan
    rita: httpx.Client
    jd: httpx.Client
    vera: httpx.Client

    @property
    def api(self) -> str:
        return f"/api/scans/{self.of.scan_id}"

    def objects(self) -> dict[str, dict[str, Any]]:
        found = self.rita.get(f"{self.api}/objects").raise_for_status().json()["objects"]
        return {one["key"]: one for one in found}

    def neck(self, key: str) -> list[list[int]]:
        """A line across the narrowest place in the middle of an object, from one edge of its box to the other."""
        one = self.objects()[key]
        left, top, width, height = (one[name] for name in ("x_px", "y_px", "width_px", "height_px"))
        dark = self.of.clean[top : top + height, left : left + width] <= 243
        if width >= height:
            at = width // 4 + int(dark.sum(axis=0)[width // 4 : -width // 4].argmin())
            return [[left + at, top], [left + at, top + height - 1]]
        at = height // 4 + int(dark.sum(axis=1)[height // 4 : -height // 4].argmin())
        return [[left, top + at], [left + width - 1, top + at]]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    appliance = SimulatedAppliance(tmp_path / "home")
    with immediate(appliance.writer) as connection:
        of = seed_scan(connection, home=appliance.home, objects=OBJECTS, multiples=MULTIPLES, touching=2)
    make_people(appliance)
    with (
        serving(appliance) as client,
        browser(client, "rita") as rita,
        browser(client, "jd") as jd,
        browser(client, "vera") as vera,
    ):
        yield Lab(appliance=appliance, of=of, rita=rita, jd=jd, vera=vera)
        appliance.close()


def words_of(page: httpx.Response) -> str:
    """The text of a page without tags and times of day."""
    assert page.status_code == 200, page.text
    return without_times(html.unescape(re.sub(r"<[^>]*>", " ", page.text)))


def without_times(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\d\d:\d\d(:\d\d)?Z?", "", text))


def test_an_empty_list_says_how_to_begin(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    with serving(appliance) as client:
        page = client.get("/scans")
        assert "No scan yet" in words_of(page)
        assert "Zooscan_apero_sn033" in page.text
        assert client.get("/api/scans").json() == {"total": 0, "scans": []}
        appliance.close()


def test_the_list_says_what_each_scan_waits_for_or_why_it_failed(lab: Lab) -> None:
    with immediate(lab.appliance.writer) as connection:
        project = put_project(connection, "/scans/Zooscan_other_sn001", "other", "sn001", trouble="the folder cannot be read")
        put_scan(connection, project, SeenScan(name="waits_1", lacks=("waits_log_1.txt",)))
        failed = put_scan(connection, project, SeenScan(name="fails_1", raw_path="/scans/raw.tif", raw_bytes=1, raw_mtime_ns=1))
        assert scan_store.begin(connection, failed)
        scan_store.set_failed(connection, failed, Reason.TRUNCATED, "the picture ends in row 12")
    words = words_of(lab.vera.get("/scans"))
    for told in ("waits_log_1.txt", "truncated: the picture ends in row 12", "the folder cannot be read", "st66_d1_1"):
        assert told in words
    page = lab.jd.get(f"/scans/{failed}")
    shown = words_of(page)
    assert "The end of the picture is missing. Copy it again from the scanner's computer" in shown
    assert shown.count("the picture ends in row 12") == 1, "once is enough"
    assert "The folder of its project is away: the folder cannot be read" in shown
    assert lab.jd.post(f"/actions/scans/{failed}/retry", data={"back": "/scans"}).status_code == 303
    assert [one["state"] for one in lab.vera.get("/api/scans?state=queued").json()["scans"]] == ["queued"]
    assert lab.vera.get(f"/api/scans/{failed}").json()["name"] == "fails_1"
    assert "fails_1" not in words_of(lab.vera.get("/scans?state=waiting"))


def test_a_scan_with_a_result_whose_project_is_away_is_marked(lab: Lab) -> None:
    with immediate(lab.appliance.writer) as connection:
        connection.execute("UPDATE zooscan_projects SET trouble = 'its medium is out'")
    assert "its folder is away" in words_of(lab.vera.get("/scans"))
    assert "its medium is out" in words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))


def test_a_page_of_a_scan_tells_its_result_and_quality(lab: Lab) -> None:
    words = words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))
    for told in (
        "nobody signed the check",
        "20260613_0805_background_large_manual.tif",
        "51.50000° N, 12.25000° W",
        "999999 no coarser sieve",
    ):
        assert told in words
    assert "Looking only: the role count fills this in." in words
    assert lab.vera.get("/scans/99").status_code == 404
    assert "Nothing to check yet" not in words_of(lab.vera.get(f"/scans/{lab.of.scan_id}/check"))


def test_a_scan_without_a_result_has_nothing_to_check(lab: Lab) -> None:
    with immediate(lab.appliance.writer) as connection:
        scan_id = put_scan(connection, lab.of.project_id, SeenScan(name="waits_1", lacks=("waits_1_meta.txt",)))
    assert "Nothing to check yet" in words_of(lab.rita.get(f"/scans/{scan_id}/check"))
    refused = lab.rita.get(f"/api/scans/{scan_id}/objects")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_result")


def test_objects_tell_what_holds_of_them(lab: Lab) -> None:
    found = lab.vera.get(f"{lab.api}/objects").json()
    assert (len(found["objects"]), found["threshold"], found["signed"]) == (OBJECTS, 0.4, False)
    assert {one["key"] for one in found["objects"]} == set(lab.of.keys)
    assert sum(one["multiple_score"] > 0.4 for one in found["objects"]) == MULTIPLES
    packed = lab.vera.get(f"{lab.api}/outlines").content
    (length,) = struct.unpack_from("<I", packed)
    index = json.loads(packed[4 : 4 + length])
    assert len(packed) == 4 + length + 4 * sum(points for _, points in index)
    key, points = index[0]
    outline = np.frombuffer(packed, "<u2", 2 * points, 4 + length).reshape(-1, 2)
    one = lab.objects()[key]
    assert (outline.max(axis=0) + 1).tolist() == [one["width_px"], one["height_px"]]


def test_pictures_are_the_objects_own_and_kept_by_the_browser(lab: Lab) -> None:
    key = lab.of.keys[4]
    one = lab.objects()[key]
    vignette = lab.vera.get(f"{lab.api}/objects/{key}/vignette", params={"of": one["vignette"]})
    assert "immutable" in vignette.headers["cache-control"]
    with Image.open(io.BytesIO(vignette.content)) as picture:
        assert picture.size[0] >= one["width_px"]
    assert "immutable" not in lab.vera.get(f"{lab.api}/objects/{key}/vignette").headers["cache-control"]
    card = lab.vera.get(f"{lab.api}/objects/{key}").json()
    stage = card["stage"]
    with Image.open(io.BytesIO(lab.vera.get(f"{lab.api}/objects/{key}/crop", params={"of": card["run"]}).content)) as picture:
        shown = np.asarray(picture)
    assert (
        shown == lab.of.clean[stage["y_px"] : stage["y_px"] + stage["height_px"], stage["x_px"] : stage["x_px"] + stage["width_px"]]
    ).all()
    assert card["measures"]["area"] == one["area_px2"]
    assert lab.vera.get(f"{lab.api}/objects/x1y1w1h1").status_code == 404


@pytest.mark.parametrize(("level", "size"), [(0, (512, 400)), (1, (600, 200)), (3, (150, 50)), (4, (75, 25))])
def test_tiles_show_the_scan_reduced(lab: Lab, level: int, size: tuple[int, int]) -> None:
    tile = lab.vera.get(f"{lab.api}/tiles/{level}/0/0", params={"run": lab.of.run_uuid})
    with Image.open(io.BytesIO(tile.content)) as picture:
        assert picture.size == (min(size[0], 512), size[1])
        shown = np.asarray(picture).astype(float)
    seen = lab.of.clean[: size[1] << level, : 512 << level].astype(float)
    assert abs(shown.mean() - seen.mean()) < 1
    assert lab.vera.get(f"{lab.api}/tiles/{level}/9/0").status_code == 404


def test_a_vignette_that_is_not_there_is_told(lab: Lab) -> None:
    (lab.appliance.home / lab.of.folder / "vignettes.zip").unlink()
    refused = lab.vera.get(f"{lab.api}/objects/{lab.of.keys[0]}/vignette")
    assert (refused.status_code, "not there" in refused.json()["message"]) == (409, True)


def test_a_damaged_vignette_is_told_and_not_shown(lab: Lab) -> None:
    path = lab.appliance.home / lab.of.folder / "vignettes.zip"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[0]
        content[archive.getinfo(name).header_offset + 200] ^= 0xFF
    path.write_bytes(content)
    refused = lab.vera.get(f"{lab.api}/objects/{name.removesuffix('.png')}/vignette")
    assert (refused.status_code, "holds no sound" in refused.json()["message"]) == (409, True)
    assert lab.vera.get(f"{lab.api}/objects/{lab.of.keys[-1]}/vignette").status_code == 200


def test_decisions_and_their_undo(lab: Lab) -> None:
    keys = list(lab.of.keys[:2])
    answer = lab.rita.post(f"{lab.api}/decisions", json={"objects": keys, "decision": "multiple", "uuid": "one"}).json()
    assert [(one["key"], one["decision"]) for one in answer["objects"]] == [(key, "multiple") for key in keys]
    assert answer["objects"][0]["decided_by"].startswith("rita ")
    again = lab.rita.post(f"{lab.api}/decisions", json={"objects": keys, "decision": "multiple", "uuid": "one"}).json()
    assert again["revision"] == answer["revision"], "sent twice it is one"
    lab.rita.post(f"{lab.api}/decisions", json={"objects": keys, "decision": "single", "uuid": "two"})
    for _ in range(2):  # an undo that names its act and is sent twice takes back that act alone
        assert lab.rita.post(f"{lab.api}/undo", json={"action": "two"}).status_code == 200
    assert {lab.objects()[key]["decision"] for key in keys} == {"multiple"}
    back = lab.rita.post(f"{lab.api}/undo", json={}).json()
    assert [one["decision"] for one in back["objects"]] == [None, None]
    assert lab.rita.post(f"{lab.api}/undo", json={}).status_code == 409
    assert lab.rita.post(f"{lab.api}/decisions", json={"objects": ["x1y1w1h1"], "decision": "single"}).status_code == 409
    assert lab.rita.post(f"{lab.api}/decisions", json={"objects": keys, "decision": "perhaps"}).status_code == 422


def test_what_one_person_did_in_a_row_is_one_line_of_what_happened(lab: Lab) -> None:
    for key in lab.of.keys[:3]:
        lab.rita.post(f"{lab.api}/decisions", json={"objects": [key], "decision": "single"})
    lab.rita.post(f"{lab.api}/decisions", json={"objects": list(lab.of.keys[3:5]), "decision": "multiple"})
    happened = words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))
    assert happened.count("decided about objects") == 1
    assert "5 objects: 2 multiple, 3 single" in happened


def test_a_line_is_previewed_kept_and_erased(lab: Lab) -> None:
    key = lab.of.keys[0]
    line = {"object": key, "points": lab.neck(key)}
    preview = lab.rita.post(f"{lab.api}/lines/preview", json=line).json()
    assert (preview["cuts"], len(preview["parts"])) == (True, 2)
    assert set(lab.objects()) == set(lab.of.keys), "nothing is changed by looking"
    changed = lab.rita.post(f"{lab.api}/lines", json=line).json()
    parts = [one["key"] for one in changed["objects"]]
    assert changed["gone"] == [key]
    assert sorted(parts) == sorted(one["key"] for one in changed["outlines"])
    boxes = {(one["x_px"], one["y_px"], one["width_px"], one["height_px"]) for one in preview["parts"]}
    assert {(one["x_px"], one["y_px"], one["width_px"], one["height_px"]) for one in changed["objects"]} == boxes
    assert {one["cut_from"] for one in changed["objects"]} == {key}
    vignette = lab.rita.get(f"{lab.api}/objects/{parts[0]}/vignette", params={"of": changed["objects"][0]["vignette"]})
    assert vignette.headers["content-type"] == "image/png"
    card = lab.rita.get(f"{lab.api}/objects/{parts[0]}").json()
    assert (card["stage"]["key"], len(card["outlines"]), len(card["lines"])) == (key, 2, 1)
    assert lab.rita.get(f"{lab.api}/objects/{key}").status_code == 409, "it stands no more"
    whole = lab.rita.post(f"{lab.api}/lines/erase", json={"line": card["lines"][0]["uuid"]}).json()
    assert ([one["key"] for one in whole["objects"]], sorted(whole["gone"])) == ([key], sorted(parts))
    assert lab.rita.post(f"{lab.api}/undo", json={}).json()["gone"] == [key], "the line stands again"


def test_a_line_that_does_not_cut_is_refused(lab: Lab) -> None:
    key = lab.of.keys[5]
    one = lab.objects()[key]
    corner = [[one["x_px"], one["y_px"]], [one["x_px"] + 2, one["y_px"]]]
    assert not lab.rita.post(f"{lab.api}/lines/preview", json={"object": key, "points": corner}).json()["cuts"]
    refused = lab.rita.post(f"{lab.api}/lines", json={"object": key, "points": corner})
    assert (refused.status_code, refused.json()["code"]) == (409, "scan_refused")


def test_a_line_of_the_separator_is_proposed_and_accepted(lab: Lab) -> None:
    key = lab.of.keys[0]  # a pair that touches
    proposed = lab.rita.post(f"{lab.api}/lines/propose", json={"object": key}).json()
    assert proposed["cuts"]
    changed = lab.rita.post(f"{lab.api}/lines/accept", json={"object": key, "pixels": proposed["pixels"]}).json()
    assert (changed["gone"], len(changed["objects"])) == ([key], 2)


def test_a_check_is_signed_in_a_name_frozen_and_withdrawn_with_a_reason(lab: Lab) -> None:
    check = lab.rita.get(f"{lab.api}/check").json()
    assert (check["may_sign"], check["objects"], check["multiples"], check["decided"]) == (True, OBJECTS, MULTIPLES, 0)
    assert {one["level"] for one in check["findings"]} <= {"ok", "look", "wrong", "unknown"}
    lab.rita.post(f"{lab.api}/decisions", json={"objects": list(lab.of.keys), "decision": "single"})
    outdated = lab.rita.post(f"{lab.api}/sign", json={"revision": check["revision"]})
    assert (outdated.status_code, outdated.json()["code"]) == (409, "check_changed")
    check = lab.rita.get(f"{lab.api}/check").json()
    assert (check["decided"], check["multiples"]) == (OBJECTS, 0)
    assert lab.jd.post(f"{lab.api}/sign", json={"revision": check["revision"]}).status_code == 403
    signed = lab.rita.post(f"{lab.api}/sign", json={"revision": check["revision"]}).json()
    assert signed["signed_by"].startswith("rita")
    assert lab.rita.get(f"{lab.api}/objects").json()["signed"]
    key = lab.of.keys[0]
    for path, body in (
        ("decisions", {"objects": [key], "decision": "multiple"}),
        ("lines", {"object": key, "points": lab.neck(key)}),
        ("undo", {}),
        ("form", {"values": {"Vol": "12"}}),
    ):
        assert lab.rita.post(f"{lab.api}/{path}", json=body).json()["code"] == "scan_refused", path
    assert "Signed" in words_of(lab.vera.get(f"/scans/{lab.of.scan_id}/check"))
    assert lab.rita.post(f"{lab.api}/withdraw", json={"reason": " "}).status_code == 409
    assert lab.rita.post(f"{lab.api}/withdraw", json={"reason": "two were missed"}).json()["signed_by"] is None
    assert lab.rita.post(f"{lab.api}/decisions", json={"objects": [key], "decision": "multiple"}).status_code == 200
    assert "two were missed" in words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))


def test_who_may_not_sign_is_told_who_does(lab: Lab) -> None:
    for looker in (lab.vera, lab.jd):
        words = words_of(looker.get(f"/scans/{lab.of.scan_id}/check"))
        assert "Looking only: a check is signed by the role review." in words
        assert "You sign as" not in words
        assert re.search(r"\bFigures\b", words)
    words = words_of(lab.rita.get(f"/scans/{lab.of.scan_id}/check"))
    assert "You sign as" in words
    assert "Looking only" not in words


def test_nobody_signs_without_an_account(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    with immediate(appliance.writer) as connection:
        of = seed_scan(connection, objects=2)
    with serving(appliance) as client:
        revision = client.get(f"/api/scans/{of.scan_id}/check").json()["revision"]
        assert client.post(f"/api/scans/{of.scan_id}/sign", json={"revision": revision}).status_code == 401
        assert "there is no account yet" in words_of(client.get(f"/scans/{of.scan_id}/check"))
        appliance.close()


def test_a_clean_picture_that_is_gone_is_told_and_processing_again_is_offered(lab: Lab) -> None:
    offered, scan = '<button class="primary">Process again</button>', f"/scans/{lab.of.scan_id}"
    assert offered not in lab.rita.get(scan).text
    assert "clean-note" not in lab.rita.get(f"{scan}/check").text
    (lab.appliance.home / lab.of.folder / "clean.tif").unlink()
    assert "The clean picture of this result is gone from the home folder" in words_of(lab.rita.get(scan))
    assert offered in lab.rita.get(scan).text
    assert "clean-note" in lab.rita.get(f"{scan}/check").text
    lab.rita.post(f"{lab.api}/sign", json={"revision": lab.rita.get(f"{lab.api}/check").json()["revision"]}).raise_for_status()
    assert "Withdraw the signature, then process the scan again." in words_of(lab.rita.get(scan))


def test_what_is_typed_stands_beside_the_meta(lab: Lab) -> None:
    form = lab.jd.post(f"{lab.api}/form", json={"values": {"Vol": "12.5", "position_format": "decimal", "Depth": "9999"}}).json()
    fields = {one["field"]: one for one in form["fields"]}
    assert (fields["Vol"]["own"], fields["Vol"]["typed"]) == ("25.5", "12.5")
    assert fields["Vol"]["typed_by"].startswith("jd ")
    assert (fields["Depth"]["not_known"], fields["Fracsup"]["own_not_known"]) == (True, False)
    assert (form["latitude_deg"], form["longitude_deg"]) == (51.3, -12.15)
    back = lab.jd.post(f"{lab.api}/form", json={"values": {"Vol": None}}).json()
    assert {one["field"]: one["typed"] for one in back["fields"]}["Vol"] is None
    rows = lab.appliance.writer.execute("SELECT field, value FROM zooscan_entries WHERE field = 'Vol' ORDER BY id").fetchall()
    assert [tuple(row) for row in rows] == [("Vol", "12.5"), ("Vol", None)], "nothing typed is lost"
    meta = lab.appliance.writer.execute("SELECT meta FROM zooscan_scans WHERE id = ?", (lab.of.scan_id,)).fetchone()[0]
    assert bytes(meta).decode() == meta_text(), "the META stays as it is"
    assert lab.vera.post(f"{lab.api}/form", json={"values": {"Vol": "1"}}).status_code == 403


@pytest.mark.parametrize("values", [{"a=b": "1"}, {" Vol": "1"}, {"Vol": "1\n2"}])
def test_what_could_not_stand_in_a_meta_is_refused_whole(lab: Lab, values: dict[str, str]) -> None:
    assert lab.jd.post(f"{lab.api}/form", json={"values": {"Ship": "thalassa", **values}}).status_code == 409
    assert lab.appliance.writer.execute("SELECT count(*) FROM zooscan_entries").fetchone()[0] == 0


def test_the_form_tells_what_is_wrong_with_a_field(lab: Lab) -> None:
    form = lab.jd.post(f"{lab.api}/form", json={"values": {"Latitude": "91.3", "Zmin": "200"}}).json()
    assert {one["field"]: one["problem"] for one in form["fields"]}["Latitude"].startswith("Latitude is no position")
    assert "Zmin is deeper than Zmax" in form["problems"]


def test_what_an_export_would_refuse_and_what_cannot_be_stands_on_the_page(lab: Lab) -> None:
    typed = lab.jd.post(f"/api/scans/{lab.of.scan_id}/form", json={"values": {"Observation": "y" * 300, "Zmax": "-5"}}).json()
    told = {one["field"]: one["problem"] for one in typed["fields"]}
    assert told["Observation"] == "it has 300 letters; EcoTaxa takes 250: shorten it"
    assert "Zmax is below 0" in told["Zmax"]
    words = words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))
    assert re.search(r"not exported so: \w+: 300 letters; EcoTaxa keeps 250", words)
    assert "Zmax is below 0" in words


def test_the_light_stands_on_both_pages(lab: Lab) -> None:
    light = lab.appliance.scans.light(lab.of.scan_uuid)
    assert light is not None
    told = {"green": "no need", "amber": "look first", "red": "scan again"}[light.colour]
    page = words_of(lab.vera.get(f"/scans/{lab.of.scan_id}"))
    assert told in words_of(lab.vera.get("/scans"))
    assert all(without_times(words) in page for words in (told, *(sign.words for sign in light.signs)))


def test_a_signed_scan_is_offered_to_ecotaxa_and_a_transfer_can_be_cancelled(lab: Lab) -> None:
    page = f"/scans/{lab.of.scan_id}"
    assert "It is sent once its check is signed" in words_of(lab.rita.get(page))
    lab.rita.post(f"{lab.api}/sign", json={"revision": lab.rita.get(f"{lab.api}/check").json()["revision"]}).raise_for_status()
    assert f'action="/actions/scans/{lab.of.scan_id}/push"' in lab.rita.get(page).text
    assert f'action="/actions/scans/{lab.of.scan_id}/push"' not in lab.vera.get(page).text
    transfer_id = lab.appliance.ecotaxa.push(lab.of.scan_uuid, "rita", project_id=42)
    assert "project 42" in words_of(lab.rita.get(page))
    for transfer, status in ((999, 404), (transfer_id, 303)):
        cancel = f"/actions/scans/{lab.of.scan_id}/transfers/{transfer}/cancel"
        assert lab.rita.post(cancel, data={"back": page}).status_code == status
    assert "cancelled" in words_of(lab.rita.get(page))
    assert "push cancelled" in words_of(lab.vera.get("/scans"))
