"""Decide when a file is whole: its size and time are equal on two looks `settle_s` apart.

A clip is written while it is recorded, with pauses in which nothing changes: it must have been quiet for longer, by our looks or by the
time of its last change. No I/O and no clock of its own: looks and monotonic seconds go in, decisions come out.
"""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge.formats import is_clip_name
from edge.ingest.looks import FileLook

Key = TypeVar("Key")


@dataclass(slots=True)
class _Waiting:
    look: FileLook
    since_s: float
    first_s: float
    settle_s: float
    listed: bool = False
    plan: int | None = None


class SettleTracker(Generic[Key]):
    """Files that were seen and are not yet known to be whole."""

    def __init__(self, settle_s: float, growing_limit_s: float, settle_of: Callable[[FileLook], float] | None = None) -> None:
        """`settle_of` says how far apart two equal looks must be where that depends on the file; at least `settle_s`."""
        self._settle_s = settle_s
        self._settle_of = settle_of or (lambda _: settle_s)
        self._growing_limit_s = growing_limit_s
        self._waiting: dict[Key, _Waiting] = {}
        self._due: list[tuple[float, int, Key]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def look(self, key: Key, look: FileLook, now_s: float) -> None:
        """Take note of a look; a changed file starts to settle anew."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(look=look, since_s=now_s, first_s=now_s, settle_s=self._settle_of(look))
        elif not waiting.look.equals(look):
            self._note_change(waiting, look, now_s)
        if waiting.plan is None:
            self._plan(key, waiting, waiting.since_s + waiting.settle_s)

    def forget(self, key: Key) -> bool:
        """The file is taken, failed or gone; returns whether it was being waited for."""
        return self._waiting.pop(key, None) is not None

    def next_due_s(self) -> float | None:
        """When the next second look is due, in monotonic seconds."""
        self._drop_outdated()
        return self._due[0][0] if self._due else None

    def pop_due(self, now_s: float, limit: int) -> list[Key]:
        """Up to `limit` files whose second look is due now. Each must be looked at, then given to `settled`."""
        due: list[Key] = []
        while (due_s := self.next_due_s()) is not None and due_s <= now_s and len(due) < limit:
            key = heapq.heappop(self._due)[2]
            self._waiting[key].plan = None
            due.append(key)
        return due

    def plan_again(self) -> None:
        """Files that were popped and, for a failure on the way, neither settled nor forgotten are due as before."""
        for key, waiting in self._waiting.items():
            if waiting.plan is None:
                self._plan(key, waiting, waiting.since_s + waiting.settle_s)

    def settled(self, key: Key, look: FileLook, now_s: float) -> bool:
        """Whether this look equals one at least `settle_s` ago. If not, the next look is planned."""
        waiting = self._waiting[key]
        if not waiting.look.equals(look):
            self._note_change(waiting, look, now_s)
        if look.size_bytes > 0 and now_s - waiting.since_s >= waiting.settle_s:
            return True
        due_s = waiting.since_s + waiting.settle_s
        self._plan(key, waiting, due_s if due_s > now_s else now_s + self._settle_s / 2)
        return False

    def overdue(self, key: Key, now_s: float) -> bool:
        """Whether the file has been waited for longer than the limit and is not listed yet; says so once."""
        waiting = self._waiting[key]
        if waiting.listed or now_s - waiting.first_s < self._growing_limit_s:
            return False
        waiting.listed = True
        return True

    def _note_change(self, waiting: _Waiting, look: FileLook, now_s: float) -> None:
        waiting.look = look
        waiting.since_s = now_s
        waiting.settle_s = self._settle_of(look)

    def _plan(self, key: Key, waiting: _Waiting, due_s: float) -> None:
        waiting.plan = next(self._order)
        heapq.heappush(self._due, (due_s, waiting.plan, key))

    def _drop_outdated(self) -> None:
        """A file that was forgotten, and perhaps seen anew since, leaves its old plan behind."""
        while self._due:
            _, plan, key = self._due[0]
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.plan == plan:
                return
            heapq.heappop(self._due)


def patience(settle_s: float, clip_settle_s: float, clock: Callable[[], float]) -> Callable[[FileLook], float]:
    """How far apart two equal looks at a file must be.

    Args:
        settle_s: for any file.
        clip_settle_s: how long a clip must have been quiet; the time since its last change counts, however short we have known it.
        clock: seconds since 1970, of the machine that the files' times are from.
    """

    def settle_of(look: FileLook) -> float:
        if not is_clip_name(os.fsdecode(look.name_bytes)):
            return settle_s
        quiet_s = max(0.0, clock() - look.mtime_ns / 1e9)  # a time to come says nothing
        return max(settle_s, clip_settle_s - quiet_s)

    return settle_of
