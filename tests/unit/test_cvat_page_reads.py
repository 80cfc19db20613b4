"""What the page of a task counts: each object once, a track too, over all of its jobs, as the agreement counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.store import cvat as store
from edge.store.connection import immediate
from edge.store.cvat import NewAnnotation, NewProposal, NewPull, Verdict
from edge.store.reads import cvat_page as reads
from edge.store.reads.cvat import agreement, conflicts
from edge.store.sqlite import Connection
from tests.helpers import seed
from tests.helpers.cvat import SeededTask, seed_pull, seed_sent, seed_task
from tests.helpers.zooscan import seed_scan


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    return seed.open_database(tmp_path)


def pull_track(
    connection: Connection, task: SeededTask, job_id: int, keyframes: list[tuple[int, Verdict]], proposal_id: int | None
) -> None:
    rows = [
        NewAnnotation(
            frame=frame,
            verdict=verdict,
            label="opening",
            shape=None if verdict == "removed" else "rectangle",
            proposal_id=proposal_id,
            track=None if verdict == "removed" else 0,
            points=None if verdict == "removed" else (1.0, 1.0, 9.0, 9.0),
        )
        for frame, verdict in keyframes
    ]
    pull = NewPull(
        stage="annotation",
        state="completed",
        assignee=None,
        remote_updated_utc="2026-11-21T10:00:00.000Z",
        server_version="2.15.0",
        content={},
        same=keyframes,
        pulled_by="rita",
        annotations=rows,
    )
    assert store.record_pull(connection, job_id, pull)


def test_a_track_over_two_jobs_is_one_object_and_what_was_done_to_it_most(connection: Connection) -> None:
    task = seed_task(connection, with_model=True)
    first, second, _ = seed_sent(connection, task, states=("completed", "completed", "new"))
    store.put_proposals(connection, task.id, [NewProposal(uuid="p1", frame=1, label="opening", digest="d", keyframes={1: "a", 6: "b"})])
    (proposal_id,) = connection.execute("SELECT id FROM cvat_proposals").fetchone()
    pull_track(connection, task, first, [(1, "kept"), (3, "kept")], proposal_id)
    assert reads.verdict_counts(connection, [task.id]) == {task.id: {"kept": 1}}
    pull_track(connection, task, second, [(6, "removed")], proposal_id)
    assert reads.verdict_counts(connection, [task.id]) == {task.id: {"moved": 1}}
    (of_frame,) = reads.frame_verdicts(connection, task.id)
    assert (of_frame.frame, of_frame.name, of_frame.verdicts) == (1, "0001.png", {"moved": 1})
    (row,) = agreement(connection).tasks
    assert (row.kept, row.moved, row.removed, row.added) == (0, 1, 0, 0)


def test_an_empty_answer_is_a_zero_and_no_answer_is_none(connection: Connection) -> None:
    task, silent = seed_task(connection), seed_task(connection)
    job, *_ = seed_sent(connection, task, states=("completed", "new"))
    seed_sent(connection, silent, remote_id=72)
    assert seed_pull(connection, task, job, {})
    assert reads.verdict_counts(connection, [task.id, silent.id]) == {task.id: {}}
    tally = reads.job_tallies(connection, [task.id])[task.id]
    assert (tally.all, tally.done, tally.open_job) == (2, 1, 7101)
    assert [one.is_current for one in reads.versions_of(connection, task.id)] == [True]


def test_what_is_in_hand_is_that_of_one_server_without_what_ended(connection: Connection) -> None:
    there, elsewhere = seed_task(connection), seed_task(connection, server_url="http://elsewhere:8080")
    for task, end in ((seed_task(connection), "cancel"), (seed_task(connection), "gone")):
        store.cancel_task(connection, task.id, "rita") if end == "cancel" else store.note_gone(connection, task.id)
    store.note_trouble(connection, there.id, "server_refused", "it was refused", next_try_utc=None)
    (one,) = reads.open_tasks(connection, "http://127.0.0.1:9")
    assert (one.id, one.is_stopped, one.next_try_utc) == (there.id, True, None)
    assert [row.id for row in reads.open_tasks(connection, "http://elsewhere:8080")] == [elsewhere.id]
    assert reads.task_id_of(connection, there.uuid) == there.id
    assert reads.task_id_of(connection, "nothing") is None


def test_conflicts_of_one_task_of_a_scan_are_those_of_all_that_concern_it(connection: Connection, tmp_path: Path) -> None:
    with immediate(connection):
        scan = seed_scan(connection, home=tmp_path, objects=2, multiples=0)
    found = [seed_task(connection, title=f"task {number}", scan_id=scan.scan_id) for number in range(2)]
    other = seed_task(connection, title="another")
    for place, task in enumerate((*found, other)):
        (job,) = seed_sent(connection, task, states=("completed",), job_frames=12, remote_id=80 + place)
        seed_pull(connection, task, job, {"added": 1 + place})
    everything = conflicts(connection)
    assert {one.kind for one in everything} == {"two_tasks"}
    for task in found:
        assert conflicts(connection, task_id=task.id) == everything
    assert conflicts(connection, task_id=other.id) == ()
