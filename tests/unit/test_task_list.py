"""Work on packs, one piece after the other, told as it goes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edge.errors import PackInvalidError
from edge.recipes.model_tasks import KEPT_TASKS, MAX_WAITING, ModelTask, TaskBusyError, TaskList, TaskProgress
from tests.helpers.tiny_home import wait_until


@pytest.fixture
def tasks() -> Iterator[TaskList]:
    listed = TaskList(lambda: None)
    yield listed
    listed.close()


def state(tasks: TaskList, task: ModelTask) -> ModelTask:
    return next(one for one in tasks.tasks() if one.task_id == task.task_id)


def test_one_after_the_other_each_told_as_it_goes(tasks: TaskList) -> None:
    go, order = threading.Event(), []

    def slow(progress: TaskProgress) -> None:
        progress.at("proving", "goldens of int8", place=2, of=3)
        progress.is_about("burrows", "2.0.0")
        go.wait()
        order.append("slow")

    first = tasks.add("install", "a.zip", "me", slow)
    second = tasks.add("prove", "b", "me", lambda _: order.append("next"))
    wait_until(lambda: state(tasks, first).stage == "proving", "it is at its proof")
    now = state(tasks, first)
    assert (now.state, now.place, now.of, now.detail, now.model, now.version) == ("running", 2, 3, "goldens of int8", "burrows", "2.0.0")
    assert state(tasks, second).state == "waiting"
    go.set()
    wait_until(lambda: not state(tasks, second).is_open, "both ended")
    assert order == ["slow", "next"]
    assert [task.state for task in tasks.tasks()] == ["done", "done"]
    assert state(tasks, first).finished_utc is not None


def test_a_task_that_fails_says_why_and_the_next_one_is_done(tasks: TaskList) -> None:
    def broken(_: TaskProgress) -> None:
        raise PackInvalidError("a file is missing", advice="Copy it again.")

    def buggy(_: TaskProgress) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    failed, odd, last = (tasks.add("install", name, "me", work) for name, work in (("a", broken), ("b", buggy), ("c", lambda _: None)))
    wait_until(lambda: not state(tasks, last).is_open, "all ended")
    told = state(tasks, failed)
    assert (told.state, told.code, told.detail, told.advice) == ("failed", "pack_invalid", "a file is missing", "Copy it again.")
    assert state(tasks, odd).detail == "ZeroDivisionError: nobody foresaw this"
    assert state(tasks, last).state == "done"


def test_too_much_at_once_is_refused_and_only_the_last_are_kept(tasks: TaskList) -> None:
    go = threading.Event()

    def wait(_: TaskProgress) -> None:
        go.wait()

    for number in range(MAX_WAITING):
        tasks.add("prove", str(number), "me", wait)
    with pytest.raises(TaskBusyError):
        tasks.add("prove", "one more", "me", lambda _: None)
    go.set()
    wait_until(lambda: not any(task.is_open for task in tasks.tasks()), "all ended")
    for number in range(5):
        tasks.add("prove", f"later {number}", "me", lambda _: None)
    assert len(tasks.tasks()) <= KEPT_TASKS + 1
    assert tasks.tasks()[0].subject == "later 4"


def test_after_the_end_nothing_is_taken() -> None:
    tasks = TaskList(lambda: None)
    tasks.close()
    with pytest.raises(TaskBusyError, match="stopping"):
        tasks.add("prove", "late", "me", lambda _: None)
