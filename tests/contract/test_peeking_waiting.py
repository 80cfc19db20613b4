"""Before the sheet or the camera is there: nobody below administrator sees what a model found on files that wait for their station."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.export import export
from edge.store.backup import BackupKind, make_backup
from edge.store.connection import immediate
from edge.store.jobs import lease_jobs, reprocess
from edge.store.runs import RunContext, record_run
from edge.store.sealed_runs import empty_log
from tests.contract.test_peeking import Served, addresses, spellings
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_blind_survey
from tests.helpers.people import browser
from tests.helpers.waiting import BOXES, VALUES, Loose, drop, reveal, tow_of
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_sealed_runs import places_of

SECRETS = {words for value in VALUES for words in spellings(value) if len(words) > 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """A served appliance with a blind station, a revealed one, and files that wait."""

    loose: Loose
    shown_tow: int
    client: httpx.Client

    @property
    def blind(self) -> BlindSurvey:
        return self.loose.blind

    def addresses(self) -> list[str]:
        """Every route that can be read, with the ids of the waiting files."""
        blind = self.blind
        of_loose = BlindSurvey(
            appliance=blind.appliance,
            survey_id=blind.survey_id,
            station_id=blind.station_id,
            tow_id=self.shown_tow,
            image_ids=(self.loose.image_ids * 10)[:10],
            file_ids=(self.loose.file_ids * 10)[:10],
            values=VALUES,
        )
        found = addresses(Served(blind=of_loose, client=self.client, count_id=1))
        (shown_station,) = blind.appliance.writer.execute("SELECT station_id FROM tows WHERE id = ?", (self.shown_tow,)).fetchone()
        pages = [f"/stations/{shown_station}{page}" for page in ("", "/result", "/counts", "/compare", "/report")]
        return [*found, *pages, f"/api/stations/{shown_station}/result"]


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=2)
    shown = tow_of(blind, "102")
    reveal(blind, shown)
    loose = drop(blind, files=3)
    empty_log(appliance.writer)
    with serving(appliance) as client:
        yield Ship(loose=loose, shown_tow=shown, client=client)
    appliance.close()


def lend_to_a_shown_station(ship: Ship, peeker: httpx.Client) -> None:
    body = {"file_ids": list(ship.loose.file_ids), "reason": "they are of this one"}
    assert peeker.post(f"/api/tows/{ship.shown_tow}/images", json=body).status_code in {200, 403}


def lend_to_a_survey_without_rules(ship: Ship, peeker: httpx.Client) -> None:
    survey = peeker.post("/api/surveys", json={"name": "MINE"})
    if survey.status_code == 201:
        station = peeker.post(f"/api/surveys/{survey.json()['id']}/stations", json={"name": "900"}).json()["id"]
        (tow_id,) = ship.blind.appliance.writer.execute("SELECT id FROM tows WHERE station_id = ?", (station,)).fetchone()
        assert peeker.post(f"/api/tows/{tow_id}/images", json={"file_ids": list(ship.loose.file_ids)}).status_code == 200


def free_the_folder(ship: Ship, peeker: httpx.Client) -> None:
    for address in (
        f"/api/folders/{ship.loose.folder.folder_id}/of-no-survey",
        f"/actions/folders/{ship.loose.folder.folder_id}/of-no-survey",
    ):
        answer = peeker.post(address, **({"json": {"reason": "to see"}} if "api" in address else {"data": {"reason": "to see"}}))  # type: ignore[arg-type]
        assert answer.status_code == 403


def release_what_came_later(ship: Ship, peeker: httpx.Client) -> None:
    lend_to_a_shown_station(ship, peeker)
    assert peeker.post(f"/api/tows/{ship.shown_tow}/release", json={"reason": "to see"}).status_code == 403


def look_again(ship: Ship, peeker: httpx.Client) -> None:
    """The model looks once more, and the worker hands its results in."""
    db, blind = ship.blind.appliance.writer, ship.blind
    peeker.post("/api/reprocess", json={"recipe": "burrows", "file_ids": list(ship.loose.file_ids)})
    pack = seed.add_model(db, version="2.0.0")
    with immediate(db):
        reprocess(db, seed.RECIPE, sighting_ids=list(ship.loose.file_ids))
        jobs = lease_jobs(db, seed.RECIPE, owner="test", limit=20)
    for job in jobs:
        context = RunContext(
            job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id
        )
        with immediate(db):
            assert record_run(db, context, seed.make_result(pack, BOXES), None, seal=blind.appliance.seal)


def do_nothing(_: Ship, __: httpx.Client) -> None:
    """They only look."""


ROUTES = [lend_to_a_shown_station, lend_to_a_survey_without_rules, free_the_folder, release_what_came_later, look_again]


@pytest.mark.parametrize(("name", "route"), [("cl", do_nothing), *(("rita", route) for route in ROUTES)])
def test_nobody_below_administrator_sees_what_was_found(ship: Ship, name: str, route: Callable[[Ship, httpx.Client], None]) -> None:
    with browser(ship.client, name) as peeker:
        route(ship, peeker)
        assert ship.loose.seen() == 0
        read = 0
        for address in ship.addresses():
            answer = peeker.get(address, follow_redirects=True)
            assert answer.status_code < 500, address
            read += answer.status_code == 200
            assert not [one for one in SECRETS if one in answer.text], address
        assert read > 20
        objects = peeker.get(f"/api/objects?file={ship.loose.file_ids[0]}&candidates=true")
        assert (objects.status_code, objects.json()["code"]) == (409, "sealed")
        for path in ship.blind.appliance.home.glob("edge.db*"):
            assert places_of(VALUES, path) == 0, path


def test_it_is_said_in_words_and_no_figure_says_nothing_was_found(ship: Ship) -> None:
    with browser(ship.client, "cl") as peeker:
        for address in ("/", "/files"):
            assert "waits for a station" in peeker.get(address).text, address
        page = peeker.get(f"/files/{ship.loose.file_ids[0]}").text
        assert "sealed until the file has come to a station and its counts are signed" in page
        assert "Show what is found there" not in peeker.get(f"/surveys/{ship.blind.survey_id}/media").text
        listed = peeker.get("/api/files?limit=200").json()["files"]
        waiting = [one for one in listed if one["file_id"] in ship.loose.file_ids]
        assert [(one["is_sealed"], one["object_count"], one["sealed_station"]) for one in waiting] == [(True, None, None)] * 3
        assert peeker.get("/api/status").json()["totals"]["objects"] is None
        told = peeker.get(f"/api/objects?file={ship.loose.file_ids[0]}").json()
        assert "has not come to a station" in told["message"]


@pytest.mark.parametrize("form", ["csv", "coco", "yolo"])
def test_exports_and_backups_leave_it_out_and_say_so(ship: Ship, tmp_path: Path, form: str) -> None:
    with ship.blind.appliance.reader() as connection:
        summary = export(connection, format=form, out_dir=tmp_path / form, min_score=0.0)
    assert (summary.results, summary.objects, summary.sealed) == (0, 0, 2 + 3)
    assert "until the file has come to a station" in (tmp_path / form / "failures.csv").read_text()
    make_backup(ship.blind.appliance.home, BackupKind.MANUAL)
    for path in (*(tmp_path / form).rglob("*"), *ship.blind.appliance.home.rglob("*")):
        if path.is_file() and "keys" not in path.parts:
            assert places_of(VALUES, path) == 0, path


def test_an_administrator_shows_it_by_the_page_with_a_reason(ship: Ship) -> None:
    folder, survey = ship.loose.folder.folder_id, ship.blind.survey_id
    with browser(ship.client, "anna") as anna:
        assert "Show what is found there" in anna.get(f"/surveys/{survey}/media").text
        assert anna.post(f"/actions/folders/{folder}/of-no-survey", data={"reason": ""}).status_code >= 400
        assert ship.loose.seen() == 0
        assert anna.post(f"/actions/folders/{folder}/of-no-survey", data={"reason": "a test of the tank"}).status_code == 303
        assert "is still being opened" in anna.get(f"/surveys/{survey}/media").text
        assert [one["is_opening"] for one in anna.get("/api/folders/of-no-survey").json()] == [True]
        assert (ship.loose.seen(), ship.blind.appliance.waiting.resume(), ship.loose.seen()) == (0, 3, 6)
        assert "is still being opened" not in anna.get(f"/surveys/{survey}/media").text
        assert "a test of the tank" in anna.get(f"/surveys/{survey}/media").text
        (freed,) = anna.get("/api/folders/of-no-survey").json()
        assert (freed["folder_id"], freed["reason"], freed["declared_by"].split()[0]) == (folder, "a test of the tank", "anna")
        assert anna.post(f"/api/folders/{folder}/of-a-survey", json={"reason": "a mistake"}).status_code == 200
        assert anna.get("/api/folders/of-no-survey").json() == []
        answer = anna.post(f"/api/folders/{folder}/of-no-survey", json={"reason": "a test of the tank"})
        assert (answer.status_code, answer.json()) == (202, {"id": folder})
        assert anna.post(f"/api/folders/{folder}/of-a-survey", json={"reason": "a mistake"}).status_code == 200
        assert anna.post(f"/api/folders/{folder}/of-a-survey", json={"reason": "again"}).status_code >= 400
    with browser(ship.client, "cl") as peeker:
        assert [one for one in SECRETS if one in peeker.get(f"/api/objects?file={ship.loose.file_ids[0]}").text]


def test_the_counts_page_tells_of_files_that_came_later_and_an_administrator_shows_them(ship: Ship) -> None:
    (station,) = ship.blind.appliance.writer.execute("SELECT station_id FROM tows WHERE id = ?", (ship.shown_tow,)).fetchone()
    ship.loose.attach(ship.shown_tow)
    with browser(ship.client, "rita") as rita:
        page = rita.get(f"/stations/{station}/counts").text
        assert "3 files came to this tow after its counts were shown" in page
        assert "Show what models found on files that came later" not in page
    with browser(ship.client, "anna") as anna:
        assert "Show what models found on files that came later" in anna.get(f"/stations/{station}/counts").text
        answer = anna.post(f"/api/tows/{ship.shown_tow}/release", json={"reason": "the second card"})
        assert answer.json() == {"model_results": 3}
        assert "came to this tow after" not in anna.get(f"/stations/{station}/counts").text


def test_the_surveys_page_lets_tows_that_were_seen_be_counted_blind(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    folder = seed.add_station(appliance.writer, appliance.home / "drop", b"early", make=True)
    pack = seed.add_model(appliance.writer)
    with immediate(appliance.writer) as db:
        seed.done(db, folder, b"1.jpg", pack, boxes=BOXES)
    (early,) = appliance.writer.execute("SELECT id FROM sightings").fetchone()
    blind = make_blind_survey(appliance, stills=2)
    page = f"/surveys/{blind.survey_id}"
    with serving(appliance) as client:
        with browser(client, "rita") as rita:
            assert "could be read before they were sealed" not in rita.get(page).text
            assert rita.post(f"/api/tows/{blind.tow_id}/images", json={"file_ids": [early]}).status_code == 200
            assert "1 tow has files whose results could be read before they were sealed" in rita.get(page).text
            assert "Count them blind" not in rita.get(page).text
            assert rita.post(f"/api/surveys/{blind.survey_id}/new-rounds", json={"reason": "mine"}).status_code == 403
            assert "Not blind: what models found on 1 file of the tow" in rita.get(f"/tows/{blind.tow_id}/count").text
        with browser(client, "anna") as anna:
            assert "Count them blind" in anna.get(page).text
            done = anna.post(f"/actions/surveys/{blind.survey_id}/new-rounds", data={"back": page, "reason": "nobody has looked"})
            assert done.headers["location"] == f"{page}?notice=new_rounds&n=1"
            assert "could be read before they were sealed" not in anna.get(page).text
            assert anna.post(f"/api/surveys/{blind.survey_id}/new-rounds", json={"reason": "again"}).status_code == 409
    appliance.close()
