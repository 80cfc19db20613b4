"""Positions on land: found where they are inland, never for a real station at sea."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edge.survey.sheet.checks import Line, check_lines
from edge.survey.sheet.land import is_land
from tests.helpers.tables import real


def line(place: tuple[float, float] | None, *, tow_id: int = 1) -> Line:
    return Line(tow_id=tow_id, station=str(tow_id), start_utc=None, end_utc=None, place_deg=place)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((53.3, -7.5), True),  # the middle of Ireland
        ((40.0, -4.0), True),
        ((51.2, -6.5), False),  # the Smalls
        ((58.3, -0.2), False),  # Fladen
        ((0.0, -150.0), False),
        ((-90.0, 180.0), True),
        ((90.0, -180.0), False),
    ],
)
def test_land_and_sea(place: tuple[float, float], expected: bool) -> None:
    assert is_land(*place) is expected


def test_a_position_on_land_is_told_with_what_it_does() -> None:
    (fault,) = check_lines([line((53.3, -7.5))])
    assert fault.message.startswith("its position (53.30, -7.50 degrees) is on land")
    assert fault.effect.startswith("The map")


def test_a_sign_that_is_wrong_for_all_stations_is_told_too() -> None:
    """Nothing is far from the others then."""
    faults = check_lines([line((51.2 + place / 100, 6.5), tow_id=place) for place in range(6)])
    assert len(faults) == 6
    assert all(one.message.endswith("is on land; west of Greenwich it would be at sea: was west typed as east?") for one in faults)


def test_a_sound_sign_is_not_blamed() -> None:
    """The place on the other side of Greenwich is land too."""
    (fault,) = check_lines([line((52.0, 0.6))])
    assert fault.message.endswith("is on land: a degree or a sign is wrong")


def test_a_station_at_sea_or_without_a_position_is_no_fault() -> None:
    assert check_lines([line((51.2, -6.5)), line(None, tow_id=2)]) == ()


def test_no_real_station_is_on_land(shared_data: Path) -> None:
    places = [
        (float(row[latitude]), float(row[longitude]))
        for name, latitude, longitude in (
            ("scotland_uwtv_station_density_1994_2024.csv", "lats", "lons"),
            ("fu2021_tv_2013_2018.csv", "MidDegLat", "MidDeglong"),
        )
        for row in csv.DictReader(real(shared_data, "uwtv_station_data", name).read_text(encoding="utf-8").splitlines())
        if row[latitude] not in {"", "NA"}
    ]
    assert len(places) == 6052
    assert [place for place in places if is_land(*place)] == []
