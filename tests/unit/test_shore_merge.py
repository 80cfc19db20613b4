"""Bundles of several ships, in any order and as often as they come, make one database that is equal to what the ships hold."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SettingsError
from sync.bundle.read import ReadBundle, read_bundle
from sync.bundle.write import Sender, make_bundle
from sync.shore.merge import merge, shore_database

MADE = "2026-11-22T07:00:00.000Z"
SHIPS = [Sender(vessel_uuid=f"01980000-0000-7000-8000-00000000000{n}", vessel="Celtic Explorer", software_version="0.1.0") for n in (1, 2)]


def bundle_of(ship: int, sequence: int, counts: dict[int, int | None]) -> ReadBundle:
    """A bundle with the model's title standing for the state of a row: row number -> state."""
    rows: list[tuple[Any, ...]] = [
        (f"model {number}", "1.0.0", f"state {state}", "detect", "a" * 64, "[]", MADE, None) for number, state in counts.items()
    ]
    made = make_bundle({"models": rows}, sender=SHIPS[ship], sequence=sequence, made_utc=MADE)
    return read_bundle(made.content, expected_sha256=made.sha256)


def held(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): row[2] for row in connection.execute("SELECT vessel_uuid, model, title FROM models")}


# Each ship sends states of a few rows; row 3 of bundle 5 has the state 5.
voyages = st.lists(st.tuples(st.integers(0, 1), st.sets(st.integers(0, 4), min_size=1)), max_size=8)


@settings(max_examples=40, deadline=None)
@given(voyages, st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_give_the_newest_state_of_every_row(voyage: list[tuple[int, set[int]]], chance: random.Random) -> None:
    bundles, expected = [], {}
    for sequence, (ship, rows) in enumerate(voyage):
        bundles.append(bundle_of(ship, sequence, dict.fromkeys(rows, sequence)))
        expected.update({(SHIPS[ship].vessel_uuid, f"model {row}"): f"state {sequence}" for row in rows})
    arriving = bundles + chance.choices(bundles, k=len(bundles)) if bundles else []
    chance.shuffle(arriving)
    with shore_database(Path(":memory:")) as connection:
        repeats = sum(merge(connection, one).is_repeat for one in arriving)
        assert held(connection) == expected
        assert repeats == len(arriving) - len({one.sha256 for one in arriving})


def test_two_ships_of_one_name_stay_two(tmp_path: Path) -> None:
    with shore_database(tmp_path / "shore.db") as connection:
        assert merge(connection, bundle_of(0, 1, {1: 1})).rows == 1
        assert merge(connection, bundle_of(1, 1, {1: 9})).rows == 1
        assert sorted(held(connection).values()) == ["state 1", "state 9"]
    with shore_database(tmp_path / "shore.db") as connection:
        assert merge(connection, bundle_of(0, 1, {1: 1})).is_repeat
        assert merge(connection, bundle_of(0, 2, {1: 2, 2: 2})).rows == 2
        assert len(held(connection)) == 3


def test_a_bundle_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    good = bundle_of(0, 1, {1: 1, 2: 1})
    wrong = ReadBundle(**{name: getattr(good, name) for name in good.__slots__} | {"tables": {"models": [(["a list"],) * 8]}})
    with shore_database(tmp_path / "shore.db") as connection:
        with pytest.raises(sqlite3.Error):
            merge(connection, wrong)
        assert held(connection) == {}
        assert not merge(connection, good).is_repeat
        assert len(held(connection)) == 2


def test_another_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all" * 100)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="no database of shore"), shore_database(path):
        pass
    assert path.read_bytes() == before


def test_a_database_of_an_older_program_gains_the_columns_that_came_since(tmp_path: Path) -> None:
    path = tmp_path / "shore.db"
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE models (vessel_uuid TEXT NOT NULL, bundle_sequence INTEGER NOT NULL, model TEXT, model_version TEXT, "
            "PRIMARY KEY (vessel_uuid, model, model_version)) STRICT"
        )
        old.execute("INSERT INTO models VALUES (?, 1, 'model 1', '1.0.0')", (SHIPS[0].vessel_uuid,))
    old.close()
    with shore_database(path) as connection:
        assert merge(connection, bundle_of(0, 2, {1: 2})).rows == 1
        assert list(held(connection).values()) == ["state 2"]
