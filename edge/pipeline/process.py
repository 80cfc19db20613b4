"""A worker process and the link to it, seen from the parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import psutil

from edge.pipeline.messages import Cancel, FromWorker, Task, WorkerSpec
from edge.pipeline.worker import worker_main

# Spawned, never forked: a fork would copy the parent's threads' locks and its database connection into the child.
_CONTEXT = multiprocessing.get_context("spawn")
_MEMORY_LOOK_S = 1.0
_GRACE_S = 10.0


class Signal:
    """Wakes a thread that waits for messages; setting it twice before it is seen wakes once."""

    def __init__(self) -> None:
        self._receiving, self._sending = multiprocessing.Pipe(duplex=False)
        self._is_set = False

    @property
    def waitable(self) -> Connection:
        """What to wait on."""
        return self._receiving

    def set(self) -> None:
        """Wake the waiter."""
        if not self._is_set:
            self._is_set = True
            self._sending.send_bytes(b"\0")

    def clear(self) -> None:
        """Called by the waiter once it is awake, before it looks at what it was woken for."""
        while self._receiving.poll():
            self._receiving.recv_bytes()
        self._is_set = False  # last: a byte that is read after this would leave the flag set and the pipe empty, for ever


@dataclass(slots=True)
class WorkerProcess:
    """One child and its link. `rss_bytes` is as of the last look."""

    process: BaseProcess
    link: Connection
    started_s: float
    rss_bytes: int = 0
    _looked_s: float = 0.0

    @classmethod
    def start(cls, spec: WorkerSpec) -> WorkerProcess:
        """Spawn a child that loads its model and then says `Ready` or `Unusable`."""
        ours, theirs = _CONTEXT.Pipe(duplex=True)
        process = _CONTEXT.Process(target=worker_main, args=(theirs, spec), name="imagine-edge-worker", daemon=True)
        process.start()
        theirs.close()
        return cls(process=process, link=ours, started_s=time.monotonic())

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """The child's exit code; negative is a signal."""
        return self.process.exitcode

    def is_alive(self) -> bool:
        """Whether the child still runs."""
        return self.process.is_alive()

    def send(self, task: Task | Cancel) -> None:
        """Hand a task over, or ask for one to be put down; a child that is gone shows itself at the next `is_alive`."""
        try:
            self.link.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return

    def drain(self) -> Iterator[FromWorker]:
        """What the child has said and nobody has read yet."""
        try:
            while self.link.poll():
                yield self.link.recv()
        except (EOFError, OSError):
            return

    def look_at_memory(self, now_s: float) -> int:
        """The child's resident memory in bytes, looked at once a second."""
        if now_s - self._looked_s >= _MEMORY_LOOK_S:
            self._looked_s = now_s
            try:
                self.rss_bytes = psutil.Process(self.pid).memory_info().rss
            except psutil.Error:
                self.rss_bytes = 0
        return self.rss_bytes

    def stop(self) -> None:
        """Let the child finish, then end it."""
        with contextlib.suppress(OSError):  # it is gone already
            self.link.send(None)
        self.process.join(_GRACE_S)
        self.kill()

    def kill(self) -> None:
        """End the child at once and take it off the process table."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join(_GRACE_S)  # one that waits for a share that hangs ends only when that answers
        self.link.close()


def messages(worker: WorkerProcess | None, signal: Signal, *, timeout_s: float) -> Iterator[FromWorker]:
    """What the worker has said, as soon as there is something, a signal, the worker's end, or the time is over."""
    watched: list[Connection | int] = [signal.waitable]
    if worker is not None:
        watched += [worker.link, worker.process.sentinel]
    wait(watched, timeout_s)
    signal.clear()
    if worker is not None:
        yield from worker.drain()
