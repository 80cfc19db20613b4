"""Processes that measure objects beside each other, started before there is anything to measure, so that their imports cost no time.

Each has a thread here that gives it one task after the other and waits for the answer. A process that dies closes its link, which ends
the wait: whoever takes results is told, and nobody waits for ever.
"""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from edge.zooscan.process.child import Fault, Measured, MeasureTask, Peak, measure_main
from edge.zooscan.process.values import MeasurerLostError, ScanStoppedError

_CONTEXT = multiprocessing.get_context("spawn")
_LOOK_S = 0.1


class Measurers:
    """Some measuring processes. To be entered and left by one thread, which must live as long as they do.

    The process that makes them must not be a daemon of `multiprocessing`, for these may have no children.
    """

    def __init__(self, count: int) -> None:
        """`count`: processes."""
        self._tasks: queue.SimpleQueue[MeasureTask | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Measured | Peak | Fault] = queue.SimpleQueue()
        self._count = count
        self._processes: list[BaseProcess] = []
        self._links: list[Connection] = []
        self._threads: list[threading.Thread] = []
        self._peaks_mib: list[float] = []

    def __enter__(self) -> Self:
        """Start them."""
        try:
            for number in range(self._count):
                self._start(number)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End them, whatever they do."""
        self._end()

    def give(self, task: MeasureTask) -> None:
        """Have something measured by the next process that is free."""
        self._tasks.put(task)

    def take(self, stopping: Callable[[], bool]) -> Measured:
        """What came of some task, as soon as one is done.

        Raises:
            MeasurerLostError: a process ended or failed.
            ScanStoppedError: `stopping` said so.
        """
        answer = self._next(stopping)
        if isinstance(answer, Measured):
            return answer
        raise MeasurerLostError(answer.detail if isinstance(answer, Fault) else "a measuring process ended too early")

    def dismiss(self, stopping: Callable[[], bool]) -> float:
        """Let them end by themselves, all tasks done; the sum of the most memory that each of them had, MiB.

        Raises:
            MeasurerLostError: one of them ended before.
            ScanStoppedError: `stopping` said so.
        """
        for _ in self._threads:
            self._tasks.put(None)
        peaks_mib = 0.0
        for _ in self._threads:
            answer = self._next(stopping)
            if not isinstance(answer, Peak):
                raise MeasurerLostError(answer.detail if isinstance(answer, Fault) else "a task was left")
            peaks_mib += answer.rss_mib
        return peaks_mib

    def _next(self, stopping: Callable[[], bool]) -> Measured | Peak | Fault:
        while True:
            if stopping():
                raise ScanStoppedError("the processing of the scan was stopped")
            try:
                return self._answers.get(timeout=_LOOK_S)
            except queue.Empty:
                continue

    def _start(self, number: int) -> None:
        ours, theirs = _CONTEXT.Pipe(duplex=True)
        self._links.append(ours)
        process = _CONTEXT.Process(target=measure_main, args=(theirs,), name=f"imagine-edge-measure-{number}", daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        thread = threading.Thread(target=self._serve, args=(ours,), name=f"measure-{number}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _serve(self, link: Connection) -> None:
        """Give one process its tasks."""
        try:
            while (task := self._tasks.get()) is not None:
                link.send(task)
                self._answers.put(link.recv())
            link.send(None)
            self._answers.put(link.recv())
        except (EOFError, OSError):
            self._answers.put(Fault(detail="a measuring process ended before it had answered"))

    def _end(self) -> None:
        for process in self._processes:
            process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for process in self._processes:
            process.join()
        for thread in self._threads:
            thread.join()
        for link in self._links:
            link.close()
