"""What single cells of a station sheet say, by property and by the odd cells of real sheets."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.survey.sheet.moments import DateOrder, agreed_order, possible_orders, read_date, read_moment, read_time, read_zone
from edge.survey.sheet.positions import Axis, in_words, read_position
from edge.survey.sheet.words import RATINGS, Unreadable, read_code, read_flag, read_number, read_text

DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2099, 12, 31))


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "N/A", "#N/A", "NULL", "-", "nan", "None"])
def test_nothing_is_nothing_in_every_kind(cell: str) -> None:
    assert read_number(cell, low=0, high=10) is None
    assert read_flag(cell) is None
    assert read_code(cell, RATINGS) == ""
    assert read_text(cell) == ""
    assert read_date(cell) is None
    assert read_time(cell) is None
    assert read_zone(cell) is None
    assert read_position(cell, cell, cell, "latitude") is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("104", 104.0),
        ("104,5", 104.5),
        ("104.5 m", 104.5),
        ("104,5m", 104.5),
        ("1,2345", 1.2345),
        (" 7 ", 7.0),
        ("-9", None),
        ("9999", None),
    ],
)
def test_numbers_of_sheets(cell: str, value: float | None) -> None:
    assert read_number(cell, low=0, high=6000, unit="m") == value


@pytest.mark.parametrize("cell", ["about 100", "1.234,5", "12 13", "-5", "7000", "1e999", "104 fm"])
def test_what_is_no_number_in_range_is_not_read(cell: str) -> None:
    with pytest.raises(Unreadable):
        read_number(cell, low=0, high=6000, unit="m")


def test_a_sentinel_that_can_be_a_value_is_one() -> None:
    assert read_number("-9", low=-90, high=90) == -9.0
    assert read_number("-99", low=-90, high=90) is None


def test_a_comma_that_can_be_two_things_is_not_read() -> None:
    with pytest.raises(Unreadable, match=r"1\.234 or 1234"):
        read_number("1,234", low=0, high=6000)
    assert read_number("37,005", low=0, high=59.9999) == 37.005


@given(st.floats(min_value=0, max_value=5999, allow_nan=False).map(lambda value: round(value, 4)))
def test_a_number_is_read_as_written(value: float) -> None:
    assert read_number(f"{value:.4f}", low=0, high=6000) == value
    assert read_number(f"{value:.4f}".replace(".", ","), low=0, high=6000) == value


@pytest.mark.parametrize(("cell", "value"), [("1", True), ("-1", True), ("TRUE", True), ("1.0", True), ("0", False), ("No", False)])
def test_yes_and_no(cell: str, value: bool) -> None:
    assert read_flag(cell) is value
    with pytest.raises(Unreadable):
        read_flag(cell + "?")


def test_a_rating_is_one_of_the_list() -> None:
    assert [read_code(cell, RATINGS) for cell in ("very  POOR", "ok", "Excellent")] == ["Very Poor", "OK", "Excellent"]
    with pytest.raises(Unreadable, match="Goodish"):
        read_code("Goodish", RATINGS)


FORMS = {
    "%Y-%m-%d": None,
    "%Y/%m/%d": None,
    "%Y%m%d": None,
    "%d-%b-%Y": None,
    "%d %B %Y": None,
    "%b %d, %Y": None,
    "%d/%m/%Y": DateOrder.DMY,
    "%d.%m.%Y": DateOrder.DMY,
    "%d/%m/%y": DateOrder.DMY,
    "%m/%d/%Y": DateOrder.MDY,
    "%m-%d-%Y": DateOrder.MDY,
}


@given(DATES, st.sampled_from(sorted(FORMS)), st.sampled_from(["", " 00:00:00", " 09:30"]))
def test_every_date_is_read_in_every_form_once_its_order_is_said(day: date, form: str, behind: str) -> None:
    if form.endswith("%y"):
        day = day.replace(year=2000 + day.year % 100, day=min(day.day, 28))
    assert read_date(day.strftime(form) + behind, FORMS[form]) == day


@given(DATES)
def test_day_and_month_are_never_guessed(day: date) -> None:
    cell = day.strftime("%d/%m/%Y")
    if day.day > 12 or day.day == day.month:
        assert read_date(cell) == day
    else:
        with pytest.raises(Unreadable, match="which number is the day"):
            read_date(cell)
        assert read_date(cell, DateOrder.MDY) == day.replace(month=day.day, day=day.month)


@given(st.lists(DATES, min_size=1), st.sampled_from([DateOrder.DMY, DateOrder.MDY]))
def test_the_order_of_a_sheet_is_settled_only_by_proof(days: list[date], order: DateOrder) -> None:
    form = "%d/%m/%Y" if order is DateOrder.DMY else "%m/%d/%Y"
    found, settled = agreed_order(day.strftime(form) for day in days)
    open_ones = [day for day in days if day.day != day.month]
    if not open_ones:
        assert (found, settled) == (None, True)
    elif any(day.day > 12 for day in open_ones):
        assert (found, settled) == (order, True)
    else:
        assert (found, settled) == (None, False)


def test_mixed_orders_settle_nothing() -> None:
    assert agreed_order(["15/07/2020", "07/16/2020"]) == (None, False)
    assert agreed_order(["2020-07-15", "16-Jul-2020", "NA"]) == (None, True)
    assert possible_orders("15/07/2020") == {DateOrder.DMY}


@pytest.mark.parametrize("cell", ["31/02/2020", "2020-13-01", "yesterday", "15/07/1820", "32-Jul-2020", "12-Foo-2020", "7"])
def test_what_is_no_day_is_not_read(cell: str) -> None:
    with pytest.raises(Unreadable):
        read_date(cell, DateOrder.DMY)


def test_serial_numbers_of_spreadsheets_are_days() -> None:
    assert read_date("44027") == date(2020, 7, 15)
    assert read_moment("44027.5", "", order=None, zone_min=0) == datetime(2020, 7, 15, 12, tzinfo=UTC)
    assert read_moment("44027", "0.25", order=None, zone_min=0) == datetime(2020, 7, 15, 6, tzinfo=UTC)


@given(st.integers(min_value=0, max_value=86_399))
def test_a_time_of_day_is_read_in_every_form(second: int) -> None:
    clock = (datetime(2020, 1, 1) + timedelta(seconds=second)).time()
    forms = (
        f"{clock:%H:%M:%S}",
        f"1899-12-30 {clock:%H:%M:%S}",
        f"{clock:%I:%M:%S %p}",
        f"{clock:%H:%M:%S}.000 UTC",
        f"{second / 86_400:.9f}",
    )
    for form in forms:
        found = read_time(form)
        assert found is not None
        assert found.second_of_day == pytest.approx(second, abs=0.001)


@pytest.mark.parametrize("cell", ["25:00", "12:60", "13:00 pm", "noon", "12:00 BST", "12:00 +15:00", "23.55", "2020-07-15"])
def test_what_is_no_time_is_not_read(cell: str) -> None:
    with pytest.raises(Unreadable):
        read_time(cell)


@pytest.mark.parametrize(("zone", "minutes"), [("Z", 0), ("utc", 0), ("+01:00", 60), ("-0330", -210), ("UTC+2", 120), ("GMT +1", 60)])
def test_zones_are_distances(zone: str, minutes: int) -> None:
    assert read_zone(zone) == minutes


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)), st.integers(min_value=-720, max_value=840))
def test_a_moment_is_in_utc_whatever_the_clock(local: datetime, offset_min: int) -> None:
    local = local.replace(microsecond=0)
    utc = local.replace(tzinfo=UTC) - timedelta(minutes=offset_min)
    stated = f"{'+' if offset_min >= 0 else '-'}{abs(offset_min) // 60:02d}:{abs(offset_min) % 60:02d}"
    assert read_moment(f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}", order=None, zone_min=offset_min) == utc
    assert read_moment(f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}{stated}", order=None, zone_min=17) == utc
    assert read_moment(f"{local:%Y-%m-%dT%H:%M:%S}", "", order=None, zone_min=offset_min) == utc


def test_date_and_time_must_not_contradict_each_other() -> None:
    with pytest.raises(Unreadable, match="the date says 2020-07-15 and the time 2020-07-16"):
        read_moment("2020-07-15", "2020-07-16 10:00:00", order=None, zone_min=0)
    with pytest.raises(Unreadable, match="the date says 09:00:00 and the time 10:00:00"):
        read_moment("2020-07-15 09:00", "10:00", order=None, zone_min=0)
    assert read_moment("2020-07-15", "", order=None, zone_min=0) is None


AXES: list[Axis] = ["latitude", "longitude"]


@given(
    st.sampled_from(AXES), st.floats(min_value=-1, max_value=1), st.sampled_from(["cells", "signed cells", "one cell", "decimal", "comma"])
)
def test_a_position_is_read_in_every_form(axis: Axis, part: float, form: str) -> None:
    value = part * (89.9 if axis == "latitude" else 179.9)
    degrees, minutes = divmod(round(abs(value) * 60, 6), 60)
    letter = ("N" if value >= 0 else "S") if axis == "latitude" else ("E" if value >= 0 else "W")
    sign = "-" if value < 0 else ""
    read = {
        "cells": lambda: read_position(f"{degrees:.0f}", f"{minutes:.6f}", letter, axis),
        "signed cells": lambda: read_position(f"{sign or '+'}{degrees:.0f}", f"{minutes:.6f}", letter, axis),
        "one cell": lambda: read_position(f"{degrees:.0f}\N{DEGREE SIGN}{minutes:.6f}' {letter.lower()}", "", "", axis),
        "decimal": lambda: read_position(f"{value:.8f}", "NA", "", axis),
        "comma": lambda: read_position(f"{degrees:.0f}", f"{minutes:.6f}".replace(".", ","), letter, axis),
    }[form]()
    assert read is not None
    assert math.isclose(read, value, abs_tol=1e-7)


@given(st.sampled_from(AXES), st.floats(min_value=-89.9, max_value=89.9))
def test_a_position_in_words_is_read_back(axis: Axis, value: float) -> None:
    read = read_position(in_words(value, axis), "", "", axis)
    assert read is not None
    assert math.isclose(read, value, abs_tol=0.00005 / 60 * 1.01)


@pytest.mark.parametrize(
    ("degrees", "minutes", "letter", "why"),
    [
        ("-6", "37.0", "E", "the other"),
        ("6", "37.0", "", "neither a sign"),
        ("6", "61", "W", "below 60"),
        ("6", "-37.0", "W", "before the degrees"),
        ("6.5", "37.0", "W", "fraction"),
        ("6", "", "W", "minutes are missing"),
        ("", "37.0", "W", "degrees are missing"),
        ("181", "0.0", "E", "at most 180"),
        ("6", "37.0", "N", "no side of a longitude"),
        ("six", "37.0", "W", "is no longitude"),
    ],
)
def test_a_position_that_can_mean_two_things_or_none_is_not_read(degrees: str, minutes: str, letter: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_position(degrees, minutes, letter, "longitude")


def test_minus_nine_degrees_is_a_place_and_minus_nine_twice_is_none() -> None:
    assert read_position("-9", "30.0", "W", "longitude") == -9.5
    assert read_position("-9.25", "", "", "longitude") == -9.25
    assert read_position("-9", "-9", "W", "longitude") is None
    assert read_position("-0", "30.0", "", "longitude") == -0.5
    assert read_position("999", "", "", "longitude") is None


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=3))
def test_whatever_is_typed_is_read_or_refused(a: str, b: str, c: str) -> None:
    for read in (
        lambda: read_position(a, b, c, "latitude"),
        lambda: read_moment(a, b, order=DateOrder.DMY, zone_min=0),
        lambda: read_number(a, low=0, high=100),
        lambda: read_zone(c),
    ):
        with suppress(Unreadable):
            read()
