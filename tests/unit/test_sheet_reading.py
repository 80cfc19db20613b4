"""A whole sheet: what it is read into, and the reason and effect of everything that cannot be read or hardly can be."""

from __future__ import annotations

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from edge.store.surveys import TOW_FIELDS
from edge.survey.sheet.fields import BY_HEADING, BY_KEY, FIELDS, folded
from edge.survey.sheet.reading import distance_m, read_sheet

SHEET = {
    "ground": "Smalls",
    "line_name": "125",
    "start_date": "2020-07-15",
    "start_time": "1899-12-30 23:55:01",
    "end_date": "2020-07-16",
    "end_time": "1899-12-30 00:05:00",
    "start_latitude_degrees": "51",
    "start_latitude_minutes": "9.80574989318848",
    "start_latitude_letter": "N",
    "start_longitude_degrees": "-6",
    "start_longitude_minutes": "37.0054092407227",
    "start_longitude_letter": "W",
    "end_latitude_degrees": "51",
    "end_latitude_minutes": "9.93013000488281",
    "end_latitude_letter": "N",
    "end_longitude_degrees": "-6",
    "end_longitude_minutes": "37.2047309875488",
    "end_longitude_letter": "W",
    "start_depth": "104",
    "start_cable_out": "221",
    "visibility": "good",
    "is_valid": "1",
    "in_analysis": "0",
    "backup": "NA",
}


def test_a_sheet_of_the_marine_institute_is_read() -> None:
    reading = read_sheet(SHEET)
    assert reading.faults == {}
    assert reading.ground == "Smalls"
    columns = reading.columns
    assert set(columns) == TOW_FIELDS
    assert (columns["start_utc"], columns["end_utc"]) == ("2020-07-15T23:55:01.000Z", "2020-07-16T00:05:00.000Z")
    assert columns["start_longitude_deg"] == pytest.approx(-(6 + 37.0054092407227 / 60), abs=1e-12)
    assert (columns["visibility"], columns["is_valid"], columns["in_analysis"], columns["cable_out_m"]) == ("Good", True, False, 221.0)


def test_an_empty_sheet_is_no_fault_and_no_value() -> None:
    reading = read_sheet({})
    assert reading.faults == {}
    assert {name for name, value in reading.columns.items() if value not in {None, ""}} == {"in_analysis"}


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"start_date": "07/08/2020"}, "start_date", "unreadable"),
        ({"start_time": "noon"}, "start_time", "unreadable"),
        ({"start_time": ""}, "start_time", "unreadable"),
        ({"start_date": ""}, "start_date", "unreadable"),
        ({"end_date": "2020-07-15"}, "end_time", "unreadable"),
        ({"end_date": "2020-07-17"}, "end_time", "implausible"),
        ({"end_longitude_degrees": "6", "end_longitude_letter": "E"}, "end_latitude_degrees", "implausible"),
        ({"end_longitude_letter": "E"}, "end_longitude_degrees", "unreadable"),
        ({"utc_offset": "BST"}, "utc_offset", "unreadable"),
        ({"date_order": "day first"}, "date_order", "unreadable"),
        ({"visibility": "murky"}, "visibility", "unreadable"),
        ({"in_analysis": "maybe"}, "in_analysis", "unreadable"),
        ({"start_depth": "deep"}, "start_depth", "unreadable"),
    ],
)
def test_one_wrong_field_is_one_fault_with_its_effect(change: dict[str, str], field: str, kind: str) -> None:
    reading = read_sheet({**SHEET, **change})
    assert [(fault.field, fault.kind) for fault in reading.faults.values()] == [(field, kind)]
    assert reading.faults[field].message
    assert reading.faults[field].effect


def test_a_line_that_ends_before_it_begins_has_no_end() -> None:
    reading = read_sheet({**SHEET, "end_date": "2020-07-15"})
    assert "next day" in reading.faults["end_time"].message
    assert (reading.columns["start_utc"], reading.columns["end_utc"]) == ("2020-07-15T23:55:01.000Z", None)


def test_order_and_clock_of_the_sheet_hold_for_its_dates() -> None:
    reading = read_sheet({**SHEET, "start_date": "15/07/2020", "end_date": "07/16/2020", "date_order": "dmy"})
    assert list(reading.faults) == ["end_date"]
    assert reading.columns["end_utc"] is None
    later = read_sheet({**SHEET, "utc_offset": "+01:00"})
    assert later.columns["start_utc"] == "2020-07-15T22:55:01.000Z"


def test_every_heading_means_one_field() -> None:
    names = [folded(name) for field in FIELDS for name in {field.table_name, field.key, *field.also} if name]
    assert [name for name in names if BY_HEADING[name].key not in BY_KEY] == []
    for field in FIELDS:
        if field.table_name:
            assert BY_HEADING[folded(field.table_name)] is field
    assert all(field.effect for field in FIELDS)


@given(
    st.tuples(st.floats(-80, 80), st.floats(-179, 179)),
    st.tuples(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05)),
)
def test_distances_are_those_of_the_ellipsoid_within_a_percent(a: tuple[float, float], step: tuple[float, float]) -> None:
    b = a[0] + step[0], a[1] + step[1]
    expected = Geodesic.WGS84.Inverse(*a, *b)["s12"]
    assert distance_m(a, b) == pytest.approx(expected, rel=0.01, abs=0.01)
