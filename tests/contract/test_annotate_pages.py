"""The pages and the JSON API of annotation over a real database: states in words, what is hidden while a station is blind, who may what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.settings import Settings
from edge.store import cvat as store
from edge.store.connection import immediate
from edge.store.sealed_runs import release_tow
from tests.contract.test_pages import Outline
from tests.helpers.counted import make_blind_survey
from tests.helpers.cvat import URL, SeededTask, seed_pull, seed_sent, seed_task
from tests.helpers.people import browser, make_people
from tests.helpers.web import make_survey, serving
from tests.simulators.appliance import SimulatedAppliance

WHO = "<a title> makes a tooltip that is white in red mode"  # the frame's, of whoever is signed in
HOSTILE = '<script>alert(1)</script> "station"\n{{ 7 * 7 }}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A served appliance with tasks in every state, none of which was ever on a server."""

    appliance: SimulatedAppliance
    tasks: dict[str, SeededTask]
    rita: httpx.Client
    vera: httpx.Client

    def words(self, address: str, who: httpx.Client | None = None) -> str:
        """The text of a page without tags, uuids and times of day."""
        found = (who or self.rita).get(address)
        assert found.status_code == 200, found.text
        main = found.text[found.text.index("<main") : found.text.index("</main")]
        plain = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d(:\d\d)?Z?", "", re.sub(r"<[^>]+>", " ", main))
        return re.sub(r"\s+", " ", plain).replace("&#39;", "'")

    def told(self, address: str) -> Any:
        return self.rita.get(address).raise_for_status().json()

    def row(self, name: str) -> str:
        """The line of a task in the list, as words."""
        page = self.rita.get("/annotate").text
        line = next(part for part in page.split("<tr>") if self.tasks[name].uuid in part)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", line)).replace("&#39;", "'")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    appliance = SimulatedAppliance(tmp_path_factory.mktemp("annotate") / "home", Settings(cvat_url=URL))  # its desk is not started
    make_survey(appliance)
    with immediate(appliance.writer) as connection:
        tasks = {
            "worked": seed_task(connection, title="station 11", with_model=True),
            "withheld": seed_task(connection, title="station 12", withheld="its blind counts are not signed"),
            "refused": seed_task(connection, title=HOSTILE),
            "cancelled": seed_task(connection, title="station 14"),
            "gone": seed_task(connection, title="station 15"),
            "complete": seed_task(connection, title="station 16"),
            "elsewhere": seed_task(connection, title="station 18", server_url="http://elsewhere:8080"),
        }
        jobs = seed_sent(connection, tasks["worked"], states=("completed", "in progress", "new"))
        assert seed_pull(connection, tasks["worked"], jobs[0], {"kept": 31, "moved": 4, "removed": 3, "added": 6})
        assert seed_pull(connection, tasks["worked"], jobs[0], {"kept": 30, "moved": 5, "removed": 3, "added": 7}, pulled_by="rita")
        store.note_step(connection, tasks["refused"].id, "created", remote_id=99)
        store.note_trouble(connection, tasks["refused"].id, "server_refused", "CVAT refused it: no such label", next_try_utc=None)
        store.cancel_task(connection, tasks["cancelled"].id, "rita")
        seed_sent(connection, tasks["gone"], remote_id=74)
        store.note_gone(connection, tasks["gone"].id)
        seed_sent(connection, tasks["complete"], states=("completed", "completed"), remote_id=75)
    make_people(appliance)
    with serving(appliance) as client, browser(client, "rita") as rita, browser(client, "vera") as vera:
        yield Desk(appliance=appliance, tasks=tasks, rita=rita, vera=vera)
        appliance.close()


def test_every_page_is_sound_and_escapes_what_others_typed(desk: Desk) -> None:
    addresses = ["/annotate", "/annotate/new", "/annotate/conflicts", "/annotate/agreement", "/annotate?state=trouble"]
    addresses += [f"/annotate/tasks/{one.uuid}" for one in desk.tasks.values()]
    for address in addresses:
        found = desk.rita.get(address)
        assert found.status_code == 200, address
        outline = Outline(found.text)
        faults = [fault for fault in outline.faults if fault != WHO]
        assert (faults, outline.headings) == ([], 1), address
        assert "<script>alert" not in found.text
    outside = re.findall(r'<a [^>]*href="http[^>]*>', desk.rita.get("/annotate").text)
    assert len(outside) >= 2
    assert all('rel="noopener noreferrer"' in one for one in outside)


def test_without_a_server_it_says_what_to_set_and_nothing_can_be_sent(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    make_survey(appliance)
    with serving(appliance) as client:
        page = client.get("/annotate").text
        assert Outline(page).faults == []
        assert "not configured" in page
        assert "cvat_url" in page
        assert "No task yet." in page
        assert "/actions/annotate/login" not in page
        refused = client.post("/api/annotate/pull")
        assert (refused.status_code, refused.json()["message"]) == (409, "no CVAT server is configured")
        assert client.get("/api/annotate").json()["server"]["answers"] is None
        form = client.get("/annotate/new?source=selection&folder=station-011").text
        assert re.search(r'<button class="primary" disabled>Send to CVAT', form)
        doctor = client.get("/annotate/doctor").text
        assert "no CVAT server is set" in doctor
        assert Outline(doctor).faults == []
    appliance.close()


def test_a_task_says_in_words_where_it_is_and_what_to_do(desk: Desk) -> None:
    assert "with people" in desk.row("worked")
    assert "1 of 3 done, 1 in work" in desk.row("worked").replace(" ,", ",")
    assert "planned, goes on" in desk.row("withheld")
    assert "withheld: its blind counts are not signed" in desk.row("withheld")
    assert "made in CVAT, stopped" in desk.row("refused")
    assert "no such label" in desk.row("refused")
    assert "Try again" in desk.row("refused")
    assert "every job completed" in desk.row("complete")
    assert "gone from CVAT" in desk.row("gone")
    assert "in another CVAT" in desk.row("elsewhere")
    assert "Try again" not in desk.row("elsewhere")
    assert f'href="{URL}/tasks/71/jobs/7101"' in desk.rita.get("/annotate").text
    words = desk.words(f"/annotate/tasks/{desk.tasks['gone'].uuid}")
    assert "Somebody deleted the task in CVAT." in words


def test_filters_show_what_passes_and_only_that(desk: Desk) -> None:
    troubled = {one["uuid"] for one in desk.told("/api/annotate/tasks?state=trouble")}
    assert troubled == {desk.tasks["refused"].uuid, desk.tasks["elsewhere"].uuid}
    words = desk.words("/annotate?state=back")
    assert "station 16" in words
    assert "station 11" not in words
    assert "No task passes this filter." in desk.words("/annotate?tow=77")
    assert "station 11" in desk.words("/annotate?state=&tow="), "a form sends what was left empty"
    assert desk.rita.get("/annotate?tow=0").status_code == 422
    assert desk.rita.get("/annotate?state=nothing").status_code == 422


def test_what_became_of_the_models_results_by_image_and_every_version(desk: Desk) -> None:
    assert "30 kept, 5 moved, 7 added, 3 removed" in desk.row("worked")
    assert "92 % of the model's stood" in desk.row("worked")
    details = desk.told(f"/api/annotate/tasks/{desk.tasks['worked'].uuid}")
    assert details["verdicts"] == {"kept": 30, "moved": 5, "removed": 3, "added": 7}
    assert [one["verdicts"] for one in details["verdicts_by_image"]] == [details["verdicts"]]
    assert [(one["pulled_by"], one["is_current"]) for one in details["versions"]] == [("rita", True), ("the appliance", False)]
    assert [one["state"] for one in details["jobs_there"]] == ["completed", "in progress", "new"]
    words = desk.words(f"/annotate/tasks/{desk.tasks['worked'].uuid}")
    assert "rita in force" in words or "in force rita" in words
    assert desk.rita.get("/annotate/tasks/nothing").status_code == 404
    assert desk.rita.get("/api/annotate/tasks/nothing").status_code == 404


def test_viewers_see_and_change_nothing(desk: Desk) -> None:
    page = desk.vera.get("/annotate").text
    assert "station 11" in page
    assert "/actions/annotate" not in page
    assert "/annotate/doctor" not in page, "it asks the server"
    assert desk.vera.get("/annotate/new").status_code == 403
    for path in ("/api/annotate/pull", f"/api/annotate/tasks/{desk.tasks['worked'].uuid}/cancel"):
        assert desk.vera.post(path).status_code == 403
    assert desk.rita.post("/api/annotate/login", json={"token": "t" * 40}).status_code == 403


def test_cancelling_is_asked_twice_and_says_who(desk: Desk) -> None:
    with immediate(desk.appliance.writer) as connection:
        task = seed_task(connection, title="station 17")
    page = f"/annotate/tasks/{task.uuid}"
    assert "Yes, cancel it" in desk.words(page)
    assert desk.rita.post(f"/actions/annotate/tasks/{task.uuid}/cancel", data={"back": page}).status_code == 303
    words = desk.words(page)
    assert "cancelled" in words
    assert "Yes, cancel it" not in words
    again = desk.rita.post(f"/api/annotate/tasks/{task.uuid}/cancel")
    assert (again.status_code, again.json()["message"]) == (409, "station 17 was cancelled before")
    with desk.appliance.reader() as connection:
        actor = connection.execute("SELECT actor FROM audit WHERE action = 'cvat_cancel' ORDER BY id DESC").fetchone()[0]
    assert actor.startswith("rita ")


def test_the_form_says_what_would_go_before_anything_happens(desk: Desk) -> None:
    page = desk.rita.get("/annotate/new?source=selection&folder=station-011").text
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&#39;", "'")
    assert re.search(r"\b4 images, 1 job\b", words), words
    assert "Left out" in words
    assert re.search(r'name="with_model" value="1" checked', page)
    assert re.search(r'<button class="primary">Send to CVAT', page)
    assert "no file was ever seen in nowhere" in desk.words("/annotate/new?source=selection&folder=nowhere")
    assert desk.rita.get("/annotate/new?source=station&tow=&media=").status_code == 422
    assert "no scan" in desk.words("/annotate/new?source=scan&scan=nothing&tow=&folder=&media=")
    assert desk.rita.get("/annotate/new?source=station&tow=77").status_code == 404
    told = desk.rita.post("/api/annotate/preview", json={"source": "selection", "folder": "station-011", "job_frames": 3}).json()
    assert (told["images"], told["jobs"], told["can_have_model"], told["stands"]) == (4, 2, True, None)
    folder = re.search(r'<option value="(\d+)"[^>]*>[^<]*station-011', desk.rita.get("/files").text)
    assert folder is not None
    assert "/annotate/new?source=selection&amp;folder=station-011" in desk.rita.get(f"/files?folder={folder[1]}").text
    assert "/annotate/new" not in desk.vera.get(f"/files?folder={folder[1]}").text


def test_nothing_of_a_station_that_is_counted_blind_is_told(tmp_path: Path) -> None:
    appliance = SimulatedAppliance(tmp_path / "home")
    blind = make_blind_survey(appliance, stills=6)
    sizes = appliance.writer.execute("SELECT s.path, i.size_bytes FROM sightings AS s JOIN images AS i ON i.id = s.image_id").fetchall()
    for path, size_bytes in sizes:
        Path(path).write_bytes(bytes(size_bytes))  # what goes is looked at by its size
    with immediate(appliance.writer) as connection:
        task = seed_task(connection, title="station 101", image_ids=blind.image_ids, tow_id=blind.tow_id, with_model=True)
        jobs = seed_sent(connection, task, states=("completed",), job_frames=6)
        seed_pull(connection, task, jobs[0], {"kept": 31, "removed": 3, "added": 17})
        store.note_job_trouble(connection, jobs[0], "a shape on frame 2 lies outside")
    with serving(appliance) as client, browser(client, "anna") as anna:
        addresses = ["/annotate", f"/annotate/tasks/{task.uuid}", "/annotate/conflicts", "/annotate/agreement"]
        addresses += ["/api/annotate/tasks", f"/api/annotate/tasks/{task.uuid}", "/api/annotate/agreement", "/api/annotate/conflicts"]
        for address in addresses:
            text = re.sub(r"[0-9a-f-]{16,}|\d\d:\d\d:\d\d", "", anna.get(address).raise_for_status().text)
            assert not re.search(r"\b(31|17|51|91)\b", re.sub(r"<svg.*?</svg>|<[^>]+>", " ", text, flags=re.DOTALL)), address
            assert "a shape on frame" not in text, address
        page = anna.get(f"/annotate/tasks/{task.uuid}").text
        assert ("it cannot be taken; why is told when" in page, "in force" in page) == (True, False)
        assert "hidden: its station is counted blind" in anna.get("/annotate").text
        assert "who counts it must not look there" in anna.get(f"/annotate/tasks/{task.uuid}").text
        told = anna.get(f"/api/annotate/tasks/{task.uuid}").json()
        assert (told["verdicts"], told["stood_percent"], told["verdicts_by_image"], told["versions"]) == (None, None, [], [])
        (job,) = told["jobs_there"]
        assert (job["trouble"].startswith("it cannot be taken"), job["versions"]) == (True, None)
        form = anna.get(f"/annotate/new?source=station&tow={blind.tow_id}").text
        assert re.search(r'name="with_model" value="1" disabled', form), form
        assert "Without what the model found" in form
        station = anna.get(f"/stations/{blind.station_id}").text
        assert f"/annotate/new?source=station&amp;tow={blind.tow_id}" in station
        with immediate(appliance.writer) as connection:
            release_tow(connection, appliance.seal, blind.tow_id, "the counts are signed", actor="anna")
        assert "must not look there" not in anna.get(f"/annotate/tasks/{task.uuid}").text
        told = anna.get(f"/api/annotate/tasks/{task.uuid}").json()
        assert told["verdicts"] == {"kept": 31, "removed": 3, "added": 17}
        assert (len(told["versions"]), told["jobs_there"][0]["versions"]) == (1, 1)
        assert "a shape on frame 2" in anna.get(f"/annotate/tasks/{task.uuid}").text
    appliance.close()
