"""Surveys in the database: what is made, found again, refused and audited."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.store import surveys
from edge.store.reads import surveys as reads
from edge.store.sqlite import Connection
from edge.store.surveys import Attachment, NewProtocol
from tests.helpers.seed import add_model, add_station, done, open_database

RULES = NewProtocol(
    first_minute=2,
    last_minute=8,
    minute_rule="drop_minute",
    line_height=0.83,
    edge_rule="any_opening_inside",
    counters=2,
    min_mean_per_minute=1.5,
    ccc_limit=0.5,
    correction_factor=None,
    correction_source="",
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path)
    yield connection
    connection.close()


def actions(db: Connection) -> list[str]:
    return [row["action"] for row in db.execute("SELECT action FROM audit ORDER BY id")]


def test_a_survey_is_found_by_name_and_audited(db: Connection) -> None:
    survey_id = surveys.add_survey(db, " CV20017 ", actor="mary", functional_unit="FU22", vessel="R.V. Celtic Voyager", year=2020)
    row = reads.find_survey(db, "CV20017")
    assert row == reads.survey(db, survey_id)
    assert row is not None
    assert (row.kind, row.functional_unit, row.year, row.created_by) == ("survey", "FU22", 2020, "mary")
    assert actions(db) == ["survey_add"]
    with pytest.raises(SettingsError, match="CV20017 already"):
        surveys.add_survey(db, "CV20017", actor="mary")
    with pytest.raises(SettingsError, match="needs a name"):
        surveys.add_survey(db, "  ", actor="mary")


def test_an_area_needs_a_source(db: Connection) -> None:
    survey_id = surveys.add_survey(db, "A", actor="mary")
    with pytest.raises(SettingsError, match="no source"):
        surveys.add_ground(db, survey_id, "Smalls", actor="mary", area_km2=2881.0)
    ground_id = surveys.add_ground(db, survey_id, "Smalls", actor="mary")
    assert (
        surveys.add_ground(db, survey_id, "Smalls", actor="mary", area_km2=2881.0, area_source="stock annex", stations_planned=42)
        == ground_id
    )
    (ground,) = reads.grounds(db, survey_id)
    assert (ground.area_km2, ground.area_source, ground.stations_planned) == (2881.0, "stock annex", 42)


def test_a_protocol_changes_only_as_a_new_version_with_a_reason(db: Connection) -> None:
    survey_id = surveys.add_survey(db, "A", actor="mary")
    assert reads.protocol_in_force(db, survey_id) is None
    first = surveys.add_protocol(db, survey_id, RULES, reason="as agreed", actor="mary")
    surveys.lock_protocol(db, first, actor="count")
    surveys.lock_protocol(db, first, actor="count again")
    surveys.add_protocol(db, survey_id, dataclasses.replace(RULES, last_minute=10), reason="longer tows", actor="mary")
    new, old = reads.protocols(db, survey_id)
    assert (old.version, old.minutes, old.locked_utc is not None) == (1, range(2, 9), True)
    assert (new.version, new.last_minute, new.locked_utc) == (2, 10, None)
    assert reads.protocol_in_force(db, survey_id) == new
    assert reads.protocol(db, first) == old
    assert actions(db).count("protocol_lock") == 1
    with pytest.raises(SettingsError, match="needs a reason"):
        surveys.add_protocol(db, survey_id, RULES, reason=" ", actor="mary")
    with pytest.raises(SettingsError, match="no source"):
        surveys.add_protocol(db, survey_id, dataclasses.replace(RULES, correction_factor=1.3), reason="x", actor="mary")


def test_a_station_begins_with_a_tow_and_is_once_in_its_survey(db: Connection) -> None:
    survey_id = surveys.add_survey(db, "A", actor="mary")
    station_id = surveys.add_station(db, survey_id, "125", actor="mary")
    draft_id = surveys.add_station(db, None, "125", actor="ingest")
    with pytest.raises(SettingsError, match="125 already"):
        surveys.add_station(db, survey_id, "125", actor="mary")
    with pytest.raises(SettingsError, match="125 already"):
        surveys.add_station(db, None, "125", actor="mary")
    station, draft = reads.station(db, station_id), reads.station(db, draft_id)
    assert station is not None
    assert draft is not None
    assert (station.survey, station.is_draft, draft.survey, draft.is_draft) == ("A", False, None, True)
    assert reads.find_station(db, "125") == station
    assert reads.find_station(db, "125", "A") == station
    assert reads.find_station(db, "125", "B") is None
    surveys.add_station(db, surveys.add_survey(db, "B", actor="mary"), "125", actor="mary")
    with pytest.raises(SettingsError, match="several surveys have a station 125: B, A"):
        reads.find_station(db, "125")
    assert reads.find_station(db, "125", "A") == station
    assert reads.stations(db, None) == (draft,)
    assert [tow.ordinal for tow in reads.tows(db, station_id)] == [1]


def test_stations_are_listed_as_numbers_run(db: Connection) -> None:
    survey_id = surveys.add_survey(db, "A", actor="mary")
    for name in ("100", "9", "20"):
        surveys.add_station(db, survey_id, name, actor="mary")
    assert [station.name for station in reads.stations(db, survey_id)] == ["9", "20", "100"]
    assert [tow.station for tow in reads.survey_tows(db, survey_id)] == ["9", "20", "100"]


def test_a_comparative_tow_is_not_the_main_one(db: Connection) -> None:
    station_id = surveys.add_station(db, surveys.add_survey(db, "A", actor="mary"), "1", actor="mary")
    second = surveys.add_tow(db, station_id, actor="mary")
    (first, _) = reads.tows(db, station_id)
    assert reads.main_tow(db, station_id) == first
    surveys.set_tow_fields(db, first.id, {"in_analysis": False, "is_valid": True, "start_depth_m": 101.5}, actor="mary")
    main, changed = reads.main_tow(db, station_id), reads.tow(db, first.id)
    assert main is not None
    assert changed is not None
    assert main.id == second
    assert (main.is_valid, changed.is_valid, changed.in_analysis, changed.start_depth_m) == (None, True, False, 101.5)


def test_a_change_of_a_tow_is_audited_with_what_was_there(db: Connection) -> None:
    station_id = surveys.add_station(db, surveys.add_survey(db, "A", actor="mary"), "1", actor="mary")
    (tow,) = reads.tows(db, station_id)
    surveys.set_tow_fields(db, tow.id, {"visibility": "Good"}, actor="mary")
    surveys.set_tow_fields(db, tow.id, {"visibility": "Good"}, actor="mary")
    surveys.set_tow_fields(db, tow.id, {"visibility": "Poor"}, actor="tom")
    details = [json.loads(row[0]) for row in db.execute("SELECT detail_json FROM audit WHERE action = 'tow_set' ORDER BY id")]
    assert details == [
        {"from": {"visibility": ""}, "to": {"visibility": "Good"}},
        {"from": {"visibility": "Good"}, "to": {"visibility": "Poor"}},
    ]
    with pytest.raises(ValueError, match="no station_id"):
        surveys.set_tow_fields(db, tow.id, {"station_id": 7}, actor="mary")


def test_what_a_person_attached_stays(db: Connection, tmp_path: Path) -> None:
    station_id = surveys.add_station(db, surveys.add_survey(db, "A", actor="mary"), "1", actor="mary")
    other = surveys.add_tow(db, station_id, actor="mary")
    (first, _) = reads.tows(db, station_id)
    folder, pack = add_station(db, tmp_path / "inbox", b"125"), add_model(db)
    ids = [done(db, folder, f"{number}.jpg".encode(), pack).image_id for number in range(3)]
    made = [Attachment(image_id=one, tow_id=first.id, camera_id=None, how="time", at_s=float(10 - at)) for at, one in enumerate(ids)]
    assert surveys.attach_images(db, made, actor="media") == 3
    assert surveys.attach_images(db, made, actor="media") == 0
    assert [image.image_id for image in reads.tow_images(db, first.id)] == ids[::-1]
    by_hand = Attachment(image_id=ids[0], tow_id=other, camera_id=None, how="hand", at_s=None)
    assert surveys.attach_images(db, [by_hand], actor="mary") == 1
    assert surveys.attach_images(db, made, actor="media") == 0
    (moved,) = reads.tow_images(db, other)
    assert (moved.image_id, moved.how, moved.at_s, moved.attached_by, moved.original) == (ids[0], "hand", None, "mary", "present")
    assert len(reads.tow_images(db, first.id, limit=1)) == 1


def test_an_unknown_station_becomes_a_draft_where_it_can_belong(db: Connection) -> None:
    lost = surveys.ensure_station(db, "7", actor="ingest")
    assert surveys.ensure_station(db, "7", actor="count") == lost
    first = surveys.add_survey(db, "A", actor="mary")
    surveys.add_survey(db, "set 1", actor="mary", kind="reference")
    mine = reads.station(db, surveys.ensure_station(db, "8", actor="ingest"))
    assert mine is not None
    assert (mine.survey_id, mine.is_draft) == (first, True)
    surveys.add_survey(db, "B", actor="mary")
    nobodys, other = reads.station(db, surveys.ensure_station(db, "9", actor="x")), surveys.ensure_station(db, "8", "B", actor="x")
    assert nobodys is not None
    assert nobodys.survey_id is None
    assert other != mine.id
    with pytest.raises(SettingsError, match="several surveys"):
        surveys.ensure_station(db, "8", actor="x")
    assert surveys.ensure_station(db, "8", "A", actor="x") == mine.id
    with pytest.raises(SettingsError, match="no survey C"):
        surveys.ensure_station(db, "8", "C", actor="x")
