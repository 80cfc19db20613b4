"""Comparisons that were asked for, one after the other in a thread of their own; the real queue comes first."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from edge.errors import EdgeError
from edge.pipeline.compare import CancelledError, ComparedPair, CompareError, CompareLimits, Comparer
from edge.pipeline.messages import WorkerSpec
from edge.store import comparisons
from edge.store.comparisons import FileOutcome, FileToCompare, NewComparison
from edge.store.writer import Writer

log = structlog.get_logger()

_LOOK_S = 0.5
_COMMIT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonWork:
    """What is compared: the question for the store, and how both models are run."""

    new: NewComparison
    a: WorkerSpec
    b: WorkerSpec
    limits: CompareLimits


class ComparisonRunner:
    """Owns the thread. `must_wait` says whether the real queue has work; `on_change` is called when waiting begins or ends."""

    def __init__(self, writer: Writer, *, must_wait: Callable[[], bool], on_change: Callable[[], None]) -> None:
        self._writer = writer
        self._must_wait = must_wait
        self._on_change = on_change
        self._queue: queue.SimpleQueue[tuple[int, ComparisonWork] | None] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._stopping = threading.Event()
        self._yielding: int | None = None
        self._thread = threading.Thread(target=self._run, name="comparisons", daemon=True)
        self._thread.start()

    @property
    def yielding(self) -> int | None:
        """The comparison that waits for the real queue, or None."""
        return self._yielding

    def add(self, work: ComparisonWork) -> int:
        """Compare as soon as what was asked for before has ended. Returns the comparison's id at once."""
        comparison_id = self._writer.call(lambda connection: comparisons.add_comparison(connection, work.new))
        self._queue.put((comparison_id, work))
        return comparison_id

    def cancel(self, comparison_id: int) -> None:
        """Let it end now; what was found until then stays. Nothing happens to one that has ended."""
        self._cancelled.add(comparison_id)

    def close(self) -> None:
        """End what is being done; it is marked as interrupted at the next start."""
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None and not self._stopping.is_set():
            comparison_id, work = item
            try:
                self._compare(comparison_id, work)
                end = partial(comparisons.end_comparison, comparison_id=comparison_id, state="done")
            except CancelledError:
                if self._stopping.is_set():
                    return
                end = partial(comparisons.end_comparison, comparison_id=comparison_id, state="cancelled")
            except Exception as error:  # the thread's border: one that failed says so, and the next one is done
                log.warning("comparison_failed", comparison=comparison_id, error=str(error), exc_info=not isinstance(error, EdgeError))
                detail = str(error) if isinstance(error, EdgeError) else f"{type(error).__name__}: {error}"
                end = partial(comparisons.end_comparison, comparison_id=comparison_id, state="failed", detail=detail)
            self._end(comparison_id, end)

    def _end(self, comparison_id: int, end: Callable[..., None]) -> None:
        self._cancelled.discard(comparison_id)
        try:
            self._writer.call(end)
        except EdgeError:  # the disk is full: the next start marks it as interrupted
            log.exception("comparison_end_not_written", comparison=comparison_id)

    def _compare(self, comparison_id: int, work: ComparisonWork) -> None:
        self._wait_for_the_queue(comparison_id)
        files = self._writer.call(lambda connection: comparisons.begin_comparison(connection, comparison_id))
        outcomes: list[FileOutcome] = []
        committed_s = time.monotonic()
        ended = partial(self._must_end, comparison_id)
        with Comparer(work.a, work.b, work.limits, is_cancelled=ended) as comparer:
            try:
                for file in files:
                    self._wait_for_the_queue(comparison_id)
                    outcomes.append(_outcome(comparer, file))
                    if time.monotonic() - committed_s >= _COMMIT_EVERY_S:
                        self._record(outcomes)
                        committed_s = time.monotonic()
            finally:
                self._record(outcomes)

    def _record(self, outcomes: list[FileOutcome]) -> None:
        chosen = tuple(outcomes)
        outcomes.clear()
        if chosen:
            self._writer.call(lambda connection: comparisons.record_outcomes(connection, chosen))

    def _must_end(self, comparison_id: int) -> bool:
        return self._stopping.is_set() or comparison_id in self._cancelled

    def _wait_for_the_queue(self, comparison_id: int) -> None:
        """Return when nothing of the real queue waits.

        Raises:
            CancelledError: it is to end.
        """
        while self._must_wait() and not self._must_end(comparison_id):
            if self._yielding is None:
                self._yielding = comparison_id
                self._on_change()
            self._stopping.wait(_LOOK_S)
        if self._yielding is not None:
            self._yielding = None
            self._on_change()
        if self._must_end(comparison_id):
            raise CancelledError("it was cancelled")


def _outcome(comparer: Comparer, file: FileToCompare) -> FileOutcome:
    try:
        pair = comparer.compare(file.path, file.name, file.sha256)
    except CompareError as error:
        return FileOutcome(row_id=file.row_id, detail=str(error))
    return FileOutcome(
        row_id=file.row_id,
        a_count=pair.counted.a_count,
        b_count=pair.counted.b_count,
        matched=pair.counted.matched,
        only_a=pair.counted.a_count - pair.counted.matched,
        only_b=pair.counted.b_count - pair.counted.matched,
        a_infer_ms=pair.counted.a_infer_ms,
        b_infer_ms=pair.counted.b_infer_ms,
        boxes_json=boxes_json(pair),
    )


def boxes_json(pair: ComparedPair) -> str:
    """Both sets of boxes as the store keeps them."""
    return json.dumps({"a": pair.a, "b": pair.b}, separators=(",", ":"))
