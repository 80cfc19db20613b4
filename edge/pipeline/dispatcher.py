"""Lease jobs, hand them to a worker process, record what comes back.

One thread per recipe, one worker at a time. The queue is in the database; only a small window of leased jobs is in a
worker's hands. A worker that dies, hangs or grows too large is replaced: the jobs it had begun are suspects and run
alone from then on, so that after `worker_attempts` deaths the guilty file is known and the others have their results.
A file that cannot be read because its medium is out has not failed: its job waits, with all others of that folder.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import structlog

from edge.errors import Reason
from edge.formats import is_clip_name
from edge.pipeline.clip_hands import ClipHands, ClipProgress
from edge.pipeline.messages import (
    Beat,
    Broken,
    Cancel,
    ClipDone,
    ClipPart,
    Done,
    Interrupted,
    Ready,
    Refused,
    Started,
    Task,
    Unusable,
    WorkerSpec,
)
from edge.pipeline.process import Signal, WorkerProcess, messages
from edge.pipeline.recorder import Recorder
from edge.pipeline.tally import Tally
from edge.settings import Settings
from edge.store import files, jobs, runs
from edge.store.seal import Seal
from edge.store.writer import Writer
from edge.values import CaptureTime

log = structlog.get_logger()

WorkerState = Literal["stopped", "starting", "running", "failed"]
_MAX_PENDING_COMMITS = 64
_START_LIMIT_S = 120.0
_STOP_GRACE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the worker shall run, and what its results are recorded under; `clip_sha256` is the recipe's identity for clips."""

    spec: WorkerSpec
    model_id: int
    recipe: str
    recipe_sha256: str
    clip_sha256: str = ""


@dataclass(slots=True)
class _InFlight:
    job: jobs.Job
    is_clip: bool
    started_s: float | None = None
    is_cancelled: bool = False


class Dispatcher:
    """Runs the jobs of one recipe."""

    def __init__(
        self,
        recipe: str,
        settings: Settings,
        writer: Writer,
        *,
        owner: str,
        may_work: Callable[[], bool],
        capture_time: Callable[[str, str | None], CaptureTime | None],
        folder_is_away: Callable[[int], bool],
        seal: Seal,
    ) -> None:
        """`seal` closes what nobody may see yet.

        `folder_is_away` looks whether a folder, by its number, cannot be looked at now, so that its files are not known to be gone.
        """
        self.recipe = recipe
        self.tally = Tally()
        self.trouble: str | None = None
        self.state: WorkerState = "stopped"
        self.detail = ""
        self._settings = settings
        self._writer = writer
        self._owner = owner
        self._may_work = may_work
        self._capture_time = capture_time
        self._folder_is_away = folder_is_away
        self._seal = seal
        self._clips = ClipHands(writer, seal)
        self._serving: Serving | None = None
        self._wanted: Serving | None = None
        self._worker: WorkerProcess | None = None
        self._in_flight: dict[int, _InFlight] = {}
        self._more = True
        self._failed_starts = 0
        self._next_start_s = 0.0
        self._stop_by_s = 0.0
        self._quiet_since_s = 0.0
        self._stopping = threading.Event()
        self._signal = Signal()
        self._recorder = Recorder(recipe, writer, max_attempts=settings.worker_attempts, tally=self.tally, wake=self._signal.set)
        self._thread = threading.Thread(target=self._run, name=f"dispatch-{recipe}", daemon=True)

    def start(self) -> None:
        """Begin; nothing runs before `serve` has said what with."""
        self._thread.start()

    def serve(self, serving: Serving | None) -> None:
        """Run this from now on; images in a worker's hands are finished with what they were begun with."""
        self._wanted = serving
        self._failed_starts = 0
        self._next_start_s = 0.0
        self.wake()

    def wake(self) -> None:
        """Something was committed: there may be work."""
        self._more = True
        self._signal.set()

    def stop(self) -> None:
        """Finish the images in hand, record them, end the worker. What takes too long stays leased and is made again."""
        self._stop_by_s = time.monotonic() + _STOP_GRACE_S
        self._stopping.set()
        self._signal.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def has_ended(self) -> bool:
        """It was started and no longer runs."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def in_flight(self) -> tuple[str, ...]:
        """Names of the files in the worker's hands, clips with how far they are read."""
        return tuple(self._clips.told(job_id, flight.job.name) for job_id, flight in list(self._in_flight.items()))

    @property
    def clips(self) -> tuple[ClipProgress, ...]:
        """The clips in the worker's hands, and how far each is read."""
        return self._clips.progress

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id while there is one."""
        worker = self._worker
        return None if worker is None else worker.pid

    @property
    def worker_rss_bytes(self) -> int:
        """The worker's resident memory when last looked at."""
        worker = self._worker
        return 0 if worker is None else worker.rss_bytes

    def _run(self) -> None:
        while not self._stopping.is_set() or (self._in_flight and time.monotonic() < self._stop_by_s):
            try:
                self._step()
                self.trouble = None
            except Exception as error:  # the thread's border: the store refused a lease, or no process can be started
                log.exception("dispatch_failed", recipe=self.recipe)
                self.trouble = str(error) or type(error).__name__
                self._stopping.wait(1.0)
        self._end_worker()
        self._recorder.close()

    def _step(self) -> None:
        self._choose_worker()
        self._recorder.settle(may_work=self._may_work())
        if not self._stopping.is_set():
            self._fill()
        self._cancel_clips()
        for message in messages(self._worker, self._signal, timeout_s=self._patience_s()):
            self._handle(message)
        self._check_worker()

    def _choose_worker(self) -> None:
        """Start, replace or end the worker, when nothing is in its hands."""
        if self._worker is not None and self._serving is not self._wanted and not self._in_flight:
            self._end_worker()
        if self._worker is None and self._wanted is not None and not self._stopping.is_set() and time.monotonic() >= self._next_start_s:
            self._serving = self._wanted
            self._worker = WorkerProcess.start(self._serving.spec)
            self.state, self.detail = "starting", ""
            log.info("worker_started", recipe=self.recipe, pid=self._worker.pid, variant=self._serving.spec.variant)

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None
        self.state = "stopped"

    def _fill(self) -> None:
        """Keep the worker's window full; a suspect goes alone."""
        if self.state != "running" or self._serving is not self._wanted or not self._may_work():
            return
        if self._recorder.pending > _MAX_PENDING_COMMITS:
            return
        if self._recorder.suspects:
            if self._in_flight:
                return
            leased = self._writer.call(partial(jobs.lease_suspect, recipe=self.recipe, owner=self._owner))
            self._recorder.suspects = bool(leased)
            self._send(leased)
            if self._recorder.suspects:
                return
        room = self._window() - len(self._in_flight)
        if self._more and room >= self._window() // 2:
            self._more = False
            leased = self._writer.call(partial(jobs.lease_jobs, recipe=self.recipe, owner=self._owner, limit=room))
            self._more = self._more or len(leased) == room
            self._send(leased)

    def _window(self) -> int:
        assert self._wanted is not None
        return 4 * self._wanted.spec.threads

    def _send(self, leased: list[jobs.Job]) -> None:
        for job in leased:
            if job.path is None:
                self._recorder.fail(job.job_id, Reason.VANISHED, "no file of this content is known any more")
                continue
            assert self._worker is not None
            flight = _InFlight(job, is_clip=is_clip_name(job.name))
            task = Task(job_id=job.job_id, path=job.path, name=job.name, sha256=job.sha256)
            self._in_flight[job.job_id] = flight
            self._quiet_since_s = time.monotonic()
            self._worker.send(self._clips.task(job, self._context(flight), task) if flight.is_clip else task)

    def _cancel_clips(self) -> None:
        """A clip takes minutes: it is put down where it is when the work has to end, pause or wait for room on the disk."""
        may_go_on = not self._stopping.is_set() and self._may_work()
        for job_id, flight in self._in_flight.items():
            if flight.is_clip and not flight.is_cancelled and self._worker is not None:
                if may_go_on and not self._clips.is_spoiled(job_id):
                    continue
                flight.is_cancelled = True
                self._worker.send(Cancel(job_id=job_id))

    def _handle(self, message: object) -> None:
        self._quiet_since_s = time.monotonic()
        match message:
            case Ready():
                self.state, self.detail, self._failed_starts = "running", message.device, 0
                log.info("worker_ready", recipe=self.recipe, device=message.device, load_s=round(message.load_s, 2))
            case Unusable():
                self._start_failed(message.detail, is_certain=True)
            case Started() | Beat():
                if (flight := self._in_flight.get(message.job_id)) is not None:
                    flight.started_s = time.monotonic()
            case Done():
                self._record(message)
            case ClipPart() | ClipDone() | Interrupted():
                self._handle_clip(message)
            case Refused():
                if (flight := self._in_flight.pop(message.job_id, None)) is not None:
                    self._clips.let_go(message.job_id)
                    self._refuse(flight.job, message)
            case Broken():
                if self._in_flight.pop(message.job_id, None) is not None:
                    self._clips.let_go(message.job_id)
                    self._recorder.suspect(message.job_id, message.reason, message.detail)

    def _refuse(self, job: jobs.Job, message: Refused) -> None:
        """The file's own fault, unless its whole folder cannot be looked at: then the job waits for that."""
        folder_id = job.folder_id
        try:
            waits = message.reason in files.REASONS_OF_ABSENCE and folder_id is not None and self._folder_is_away(folder_id)
        except Exception:  # a fault of ours must neither be the file's nor leave its job in nobody's hands
            log.exception("folder_not_judged", recipe=self.recipe, job_id=job.job_id)
            self._recorder.put_back(job.job_id)
            return
        if waits and folder_id is not None:
            self._recorder.write(job.job_id, partial(jobs.put_aside, job_id=job.job_id, folder_id=folder_id))
        else:
            self._recorder.fail(job.job_id, message.reason, message.detail)

    def _record(self, message: Done) -> None:
        flight = self._in_flight.pop(message.job_id, None)
        if flight is None or self._serving is None:
            return
        context = self._context(flight)
        capture_time = self._capture_time(flight.job.name, message.result.facts.exif_time_local)
        future = self._writer.submit(lambda connection: runs.record_run(connection, context, message.result, capture_time, seal=self._seal))
        self._recorder.follow(message.job_id, future)

    def _handle_clip(self, message: ClipPart | ClipDone | Interrupted) -> None:
        flight = self._in_flight.get(message.job_id)
        if flight is None or self._serving is None or self._serving.spec.clip is None:
            return
        flight.started_s = time.monotonic()
        if isinstance(message, ClipPart):
            rate_hz = self._serving.spec.clip.rate_hz
            self._clips.keep_part(message, self._context(flight), rate_hz=rate_hz, on_lost=self._signal.set)
            return
        del self._in_flight[message.job_id]
        if isinstance(message, ClipDone) and not self._clips.is_spoiled(message.job_id):
            self._recorder.follow(message.job_id, self._clips.finish(message, self._context(flight)))
        else:
            self._recorder.put_back(message.job_id)
        self._clips.let_go(message.job_id)

    def _context(self, flight: _InFlight) -> runs.RunContext:
        assert self._serving is not None
        return runs.RunContext(
            job_id=flight.job.job_id,
            image_id=flight.job.image_id,
            recipe=self.recipe,
            recipe_sha256=self._serving.clip_sha256 if flight.is_clip else self._serving.recipe_sha256,
            model_id=self._serving.model_id,
        )

    def _check_worker(self) -> None:
        """Replace a worker that has died, hangs, or uses too much memory."""
        worker = self._worker
        if worker is None:
            return
        now_s = time.monotonic()
        if not worker.is_alive():
            self._bury(Reason.WORKER_DIED, f"the worker ended with exit code {worker.exit_code}")
        elif self.state == "starting" and now_s - worker.started_s > _START_LIMIT_S:
            self._start_failed(f"the worker was not ready after {_START_LIMIT_S:.0f} s")
        elif self._oldest_s(now_s) > self._settings.worker_timeout_s:
            self._bury(Reason.TIMED_OUT, f"no answer after {self._settings.worker_timeout_s:.0f} s")
        elif worker.look_at_memory(now_s) > self._settings.worker_memory_mb * 1024 * 1024:
            self._bury(Reason.OUT_OF_MEMORY, f"the worker used more than {self._settings.worker_memory_mb} MiB")

    def _oldest_s(self, now_s: float) -> float:
        """How long the worker has had an image in hand; if it has begun none, how long it has been quiet about those sent."""
        begun_s = [flight.started_s for flight in self._in_flight.values() if flight.started_s is not None]
        if self._in_flight and not begun_s:
            return now_s - self._quiet_since_s
        return now_s - min(begun_s, default=now_s)

    def _bury(self, reason: Reason, detail: str) -> None:
        """The worker is lost: what it had begun is suspect, what it had not goes back."""
        if self.state == "starting":
            self._start_failed(detail)
            return
        assert self._worker is not None
        log.error("worker_lost", recipe=self.recipe, pid=self._worker.pid, reason=reason, detail=detail, in_flight=len(self._in_flight))
        for message in self._worker.drain():
            self._handle(message)
        self._worker.kill()
        self._worker = None
        self.state, self.detail = "stopped", detail
        self.tally.restarts += 1
        begun = [flight.job for flight in self._in_flight.values() if flight.started_s is not None]
        for job_id, flight in self._in_flight.items():
            if flight.started_s is None:
                self._recorder.put_back(job_id)
        for job_id in self._in_flight:
            self._clips.let_go(job_id)
        self._in_flight.clear()
        for job in begun:
            self._recorder.suspect(job.job_id, reason, detail)
        self._more = True

    def _start_failed(self, detail: str, *, is_certain: bool = False) -> None:
        """Try again later. A model that cannot be loaded is told at once; a first death may have been want of memory for a moment."""
        assert self._worker is not None
        told = next((message.detail for message in self._worker.drain() if isinstance(message, Unusable)), None)
        self.detail = told or detail
        log.error("worker_start_failed", recipe=self.recipe, detail=self.detail)
        self._worker.kill()
        self._worker = None
        self._failed_starts += 1
        self._next_start_s = time.monotonic() + min(60.0, 2.0**self._failed_starts)
        self.state = "failed" if is_certain or told is not None or self._failed_starts > 1 else "stopped"

    def _patience_s(self) -> float:
        busy = self._in_flight or self._recorder.is_owed or self.state == "starting"
        return 0.5 if busy else 5.0 if self._worker is None and self._wanted is not None else 30.0
