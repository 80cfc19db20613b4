"""Tracks, distances and widths of a tow: what is in force, what is refused, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge.errors import SettingsError
from edge.store.tracks import NewDistance
from edge.survey.navigation.fixes import LogError
from edge.survey.width import table_width
from tests.helpers.stations import START, TOW_S, Sea, usbl, usbl_log
from tests.simulators import navigation as sim

A = [4, 5, 6, 4, 3, 5, 6]
B = [4, 6, 5, 4, 3, 5, 7]


@pytest.fixture
def sea(tmp_path: Path) -> Iterator[Sea]:
    with closing(Sea(tmp_path / "home")) as made:
        yield made


def test_a_hole_in_the_track_leaves_the_distance_open_under_drop_minute(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    imported = sea.desk.import_track(tow, usbl(usbl_log(tmp_path, gap=range(190, 265))), "test")
    assert any("does not cover the whole tow" in one and "drop_minute" in one for one in imported.faults)
    assert (imported.distance_m, imported.is_chosen) == (None, False)
    sea.desk.choose_track(imported.track_id, "test")
    sea.counts(tow, {"A": A, "B": B})
    sea.width(tow)
    found = sea.result(tow)
    assert (found.distance_m, found.area_m2, found.density_raw_per_m2) == (None, None, None)
    assert any("does not cover minute 4, 5" in one for one in found.reasons)
    assert found.systems is not None


def test_a_tow_without_times_has_no_minutes_of_its_track(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    sea.desk.import_track(tow, usbl(usbl_log(tmp_path)), "test")
    sea.counts(tow, {"A": A, "B": B})
    sea.call(lambda connection: connection.execute("UPDATE tows SET end_utc = NULL"))
    found = sea.result(tow)
    assert found.distance_m is None
    assert any("start and end are not both known" in one for one in found.reasons)
    with pytest.raises(LogError, match="start and end are not both known"):
        sea.desk.choose_track(1, "test")
    with pytest.raises(SettingsError, match="start and end are not both known"):
        sea.desk.estimate_distance(tow, 0.8, "test")
    imported = sea.desk.import_track(sea.station("S2"), usbl(usbl_log(tmp_path)), "test")
    assert imported.is_chosen


def test_sources_of_distance_are_chosen_and_the_better_one_is_told(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B})
    sea.desk.estimate_distance(tow, 0.8, "test")
    found = sea.result(tow)
    assert found.distance_m == pytest.approx(0.8 * 1852 / 3600 * 600 * 0.7)
    assert found.sources["distance"]["method"] == "scaled by time"
    assert found.sources["distance"]["note"] == "speed x time: 0.8 knots for 600 s"
    imported = sea.desk.import_track(tow, usbl(usbl_log(tmp_path)), "test")
    assert not imported.is_chosen
    assert any("better source (usbl) is at hand" in one for one in sea.result(tow).flags)
    sea.desk.choose_track(imported.track_id, "test")
    assert sea.result(tow).sources["distance"]["source"] == "usbl"
    sea.desk.withdraw("tracks", imported.track_id, "test")
    assert sea.result(tow).sources["distance"]["source"] == "estimated"
    sea.desk.type_distance(tow, NewDistance("usbl", 180.0, "counted"), "test")
    found = sea.result(tow)
    assert (found.distance_m, found.sources["distance"]["method"]) == (180.0, "as stated for the counted minutes")


def test_the_straight_line_of_the_sheet_is_an_estimate(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B})
    sea.desk.estimate_from_sheet(tow, "test")
    found = sea.result(tow)
    end = sim.EARTH.Inverse(*sim.ORIGIN, sim.ORIGIN[0] + 0.0018, sim.ORIGIN[1] + 0.0020)["s12"]
    assert found.distance_m == pytest.approx(end * 0.7)
    assert found.sources["distance"]["source"] == "estimated"
    assert found.sources["distance"]["note"] == "straight line between the sheet's start and end"
    sea.call(lambda connection: connection.execute("UPDATE tows SET end_longitude_deg = NULL"))
    with pytest.raises(SettingsError, match="does not say where"):
        sea.desk.estimate_from_sheet(tow, "test")


def test_the_newest_width_that_stands_wins_and_history_is_kept(sea: Sea) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B})
    sea.desk.type_distance(tow, NewDistance("odometer", 200.0, "counted"), "test")
    first = sea.width(tow, 0.75)
    second = sea.desk.set_width(tow, table_width(1.01, 0.6, "FOVMultiplier of the survey's table"), "test")
    found = sea.result(tow)
    assert found.area_m2 == pytest.approx(202.0)
    assert any("measured at 0.60" in one for one in found.flags)
    sea.desk.withdraw("widths", second, "test")
    assert sea.result(tow).area_m2 == pytest.approx(150.0)
    sea.desk.withdraw("widths", first, "test")
    assert sea.result(tow).area_m2 is None
    with pytest.raises(SettingsError, match="no row"):
        sea.desk.withdraw("widths", first, "test")


def test_what_was_withdrawn_comes_back_with_what_went_with_it(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    sea.counts(tow, {"A": A, "B": B})
    sea.desk.estimate_distance(tow, 0.8, "test")
    imported = sea.desk.import_track(tow, usbl(usbl_log(tmp_path)), "test")
    first = sea.desk.choose_track(imported.track_id, "test")
    sea.desk.withdraw("distances", first, "test")
    second = sea.desk.choose_track(imported.track_id, "test")
    before_m = sea.result(tow).distance_m
    assert sea.desk.withdraw("tracks", imported.track_id, "test") == tow
    assert sea.result(tow).sources["distance"]["source"] == "estimated"
    with pytest.raises(SettingsError, match="the track of this distance is withdrawn"):
        sea.desk.restore("distances", second, "test")
    assert sea.desk.restore("tracks", imported.track_id, "test") == tow
    assert (sea.result(tow).distance_m, sea.result(tow).sources["distance"]["source"]) == (before_m, "usbl")
    standing = [
        int(row[0]) for row in sea.connection.execute("SELECT id FROM distances WHERE withdrawn_utc IS NULL AND track_id IS NOT NULL")
    ]
    assert standing == [second], "what was withdrawn before the track is not brought back by it"
    with pytest.raises(SettingsError, match="that is withdrawn"):
        sea.desk.restore("tracks", imported.track_id, "test")
    rows = sea.connection.execute("SELECT action, detail_json FROM audit WHERE action IN ('withdraw', 'restore_row') ORDER BY id")
    trail = [(row[0], json.loads(row[1])) for row in rows]
    (_, of_distance), (_, of_track), (action, back) = trail
    assert (of_distance["distance_m"], of_distance["track"]) == (pytest.approx(imported.distance_m), imported.track_id)
    assert [one["id"] for one in of_track["distances"]] == [second]
    assert of_track["distances"][0]["distance_m"] == pytest.approx(imported.distance_m)
    assert (action, back["distances"]) == ("restore_row", of_track["distances"])


def test_a_track_whose_file_was_imported_again_is_not_restored(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    log = usbl(usbl_log(tmp_path))
    first = sea.desk.import_track(tow, log, "test").track_id
    sea.desk.withdraw("tracks", first, "test")
    sea.desk.import_track(tow, log, "test")
    with pytest.raises(SettingsError, match="stands for this tow already"):
        sea.desk.restore("tracks", first, "test")


def test_a_track_of_elsewhere_is_refused_with_the_likely_reason(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1", at=(sim.ORIGIN[0], -sim.ORIGIN[1]))
    with pytest.raises(LogError, match="east and west are exchanged"):
        sea.desk.import_track(tow, usbl(usbl_log(tmp_path)), "test")
    assert sea.connection.execute("SELECT count(*) FROM tracks").fetchone()[0] == 0


def test_a_file_stands_once_and_a_clock_can_be_put_right(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1", start=START + timedelta(seconds=3600))
    log = usbl_log(tmp_path)
    with pytest.raises(LogError, match="none within the tow"):
        sea.desk.import_track(tow, usbl(log), "test")
    imported = sea.desk.import_track(tow, usbl(log, time_offset_s=3600.0), "test")
    assert imported.distance_m == pytest.approx(246, rel=0.01)
    with pytest.raises(SettingsError, match="stands for this tow already"):
        sea.desk.import_track(tow, usbl(log, time_offset_s=3600.0), "test")


def test_a_track_that_leaps_and_goes_on_there_is_told_by_its_speed(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    places, _ = sim.walk(600, start=START)
    shifted = [sim.Place(**{**vars(one), "latitude_deg": one.latitude_deg + 0.01}) for one in places[300:]]
    path = tmp_path / "leap.log"
    path.write_bytes(b"".join(sim.ptsag(one) for one in (*places[:300], *shifted)))
    imported = sea.desk.import_track(tow, usbl(path), "test")
    assert any("sledges are towed at about 0.4 m/s" in one for one in imported.faults)


def test_flagged_points_are_stored_with_their_flag(sea: Sea, tmp_path: Path) -> None:
    tow = sea.station("S1")
    places, _ = sim.walk(TOW_S, start=START)
    lines = [sim.ptsag(place) for place in places]
    lines[100] = sim.ptsag(sim.Place(**{**vars(places[100]), "latitude_deg": 51.9}))
    lines.insert(200, lines[199])
    path = tmp_path / "log"
    path.write_bytes(b"".join(lines) + b"$PTSAG,#1,10\r\n")
    imported = sea.desk.import_track(tow, usbl(path), "test")
    assert imported.flagged == {"duplicate": 1, "jump": 1}
    assert (imported.points, imported.rows_refused) == (602, 1)
    rows = sea.connection.execute("SELECT flag, count(*) FROM track_points GROUP BY flag ORDER BY flag").fetchall()
    assert [tuple(row) for row in rows] == [("", 600), ("duplicate", 1), ("jump", 1)]
    audit = sea.connection.execute("SELECT action FROM audit WHERE subject = ?", (f"tow/{tow}",)).fetchall()
    assert [row[0] for row in audit][-2:] == ["track_import", "distance_set"]
