"""The child process seen from the parent: started with the first call, replaced when it fails, ended when nobody calls.

A slot is a thread of the parent with a link of its own to the child. It takes the call whose turn it is, hands it over and waits. Who is to
blame for the end of a child gets the reason; other calls that were lost with it are begun once more in the next one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import psutil
import structlog

from annotator_bridge.facade.child import Asked, ChildSpec, Said, child_main
from annotator_bridge.facade.turns import Answer, Call, Turns
from annotator_bridge.functions.function import FunctionFailedError
from edge.units import mib_to_bytes

log = structlog.get_logger()

IDLE_S = 600.0
LOADING_S = 120.0  # more for a call that has to load its function first
_LOOK_S = 1.0
_GRACE_S = 5.0
_MOST_ATTEMPTS = 2
_STOPPING = Answer(status=503, code="bridge_stopping", reason="the appliance is being stopped")
# Spawned, never forked: a fork would copy the locks of the parent's threads.
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(slots=True, kw_only=True, eq=False)
class _Child:
    """A child, its links, and what was loaded in it. `blamed` is the call for which it was ended, `why` the answer for that one."""

    process: BaseProcess
    links: list[Connection]
    started_s: float
    loaded: set[tuple[str, str]] = field(default_factory=set)
    blamed: Call | None = None
    why: Answer | None = None


class Worker:
    """Answers calls in a child process, a few at once."""

    def __init__(self, spec: ChildSpec, turns: Turns, *, call_limit_s: float, memory_mb: int, idle_s: float = IDLE_S) -> None:
        """Take the shape of the child.

        Args:
            turns: where calls wait.
            call_limit_s: a call that takes longer ends the child.
            memory_mb: a child that needs more is ended.
            idle_s: a child that had nothing to do for so long is ended.
        """
        self._spec = spec
        self._turns = turns
        self._call_limit_s = call_limit_s
        self._memory_bytes = mib_to_bytes(memory_mb)
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._busy: dict[int, Call] = {}
        self._slots: list[threading.Thread] = []
        self._used_s = time.monotonic()

    @property
    def child_pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    def submit(self, call: Call) -> bool:
        """Let a call wait for its turn; False if too many do."""
        with self._lock:
            if not self._slots:  # not before: an appliance that nobody calls has no threads for it
                self._slots = [
                    threading.Thread(target=self._run_slot, args=(slot,), name=f"bridge-slot-{slot}", daemon=True)
                    for slot in range(self._spec.threads)
                ]
                for thread in self._slots:
                    thread.start()
        return self._turns.put(call)

    def give_up(self, call: Call) -> None:
        """The caller waits no more: a waiting call is forgotten, a running one is ended with its child if it is over its limit."""
        if self._turns.drop(call) or call.state == "done":
            return
        with self._lock:
            child = self._child
            if child is not None and call in self._busy.values() and self._is_overdue(call, child):
                self._blame(child, call, _timed_out(time.monotonic() - call.begun_s))

    def close(self) -> None:
        """End the child; calls that are not answered yet are told so."""
        for call in self._turns.close():
            call.finish(_STOPPING)
        with self._lock:
            child, self._child = self._child, None
            if child is not None:
                child.why = child.why or _STOPPING
                _end(child)
        for thread in self._slots:
            thread.join()

    def _run_slot(self, slot: int) -> None:
        while not self._turns.is_closed:
            call = self._turns.take(self._idle_s if self._child is not None else None)
            if call is None:
                self._rest()
                continue
            try:
                answer = self._served(slot, call)
            except Exception as error:
                log.exception("bridge_slot_failed", function=call.function_id)
                answer = Answer(status=500, code=FunctionFailedError.code, reason=f"{type(error).__name__}: {error}")
            with self._lock:
                self._busy.pop(slot, None)
                self._used_s = time.monotonic()
            self._turns.done(call)
            if answer is None:
                self._turns.put(call, first=True)
            else:
                call.finish(answer)

    def _served(self, slot: int, call: Call) -> Answer | None:
        """The answer; None if the call was lost through no fault of its own and shall be begun again."""
        with self._lock:
            if self._turns.is_closed:  # a child that is started now would outlive `close`
                return _STOPPING
            child = self._ready_child()
            self._busy[slot] = call
        link = child.links[slot]
        try:
            link.send(Asked(function_id=call.function_id, mark=call.mark))
            link.send_bytes(call.body)
            while not link.poll(_LOOK_S):
                self._look_at(child, call)
            said: Said = link.recv()
            body = link.recv_bytes() if said.status == 200 else b""
        except (EOFError, OSError):
            return self._lost(child, call)
        if said.loaded_ms is not None:
            log.info("bridge_function_loaded", function=call.function_id, took_ms=round(said.loaded_ms))
            child.loaded.add((call.function_id, call.mark))
        return Answer(status=said.status, body=body, code=said.code, reason=said.reason, loaded_ms=said.loaded_ms or 0.0)

    def _ready_child(self) -> _Child:
        """The child, a new one if there is none or if it ended. Called with the lock."""
        child = self._child
        if child is not None and child.why is None and child.process.is_alive():
            return child
        if child is not None:
            _end(child)
        pairs = [_CONTEXT.Pipe(duplex=True) for _ in range(self._spec.threads)]
        theirs = [pair[1] for pair in pairs]
        # Started from a slot's thread, which lives as long as the child may: it ends with the thread that started it.
        process = _CONTEXT.Process(target=child_main, args=(theirs, self._spec), name="imagine-edge-functions", daemon=True)
        process.start()
        for link in theirs:
            link.close()
        self._child = _Child(process=process, links=[pair[0] for pair in pairs], started_s=time.monotonic())
        log.info("bridge_child_started", pid=process.pid)
        return self._child

    def _look_at(self, child: _Child, call: Call) -> None:
        """While a call runs: its time, and the child's memory."""
        with self._lock:
            if child.why is not None:
                return
            if self._is_overdue(call, child):
                self._blame(child, call, _timed_out(time.monotonic() - call.begun_s))
                return
            used_bytes = _memory(child)
            if used_bytes > self._memory_bytes:
                reason = f"the process needed {used_bytes >> 20} MiB, more than worker_memory_mb allows, and was ended"
                self._blame(child, call, Answer(status=500, code="out_of_memory", reason=reason))

    def _is_overdue(self, call: Call, child: _Child) -> bool:
        limit_s = self._call_limit_s + (0.0 if (call.function_id, call.mark) in child.loaded else LOADING_S)
        return time.monotonic() - call.begun_s > limit_s

    def _blame(self, child: _Child, call: Call, why: Answer) -> None:
        """End a child for what a call did. Called with the lock."""
        log.error("bridge_child_ended", function=call.function_id, code=why.code, reason=why.reason)
        child.blamed, child.why = call, why
        child.process.kill()

    def _lost(self, child: _Child, call: Call) -> Answer | None:
        """What a call is told whose child went away under it."""
        child.process.join(_GRACE_S)
        with self._lock:
            if child.why is None:
                told = _told_exit(child.process.exitcode)
                reason = f"the process that runs the models ended ({told}); the next call starts a new one"
                child.why = Answer(status=500, code="worker_died", reason=reason)
                log.error("bridge_child_died", exit_code=child.process.exitcode, function=call.function_id)
            innocent = child.blamed is not None and child.blamed is not call
        if innocent and call.attempts < _MOST_ATTEMPTS and not self._turns.is_closed:
            return None
        return child.why

    def _rest(self) -> None:
        """End a child that had nothing to do for a while, or that holds much memory for nothing."""
        with self._lock:
            child = self._child
            if child is None or self._busy or time.monotonic() - self._used_s < self._idle_s:
                return
            self._child = None
            _end(child)
        log.info("bridge_child_rests", idle_s=round(self._idle_s))


def _end(child: _Child) -> None:
    for link in child.links:
        with contextlib.suppress(OSError):
            link.close()
    if child.process.is_alive():
        child.process.kill()
    child.process.join(_GRACE_S)


def _memory(child: _Child) -> int:
    try:
        return int(psutil.Process(child.process.pid).memory_info().rss)
    except psutil.Error:
        return 0


def _timed_out(after_s: float) -> Answer:
    return Answer(status=504, code="timed_out", reason=f"no answer within {after_s:.0f} s; the process that runs the models was ended")


def _told_exit(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"
