"""Files that wait for a station, beside a station that is counted blind."""

from __future__ import annotations

from dataclasses import dataclass

from edge.store import surveys
from edge.store.connection import immediate
from edge.store.counts import add_imported
from edge.store.reads.counts import CountedMinute
from edge.store.reads.files import FileRow, files_by_id
from edge.store.sqlite import Connection
from tests.helpers import seed
from tests.helpers.counted import BlindSurvey, make_protocol

AGREEING = [3.0, 20.0, 40.0, 80.0]
BOXES: tuple[seed.Box, ...] = ((101.125, 203.375, 311.625, 417.875, 0.6875, 0), (11.3125, 23.1875, 31.4375, 47.0625, 0.53125, 0))
VALUES = frozenset(float(value) for box in BOXES for value in box[:5])


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A blind station beside files that belong to no tow yet."""

    blind: BlindSurvey
    folder: seed.Station
    file_ids: tuple[int, ...]
    image_ids: tuple[int, ...]

    @property
    def db(self) -> Connection:
        return self.blind.appliance.writer

    def seen(self) -> int:
        """How many objects of these files stand in plain rows."""
        marks = ", ".join(map(str, self.image_ids))
        row = self.db.execute(
            f"SELECT count(*) FROM objects AS o JOIN runs AS r ON r.id = o.run_id WHERE r.image_id IN ({marks})"
        ).fetchone()
        return int(row[0])

    def attach(self, tow_id: int, *, reason: str = "") -> int:
        return self.blind.appliance.media.attach_files(tow_id, list(self.file_ids), "rita", reason=reason)

    def told(self) -> list[FileRow]:
        return list(files_by_id(self.db, list(self.file_ids)))


def drop(blind: BlindSurvey, name: bytes = b"unknown", *, files: int = 2) -> Loose:
    """Files that were dropped into a folder of their own and processed."""
    db = blind.appliance.writer
    folder = seed.add_station(db, blind.appliance.home / "drop", name, make=True)
    pack = seed.add_model(db) if not db.execute("SELECT 1 FROM active_models").fetchone() else None
    with immediate(db):
        pack = pack or seed.add_model(db, version="1.0.1")
        found = [seed.done(db, folder, b"%d.jpg" % number, pack, boxes=BOXES).image_id for number in range(files)]
    ids = [row[0] for row in db.execute("SELECT id FROM sightings WHERE folder_id = ? ORDER BY id", (folder.folder_id,))]
    return Loose(blind=blind, folder=folder, file_ids=tuple(ids), image_ids=tuple(found))


def tow_of(blind: BlindSurvey, name: str, *, survey: str | None = None, rules: bool = True) -> int:
    """A tow of a further station, of the same survey or of another."""
    with immediate(blind.appliance.writer) as db:
        survey_id = blind.survey_id
        if survey is not None:
            survey_id = surveys.add_survey(db, survey, actor="test")
            if rules:
                surveys.add_protocol(db, survey_id, make_protocol(), reason="manual", actor="test")
        station_id = surveys.add_station(db, survey_id, name, actor="test")
        (tow_id,) = db.execute("SELECT id FROM tows WHERE station_id = ?", (station_id,)).fetchone()
    return int(tow_id)


def reveal(blind: BlindSurvey, tow_id: int) -> None:
    """A table's counts show a tow at once."""
    with immediate(blind.appliance.writer) as db:
        (protocol_id,) = db.execute("SELECT max(id) FROM protocols").fetchone()
        minutes = [CountedMinute(minute, 4.0, 0.0, None, None, "") for minute in (1, 2)]
        for counter in ("x", "y"):
            add_imported(db, blind.appliance.seal, tow_id=tow_id, protocol_id=protocol_id, counter=counter, minutes=minutes, actor="anna")
