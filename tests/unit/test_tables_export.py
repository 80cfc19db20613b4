"""A survey's tables: only what is revealed, what is missing never a zero, written whole or not at all, over nobody's work."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
import pytest

from edge.errors import DiskFullError, SettingsError
from edge.store import counts, surveys, tracks
from edge.store.counts import NewCount
from edge.survey.agreement import agreement
from edge.survey.exchange import place
from edge.survey.exchange.methods import Choice
from edge.survey.exchange.place import file_stem, put_export
from edge.survey.exchange.plots import StationAgreement, anonymous, ccc_plot, minutes_plot
from edge.survey.exchange.run import FORMATS, preview
from edge.survey.exchange.workbook import safe_cell, write_workbook
from tests.helpers.stations import usbl, usbl_log
from tests.helpers.tables import Tables, recounts, two_counters

COUNTED = {"ann": [4, 5, 6, 4, 3, 5, 6], "bob": [4, 6, 5, 4, 3, 5, 7]}
SECRET = 7777


@pytest.fixture
def sea(tmp_path: Path) -> Tables:
    return Tables(tmp_path / "home")


def measured(sea: Tables, name: str = "S1", by_counter: dict[str, list[float]] | None = None, distance_m: float = 150.0) -> int:
    """A station with counts made here, 150 m, 0.75 m."""
    tow_id = sea.station(name)
    sea.counts(tow_id, by_counter or COUNTED, origin="counted")
    sea.call(lambda c: tracks.add_distance(c, tow_id, tracks.NewDistance("odometer", distance_m, covers="counted"), "test"))
    sea.width(tow_id, 0.75)
    return tow_id


def sealed(sea: Tables, name: str) -> int:
    """A station that one person counted blind and signed."""
    tow_id = sea.station(name)
    content = json.dumps({"systems": SECRET}).encode()
    new = NewCount(tow_id=tow_id, protocol_id=sea.protocol_id, person_id=None, counter="ann", content=content)
    count_id = sea.call(lambda c: counts.open_count(c, sea.seal, new, actor="test"))
    sea.call(lambda c: counts.sign(c, count_id, actor="test"))
    return tow_id


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def sidecar_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


# What the tables say ---------------------------------------------------------------------------------------------


def test_density_is_raw_in_one_dialect_and_adjusted_in_the_other(sea: Tables, tmp_path: Path) -> None:
    measured(sea)
    reports = {name: sea.write(tmp_path / "out", name) for name in ("mi-fu2021", "mi-analysis", "mi-view")}
    (fu2021,), (analysis,), (view,) = (rows_of(report.file) for report in reports.values())
    systems, area_m2 = 33.5, 150 * 0.75
    assert float(fu2021["Count"]) == float(analysis["Count_n"]) == float(view["NephropsBurrowCount"]) == systems
    assert float(fu2021["m2"]) == float(analysis["Area_m2"]) == area_m2
    assert float(fu2021["Density"]) == float(analysis["density.unadj"]) == pytest.approx(systems / area_m2)
    assert float(fu2021["Density_Adjusted"]) == float(analysis["Density"]) == pytest.approx(systems / area_m2 / 1.3)
    assert float(view["AdjustedBurrowDensity"]) == pytest.approx(systems / area_m2 / 1.3)
    assert (view["DistanceSource"], view["FOVMultiplier"], fu2021["DoGSource"]) == ("Odometer", "0.75", "Odometer")
    assert analysis["Status"] == "NA"
    for name, report in reports.items():
        assert report.file.name == f"T2026.{name}.csv"
        told = sidecar_of(report.sidecar)
        assert told["format"] == name
        assert told["columns"] == list(rows_of(report.file)[0])
    assert "raw" in sidecar_of(reports["mi-fu2021"].sidecar)["reading"]


def test_a_zero_is_a_row_and_a_sealed_count_is_none(sea: Tables, tmp_path: Path) -> None:
    measured(sea, "zero", {"ann": [0] * 7, "bob": [0] * 7})
    sealed(sea, "blind")
    sea.station("untouched")
    report = sea.write(tmp_path / "out", "mi-analysis")
    assert [(row["Station"], row["Count_n"], row["Density"]) for row in rows_of(report.file)] == [("zero", "0", "0")]
    left = {one.station: one.reason for one in report.left_out}
    assert set(left) == {"blind", "untouched"}
    assert "1 of" in left["blind"] or "missing" in left["blind"] or "sign" in left["blind"]
    assert sidecar_of(report.sidecar)["left_out"] == [one._asdict() for one in report.left_out]


def test_no_format_knows_what_is_sealed(sea: Tables, tmp_path: Path) -> None:
    sealed(sea, "blind")
    for name in FORMATS:
        report = sea.write(tmp_path / "out", name)
        assert str(SECRET).encode() not in report.file.read_bytes() + report.sidecar.read_bytes()
        if name not in {"workbook", "geojson"}:
            assert report.rows == 0
            assert [one.station for one in report.left_out] == ["blind"]


def test_comparative_and_invalid_tows_are_left_out_of_station_tables(sea: Tables, tmp_path: Path) -> None:
    comparative, invalid = measured(sea, "C1"), measured(sea, "I1")
    sea.call(lambda c: surveys.set_tow_fields(c, comparative, {"in_analysis": 0}, actor="test"))
    sea.call(lambda c: surveys.set_tow_fields(c, invalid, {"is_valid": 0}, actor="test"))
    report = sea.write(tmp_path / "out", "mi-view")
    assert report.rows == 0
    assert {one.station: one.reason for one in report.left_out} == {
        "C1": "no tow of it is in the analysis",
        "I1": "its tow is marked as not valid",
    }
    assert sea.write(tmp_path / "out", "mi-recounts").rows == 28


def test_a_station_without_a_distance_has_its_count_and_no_density(sea: Tables, tmp_path: Path) -> None:
    sea.counts(sea.station("S1"), COUNTED, origin="counted")
    report = sea.write(tmp_path / "out", "mi-fu2021")
    (row,) = rows_of(report.file)
    assert (row["Count"], row["DoGm"], row["m2"], row["Density"], row["Density_Adjusted"], row["DoGSource"]) == ("33.5", *["NA"] * 5)
    assert sidecar_of(report.sidecar)["sources"]["S1"]["reasons"]


def test_seconds_lost_are_a_pause_from_the_begin_of_the_minute(sea: Tables, tmp_path: Path) -> None:
    tow_id = sea.station("S1")
    sea.counts(tow_id, COUNTED, lost_s={("ann", 3): 7.5}, origin="counted")
    rows = rows_of(sea.write(tmp_path / "out", "mi-recounts").file)
    paused = [row for row in rows if row["StopTime"] != "NA"]
    assert [(row["VideoOperatorID"], row["Minute"], row["StopTime"], row["StartTime"], row["Unusuable"]) for row in paused] == [
        ("ann", "3", "1899-12-30 00:02:00", "1899-12-30 00:02:07.500", "NA")
    ]
    assert [int(row["RecountID"]) for row in rows] == list(range(1, 15))


def test_own_rows_are_numbered_after_imported_ones(sea: Tables, tmp_path: Path) -> None:
    sea.take(recounts(tmp_path, *two_counters(first=101)), "mi-recounts")
    sea.counts(sea.station("S1"), {"ann": [4, 5, 6, 4, 3, 5, 6]}, origin="counted")
    both = sea.write(tmp_path / "out", "mi-recounts", choice=Choice(every=True))
    assert [int(row["RecountID"]) for row in rows_of(both.file)] == list(range(101, 122))
    own = sea.write(tmp_path / "out", "mi-recounts", choice=Choice(origin="own"))
    assert [int(row["RecountID"]) for row in rows_of(own.file)] == list(range(115, 122)), "a number is that of one row, in whichever file"


def test_one_station_alone(sea: Tables, tmp_path: Path) -> None:
    measured(sea, "S1")
    measured(sea, "S2")
    report = sea.write(tmp_path / "out", "minutes", station="S2")
    assert report.file.name == "T2026.S2.minutes.csv"
    assert {row["station"] for row in rows_of(report.file)} == {"S2"}
    with pytest.raises(SettingsError, match="no station S3"):
        sea.write(tmp_path / "out", "minutes", station="S3")
    with pytest.raises(SettingsError, match="no survey NONE"):
        sea.write(tmp_path / "out", "minutes", "NONE")


def test_minutes_are_as_they_were_counted(sea: Tables, tmp_path: Path) -> None:
    measured(sea)
    rows = rows_of(sea.write(tmp_path / "out", "minutes").file)
    assert [int(row["systems"]) for row in rows if row["counter"] == "ann"] == COUNTED["ann"]
    assert {(row["origin"], row["protocol_version"], row["in_window"], row["in_analysis"]) for row in rows} == {("counted", "1", "1", "1")}


def test_what_is_shown_is_what_is_written(sea: Tables, tmp_path: Path) -> None:
    measured(sea)
    sealed(sea, "blind")
    sea.desk.import_track(sea.station("track"), usbl(usbl_log(tmp_path)), "test")
    withdrawn = sea.desk.import_track(sea.station("withdrawn"), usbl(usbl_log(tmp_path)), "test")
    sea.desk.withdraw("tracks", withdrawn.track_id, "test")
    one_fix = sea.desk.import_track(sea.station("one fix"), usbl(usbl_log(tmp_path, name="two.log")), "test")
    sea.call(lambda c: c.execute("UPDATE track_points SET flag = 'jump' WHERE track_id = ? AND ordinal > 0", (one_fix.track_id,)))
    with sea.reader() as connection:
        shown = {one.format: (one.rows, one.left_out) for one in preview(connection, "T2026", None, sees_tables=True)}
    for name in FORMATS:
        report = sea.write(tmp_path / "out", name)
        assert (report.rows, report.left_out) == shown[name]


# Map, workbook, plot ---------------------------------------------------------------------------------------------


def test_a_map_has_points_and_lines_and_no_result_of_sealed_stations(sea: Tables, tmp_path: Path) -> None:
    measured(sea, "S1")
    sealed(sea, "blind")
    comparative = sea.station("C1")
    sea.call(lambda c: surveys.set_tow_fields(c, comparative, {"in_analysis": 0}, actor="test"))
    found = json.loads(sea.write(tmp_path / "out", "geojson").file.read_text("utf-8"))
    assert found["type"] == "FeatureCollection"
    points = {one["properties"]["station"]: one for one in found["features"] if one["geometry"]["type"] == "Point"}
    lines = [one for one in found["features"] if one["geometry"]["type"] == "LineString"]
    assert set(points) == {"S1", "blind", "C1"}
    assert len(lines) == 3
    assert all(len(f"{value % 1:.9f}".rstrip("0")) <= 9 for one in lines for place in one["geometry"]["coordinates"] for value in place)
    longitude, latitude = points["S1"]["geometry"]["coordinates"]
    assert -15 < longitude < 0
    assert 45 < latitude < 60
    assert points["S1"]["properties"]["systems"] == 33.5
    hidden = points["blind"]["properties"]
    assert (hidden["systems"], hidden["density_raw_per_m2"]) == (None, None)
    assert hidden["why_no_result"]


def test_a_workbook_has_every_table_and_runs_nothing(sea: Tables, tmp_path: Path) -> None:
    sea.ground("Smalls", 2881.0)
    measured(sea, "=HYPERLINK(1)\x07")
    measured(sea, "S2")
    sea.call(lambda c: c.execute("UPDATE stations SET ground_id = (SELECT id FROM grounds)"))
    book = openpyxl.load_workbook(sea.write(tmp_path / "out", "workbook").file)
    assert book.sheetnames == [
        "About", "Summary", "Agreement", "Minutes", "mi-view", "mi-analysis", "mi-fu2021", "mi-recounts", "mi-clicks", "Left out",
    ]  # fmt: skip
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    names = [row[3] for row in book["mi-fu2021"].iter_rows(min_row=2, values_only=True)]
    assert names == ["S2", "'=HYPERLINK(1)\\x07"]
    header, *summary = book["Summary"].iter_rows(values_only=True)
    ground, survey = (dict(zip(header, row, strict=True)) for row in summary)
    assert (ground["ground"], ground["stations"], ground["zero_stations"], ground["area_km2"]) == ("Smalls", 2, 0, 2881)
    assert ground["mean_adjusted_per_m2"] == pytest.approx(33.5 / 112.5 / 1.3)
    assert survey["abundance_adjusted_millions"] == pytest.approx(33.5 / 112.5 / 1.3 * 2881)
    assert survey["cv"] == pytest.approx(0, abs=1e-9)
    (agreed, *_), _ = list(book["Agreement"].iter_rows(min_row=2, values_only=True)), None
    assert agreed[1:6] == ("ann", "bob", 33, 34, 7)


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "\ud800", "\uffff"])
def test_a_workbook_takes_texts_that_it_cannot_hold(tmp_path: Path, text: str) -> None:
    path = tmp_path / "book.xlsx"
    assert write_workbook(path, [("One", ("text",), [(text,)])]) == 1
    assert openpyxl.load_workbook(path)["One"]["A2"].value == safe_cell(text)
    assert "\\x" in str(safe_cell(text))


@pytest.mark.parametrize(("name", "seen"), [("ccc-plot", "S1: 0."), ("minutes-plot", "S1, minute 2: 4 and 4")])
def test_a_plot_names_no_counter(sea: Tables, tmp_path: Path, name: str, seen: str) -> None:
    measured(sea, "S1", {"aoife": [4, 5, 6, 4, 3, 5, 6], "brendan": [4, 6, 5, 4, 3, 5, 7]})
    text = sea.write(tmp_path / "out", name).file.read_text("utf-8")
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 (our own)
    assert "aoife" not in text
    assert "brendan" not in text
    assert seen in text


def test_plots_draw_every_state_and_escape_names() -> None:
    series = {"agreed": ([2, 9, 4], [3, 9, 4]), "third": ([2, 9, 4], [9, 2, 4]), "<low>": ([1, 0, 1], [0, 1, 1])}
    stations = [
        StationAgreement(station=name, agreement=agreement(counts_of), counts=counts_of)
        for name, (x, y) in series.items()
        for counts_of in [{"ann": dict(enumerate(map(float, x), 2)), "bob": dict(enumerate(map(float, y), 2))}]
    ]
    drawn = ccc_plot(stations, 0.5, "CCC & limit")
    ET.fromstring(drawn)  # noqa: S314 (our own)
    assert (drawn.count("<circle"), drawn.count('l6 11h-12z"'), drawn.count("l8 8m0")) == (1, 1, 1)
    letters = anonymous(["bob", "ann"], "uuid")
    assert sorted(letters.values()) == ["A", "B"]
    scatter = minutes_plot(stations, letters, "minutes")
    ET.fromstring(scatter)  # noqa: S314 (our own)
    assert scatter.count("<circle") == 9
    assert "ann" not in scatter


# Written whole, over nobody's work -------------------------------------------------------------------------------


def test_an_earlier_export_is_replaced_and_a_changed_one_is_not(sea: Tables, tmp_path: Path) -> None:
    out = tmp_path / "out"
    measured(sea, "S1")
    sea.write(out, "mi-view")
    measured(sea, "S2")
    assert sea.write(out, "mi-view").rows == 2
    path = out / "T2026.mi-view.csv"
    path.write_text("mine")
    with pytest.raises(SettingsError, match="not an export of the same as it was written"):
        sea.write(out, "mi-view")
    assert path.read_text() == "mine"
    assert sorted(one.name for one in out.iterdir()) == ["T2026.mi-view.csv", "T2026.mi-view.json"]
    assert sea.write(out, "mi-fu2021").rows == 2


def test_two_stations_whose_names_give_one_file_name_do_not_replace_each_other(sea: Tables, tmp_path: Path) -> None:
    measured(sea, "a/b")
    measured(sea, "a_b")
    first = sea.write(tmp_path / "out", "minutes", station="a/b")
    before = first.file.read_bytes()
    with pytest.raises(SettingsError, match="would be lost"):
        sea.write(tmp_path / "out", "minutes", station="a_b")
    assert first.file.read_bytes() == before


def test_a_power_cut_between_the_two_files_does_not_lock_the_place(sea: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    measured(sea, "S1")
    first = sea.write(out, "mi-view").file.read_bytes()
    measured(sea, "S2")
    real_replace = Path.replace

    def cut(path: Path, target: Path) -> Path:
        if str(target).endswith(".csv"):
            raise KeyboardInterrupt
        return real_replace(path, target)

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        sea.write(out, "mi-view")
    monkeypatch.undo()
    assert (out / "T2026.mi-view.csv").read_bytes() == first
    assert sea.write(out, "mi-view").rows == 2


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EACCES, SettingsError)])
def test_a_failed_write_leaves_nothing(tmp_path: Path, code: int, kind: type[Exception]) -> None:
    def write(path: Path) -> None:
        path.write_text("half")
        raise OSError(code, "no")

    with pytest.raises(kind):
        put_export(tmp_path / "out", "a.csv", "a.json", write=write, told={}, identity=())
    assert list((tmp_path / "out").iterdir()) == []


def test_an_export_never_lies_in_a_watched_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="watched folder"):
        put_export(tmp_path / "inbox" / "x", "a.csv", "a.json", write=Path.touch, told={}, identity=(), watched=[tmp_path / "inbox"])
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="is not a folder"):
        put_export(tmp_path / "file", "a.csv", "a.json", write=Path.touch, told={}, identity=())


@pytest.mark.parametrize(
    ("parts", "stem"),
    [
        (("CV20017", "", "mi-view"), "CV20017.mi-view"),
        (("../../etc", "minutes"), "etc.minutes"),
        (("a/b\\c:d\n", "x"), "a_b_c_d.x"),
        (("...", "x"), "_.x"),
        (("é" * 200, "x"), "é" * 50 + ".x"),
    ],
)
def test_file_names_are_ones_that_every_disk_takes(parts: tuple[str, ...], stem: str) -> None:
    assert file_stem(*parts) == stem
    assert place.MAX_NAME_BYTES == 100
