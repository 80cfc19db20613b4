"""Annotations in, from a simulated server of either generation, over real HTTP with the real client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator_bridge.cvat.pull import NotOursError, look_at_jobs, pull_task
from edge.errors import ServerFailedError, SettingsError, TransportError
from edge.store import cvat as store
from edge.store.reads.cvat import annotations_of, current_pulls, jobs_of, task_by_id
from edge.store.reads.cvat_results import decided_frames
from tests.helpers.cvat_bench import ACTOR, FOUND, Bench, SentTask
from tests.simulators.cvat import Server, cvat
from tests.simulators.cvat_world import NEW, OLD, World

KEPT = [(0, "kept"), (0, "kept")]
TRACK: list[tuple[int, tuple[float, float, float, float], bool]] = [
    (0, (1.0, 1.0, 11.0, 11.0), False),
    (3, (4.0, 1.0, 14.0, 11.0), False),
    (5, (4.5, 3.25, 14.0, 12.0), True),
]


@pytest.fixture(params=[OLD, NEW], ids=["cvat 2.15", "cvat 2.80"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Bench, Server]]:
    """A server of each generation; the newer one is asked through cvat-sdk."""
    world = World(tmp_path / "server", version=request.param)
    with cvat(world) as server:
        yield Bench(tmp_path, world, server.url), server


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Bench, Server]]:
    world = World(tmp_path / "server", version=OLD)
    with cvat(world) as server:
        yield Bench(tmp_path, world, server.url), server


def rows_written(bench: Bench) -> tuple[int, ...]:
    tables = ("cvat_jobs", "cvat_pulls", "cvat_annotations")
    return tuple(bench.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)


def test_what_comes_back_says_what_it_was(served: tuple[Bench, Server]) -> None:
    here, _ = served
    task = here.send([here.image() for _ in range(4)], boxes={0: FOUND, 2: FOUND, 3: FOUND}, job_size=2)

    def correct(document: dict[str, Any]) -> None:
        first, second = document["shapes"][:2]
        first["points"] = [first["points"][0] + 1, *first["points"][1:]]
        second["label_id"], spec = task.spec("crab", "edge_id")
        second["attributes"] = [{"spec_id": spec, "value": task.edge_ids[2][1]}]
        del document["shapes"][2]
        document["shapes"].append(task.shape(3, (1, 2, 9, 10)))

    task.edit(1, correct)
    task.set_state(1, "completed")
    summary = here.pull(task)
    assert (summary.jobs, summary.new, summary.completed, summary.refused) == (2, 2, 1, ())
    assert summary.verdicts == {"kept": 3, "moved": 1, "relabelled": 1, "added": 1, "removed": 1}
    assert sorted(here.verdicts(task)) == [
        *[(0, "kept"), (0, "kept")],
        *[(2, "moved"), (2, "relabelled")],
        *[(3, "added"), (3, "kept"), (3, "removed")],
    ]
    with here.reader() as connection:
        pulls = current_pulls(connection, task.id)
        assert [(one.state, one.assignee, one.server_version, one.pulled_by) for one in pulls] == [
            ("new", None, here.world.version, ACTOR),
            ("completed", "anna", here.world.version, ACTOR),
        ]
        assert [one.completed_utc is None for one in pulls] == [True, False]
    (moved,) = [row for row in here.rows(task) if row.verdict == "moved"]
    assert (moved.x_min_px, moved.x_max_px, moved.image_id) == (5.0, 20.0, task.image_ids[2])
    assert moved.attributes["confidence"] == "0.90"
    (removed,) = [row for row in here.rows(task) if row.verdict == "removed"]
    assert (removed.shape, removed.points, removed.label) == (None, None, "opening")


def test_a_version_is_new_only_where_something_changed(served: tuple[Bench, Server]) -> None:
    here, _ = served
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND}, job_size=1)
    assert here.pull(task).new == 2
    assert (here.pull(task).new, rows_written(here)) == (0, (2, 2, 2))
    task.edit(0, lambda document: document["shapes"].pop())
    assert (here.pull(task).new, rows_written(here)) == (1, (2, 3, 4))
    assert here.verdicts(task) == [(0, "kept"), (0, "removed")]
    old = here.db.execute("SELECT id FROM cvat_pulls WHERE is_current = 0").fetchone()[0]
    assert [row.verdict for row in annotations_of(here.db, old)] == ["kept", "kept"]


def test_new_numbers_of_the_server_are_no_change(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    here.pull(task)

    def save_again(document: dict[str, Any]) -> None:
        for shape in document["shapes"]:
            shape["id"] = here.world.new_id()
        document["shapes"].reverse()

    task.edit(0, save_again)
    task.set_state(0, "completed")
    assert here.pull(task).new == 0
    (pull,) = current_pulls(here.db, task.id)
    assert (pull.state, pull.completed_utc is not None) == ("new", True)


def test_a_track_that_jobs_cut_is_still_the_one_that_went_out(served: tuple[Bench, Server]) -> None:
    here, _ = served
    task = here.send([here.image(()) for _ in range(6)], tracks=[TRACK], job_size=2)
    assert [len(task.job(place).tracks) for place in range(3)] == [1, 1, 1]
    assert (here.pull(task).verdicts or {})["moved"] == 0
    assert {row.verdict for row in here.rows(task)} == {"kept"}

    def end_early(document: dict[str, Any]) -> None:
        document["tracks"][0]["shapes"][-1]["outside"] = True

    task.edit(1, end_early)
    task.edit(2, lambda document: document["tracks"].clear())
    here.pull(task)
    found = {(row.frame, row.verdict) for row in here.rows(task)}
    assert {verdict for frame, verdict in found if frame < 2} == {"kept"}
    assert {verdict for frame, verdict in found if 2 <= frame < 4} == {"moved"}
    assert (4, "removed") in found


def test_frames_that_people_took_out_say_nothing(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND, 1: FOUND})
    here.world.tasks[task.remote_id].deleted_frames = [1]
    task.edit(0, lambda document: document["shapes"].pop())
    assert here.pull(task).deleted_frames == 1
    assert here.verdicts(task) == KEPT
    here.world.tasks[task.remote_id].deleted_frames = []
    assert here.pull(task).new == 1
    assert sorted(here.verdicts(task)) == [*KEPT, (1, "kept"), (1, "removed")]


def test_a_job_that_cannot_be_read_is_refused_whole_and_the_others_come(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND, 1: FOUND}, job_size=1)
    here.pull(task)
    task.edit(0, lambda document: document["shapes"].append(task.shape(0, (1, 2, 3))))
    task.edit(1, lambda document: document["shapes"].pop())
    summary = here.pull(task)
    assert [(one.remote_id, "4 numbers, not 3" in one.reason) for one in summary.refused] == [(task.job(0).id, True)]
    assert (summary.new, summary.unchanged) == (1, 0)
    assert sorted(here.verdicts(task)) == [*KEPT, (1, "kept"), (1, "removed")]
    row = task_by_id(here.db, task.id)
    assert row is not None
    assert "4 numbers" in row.job_trouble
    task.edit(0, lambda document: document["shapes"].pop())
    here.pull(task)
    assert [one.trouble for one in jobs_of(here.db, task.id)] == ["", ""]


def test_a_server_that_goes_in_the_middle_leaves_what_stood_here(bench: tuple[Bench, Server]) -> None:
    here, server = bench
    task = here.send([here.image() for _ in range(3)], boxes={0: FOUND}, job_size=1)
    here.pull(task)
    before = rows_written(here)
    task.edit(0, lambda document: document["shapes"].clear())
    for left in range(1, 8):
        server.dies_after(left)
        with pytest.raises(TransportError):
            here.pull(task)
        assert rows_written(here) == before
        assert here.verdicts(task) == KEPT
        server.dies_after(None)
    assert here.pull(task).new == 1


class _CutError(Exception):
    """The power goes."""


def test_a_cut_while_it_is_written_leaves_what_stood_here(bench: tuple[Bench, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    here, _ = bench
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND, 1: FOUND}, job_size=1)
    here.pull(task)
    before = rows_written(here)
    for place in (0, 1):
        task.edit(place, lambda document: document["shapes"].clear())
    done: list[int] = []
    record = store.record_pull

    def cut(*args: Any) -> int | None:
        done.append(1)
        if len(done) == 2:
            raise _CutError
        return record(*args)

    monkeypatch.setattr(store, "record_pull", cut)
    with pytest.raises(_CutError):
        here.pull(task)
    monkeypatch.undo()
    assert rows_written(here) == before
    assert sorted(here.verdicts(task)) == [*KEPT, (1, "kept"), (1, "kept")]
    assert here.pull(task).new == 2


def test_jobs_that_are_gone_are_marked_and_their_versions_stay(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND}, job_size=1)
    here.pull(task)
    del here.world.jobs[task.job(1).id]
    assert here.pull(task).gone_jobs == 1
    assert [(one.gone_utc is None, one.versions) for one in jobs_of(here.db, task.id)] == [(True, 1), (False, 1)]


def test_a_task_that_was_deleted_there_is_gone_and_what_came_stays(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    here.pull(task)
    here.world.delete_task(here.world.tasks[task.remote_id])
    assert here.pull(task).gone
    row = task_by_id(here.db, task.id)
    assert row is not None
    assert row.gone_utc is not None
    assert here.verdicts(task) == KEPT


def test_another_task_under_our_number_is_not_taken(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    other = here.send([here.image(), here.image()], boxes={0: FOUND})
    here.db.execute("UPDATE cvat_tasks SET remote_id = ? WHERE id = ?", (other.remote_id, task.id))
    with pytest.raises(NotOursError, match="other frames"):
        here.pull(task)
    assert rows_written(here) == (0, 0, 0)


@pytest.mark.parametrize("stills", [2, 1], ids=["other frames", "frames of the same names"])
def test_a_look_at_another_task_under_our_number_leaves_our_jobs(bench: tuple[Bench, Server], stills: int) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    other = here.send([here.image() for _ in range(stills)], boxes={0: FOUND})
    task.set_state(0, "completed")
    here.pull(task)
    here.db.execute("UPDATE cvat_tasks SET remote_id = ? WHERE id = ?", (other.remote_id, task.id))
    with here.server() as server, pytest.raises(NotOursError):
        look_at_jobs(here.writer, here.reader, server, task.id)
    with pytest.raises(NotOursError):
        here.pull(task)
    assert [(one.state, one.gone_utc) for one in jobs_of(here.db, task.id)] == [("completed", None)]
    assert len(list(decided_frames(here.db, only_completed=True))) == 1


def test_a_task_that_people_gave_another_name_is_ours(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    here.world.tasks[task.remote_id].name = "Anna's"
    task.set_state(0, "completed")
    with here.server() as server:
        assert look_at_jobs(here.writer, here.reader, server, task.id)
    assert here.pull(task).new == 1


def test_copies_for_checking_are_not_brought_in(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send([here.image() for _ in range(2)], boxes={0: FOUND}, job_size=1)
    task.job(1).kind = "ground_truth"
    summary = here.pull(task)
    assert (summary.jobs, summary.new) == (1, 1)
    assert [(one.kind, one.pull_id is None) for one in jobs_of(here.db, task.id)] == [("annotation", False), ("ground_truth", True)]


@pytest.mark.parametrize("step", ["cancelled", "on its way", "none"])
def test_what_cannot_be_pulled_is_said(bench: tuple[Bench, Server], step: str) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    if step == "cancelled":
        store.cancel_task(here.db, task.id, ACTOR)
    elif step == "on its way":
        here.db.execute("UPDATE cvat_tasks SET step = 'ready'")
    wanted = SentTask(**{name: getattr(task, name) for name in SentTask.__slots__} | {"id": 99}) if step == "none" else task
    with pytest.raises(SettingsError, match={"cancelled": "cancelled", "on its way": "on its way", "none": "there is none"}[step]):
        here.pull(wanted)
    assert rows_written(here) == (0, 0, 0)


def test_an_answer_that_is_none_of_cvat_stores_nothing(bench: tuple[Bench, Server]) -> None:
    here, server = bench
    task = here.send(boxes={0: FOUND})
    server.breaks(r"GET /api/jobs/\d+/annotations", "lie", value={"version": 0}, times=9)
    with pytest.raises(ServerFailedError):
        here.pull(task)
    assert rows_written(here) == (0, 0, 0)


def test_looking_at_jobs_says_when_a_pull_would_bring_something(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})

    def look() -> bool:
        with here.server() as server:
            return look_at_jobs(here.writer, here.reader, server, task.id)

    assert not look()
    task.set_state(0, "completed")
    assert look()
    assert look(), "a pull that did not come about is still wanted"
    here.pull(task)
    assert not look()
    task.set_state(0, "in progress")
    task.edit(0, lambda document: document["shapes"].pop())
    assert not look()
    task.set_state(0, "completed")
    assert look()


def test_a_job_that_was_refused_is_not_asked_for_again_until_it_changes(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    task.edit(0, lambda document: document["shapes"].append(task.shape(0, (1, 2, 3))))
    task.set_state(0, "completed")
    assert here.pull(task).refused

    def look() -> bool:
        with here.server() as server:
            return look_at_jobs(here.writer, here.reader, server, task.id)

    assert not look()
    task.edit(0, lambda document: document["shapes"].pop())
    assert look()
    assert look(), "a pull that did not come about is still wanted"
    assert here.pull(task).new == 1


def test_a_completed_job_that_was_changed_says_nothing_until_it_is_brought_in(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    task.set_state(0, "completed")
    here.pull(task)
    assert len(list(decided_frames(here.db, only_completed=True))) == 1
    task.edit(0, lambda document: document["shapes"].pop())
    with here.server() as server:
        assert look_at_jobs(here.writer, here.reader, server, task.id)
    assert list(decided_frames(here.db, only_completed=True)) == []
    here.pull(task)
    assert [len(one.boxes) for one in decided_frames(here.db, only_completed=True)] == [1]


def test_it_asks_and_changes_nothing_there(bench: tuple[Bench, Server]) -> None:
    here, server = bench
    task = here.send(boxes={0: FOUND})
    begin = len(server.asked)
    with here.server() as one:
        pull_task(here.writer, here.reader, one, task.id, actor=ACTOR)
    assert {line.split()[0] for line in server.asked[begin:]} == {"GET"}


def test_audit_says_who_brought_in_what(bench: tuple[Bench, Server]) -> None:
    here, _ = bench
    task = here.send(boxes={0: FOUND})
    here.pull(task, actor="maria 10.0.0.7")
    rows = here.db.execute("SELECT actor, action, subject FROM audit WHERE action LIKE 'cvat%' ORDER BY id").fetchall()
    subject = f"cvat_task/{task.uuid}"
    assert [tuple(row) for row in rows] == [
        (ACTOR, "cvat_push", subject),
        (ACTOR, "cvat_push_end", subject),
        ("maria 10.0.0.7", "cvat_pull", subject),
    ]
