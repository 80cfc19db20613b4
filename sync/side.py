"""A far side as the agent sees it: whether it can be tried now, the open connection to it, and how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime

from edge.errors import EdgeError
from edge.link_windows import Windows, read_windows
from edge.sink_settings import SinkSettings
from edge.store.reads.ashore import OpenDelivery
from sync.delivery import FIRST_WAIT_S, LONGEST_WAIT_S
from sync.link.errors import NotNowError
from sync.sinks.directory import MARKER_NAME
from sync.sinks.sink import Sink, Spend

LOOK_S = 5.0
"""How often it is looked whether a stick is back, which costs nothing."""

Opened = tuple[Sink, Spend]
Open = Callable[[SinkSettings], AbstractContextManager[Opened]]


@dataclass(slots=True)
class FarSide:
    """One far side. For the agent's thread; others read single values of it.

    Attributes:
        settings: its table.
        opener: connects to it, with what a connection may cost.
        is_away: a folder whose medium is out.
        trouble: the error that the last attempt ended with; None after a success.
        failed: attempts in vain since the last success.
        not_before_s: on the monotonic clock, before which it is left alone.
        at_work: the bundle that is on its way, and since when (UTC).
        rate_bytes_per_s: how fast bundles arrived lately; None before the first.
    """

    settings: SinkSettings
    opener: Open
    windows: Windows = field(init=False)
    is_away: bool = False
    trouble: EdgeError | None = None
    failed: int = 0
    not_before_s: float = 0.0
    at_work: tuple[OpenDelivery, str] | None = None
    rate_bytes_per_s: float | None = None
    _stack: ExitStack | None = None
    _opened: Opened | None = None

    def __post_init__(self) -> None:
        self.windows = read_windows(self.settings.windows)

    @property
    def name(self) -> str:
        """As in the settings."""
        return self.settings.name

    def left_s(self, now: datetime) -> float:
        """In how many seconds it can be tried; 0: now."""
        until_open_s = (self.windows.next_open(now) - now).total_seconds()
        if until_open_s > 0:
            return until_open_s
        if self.settings.kind == "directory":
            was_away, self.is_away = self.is_away, not self._is_in()
            if self.is_away:
                return LOOK_S
            if was_away:
                self.hurry()
        return max(0.0, self.not_before_s - time.monotonic())

    def seen_left_s(self, now: datetime) -> float:
        """The same as it was seen last, without looking at any medium."""
        until_open_s = (self.windows.next_open(now) - now).total_seconds()
        return until_open_s if until_open_s > 0 else max(0.0, self.not_before_s - time.monotonic())

    def open(self) -> Opened:
        """A connection; the same until `close`.

        Raises:
            EdgeError: there is none, such as without what it knows us by.
        """
        if self._opened is None:
            stack = ExitStack()
            self._opened = stack.enter_context(self.opener(self.settings))
            self._stack = stack
        return self._opened

    def close(self) -> None:
        """Let the connection go; the next bundle opens another."""
        stack, self._stack, self._opened = self._stack, None, None
        if stack is not None:
            with suppress(EdgeError, OSError):  # what it did before counts
                stack.close()

    def note_success(self, size_bytes: int, took_s: float) -> None:
        """A bundle arrived."""
        rate = size_bytes / max(took_s, 0.001)
        self.rate_bytes_per_s = rate if self.rate_bytes_per_s is None else 0.7 * self.rate_bytes_per_s + 0.3 * rate
        self.trouble, self.failed, self.not_before_s = None, 0, 0.0

    def note_failure(self, error: EdgeError, *, jitter: float) -> None:
        """An attempt was in vain: the next is later each time, spread by chance, and not before the far side or the link wants it."""
        self.trouble = error
        least_s = float(getattr(error, "after_s", None) or 1.0)
        if isinstance(error, NotNowError):
            self.not_before_s = time.monotonic() + least_s
            self.close()
            return
        longest_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self.failed, 20))
        self.failed += 1
        self.not_before_s = time.monotonic() + max(least_s, longest_s * jitter)
        self.close()

    def hurry(self) -> None:
        """Try it at once, whatever came before."""
        self.not_before_s, self.failed = 0.0, 0

    def _is_in(self) -> bool:
        assert self.settings.path is not None  # the settings see to it
        try:
            return (self.settings.path / MARKER_NAME).is_file()
        except OSError:
            return False
