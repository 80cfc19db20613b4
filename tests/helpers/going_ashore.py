"""A home folder with results, sticks for them, and an agent that brings them there; in the thread of the test, or in a process of its own.

python -m tests.helpers.going_ashore HOME STICK     # steps for ever, to be killed
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from edge.sink_settings import SinkSettings
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.facts import vessel_uuid
from edge.store.open import open_store
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from sync.agent import Ashore, SyncAgent
from sync.bundle.files import find_bundles, open_bundle
from sync.bundle.write import Sender
from sync.far_sides import opened_folder
from sync.shore.merge import merge, shore_database
from sync.sinks.directory import DirectorySink
from tests.helpers import seed

BOXES: list[seed.Box] = [(10.26, 20.0, 30.33, 40.0, 0.91234567, 0), (1.0, 2.0, 3.0, 4.0, 0.4, 0)]
OF_THE_SHIP = """
    SELECT r.uuid, i.sha256, r.is_current, r.object_count, o.ordinal, round(o.score, 4)
    FROM runs AS r JOIN images AS i ON i.id = r.image_id LEFT JOIN objects AS o ON o.run_id = r.id ORDER BY r.uuid, o.ordinal
"""
OF_SHORE = """
    SELECT r.run_uuid, i.sha256, r.is_current, r.object_count, o.ordinal, o.score
    FROM runs AS r JOIN images AS i USING (vessel_uuid, image_uuid) LEFT JOIN objects AS o USING (vessel_uuid, run_uuid)
    ORDER BY r.run_uuid, o.ordinal
"""


def seed_results(home: Path, inbox: Path, count: int) -> None:
    """Stills with results, each with its row of the outbox."""
    connection = seed.open_database(home)
    station, pack = seed.add_station(connection, inbox, b"tow 07"), seed.add_model(connection)
    for number in range(count):
        seed.done(connection, station, f"still {number:03d}.jpg".encode(), pack, boxes=BOXES if number % 3 else [])
    connection.close()


def folder_of(name: str, path: Path, **changes: Any) -> SinkSettings:
    """The table of a folder; the folder is made and set up."""
    path.mkdir(parents=True, exist_ok=True)
    DirectorySink(name, path).set_up()
    return SinkSettings(name=name, kind="directory", path=path, **changes)


@contextmanager
def reading(home: Path) -> Iterator[Connection]:
    """A reader of the home's database."""
    with closing(open_reader(home / DATABASE_NAME)) as connection:
        yield connection


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with reading(home) as connection:
        return [tuple(row) for row in connection.execute(query)]


def agent_of(home: Path, writer: Writer, sinks: Sequence[SinkSettings], **changes: Any) -> SyncAgent:
    """An agent that waits for nothing unless it is told to."""
    sender = Sender(vessel_uuid=writer.call(vessel_uuid), vessel="RV Tom Crean", software_version="0.1.0")
    ashore = Ashore(home=home, writer=writer, reader=partial(reading, home), sender=sender, max_bytes=changes.pop("max_bytes", 256_000))
    opener = changes.pop("opener", opened_folder)
    return SyncAgent(ashore, sinks, opener, **{"quiet_s": 0.0, "chance": lambda: 0.0, **changes})


def on_shore(database: Path, *sticks: Path) -> list[tuple[Any, ...]]:
    """What shore makes of what lies on sticks."""
    with shore_database(database) as shore:
        for stick in sticks:
            for path in find_bundles(stick):
                merge(shore, open_bundle(path))
        return [tuple(row) for row in shore.execute(OF_SHORE).fetchall()]


def main(home: Path, stick: Path) -> None:
    """Step for ever."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    agent = agent_of(home, open_store(home, on_commit=lambda: None), [folder_of("stick", stick)], max_bytes=1)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while True:
        agent.step()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
