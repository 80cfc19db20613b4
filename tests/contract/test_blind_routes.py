"""Somebody wants to see what a model found on a tow that others count: every way of moving its files is tried over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.store import surveys
from edge.store.clock import utc_text
from edge.store.connection import immediate
from edge.store.jobs import lease_jobs, reprocess
from edge.store.runs import RunContext, record_run
from edge.store.sealed_runs import empty_log
from tests.contract.test_peeking import SECRET_SECONDS, Served, addresses, secrets_in
from tests.helpers import seed
from tests.helpers.counted import PIN, BlindSurvey, make_blind_survey
from tests.helpers.people import browser
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.unit.test_media import START
from tests.unit.test_sealed_runs import places_of

PLACES = ("files", "objects", "runs", "stations", "tows", "compar", "estimate", "overview")  # where what was found could stand
START_DAY, START_TIME = "2020-07-16", "01:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """Stills attached by time to a tow from 01:00 to 01:02; jd has signed it, cl has begun."""

    blind: BlindSurvey
    client: httpx.Client
    count_id: int

    @property
    def served(self) -> Served:
        return Served(blind=self.blind, client=self.client, count_id=self.count_id)

    def opened(self) -> int:
        (found,) = self.blind.appliance.writer.execute("SELECT count(*) FROM objects").fetchone()
        return int(found)


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=12)
    db = appliance.writer
    for place, image_id in enumerate(blind.image_ids):
        seconds = utc_text(START.replace(second=place * 5 % 60, minute=place * 5 // 60))
        db.execute("UPDATE images SET capture_time_utc = ? WHERE id = ?", (seconds, image_id))
    camera = appliance.media.set_camera(blind.survey_id, "HD", time_offset_s=0.0, source="", folder_pattern="", actor="rita")
    db.execute("UPDATE tow_images SET how = 'time', camera_id = ?", (camera,))
    with serving(appliance) as client, browser(client, "rita") as rita:
        fields = {"start_date": START_DAY, "start_time": START_TIME, "end_date": START_DAY, "end_time": "01:02"}
        changes = [{"field": name, "value": value} for name, value in fields.items()]
        assert rita.post(f"/api/tows/{blind.tow_id}/sheet", json={"changes": changes}).status_code == 200
        appliance.media.step()
        assert db.execute("SELECT count(*) FROM tow_images WHERE tow_id = ?", (blind.tow_id,)).fetchone()[0] == 12
        count_id = blind.sign("jd", SECRET_SECONDS)
        blind.save("cl", [5.0])
        empty_log(db)
        yield Ship(blind=blind, client=client, count_id=count_id)
    appliance.close()


def a_free_tow(ship: Ship, name: str = "900") -> tuple[int, int]:
    """A survey without rules and a tow in it, as a reviewer makes them."""
    with browser(ship.client, "rita") as rita:
        survey_id = rita.post("/api/surveys", json={"name": f"MINE-{name}"}).json()["id"]
        station_id = rita.post(f"/api/surveys/{survey_id}/stations", json={"name": name}).json()["id"]
    (tow_id,) = ship.blind.appliance.writer.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    return int(survey_id), int(tow_id)


def attach_by_hand(ship: Ship) -> None:
    _, tow_id = a_free_tow(ship)
    with browser(ship.client, "rita") as rita:
        body = {"file_ids": list(ship.blind.file_ids)}
        refused = rita.post(f"/api/tows/{tow_id}/images", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "reason_needed")
        assert rita.post(f"/api/tows/{tow_id}/images", json={**body, "reason": "they are mine"}).json() == {"changed": 12}


def attach_on_the_page(ship: Ship) -> None:
    survey_id, tow_id = a_free_tow(ship)
    with browser(ship.client, "rita") as rita:
        form = {"tow": str(tow_id), "file": [str(one) for one in ship.blind.file_ids]}
        assert rita.post(f"/actions/surveys/{survey_id}/attach", data=form).status_code == 409
        assert rita.post(f"/actions/surveys/{survey_id}/attach", data={**form, "reason": "they are mine"}).status_code == 303


def shift_the_line(ship: Ship) -> None:
    """As the second counter, who may fill in sheets."""
    with browser(ship.client, "cl") as peeker:
        body = {"changes": [{"field": "start_time", "value": "00:10"}, {"field": "end_time", "value": "00:20"}]}
        refused = peeker.post(f"/api/tows/{ship.blind.tow_id}/sheet", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "reason_needed")
        assert peeker.post(f"/api/tows/{ship.blind.tow_id}/sheet", json={**body, "reason": "a typing error"}).status_code == 200
    ship.blind.appliance.media.step()


def empty_the_line(ship: Ship) -> None:
    with browser(ship.client, "cl") as peeker:
        form = {"start_date": "", "start_time": "", "reason": "a typing error"}
        assert peeker.post(f"/actions/tows/{ship.blind.tow_id}/sheet", data=form).status_code == 303
    ship.blind.appliance.media.step()


def shift_the_camera(ship: Ship) -> None:
    with browser(ship.client, "rita") as rita:
        body = {"name": "HD", "time_offset_s": 7200.0, "time_offset_source": "a guess", "reason": "the clock was wrong"}
        assert rita.post(f"/api/surveys/{ship.blind.survey_id}/cameras", json=body).status_code == 201
    ship.blind.appliance.media.step()


def change_the_rules(ship: Ship) -> None:
    """One counter from now on; what stands is judged by the version it was made under."""
    with browser(ship.client, "rita") as rita:
        (rules,) = [rita.get(f"/api/surveys/{ship.blind.survey_id}").json()["protocol"]]
        names = ("first_minute", "last_minute", "minute_rule", "line_height", "edge_rule", "min_mean_per_minute", "ccc_limit")
        body = {name: rules[name] for name in names} | {"counters": 1, "correction_factor": None, "correction_source": "", "reason": "x"}
        rita.post(f"/api/surveys/{ship.blind.survey_id}/protocol", json=body)


def claim_from_a_second_survey(ship: Ship) -> None:
    """A camera and a line of another survey claim the same stills: they would belong to nobody."""
    survey_id, tow_id = a_free_tow(ship)
    with browser(ship.client, "rita") as rita:
        rita.post(f"/api/surveys/{survey_id}/cameras", json={"name": "HD"})
        changes = [{"field": name, "value": value} for name, value in (("start_date", START_DAY), ("end_date", START_DAY))]
        changes += [{"field": "start_time", "value": "00:50"}, {"field": "end_time", "value": "01:30"}]
        assert rita.post(f"/api/tows/{tow_id}/sheet", json={"changes": changes}).status_code == 200
    ship.blind.appliance.media.step()


def name_the_folder_for_a_draft(ship: Ship) -> None:
    """`ingest --station` of a station that no survey knows."""
    db = ship.blind.appliance.writer
    with immediate(db):
        station_id = surveys.ensure_station(db, "mine", None, actor="cli")
        db.execute("UPDATE stations SET survey_id = NULL WHERE id = ?", (station_id,))
        (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    (folder,) = db.execute("SELECT r.path || '/tow' FROM roots AS r WHERE r.path LIKE '%footage'").fetchone()
    ship.blind.appliance.media.take_folder_for(folder, tow_id)
    shift_the_line(ship)


def look_again(ship: Ship) -> None:
    """A reviewer lets the model look at the files once more, and the worker hands its results in: figures that would be found."""
    blind, db = ship.blind, ship.blind.appliance.writer
    pack = seed.add_model(db)
    score, left, top, right, bottom = sorted(blind.values)[:5]
    with immediate(db):
        reprocess(db, seed.RECIPE, sighting_ids=list(blind.file_ids))
        jobs = lease_jobs(db, seed.RECIPE, owner="test", limit=20)
    assert len(jobs) == 12
    for job in jobs:
        context = RunContext(
            job_id=job.job_id, image_id=job.image_id, recipe=seed.RECIPE, recipe_sha256=seed.SHA256, model_id=pack.model_id
        )
        with immediate(db):
            assert record_run(db, context, seed.make_result(pack, [(left, top, right, bottom, score, 0)]), None, seal=blind.appliance.seal)


@pytest.mark.parametrize(
    "route",
    [
        attach_by_hand,
        attach_on_the_page,
        shift_the_line,
        empty_the_line,
        shift_the_camera,
        change_the_rules,
        claim_from_a_second_survey,
        name_the_folder_for_a_draft,
    ],
)
def test_no_move_of_files_shows_what_a_model_found(ship: Ship, route: Callable[[Ship], None]) -> None:
    route(ship)
    look_again(ship)
    assert ship.opened() == 0
    with browser(ship.client, "cl") as peeker:
        for address in (one for one in addresses(ship.served) if any(word in one for word in PLACES)):
            answer = peeker.get(address, follow_redirects=True)
            assert answer.status_code < 500, address
            assert secrets_in(ship.served, answer.text) == set(), address
    empty_log(ship.blind.appliance.writer)
    for path in ship.blind.appliance.home.glob("edge.db*"):
        assert places_of(ship.blind.values, path) == 0, path


def test_files_that_were_moved_away_wait_after_the_reveal_of_their_old_tow(ship: Ship) -> None:
    shift_the_line(ship)
    assert ship.blind.appliance.writer.execute("SELECT count(*) FROM tow_images").fetchone()[0] == 0
    with browser(ship.client, "rita") as rita:
        told = rita.get(f"/files/{ship.blind.file_ids[0]}").text
    assert "until the counts of station 101 are signed" in told
    ship.blind.desk.break_seal(ship.blind.tow_id, ship.blind.person("anna"), "nobody else aboard")
    assert ship.opened() == 0
    with browser(ship.client, "rita") as rita:
        assert "until the file has come to a station" in rita.get(f"/files/{ship.blind.file_ids[0]}").text


def test_a_release_is_an_administrators_with_a_reason_and_not_under_counts(ship: Ship) -> None:
    address, body = f"/api/tows/{ship.blind.tow_id}/release", {"reason": "an invalid station"}
    for name in ("cl", "vera", "rita"):
        with browser(ship.client, name) as peeker:
            assert peeker.post(address, json=body).status_code == 403
            assert peeker.post(address.replace("/api/", "/actions/"), data=body).status_code == 403
    with browser(ship.client, "anna") as anna:
        refused = anna.post(address, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "count_refused")
        ship.blind.appliance.writer.execute("UPDATE counts SET state = 'set_aside', set_aside_reason = 'a trial'")
        page = anna.get(f"/stations/{ship.blind.station_id}/counts").text
        assert "Release what models found" in page
        assert anna.post(address, json=body).json() == {"model_results": 12}
        told = anna.get(f"/stations/{ship.blind.station_id}/counts").text
        assert "an invalid station" in told
        assert "Not blind: what models found was released" in anna.get(f"/tows/{ship.blind.tow_id}/count").text
    assert ship.opened() == 36


def test_a_count_that_is_not_blind_is_told_on_every_page_that_shows_it(ship: Ship) -> None:
    blind = ship.blind
    blind.desk.break_seal(blind.tow_id, blind.person("anna"), "nobody else aboard")
    row = blind.appliance.writer.execute("SELECT id FROM counts WHERE counter = 'cl'").fetchone()
    person = blind.person("cl")
    blind.desk.sign(row[0], person, PIN, revision=blind.desk.own(row[0], person).content.revision)
    with browser(ship.client, "vera") as viewer:
        assert "not blind" in viewer.get(f"/stations/{blind.station_id}/counts").text
        assert "not blind" in viewer.get(f"/stations/{blind.station_id}/compare").text
        assert "not blind" in viewer.get(f"/stations/{blind.station_id}/result").text
        compared = viewer.get(f"/api/stations/{blind.station_id}/compare").json()
        assert list(compared["not_blind"]) == ["cl"]
        listed = viewer.get(f"/api/tows/{blind.tow_id}/counts").json()["counts"]
        assert [bool(one["not_blind"]) for one in listed] == [False, True]
