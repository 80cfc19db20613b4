"""What a dispatcher did since it started."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_RATE_WINDOW_S = 60.0


@dataclass(slots=True)
class Tally:
    """What this dispatcher did since it started. Times of results are monotonic seconds."""

    done: int = 0
    quarantined: int = 0
    restarts: int = 0
    result_times_s: deque[float] = field(default_factory=deque)

    def note_result(self, now_s: float) -> None:
        """One more result; only those of the last minute are remembered one by one."""
        self.done += 1
        self.result_times_s.append(now_s)
        while now_s - self.result_times_s[0] > _RATE_WINDOW_S:
            self.result_times_s.popleft()

    def images_per_s(self, now_s: float) -> float | None:
        """Results per second over the last minute, or since the first of them if that is less."""
        recent = [moment for moment in self.result_times_s.copy() if now_s - moment <= _RATE_WINDOW_S]
        if len(recent) < 2:
            return None
        return len(recent) / max(now_s - recent[0], 1.0)
