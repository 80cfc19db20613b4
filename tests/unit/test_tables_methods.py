"""One method in a file: own and imported counts, versions of the protocol and rows of others' tables never stand unnamed side by side."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import openpyxl
import pytest

from edge.errors import SettingsError
from edge.store import tracks
from edge.survey.exchange.methods import Choice, SeveralMethodsError, choice_of
from edge.survey.exchange.run import FORMATS, preview
from tests.helpers.tables import FU2021_HEADER, Tables, recounts, table, two_counters

COUNTED = {"ann": [4, 5, 6, 4, 3, 5, 6], "bob": [4, 6, 5, 4, 3, 5, 7]}
OTHERS = "2021,T2026,2026,207,-7.95,50.89,0.11,0.0846153846,200,150,16.5,Labadie,USBL,Celtic Voyager"


def measured(sea: Tables, name: str, protocol_id: int | None = None) -> None:
    tow_id = sea.station(name)
    sea.counts(tow_id, COUNTED, origin="counted", protocol_id=protocol_id)
    sea.call(lambda c: tracks.add_distance(c, tow_id, tracks.NewDistance("odometer", 150.0, covers="counted"), "test"))
    sea.width(tow_id, 0.75)


@pytest.fixture
def sea(tmp_path: Path) -> Tables:
    """Stations own1 and own2, counted here under protocol 1 and 2; station 7 of a Recounts table, 207 of a table of stations."""
    sea = Tables(tmp_path / "home")
    measured(sea, "own1")
    second = sea.protocol(correction_factor=1.2)
    measured(sea, "own2", second)
    sea.take(recounts(tmp_path, *two_counters("7")), "mi-recounts")
    sea.take(table(tmp_path, FU2021_HEADER, OTHERS, name="others.csv"), "mi-fu2021")
    return sea


def stations_in(path: Path) -> set[str]:
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    column = next(name for name in ("Video_Line_Name", "station", "StationNumber", "Station") if name in rows[0])
    return {row[column] for row in rows}


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_file_of_several_methods_is_refused_until_one_is_chosen(sea: Tables, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        SeveralMethodsError, match=r"counted here, protocol 1; counted here, protocol 2; imported counts, protocol 2"
    ) as caught:
        sea.write(tmp_path / "out", name)
    assert "--all-methods" in caught.value.advice()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choice", "slug", "of_counts", "of_stations"),
    [
        (Choice(protocol=1), "own-v1", {"own1"}, {"own1"}),
        (Choice(protocol=2, origin="own"), "own-v2", {"own2"}, {"own2"}),
        (Choice(protocol=2, origin="imported"), "imported-v2", {"7"}, {"7"}),
        (Choice(origin="table"), "table", None, {"207"}),
    ],
)
def test_a_chosen_method_is_alone_in_its_file_and_named(
    sea: Tables, tmp_path: Path, choice: Choice, slug: str, of_counts: set[str] | None, of_stations: set[str]
) -> None:
    for name, wanted in (("mi-recounts", of_counts), ("minutes", of_counts), ("mi-fu2021", of_stations), ("mi-analysis", of_stations)):
        if wanted is None:
            with pytest.raises(SettingsError, match="nothing in T2026 is of the origin table"):
                sea.write(tmp_path / "out", name, choice=choice)
            continue
        report = sea.write(tmp_path / "out", name, choice=choice)
        assert report.file.name == f"T2026.{slug}.{name}.csv"
        assert stations_in(report.file) == wanted
        told = json.loads(report.sidecar.read_text("utf-8"))
        assert [(one["origin"], one["protocol_version"]) for one in told["methods"]] == [tuple(one) for one in report.methods]
        others = {one.station for one in report.left_out if one.reason.startswith("of another method than this file: ")}
        assert others == {"own1", "own2", "7"} - wanted


@pytest.mark.parametrize("name", ["ccc-plot", "minutes-plot"])
def test_a_plot_of_counters_is_of_counts_and_never_of_rows(sea: Tables, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="nothing in T2026 is of the origin table"):
        sea.write(tmp_path / "out", name, choice=Choice(origin="table"))
    assert sea.write(tmp_path / "out", name, choice=Choice(protocol=1)).file.read_text("utf-8").count("own1") >= 1
    assert "own2" not in sea.write(tmp_path / "out", name, choice=Choice(protocol=1)).file.read_text("utf-8")


def test_all_methods_are_asked_for_and_named(sea: Tables, tmp_path: Path) -> None:
    report = sea.write(tmp_path / "out", "mi-fu2021", choice=Choice(every=True))
    assert report.file.name == "T2026.own-v1+own-v2+imported-v2+table.mi-fu2021.csv"
    assert stations_in(report.file) == {"own1", "own2", "7", "207"}
    told = json.loads(report.sidecar.read_text("utf-8"))
    assert "several methods" in told["notes"][0]
    assert {name: one["method"] for name, one in told["sources"].items()} == {
        "own1": "own-v1", "own2": "own-v2", "7": "imported-v2", "207": "table",
    }  # fmt: skip


def test_imported_means_counts_or_rows_whichever_is_there(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    measured(sea, "own1")
    sea.take(table(tmp_path, FU2021_HEADER, OTHERS), "mi-fu2021")
    with pytest.raises(SeveralMethodsError):
        sea.write(tmp_path / "out", "mi-fu2021")
    report = sea.write(tmp_path / "out", "mi-fu2021", choice=Choice(origin="imported"))
    assert (stations_in(report.file), report.file.name) == ({"207"}, "T2026.table.mi-fu2021.csv")


def test_a_row_of_others_behind_a_count_of_our_own_comes_out_when_asked_for(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    measured(sea, "207")
    sea.take(table(tmp_path, FU2021_HEADER, OTHERS), "mi-fu2021")
    own = sea.write(tmp_path / "out", "mi-fu2021")
    assert (own.file.name, [one.origin for one in own.methods]) == ("T2026.mi-fu2021.csv", ["own"])
    others = sea.write(tmp_path / "out", "mi-fu2021", choice=Choice(origin="table"))
    assert others.file.read_bytes().splitlines()[1].decode() == OTHERS
    points = json.loads(sea.write(tmp_path / "out", "geojson").file.read_text("utf-8"))["features"]
    assert [one["properties"]["table"] for one in points if one["properties"]["kind"] == "station"] == [None]


def test_two_methods_never_replace_each_others_files(sea: Tables, tmp_path: Path) -> None:
    names = {sea.write(tmp_path / "out", "geojson", choice=Choice(protocol=1)).file.name}
    names.add(sea.write(tmp_path / "out", "geojson", choice=Choice(protocol=2, origin="own")).file.name)
    assert names == {"T2026.own-v1.geojson", "T2026.own-v2.geojson"}


def test_a_workbook_means_each_method_for_itself(sea: Tables, tmp_path: Path) -> None:
    report = sea.write(tmp_path / "out", "workbook", choice=Choice(every=True))
    header, *rows = openpyxl.load_workbook(report.file)["Summary"].iter_rows(values_only=True)
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert {(one["protocol_version"], one["origin"], one["stations"]) for one in found if one["ground"] == "survey"} == {
        (1, "own", 1),
        (2, "own", 1),
    }
    assert all("Partial sum, not the survey's" in str(one["remark"]) for one in found if one["ground"] == "partial sum")
    alone = sea.write(tmp_path / "out", "workbook", choice=Choice(protocol=1))
    sheets = openpyxl.load_workbook(alone.file)
    assert {row[:2] for row in sheets["Summary"].iter_rows(min_row=2, values_only=True)} == {(1, "own")}
    assert {row[1] for row in sheets["Minutes"].iter_rows(min_row=2, values_only=True)} == {"own1"}


def test_what_cannot_be_chosen_is_refused(sea: Tables, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no version 3 of its protocol"):
        sea.write(tmp_path / "out", "minutes", choice=Choice(protocol=3))
    with pytest.raises(SettingsError, match="nothing in T2026 is of the origin imported and counted under protocol 1"):
        sea.write(tmp_path / "out", "minutes", choice=Choice(protocol=1, origin="imported"))
    with pytest.raises(SettingsError, match="no origin theirs"):
        choice_of(None, "theirs", every=False)
    with pytest.raises(SettingsError, match="all methods and one of them"):
        choice_of(1, None, every=True)


def test_the_look_beforehand_says_that_one_is_to_be_chosen(sea: Tables) -> None:
    with sea.reader() as connection:
        shown = {one.format: one for one in preview(connection, "T2026", None, sees_tables=True)}
        chosen = {one.format: one for one in preview(connection, "T2026", None, Choice(protocol=1), sees_tables=True)}
    assert all(one.rows is None and "several methods" in one.refused for one in shown.values())
    assert [one.slug for one in shown["mi-recounts"].methods] == ["own-v1", "own-v2", "imported-v2"]
    assert (chosen["mi-fu2021"].rows, chosen["mi-recounts"].rows, chosen["mi-fu2021"].refused) == (1, 14, "")


# Blind -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FORMATS))
def test_what_others_found_is_not_for_who_may_still_count_it(tmp_path: Path, name: str) -> None:
    sea = Tables(tmp_path / "home")
    telling = OTHERS.replace("0.11,0.0846153846,200,150,16.5", "5.51333333,4.24102564,200,150,827")
    sea.take(table(tmp_path, FU2021_HEADER, telling), "mi-fu2021")

    def told(*, sees_tables: bool) -> str:
        report = sea.write(tmp_path / f"out{sees_tables}", name, sees_tables=sees_tables)
        if name == "workbook":
            book = openpyxl.load_workbook(report.file)
            return report.sidecar.read_text("utf-8") + repr([row for sheet in book for row in sheet.iter_rows(values_only=True)])
        return report.sidecar.read_text("utf-8") + report.file.read_text("utf-8")

    hidden = told(sees_tables=False)
    for secret in ("827", "5.513", "4.241"):
        assert not re.search(rf"\b{re.escape(secret)}", hidden)
    if name not in {"mi-recounts", "mi-clicks", "minutes", "ccc-plot", "minutes-plot"}:
        assert "for administrators until it is counted here" in hidden
        assert re.search(r"\b827\b", told(sees_tables=True))


def test_after_the_reveal_a_table_beside_it_hides_nothing(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    sea.take(table(tmp_path, FU2021_HEADER, OTHERS), "mi-fu2021")
    ((tow_id,),) = sea.rows("SELECT tow_id FROM table_rows")
    assert sea.write(tmp_path / "out", "mi-fu2021", sees_tables=False).rows == 0
    sea.counts(tow_id, COUNTED, origin="counted")
    assert sea.write(tmp_path / "out", "mi-fu2021", sees_tables=False, choice=Choice(origin="table")).rows == 1


def test_a_workbook_names_a_partial_sum_as_the_page_does(tmp_path: Path) -> None:
    sea = Tables(tmp_path / "home")
    sea.ground("Smalls", 1000.0)
    sea.ground("Labadie", 500.0)
    tow_id = sea.station("own1", ground="Smalls")
    sea.counts(tow_id, COUNTED, origin="counted")
    sea.call(lambda c: tracks.add_distance(c, tow_id, tracks.NewDistance("odometer", 150.0, covers="counted"), "test"))
    sea.width(tow_id, 0.75)
    header, *rows = openpyxl.load_workbook(sea.write(tmp_path / "out", "workbook").file)["Summary"].iter_rows(values_only=True)
    by_ground = {row[2]: dict(zip(header, row, strict=True)) for row in rows}
    assert by_ground["survey"]["abundance_adjusted_millions"] is None
    assert by_ground["survey"]["cv"] is None
    partial = by_ground["partial sum"]
    assert partial["remark"] == "Partial sum, not the survey's: Smalls"
    assert partial["abundance_adjusted_millions"] == pytest.approx(by_ground["Smalls"]["abundance_adjusted_millions"])
    assert (partial["cv"], partial["ci95_millions"]) == (None, None)
