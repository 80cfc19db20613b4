"""What counts were made by changes only with a reason, and no rule takes files from under a count."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import ReasonNeededError
from edge.store import counts, surveys
from edge.store.connection import immediate
from edge.store.reads import surveys as reads
from edge.store.seal import open_seal
from edge.survey.sheet.record import Change
from edge.survey.sheet_desk import SheetDesk, SheetFile
from tests.unit.test_media import Ship
from tests.unit.test_surveys_store import RULES

WHY = "the clock of the sheet was a minute off"


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    """Station 125 from 01:00 to 01:10 with one still at 60 s, 130 from 03:00; somebody counts 125."""
    ship = Ship(tmp_path)
    ship.add_camera()
    ship.give_times("125", 1)
    ship.give_times("130", 3)
    ship.add("loose", 1)
    ship.desk.step()
    with immediate(ship.db) as db:
        rules = surveys.add_protocol(db, ship.survey_id, RULES, reason="manual", actor="mary")
        new = counts.NewCount(tow_id=ship.tows["125"], protocol_id=rules, person_id=None, counter="jd", content=b"")
        counts.open_count(db, open_seal(ship.home), new, actor="jd")
    yield ship
    ship.db.close()


def sheets(ship: Ship) -> SheetDesk:
    return SheetDesk(ship, ship.reader, open_seal(ship.home))


def given(ship: Ship) -> list[tuple[str, str]]:
    rows = ship.db.execute("SELECT detail_json FROM audit WHERE action = 'counted_tow_change' ORDER BY id").fetchall()
    found = [json.loads(row[0]) for row in rows]
    return [(one["what"], one["reason"]) for one in found]


def start_of(ship: Ship) -> str | None:
    found = reads.tow(ship.db, ship.tows["125"])
    return found and found.start_utc


def type_start(ship: Ship, reason: str) -> object:
    return sheets(ship).record(ship.tows["125"], [Change(field="start_time", value="01:01")], source="page", actor="mary", reason=reason)


def import_sheet(ship: Ship, reason: str) -> object:
    row = "SurveyID,Station,Video_Line_Name,Date,Time_SOL,Time_EOL\nCV20017,125,125,2020-07-16,01:01,01:10\n"
    return sheets(ship).import_sheet(SheetFile(name="s.csv", content=row.encode(), survey="CV20017", reason=reason), "mary")


def set_camera(ship: Ship, reason: str) -> object:
    return ship.desk.set_camera(
        ship.survey_id, "HD", time_offset_s=-2.0, source="GPS photo", folder_pattern="", actor="mary", reason=reason
    )


def add_camera(ship: Ship, reason: str) -> object:
    return ship.desk.set_camera(ship.survey_id, "SD", time_offset_s=0.0, source="", folder_pattern="*/SD/*", actor="mary", reason=reason)


def move_files(ship: Ship, reason: str) -> object:
    (file_id,) = ship.db.execute("SELECT id FROM sightings").fetchone()
    return ship.desk.attach_files(ship.tows["130"], [file_id], "mary", reason=reason)


@pytest.mark.parametrize("change", [type_start, set_camera, add_camera, move_files])
def test_what_a_count_was_made_by_changes_only_with_a_reason(ship: Ship, change: Callable[[Ship, str], object]) -> None:
    before = ship.of("125"), reads.tow(ship.db, ship.tows["125"]), list(ship.db.execute("SELECT count(*) FROM entries").fetchone())
    with pytest.raises(ReasonNeededError, match=r"station 125 is what counts by jd were made by"):
        change(ship, " ")
    ship.desk.step()
    assert (
        ship.of("125"),
        reads.tow(ship.db, ship.tows["125"]),
        list(ship.db.execute("SELECT count(*) FROM entries").fetchone()),
    ) == before
    change(ship, WHY)
    assert [reason for _, reason in given(ship)] == [WHY]


def test_a_sheet_that_moves_a_counted_line_is_imported_with_a_reason_or_not_at_all(ship: Ship) -> None:
    with pytest.raises(ReasonNeededError):
        import_sheet(ship, "")
    assert start_of(ship) == "2020-07-16T01:00:00.000Z"
    import_sheet(ship, WHY)
    assert {reason for _, reason in given(ship)} == {WHY}
    assert start_of(ship) == "2020-07-16T01:01:00.000Z"


def test_what_nobody_counts_changes_as_before(ship: Ship) -> None:
    ship.say("130", start_time="03:05", end_time="03:20")
    ship.say("125", comments="a calm night")
    ship.db.execute("UPDATE counts SET state = 'set_aside'")
    type_start(ship, "")
    set_camera(ship, "")
    assert given(ship) == []


def test_a_neighbours_line_takes_no_file_from_a_counted_tow(ship: Ship) -> None:
    """Overlapping lines both claim it, so a rule alone would leave it to neither; station 130 needs no reason."""
    before = ship.of("125")
    ship.say("130", start_time="00:59", end_time="01:20")
    ship.desk.step()
    ship.new_desk().step()
    assert ship.of("125") == before
    assert ship.of("130") == []


def test_a_folder_named_for_another_station_takes_no_file_from_a_counted_tow(ship: Ship) -> None:
    before = ship.of("125")
    ship.desk.take_folder_for(str(ship.home / "inbox" / "loose"), ship.tows["130"])
    ship.say("130", start_time="00:59", end_time="01:20")
    ship.desk.step()
    assert ship.of("125") == before


def test_its_own_line_moves_its_files_with_the_reason(ship: Ship) -> None:
    type_start(ship, WHY)
    ship.desk.step()
    assert [at_s for *_, at_s in ship.of("125")] == [0.0]
    sheets(ship).record(ship.tows["125"], [Change(field="start_time", value="01:02")], source="page", actor="mary", reason=WHY)
    ship.desk.step()
    assert ship.of("125") == []
    assert ship.db.execute("SELECT count(*) FROM former_tows").fetchone()[0] == 1
