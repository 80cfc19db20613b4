"""A survey's tables on its page, over the API and by the commands."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.survey.exchange.run import FORMATS
from tests.helpers.people import browser, make_people
from tests.helpers.tables import FU2021_HEADER, Tables, recounts, table, two_counters
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedTables:
    """A served survey with two counted stations and one that nobody counted, and a folder for files."""

    client: httpx.Client
    sea: Tables
    folder: Path


@pytest.fixture(scope="module")
def served_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedTables]:
    folder = tmp_path_factory.mktemp("tables")
    appliance = SimulatedAppliance(folder / "home")
    sea = Tables(folder / "home")
    sea.take(recounts(folder, *two_counters("7"), *two_counters("8", first=20)), "mi-recounts")
    sea.station("<b>9</b>")
    with serving(appliance) as client:
        yield ServedTables(client=client, sea=sea, folder=folder)
        appliance.close()


def command(home: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--home", str(home), "survey", *words])
    return result.exit_code, result.stdout


# Page and API ----------------------------------------------------------------------------------------------------


def test_the_page_lists_every_table_and_what_it_leaves_out(served_tables: ServedTables) -> None:
    page = served_tables.client.get(f"/surveys/{served_tables.sea.survey_id}/export")
    assert page.status_code == 200
    for name in FORMATS:
        assert f"<code>{name}</code>" in page.text
    assert "<b>9</b>" not in page.text
    assert "&lt;b&gt;9&lt;/b&gt;" in page.text
    assert "no revealed count" in page.text
    assert "Recounts.csv" in page.text


def test_one_station_may_be_chosen(served_tables: ServedTables) -> None:
    base = f"/surveys/{served_tables.sea.survey_id}/export"
    assert 'value="7" selected' in served_tables.client.get(base, params={"station": "7"}).text
    assert served_tables.client.get(base, params={"station": "77"}).status_code == 404
    assert served_tables.client.get("/surveys/4711/export").status_code == 404


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_downloads_under_its_name(served_tables: ServedTables, name: str) -> None:
    base = f"/api/surveys/{served_tables.sea.survey_id}/tables/{name}"
    alone = served_tables.client.get(base)
    assert alone.status_code == 200
    file_name = alone.headers["content-disposition"].partition('filename="')[2].rstrip('"')
    assert file_name.startswith("T2026.")
    packed = served_tables.client.get(base, params={"with_sidecar": "true"})
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist()[0] == file_name
        told = json.loads(archive.read(archive.namelist()[1]))
    assert (told["format"], told["file"]) == (name, file_name)


def test_a_download_is_what_the_command_writes(served_tables: ServedTables, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, text = command(
        served_tables.sea.home, "export", "--survey", "T2026", "--format", "mi-recounts", "--station", "7", "--out", str(out), "--json"
    )
    assert code == 0
    told = json.loads(text.splitlines()[-1])
    assert (told["survey"], told["format"], told["rows"], told["left_out"]) == ("T2026", "mi-recounts", 14, [])
    served = served_tables.client.get(f"/api/surveys/{served_tables.sea.survey_id}/tables/mi-recounts", params={"station": "7"})
    assert Path(told["file"]).read_bytes() == served.content
    assert Path(told["sidecar"]).is_file()


def test_several_methods_are_chosen_from(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    sea = Tables(tmp_path / "home")
    sea.take(recounts(tmp_path, *two_counters("7")), "mi-recounts")
    sea.counts(sea.station("S1"), {"ann": [4, 5, 6, 4, 3, 5, 6], "bob": [4, 6, 5, 4, 3, 5, 7]}, origin="counted")
    page, api = f"/surveys/{sea.survey_id}/export", f"/api/surveys/{sea.survey_id}/tables/minutes"
    with serving(appliance) as client:
        unchosen = client.get(page).text
        assert "2 methods. Choose a method above." in unchosen
        assert "Nothing is left out" not in unchosen
        assert "/tables/minutes?" not in unchosen
        for slug in ("own-v1", "imported-v1", "all"):
            assert f'<option value="{slug}"' in unchosen
        chosen = client.get(page, params={"method": "own-v1"}).text
        assert "origin=own&amp;protocol=1" in chosen
        assert "all_methods=true" in client.get(page, params={"method": "all"}).text
        assert client.get(page, params={"method": "own-vx"}).status_code == 422
        refused = client.get(api)
        assert (refused.status_code, refused.json()["code"]) == (409, "several_methods")
        own = client.get(api, params={"origin": "own", "protocol": 1})
        assert 'filename="T2026.own-v1.minutes.csv"' in own.headers["content-disposition"]
        assert (b"S1" in own.content, b",8," in own.content) == (True, True)
        assert b"imported" not in own.content
        both = client.get(api, params={"all_methods": "true"})
        assert 'filename="T2026.own-v1+imported-v1.minutes.csv"' in both.headers["content-disposition"]
    appliance.close()
    words = ("export", "--survey", "T2026", "--format", "minutes", "--out", str(tmp_path / "out"), "--json")
    code, text = command(sea.home, *words)
    assert (code, json.loads(text.splitlines()[-1])["error"]["code"]) == (2, "several_methods")
    code, text = command(sea.home, *words, "--origin", "imported")
    told = json.loads(text.splitlines()[-1])
    assert (code, told["methods"], Path(told["file"]).name) == (
        0,
        [{"origin": "imported", "protocol_version": 1}],
        "T2026.imported-v1.minutes.csv",
    )
    code, text = command(sea.home, *words, "--all-methods")
    assert (code, len(json.loads(text.splitlines()[-1])["methods"])) == (0, 2)


def test_what_others_found_is_for_administrators_until_it_is_counted(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    sea = Tables(tmp_path / "home")
    make_people(appliance)
    row = "2021,T2026,2026,207,-7.95,50.89,31.64,24.3384615,200,150,4746,Labadie,USBL,Celtic Voyager"
    sea.take(table(tmp_path, FU2021_HEADER, row), "mi-fu2021")
    ((station,),) = sea.rows("SELECT id FROM stations")
    addresses = [
        f"/surveys/{sea.survey_id}/export",
        f"/surveys/{sea.survey_id}/overview",
        f"/api/surveys/{sea.survey_id}/estimate",
        f"/stations/{station}/result",
        f"/stations/{station}/report",
        f"/api/stations/{station}/result",
        *(f"/api/surveys/{sea.survey_id}/tables/{name}" for name in ("mi-fu2021", "mi-view", "geojson")),
    ]
    with serving(appliance) as client:
        for name in ("rita", "cl", "vera", "anna"):
            with closing(browser(client, name)) as own:
                answers = {address: own.get(address) for address in addresses}
            assert {one.status_code for one in answers.values()} == {200}
            telling = {address for address, one in answers.items() if re.search(r"\b(4746|31\.64|24\.338)", one.text)}
            assert bool(telling) == (name == "anna"), telling
            if name == "anna":
                assert addresses[3] in telling
                assert addresses[-1] in telling
    appliance.close()


def test_a_table_that_is_none_is_refused(served_tables: ServedTables) -> None:
    base = f"/api/surveys/{served_tables.sea.survey_id}/tables"
    assert served_tables.client.get(f"{base}/xls").json()["code"] == "invalid_request"
    assert served_tables.client.get("/api/surveys/4711/tables/minutes").status_code == 404
    assert served_tables.client.get(f"{base}/minutes", params={"station": "77"}).status_code == 409


def test_a_table_is_taken_over_the_api(served_tables: ServedTables) -> None:
    served_tables.sea.survey("API")
    path = recounts(served_tables.folder, *two_counters("1", survey="API"), name="api.csv")
    body = {"path": str(path), "format": "mi-recounts", "survey": "API"}
    dry = served_tables.client.post("/api/survey-tables", json={**body, "is_dry_run": True})
    assert (dry.status_code, dry.json()["counts"], dry.json()["is_dry_run"]) == (200, 2, True)
    assert served_tables.client.post("/api/survey-tables", json=body).json()["counts"] == 2
    assert served_tables.client.post("/api/survey-tables", json=body).json()["unchanged"] == 2
    bad = served_tables.client.post("/api/survey-tables", json={**body, "format": "mi-fu2021"})
    assert (bad.status_code, bad.json()["code"]) == (409, "table_invalid")


def test_a_table_is_sent_looked_at_and_taken(served_tables: ServedTables) -> None:
    survey_id = served_tables.sea.survey("SENT")
    content = recounts(served_tables.folder, *two_counters("1", survey="SENT"), name="sent.csv").read_bytes()
    address = f"/api/surveys/{survey_id}/tables"
    asked = {"name": "from the laptop.csv", "format": "mi-recounts"}
    dry = served_tables.client.post(address, params={**asked, "dry_run": "true"}, content=content).json()
    assert (dry["report"]["counts"], dry["report"]["is_dry_run"], dry["faults"]) == (2, True, [])
    taken = served_tables.client.post(address, params=asked, content=content).json()
    assert (taken["report"]["file"], taken["report"]["counts"]) == ("from the laptop.csv", 2)
    refused = served_tables.client.post(address, params=asked, content=content.replace(b",16,0,0", b",x,0,0"))
    assert refused.status_code == 200
    assert refused.json()["report"] is None
    assert [(fault["row"], fault["column"]) for fault in refused.json()["faults"]] == [(2, "BurrowCount"), (15, "BurrowCount")]
    assert served_tables.client.post("/api/surveys/4711/tables", params=asked, content=content).status_code == 404
    assert served_tables.client.post(address, params=asked).json()["code"] == "invalid_request"
    assert not list((served_tables.sea.home / "cache" / "uploads").glob("*"))


def test_tables_of_reference_footage_are_for_administrators(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    sea = Tables(tmp_path / "home")
    footage = sea.survey("REF", kind="reference", first_minute=1)
    make_people(appliance)
    rows = [f'{place},"f1","REF","{counter}",1,4242,0,0,NA,NA,NA' for place, counter in enumerate("AB", start=1)]
    sea.take(recounts(tmp_path, *rows), "mi-recounts", "REF")
    ((station,),) = sea.rows("SELECT id FROM stations WHERE name = 'f1'")
    addresses = [f"/surveys/{footage}/export", *(f"/api/surveys/{footage}/tables/{name}" for name in FORMATS)]
    with serving(appliance) as client:
        for name, status in (("rita", 403), ("cl", 403), ("vera", 403), ("anna", 200)):
            with closing(browser(client, name)) as own:
                assert {own.get(address).status_code for address in addresses} == {status}
                assert own.get(f"/surveys/{sea.survey_id}/export").status_code == 200
                seen = own.get(f"/stations/{station}/compare").text + own.get(f"/api/stations/{station}/compare").text
                assert ("4242" in seen) == (name == "anna")
        body = {"path": str(tmp_path / "x.csv"), "format": "mi-recounts", "survey": "T2026"}
        with closing(browser(client, "rita")) as rita:
            assert rita.post("/api/survey-tables", json=body).status_code == 403
    appliance.close()


# Commands --------------------------------------------------------------------------------------------------------


def test_the_command_takes_a_table_and_says_so(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    sea.close()
    path = recounts(tmp_path, *two_counters(), *two_counters("8", survey="OTHER", first=20))
    code, text = command(sea.home, "import-table", str(path), "--format", "mi-recounts", "--survey", "T2026", "--dry-run", "--json")
    dry = json.loads(text.splitlines()[-1])
    assert (code, dry["counts"], dry["is_dry_run"], dry["rows_of_others"]) == (0, 2, True, {"OTHER": 14})
    code, text = command(sea.home, "import-table", str(path), "--format", "mi-recounts", "--survey", "T2026")
    assert code == 0
    assert "14 rows of T2026 taken" in text
    assert "OTHER (14)" in text
    code, text = command(sea.home, "import-table", str(path), "--format", "mi-recounts", "--survey", "T2026")
    assert (code, "nothing is new" in text) == (0, True)


def test_the_command_lists_faults_by_row_and_column(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    sea.close()
    path = recounts(tmp_path, *two_counters()[:2], '3,7,"T2026",8,4,many,0,0,NA,NA,NA', '4,7,"T2026",8,x,3,0,0,NA,NA,NA')
    words = ("import-table", str(path), "--format", "mi-recounts", "--survey", "T2026")
    code, text = command(sea.home, *words, "--json")
    error = json.loads(text.splitlines()[-1])["error"]
    assert (code, error["code"], error["fault_count"]) == (4, "table_invalid", 2)
    assert [(fault["row"], fault["column"]) for fault in error["faults"]] == [(4, "BurrowCount"), (5, "Minute")]
    code, text = command(sea.home, *words)
    assert code == 4
    assert "many" in text
    assert "nothing was taken" in text


def test_the_command_refuses_a_survey_that_is_not_there(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    sea.close()
    code, text = command(sea.home, "export", "--survey", "NONE", "--format", "minutes", "--out", str(tmp_path / "out"), "--json")
    assert (code, json.loads(text.splitlines()[-1])["error"]["code"]) == (2, "settings_invalid")
    assert not (tmp_path / "out").exists()


def test_the_command_tells_what_it_left_out(served_tables: ServedTables, tmp_path: Path) -> None:
    code, text = command(served_tables.sea.home, "export", "--survey", "T2026", "--format", "mi-analysis", "--out", str(tmp_path / "out"))
    assert code == 0
    assert "2 rows written" in text
    assert "left out: <b>9</b>" in text
