"""kill -9 between the drop of files, their attachment to a station and its reveal: sealed until the last signature, whole after it."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.commands.running import read_address
from edge.settings import load_settings
from edge.store.connection import DATABASE_NAME
from edge.store.open import open_store
from edge.store.seal import open_seal
from edge.store.waiting import TO_OPEN
from edge.survey.people_desk import open_people
from edge.survey.waiting_desk import WaitingDesk
from tests.faults.test_kill_count import prepare
from tests.helpers.counted import PIN
from tests.helpers.people import browser
from tests.helpers.tiny_home import RunningAppliance, query, wait_until, write_picture

FILES = 12
BLANK: dict[str, Any] = {"revision": 0, "marks": [], "lost": [], "seen": [], "notes": {}, "position_s": None}
TYPED = {**BLANK, "way": "typed", "typed": {"1": [3, 0, None, None], "2": [4, 0, None, None]}}


def plain(home: Path) -> tuple[int, int]:
    """How many results stand in plain rows, and how many objects."""
    ((runs, objects),) = query(home, "SELECT count(object_count), (SELECT count(*) FROM objects) FROM runs")
    return int(runs), int(objects)


def signed_in(home: Path, name: str) -> httpx.Client:
    return browser(httpx.Client(base_url=str(read_address(home)), timeout=60), name)


def started(home: Path) -> RunningAppliance:
    appliance = RunningAppliance(home)
    appliance.wait_ready()
    return appliance


def kill_during(appliance: RunningAppliance, work: Callable[[], object], *, after_s: float) -> None:
    """Ask something of it, and kill it then."""
    asking = threading.Thread(target=_ask, args=(work,))
    asking.start()
    time.sleep(after_s)
    appliance.kill()
    asking.join()


def _ask(work: Callable[[], object]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        work()


@pytest.mark.timeout(400)
def test_nothing_shows_before_the_reveal_and_everything_after_it(tmp_path: Path) -> None:
    home, chance = tmp_path / "home", random.Random(20261122)
    tow_id = prepare(home, tmp_path / "pack")
    _set_pins(home)
    for number in range(FILES):
        write_picture(home / "inbox" / "burrows" / "unknown", f"{number:02d}.png", number)
    appliance = started(home)
    time.sleep(chance.uniform(0.5, 2.0))
    appliance.kill()
    assert plain(home) == (0, 0)

    appliance = started(home)
    wait_until(lambda: query(home, "SELECT count(*) FROM runs") == [(FILES,)], "every file has a result")
    assert plain(home) == (0, 0)
    assert query(home, "SELECT count(*) FROM sealed_runs WHERE tow_id IS NULL") == [(FILES,)]
    files = [row[0] for row in query(home, "SELECT id FROM sightings ORDER BY id")]
    kill_during(appliance, lambda: _attach(home, tow_id, files), after_s=chance.uniform(0.0, 0.6))
    assert plain(home) == (0, 0)
    assert query(home, "SELECT count(*) FROM sealed_runs") == [(FILES,)]

    appliance = started(home)
    _attach(home, tow_id, files)
    _sign(home, tow_id, "jd")
    assert plain(home) == (0, 0)
    assert query(home, "SELECT DISTINCT tow_id FROM sealed_runs") == [(tow_id,)]
    kill_during(appliance, lambda: _sign(home, tow_id, "cl"), after_s=chance.uniform(0.2, 1.0))
    assert plain(home)[0] in {0, FILES}, "all of it or nothing"

    appliance = started(home)
    _sign(home, tow_id, "cl")
    assert appliance.stop() == 0
    runs, objects = plain(home)
    assert (runs, query(home, "SELECT count(*) FROM sealed_runs")) == (FILES, [(0,)])
    assert [(objects,)] == query(home, "SELECT sum(object_count + candidate_count) FROM runs")
    assert query(home, "SELECT DISTINCT not_blind FROM counts") == [("",)]


def _set_pins(home: Path) -> None:
    """Under the key of this home folder."""
    writer = open_store(home, on_commit=lambda: None)
    people = open_people(home, writer, _no_reader, load_settings(home))
    for (person_id,) in query(home, "SELECT id FROM people"):
        people.set_pin(person_id, PIN, actor="test")
    writer.close()


def _attach(home: Path, tow_id: int, files: list[int]) -> None:
    with signed_in(home, "rita") as rita:
        rita.post(f"/api/tows/{tow_id}/images", json={"file_ids": files})


def _sign(home: Path, tow_id: int, name: str) -> None:
    with signed_in(home, name) as counter:
        begun = counter.post(f"/api/tows/{tow_id}/count")
        if begun.status_code not in {200, 201}:
            return  # it was signed before the kill
        count_id = begun.json()["count_id"]
        kept = counter.get(f"/api/counts/{count_id}")
        if kept.status_code != 200 or kept.json()["state"] != "open":
            return
        revision = kept.json()["content"]["revision"]
        saved = counter.post(f"/api/counts/{count_id}", json={**TYPED, "revision": revision}).json()["revision"]
        answer = counter.post(f"/api/counts/{count_id}/sign", json={"pin": PIN, "revision": saved})
        assert answer.status_code == 200, answer.text


@pytest.mark.timeout(200)
def test_a_folder_that_was_freed_before_a_kill_is_opened_after_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepare(home, tmp_path / "pack")
    for number in range(4):
        write_picture(home / "inbox" / "burrows" / "tank", f"{number:02d}.png", number)
    appliance = started(home)
    wait_until(lambda: query(home, "SELECT count(*) FROM runs") == [(4,)], "every file has a result")
    assert appliance.stop() == 0
    ((folder_id,),) = query(home, "SELECT id FROM folders WHERE relative_path = 'tank'")

    writer = open_store(home, on_commit=lambda: None)
    desk = WaitingDesk(writer, _no_reader, open_seal(home))
    desk.free(folder_id, "a test of the tank", "anna")  # declared, and then the power went
    writer.close()
    assert (home / DATABASE_NAME).exists()
    assert plain(home) == (0, 0)
    assert query(home, f"SELECT count(*) FROM facts WHERE name = '{TO_OPEN}'") == [(1,)]

    appliance = started(home)
    wait_until(lambda: plain(home)[0] == 4, "what was asked for is open")
    assert appliance.stop() == 0
    assert query(home, f"SELECT count(*) FROM facts WHERE name = '{TO_OPEN}'") == [(0,)]


def _no_reader() -> Any:
    raise RuntimeError("the power was cut")
