"""Whether a server answers, since when, and when it is asked again: one state for everything that waits for it.

A server that is down is asked once, not once for each task; later each time, up to `LONGEST_DELAY_S`. A sign-in that it refused is not
tried again by itself: an account may be locked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from edge.errors import EdgeError, LoginNeededError
from edge.store.clock import utc_text

FIRST_DELAY_S, LONGEST_DELAY_S = 15.0, 600.0
LONGEST_WAIT_S = 3600.0  # what a server may ask for; a header says anything


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachState:
    """What is known of a server.

    Attributes:
        answers: None before it was asked for the first time.
        since_utc: since when it answers, or does not.
        asked_utc: when it was asked last.
        version: what it said last; empty before.
        code, words: why it does not answer, or not to us; empty where it does.
        failures: how often in a row.
        next_try_utc: when it is asked again by itself; None: now, or only when somebody asks (`is_blocked`).
        is_blocked: it waits for a person, who signs in or asks to try again.
    """

    answers: bool | None = None
    since_utc: str | None = None
    asked_utc: str | None = None
    version: str = ""
    code: str = ""
    words: str = ""
    failures: int = 0
    next_try_utc: str | None = None
    is_blocked: bool = False


class Reach:
    """The state of one server. What is read is whole, from any thread; it is changed in the desk's thread, and by `kick`."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """`now`: the clock."""
        self._now = now
        self.state = ReachState()

    def answered(self, version: str) -> None:
        """It answered, to us."""
        now = utc_text(self._now())
        since = self.state.since_utc if self.state.answers else now
        self.state = ReachState(answers=True, since_utc=since, asked_utc=now, version=version)

    def failed(self, error: EdgeError) -> None:
        """It did not, or does not know us."""
        now, before = self._now(), self.state
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(before.failures, 10))
        asked_s = min(LONGEST_WAIT_S, getattr(error, "after_s", None) or 0.0)
        is_blocked = isinstance(error, LoginNeededError)
        self.state = ReachState(
            answers=False,
            since_utc=before.since_utc if before.answers is False and before.code == error.code else utc_text(now),
            asked_utc=utc_text(now),
            version=before.version,
            code=error.code,
            words=f"{error}. {error.advice()}",
            failures=before.failures + 1,
            next_try_utc=None if is_blocked else utc_text(now + timedelta(seconds=max(delay_s, asked_s))),
            is_blocked=is_blocked,
        )

    def kick(self) -> None:
        """Somebody asks: it is tried again now."""
        self.state = replace(self.state, next_try_utc=None, is_blocked=False, failures=0)

    def left_s(self) -> float:
        """In how many seconds it may be asked again; infinite while a person is waited for."""
        state = self.state
        if state.is_blocked:
            return float("inf")
        if state.next_try_utc is None:
            return 0.0
        return max(0.0, (datetime.fromisoformat(state.next_try_utc) - self._now()).total_seconds())
