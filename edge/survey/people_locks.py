"""How long whoever guesses must wait: five attempts are free, then each wrong one doubles the delay, up to a quarter of an hour.

A person's count is kept in the database, over a restart. An address's count, and that of names that do not exist, live here:
who guesses must not learn from the waiting which names there are, and an address is nobody's for long.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge.errors import LockedOutError

FREE_FAILURES = 5
FIRST_DELAY_S = 30
MAX_DELAY_S = 900
FORGET_AFTER_S = 3600
_KEPT = 1000


def delay_s(failures: int) -> int:
    """How long to wait after so many wrong attempts in a row, seconds."""
    over = failures - FREE_FAILURES
    return 0 if over < 0 else min(MAX_DELAY_S, FIRST_DELAY_S << min(over, 10))


def left_s(until: datetime | None, now: datetime) -> int:
    """Seconds until a lock ends, rounded up; 0 if there is none.

    A lock never lasts longer than the longest delay: one that seems to comes from a clock that was set back.
    """
    if until is None:
        return 0
    left = math.ceil((until - now).total_seconds())
    return left if 0 < left <= MAX_DELAY_S else 0


def locked_out(left: int, *, after: str = "") -> LockedOutError:
    """Tell how long to wait, and `after` what."""
    return LockedOutError(f"{after or 'too many wrong attempts'}; the next attempt may be made in {time_left(left)}", left_s=left)


def time_left(left: int) -> str:
    """Seconds as people say them, such as "1 min 30 s"."""
    minutes, seconds = divmod(left, 60)
    return " ".join(part for part in (f"{minutes} min" if minutes else "", f"{seconds} s" if seconds else "") if part)


@dataclass(slots=True)
class _Count:
    failures: int
    last: datetime
    until: datetime | None


class Locks:
    """Failures by a key, such as an address, in memory: the last thousand keys. For any thread."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def left_s(self, key: str, now: datetime) -> int:
        """How long this key must wait, seconds."""
        with self._lock:
            count = self._counts.get(key)
            return 0 if count is None else left_s(count.until, now)

    def begin(self, key: str, now: datetime) -> int:
        """Count an attempt before its outcome is known, so that many at once get no more of them. Returns what `left_s` would.

        An attempt that must wait is not counted.
        """
        with self._lock:
            count = self._counts.pop(key, None)
            if count is None or abs((now - count.last).total_seconds()) > FORGET_AFTER_S:
                count = _Count(failures=0, last=now, until=None)
            self._counts[key] = count
            while len(self._counts) > _KEPT:
                self._counts.popitem(last=False)
            if waiting := left_s(count.until, now):
                return waiting
            count.failures, count.last = count.failures + 1, now
            wait_s = delay_s(count.failures)
            count.until = now + timedelta(seconds=wait_s) if wait_s else None
            return 0

    def forgive(self, key: str, failures: int) -> None:
        """Take back so many attempts, which turned out to be the person's own; those of others from there stay."""
        with self._lock:
            count = self._counts.get(key)
            if count is not None:
                count.failures = max(0, count.failures - failures)
                if delay_s(count.failures) == 0:
                    count.until = None

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._counts.clear()
