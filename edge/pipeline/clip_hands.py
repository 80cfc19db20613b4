"""Clips in a worker's hands: where an interrupted one goes on, its parts on the way to the store, putting one down when asked.

A clip takes minutes. Its parts are written as they come; when one cannot be written (a full disk), those behind it are worth
nothing, so the clip is put down and its job goes back to the queue, to go on from the last part that was kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

import structlog

from edge.pipeline.messages import ClipDone, ClipPart, Task
from edge.store import jobs, readings
from edge.store.files import note_capture_time
from edge.store.runs import RunContext
from edge.store.seal import Seal
from edge.store.sqlite import Connection
from edge.store.writer import Writer
from edge.values import CaptureTime

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipProgress:
    """How far a clip is read. `duration_s` is what it claims to last, None if it does not say."""

    name: str
    read_to_s: float
    duration_s: float | None

    @property
    def told(self) -> str:
        """Such as "tow.mp4, 2:05 of 10:00"."""
        whole = "" if self.duration_s is None else f" of {_clock(self.duration_s)}"
        return f"{self.name}, {_clock(self.read_to_s)}{whole}"


class ClipHands:
    """The clips of one dispatcher; its methods are called from the dispatcher's thread."""

    def __init__(self, writer: Writer, seal: Seal) -> None:
        self._writer = writer
        self._seal = seal
        self._progress: dict[int, ClipProgress] = {}
        self._spoiled: set[int] = set()
        self._lock = threading.Lock()

    @property
    def progress(self) -> tuple[ClipProgress, ...]:
        """The clips that are being read."""
        with self._lock:
            return tuple(self._progress.values())

    def told(self, job_id: int, name: str) -> str:
        """A file's name; of a clip that is being read, how far it is."""
        with self._lock:
            progress = self._progress.get(job_id)
        return name if progress is None or progress.read_to_s == 0 else progress.told

    def task(self, job: jobs.Job, context: RunContext, task: Task) -> Task:
        """The task of reading a clip, from where an interrupted reading ended."""
        left = self._writer.call(partial(readings.unfinished_reading, context=context))
        with self._lock:
            self._spoiled.discard(job.job_id)
            self._progress[job.job_id] = ClipProgress(name=job.name, read_to_s=0.0 if left is None else left.read_to_s, duration_s=None)
        if left is None:
            return task
        return replace(task, parts=left.parts, read_to_s=left.read_to_s, faults=left.faults)

    def keep_part(self, message: ClipPart, context: RunContext, *, rate_hz: float, on_lost: Callable[[], None]) -> Future[bool] | None:
        """Write a part; `on_lost` is told, from another thread, when it cannot be written. None if a part before it was lost."""
        if message.job_id in self._spoiled:
            return None
        with self._lock:
            name = self._progress[message.job_id].name
            self._progress[message.job_id] = ClipProgress(name=name, read_to_s=message.to_s, duration_s=message.facts.duration_s)
        part = readings.NewPart(
            ordinal=message.ordinal,
            facts=message.facts,
            model=message.model,
            score_threshold=message.score_threshold,
            rate_hz=rate_hz,
            frames=message.frames,
            to_s=message.to_s,
            content=message.content,
            faults=message.faults,
            wall_s=message.wall_s,
            strip=message.strip,
        )

        def write(connection: Connection) -> bool:
            kept = readings.add_part(connection, self._seal, context, part)
            if kept and part.ordinal == 0:
                note_capture_time(connection, context.image_id, _capture_time(message))
            return kept

        future = self._writer.submit(write)
        future.add_done_callback(partial(self._written, message.job_id, on_lost))
        return future

    def finish(self, message: ClipDone, context: RunContext) -> Future[bool]:
        """Write that the clip is read."""
        return self._writer.submit(
            lambda connection: readings.finish_reading(connection, context, parts=message.parts, faults=message.faults)
        )

    def is_spoiled(self, job_id: int) -> bool:
        """Whether a part of this clip could not be written."""
        return job_id in self._spoiled

    def let_go(self, job_id: int) -> None:
        """The clip is no longer in a worker's hands."""
        with self._lock:
            self._progress.pop(job_id, None)
            self._spoiled.discard(job_id)

    def _written(self, job_id: int, on_lost: Callable[[], None], future: Future[bool]) -> None:
        failure = future.exception()
        if failure is None and future.result():
            return
        log.error("clip_part_not_kept", job_id=job_id, error=None if failure is None else str(failure))
        self._spoiled.add(job_id)
        on_lost()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _capture_time(message: ClipPart) -> CaptureTime | None:
    """When the recording began, as its container says. A name that says it counts more and is known already."""
    facts = message.facts
    if facts.start_utc is None and facts.start_local is None:
        return None
    return CaptureTime(utc=facts.start_utc, local=facts.start_local, source="container")
