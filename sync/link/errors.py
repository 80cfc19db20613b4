"""Why nothing goes over a link although it is there: it may not, or not now."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from edge.errors import TransportError


class NotNowError(TransportError):
    """A link is not used for a while. No attempt was made, and none is counted against the far side."""

    code: ClassVar[str] = "not_now"

    def __init__(self, message: str, *, after_s: float, advice: str | None = None) -> None:
        """`after_s`: until when."""
        super().__init__(message, advice=advice)
        self.after_s = after_s


class BudgetSpentError(NotNowError):
    """What a link may cost in a day or a month is spent."""

    code: ClassVar[str] = "budget_spent"

    def __init__(self, message: str, *, after_s: float, until: datetime) -> None:
        """`until`: when it goes on (UTC)."""
        advice = f"It goes on by itself at {until:%Y-%m-%d %H:%M} UTC; `daily_mb` and `monthly_mb` of the sink are the limits."
        super().__init__(message, after_s=after_s, advice=advice)
        self.until = until


class WindowClosedError(NotNowError):
    """The settings allow a link at other hours."""

    code: ClassVar[str] = "window_closed"

    def __init__(self, message: str, *, after_s: float, until: datetime) -> None:
        """`until`: when the next window opens (UTC)."""
        super().__init__(message, after_s=after_s, advice=f"It goes on by itself at {until:%Y-%m-%d %H:%M} UTC: `windows` of the sink.")
        self.until = until


class PausedError(NotNowError):
    """Somebody paused what goes ashore."""

    code: ClassVar[str] = "sync_paused"
    default_advice: ClassVar[str] = "`imagine-edge sync resume`, or Resume on the page Sync, lets it go on."


class ClockWrongError(TransportError):
    """This machine's clock is so far off that a far side does not believe its signatures."""

    code: ClassVar[str] = "clock_wrong"
    default_advice: ClassVar[str] = (
        "Set the clock of this machine (UTC), best by NTP from the ship's network; what waits goes by itself then."
    )
