"""Every format out and in again: what a survey holds comes out of each file as it was, whatever its stations and counters are called."""

from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.cells import from_cell
from edge.store import tracks
from edge.store.sqlite import Connection
from edge.survey.exchange.workbook import safe_cell
from edge.survey.mi import reading
from edge.survey.mi.dialects import DIALECTS
from tests.helpers.tables import Tables

names = st.one_of(
    st.sampled_from(["=cmd|'/c calc'!A1", "+1", "-7", "@SUM(1)", "'x", "07", "7", 'a "b", c', "Ø;9", "ünï\u2028code", "2026-07-14", "1/2"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12),
).filter(
    lambda text: text.strip() == text and text.upper() not in reading.NOT_AVAILABLE and not text.endswith(".0") and "\ufeff" not in text
)
halves = st.integers(0, 80).map(lambda value: value / 2)
stations = st.dictionaries(
    names,
    st.tuples(
        st.lists(halves, min_size=7, max_size=7), st.floats(20, 900).map(lambda value: round(value, 3)), st.sampled_from([0.75, 1.01])
    ),
    min_size=1,
    max_size=4,
)
counters = st.lists(names, min_size=2, max_size=2, unique_by=str.casefold)
ROUNDS = settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
Drawn = dict[str, tuple[list[float], float, float]]


def counted(home: Path, drawn: Drawn, people: list[str]) -> Tables:
    """A survey of these stations, counted here by two who agree, with a click for each whole system."""
    sea = Tables(home)
    for name, (systems, distance_m, width_m) in drawn.items():
        tow_id = sea.station(name)
        sea.counts(tow_id, dict.fromkeys(people, systems), origin="counted", lost_s={(people[0], 3): 7.5})
        sea.width(tow_id, width_m)
        sea.call(partial(_measured, tow_id=tow_id, distance_m=distance_m, systems=systems))
    return sea


def _measured(connection: Connection, *, tow_id: int, distance_m: float, systems: list[float]) -> None:
    tracks.add_distance(connection, tow_id, tracks.NewDistance("usbl", distance_m, covers="counted"), "test")
    clicks = [(minute, (minute - 1) * 60 + at) for minute, value in enumerate(systems, start=2) for at in range(int(value))]
    connection.executemany(
        "INSERT INTO count_marks (count_id, at_s, minute, feature, x_fraction, y_fraction, marked_utc) "
        "SELECT id, ?, ?, 'system', 0.25, 0.83, '2026-07-14T12:00:00.000Z' FROM counts WHERE tow_id = ?",
        [(at_s, minute, tow_id) for minute, at_s in clicks],
    )


@pytest.mark.parametrize("table_format", list(DIALECTS))
@ROUNDS
@given(drawn=stations, people=counters)
def test_a_table_goes_out_in_and_out_again_the_same(
    tmp_path_factory: pytest.TempPathFactory, table_format: str, drawn: Drawn, people: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    sea, other = counted(folder / "home", drawn, people), Tables(folder / "other")
    try:
        first = sea.write(folder / "first", table_format)
        assert first.file.read_bytes().split(b"\n")[0].strip().replace(b'"', b"") == ",".join(DIALECTS[table_format].columns).encode()
        if not first.rows:
            assert not any(int(value) for systems, _, _ in drawn.values() for value in systems)
            return
        report = other.take(first.file, table_format)
        assert report.rows == first.rows
        assert other.write(folder / "second", table_format).file.read_bytes() == first.file.read_bytes()
        assert other.take(first.file, table_format).new_stations == ()
    finally:
        sea.close()
        other.close()


@ROUNDS
@given(drawn=stations, people=counters)
def test_what_others_read_holds_what_was_counted(tmp_path_factory: pytest.TempPathFactory, drawn: Drawn, people: list[str]) -> None:
    folder = tmp_path_factory.mktemp("round")
    sea = counted(folder / "home", drawn, people)
    try:
        with sea.write(folder / "out", "minutes").file.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            found.setdefault((from_cell(row["station"]), from_cell(row["counter"])), []).append(float(row["systems"]))
        assert found == {(name, who): systems for name, (systems, _, _) in drawn.items() for who in people}

        features = json.loads(sea.write(folder / "out", "geojson").file.read_text("utf-8"))["features"]
        points = {one["properties"]["station"]: one["properties"] for one in features if one["properties"]["kind"] == "station"}
        assert {name: one["systems"] for name, one in points.items()} == {name: sum(systems) for name, (systems, _, _) in drawn.items()}

        book = openpyxl.load_workbook(sea.write(folder / "out", "workbook").file)
        assert "f" not in {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
        header, *lines = book["Minutes"].iter_rows(values_only=True)
        told = [dict(zip(header, line, strict=True)) for line in lines]
        by_station = {name: [one["systems"] for one in told if str(one["station"]) == safe_cell(name)] for name in drawn}
        assert by_station == {name: systems * 2 for name, (systems, _, _) in drawn.items()}
    finally:
        sea.close()
