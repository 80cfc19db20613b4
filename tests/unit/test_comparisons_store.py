"""Comparisons in the database: how they begin, end, are interrupted and forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store import comparisons
from edge.store.comparisons import KEPT_COMPARISONS, ComparedSide, FileOutcome, NewComparison
from edge.store.reads.comparisons import compared_files, get_comparison, list_comparisons, newest_files, random_files
from edge.store.sqlite import Connection
from tests.helpers.seed import add_model, add_station, done, fill, open_database, quarantined, queued

COUNTED = {"a_count": 3, "b_count": 4, "matched": 3, "only_a": 0, "only_b": 1, "a_infer_ms": 1.0, "b_infer_ms": 2.0, "boxes_json": "{}"}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = open_database(tmp_path)
    station = add_station(connection, tmp_path / "inbox", b"tow 1")
    other = add_station(connection, tmp_path / "inbox", b"tow 2")
    pack = add_model(connection)
    for number in range(3):
        done(connection, station, f"{number}.jpg".encode(), pack)
    done(connection, other, b"other.jpg", pack)
    queued(connection, station, b"waits.jpg")
    quarantined(connection, station, b"cut.jpg")
    yield connection
    connection.close()


def ask(db: Connection) -> int:
    (model_id,) = db.execute("SELECT id FROM models").fetchone()
    side = ComparedSide(model_id=model_id, variant="onnx-fp32", device="CPU", score_threshold=0.25)
    ids = tuple(newest_files(db, "burrows", limit=3))
    return comparisons.add_comparison(
        db, NewComparison(recipe="burrows", a=side, b=side, files_chosen="the newest 3", file_ids=ids, actor="me")
    )


def state(db: Connection, comparison_id: int) -> str:
    row = get_comparison(db, comparison_id)
    assert row is not None
    return row.state


def test_only_files_with_a_result_are_chosen(db: Connection) -> None:
    names = {row["id"]: row["name"] for row in db.execute("SELECT id, name FROM sightings")}
    (folder_id,) = db.execute("SELECT id FROM folders WHERE relative_path = 'tow 1'").fetchone()
    assert [names[one] for one in newest_files(db, "burrows", limit=10)] == ["other.jpg", "2.jpg", "1.jpg", "0.jpg"]
    assert [names[one] for one in newest_files(db, "burrows", limit=2, folder_id=folder_id)] == ["2.jpg", "1.jpg"]
    assert {names[one] for one in random_files(db, "burrows", limit=10, seed=1)} == {"0.jpg", "1.jpg", "2.jpg", "other.jpg"}
    assert random_files(db, "zooscan", limit=10, seed=1) == []


def test_a_draw_depends_on_its_seed_alone(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    fill(connection, add_station(connection, tmp_path / "inbox"), add_model(connection), images=500, objects_per_image=1)
    first, again, other = (random_files(connection, "burrows", limit=50, seed=seed) for seed in (1, 1, 2))
    connection.close()
    assert len(set(first)) == 50
    assert first == again
    assert first != other


def test_from_asked_to_done(db: Connection) -> None:
    comparison_id = ask(db)
    assert state(db, comparison_id) == "waiting"
    files = comparisons.begin_comparison(db, comparison_id)
    assert state(db, comparison_id) == "running"
    assert all(file.path.name == file.name and len(file.sha256) == 64 for file in files)
    comparisons.record_outcomes(db, [FileOutcome(row_id=files[0].row_id, **COUNTED), FileOutcome(row_id=files[1].row_id, detail="cut")])  # type: ignore[arg-type]
    assert [one.state for one in compared_files(db, comparison_id)] == ["failed", "done", "waiting"]
    comparisons.end_comparison(db, comparison_id, "done")
    row = get_comparison(db, comparison_id)
    assert row is not None
    assert (row.state, row.files_done, row.files_failed, row.file_count) == ("done", 1, 1, 3)
    comparisons.end_comparison(db, comparison_id, "cancelled")
    assert state(db, comparison_id) == "done", "what has ended does not end again"


def test_an_end_of_the_appliance_interrupts_what_was_open(db: Connection) -> None:
    ended, begun, waiting = ask(db), ask(db), ask(db)
    comparisons.end_comparison(db, ended, "done")
    comparisons.begin_comparison(db, begun)
    assert comparisons.interrupt_comparisons(db) == 2
    assert [state(db, one) for one in (ended, begun, waiting)] == ["done", "interrupted", "interrupted"]


def test_only_what_has_ended_is_forgotten_and_its_files_with_it(db: Connection) -> None:
    comparison_id = ask(db)
    comparisons.delete_comparison(db, comparison_id)
    assert state(db, comparison_id) == "waiting"
    comparisons.end_comparison(db, comparison_id, "cancelled")
    comparisons.delete_comparison(db, comparison_id)
    assert get_comparison(db, comparison_id) is None
    assert db.execute("SELECT count(*) FROM comparison_files").fetchone()[0] == 0


def test_the_last_ones_stay(db: Connection) -> None:
    ids = [ask(db) for _ in range(KEPT_COMPARISONS + 3)]
    assert [row.comparison_id for row in list_comparisons(db)] == ids[:2:-1]
