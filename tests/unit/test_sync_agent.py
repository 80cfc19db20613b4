"""The agent: everything goes once, the most urgent first, when a far side can take it, and no far side holds up another."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.errors import LinkDownError, LoginNeededError, ServerRefusedError
from edge.sink_settings import SinkSettings
from edge.store import deliveries
from edge.store.open import open_store
from edge.store.writer import Writer
from sync.agent import AGAIN_S, LONGEST_S, NO_ROOM_S, SyncAgent
from sync.far_sides import opened_folder
from sync.pause import Pause, put_pause
from sync.side import Opened
from sync.sinks.directory import MARKER_NAME, DirectorySink
from sync.sinks.sink import Free
from tests.helpers.going_ashore import OF_THE_SHIP, agent_of, folder_of, on_shore, rows, seed_results

RESULTS = 7


class Home:
    """A home with results, a stick, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.home, self.stick, self.folder = folder / "home", folder / "stick", folder
        seed_results(self.home, folder / "inbox", RESULTS)
        self.writer: Writer = open_store(self.home, on_commit=lambda: None)
        self.moment = datetime.now(UTC) + timedelta(seconds=1)

    def agent(self, *sinks: SinkSettings, **changes: Any) -> SyncAgent:
        sinks = sinks or (folder_of("stick", self.stick),)
        return agent_of(self.home, self.writer, sinks, now=lambda: self.moment, **changes)

    def states(self) -> dict[str, int]:
        return dict(rows(self.home, "SELECT state, count(*) FROM outbox GROUP BY state"))

    def bundles(self) -> int:
        return int(rows(self.home, "SELECT count(*) FROM bundles")[0][0])

    def change(self, statement: str) -> None:
        self.writer.call(lambda connection: connection.execute(statement).rowcount)


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.writer.close()


def drain(agent: SyncAgent) -> list[str]:
    moved: list[str] = []
    while not moved or moved[-1] == "sent":
        moved.append(agent.step()[0])
    return moved[:-1]


class Broken:
    """A far side that fails."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name, self.error, self.asked = name, error, 0

    def holds(self, *_: object, **__: object) -> bool:
        self.asked += 1
        raise self.error

    def put(self, *_: object, **__: object) -> None:
        raise AssertionError("not asked to")

    def close(self) -> None:
        pass

    @contextmanager
    def opened(self, settings: SinkSettings) -> Iterator[Opened]:
        yield (self, Free()) if settings.name == self.name else (DirectorySink(settings.name, settings.path or Path()), Free())


def test_everything_goes_once_and_shore_has_it(ship: Home) -> None:
    agent = ship.agent(max_bytes=1)
    assert drain(agent) == ["sent"] * RESULTS
    assert ship.states() == {"sent": RESULTS}
    assert on_shore(ship.folder / "shore.db", ship.stick) == rows(ship.home, OF_THE_SHIP)
    assert agent.step() == ("nothing", AGAIN_S)


def test_what_comes_one_after_the_other_makes_one_bundle(ship: Home) -> None:
    ship.moment = datetime.now(UTC)
    agent = ship.agent(quiet_s=100.0)
    moved, left_s = agent.step()
    assert moved == "nothing"
    assert 0 < left_s <= AGAIN_S
    assert ship.bundles() == 0
    ship.moment += timedelta(seconds=101)
    assert agent.step()[0] == "sent"
    assert ship.bundles() == 1


@pytest.mark.parametrize("why", ["hurry", "full", "old", "clock set back"])
def test_when_a_bundle_waits_no_longer(ship: Home, why: str) -> None:
    ship.moment = datetime.now(UTC)
    agent = ship.agent(quiet_s=10 * LONGEST_S)
    if why == "full":
        agent.packer._rows = RESULTS
    elif why == "old":
        ship.change("UPDATE outbox SET created_utc = '2020-01-01T00:00:00.000Z' WHERE id = 1")
    elif why == "clock set back":
        ship.moment -= timedelta(days=1)
    else:
        assert agent.step()[0] == "nothing"
        agent.kick(hurry=True)
    assert drain(agent) == ["sent"]
    assert ship.states() == {"sent": RESULTS}


def test_the_most_urgent_goes_first_and_each_side_gets_what_it_takes(ship: Home) -> None:
    ship.change("UPDATE outbox SET priority = 2 WHERE id <= 3")
    ship.change("UPDATE outbox SET priority = 4 WHERE id = 4")
    all_of_it, urgent = folder_of("stick", ship.stick, priorities=(0, 1, 2)), folder_of("nas", ship.folder / "nas", priorities=(1,))
    agent = ship.agent(all_of_it, urgent, max_bytes=1)
    agent.step()
    ship.change("UPDATE outbox SET priority = 0 WHERE id = 7")
    drain(agent)
    went = rows(ship.home, "SELECT b.priority, group_concat(d.sink, '+' ORDER BY d.sink) FROM bundles AS b JOIN deliveries AS d "
                           "ON d.bundle_id = b.id WHERE d.state = 'confirmed' GROUP BY b.id ORDER BY b.sequence")  # fmt: skip
    assert went == [(1, "nas+stick"), (0, "stick"), (1, "nas+stick"), *[(2, "stick")] * 3]
    assert ship.states() == {"sent": 6, "waiting": 1}, "what no far side takes waits"


def test_a_far_side_that_fails_is_left_alone_and_holds_up_nobody(ship: Home) -> None:
    broken = Broken("cloud", LinkDownError("nobody answers"))
    cloud = SinkSettings(name="cloud", kind="webdav", url="https://cloud.example.org/x")
    agent = ship.agent(cloud, folder_of("stick", ship.stick), opener=broken.opened, max_bytes=1, chance=lambda: 1.0)
    assert drain(agent) == ["sent"] * RESULTS
    assert broken.asked == 1, "one attempt, not one for each bundle"
    assert ship.states() == {"bundled": RESULTS}
    assert len(on_shore(ship.folder / "shore.db", ship.stick)) == len(rows(ship.home, OF_THE_SHIP))
    assert agent.sides[0].failed == 1
    agent.kick(hurry=True)
    ship.writer.call(deliveries.retry_now)
    agent.step()
    assert broken.asked == 2
    broken.error = ServerRefusedError("no such bucket")
    agent.kick(hurry=True)
    agent.step()
    assert rows(ship.home, "SELECT count(*) FROM deliveries WHERE state = 'refused'") == [(1,)]
    assert broken.asked == 3, "what refused one bundle is not asked with all the others at once"


def test_no_connection_can_be_made(ship: Home) -> None:
    def closed(_: SinkSettings) -> AbstractContextManager[Opened]:
        raise LoginNeededError("nothing is kept")

    agent = ship.agent(opener=closed)
    assert agent.step()[0] == "failed"
    assert isinstance(agent.sides[0].trouble, LoginNeededError)
    assert agent.step()[0] == "nothing"
    assert rows(ship.home, "SELECT attempts FROM deliveries") == [(0,)]


def test_a_stick_that_is_out_costs_no_attempt_and_what_waits_goes_when_it_is_back(ship: Home) -> None:
    agent = ship.agent()
    (ship.stick / MARKER_NAME).rename(ship.folder / "marker")
    assert agent.step()[0] == "nothing"
    assert agent.sides[0].is_away
    assert ship.bundles() == 0, "nothing is put together for nobody"
    (ship.folder / "marker").rename(ship.stick / MARKER_NAME)
    assert drain(agent) == ["sent"]


def test_windows_and_pauses_are_kept(ship: Home) -> None:
    ship.moment = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday
    agent = ship.agent(folder_of("stick", ship.stick, windows=("mon 06:00-07:00",)))
    assert agent.step() == ("nothing", 18 * 3600.0)
    ship.moment = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    ship.writer.call(lambda connection: put_pause(connection, Pause(by="rita", since_utc="x", until_utc="2026-11-23T06:30:00.000Z")))
    assert agent.step()[0] == "nothing"
    assert agent.is_held()
    ship.moment += timedelta(minutes=31)
    assert agent.step()[0] == "sent"
    assert not agent.is_held()


def test_without_room_nothing_is_made_and_nothing_lost(ship: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = ship.agent()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sync.packing.sync_file", full)
        assert agent.step() == ("failed", NO_ROOM_S)
    assert "no room" in agent.no_room
    assert ship.states() == {"waiting": RESULTS}
    assert drain(agent) == ["sent"]
    assert agent.no_room == ""


def test_far_sides_that_come_and_go(ship: Home) -> None:
    broken = Broken("cloud", LinkDownError("nobody answers"))
    cloud = SinkSettings(name="cloud", kind="webdav", url="https://cloud.example.org/x")
    stick = folder_of("stick", ship.stick, priorities=(0, 1))
    drain(ship.agent(stick, cloud, opener=broken.opened, max_bytes=1))
    assert ship.states() == {"bundled": RESULTS}
    ship.agent(stick).begin()
    assert ship.states() == {"sent": RESULTS}, "the one that is left has all of it"
    ship.change("DELETE FROM deliveries WHERE bundle_id = 1")
    ship.change("UPDATE deliveries SET state = 'waiting', sink = 'cloud' WHERE bundle_id = 2")
    ship.change("UPDATE outbox SET state = 'bundled' WHERE bundle_id <= 2")
    assert drain(ship.agent(folder_of("nas", ship.folder / "nas"))) == ["sent"] * 2, "what would go nowhere goes to who is there"
    assert ship.states() == {"sent": RESULTS}


def test_its_thread_works_until_it_is_stopped(ship: Home) -> None:
    agent = ship.agent(opener=opened_folder)
    agent.start()
    for _ in range(500):
        if ship.states() == {"sent": RESULTS}:
            break
        agent.kick()
        agent._stopping.wait(0.02)
    assert ship.states() == {"sent": RESULTS}
    agent.stop()
    assert agent.has_ended
