"""A home with a desk of scans and a watched folder, without the rest of the appliance; scans are processed for real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.open import open_store
from edge.store.reads import zooscan as reads
from edge.store.reads.zooscan import ScanRow
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.zooscan.desk.desk import ScanDesk
from edge.zooscan.desk.queueing import DeskSettings
from edge.zooscan.engine.engine import PixelEngine


@dataclass(frozen=True, kw_only=True)
class ScanLab:
    """The desk, and what it works on. Pictures are whole at the first look."""

    home: Path
    folder: Path
    writer: Writer
    desk: ScanDesk

    def look(self) -> list[ScanRow]:
        """Look at the folder, twice. Returns the scans, by name."""
        self.desk.look()
        self.desk.look()
        return self.scans()

    def scans(self) -> list[ScanRow]:
        with self.desk.reader() as connection:
            return sorted(reads.list_scans(connection), key=lambda row: row.name)

    def scan(self) -> ScanRow:
        """The only one."""
        (row,) = self.scans()
        return row

    def run_folders(self) -> list[str]:
        """What lies in the folders of scans."""
        return sorted(path.relative_to(self.home).as_posix() for path in self.home.glob("zooscan/*/*"))


@contextmanager
def scan_lab(home: Path, folder: Path) -> Iterator[ScanLab]:
    """Open one."""
    home.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    writer = open_store(home, on_commit=lambda: None)

    @contextmanager
    def reader() -> Iterator[Connection]:
        connection = open_reader(home / DATABASE_NAME)
        try:
            yield connection
        finally:
            connection.close()

    engine = PixelEngine(home, classifier=lambda: None, processes=1)
    desk = ScanDesk(home, writer, reader, engine, folders=[folder], settings=DeskSettings(settle_s=0.0))
    try:
        yield ScanLab(home=home, folder=folder, writer=writer, desk=desk)
    finally:
        desk.stop()
        writer.close()
