"""`cvat pull`, `cvat status` and `cvat conflicts`, as a person types them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from annotator_bridge.cvat.login import keep_login
from edge.cli import app
from edge.commands.running import write_address
from edge.settings import Settings
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.lock import HomeLock
from edge.store.surveys import Attachment
from tests.helpers.counted import make_protocol
from tests.helpers.cvat_bench import FOUND, Bench
from tests.helpers.web import serving
from tests.simulators.appliance import SimulatedAppliance
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import OLD, World

EXIT_SETTINGS, EXIT_TRANSPORT = 2, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A home folder whose appliance does not run, beside a server."""

    bench: Bench
    server: Server

    def run(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["--home", str(self.bench.home), "cvat", *words])
        return done.exit_code, done.output

    def json(self, *words: str, code: int = 0) -> Any:
        done, output = self.run(*words, "--json")
        assert done == code, output
        return json.loads(output.splitlines()[-1])


@pytest.fixture
def typed(tmp_path: Path) -> Iterator[Typed]:
    world = World(tmp_path / "server", version=OLD)
    with cvat(world) as server:
        bench = Bench(tmp_path, world, server.url)
        keep_login(bench.home, bench.login)
        (bench.home / "settings.toml").write_text(f'cvat_url = "{server.url}"\n')
        yield Typed(bench=bench, server=server)


def test_a_task_is_pulled_by_any_of_its_names(typed: Typed) -> None:
    task = typed.bench.send([typed.bench.image(), typed.bench.image()], boxes={0: FOUND}, job_size=1)
    task.edit(0, lambda document: document["shapes"].pop())
    task.set_state(0, "completed")
    (first,) = typed.json("pull", task.uuid[:8])["tasks"]
    assert (first["jobs"], first["new"], first["completed"]) == (2, 2, 1)
    assert first["verdicts"] == {"kept": 1, "moved": 0, "relabelled": 0, "added": 0, "removed": 1}
    for name in (str(task.remote_id), "station 101", task.uuid):
        (again,) = typed.json("pull", name)["tasks"]
        assert (again["task_uuid"], again["new"], again["unchanged"]) == (task.uuid, 0, 2)


def test_without_a_name_every_task_comes_and_one_that_is_not_ours_stops_none(typed: Typed) -> None:
    first, second = typed.bench.send(boxes={0: FOUND}, title="one"), typed.bench.send(boxes={0: FOUND}, title="two")
    other = typed.bench.send([typed.bench.image(), typed.bench.image()], title="three")
    typed.bench.db.execute("UPDATE cvat_tasks SET remote_id = ? WHERE id = ?", (other.remote_id, first.id))
    found = {one["title"]: one for one in typed.json("pull", code=EXIT_TRANSPORT)["tasks"]}
    assert "other frames" in found["one"]["error"]
    assert (found["two"]["new"], found["three"]["new"]) == (1, 1)
    assert typed.bench.verdicts(second) == [(0, "kept"), (0, "kept")]
    code, output = typed.run("pull", "one")
    assert (code, "other frames" in output) == (EXIT_TRANSPORT, True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not asked for again."""
    monkeypatch.setattr("annotator_bridge.cvat.link._DELAYS_S", ())


@pytest.mark.usefixtures("impatient")
def test_a_task_at_which_the_server_fails_stops_none(typed: Typed) -> None:
    first, second = typed.bench.send(boxes={0: FOUND}, title="one"), typed.bench.send(boxes={0: FOUND}, title="two")
    typed.server.breaks(f"GET /api/tasks/{first.remote_id}/", "status", status=500, times=2)
    code, output = typed.run("pull")
    assert (code, "two: 1 of 1 jobs brought something new" in output) == (EXIT_TRANSPORT, True)
    assert typed.bench.rows(first) == []
    assert typed.bench.verdicts(second) == [(0, "kept"), (0, "kept")]
    found = {one["title"]: one for one in typed.json("pull", code=EXIT_TRANSPORT)["tasks"]}
    assert ("error" in found["one"], found["two"]["unchanged"]) == (True, 1)
    assert [one.get("error") for one in typed.json("pull")["tasks"]] == [None, None]


@pytest.mark.usefixtures("impatient")
def test_a_server_that_goes_away_ends_the_rest_and_what_came_is_told(typed: Typed) -> None:
    _, second, _ = [typed.bench.send(boxes={0: FOUND}, title=title) for title in ("one", "two", "three")]
    typed.server.breaks(f"GET /api/tasks/{second.remote_id}($|[?])", "status", status=500)
    typed.server.breaks("GET /api/users/self", "status", status=500)
    tasks = typed.json("pull", code=EXIT_TRANSPORT)["tasks"]
    assert [(one["title"], one.get("new")) for one in tasks] == [("one", 1), ("two", None), ("three", None)]
    assert tasks[1]["error"] == tasks[2]["error"]
    code, output = typed.run("pull")
    assert (code, "three: 1 of 1 jobs brought something new" in output) == (0, True)


def test_what_cannot_be_pulled_is_said(typed: Typed) -> None:
    assert typed.json("pull") == {"tasks": []}
    code, output = typed.run("pull", "nobody knows it")
    assert (code, "there is no such task" in output) == (EXIT_SETTINGS, True)
    task = typed.bench.send(boxes={0: FOUND})
    typed.server.dies_after(0)
    code, _ = typed.run("pull")
    assert code == EXIT_TRANSPORT
    assert typed.bench.rows(task) == []


def test_status_tells_tasks_jobs_and_agreement(typed: Typed) -> None:
    code, output = typed.run("status")
    assert (code, "no task was made" in output) == (0, True)
    task = typed.bench.send([typed.bench.image(), typed.bench.image(())], boxes={0: FOUND}, job_size=1)
    task.edit(1, lambda document: document["shapes"].append(task.shape(1, (1, 1, 9, 9))))
    for place in (0, 1):
        task.set_state(place, "completed")
    typed.run("pull")
    told = typed.json("status")
    (row,) = told["tasks"]
    assert (row["uuid"], row["completed"], row["url"]) == (task.uuid, 2, f"{typed.server.url}/tasks/{task.remote_id}")
    assert [job["state"] for job in row["jobs_there"]] == ["completed", "completed"]
    (agreement,) = told["agreement"]["tasks"]
    assert (agreement["kept"], agreement["added"], agreement["matched"], agreement["only_person"]) == (2, 1, 2, 1)
    code, output = typed.run("status")
    assert code == 0
    for words in ("station 101", "2 of 2", "100 %", "67 %", "-0.50 per image"):
        assert words in output


def test_why_a_job_of_a_blind_station_cannot_be_taken_is_not_told(typed: Typed) -> None:
    db, image_id = typed.bench.db, typed.bench.image()
    task = typed.bench.send([image_id], boxes={0: FOUND})
    typed.run("pull")
    with immediate(db):
        survey_id = surveys.add_survey(db, "CV26001", actor="test")
        surveys.add_protocol(db, survey_id, make_protocol(), reason="the manual", actor="test")
        surveys.add_station(db, survey_id, "101", actor="test")
        (tow_id,) = db.execute("SELECT id FROM tows").fetchone()
        surveys.attach_images(db, [Attachment(image_id=image_id, tow_id=tow_id, camera_id=None, how="hand", at_s=0.0)], actor="test")
    task.edit(0, lambda document: document["shapes"].append(task.shape(0, (1, 2, 3))))
    for words in (("pull",), ("pull", "--json"), ("status",), ("status", "--json")):
        code, output = typed.run(*words)
        assert (code, "4 numbers" in output, "cannot be taken" in output.replace("\n", " ")) == (0, False, True), words
    (row,) = typed.json("status")["tasks"]
    assert (row["is_blind"], row["jobs_there"][0]["versions"]) == (True, None)


def test_conflicts_are_told_with_both_sides(typed: Typed) -> None:
    assert "nobody disagrees (stations that are counted blind are left out" in typed.run("conflicts")[1]
    image_id = typed.bench.image()
    first, second = typed.bench.send([image_id], boxes={0: FOUND}), typed.bench.send([image_id], title="again")
    for task in (first, second):
        task.set_state(0, "completed")
    typed.run("pull")
    (row,) = typed.json("conflicts")
    assert (row["kind"], [side["words"] for side in row["sides"]]) == ("two_tasks", ["2 opening; 2 only here", "nothing on it"])
    code, output = typed.run("conflicts")
    assert (code, "nothing on it (anna" in output, "training set" in output) == (0, True, True)


@contextmanager
def running(typed: Typed) -> Iterator[None]:
    """An appliance that works on the home folder, its desk too."""
    appliance = SimulatedAppliance(typed.bench.home, Settings(cvat_url=typed.server.url))
    lock = HomeLock(appliance.home)
    lock.acquire()
    try:
        with serving(appliance) as client:
            write_address(appliance.home, str(client.base_url).rstrip("/"))
            appliance.annotation.start()
            yield
            appliance.annotation.stop()
    finally:
        lock.release()
        appliance.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that waits and waits fails."""
    looks = iter(range(200))

    def look(_: float) -> None:
        assert next(looks, None) is not None, "it waits for ever"
        threading.Event().wait(0.05)

    monkeypatch.setattr("edge.commands.cvat_pull.time", SimpleNamespace(sleep=look))
    monkeypatch.setattr("edge.commands.cvat_push.time", SimpleNamespace(sleep=look))
    monkeypatch.setattr("annotator_bridge.cvat.link._DELAYS_S", ())


@pytest.mark.usefixtures("patient")
def test_a_running_appliance_pulls_and_says_what_it_could_not(typed: Typed) -> None:
    task = typed.bench.send(boxes={0: FOUND}, title="one")
    other = typed.bench.send([typed.bench.image(), typed.bench.image()], title="two")
    with running(typed):
        (first,) = typed.json("pull", "one")["tasks"]
        assert (first["new"], (first["verdicts"] or {})["kept"]) == (1, 2)
        (again,) = typed.json("pull", "one")["tasks"]
        assert (again["new"], again["unchanged"]) == (0, 1)
        typed.bench.db.execute("UPDATE cvat_tasks SET remote_id = ? WHERE id = ?", (other.remote_id, task.id))
        code, output = typed.run("pull", "one")
        assert (code, "other frames" in output) == (EXIT_TRANSPORT, True)
        typed.server.dies_after(0)
        code, output = typed.run("pull", "two")
        assert (code, "cannot be reached" in output) == (EXIT_TRANSPORT, True)
        typed.server.dies_after(None)
        (back,) = typed.json("pull", "two")["tasks"]
        assert back["new"] == 1, "what was found before is not what stands now"


@pytest.mark.usefixtures("patient")
def test_a_running_appliance_says_that_a_push_waits_for_the_server(typed: Typed) -> None:
    typed.bench.image()
    with running(typed):
        typed.server.dies_after(0)
        code, output = typed.run("push", "--folder", str(typed.bench.inbox / "tow"))
        assert (code, "cannot be reached" in output) == (EXIT_TRANSPORT, True)
        typed.server.dies_after(None)
        assert typed.json("push", "--folder", str(typed.bench.inbox / "tow"))["step"] == "sent"


@pytest.mark.usefixtures("patient")
def test_a_task_that_cannot_be_pulled_holds_up_no_other(typed: Typed) -> None:
    first = typed.bench.send(boxes={0: FOUND}, title="one")
    typed.bench.send([typed.bench.image(), typed.bench.image()], title="two")
    third = typed.bench.send(boxes={0: FOUND}, title="three")
    typed.bench.db.execute("UPDATE cvat_tasks SET remote_id = ? WHERE id = ?", (first.remote_id, third.id))
    with running(typed):
        there = typed.json("pull", code=EXIT_TRANSPORT)["tasks"]
    here = typed.json("pull", code=EXIT_TRANSPORT)["tasks"]
    assert [one.get("new") for one in there] == [1, 1, None]
    assert [one["title"] for one in there if "error" in one] == [one["title"] for one in here if "error" in one] == ["three"]
    assert "is not the one that was sent" in there[2]["error"]
