"""How a scan leaves, over HTTP: the page of it, its files, what is refused, the figures of its sample."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.store.connection import immediate
from edge.store.zooscan.entries import add_entries
from edge.store.zooscan.scans import SeenScan, put_scan, set_gone
from edge.web.routes import scan_exports
from tests.helpers.ecotaxa_reader import objections, read_zip
from tests.helpers.people import browser, make_people
from tests.helpers.web import serving
from tests.helpers.zooscan import SeededScan, meta_text, seed_scan
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A served appliance with one scan that has a result and nobody signed."""

    appliance: SimulatedAppliance
    of: SeededScan
    web: httpx.Client

    @property
    def api(self) -> str:
        return f"/api/scans/{self.of.scan_id}"

    def sign(self) -> None:
        revision = self.web.get(f"{self.api}/check").raise_for_status().json()["revision"]
        self.web.post(f"{self.api}/sign", json={"revision": revision}).raise_for_status()

    def words(self, address: str) -> str:
        """The text of a page without tags, titles and times of day."""
        found = self.web.get(address)
        assert found.status_code == 200, found.text
        main = found.text[found.text.index("<main") : found.text.index("</main")]
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"\d\d:\d\d(:\d\d)?Z?", "", main)))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    appliance = SimulatedAppliance(tmp_path / "home")
    with immediate(appliance.writer) as connection:
        of = seed_scan(connection, home=appliance.home, objects=4, multiples=1)
    make_people(appliance)
    with serving(appliance) as client, browser(client, "rita") as rita:
        yield Lab(appliance=appliance, of=of, web=rita)
        appliance.close()


def test_an_unsigned_scan_says_so_and_leaves_only_when_that_is_asked_for(lab: Lab) -> None:
    words = lab.words(f"/scans/{lab.of.scan_id}/export")
    assert "Nobody signed the check." in words
    assert "EcoTaxa's importer would take it." in words.replace("&#39;", "'")
    refused = lab.web.get(f"{lab.api}/export/ecotaxa")
    assert (refused.status_code, refused.json()["code"]) == (409, "export_refused")
    assert lab.web.get(f"{lab.api}/export/csv").status_code == 409
    assert lab.web.get(f"{lab.api}/export/ecotaxa?unsigned=true").status_code == 200


def test_the_zip_is_the_one_that_the_importer_takes(lab: Lab, tmp_path: Path) -> None:
    lab.sign()
    found = lab.web.get(f"{lab.api}/export/ecotaxa").raise_for_status()
    assert found.headers["content-disposition"] == 'attachment; filename="ecotaxa_st66_d1_1.zip"'
    path = tmp_path / "got.zip"
    path.write_bytes(found.content)
    (table,) = read_zip(path)
    assert objections([table]) == []
    assert len(table.rows) == 4
    legacy = lab.web.get(f"{lab.api}/export/ecotaxa?legacy=true").raise_for_status()
    assert legacy.content != found.content
    rows = list(csv.DictReader(io.StringIO(lab.web.get(f"{lab.api}/export/csv").raise_for_status().text)))
    assert [row["object_id"] for row in rows] == [row["object_id"] for row in table.rows]
    assert lab.web.get(f"{lab.api}/export/retired_ids").text.splitlines() == ["object_id,retired_utc,why,became"]
    assert lab.web.get(f"{lab.api}/export/else").status_code == 422


def test_the_work_folder_comes_as_a_zip_one_at_a_time(lab: Lab) -> None:
    assert lab.web.get(f"{lab.api}/export/legacy").status_code == 409, "nobody signed"
    lab.sign()
    assert f'href="{lab.api}/export/legacy"' in lab.web.get(f"/scans/{lab.of.scan_id}/export").text
    found = lab.web.get(f"{lab.api}/export/legacy").raise_for_status()
    assert found.headers["content-disposition"] == 'attachment; filename="st66_d1_1_work.zip"'
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert archive.testzip() is None
        names = {name.removeprefix("_work/st66_d1_1/") for name in archive.namelist()}
    files = ("_meas.txt", "_dat1.pid", "_log.txt", "_meta.txt", "_vis1.zip", "_msk1.gif", "_out1.gif", "_sep.gif")
    assert names == {"ecotaxa_st66_d1_1.tsv", *(f"st66_d1_1{one}" for one in files), *(f"st66_d1_1_{number}.jpg" for number in range(1, 5))}
    with scan_exports._WORK_FOLDER:
        busy = lab.web.get(f"{lab.api}/export/legacy")
    assert (busy.status_code, busy.json()["code"]) == (503, "busy")
    assert lab.web.get(f"{lab.api}/export/legacy").status_code == 200
    (lab.appliance.home / lab.of.folder / "clean.tif").unlink()
    assert lab.web.get(f"{lab.api}/export/legacy").status_code == 409


def test_what_is_wrong_is_listed_on_the_page_and_no_zip_is_offered(lab: Lab) -> None:
    with immediate(lab.appliance.writer) as connection:
        add_entries(connection, lab.of.scan_id, {"Sample_comment": "x" * 251, "Latitude": "51.75"}, actor="jd")
    lab.sign()
    words = lab.words(f"/scans/{lab.of.scan_id}/export")
    assert "EcoTaxa would refuse 2 things." in words
    assert "251 letters; EcoTaxa keeps 250" in words
    assert "Latitude is no position in degrees.minutes: 51.75" in words
    assert f"{lab.api}/export/ecotaxa" not in lab.web.get(f"/scans/{lab.of.scan_id}/export").text
    told = lab.web.get(f"{lab.api}/export").raise_for_status().json()
    assert [problem["column"] for problem in told["problems"]] == ["statements", "sample_comment"]
    assert (told["objects"], told["multiples"], told["signed_by"]) == (4, 1, "rita")


def test_figures_of_the_sample_or_why_there_are_none(lab: Lab) -> None:
    assert "its check is not signed" in lab.words(f"/scans/{lab.of.scan_id}/export")
    told = lab.web.get(f"{lab.api}/figures").raise_for_status().json()
    assert (told["rows"], len(told["refused"])) == ([], 1)
    lab.sign()
    assert "nobody decided about proposed multiples: 1" in lab.words(f"/scans/{lab.of.scan_id}/export")
    assert lab.web.get(f"{lab.api}/figures?unsigned=true").json()["rows"]
    page = lab.web.get(f"{lab.api.removeprefix('/api')}/export?unsigned=true").text
    assert "Nothing is classified yet" in page
    assert "nobody said what these are" in page
    assert "on every object" not in page
    lab.web.post(f"{lab.api}/withdraw", json={"reason": "one was left"}).raise_for_status()
    lab.web.post(f"{lab.api}/decisions", json={"objects": [lab.of.keys[0]], "decision": "multiple"}).raise_for_status()
    lab.sign()
    told = lab.web.get(f"{lab.api}/figures").raise_for_status().json()
    assert told["rows"][0]["abundance_m3"] == pytest.approx(4 * 4 / 25.5)
    assert f"{4 * 4 / 25.5:.3f}" in lab.words(f"/scans/{lab.of.scan_id}/export")


def test_a_scan_without_a_result_has_nothing_to_export(lab: Lab) -> None:
    with immediate(lab.appliance.writer) as connection:
        scan_id = put_scan(connection, lab.of.project_id, SeenScan(name="waits_1", lacks=("waits_log_1.txt",)))
    words = lab.words(f"/scans/{scan_id}/export")
    assert "There is nothing to export" in words
    assert "no SampleId is stated" in words
    assert lab.web.get(f"/api/scans/{scan_id}/export").status_code == 409
    assert lab.web.get("/scans/999999/export").status_code == 404


def test_a_scan_whose_files_went_before_it_had_a_result_has_no_figures_and_says_why(lab: Lab) -> None:
    meta = meta_text(SampleId="gone_sample").encode()
    with immediate(lab.appliance.writer) as connection:
        scan_id = put_scan(connection, lab.of.project_id, SeenScan(name="gone_d1_1", raw_path="/p/gone.tif", meta=meta))
        set_gone(connection, scan_id)
    assert "no scan of the sample gone_sample is there" in lab.words(f"/scans/{scan_id}/export")
    told = lab.web.get(f"/api/scans/{scan_id}/figures").raise_for_status().json()
    assert (told["rows"], len(told["refused"])) == ([], 1)
