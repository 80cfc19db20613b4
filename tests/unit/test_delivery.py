"""A bundle is sent when the far side says itself that it has it; whatever is pulled out, full or lying, nothing is lost or doubled."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.errors import LinkDownError, ServerFailedError, ServerRefusedError, TransportError
from edge.store.clock import utc_now
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.reads.ashore import OpenDelivery, open_deliveries
from edge.store.writer import Writer
from sync.bundle.files import open_bundle
from sync.bundle.write import Sender
from sync.delivery import FIRST_WAIT_S, LONGEST_WAIT_S, Outcome, deliver, key_of
from sync.packing import Packer
from sync.sinks.directory import MARKER_NAME, DirectorySink
from sync.sinks.sink import Free, SinkAwayError, SinkFullError, Spend, Upload
from tests.helpers import seed

VESSEL = "01980000-0000-7000-8000-000000000001"
FAR = "9999"


@dataclass
class Ship:
    home: Path
    writer: Writer
    packer: Packer

    def waiting(self, sink: str = "stick") -> list[OpenDelivery]:
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            return open_deliveries(connection, sink, now_utc=FAR, limit=100)
        finally:
            connection.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            return [tuple(row) for row in connection.execute(query)]
        finally:
            connection.close()

    def send(self, sink: Any, *, jitter: float = 1.0) -> list[Outcome]:
        return [
            deliver(one, self.packer.path_of(one.sha256), sink, Free(), vessel_uuid=VESSEL, writer=self.writer, jitter=jitter)
            for one in self.waiting(sink.name)
        ]


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    home = tmp_path / "home"
    connection = seed.open_database(home)
    station, pack = seed.add_station(connection, tmp_path / "inbox"), seed.add_model(connection)
    for number in range(3):
        seed.done(connection, station, f"still {number}.jpg".encode(), pack, boxes=[(1, 2, 3, 4, 0.9, 0)])
    connection.close()
    writer = Writer(home / DATABASE_NAME)
    writer.start()

    def reader() -> Any:
        from contextlib import closing

        return closing(open_reader(home / DATABASE_NAME))

    packer = Packer(home, writer, reader, Sender(vessel_uuid=VESSEL, vessel="v", software_version="0.1.0"), max_bytes=1)
    while packer.pack(["stick"]) is not None:
        pass
    yield Ship(home, writer, packer)
    writer.close()


@pytest.fixture
def stick(tmp_path: Path) -> DirectorySink:
    (tmp_path / "stick").mkdir()
    sink = DirectorySink("stick", tmp_path / "stick")
    sink.set_up()
    return sink


class Lying:
    """Says that it took a bundle. `holds_it`: answers to the questions whether it has it."""

    name = "stick"

    def __init__(self, holds_it: list[bool], error: Exception | None = None) -> None:
        self.holds_it, self.error, self.puts = holds_it, error, 0

    def holds(self, key: str, *, size_bytes: int, sha256: str) -> bool:
        return self.holds_it.pop(0)

    def put(self, key: str, path: Path, *, sha256: str, upload: Upload, spend: Spend) -> None:
        self.puts += 1
        upload.keep({"part": 3})
        if self.error:
            raise self.error

    def close(self) -> None:
        pass


def test_bundles_lie_by_ship_and_day_and_are_sent_when_they_are_there(ship: Ship, stick: DirectorySink, tmp_path: Path) -> None:
    first = ship.waiting()[0]
    assert ship.send(stick) == ["confirmed"] * 3
    found = sorted(path for path in (tmp_path / "stick").rglob("*.cbor.zst"))
    assert len(found) == 3
    assert tmp_path / "stick" / key_of(first, VESSEL) in found
    assert f"/v1/{VESSEL}/{utc_now()[:4]}/" in str(found[0])
    assert {len(open_bundle(path).tables["runs"]) for path in found} == {1}
    assert ship.rows("SELECT DISTINCT state FROM outbox") == [("sent",)]
    assert ship.waiting() == []
    assert not list((tmp_path / "stick").rglob("*.part"))


def test_what_is_there_already_is_not_brought_again(ship: Ship) -> None:
    there = Lying([True] * 3)
    assert ship.send(there) == ["confirmed"] * 3
    assert there.puts == 0


def test_a_far_side_that_loses_what_it_took_has_nothing_confirmed(ship: Ship) -> None:
    assert ship.send(Lying([False, False] * 3)) == ["failed"] * 3
    assert ship.rows("SELECT DISTINCT state, error_code, upload_json FROM deliveries") == [("waiting", "not_confirmed", '{"part": 3}')]
    assert ship.rows("SELECT DISTINCT state FROM outbox") == [("bundled",)]
    assert [one.upload for one in ship.waiting()] == [{"part": 3}] * 3, "the next attempt goes on where this one stood"


@pytest.mark.parametrize(
    ("error", "outcome", "least_s"),
    [
        (LinkDownError("cut"), "failed", FIRST_WAIT_S),
        (ServerFailedError("busy", after_s=7200), "failed", 7200),
        (ServerRefusedError("no"), "refused", None),
    ],
)
def test_how_a_failure_goes_on(ship: Ship, error: TransportError, outcome: Outcome, least_s: float | None) -> None:
    assert ship.send(Lying([False] * 6, error)) == [outcome] * 3
    ((state, words, attempts),) = ship.rows("SELECT DISTINCT state, error, attempts FROM deliveries")
    assert (state, words, attempts) == ("refused" if outcome == "refused" else "waiting", str(error), 1)
    waits = ship.rows("SELECT (julianday(next_try_utc) - julianday('now')) * 86400 FROM deliveries")
    for (wait_s,) in waits:
        assert (wait_s is None) == (least_s is None)
        assert wait_s is None or least_s is None or least_s - 60 < wait_s <= least_s
    assert len(ship.waiting()) == (0 if outcome == "refused" else 3)
    assert ship.rows("SELECT DISTINCT outcome FROM link_contacts") == [("failed",)]


def test_waits_double_up_to_an_hour_and_are_spread_by_chance(ship: Ship) -> None:
    waits = []
    for _ in range(12):
        ship.send(Lying([False] * 3, LinkDownError("cut")))
        waits.append(ship.rows("SELECT max(julianday(next_try_utc) - julianday('now')) * 86400 FROM deliveries")[0][0])
    assert waits[0] < FIRST_WAIT_S + 1
    assert FIRST_WAIT_S * 3 < waits[2] < FIRST_WAIT_S * 4 + 1
    assert LONGEST_WAIT_S - 60 < waits[-1] <= LONGEST_WAIT_S
    ship.send(Lying([False] * 3, LinkDownError("cut")), jitter=0.0)
    assert ship.rows("SELECT max(julianday(next_try_utc) - julianday('now')) * 86400 < 1 FROM deliveries") == [(1,)]


def test_a_stick_that_is_out_is_away_and_nothing_is_written_to_its_empty_place(ship: Ship, stick: DirectorySink, tmp_path: Path) -> None:
    (tmp_path / "stick" / MARKER_NAME).rename(tmp_path / "marker")
    assert ship.send(stick) == ["failed"] * 3
    assert os.listdir(tmp_path / "stick") == []
    assert ship.rows("SELECT DISTINCT error_code FROM deliveries") == [("sink_away",)]
    (tmp_path / "marker").rename(tmp_path / "stick" / MARKER_NAME)
    assert ship.send(stick) == ["confirmed"] * 3
    with pytest.raises(SinkAwayError, match="there is no folder"):
        DirectorySink("stick", tmp_path / "absent").set_up()


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "sink_full"), (errno.EROFS, "sink_away"), (errno.EIO, "link_down")])
def test_a_stick_that_fails_in_the_middle_leaves_nothing_half(
    ship: Ship, stick: DirectorySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("sync.sinks.directory.shutil.copyfileobj", fail)
        assert ship.send(stick) == ["failed"] * 3
    assert ship.rows("SELECT DISTINCT error_code FROM deliveries") == [(code,)]
    assert [path for path in (tmp_path / "stick").rglob("*") if path.is_file()] == [tmp_path / "stick" / MARKER_NAME]
    assert ship.send(stick) == ["confirmed"] * 3


def test_a_damaged_copy_on_the_stick_is_brought_again(ship: Ship, stick: DirectorySink, tmp_path: Path) -> None:
    one = ship.waiting()[0]
    place = tmp_path / "stick" / key_of(one, VESSEL)
    place.parent.mkdir(parents=True)
    whole = ship.packer.path_of(one.sha256).read_bytes()
    place.write_bytes(whole[:-1] + b"?")
    assert ship.send(stick) == ["confirmed"] * 3
    assert place.read_bytes() == whole


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_bundle_that_is_lost_aboard_is_made_again(ship: Ship, stick: DirectorySink, damage: str) -> None:
    lost = ship.waiting()[1]
    path = ship.packer.path_of(lost.sha256)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert ship.send(stick) == ["confirmed", "lost", "confirmed"]
    assert ship.rows("SELECT state, count(*) FROM outbox GROUP BY state") == [("sent", 2), ("waiting", 1)]
    assert ship.packer.pack(["stick"]) is not None
    assert ship.send(stick) == ["confirmed"]
    assert ship.rows("SELECT DISTINCT state FROM outbox") == [("sent",)]


def test_no_room_for_the_marker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr("sync.sinks.directory._write", full)
    with pytest.raises(SinkFullError):
        DirectorySink("stick", tmp_path).set_up()
