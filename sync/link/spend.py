"""What every byte over a link is asked: is it paused, is the hour allowed, is there budget left, how fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, datetime
from functools import partial

from edge.link_windows import Windows, read_windows
from edge.sink_settings import SinkSettings
from edge.store import bundles
from edge.store.reads import links
from edge.store.sqlite import Connection
from edge.store.writer import Writes
from sync.link.budget import Budget, utc_now
from sync.link.errors import PausedError, WindowClosedError
from sync.link.throttle import Throttle

PAUSE_S = 60.0
_WITH_HEADERS = 1.15  # what a body costs on the wire, with headers, TLS and some losses
_REQUEST_BYTES = 4096
Reader = Callable[[], AbstractContextManager[Connection]]


class LinkSpend:
    """A `Meter` of one link."""

    def __init__(
        self,
        name: str,
        *,
        budget: Budget,
        throttle: Throttle,
        windows: Windows = Windows(),  # noqa: B008 (a value)
        is_paused: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._name, self._budget, self._throttle, self._windows = name, budget, throttle, windows
        self._is_paused, self._now = is_paused, now

    def may_begin(self, count_bytes: int) -> None:
        """See `Meter`.

        Raises:
            PausedError: somebody paused it.
            WindowClosedError: not at this hour.
            BudgetSpentError: so many bytes would not fit any more.
        """
        self._may_go()
        self._budget.check(round(count_bytes * _WITH_HEADERS) + _REQUEST_BYTES)

    def sent(self, count_bytes: int) -> None:
        """See `Spend`; raises as `may_begin` does, for this piece alone."""
        self._may_go()
        self._budget.check()
        self._throttle.take(count_bytes, go_on=self._may_go)
        self._budget.add(up_bytes=count_bytes, down_bytes=0)

    def received(self, count_bytes: int) -> None:
        """See `Spend`."""
        self._throttle.owe(count_bytes)
        self._budget.add(up_bytes=0, down_bytes=count_bytes)

    def cost_more(self, *, up_bytes: int, down_bytes: int) -> None:
        """See `Meter`."""
        self._throttle.owe(up_bytes + down_bytes)
        self._budget.add(up_bytes=up_bytes, down_bytes=down_bytes)

    def flush(self) -> None:
        """Write down what was not yet."""
        self._budget.flush()

    def _may_go(self) -> None:
        if self._is_paused():
            raise PausedError(f"{self._name} is paused", after_s=PAUSE_S)
        now = self._now()
        if not self._windows.is_open(now):
            until = self._windows.next_open(now)
            raise WindowClosedError(f"{self._name} is not used at this hour", after_s=(until - now).total_seconds(), until=until)


class StoredLedger:
    """Costs of a link in the table link_days."""

    def __init__(self, link: str, writer: Writes, reading: Reader) -> None:
        self._link, self._writer, self._reading = link, writer, reading

    def spent(self, day: date) -> links.Spent:
        """See `Ledger`."""
        with self._reading() as connection:
            return links.spent(connection, self._link, day.isoformat())

    def add(self, day: date, *, up_bytes: int, down_bytes: int) -> None:
        """See `Ledger`."""
        self._writer.call(
            partial(bundles.count_bytes, link=self._link, day=day.isoformat(), up_bytes=up_bytes, down_bytes=down_bytes), quiet=True
        )


@contextmanager
def spending(
    settings: SinkSettings, writer: Writes, reading: Reader, *, is_paused: Callable[[], bool] = lambda: False
) -> Iterator[LinkSpend]:
    """What a far side of the settings may cost; what it did cost is written down at the end, whatever happens."""
    budget = Budget(settings.name, StoredLedger(settings.name, writer, reading), daily_mb=settings.daily_mb, monthly_mb=settings.monthly_mb)
    try:
        throttle, windows = Throttle(settings.rate_kbps), read_windows(settings.windows)
        yield LinkSpend(settings.name, budget=budget, throttle=throttle, windows=windows, is_paused=is_paused)
    finally:
        budget.flush()
