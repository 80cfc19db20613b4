"""What a link may cost in a day and in a month, by what it did cost; written down in lumps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from edge.store.reads.links import Spent
from sync.link.errors import BudgetSpentError

LUMP_BYTES = 64 * 1024
LUMP_S = 10.0
"""A power cut forgets at most one lump: a commit for each piece would cost more than it saves."""

MB = 1_000_000


class Ledger(Protocol):
    """Where costs are kept."""

    def spent(self, day: date) -> Spent:
        """Of that day and its month, without what was not written yet."""

    def add(self, day: date, *, up_bytes: int, down_bytes: int) -> None:
        """Write it down durably."""


def utc_now() -> datetime:
    """This moment, aware."""
    return datetime.now(UTC)


class Budget:
    """The budget of one link. For several threads."""

    def __init__(
        self, name: str, ledger: Ledger, *, daily_mb: float = 0, monthly_mb: float = 0, now: Callable[[], datetime] = utc_now
    ) -> None:
        """`daily_mb`, `monthly_mb`: million bytes, up and down together; 0: no limit."""
        self._name, self._ledger, self._now = name, ledger, now
        self._daily_bytes, self._monthly_bytes = round(daily_mb * MB), round(monthly_mb * MB)
        self._lock = threading.RLock()
        self._day = now().date()
        self._spent = ledger.spent(self._day)
        self._up_bytes = self._down_bytes = 0
        self._written_s = time.monotonic()

    def check(self, count_bytes: int = 0) -> None:
        """Whether so many bytes may still pass today.

        Raises:
            BudgetSpentError: they may not; it says when they may.
        """
        with self._lock:
            now = self._turn()
            midnight = datetime.combine(now.date(), datetime.min.time(), UTC)
            day_bytes, month_bytes = self._now_spent()
            if self._monthly_bytes and month_bytes + count_bytes > self._monthly_bytes:
                until = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
                raise self._is_spent("month", month_bytes, self._monthly_bytes, now=now, until=until)
            if self._daily_bytes and day_bytes + count_bytes > self._daily_bytes:
                raise self._is_spent("day", day_bytes, self._daily_bytes, now=now, until=midnight + timedelta(days=1))

    def add(self, *, up_bytes: int, down_bytes: int) -> None:
        """So much passed."""
        with self._lock:
            self._turn()
            self._up_bytes += up_bytes
            self._down_bytes += down_bytes
            if self._up_bytes + self._down_bytes >= LUMP_BYTES or time.monotonic() - self._written_s >= LUMP_S:
                self.flush()

    def flush(self) -> None:
        """Write down what was not yet."""
        with self._lock:
            up_bytes, down_bytes = self._up_bytes, self._down_bytes
            self._written_s = time.monotonic()
            if not up_bytes and not down_bytes:
                return
            self._ledger.add(self._day, up_bytes=up_bytes, down_bytes=down_bytes)
            self._spent = self._now_spent()
            self._up_bytes = self._down_bytes = 0

    def spent(self) -> Spent:
        """Of this day and this month, with what was not written yet."""
        with self._lock:
            self._turn()
            return self._now_spent()

    def _now_spent(self) -> Spent:
        more_bytes = self._up_bytes + self._down_bytes
        return Spent(self._spent.day_bytes + more_bytes, self._spent.month_bytes + more_bytes)

    def _turn(self) -> datetime:
        """Begin a new day where there is one. Returns now."""
        now = self._now()
        if now.date() != self._day:
            self.flush()
            self._day = now.date()
            self._spent = self._ledger.spent(self._day)
        return now

    def _is_spent(self, of: str, spent_bytes: int, limit_bytes: int, *, now: datetime, until: datetime) -> BudgetSpentError:
        told = f"{self._name} used {spent_bytes / MB:.2f} of the {limit_bytes / MB:g} MB of the {of}: the next bundle does not fit"
        return BudgetSpentError(told, after_s=max(1.0, (until - now).total_seconds()), until=until)
