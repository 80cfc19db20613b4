"""Where people disagree about an image or a job in CVAT, with both sides in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.store import cvat as store
from edge.store.clock import uuid7
from edge.store.connection import immediate
from edge.store.decisions import BoxPx, Decision, add_decisions, add_image_decision, decided_run
from edge.store.reads.cvat import ConflictRow, conflicts
from edge.store.reads.cvat_conflicts import disputed_images
from edge.store.reads.cvat_results import decided_frames
from edge.store.sqlite import Connection
from tests.helpers import seed
from tests.helpers.cvat_results import answer, plan

AT = (100.0, 100.0, 140.0, 150.0, "opening")
NEAR = (104.0, 100.0, 144.0, 150.0, "opening")
FAR = (400.0, 400.0, 440.0, 450.0, "opening")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    connection = seed.open_database(tmp_path)
    yield connection
    connection.close()


@pytest.fixture
def images(db: Connection) -> list[int]:
    folder = seed.add_station(db, Path("/footage"), b"tow")
    pack = seed.add_model(db)
    return [seed.done(db, folder, b"%d.jpg" % place, pack, boxes=[(*AT[:4], 0.9, 0)]).image_id for place in range(2)]


def only(rows: tuple[ConflictRow, ...]) -> ConflictRow:
    (row,) = rows
    return row


def review(db: Connection, image_id: int, *, move: tuple[float, float, float, float] | None = None) -> None:
    """Somebody calls an image right here, with the model's object as it is or moved."""
    run_uuid, object_id = db.execute(
        "SELECT r.uuid, o.id FROM runs AS r JOIN objects AS o ON o.run_id = r.id WHERE r.image_id = ?", (image_id,)
    ).fetchone()
    run = decided_run(db, run_uuid)
    assert run is not None
    with immediate(db):
        if move is not None:
            moved = Decision(uuid=uuid7(), object_id=object_id, added_uuid=None, decision="moved", label=None, box=BoxPx(*move))
            add_decisions(db, run, [moved], decided_by="jd")
        add_image_decision(db, run, "reviewed", decided_by="jd")


def test_an_image_in_two_tasks_with_different_results(db: Connection, images: list[int]) -> None:
    older, newer = plan(db, images, title="first"), plan(db, images[:1], title="second")
    answer(db, older, {0: [AT, FAR]}, by="anna")
    answer(db, newer, {0: [NEAR]}, by="bo")
    row = only(conflicts(db))
    assert (row.kind, row.title, row.name, row.first_frame) == ("two_tasks", "second", "000000.jpg", 0)
    assert [(side.by, side.words) for side in row.sides] == [("anna", "2 opening; 1 only here"), ("bo", "1 opening")]
    assert "training set" in row.keeps_out
    assert [row.kind for row in conflicts(db, task_id=older)] == ["two_tasks"], "both tasks tell of it"
    answer(db, older, {0: [AT]}, by="anna")
    assert {row.kind for row in conflicts(db)} == {"changed_after_completed"}, "boxes that overlap by half are the same object"


def test_one_task_that_was_cancelled_or_is_not_completed_is_no_side(db: Connection, images: list[int]) -> None:
    older, newer = plan(db, images), plan(db, images)
    answer(db, older, {0: [AT]})
    answer(db, newer, {0: []}, state="in progress")
    assert conflicts(db) == ()
    answer(db, newer, {0: [], 1: []})
    assert only(conflicts(db)).kind == "two_tasks"
    store.cancel_task(db, older, "rita")
    assert conflicts(db) == ()


def test_an_image_in_two_jobs_of_a_task(db: Connection, images: list[int]) -> None:
    task = plan(db, images)
    answer(db, task, {0: [AT], 1: [AT]}, job=0, span=(0, 1))
    answer(db, task, {1: []}, job=1, span=(1, 1))
    row = only(conflicts(db))
    assert (row.kind, row.first_frame, [side.words for side in row.sides]) == ("two_jobs", 1, ["1 opening; 1 only here", "nothing on it"])


def test_the_review_here_against_the_job_there(db: Connection, images: list[int]) -> None:
    task = plan(db, images)
    answer(db, task, {0: [NEAR], 1: [FAR]})
    review(db, images[0])
    assert conflicts(db) == ()
    review(db, images[1])
    row = only(conflicts(db))
    assert (row.kind, row.name, [side.by for side in row.sides]) == ("own_review", "000001.jpg", ["jd", "anna"])
    assert [side.where.split()[0] for side in row.sides] == ["the", "job"]
    review(db, images[1], move=FAR[:4])
    assert conflicts(db) == ()


def test_a_rejected_job(db: Connection, images: list[int]) -> None:
    task = plan(db, images)
    answer(db, task, {0: [AT]}, state="rejected", stage="validation")
    row = only(conflicts(db))
    assert (row.kind, row.first_frame, row.last_frame, row.image_uuid) == ("rejected", 0, 1, None)
    assert "rejected at validation" in row.words
    assert len(row.sides) == 2


def test_a_job_that_changed_after_it_was_completed(db: Connection, images: list[int]) -> None:
    task = plan(db, images)
    answer(db, task, {0: []}, state="in progress")
    assert conflicts(db) == ()
    answer(db, task, {0: [AT]})
    assert conflicts(db) == (), "it was not completed before"
    answer(db, task, {0: [AT, FAR]}, state="in progress")
    row = only(conflicts(db))
    assert (row.kind, row.keeps_out != "") == ("changed_after_completed", True)
    assert ["completed by" in row.sides[0].words, "not completed again" in row.sides[1].words] == [True, True]
    answer(db, task, {0: [AT, FAR]})
    assert (only(conflicts(db)).keeps_out, "completed again" in only(conflicts(db)).sides[1].words) == ("", True)


def test_disputed_frames_are_named_with_the_reason(db: Connection, images: list[int]) -> None:
    older, newer = plan(db, images), plan(db, images[:1])
    answer(db, older, {0: [AT], 1: [AT]})
    answer(db, newer, {0: []})
    frames = list(decided_frames(db))
    disputed = disputed_images(db, frames)
    assert sorted(frame for _, frame in disputed) == [0, 0]
    assert all("two jobs" in words for words in disputed.values())
