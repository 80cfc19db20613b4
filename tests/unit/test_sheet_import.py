"""Whole sheets: every way they are written, every fault listed by row and column, all or nothing, and the same again changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from edge.errors import InputError
from edge.store import surveys
from edge.store.connection import immediate
from edge.store.reads import surveys as reads
from edge.store.reads.tow_media import field_history, last_entries
from edge.store.sqlite import Connection
from edge.survey.sheet.bring_in import SheetOutcome, bring_in, foresee
from edge.survey.sheet.moments import DateOrder
from edge.survey.sheet.plan import SheetPlan, make_plan
from edge.survey.sheet.record import Change, record
from edge.survey.sheet.table import read_table
from tests.helpers.seed import open_database

HEADINGS = ["Video_Line_Name", "SurveyID", "Ground", "Date SOL", "Time SOL", "Date EOL", "Time EOL"]
HEADINGS += ["Degrees Lat SOL", "Minutes Lat SOL", "N/S SOL", "Degrees Lon SOL", "Minutes Lon SOL", "E/W SOL", "Comments", "DVD_number"]


def row(number: int, day: str = "2020-07-16", **changes: str) -> list[str]:
    start = datetime(2020, 7, 16, tzinfo=UTC) + timedelta(hours=number % 23)
    cells = [str(number), "CV20017", "Smalls", day, f"{start:%H:%M:%S}", day, f"{start + timedelta(minutes=10):%H:%M:%S}"]
    cells += ["51", f"{number % 60}.5", "N", "-6", "37.0", "W", "starfish", "0"]
    for heading, value in changes.items():
        cells[HEADINGS.index(heading.replace("_", " ") if heading not in HEADINGS else heading)] = value
    return cells


def as_csv(rows: Sequence[Sequence[str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([HEADINGS, *rows])
    return out.getvalue().encode(encoding)


def plan_of(rows: Sequence[Sequence[str]], **options: Any) -> SheetPlan:
    return make_plan(read_table(as_csv(rows), "sheet.csv"), "sheet.csv", **{"survey": "CV20017", "year": 2020, **options})


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path)
    surveys.add_survey(connection, "CV20017", actor="mary", year=2020)
    yield connection
    connection.close()


def bring(db: Connection, plan: SheetPlan) -> SheetOutcome:
    with immediate(db):
        return bring_in(db, plan, 1, actor="mary")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_every_dialect_gives_the_same_rows(delimiter: str, encoding: str) -> None:
    rows = [row(1, Comments='"Bad, message"; r\u00e9p\u00e9t\u00e9\r\n\r\nRock'), row(2)]
    table = read_table(as_csv(rows, delimiter, encoding), "sheet.csv")
    assert [list(one.cells) for one in table.rows] == [HEADINGS, *rows]
    assert [one.number for one in table.rows] == [1, 2, 3]


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for one in rows:
        sheet.append(list(one))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_with_real_dates_reads_as_its_csv() -> None:
    cells: list[object] = list(row(3))
    cells[3], cells[4], cells[5], cells[6] = date(2020, 7, 16), time(3, 0), datetime(2020, 7, 16), datetime(1899, 12, 30, 3, 10)
    cells[0], cells[7], cells[8] = 3, 51, 3.5
    content = workbook([["Survey CV20017"], [], HEADINGS, cells])
    plan = make_plan(read_table(content, "sheet.xlsx"), "sheet.xlsx", survey="CV20017", year=2020)
    expected = plan_of([row(3)])
    assert plan.faults == ()
    assert plan.tows[0].reading == expected.tows[0].reading
    assert (plan.tows[0].station, plan.tows[0].row) == ("3", 4)


def test_serial_numbers_of_a_workbook_are_dates_and_times() -> None:
    cells: list[object] = list(row(3))
    cells[3], cells[4], cells[5], cells[6] = 44028, 0.125, 44028.131944444445, ""
    plan = make_plan(read_table(workbook([HEADINGS, cells]), "sheet.xlsx"), "sheet.xlsx")
    assert plan.faults == ()
    assert plan.tows[0].reading.columns["start_utc"] == "2020-07-16T03:00:00.000Z"
    assert plan.tows[0].reading.columns["end_utc"] == "2020-07-16T03:10:00.000Z"


def test_a_formula_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"row 2: the formula =1\+1 has no value"):
        read_table(workbook([["Video_Line_Name", "Comments"], [1, "=1+1"]]), "sheet.xlsx")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n,,,\r\n", "no row"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "97 to 2003"),
        (b"PK\x03\x04 no zip", "no workbook"),
        (b"Video_Line_Name,Comments\n1,\x00\x01\x02\n", "no text"),
        (b'Video_Line_Name,Comments\n1,"never closed\n', "unexpected end"),
        (b"a,b\n1,2\n", "headings of a station sheet"),
        (b"Video_Line_Name,Comments,Comments\n1,2,3\n", "two columns"),
        (b"Video_Line_Name,SurveyID,VideoOperatorID,Minute,BurrowCount\n1,A,2,3,4\n", "no station sheet"),
        (b"x" * (16 * 1024 * 1024 + 1), "more than 16 MiB"),
    ],
)
def test_what_is_no_sheet_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        make_plan(read_table(content, "sheet.csv"), "sheet.csv")


def test_mixed_date_orders_are_refused_with_every_row(db: Connection) -> None:
    plan = plan_of([row(1, "15/07/2020"), row(2, "07/16/2020"), row(3, "07/08/2020"), row(4, "2020-07-16")])
    assert plan.is_refused
    assert sorted({fault.row for fault in plan.faults if fault.refuses}) == [2, 3, 4]
    assert {fault.column for fault in plan.faults if fault.refuses} == {"Date SOL", "Date EOL"}
    with pytest.raises(InputError, match="dates of both orders"):
        bring(db, plan)
    assert reads.stations(db, 1) == ()


def test_an_order_that_somebody_says_holds_and_what_it_does_not_fit_is_a_fault(db: Connection) -> None:
    plan = plan_of([row(1, "15/07/2020"), row(2, "07/16/2020"), row(3, "07/08/2020")], order=DateOrder.DMY)
    assert not plan.is_refused
    assert {fault.row for fault in plan.faults if "no date with the day first" in fault.message} == {3}
    bring(db, plan)
    first, second, third = (reads.tows(db, station.id)[0] for station in reads.stations(db, 1))
    assert (first.start_utc or "")[:10] == "2020-07-15"
    assert second.start_utc is None
    assert (third.start_utc or "")[:10] == "2020-08-07"
    assert last_entries(db, second.id)["start_date"].value == "07/16/2020"


def test_dates_that_prove_their_order_need_no_question_and_stay_readable(db: Connection) -> None:
    plan = plan_of([row(1, "15/07/2020"), row(2, "07/08/2020")])
    assert (plan.is_refused, plan.order) == (False, DateOrder.DMY)
    bring(db, plan)
    (tow,) = reads.tows(db, reads.stations(db, 1)[1].id)
    with immediate(db):
        record(db, tow.id, [Change(field="start_time", value="02:30:00")], source="page", actor="tom")
    changed = reads.tow(db, tow.id)
    assert changed is not None
    assert changed.start_utc == "2020-08-07T02:30:00.000Z"


def test_dates_that_can_all_be_either_are_a_question() -> None:
    assert plan_of([row(1, "07/08/2020")]).is_refused
    assert plan_of([row(1, "07/07/2020")]).is_refused is False


def test_a_workbook_that_may_have_turned_dates_round_is_a_question() -> None:
    turned: list[object] = list(row(2))
    turned[3] = turned[5] = date(2020, 8, 7)
    plan = make_plan(read_table(workbook([HEADINGS, row(1, "15/07/2020"), turned]), "sheet.xlsx"), "sheet.xlsx")
    assert plan.is_refused
    assert "turned day and month" in plan.faults[0].message


def test_a_station_twice_is_refused_and_a_row_twice_is_taken_once(db: Connection) -> None:
    plan = plan_of([row(1), row(2), row(1, Comments="other")])
    assert [(fault.row, fault.refuses) for fault in plan.faults if "already" in fault.message] == [(4, True)]
    same = plan_of([row(1), row(2), row(1)])
    assert [(fault.row, fault.message) for fault in same.faults] == [(4, "the same as row 2")]
    assert bring(db, same).new_stations == ("1", "2")


def test_two_lines_of_one_station_are_two_tows(db: Connection) -> None:
    content = b"Station,Video_Line_Name,Comments\n7,7,first\n7,7B,second\n"
    plan = make_plan(read_table(content, "sheet.csv"), "sheet.csv")
    assert plan.faults == ()
    outcome = bring(db, plan)
    (station,) = reads.stations(db, 1)
    assert [(tow.line_name, tow.comments) for tow in reads.tows(db, station.id)] == [("7", "first"), ("7B", "second")]
    assert outcome.new_stations == ("7",)
    assert bring(db, plan).unchanged == 2


@pytest.mark.parametrize(
    ("changes", "column", "message"),
    [
        ({"Video_Line_Name": ""}, "Video_Line_Name", "names no station"),
        ({"SurveyID": "CV21013"}, "SurveyID", "of the survey CV21013"),
        ({"Time_SOL": "noon"}, "Time SOL", "no time"),
        ({"Time_EOL": "00:00:00"}, "Time EOL", "ends before it begins"),
        ({"E/W_SOL": "E"}, "Degrees Lon SOL", "the other"),
        ({"Degrees_Lon_SOL": "6", "E/W_SOL": "E"}, "Degrees Lat SOL", "sign of its longitude is wrong"),
        ({"N/S_SOL": "S"}, "Degrees Lat SOL", "sign of its latitude is wrong"),
        ({"Degrees_Lat_SOL": "41"}, "Degrees Lat SOL", "a degree or a sign is wrong, or it is on land"),
        ({"Date_SOL": "2021-07-16", "Date_EOL": "2021-07-16"}, "Date SOL", "it is of 2021, the survey of 2020"),
        ({"Time_SOL": "02:05:00", "Time_EOL": "02:15:00"}, "Time SOL", "overlaps in time with that of station 2"),
    ],
)
def test_every_bad_cell_is_listed_with_its_row_column_and_effect(changes: dict[str, str], column: str, message: str) -> None:
    plan = plan_of([*(row(number) for number in range(1, 7)), row(9, **changes)])
    faults = [fault for fault in plan.faults if fault.row == 8]
    assert [(fault.column, message in fault.message, bool(fault.effect)) for fault in faults] == [(column, True, True)]
    assert plan.is_refused is (column in {"Video_Line_Name", "SurveyID"})


def test_a_comma_too_many_is_seen() -> None:
    content = as_csv([row(1)]) + b",".join(cell.encode() for cell in row(2)) + b",x\r\n"
    plan = make_plan(read_table(content, "sheet.csv"), "sheet.csv")
    assert plan.is_refused
    assert "16 cells and the headings 15" in plan.faults[0].message


def test_the_same_sheet_again_changes_nothing_and_a_changed_cell_is_a_new_entry(db: Connection) -> None:
    first = bring(db, plan_of([row(1), row(2)]))
    assert (first.new_stations, first.new_grounds) == (("1", "2"), ("Smalls",))
    entries = len(field_history(db, 1)) + len(field_history(db, 2))
    assert foresee(db, plan_of([row(1), row(2)]), 1).changes == ()
    assert bring(db, plan_of([row(1), row(2)])).unchanged == 2
    assert len(field_history(db, 1)) + len(field_history(db, 2)) == entries
    changed = plan_of([row(1, Comments="rock"), row(2)])
    (change,) = foresee(db, changed, 1).changes
    assert (change.station, change.field, change.before, change.after, change.typed_by) == ("1", "comments", "starfish", "rock", None)
    bring(db, changed)
    assert [entry.value for entry in field_history(db, 1, "comments")] == ["rock", "starfish"]


def test_what_was_typed_since_stays_unless_the_sheet_changed(db: Connection) -> None:
    bring(db, plan_of([row(1)]))
    with immediate(db):
        record(db, 1, [Change(field="comments", value="by hand")], source="page", actor="tom")
    assert bring(db, plan_of([row(1)])).changes == ()
    assert last_entries(db, 1)["comments"].value == "by hand"
    (change,) = bring(db, plan_of([row(1, Comments="rock")])).changes
    assert (change.before, change.typed_by) == ("by hand", "tom")
    assert [entry.value for entry in field_history(db, 1, "comments")] == ["rock", "by hand", "starfish"]


def test_columns_that_no_field_stands_for_are_kept(db: Connection) -> None:
    bring(db, plan_of([row(1)]))
    assert last_entries(db, 1)["other:DVD_number"].value == "0"
    assert last_entries(db, 1)["other:SurveyID"].value == "CV20017"


def test_a_draft_that_the_sheet_names_becomes_a_station(db: Connection) -> None:
    surveys.add_survey(db, "other", actor="mary")
    lost = surveys.ensure_station(db, "1", actor="ingest")
    mine = surveys.ensure_station(db, "2", "CV20017", actor="count")
    outcome = bring(db, plan_of([row(1), row(2)]))
    assert (outcome.new_stations, outcome.adopted) == ((), ("1", "2"))
    assert [(one.id, one.is_draft) for one in reads.stations(db, 1)] == [(lost, False), (mine, False)]
    assert bring(db, plan_of([row(1), row(2)])).unchanged == 2


def test_the_real_sheet_is_brought_in_whole(db: Connection, shared_data: Path) -> None:
    path = shared_data / "uwtv_mi_2020" / "Locations.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    plan = make_plan(read_table(path.read_bytes(), path.name), path.name, survey="CV20017", year=2020)
    assert plan.faults == ()
    outcome = bring(db, plan)
    assert (outcome.stations, outcome.new_grounds) == (43, ("Smalls", "Banana"))
    tows = reads.survey_tows(db, 1)
    assert sum(tow.in_analysis for tow in tows) == 40
    assert all(tow.start_utc and tow.end_utc and tow.start_depth_m and tow.cable_out_m and tow.is_valid for tow in tows)
    lengths = [(datetime.fromisoformat(tow.end_utc or "") - datetime.fromisoformat(tow.start_utc or "")).total_seconds() for tow in tows]
    assert (min(lengths), max(lengths)) == (540.0, 718.0)  # as strptime reads them
    with path.open(newline="") as file:
        for cells in csv.DictReader(file):
            station = reads.find_station(db, cells["Video_Line_Name"], "CV20017")
            assert station is not None
            kept = last_entries(db, reads.tows(db, station.id)[0].id)
            assert sorted(entry.value for entry in kept.values()) == sorted(cells.values())
    assert bring(db, plan).unchanged == 43


def test_the_real_sheet_reads_the_same_from_a_workbook(shared_data: Path) -> None:
    path = shared_data / "uwtv_mi_2020" / "Locations.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(newline="") as file:
        headings, *rows = list(csv.reader(file))
    typed: list[list[object]] = [
        list(headings),
        *([_as_typed(heading, cell) for heading, cell in zip(headings, one, strict=True)] for one in rows),
    ]
    from_csv = make_plan(read_table(path.read_bytes(), path.name), path.name)
    from_workbook = make_plan(read_table(workbook(typed), "Locations.xlsx"), "Locations.xlsx")
    assert from_workbook.faults == ()
    for one, other in zip(from_csv.tows, from_workbook.tows, strict=True):
        assert one.station == other.station
        for name, value in one.reading.columns.items():
            found = other.reading.columns[name]
            if name == "comments":
                assert str(found).split() == str(value).split()
                continue
            assert found == pytest.approx(value, abs=1e-9) if isinstance(value, float) else found == value, (one.station, name)


def _as_typed(heading: str, cell: str) -> object:
    """A cell as a spreadsheet would hold it: real dates and times, numbers as numbers, nothing for NA."""
    if cell == "NA":
        return None
    if heading.startswith("Date"):
        return date.fromisoformat(cell)
    if heading.startswith("Time"):
        return datetime.fromisoformat(cell).time()
    try:
        return float(cell)
    except ValueError:
        return cell.replace("\r\r\n", "\n")


@pytest.mark.parametrize(
    "heads", [("Planned latitude", "Planned longitude"), ("Latitude planned", "Longitude planned"), ("Planned Lat", "planned_lon")]
)
def test_a_plan_of_stations_is_a_sheet_too(db: Connection, heads: tuple[str, str]) -> None:
    """Before anybody has been there: no times, no line, only where they are to be made."""
    rows = [("Station", "Ground", *heads), ("201", "Smalls", "51 13.5 N", "6 30 W"), ("202", "Smalls", "51.3", "-6.6")]
    content = "\n".join(";".join(row) for row in rows).encode()
    bring(db, make_plan(read_table(content, "plan.csv"), "plan.csv", survey="CV20017", year=2020))
    found = {one.name: one for one in reads.stations(db, 1)}
    for name, latitude, longitude in (("201", 51.225, -6.5), ("202", 51.3, -6.6)):
        assert found[name].planned_latitude_deg == pytest.approx(latitude)
        assert found[name].planned_longitude_deg == pytest.approx(longitude)
