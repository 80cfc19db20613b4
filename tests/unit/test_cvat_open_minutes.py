"""Minutes of a review that are drawn and not counted yet: nothing of a task in CVAT tells what the model found, until they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.store import miss_checks
from edge.store.connection import immediate
from edge.store.miss_checks import NewCheck
from edge.store.reads.cvat import agreement, conflicts, task_by_id
from edge.store.reads.cvat_results import decided_frames
from edge.store.sqlite import Connection
from tests.helpers.cvat_results import Boxes, answer, plan
from tests.helpers.reviewed import Opening, Ship

AT: dict[int, Boxes] = {0: [(10.0, 10.0, 30.0, 30.0, "opening")]}


@pytest.fixture
def ship(tmp_path: Path) -> Ship:
    ship = Ship(tmp_path / "home")
    ship.add("S1", [Opening(frames=[0, 4])])
    return ship


def draw(connection: Connection, footage: str) -> int:
    tow_id, analysis_id = connection.execute("SELECT tow_id, id FROM tow_analyses").fetchone()
    check = NewCheck(
        tow_id=tow_id,
        analysis_id=analysis_id,
        footage_sha256=footage,
        seed="a",
        pool=[1],
        minutes=[1],
        line_height=0.83,
        width_px=128,
        height_px=96,
        counter="rita",
    )
    with immediate(connection):
        return miss_checks.add_check(connection, check, actor="rita")


def end(connection: Connection, check_id: int) -> None:
    with immediate(connection):
        miss_checks.end_check(connection, check_id, "declined", actor="rita", reason="a test")


def told(connection: Connection, task_ids: tuple[int, ...]) -> list[tuple[bool, int]]:
    """Of each task whether it is blind, and how many decided frames of it are told."""
    rows = [(task_by_id(connection, task_id), len(list(decided_frames(connection, task_id=task_id)))) for task_id in task_ids]
    return [(row is not None and row.is_blind, frames) for row, frames in rows]


def test_a_task_sent_before_is_blind_while_the_minutes_are_open(ship: Ship) -> None:
    db = ship.connection
    tow_id, image_id = db.execute("SELECT tow_id, image_id FROM tow_images").fetchone()
    tasks = (plan(db, [image_id], tow_id=tow_id, with_model=True), plan(db, [image_id], with_model=True))
    answer(db, tasks[0], AT)
    answer(db, tasks[1], {})
    assert told(db, tasks) == [(False, 1), (False, 1)]
    assert len(conflicts(db)) == 1
    check_id = draw(db, "one")
    assert told(db, tasks) == [(True, 0), (True, 0)]
    assert conflicts(db) == ()
    assert [(row.added, "blind" in row.words) for row in agreement(db).tasks] == [(None, True), (None, True)]
    end(db, check_id)
    assert told(db, tasks) == [(False, 1), (False, 1)]
    assert [row.added for row in agreement(db).tasks] == [0, 1]


def test_of_several_checks_the_newest_tells(ship: Ship) -> None:
    """The older one is of footage that changed since; nobody can end it any more."""
    db = ship.connection
    tow_id, image_id = db.execute("SELECT tow_id, image_id FROM tow_images").fetchone()
    task = plan(db, [image_id], tow_id=tow_id)
    answer(db, task, AT)
    draw(db, "one")
    end(db, draw(db, "two"))
    assert told(db, (task,)) == [(False, 1)]
