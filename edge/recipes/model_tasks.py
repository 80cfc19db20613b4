"""Work on packs that takes a while, one piece after the other in a thread of its own: install, prove again.

Each piece is a `ModelTask` that pages and API can watch. Nothing of it survives the end of the appliance: what an interrupted
install leaves is swept away at the next start.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from edge.errors import EdgeError, SettingsError
from edge.store.clock import utc_now

log = structlog.get_logger()

KEPT_TASKS = 20
MAX_WAITING = 20

TaskKind = Literal["install", "prove"]
TaskState = Literal["waiting", "running", "done", "failed"]
TaskStage = Literal["waiting", "verifying", "proving", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTask:
    """A piece of work on a pack.

    Attributes:
        subject: what it is about: the file or folder that is installed, or name and version.
        stage: `verifying` (unpack, hashes), `proving` (goldens and speed of each variant), `ended`.
        place, of: of the variants that are proved, which one is at it; 0 before that.
        detail: what is being proved, or why it failed; `code` and `advice` belong to a failure.
        model, version: the pack, once it is known.
    """

    task_id: int
    kind: TaskKind
    subject: str
    state: TaskState
    stage: TaskStage
    place: int
    of: int
    detail: str
    code: str
    advice: str
    model: str
    version: str
    asked_by: str
    asked_utc: str
    finished_utc: str | None

    @property
    def is_open(self) -> bool:
        """It waits or is being done."""
        return self.state in {"waiting", "running"}


class TaskBusyError(SettingsError):
    """Too much is waiting already."""

    code = "too_many_tasks"
    default_advice = "Wait until the work on packs that is shown on the Models page has ended."


class TaskProgress:
    """What a running task says of itself."""

    def __init__(self, desk: TaskList, task_id: int) -> None:
        self._desk, self._task_id = desk, task_id

    def at(self, stage: TaskStage, detail: str = "", *, place: int = 0, of: int = 0) -> None:
        """It has come to this stage."""
        self._desk.change(self._task_id, stage=stage, detail=detail, place=place, of=of)

    def is_about(self, model: str, version: str) -> None:
        """Which pack it is about."""
        self._desk.change(self._task_id, model=model, version=version)


TaskWork = Callable[[TaskProgress], None]


class TaskList:
    """The thread that does the work, and the last tasks. `on_change` is called after each change, from any thread."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._tasks: dict[int, ModelTask] = {}
        self._queue: queue.SimpleQueue[tuple[int, TaskWork] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._next_id = 1
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="model-tasks", daemon=True)
        self._thread.start()

    def add(self, kind: TaskKind, subject: str, actor: str, work: TaskWork) -> ModelTask:
        """Do `work` as soon as what was asked for before has ended. Returns at once.

        Raises:
            TaskBusyError: too much is waiting already, or the appliance is stopping.
        """
        with self._lock:
            if self._is_closed:
                raise TaskBusyError("the appliance is stopping", advice="Start it again, then ask again.")
            if sum(task.is_open for task in self._tasks.values()) >= MAX_WAITING:
                raise TaskBusyError(f"{MAX_WAITING} pieces of work on packs wait already")
            task = ModelTask(
                task_id=self._next_id,
                kind=kind,
                subject=subject,
                state="waiting",
                stage="waiting",
                place=0,
                of=0,
                detail="",
                code="",
                advice="",
                model="",
                version="",
                asked_by=actor,
                asked_utc=utc_now(),
                finished_utc=None,
            )
            self._next_id += 1
            self._tasks[task.task_id] = task
            self._forget_old()
        self._queue.put((task.task_id, work))
        self._on_change()
        return task

    def tasks(self) -> tuple[ModelTask, ...]:
        """The last ones, newest first."""
        with self._lock:
            return tuple(reversed(self._tasks.values()))

    def change(self, task_id: int, **changes: object) -> None:
        """Tell something of a task."""
        with self._lock:
            self._tasks[task_id] = replace(self._tasks[task_id], **changes)  # type: ignore[arg-type]  # fields by name
        self._on_change()

    def close(self) -> None:
        """Take nothing new. What is being done ends by itself, or with the process: nothing of it is half there then."""
        with self._lock:
            self._is_closed = True
        self._queue.put(None)

    def _forget_old(self) -> None:
        ended = [task_id for task_id, task in self._tasks.items() if not task.is_open]
        for task_id in ended[: max(0, len(self._tasks) - KEPT_TASKS)]:
            del self._tasks[task_id]

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._is_closed:
                return
            task_id, work = item
            self.change(task_id, state="running")
            try:
                work(TaskProgress(self, task_id))
            except Exception as error:  # the thread's border: a task that failed says so, and the next one is done
                log.warning("model_task_failed", task=task_id, error=str(error), exc_info=not isinstance(error, EdgeError))
                self._fail(task_id, error)
            else:
                self.change(task_id, state="done", stage="ended", detail="", finished_utc=utc_now())

    def _fail(self, task_id: int, error: Exception) -> None:
        if isinstance(error, EdgeError):
            code, detail, advice = error.code, str(error), error.advice()
        else:
            code, detail, advice = EdgeError.code, f"{type(error).__name__}: {error}", EdgeError.default_advice
        self.change(task_id, state="failed", stage="ended", code=code, detail=detail, advice=advice, finished_utc=utc_now())
