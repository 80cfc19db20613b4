"""A ship that fetches models: a home folder with its database, written by whoever calls."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.store.connection import DATABASE_NAME, immediate, open_writer
from edge.store.writer import T, Work
from sync.sinks.sink import Free, Spend
from sync.updates.client import Aboard, Brought, bring, check, trust
from sync.updates.places import places_of
from sync.updates.remembered import LastCheck
from tests.helpers import seed


class Directly:
    """Writes at once, in the thread of the caller."""

    def __init__(self, home: Path) -> None:
        self.connection = open_writer(home / DATABASE_NAME)

    def call(self, work: Work[T], *, quiet: bool = False) -> T:
        with immediate(self.connection) as connection:
            return work(connection)


class UpdatesShip:
    """See the module. `source` is a folder or an address; `clock` may be set to any time."""

    def __init__(self, home: Path, root: bytes, source: Path | str) -> None:
        self.home, self.source = home, str(source)
        seed.open_database(home).close()
        self.writer = Directly(home)
        self.waits: list[float] = []
        self.wait: Callable[[float], object] = self.waits.append
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.spend: Spend = Free()
        trust(home, self.writer, root, actor="test")

    @property
    def aboard(self) -> Aboard:
        return Aboard(home=self.home, writer=self.writer, source=self.source, spend=self.spend, wait=self.wait, clock=self.clock)

    def check(self) -> LastCheck:
        return check(self.aboard)

    def offered(self) -> list[str]:
        return [f"{offer.name} {offer.version}" for offer in self.check().offers]

    def bring(self, name: str = "tiny", version: str = "1.0.0", *, downgrade: bool = False) -> Brought:
        return bring(self.aboard, name, version, downgrade=downgrade)

    def staged(self) -> list[Path]:
        """Whole files that would be installed."""
        return sorted(places_of(self.home).staged.glob("*.zip"))

    def parts(self) -> list[Path]:
        return sorted(places_of(self.home).spool.glob("*.part"))

    def lose_cache(self) -> None:
        shutil.rmtree(places_of(self.home).metadata)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.writer.connection.execute(sql, values)]

    def close(self) -> None:
        self.writer.connection.close()
