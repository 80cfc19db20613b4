"""What is typed into a sheet: kept to the letter, read, undone by a new entry, and never lost to what somebody else typed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import SettingsError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import field_history, last_entries
from edge.store.sqlite import Connection
from edge.store.surveys import TOW_FIELDS
from edge.survey.sheet.fields import BY_KEY, FIELDS, fields_of
from edge.survey.sheet.record import MAX_TEXT, Change, SheetState, read_again, record, undo
from tests.helpers.seed import open_database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path)
    survey_id = surveys.add_survey(connection, "CV20017", actor="mary")
    surveys.add_station(connection, survey_id, "125", actor="mary")
    yield connection
    connection.close()


def put(db: Connection, field: str, value: str, *, actor: str = "mary", based_on: int | None = None) -> SheetState:
    with immediate(db):
        return record(db, 1, [Change(field=field, value=value, based_on=based_on)], source="page", actor=actor)


def tow(db: Connection) -> reads.TowRow:
    row = reads.tow(db, 1)
    assert row is not None
    return row


def test_a_field_is_kept_to_the_letter_and_read(db: Connection) -> None:
    put(db, "start_depth", " 104,5 m ")
    entry = last_entries(db, 1)["start_depth"]
    assert (entry.value, entry.fault, entry.source, entry.entered_by) == (" 104,5 m ", None, "page", "mary")
    assert tow(db).start_depth_m == 104.5


def test_what_cannot_be_read_is_kept_with_its_fault_and_takes_the_value_away(db: Connection) -> None:
    put(db, "start_depth", "104")
    state = put(db, "start_depth", "deep")
    assert tow(db).start_depth_m is None
    entry = last_entries(db, 1)["start_depth"]
    assert (entry.value, entry.fault) == ("deep", "'deep' is no number")
    assert state.reading.faults["start_depth"].effect == BY_KEY["start_depth"].effect


def test_the_same_again_adds_nothing(db: Connection) -> None:
    first = put(db, "comments", "starfish").recorded[0]
    again = put(db, "comments", "starfish").recorded[0]
    assert first.entry_id is not None
    assert again.entry_id is None
    assert len(field_history(db, 1)) == 1


def test_undo_is_a_new_entry_and_can_be_undone(db: Connection) -> None:
    put(db, "comments", "starfish")
    put(db, "comments", "starfish, rock")
    for expected in ("starfish", "starfish, rock", "starfish"):
        with immediate(db):
            undo(db, 1, "comments", actor="tom")
        assert tow(db).comments == expected
    history = field_history(db, 1, "comments")
    assert [entry.value for entry in history] == ["starfish", "starfish, rock", "starfish", "starfish, rock", "starfish"]
    assert {entry.source for entry in history[:3]} == {"undo"}
    with immediate(db), pytest.raises(SettingsError, match="nothing was ever typed"):
        undo(db, 1, "visibility", actor="tom")


def test_the_first_thing_typed_is_undone_to_nothing(db: Connection) -> None:
    put(db, "comments", "starfish")
    with immediate(db):
        undo(db, 1, "comments", actor="tom")
    assert tow(db).comments == ""


def test_what_another_typed_meanwhile_is_told_and_stays_in_the_history(db: Connection) -> None:
    seen = put(db, "comments", "starfish").recorded[0].entry_id
    put(db, "comments", "rock", actor="tom", based_on=seen)
    late = put(db, "comments", "sea pens", based_on=seen).recorded[0]
    assert late.meanwhile is not None
    assert (late.meanwhile.value, late.meanwhile.entered_by) == ("rock", "tom")
    assert [entry.value for entry in field_history(db, 1)] == ["sea pens", "rock", "starfish"]


def test_a_ground_is_one_of_the_surveys(db: Connection) -> None:
    state = put(db, "ground", "Smalls")
    assert "no ground 'Smalls'" in state.reading.faults["ground"].message
    surveys.add_ground(db, 1, "Smalls", actor="mary")
    assert read_again(db, 1, actor="mary") == 1
    station = reads.station(db, 1)
    assert station is not None
    assert station.ground == "Smalls"


def test_a_column_that_no_field_was_filled_for_stays(db: Connection) -> None:
    surveys.set_tow_fields(db, 1, {"start_latitude_deg": 51.0, "in_analysis": False}, actor="import")
    put(db, "start_depth", "104")
    assert (tow(db).start_latitude_deg, tow(db).in_analysis, tow(db).start_depth_m) == (51.0, False, 104.0)


def test_columns_and_fields_belong_together() -> None:
    for column in TOW_FIELDS:
        assert all(key in BY_KEY for key in fields_of(column)), column


def test_no_other_field_and_no_endless_text(db: Connection) -> None:
    with immediate(db), pytest.raises(SettingsError, match="no field 'depth_charge'"):
        record(db, 1, [Change(field="depth_charge", value="1")], source="page", actor="mary")
    with immediate(db), pytest.raises(SettingsError, match="longer than"):
        record(db, 1, [Change(field="comments", value="x" * (MAX_TEXT + 1))], source="page", actor="mary")
    with immediate(db), pytest.raises(SettingsError, match="no tow 99"):
        record(db, 99, [Change(field="comments", value="x")], source="page", actor="mary")
    assert field_history(db, 1) == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([field.key for field in FIELDS]), st.text(max_size=20)), max_size=12))
def test_nothing_typed_is_ever_lost(db: Connection, typed: list[tuple[str, str]]) -> None:
    before = len(field_history(db, 1))
    said = {key: entry.value for key, entry in last_entries(db, 1).items()}
    kept = 0
    for field, value in typed:
        put(db, field, value)
        kept += said.get(field, "") != value
        said[field] = value
    assert len(field_history(db, 1)) == before + kept
    assert {key: entry.value for key, entry in last_entries(db, 1).items()} == {
        key: value for key, value in said.items() if value or key in last_entries(db, 1)
    }


def station(db: Connection) -> reads.StationRow:
    row = reads.station(db, 1)
    assert row is not None
    return row


def test_a_planned_position_is_the_stations_and_can_be_taken_back(db: Connection) -> None:
    for side, latitude in (("planned_latitude_degrees", "51 13.5 N"), ("planned_longitude_degrees", "-6.5")):
        put(db, side, latitude)
    assert station(db).planned_latitude_deg == pytest.approx(51.225)
    assert station(db).planned_longitude_deg == -6.5
    put(db, "planned_latitude_degrees", "somewhere")
    assert last_entries(db, 1)["planned_latitude_degrees"].fault is not None
    assert station(db).planned_latitude_deg is None
    assert station(db).planned_longitude_deg == -6.5
    put(db, "start_depth", "104")  # another field takes nothing of it away
    assert station(db).planned_longitude_deg == -6.5
    put(db, "planned_longitude_degrees", "")
    assert station(db).planned_longitude_deg is None
