"""What waits in the outbox becomes bundles: all of it, once, up to a size; what is sealed meanwhile does not leave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.store import bundles
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.outbox import hold_back
from edge.store.reads.ashore import count_waiting
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from sync.bundle.files import open_bundle
from sync.bundle.write import Sender
from sync.packing import Packer
from sync.shore.merge import merge, shore_database
from tests.helpers import seed

SENDER = Sender(vessel_uuid="01980000-0000-7000-8000-000000000001", vessel="RV Celtic Explorer", software_version="0.1.0")
BOXES = [(10.26, 20.0, 30.33, 40.0, 0.91234567, 0), (1.0, 2.0, 3.0, 4.0, 0.4, 0)]


@dataclass
class Ship:
    home: Path
    writer: Writer
    max_bytes: int = 1_000_000

    @contextmanager
    def reader(self) -> Iterator[Connection]:
        connection = open_reader(self.home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    def packer(self, **changes: Any) -> Packer:
        return Packer(self.home, self.writer, changes.get("reader", self.reader), SENDER, max_bytes=self.max_bytes)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.reader() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def states(self) -> dict[tuple[str, str], int]:
        with self.reader() as connection:
            return {(kind, state): count for (_, kind, state), count in count_waiting(connection).items()}


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    home = tmp_path / "home"
    connection = seed.open_database(home)
    station, pack = seed.add_station(connection, tmp_path / "inbox", b"tow 07"), seed.add_model(connection)
    found = [
        seed.done(connection, station, f"still {number:02d}.jpg".encode(), pack, boxes=BOXES if number % 3 else []) for number in range(30)
    ]
    seed.done_again(connection, station, found[1].sha256, pack, boxes=BOXES[:1])
    connection.close()
    writer = Writer(home / DATABASE_NAME)
    writer.start()
    yield Ship(home, writer)
    writer.close()


def pack_all(packer: Packer) -> list[Path]:
    made = []
    while (packed := packer.pack(["bucket"])) is not None:
        made.append(packer.path_of(packed.sha256))
    return made


OF_THE_SHIP = """
    SELECT r.uuid, i.sha256, r.is_current, r.object_count, s.name, f.relative_path, m.name, o.ordinal, l.name,
           round(o.score, 4), round(o.x_min_px, 1), round(o.y_max_px - o.y_min_px, 1)
    FROM runs AS r JOIN images AS i ON i.id = r.image_id JOIN models AS m ON m.id = r.model_id
    JOIN sightings AS s ON s.image_id = i.id JOIN folders AS f ON f.id = s.folder_id
    LEFT JOIN objects AS o ON o.run_id = r.id LEFT JOIN labels AS l ON l.id = o.label_id ORDER BY r.uuid, o.ordinal
"""
OF_SHORE = """
    SELECT r.run_uuid, i.sha256, r.is_current, r.object_count, i.name, i.folder, m.model, o.ordinal, o.label,
           o.score, o.x_min_px, o.height_px
    FROM runs AS r JOIN images AS i USING (vessel_uuid, image_uuid) JOIN models AS m USING (vessel_uuid, model, model_version)
    LEFT JOIN objects AS o USING (vessel_uuid, run_uuid) ORDER BY r.run_uuid, o.ordinal
"""


@pytest.mark.parametrize("max_bytes", [1_000_000, 1_700, 1])
def test_shore_holds_row_for_row_what_the_ship_holds(ship: Ship, tmp_path: Path, max_bytes: int) -> None:
    ship.max_bytes = max_bytes
    files = pack_all(ship.packer())
    assert len(files) == {1_000_000: 1, 1: 31}.get(max_bytes, len(files))
    if max_bytes == 1_700:
        assert 2 < len(files) < 31
        assert all(path.stat().st_size <= max_bytes for path in files)
    with shore_database(tmp_path / "shore.db") as shore:
        for path in reversed(files):
            merge(shore, open_bundle(path))
        found = shore.execute(OF_SHORE).fetchall()
    assert len(found) == 20 * 2 + 10 + 1
    assert found == ship.rows(OF_THE_SHIP)
    assert ship.states() == {("run", "bundled"): 31}
    assert len(ship.rows("SELECT * FROM deliveries WHERE sink = 'bucket' AND state = 'waiting'")) == len(files)


def test_a_result_is_sent_when_every_far_side_has_confirmed_it(ship: Ship) -> None:
    packed = ship.packer().pack(["bucket", "stick"])
    assert packed is not None
    for sink, state in (("stick", "bundled"), ("bucket", "sent")):
        ship.writer.call(partial(bundles.confirm, bundle_id=packed.bundle_id, sink=sink))
        assert ship.states() == {("run", state): 31}
    ship.writer.call(partial(bundles.note_failure, bundle_id=packed.bundle_id, sink="stick", code="x", words="late", next_try_utc=None))
    assert ship.rows("SELECT DISTINCT state FROM deliveries") == [("confirmed",)], "what was confirmed stays so"


def test_a_result_that_is_sealed_while_it_is_packed_stays_aboard(ship: Ship) -> None:
    uuid = ship.rows("SELECT uuid FROM runs ORDER BY id LIMIT 1")[0][0]
    sealed = False

    @contextmanager
    def reader() -> Iterator[Connection]:
        nonlocal sealed
        with ship.reader() as connection:
            yield connection
        if not sealed:  # after it was read, before it is noted
            sealed = True
            ship.writer.call(lambda writing: hold_back(writing, "run", uuid))

    packer = ship.packer(reader=reader)
    (path,) = pack_all(packer)
    assert uuid not in [row[0] for row in open_bundle(path).tables["runs"]]
    assert ship.states() == {("run", "bundled"): 30, ("run", "sealed"): 1}
    assert os.listdir(packer.folder) == [path.name], "the bundle that held it is gone"


def test_a_result_that_no_bundle_can_hold_is_put_off_and_the_others_go(ship: Ship) -> None:
    ship.writer.call(lambda connection: connection.execute("UPDATE runs SET recipe_sha256 = 'none' WHERE id = 13"))
    files = pack_all(ship.packer())
    assert ship.states() == {("run", "bundled"): 30, ("run", "waiting"): 1}
    assert sum(len(open_bundle(path).tables["runs"]) for path in files) >= 30
    ((words, attempts, until_utc),) = ship.rows("SELECT last_error, attempts, not_before_utc FROM outbox WHERE state = 'waiting'")
    assert "hex" in words
    assert attempts == 1
    assert until_utc > "2026"


def test_numbers_of_bundles_grow_over_a_restored_database_and_a_clock_that_goes_back(ship: Ship) -> None:
    def next_at(now_ms: int) -> int:
        return ship.writer.call(partial(bundles.next_sequence, now_ms=now_ms))

    assert next_at(5_000) == 5_000
    ship.writer.call(
        lambda connection: bundles.record_bundle(connection, [1], [], sequence=5_000, sha256="a" * 64, size_bytes=1, rows={"runs": 1})
    )
    assert next_at(4_000) == 5_001
    assert next_at(6_000) == 6_000


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("where", ["sync.packing.sync_file", "sync.packing.sync_folder", "edge.store.bundles.record_bundle"])
def test_a_cut_anywhere_loses_nothing_and_leaves_nothing(ship: Ship, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def cut(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(where, cut)
        with pytest.raises(PowerCutError):
            ship.packer().pack(["bucket"])
    assert ship.states() == {("run", "waiting"): 31}
    packer = ship.packer()
    assert packer.sweep() == 1
    assert os.listdir(packer.folder) == []
    (path,) = pack_all(packer)
    assert packer.sweep() == 0
    assert path.exists()


def test_nothing_waits_in_an_empty_home(tmp_path: Path) -> None:
    seed.open_database(tmp_path).close()
    writer = Writer(tmp_path / DATABASE_NAME)
    writer.start()
    packer = Ship(tmp_path, writer).packer()
    assert packer.pack(["bucket"]) is None
    assert packer.sweep() == 0
    writer.close()


def test_of_several_priorities_the_urgent_goes_first(ship: Ship) -> None:
    ship.writer.call(lambda connection: connection.execute("UPDATE outbox SET priority = 0 WHERE id IN (7, 9)"))
    packer = ship.packer()
    first, second = packer.pack(["bucket"]), packer.pack(["bucket"])
    assert first is not None
    assert second is not None
    assert (first.results, second.results) == (2, 29)
    assert ship.rows("SELECT priority FROM bundles ORDER BY sequence") == [(0,), (1,)]


def test_what_arrived_everywhere_is_let_go_after_its_days_and_what_did_not_stays(ship: Ship) -> None:
    ship.max_bytes = 1_700
    packer = ship.packer()
    files = pack_all(packer)
    ids = [row[0] for row in ship.rows("SELECT id FROM bundles ORDER BY id")]
    for bundle_id in ids[:2]:
        ship.writer.call(partial(bundles.confirm, bundle_id=bundle_id, sink="bucket"))
    ship.writer.call(partial(bundles.note_failure, bundle_id=ids[2], sink="bucket", code="x", words="", next_try_utc=None, is_refused=True))
    results = ship.rows("SELECT results FROM bundles ORDER BY id")
    assert packer.let_go(30) == 0
    ship.writer.call(
        lambda connection: connection.execute("UPDATE deliveries SET confirmed_utc = '2026-01-01' WHERE bundle_id = ?", ids[:1])
    )
    keeping = Packer(ship.home, ship.writer, ship.reader, SENDER, max_bytes=1, keep_days=30)
    assert keeping.pack(["bucket"]) is None, "nothing waits, and it looked around"
    assert packer.let_go(30) == 0
    assert [path.exists() for path in files] == [False] + [True] * (len(files) - 1)
    assert packer.sweep() == 0
    assert ship.rows("SELECT id FROM bundles WHERE dropped_utc IS NOT NULL") == [(ids[0],)]
    assert ship.rows("SELECT count(*) FROM outbox WHERE state = 'sent' GROUP BY bundle_id") == [results[1]]
    assert ship.rows("SELECT count(*) FROM outbox")[0][0] == 31 - results[0][0], "of a bundle that is let go the outbox forgets"
    assert ship.rows("SELECT results FROM bundles ORDER BY id") == results
    assert len(ship.rows("SELECT * FROM runs")) == 31
    ship.writer.call(lambda connection: connection.execute("UPDATE deliveries SET confirmed_utc = '2026-01-01' WHERE state = 'confirmed'"))
    assert packer.let_go(0) == 1
    assert packer.let_go(0) == 0, "what waits or was refused stays whatever its age"
