"""The desk of annotation with a simulated CVAT over real HTTP: what people ask for is done once, and later where there is no link."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from annotator_bridge.cvat import rounds
from annotator_bridge.cvat.desk import AnnotationDesk
from annotator_bridge.cvat.login import LOGIN_NAME
from annotator_bridge.cvat.signing import log_in
from annotator_bridge.cvat.values import PushRequest
from edge.annotation_work import annotation_desk, facade_status
from edge.errors import LinkDownError, LoginNeededError, SettingsError
from edge.recipes.footage_hands import footage_hands
from edge.settings import Settings
from edge.store.reads.cvat import TaskRow, jobs_of, task_by_id, tasks
from edge.store.reads.cvat_page import verdict_counts
from tests.helpers.web import Survey, make_survey
from tests.simulators.appliance import DirectWriter, SimulatedAppliance
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import OTHER, OTHER_PASSWORD, PASSWORD, USER, Job, World

ACTOR = "rita 127.0.0.1"


@dataclass(slots=True, kw_only=True)
class Ship:
    """An appliance with a few stills beside a CVAT, and a clock that only goes on when it is told to."""

    appliance: SimulatedAppliance
    survey: Survey
    server: Server
    desk: AnnotationDesk
    later_s: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.later_s)

    def push(self, *, again: bool = False) -> int:
        request = PushRequest(source="selection", folder=str(self.survey.inbox / "station-011"), job_frames=2, again=again)
        return self.desk.push(request, ACTOR).task_id

    def task(self, task_id: int) -> TaskRow:
        with self.appliance.reader() as connection:
            row = task_by_id(connection, task_id)
        assert row is not None
        return row

    def jobs(self, task_id: int) -> list[Job]:
        remote_id = self.task(task_id).remote_id
        assert remote_id is not None
        return self.server.world.jobs_of(self.server.world.tasks[remote_id])

    def complete(self, job: Job) -> None:
        job.state, job.updated = "completed", self.server.world.now()

    def audited(self) -> list[str]:
        with self.appliance.reader() as connection:
            rows = connection.execute("SELECT actor || ': ' || action FROM audit WHERE action LIKE 'cvat_%' ORDER BY id")
            return [row[0] for row in rows]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ship]:
    appliance = SimulatedAppliance(tmp_path / "home")
    survey = make_survey(appliance)
    with cvat(World(tmp_path / "server")) as server:
        settings = Settings(cvat_url=server.url)
        ship = Ship(appliance=appliance, survey=survey, server=server, desk=appliance.annotation)
        ship.desk = AnnotationDesk(
            appliance.home,
            DirectWriter(appliance),
            appliance.reader,
            settings=settings,
            server=server.url,
            facade=partial(facade_status, appliance.home, settings),
            hands=partial(footage_hands, settings),
            now=ship.now,
        )
        monkeypatch.setattr("annotator_bridge.cvat.link._DELAYS_S", ())  # between two attempts of one request
        yield ship
    appliance.close()


def sign_in(ship: Ship) -> None:
    ship.desk.login(ACTOR, username=USER, password=PASSWORD)


def test_without_a_server_nothing_is_asked_for_and_nobody_is_contacted(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    def contact(*_: object, **__: object) -> None:
        raise AssertionError("somebody was contacted")

    monkeypatch.setattr("annotator_bridge.cvat.session.Link", contact)
    desk = annotation_desk(ship.appliance.home, Settings(), DirectWriter(ship.appliance), ship.appliance.reader)
    asked: tuple[Callable[[], object], ...] = (
        partial(desk.push, PushRequest(source="scan", scan="1"), ACTOR),
        partial(desk.pull, None, ACTOR),
        partial(desk.retry, None, ACTOR),
        partial(desk.login, ACTOR, token="t"),
    )
    for one in asked:
        with pytest.raises(SettingsError, match="no CVAT server is configured"):
            one()
    desk.page_is_open()
    assert desk.step() == rounds.AGAIN_S
    assert {one.check: one.state for one in desk.doctor()}["server_address"] == "error"
    desk.start()
    desk.stop()


def test_a_task_goes_out_is_worked_on_and_comes_back_by_itself(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK_OPEN_S", 0.0)
    sign_in(ship)
    task_id = ship.push()
    ship.desk.step()
    assert (ship.task(task_id).step, ship.task(task_id).trouble) == ("sent", "")
    assert ship.desk.server_state().reach.answers
    ship.desk.page_is_open()
    ship.desk.step()
    with ship.appliance.reader() as connection:
        assert all(one.versions == 0 for one in jobs_of(connection, task_id))
    first = ship.jobs(task_id)[0]
    first.shapes.clear()
    ship.complete(first)
    ship.desk.step()
    with ship.appliance.reader() as connection:
        assert jobs_of(connection, task_id)[0].state == "completed"
        found = verdict_counts(connection, [task_id])[task_id]
    assert found["removed"] >= 1
    asked = len(ship.server.asked)
    monkeypatch.setattr(rounds, "LOOK_OPEN_S", 3600.0)
    monkeypatch.setattr(rounds, "LOOK_S", 3600.0)
    ship.desk.step()
    assert len(ship.server.asked) == asked, "the server is asked although it is not time"
    assert ship.audited()[-1] == "the appliance: cvat_pull"


def test_what_is_pushed_twice_is_one_task(ship: Ship) -> None:
    sign_in(ship)
    assert ship.push() == ship.push()
    ship.desk.step()
    assert len(ship.server.world.tasks) == 1


def test_a_server_that_is_down_is_asked_once_and_later_each_time(ship: Ship) -> None:
    sign_in(ship)
    ship.server.dies_after(0)
    task_id = ship.push()
    ship.desk.step()
    state = ship.desk.server_state().reach
    assert (state.answers, state.code, state.failures) == (False, "link_down", 1)
    since = state.since_utc
    assert ship.desk.step() <= rounds.AGAIN_S
    assert ship.desk.server_state().reach.failures == 1, "it is not its time yet"
    waits = []
    for _ in range(4):
        ship.later_s += 700
        ship.desk.step()
        waits.append((datetime.fromisoformat(ship.desk.server_state().reach.next_try_utc or "") - ship.now()).total_seconds())
    assert waits == sorted(waits)
    assert ship.desk.server_state().reach.since_utc == since
    ship.server.dies_after(None)
    assert ship.desk.retry(None, ACTOR) in (0, 1)
    ship.desk.step()
    assert ship.task(task_id).step == "sent"
    assert ship.desk.server_state().reach.answers


def test_a_sign_in_that_is_refused_is_not_tried_again_by_itself(ship: Ship) -> None:
    with pytest.raises(LoginNeededError):
        ship.desk.login(ACTOR, username=USER, password="wrong")
    assert not (ship.appliance.home / LOGIN_NAME).exists()
    task_id = ship.push()
    ship.desk.step()
    assert ship.desk.server_state().reach.is_blocked
    sign_in(ship)
    ship.server.world.expire_tokens()
    ship.desk.step()
    assert ship.desk.server_state().reach.is_blocked
    asked = len(ship.server.asked)
    ship.later_s += 100_000
    ship.desk.step()
    assert len(ship.server.asked) == asked
    sign_in(ship)
    ship.desk.step()
    assert ship.task(task_id).step == "sent"
    kept = json.loads((ship.appliance.home / LOGIN_NAME).read_text())
    assert PASSWORD not in json.dumps(kept)
    with ship.appliance.reader() as connection:
        audit = " ".join(row[0] for row in connection.execute("SELECT detail_json FROM audit"))
    assert PASSWORD not in audit
    assert kept["token"] not in audit
    assert ship.desk.logout(ACTOR)
    assert ship.desk.server_state().username is None


def test_a_pull_is_asked_for_once_however_often_and_waits_for_the_link(ship: Ship) -> None:
    sign_in(ship)
    task_id = ship.push()
    uuid = ship.task(task_id).uuid
    with pytest.raises(SettingsError, match="still on its way"):
        ship.desk.pull(uuid, ACTOR)
    ship.desk.step()
    ship.server.dies_after(0)
    for _ in range(5):
        assert ship.desk.pull(uuid, ACTOR) == 1
    ship.desk.step()
    assert list(ship.desk.asked_pulls()) == [task_id]
    ship.server.dies_after(None)
    ship.later_s += 1000
    before = ship.server.count(r"GET /api/jobs/\d+/annotations")
    ship.desk.step()
    assert ship.server.count(r"GET /api/jobs/\d+/annotations") - before == len(ship.jobs(task_id))
    assert ship.desk.asked_pulls() == {}
    assert ship.audited()[-1] == f"{ACTOR}: cvat_pull"


def test_what_the_server_refuses_stops_that_task_only_until_somebody_asks(ship: Ship) -> None:
    sign_in(ship)
    ship.server.world.fails_data_of = ""
    first = ship.push()
    ship.desk.step()
    row = ship.task(first)
    assert (row.next_try_utc, row.trouble_code) == (None, "cvat_data_failed")
    assert ship.desk.server_state().reach.answers
    asked = ship.server.count("POST")
    ship.later_s += 100_000
    ship.desk.step()
    assert ship.server.count("POST") == asked, "a task that was stopped is not tried by itself"
    ship.server.world.fails_data_of = None
    assert ship.desk.retry(row.uuid, ACTOR) == 1
    ship.desk.step()
    assert ship.task(first).step == "sent"
    assert f"{ACTOR}: cvat_retry" in ship.audited()


def test_a_task_that_was_cancelled_or_deleted_there_is_let_be(ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LOOK_OPEN_S", 0.0)
    monkeypatch.setattr(rounds, "LOOK_S", 0.0)
    sign_in(ship)
    first = ship.push()
    ship.desk.cancel(ship.task(first).uuid, ACTOR)
    with pytest.raises(SettingsError, match="cancelled before"):
        ship.desk.cancel(ship.task(first).uuid, ACTOR)
    ship.desk.step()
    assert ship.server.world.tasks == {}
    second = ship.push()
    assert second != first
    ship.desk.step()
    remote_id = ship.task(second).remote_id
    assert remote_id is not None
    del ship.server.world.tasks[remote_id]
    ship.desk.step()
    assert ship.task(second).gone_utc is not None
    with pytest.raises(SettingsError, match="no longer in CVAT"):
        ship.desk.pull(ship.task(second).uuid, ACTOR)
    with ship.appliance.reader() as connection:
        assert tasks(connection, only_open=True) == ()


def test_a_task_without_data_is_taken_away_there_when_it_is_cancelled(ship: Ship) -> None:
    sign_in(ship)
    ship.server.breaks(r"POST /api/tasks/\d+/data", "status", status=400)
    first = ship.push()
    ship.desk.step()
    assert (ship.task(first).step, len(ship.server.world.tasks)) == ("created", 1)
    ship.desk.cancel(ship.task(first).uuid, ACTOR)
    ship.desk.step()
    assert ship.server.world.tasks == {}
    second = ship.push()
    ship.desk.step()
    assert ship.task(second).step == "sent"
    ship.desk.cancel(ship.task(second).uuid, ACTOR)
    ship.desk.step()
    assert len(ship.server.world.tasks) == 1, "what people may have worked on stays"


def test_a_task_that_the_account_may_not_see_holds_up_no_other(ship: Ship) -> None:
    sign_in(ship)
    first = ship.push()
    ship.desk.step()
    ship.desk.login(ACTOR, username=OTHER, password=OTHER_PASSWORD)
    second = ship.push(again=True)
    assert ship.desk.pull(None, ACTOR) == 1
    ship.desk.step()
    assert ship.task(first).gone_utc is None
    assert ship.desk.asked_pulls()[first].trouble
    assert ship.task(second).step == "sent"
    sign_in(ship)
    assert ship.desk.asked_pulls() == {}


def test_a_task_at_which_the_server_fails_each_time_holds_up_no_other(ship: Ship) -> None:
    sign_in(ship)
    first, second = ship.push(), ship.push(again=True)
    ship.desk.step()
    ship.server.breaks("/data/meta", "status", status=500)
    stuck = ship.push(again=True)
    ship.desk.step()
    for task_id in (first, stuck):
        ship.server.breaks(f"/api/tasks/{ship.task(task_id).remote_id}/data/meta", "status", status=500, times=99)
    sent = ship.push(again=True)
    assert ship.desk.pull(None, ACTOR) == 2
    for _ in range(4):
        ship.later_s += 1000
        ship.desk.step()
    assert (ship.task(stuck).step, ship.task(sent).step) == ("ready", "sent")
    with ship.appliance.reader() as connection:
        versions = [max(job.versions for job in jobs_of(connection, task_id)) for task_id in (first, second)]
    assert versions == [0, 1]
    assert ship.desk.server_state().reach.code == "server_failed"


def test_a_sign_in_by_a_command_is_seen(ship: Ship) -> None:
    task_id = ship.push()
    ship.desk.step()
    assert ship.desk.server_state().reach.is_blocked
    log_in(ship.appliance.home, ship.server.url, username=USER, password=PASSWORD, wait=lambda _: False)
    ship.desk.step()
    assert ship.task(task_id).step == "sent"


def test_a_sign_in_that_cannot_be_used_is_told_and_hides_nothing(ship: Ship) -> None:
    sign_in(ship)
    kept = ship.appliance.home / LOGIN_NAME
    kept.chmod(0o644)
    task_id = ship.push()
    ship.desk.step()
    state = ship.desk.server_state()
    assert (state.username, state.reach.answers, "others" in state.reach.words) == (None, False, True)
    kept.unlink()
    ship.later_s += 1000
    ship.desk.step()
    assert ship.desk.server_state().reach.is_blocked
    kept.write_text("not JSON")
    kept.chmod(0o600)
    ship.desk.step()
    sign_in(ship)
    ship.desk.step()
    assert ship.task(task_id).step == "sent"


def test_the_thread_does_it_too_and_ends_with_the_appliance(ship: Ship) -> None:
    ship.desk.start()
    ship.server.dies_after(0)
    with pytest.raises(LinkDownError):
        sign_in(ship)
    ship.server.dies_after(None)
    sign_in(ship)
    task_id = ship.push()
    for _ in range(600):
        if ship.task(task_id).step == "sent":
            break
        ship.desk._stopping.wait(0.05)
    ship.desk.stop()
    assert ship.task(task_id).step == "sent"
