"""Tables of the Marine Institute: read strictly, every fault named, and written so that they are read back the same."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.survey.mi import reading
from edge.survey.mi.clicks import FRAME_PX, Click, click_cells, click_rows, mark_of, table_feature
from edge.survey.mi.dialects import ANALYSIS, CLICKS, DIALECTS, FU2021, RECOUNTS, VIEW, Dialect
from edge.survey.mi.reading import MAX_FAULTS, Faults, TableError, table_rows
from edge.survey.mi.recounts import Recount, recount_cells, recount_rows
from edge.survey.mi.stations import StationRecord, station_cells, station_rows
from edge.survey.mi.writing import Cell, number_text, write_table
from tests.helpers.tables import CLICKS_HEADER, FU2021_HEADER, RECOUNTS_HEADER, real, real_clicks, recounts, table

STATION = "2021,CV1,2014,207,-7.95,50.89,0.1,0.0769230769,200,150,15,Labadie,USBL,Celtic Voyager"
CLICK = '"REF","st1","A","00:41","525","BURROW","595","553.5","29-Jul-2020 17:14:33","1","1"'

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text and text.upper() not in reading.NOT_AVAILABLE and not text.endswith(".0") and "﻿" not in text
)
measures = st.floats(1e-6, 1e4).map(lambda value: float(f"{value:.9g}"))
distances = st.floats(10, 5000).map(lambda value: float(f"{value:.9g}"))


def written(dialect: Dialect, rows: list[dict[str, Cell]]) -> str:
    out = io.StringIO(newline="")
    write_table(out, dialect, rows)
    return out.getvalue()


def read(path: Path, dialect: Dialect) -> tuple[list[Recount] | list[Click] | list[StationRecord], Faults]:
    faults = Faults()
    if dialect is RECOUNTS:
        return recount_rows(path, faults), faults
    if dialect is CLICKS:
        return click_rows(path, faults), faults
    return station_rows(path, dialect, faults), faults


# Headers ---------------------------------------------------------------------------------------------------------


def test_headers_are_those_of_the_originals(shared_data: Path) -> None:
    originals = {
        RECOUNTS: real(shared_data, "uwtv_mi_2020", "Recounts.csv"),
        CLICKS: real_clicks(shared_data)[0],
        FU2021: real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv"),
    }
    for dialect, path in originals.items():
        first = path.read_bytes().partition(b"\n")[0] + b"\n"
        assert written(dialect, []).encode() == first


def test_headers_of_the_two_tables_without_a_published_file() -> None:
    assert ",".join(VIEW.columns) == (
        "Year,Ground,StationNumber,Ship_Mid_Longitude,SHIP_Mid_Latitude,NephropsBurrowCount,DistanceOverGround,DistanceSource,"
        "FOVMultiplier,AdjustedBurrowDensity"
    )
    assert ",".join(ANALYSIS.columns) == (
        "Year,FU,Survey,longitude,latitude,density.unadj,Density,DoG_m,Area_m2,Count_n,Station,DoGSource,Status,Ground,Source,Area_km2"
    )


# Hostile tables --------------------------------------------------------------------------------------------------


def test_a_wrong_header_is_told_with_the_dialect_that_fits(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="lacks the columns") as caught:
        read(table(tmp_path, FU2021_HEADER, STATION), RECOUNTS)
    assert "mi-fu2021" in caught.value.advice()


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="Minute twice"):
        read(table(tmp_path, RECOUNTS_HEADER + ',"Minute"', "1,7,CV1,8,2,5,0,0,NA,NA,NA,3"), RECOUNTS)


def test_columns_may_be_shuffled_and_carry_rs_row_names(tmp_path: Path) -> None:
    header = '"","BurrowCount","Minute","VideoOperatorID","SurveyID","Video_Line_Name"'
    rows, faults = read(table(tmp_path, header, '"1",5,2,8,"CV1",7'), RECOUNTS)
    (one,) = rows
    assert isinstance(one, Recount)
    assert (one.station, one.survey, one.counter, one.minute, one.systems, faults.count) == ("7", "CV1", "8", 2, 5.0, 0)
    assert (one.nephrops_in, one.unusable, one.recount_id) == (None, None, "")


def test_a_station_twice_names_both_rows(tmp_path: Path) -> None:
    _, faults = read(table(tmp_path, FU2021_HEADER, STATION, STATION), FU2021)
    assert [(fault.row, fault.column) for fault in faults.found] == [(3, "Station")]
    assert "in row 2 too" in faults.found[0].message


@pytest.mark.parametrize(
    ("dialect", "header", "row", "column", "message"),
    [
        (RECOUNTS, RECOUNTS_HEADER, '1,7,CV1,8,2,"12,5",0,0,NA,NA,NA', "BurrowCount", "decimal comma"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,=1+1,0,0,NA,NA,NA", "BurrowCount", "not a number"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,٣,0,0,NA,NA,NA", "BurrowCount", "not a number"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,1_0,0,0,NA,NA,NA", "BurrowCount", "not a number"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,1e999,0,0,NA,NA,NA", "BurrowCount", "not within"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,5,0.5,0,NA,NA,NA", "NephropsIn", "not a whole number"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7\0,CV1,8,2,5,0,0,NA,NA,NA", "Video_Line_Name", "NUL"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,5,0,0,1899-12-30 00:02:05,1899-12-30 00:02:00,NA", "StartTime", "before StopTime"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,5,0,0,1899-12-30 00:02:05,NA,NA", "StartTime", "how long the counter paused is not known"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,5,0,0,NA,1899-12-30 00:02:05,0", "StopTime", "how long the counter paused is not known"),
        (RECOUNTS, RECOUNTS_HEADER, "1,,CV1,8,2,5,0,0,NA,NA,NA", "Video_Line_Name", "missing"),
        (RECOUNTS, RECOUNTS_HEADER, "1,7,CV1,8,2,5", "", "as many values"),
        (CLICKS, CLICKS_HEADER, CLICK.replace('"1","1"', '"1","3"'), "minute", "is in minute 1"),
        (CLICKS, CLICKS_HEADER, CLICK.replace("00:41", "0:41:00"), "time", "03:05"),
        (CLICKS, CLICKS_HEADER, CLICK.replace('"595"', '"1300"'), "x", "not within"),
        (FU2021, FU2021_HEADER, STATION.replace("0.1,0.07", "0.13,0.1"), "Density", "Count over m2"),
        (FU2021, FU2021_HEADER, STATION.replace(",200,", ",0,"), "DoGm", "missing is NA"),
        (FU2021, FU2021_HEADER, STATION.replace("50.89", "97"), "MidDegLat", "not within"),
        (FU2021, FU2021_HEADER, STATION.replace("USBL", "GUESS"), "DoGSource", "known are"),
        (FU2021, FU2021_HEADER, STATION.replace(",15,", ",NA,"), "Count", "missing"),
        (FU2021, FU2021_HEADER, STATION.replace("200,150,15", "2,150,15"), "m2", "wide"),
    ],
)
def test_a_fault_is_named_by_row_and_column(tmp_path: Path, dialect: Dialect, header: str, row: str, column: str, message: str) -> None:
    _, faults = read(table(tmp_path, header, row), dialect)
    assert [(fault.row, fault.column) for fault in faults.found] == [(2, column)]
    assert message in faults.found[0].message
    with pytest.raises(TableError, match="row 2") as caught:
        faults.raise_any("table.csv")
    assert caught.value.exit_code == 4
    assert caught.value.fault_count == 1


def test_half_a_pause_in_an_unusable_minute_changes_nothing(tmp_path: Path) -> None:
    rows, faults = read(recounts(tmp_path, "1,7,CV1,8,2,5,0,0,1899-12-30 00:02:05,NA,1"), RECOUNTS)
    (one,) = rows
    assert isinstance(one, Recount)
    assert (one.lost_s, faults.count) == (60.0, 0)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(("mark", "words"), [(";", "separated by semicolons"), ("\t", "separated by tabs")])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_what_excel_saves_where_a_comma_is_the_decimal_mark_is_refused(
    tmp_path: Path, dialect: Dialect, mark: str, words: str, quoted: bool
) -> None:
    columns = [f'"{name}"' if quoted else name for name in dialect.columns]
    path = tmp_path / "german.csv"
    path.write_text(mark.join(columns) + "\r\n" + mark.join(["12,5"] * len(columns)) + "\r\n", encoding="utf-8-sig", newline="")
    with pytest.raises(TableError, match=words) as caught:
        read(path, dialect)
    assert "original file" in caught.value.advice()
    path.write_text("sep=;\r\n" + path.read_text("utf-8-sig"), encoding="utf-8-sig", newline="")
    with pytest.raises(TableError, match="first line says"):
        read(path, dialect)


def test_the_mark_that_excel_puts_before_utf_8_is_no_part_of_the_header(tmp_path: Path) -> None:
    path = tmp_path / "marked.csv"
    path.write_text(f"{FU2021_HEADER}\r\n{STATION}\r\n", encoding="utf-8-sig", newline="")
    rows, faults = read(path, FU2021)
    assert (len(rows), faults.count) == (1, 0)


def test_all_faults_are_counted_and_the_first_listed(tmp_path: Path) -> None:
    bad = ["1,7,CV1,8,2,five,0,0,NA,NA,NA"] * (MAX_FAULTS + 50)
    _, faults = read(recounts(tmp_path, *bad), RECOUNTS)
    assert (faults.count, len(faults.found)) == (MAX_FAULTS + 50, MAX_FAULTS)
    with pytest.raises(TableError, match=f"and {MAX_FAULTS + 47} more"):
        faults.raise_any("Recounts.csv")


@pytest.mark.parametrize("content", [b"\xff\xfeR\x00e\x00", b"Year,Station\n\xe9\n", b"", b'"open', b"a" * 200_000])
def test_what_is_no_table_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.csv"
    path.write_bytes(content)
    for dialect in DIALECTS.values():
        with pytest.raises(TableError):
            read(path, dialect)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv cannot be read: No such file"):
        read(tmp_path / "none.csv", RECOUNTS)


def test_more_rows_than_any_survey_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 3)
    with pytest.raises(TableError, match="more than 3 rows"):
        read(recounts(tmp_path, *(f"{minute},7,CV1,8,{minute},5,0,0,NA,NA,NA" for minute in range(1, 6))), RECOUNTS)


def test_rows_are_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write(RECOUNTS_HEADER + "\n")
        file.writelines(f"{row},{row // 20},CV1,8,{row % 20},5,0,0,NA,NA,NA\n" for row in range(100_000))
        file.write("the last row is none\n")
    faults = Faults()
    rows = table_rows(path, RECOUNTS, faults)
    assert next(rows).number == 2
    assert faults.count == 0, "the whole table was read for its first row"
    assert sum(1 for _ in rows) == 99_999
    assert [fault.row for fault in faults.found] == [100_002]


# Round trips -----------------------------------------------------------------------------------------------------


def test_real_tables_come_back_byte_for_byte(shared_data: Path) -> None:
    tables = [(RECOUNTS, real(shared_data, "uwtv_mi_2020", "Recounts.csv")), *((CLICKS, path) for path in real_clicks(shared_data))]
    tables.append((FU2021, real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv")))
    assert len(tables) == 27
    for dialect, path in tables:
        rows, faults = read(path, dialect)
        assert faults.found == []
        assert written(dialect, [_cells(row, dialect) for row in rows]).encode() == path.read_bytes()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Recount,
            row=st.just(0),
            recount_id=st.integers(1, 10**6).map(str),
            station=texts,
            survey=texts,
            counter=texts,
            minute=st.integers(0, 60),
            systems=st.floats(0, 500).map(lambda value: round(value * 2) / 2),
            nephrops_in=st.none() | st.integers(0, 9),
            nephrops_out=st.none() | st.integers(0, 9),
            stopped_s=st.just(60.0),
            went_on_s=st.integers(60, 3600).map(float),
            unusable=st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: (one.station, one.survey, one.counter, one.minute),
    )
)
def test_recounts_are_read_as_they_were_written(tmp_path: Path, rows: list[Recount]) -> None:
    path = tmp_path / "Recounts.csv"
    path.write_text(written(RECOUNTS, [recount_cells(one) for one in rows]), encoding="utf-8", newline="")
    found, faults = read(path, RECOUNTS)
    assert faults.found == []
    assert found == [one._replace(row=place) for place, one in enumerate(rows, start=2)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(texts, texts, texts, st.integers(0, 599), st.none() | st.integers(1, 9000), st.integers(0, 2458), st.integers(0, 1382)),
        min_size=1,
        max_size=8,
    )
)
def test_clicks_are_read_as_they_were_written(tmp_path: Path, drawn: list[tuple[str, str, str, int, int | None, int, int]]) -> None:
    rows = [
        Click(place, survey, station, counter, float(at_s), still, "BURROW", x / 2, y / 2, "29-Jul-2020 17:14:33", "1", at_s // 60 + 1)
        for place, (survey, station, counter, at_s, still, x, y) in enumerate(drawn, start=2)
    ]
    path = tmp_path / "clicks.csv"
    path.write_text(written(CLICKS, [click_cells(one) for one in rows]), encoding="utf-8", newline="")
    found, faults = read(path, CLICKS)
    assert faults.found == []
    assert found == rows
    assert FRAME_PX == (1229, 691)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("dialect", [VIEW, ANALYSIS, FU2021], ids=lambda dialect: dialect.name)
@given(
    st.lists(
        st.tuples(texts, measures, distances, st.sampled_from([0.55, 0.75, 1.01])), min_size=1, max_size=6, unique_by=lambda one: one[0]
    )
)
def test_stations_are_read_as_they_were_written(tmp_path: Path, dialect: Dialect, drawn: list[tuple[str, float, float, float]]) -> None:
    rows = []
    for name, systems, distance_m, width_m in drawn:
        area = distance_m * width_m
        rows.append(_record(name, systems, distance_m, width_m, systems / area))
    path = tmp_path / "stations.csv"
    path.write_text(written(dialect, [station_cells(one, dialect) for one in rows]), encoding="utf-8", newline="")
    found, faults = read(path, dialect)
    assert faults.found == []
    for one, before in zip(found, rows, strict=True):
        assert isinstance(one, StationRecord)
        assert (one.station, one.year, one.ground, one.distance_source) == (before.station, 2014, "Smalls", "usbl")
        assert one.systems == pytest.approx(before.systems, rel=1e-14)
        assert one.width_m == pytest.approx(before.width_m, rel=1e-12)
        assert one.adjusted_per_m2 == pytest.approx(before.adjusted_per_m2, rel=1e-14)
        if dialect is not VIEW:
            assert one.raw_per_m2 == pytest.approx(before.raw_per_m2, rel=1e-14)


def _record(name: str, systems: float, distance_m: float, width_m: float, raw: float) -> StationRecord:
    return StationRecord(
        row=0,
        survey="CV1",
        year=2014,
        station=name,
        systems=systems,
        distance_m=distance_m,
        distance_source="usbl",
        width_m=width_m,
        area_m2=distance_m * width_m,
        raw_per_m2=raw,
        adjusted_per_m2=raw / 1.3,
        latitude_deg=51.5,
        longitude_deg=-6.25,
        ground="Smalls",
    )


def _cells(row: Recount | Click | StationRecord, dialect: Dialect) -> dict[str, Cell]:
    if isinstance(row, Recount):
        return dict(recount_cells(row))
    return dict(click_cells(row)) if isinstance(row, Click) else dict(station_cells(row, dialect))


# Cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@x", "\tx", "'x"])
def test_a_text_that_a_spreadsheet_would_run_is_harmless(text: str) -> None:
    record = _record(text, 1, 2, 1, 0.5)
    for dialect in (VIEW, ANALYSIS, FU2021):
        (row,) = list(csv.DictReader(io.StringIO(written(dialect, [station_cells(record, dialect)]))))
        name = row["StationNumber" if dialect is VIEW else "Station"]
        assert name == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (21.0, "21"),
        (16.5, "16.5"),
        (0.117336281, "0.117336281"),
        (9.80574989318848, "9.80574989318848"),
        (1 / 3, "0.333333333333333"),
    ],
)
def test_numbers_are_written_as_the_originals_are(value: float, text: str) -> None:
    assert number_text(value) == text


def test_what_is_no_measurement_is_never_written() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no measurement"):
            number_text(value)


def test_features_have_one_name_here_and_one_there() -> None:
    assert mark_of("BURROW") == "system"
    assert mark_of("NEPHROPS_IN") == "nephrops_in"
    assert mark_of("Squat lobster") == "Squat lobster"
    assert [table_feature(mark_of(name)) for name in ("BURROW", "TRAWL_MARK", "other")] == ["BURROW", "TRAWL_MARK", "other"]
