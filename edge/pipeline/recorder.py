"""What becomes of a dispatcher's jobs in the store: results on their way, failures, and jobs that go back to the queue."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import structlog

from edge.errors import Reason, StoreError, StoreRefusedError
from edge.pipeline.tally import Tally
from edge.store import jobs
from edge.store.sqlite import Connection
from edge.store.writer import Writer

log = structlog.get_logger()


class Recorder:
    """Writes about jobs. A result that could not be written (a full disk) is made again: its job goes back to the queue.

    Attributes:
        suspects: jobs may wait that were in the hands of a worker that died.
    """

    def __init__(self, recipe: str, writer: Writer, *, max_attempts: int, tally: Tally, wake: Callable[[], None]) -> None:
        """`wake` is called from the writer's thread when a result has been written or refused."""
        self.suspects = True
        self._recipe = recipe
        self._writer = writer
        self._max_attempts = max_attempts
        self._tally = tally
        self._wake = wake
        self._pending: set[Future[bool]] = set()
        self._unrecorded: set[int] = set()
        self._unrecordable: dict[int, str] = {}

    @property
    def pending(self) -> int:
        """How many results are on their way to the disk."""
        return len(self._pending)

    @property
    def is_owed(self) -> bool:
        """Some jobs have to go back to the queue."""
        return bool(self._unrecorded or self._unrecordable)

    def follow(self, job_id: int, future: Future[bool]) -> None:
        """Watch a result on its way; the future says whether it was the job's."""
        self._pending.add(future)
        future.add_done_callback(partial(self._recorded, job_id))

    def put_back(self, job_id: int) -> None:
        """This job was not done, by no fault of its file."""
        self._unrecorded.add(job_id)

    def settle(self, *, may_work: bool) -> None:
        """Bring what is owed back to the queue.

        What the store refused for its content counts as an attempt: it may well be refused again.
        """
        while self._unrecordable:
            job_id, detail = self._unrecordable.popitem()
            self.suspect(job_id, Reason.MODEL_FAILED, f"its result cannot be recorded: {detail}")
        if self._unrecorded and may_work:
            self.suspects = True  # some may have been suspects
            job_ids = [self._unrecorded.pop() for _ in range(len(self._unrecorded))]
            try:
                self._writer.call(partial(jobs.release_jobs, job_ids=job_ids))
            except StoreError:
                self._unrecorded.update(job_ids)
                raise

    def close(self) -> None:
        """Wait for what is on its way; what is owed goes back now if it can. If not, it stays leased and is reclaimed at the next start."""
        while self._pending:
            time.sleep(0.01)
        try:
            self.settle(may_work=True)
        except StoreError:
            log.exception("jobs_not_released", recipe=self._recipe)

    def fail(self, job_id: int, reason: Reason, detail: str) -> None:
        """The file cannot become a result."""
        self._tally.quarantined += 1
        self.write(job_id, partial(jobs.fail_job, job_id=job_id, reason=reason, detail=detail))

    def suspect(self, job_id: int, reason: Reason, detail: str) -> None:
        """The worker failed in the middle of this job."""
        self.suspects = True
        work = partial(jobs.suspect_job, job_id=job_id, max_attempts=self._max_attempts, reason=reason, detail=detail)
        self.write(job_id, work)

    def write(self, job_id: int, work: Callable[[Connection], object]) -> None:
        """Write about one job; if that fails it is released later, and the caller's other jobs are not kept from theirs."""
        try:
            self._writer.call(work)
        except StoreError:
            log.exception("job_not_written", recipe=self._recipe, job_id=job_id)
            self._unrecorded.add(job_id)

    def _recorded(self, job_id: int, future: Future[bool]) -> None:
        failure = future.exception()
        if isinstance(failure, StoreError) and not isinstance(failure, StoreRefusedError):
            self._unrecorded.add(job_id)
        elif failure is not None:
            self._unrecordable[job_id] = f"{type(failure).__name__}: {failure}"
        elif future.result():
            self._tally.note_result(time.monotonic())
        self._pending.discard(future)
        self._wake()
