"""Taking a table of others: all of it or nothing, the same twice changes nothing, what contradicts the survey is named."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import CountRefusedError, SettingsError
from edge.store import counts, surveys
from edge.store.counts import NewCount
from edge.store.reads import counts as count_reads
from edge.store.reads import surveys as survey_reads
from edge.survey.mi import import_plan
from edge.survey.mi.dialects import VIEW
from edge.survey.mi.reading import TableError
from edge.survey.mi.taking import Plan
from tests.helpers.tables import CLICKS_HEADER, FU2021_HEADER, Tables, real, real_clicks, recounts, table, two_counters

STATION = "2021,T2026,2014,207,-7.95,50.89,0.11,0.0846153846,200,150,16.5,Labadie,USBL,Celtic Voyager"
REF_CLICK = '"T2026","st1","{counter}","00:{second:02d}","{still}","BURROW","595","553.5","29-Jul-2020 17:14:33","1","1"'
TABLES = ("stations", "tows", "counts", "count_minutes", "count_marks", "table_rows", "table_imports", "distances", "widths", "audit")


@pytest.fixture
def sea(tmp_path: Path) -> Tables:
    return Tables(tmp_path / "home")


def sizes(sea: Tables) -> dict[str, int]:
    return {name: sea.rows(f"SELECT count(*) FROM {name}")[0][0] for name in (*TABLES, "reference_minutes", "reference_marks", "grounds")}


def test_recounts_become_signed_revealed_counts_with_their_counters(sea: Tables, tmp_path: Path) -> None:
    report = sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")
    assert (report.rows, report.counts, report.new_stations, report.unchanged, report.notes) == (14, 2, ("7",), 0, ())
    with sea.reader() as connection:
        station = survey_reads.find_station(connection, "7", "T2026")
        assert station is not None
        (tow,) = survey_reads.tows(connection, station.id)
        found = count_reads.revealed_counts(connection, tow.id)
    assert tow.line_name == "7"
    assert [(one.counter, one.ordinal, one.state, one.origin, one.person_id) for one in found] == [
        ("8", 1, "signed", "imported", None),
        ("1", 2, "signed", "imported", None),
    ]
    assert [one.systems for one in found[0].minutes.values()] == [16, 10, 13, 10, 12, 9, 15]
    assert [tuple(row) for row in sea.rows("SELECT file_name, format, imported_by FROM table_imports")] == [
        ("Recounts.csv", "mi-recounts", "test")
    ]
    assert sea.rows("SELECT count(*) FROM protocols WHERE locked_utc IS NOT NULL") == [(1,)]


def test_pauses_and_marks_of_unusable_minutes_are_kept(sea: Tables, tmp_path: Path) -> None:
    rows = two_counters()
    rows[0] = '1,7,"T2026",8,2,16,1,2,1899-12-30 00:01:00,1899-12-30 00:01:22,NA'
    rows[1] = '2,7,"T2026",8,3,10,NA,NA,NA,NA,1'
    sea.take(recounts(tmp_path, *rows), "mi-recounts")
    kept = sea.rows("SELECT lost_s, nephrops_in, nephrops_out, stopped_s, went_on_s, unusable, table_row FROM count_minutes LIMIT 3")
    assert kept == [(22.0, 1, 2, 60.0, 82.0, None, "1"), (60.0, None, None, None, None, 1, "2"), (0.0, 0, 0, None, None, None, "3")]


@pytest.mark.parametrize("table_format", ["mi-recounts", "mi-fu2021", "mi-clicks"])
def test_the_same_table_twice_changes_nothing(sea: Tables, tmp_path: Path, table_format: str) -> None:
    path = {
        "mi-recounts": recounts(tmp_path, *two_counters()),
        "mi-fu2021": table(tmp_path, FU2021_HEADER, STATION.replace(",2014,", ",2026,"), name="s.csv", end="\r\n"),
        "mi-clicks": table(tmp_path, CLICKS_HEADER, REF_CLICK.format(counter="A", second=41, still=525), name="c.csv"),
    }[table_format]
    sea.take(path, table_format)
    before = sizes(sea)
    again = sea.take(path, table_format)
    assert sizes(sea) == before
    assert again.unchanged == (2 if table_format == "mi-recounts" else 1)
    assert (again.counts, again.stations, again.new_stations) == (0, 0, ())


def test_a_dry_run_tells_and_writes_nothing(sea: Tables, tmp_path: Path) -> None:
    path, before = recounts(tmp_path, *two_counters()), sizes(sea)
    dry = sea.take(path, "mi-recounts", is_dry_run=True)
    assert sizes(sea) == before
    assert (dry.is_dry_run, dry.counts, dry.new_stations) == (True, 2, ("7",))
    wet = sea.take(path, "mi-recounts")
    assert (wet.counts, wet.new_stations) == (dry.counts, dry.new_stations)


def test_another_count_of_the_same_counter_is_a_fault_and_nothing_is_taken(sea: Tables, tmp_path: Path) -> None:
    sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")
    before = sizes(sea)
    changed = [*two_counters("8", first=20), *two_counters()[:6], two_counters()[6].replace(",15,", ",14,")]
    with pytest.raises(TableError, match="station 7 has another count of 8 already") as caught:
        sea.take(recounts(tmp_path, *changed, name="second.csv"), "mi-recounts")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(16, "VideoOperatorID")]
    assert sizes(sea) == before


def test_a_fault_in_the_last_row_takes_nothing(sea: Tables, tmp_path: Path) -> None:
    before = sizes(sea)
    with pytest.raises(TableError, match="row 16"):
        sea.take(recounts(tmp_path, *two_counters(), '99,9,"T2026",8,2,many,0,0,NA,NA,NA'), "mi-recounts")
    assert sizes(sea) == before


def test_a_failure_while_writing_takes_nothing(sea: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sizes(sea)

    def fails(*_: Any) -> None:
        raise OSError("disk")

    monkeypatch.setattr(import_plan, "_add_references", fails)
    with pytest.raises(OSError, match="disk"):
        sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")
    assert sizes(sea) == before


def test_a_tow_that_is_counted_blind_takes_no_table(sea: Tables, tmp_path: Path) -> None:
    tow_id = sea.station("7")
    new = NewCount(tow_id=tow_id, protocol_id=sea.protocol_id, person_id=None, counter="ann", content=b"{}")
    sea.call(lambda c: counts.open_count(c, sea.seal, new, actor="test"))
    with pytest.raises(TableError, match="station 7 is being counted blind"):
        sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")


def test_a_count_begun_between_the_look_and_the_writing_is_refused(sea: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tow_id = sea.station("7")
    begun = False

    def begin_first(connection: Any, seal: Any, plan: Plan, actor: str) -> None:
        nonlocal begun
        begun = True
        new = NewCount(tow_id=tow_id, protocol_id=sea.protocol_id, person_id=None, counter="ann", content=b"{}")
        counts.open_count(connection, seal, new, actor="test")
        import_plan.apply_plan(connection, seal, plan, actor)

    monkeypatch.setattr("edge.survey.tables_desk.apply_plan", begin_first)
    with pytest.raises(CountRefusedError):
        sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")
    assert begun
    assert sea.rows("SELECT count(*) FROM counts") == [(0,)]


def test_a_table_goes_to_the_tow_that_took_the_place_of_the_failed_one(sea: Tables, tmp_path: Path) -> None:
    failed = sea.station("STN_12")
    ((station_id,),) = sea.rows("SELECT station_id FROM tows")
    repeated = sea.call(lambda c: surveys.add_tow(c, station_id, actor="test"))
    sea.call(lambda c: surveys.set_tow_fields(c, failed, {"is_valid": 0}, actor="test"))
    sea.take(recounts(tmp_path, *two_counters("STN_12")), "mi-recounts")
    assert sea.rows("SELECT DISTINCT tow_id FROM counts") == [(repeated,)]


def test_a_line_of_the_sheet_is_the_tow_that_is_counted(sea: Tables, tmp_path: Path) -> None:
    tow_id = sea.station("STN_12")
    sea.call(lambda c: surveys.set_tow_fields(c, tow_id, {"line_name": "7"}, actor="test"))
    report = sea.take(recounts(tmp_path, *two_counters()), "mi-recounts")
    assert report.new_stations == ()
    assert sea.rows("SELECT DISTINCT tow_id FROM counts") == [(tow_id,)]


def test_only_the_rows_of_the_survey_are_taken(sea: Tables, tmp_path: Path) -> None:
    path = recounts(tmp_path, *two_counters(), *two_counters("8", survey="OTHER", first=20))
    report = sea.take(path, "mi-recounts")
    assert (report.rows, report.rows_of_others, report.new_stations) == (14, {"OTHER": 14}, ("7",))
    assert sea.take(path, "mi-recounts", of="OTHER").new_stations == ("8",)
    with pytest.raises(TableError, match="no rows of the survey CV1; it has those of OTHER, T2026"):
        sea.take(path, "mi-recounts", of="CV1")


def test_the_only_survey_of_a_table_is_meant_and_told(sea: Tables, tmp_path: Path) -> None:
    report = sea.take(recounts(tmp_path, *two_counters(survey="CV1")), "mi-recounts")
    assert report.notes == ("the table calls this survey CV1",)


def test_other_minutes_than_the_protocols_are_told(sea: Tables, tmp_path: Path) -> None:
    rows = [f'{minute},9,"T2026",8,{minute},5,0,0,NA,NA,NA' for minute in range(4, 11)]
    report = sea.take(recounts(tmp_path, *rows), "mi-recounts")
    assert report.notes == ("counted in other minutes than the protocol's 2 to 8, which alone enter count and CCC: stations 9",)


def test_minute_zero_is_a_fault(sea: Tables, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="Minute is 0; the first is 1"):
        sea.take(recounts(tmp_path, '1,7,"T2026",8,0,5,0,0,NA,NA,NA'), "mi-recounts")


def test_a_survey_that_is_not_there_or_has_no_rules_is_refused(sea: Tables, tmp_path: Path) -> None:
    path = recounts(tmp_path, *two_counters())
    with pytest.raises(SettingsError, match="no survey NONE"):
        sea.take(path, "mi-recounts", "NONE")
    sea.call(lambda c: surveys.add_survey(c, "BARE", actor="test"))
    with pytest.raises(SettingsError, match="BARE has no protocol"):
        sea.take(path, "mi-recounts", "BARE")
    with pytest.raises(SettingsError, match="no table format xls"):
        sea.take(path, "xls")


# Clicks ----------------------------------------------------------------------------------------------------------


def test_a_reference_needs_reference_footage(sea: Tables, tmp_path: Path) -> None:
    path = table(tmp_path, CLICKS_HEADER, REF_CLICK.format(counter="REF", second=41, still=525))
    with pytest.raises(TableError, match="T2026 is a survey"):
        sea.take(path, "mi-clicks")
    sea.survey("R", kind="reference", first_minute=1)
    report = sea.take(path, "mi-clicks", "R")
    assert (report.references, report.counts) == (1, 0)
    assert report.notes == (
        "the table calls this survey T2026",
        "7 of the protocol's minutes 1 to 8 have no click: counted, with zero systems",
    )
    assert sea.rows("SELECT minute, systems FROM reference_minutes") == [(minute, float(minute == 1)) for minute in range(1, 9)]
    assert sea.rows("SELECT count(*) FROM counts") == [(0,)]
    other = table(tmp_path, CLICKS_HEADER, REF_CLICK.format(counter="REF", second=42, still=530), name="other.csv")
    with pytest.raises(TableError, match="another reference already"):
        sea.take(other, "mi-clicks", "R")


def test_clicks_keep_place_still_and_clock(sea: Tables, tmp_path: Path) -> None:
    sea.take(table(tmp_path, CLICKS_HEADER, REF_CLICK.format(counter="A", second=41, still=525)), "mi-clicks")
    kept = sea.rows(
        "SELECT at_s, minute, feature, x_fraction * 1229, y_fraction * 691, marked_utc, marked_local, still_number FROM count_marks"
    )
    assert kept == [(41.0, 1, "system", pytest.approx(595), pytest.approx(553.5), None, "29-Jul-2020 17:14:33", 525)]
    assert sea.rows("SELECT operator FROM counts") == [("1",)]


# Stations --------------------------------------------------------------------------------------------------------


def test_a_station_has_its_distance_width_ground_and_row(sea: Tables, tmp_path: Path) -> None:
    sea.call(lambda c: c.execute("UPDATE surveys SET year = NULL, functional_unit = ''"))
    report = sea.take(table(tmp_path, FU2021_HEADER, STATION, end="\r\n"), "mi-fu2021")
    assert (report.stations, report.new_stations) == (1, ("207",))
    assert sea.rows("SELECT source, distance_m, covers, note FROM distances") == [("usbl", 200.0, "counted", "table.csv, row 2")]
    assert sea.rows("SELECT method, width_m, row_height, source FROM widths") == [
        ("table", 0.75, 0.83, "table.csv, row 2: area divided by distance")
    ]
    assert sea.rows("SELECT g.name FROM stations AS s JOIN grounds AS g ON g.id = s.ground_id") == [("Labadie",)]
    assert sea.rows("SELECT functional_unit, vessel, year FROM surveys") == [("2021", "Celtic Voyager", 2014)]
    assert sea.rows("SELECT systems, latitude_deg, longitude_deg, raw_per_m2 FROM table_rows") == [(16.5, 50.89, -7.95, 0.11)]


def test_a_measure_of_ones_own_is_not_replaced(sea: Tables, tmp_path: Path) -> None:
    sea.call(lambda c: c.execute("UPDATE surveys SET year = 2014"))
    tow_id = sea.station("207")
    sea.width(tow_id, 1.01)
    sea.take(table(tmp_path, FU2021_HEADER, STATION), "mi-fu2021")
    assert sea.rows("SELECT method, width_m FROM widths") == [("fixed", 1.01)]


def test_another_row_of_the_same_station_is_a_fault(sea: Tables, tmp_path: Path) -> None:
    sea.call(lambda c: c.execute("UPDATE surveys SET year = 2014"))
    sea.take(table(tmp_path, FU2021_HEADER, STATION), "mi-fu2021")
    other = STATION.replace("0.11,0.0846153846,200,150,16.5", "0.12,0.0923076923,200,150,18")
    with pytest.raises(TableError, match=r"station 207 has another row of mi-fu2021 already, from table\.csv"):
        sea.take(table(tmp_path, FU2021_HEADER, other, name="b.csv"), "mi-fu2021")


def test_a_table_of_another_year_is_refused(sea: Tables, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="the survey is of 2026, the table of 2014"):
        sea.take(table(tmp_path, FU2021_HEADER, STATION), "mi-fu2021")


def test_the_year_of_the_survey_chooses_among_years(sea: Tables, tmp_path: Path) -> None:
    later = STATION.replace(",2014,", ",2026,")
    report = sea.take(table(tmp_path, FU2021_HEADER, STATION, later), "mi-fu2021")
    assert (report.rows, report.rows_of_others) == (1, {"2014": 1})


VIEW_HEADER = ",".join(VIEW.columns)


def test_a_view_of_every_ground_and_year_gives_one_survey(sea: Tables, tmp_path: Path) -> None:
    rows = [
        f"{year},{ground},{station},-9.5,53.1,{count},200,USBL,0.75,{count / 150 / 1.3:.9f}"
        for year in (2025, 2026)
        for ground in ("Aran", "Smalls")
        for station, count in ((1, 30), (2, 0))
    ]
    path = table(tmp_path, VIEW_HEADER, *rows, name="view.csv")
    with pytest.raises(TableError, match="station 1 is there twice: in row 6 too; --of chooses a ground"):
        sea.take(path, "mi-view")
    report = sea.take(path, "mi-view", of="Aran")
    assert (report.rows, report.stations, report.rows_of_others) == (2, 2, {"Smalls": 4, "2025": 2})
    assert sea.rows("SELECT width_m, source FROM widths LIMIT 1") == [
        (0.75, "view.csv, row 6: FOVMultiplier, taken for the width in metres")
    ]


def test_a_row_of_a_view_becomes_one_of_another_table(sea: Tables, tmp_path: Path) -> None:
    path = table(tmp_path, VIEW_HEADER, "2026,Aran,1,-9.5,53.1,30,200,USBL,0.75,0.153846154", name="view.csv")
    sea.take(path, "mi-view")
    (row,) = csv.DictReader(sea.write(tmp_path / "out", "mi-fu2021").file.read_text("utf-8").splitlines())
    assert (row["Survey"], row["FU"], row["Station"], row["m2"], row["Density"], row["Density_Adjusted"]) == (
        "T2026",
        "22",
        "1",
        "150",
        "0.2",
        "0.153846154",
    )


# Round trips -----------------------------------------------------------------------------------------------------


def test_real_recounts_come_back_byte_for_byte(sea: Tables, tmp_path: Path, shared_data: Path) -> None:
    path = real(shared_data, "uwtv_mi_2020", "Recounts.csv")
    sea.survey("CV20017")
    sea.take(path, "mi-recounts", "CV20017")
    report = sea.write(tmp_path / "out", "mi-recounts", "CV20017")
    assert report.file.read_bytes() == path.read_bytes()
    assert (report.rows, report.left_out) == (604, ())


def test_real_clicks_come_back_row_for_row(sea: Tables, tmp_path: Path, shared_data: Path) -> None:
    sea.survey("REF_FOOTAGE", kind="reference", first_minute=1)
    originals: dict[tuple[str, str], list[list[str]]] = {}
    for path in real_clicks(shared_data):
        sea.take(path, "mi-clicks", "REF_FOOTAGE")
        header, *rows = csv.reader(path.read_text("utf-8").splitlines())
        originals[rows[0][1], rows[0][2]] = rows
    written, *found = csv.reader(sea.write(tmp_path / "out", "mi-clicks", "REF_FOOTAGE").file.read_text("utf-8").splitlines())
    assert written == header
    by_count: dict[tuple[str, str], list[list[str]]] = {}
    for row in found:
        by_count.setdefault((row[1], row[2]), []).append(row)
    assert by_count == originals


def test_real_stations_come_back_byte_for_byte(sea: Tables, tmp_path: Path, shared_data: Path) -> None:
    path = real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv")
    header, *rows = path.read_bytes().split(b"\r\n")[:-1]
    for name in sorted({row.split(b",")[1].decode() for row in rows}):
        sea.survey(name)
        sea.take(path, "mi-fu2021", name)
        own = [row for row in rows if row.split(b",")[1].decode() == name]
        assert sea.write(tmp_path / "out", "mi-fu2021", name).file.read_bytes() == b"\r\n".join([header, *own, b""])


@pytest.mark.parametrize("table_format", ["mi-view", "mi-analysis"])
def test_the_other_tables_of_stations_come_back_byte_for_byte(sea: Tables, tmp_path: Path, shared_data: Path, table_format: str) -> None:
    path = real(shared_data, "uwtv_station_data", "fu2021_tv_2013_2018.csv")
    sea.survey("CV140011")
    sea.take(path, "mi-fu2021", "CV140011")
    first = sea.write(tmp_path / "first", table_format, "CV140011")
    other = Tables(tmp_path / "other")
    other.survey("CV140011")
    assert other.take(first.file, table_format, "CV140011").stations == first.rows == 98
    assert other.write(tmp_path / "second", table_format, "CV140011").file.read_bytes() == first.file.read_bytes()


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["7", "08", "STN 9"]), st.sampled_from(["1", "8", "ann"])),
        st.dictionaries(
            st.integers(1, 12),
            st.tuples(st.integers(0, 80).map(lambda value: value / 2), st.none() | st.integers(1, 59), st.sampled_from(["NA", "0", "1"])),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_recounts_go_in_and_come_out_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: dict[tuple[str, str], dict[int, tuple[float, int | None, str]]],
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    rows: list[str] = []
    for (station, counter), minutes in drawn.items():
        for minute, (systems, pause_s, unusable) in sorted(minutes.items()):
            begin = f"1899-12-30 00:{minute - 1:02d}:00" if pause_s else "NA"
            end = f"1899-12-30 00:{minute - 1:02d}:{pause_s:02d}" if pause_s else "NA"
            name, who = (text if text.isdecimal() and text[0] != "0" else f'"{text}"' for text in (station, counter))
            rows.append(f'{len(rows) + 1},{name},"T2026",{who},{minute},{systems:g},0,NA,{begin},{end},{unusable}')
    path = recounts(folder, *rows)
    sea = Tables(folder / "home")
    sea.take(path, "mi-recounts")
    assert sea.write(folder / "out", "mi-recounts").file.read_bytes() == path.read_bytes()
    assert sea.take(path, "mi-recounts").counts == 0
    sea.close()
