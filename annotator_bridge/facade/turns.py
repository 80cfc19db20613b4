"""Whose turn it is: one queue for each function, taken from in turn, so that neither a batch nor a person at work starves the other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Literal

from annotator_bridge.functions.function import FunctionKind

# A call of these may take seconds, so they never hold all of the slots.
_LONG: frozenset[FunctionKind] = frozenset({"reid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a call: 200 and a JSON document, or another status with `code` and `reason`.

    `loaded_ms`: how long it took of it to load the function first.
    """

    status: int
    body: bytes = b""
    code: str = ""
    reason: str = ""
    retry_after_s: int | None = None
    loaded_ms: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """A call on its way. `answer` belongs to `loop`; everything else to whoever holds the call.

    Attributes:
        mark: of the function's entry in the catalogue: another one has to be loaded anew.
        attempts: how often it was begun; a call that was lost with the child through no fault of its own is begun once more.
    """

    function_id: str
    kind: FunctionKind
    mark: str
    body: bytes
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Answer]
    state: Literal["waiting", "running", "done"] = "waiting"
    begun_s: float = 0.0
    attempts: int = 0
    arrived_s: float = field(default_factory=time.monotonic)

    def finish(self, answer: Answer) -> None:
        """Give the answer to whoever waits for it, from any thread; nobody may be waiting any more."""
        self.state = "done"

        def give() -> None:
            if not self.answer.done():
                self.answer.set_result(answer)

        try:
            self.loop.call_soon_threadsafe(give)
        except RuntimeError:  # the loop is closed: the server has ended
            return


class Turns:
    """Calls that wait, at most `limit` of them."""

    def __init__(self, *, slots: int, limit: int) -> None:
        self._slots = slots
        self._limit = limit
        self._waiting: OrderedDict[str, deque[Call]] = OrderedDict()
        self._count = 0
        self._long_running = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, call: Call, *, first: bool = False) -> bool:
        """Let a call wait; False if too many do. `first`: before the others of its function, whatever the limit."""
        with self._changed:
            if self._closed or (self._count >= self._limit and not first):
                return False
            queue = self._waiting.setdefault(call.function_id, deque())
            (queue.appendleft if first else queue.append)(call)
            call.state = "waiting"
            self._count += 1
            self._changed.notify()
        return True

    def take(self, timeout_s: float | None) -> Call | None:
        """The call whose turn it is, now running; None when there was none for so long, or after `close`."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                call = self._next()
                if call is not None:
                    return call
                left_s = None if end_s is None else end_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    return None
                self._changed.wait(left_s)
        return None

    def done(self, call: Call) -> None:
        """A call that was taken is not running any more."""
        with self._changed:
            if call.kind in _LONG:
                self._long_running -= 1
                self._changed.notify()

    def drop(self, call: Call) -> bool:
        """Forget a call that still waits; False if it does not."""
        with self._changed:
            queue = self._waiting.get(call.function_id)
            if queue is None or call not in queue:
                return False
            queue.remove(call)
            self._count -= 1
            if not queue:
                del self._waiting[call.function_id]
            call.state = "done"
        return True

    def close(self) -> list[Call]:
        """Let nobody in any more and wake whoever waits; returns what was never begun."""
        with self._changed:
            self._closed = True
            left = [call for queue in self._waiting.values() for call in queue]
            self._waiting.clear()
            self._count = 0
            self._changed.notify_all()
        return left

    @property
    def is_closed(self) -> bool:
        """After `close`."""
        return self._closed

    def _next(self) -> Call | None:
        """Of the function that waited longest for its turn; then that one goes to the end of the row."""
        for function_id, queue in self._waiting.items():
            if queue[0].kind in _LONG and self._long_running >= max(1, self._slots - 1):
                continue
            call = queue.popleft()
            self._count -= 1
            if queue:
                self._waiting.move_to_end(function_id)
            else:
                del self._waiting[function_id]
            self._long_running += call.kind in _LONG
            call.state = "running"
            call.attempts += 1
            call.begun_s = time.monotonic()
            return call
        return None
