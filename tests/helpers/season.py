"""A small season of results, and how its exports are read back."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO

from edge.cells import from_cell
from edge.errors import Reason
from edge.export import export
from edge.store.connection import DATABASE_NAME, open_reader
from edge.store.packs import PackRow
from edge.store.sqlite import Connection
from edge.values import CaptureTime
from tests.helpers.seed import Station, add_model, add_station, done, open_database, quarantined, queued, waiting

HOSTILE_NAMES = (
    b"..\\..\\evil.jpg",
    b"new\nline.jpg",
    b'=HYPERLINK("mailto:x").jpg',
    b"'quoted'.jpg",
    "\u202egpj.exe".encode(),
    b"not utf-8 \xff\xfe.jpg",
    b"not utf-8 \\xff\\xfe.jpg",
    b"a" * 251 + b".jpg",
    b"-rf.jpg",
    "brûlé 🦐.jpg".encode(),
    b"tab\tcarriage\rreturn.jpg",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A home with two stations: four results (one of them zero), one waiting, one queued, two failures."""

    connection: Connection
    home: Path
    station: Station
    pack: PackRow
    sha256: dict[str, str]

    def reader(self) -> Connection:
        return open_reader(self.home / DATABASE_NAME)


def make_season(tmp_path: Path) -> Season:
    """Fill a new home."""
    home = tmp_path / "home"
    connection = open_database(home)
    inbox = tmp_path / "inbox"
    pack = add_model(connection, labels=[("opening", 107254), ("sea pen", None)])
    first = add_station(connection, inbox, b"tow 01", make=True)
    second = add_station(connection, inbox, b"tow 02", make=True)
    captured = CaptureTime(utc="2026-06-03T16:26:07.584Z", local=None, source="file_name")
    boxes = [(10.0, 20.0, 30.0, 40.0, 0.9, 0), (100.25, 200.5, 300.75, 400.0, 0.5, 1), (1.0, 2.0, 3.0, 4.0, 0.125, 0)]
    sha256 = {
        "a": done(connection, first, b"a.jpg", pack, boxes=boxes, capture_time=captured).sha256,
        "zero": done(connection, first, b"zero.jpg", pack).sha256,
        "a2": done(connection, second, b"a.jpg", pack, boxes=boxes[:1]).sha256,
        "small": done(connection, second, b"small.png", pack, boxes=[(0, 0, 64, 48, 0.3, 1)], size_px=(64, 48)).sha256,
    }
    waiting(connection, second, b"growing.jpg")
    queued(connection, second, b"queued.jpg")
    quarantined(connection, second, b"cut.jpg", reason=Reason.TRUNCATED, content=b"cut")
    quarantined(connection, second, b"empty.jpg", reason=Reason.EMPTY_FILE)
    return Season(connection=connection, home=home, station=first, pack=pack, sha256=sha256)


def run(season: Season, form: str, out: Path, **options: Any) -> Any:
    reader = season.reader()
    try:
        return export(reader, format=form, out_dir=out, **options)
    finally:
        reader.close()


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{column: from_cell(cell) for column, cell in row.items()} for row in csv.DictReader(file)]


def read_coco(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))
